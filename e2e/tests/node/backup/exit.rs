//! An Entity leaves: what it has is in plain files, from the target and a private key alone.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::outside::Outside;
use commonscloud_e2e::backup::runs::Runs;
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::command::{self, Finished};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};

use super::calendars;
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("an exit package holds what the service holds, and is read with tar and sha256sum", leaves),
        Scenario::new("an exit package that the cluster makes opens for its Entity's own key alone", sealed),
    ]
}

const NAME: &str = "sortida";
const SERVICE: &str = "site";
/// How long a package of this size may take.
const PACKED: Duration = Duration::from_mins(3);
/// After so long the first one is killed, wherever it is.
const KILLED: Duration = Duration::from_millis(1500);
/// The hash of each event, below the volume; what Radicale caches is called like them, and is no part of a backup.
const EVENTS: &str = "find collections -name '*.ics' ! -path '*/.Radicale.cache/*' -exec sha256sum {} + | sort";

async fn leaves(node: Arc<Node>) -> Outcome {
    servers::ready(&node.cluster, servers::REST).await?;
    calendars(&node, NAME, &[SERVICE]).await?;
    Runs::of(&node.cluster, NAME).await?.backed_up("sortida", SERVICE, servers::REST).await?;
    let pod = node.pod(NAME, SERVICE, "app").await?;
    let script = format!("cd /data && {EVENTS}");
    let words = ["sh", "-ec", script.as_str()];
    let events = node.cluster.kubectl.exec(NAME, &pod, "radicale", &words).await?.succeeded("events")?;
    ensure!(events.contains("assemblea.ics"), "the service holds {events:?}");

    let outside = Outside::open(&node.cluster).await?;
    let package = outside.folder().join("package");
    let to = package.to_string_lossy();
    let words = ["export", NAME, SERVICE, "--output", &to];
    // Whether it ended or was killed somewhere, the same words go on.
    if let Ok(ended) = outside.run(&words, &[], KILLED).await {
        ended.succeeded("export, the first time")?;
        std::fs::remove_dir_all(&package)?;
    }
    outside.run(&words, &[], PACKED).await?.succeeded("export")?;
    shell(&package, "sha256sum --check --quiet SHA256SUMS").await?;
    let service = format!("cd {SERVICE} && mkdir out && tar -xpf files/data.tar -C out && cd out");
    shell(&package, &format!("{service} && sha256sum --check --quiet ../files/data.sha256")).await?;
    let left = shell(&package, &format!("cd {SERVICE}/out/data && {EVENTS}")).await?;
    ensure_eq!(left, events, "the events of the package");
    let secrets = shell(&package, &format!("tar -tf {SERVICE}/secrets.tar")).await?;
    ensure!(secrets.contains(&format!("./{SERVICE}-admin/password")), "{secrets}");

    let verify = ["export", "verify", &*to];
    let commonscloud = &node.cluster.programs.commonscloud;
    command::run(commonscloud, &verify, &[], None, PACKED).await?.succeeded("verify")?;
    shell(&package, &format!("printf x >>{SERVICE}/files/data.tar")).await?;
    let damaged = command::run(commonscloud, &verify, &[], None, PACKED).await?;
    ensure!(!damaged.success && damaged.stderr.contains("files/data.tar"), "{}", damaged.stderr);
    node.discard(NAME).await
}

/// A key pair of an Entity, made for this test: whoever reads it here has it.
const RECIPIENT: &str = "age1egw7pllh50qyzr6la7ymury7s7208p8r0760wudpg8fc8qx79ygsj5d3gl";
const PRIVATE: &str = "AGE-SECRET-KEY-143XLEMAAEETZYX39NFSME0MRM5HN5UL8YW5CAG94VP3Z75Z632LQ5CKMLX\n";

async fn sealed(node: Arc<Node>) -> Outcome {
    let (name, run) = ("comiat", "sortida");
    servers::ready(&node.cluster, servers::REST).await?;
    calendars(&node, name, &[SERVICE]).await?;
    let pod = node.pod(name, SERVICE, "app").await?;
    let script = format!("cd /data && {EVENTS}");
    let words = ["sh", "-ec", script.as_str()];
    let events = node.cluster.kubectl.exec(name, &pod, "radicale", &words).await?.succeeded("events")?;
    let runs = Runs::of(&node.cluster, name).await?;
    let status = runs.packed(run, SERVICE, servers::REST, RECIPIENT).await?;
    let package = status.package.ok_or_else(|| Failure::new("a run without its package"))?;

    let outside = Outside::open(&node.cluster).await?;
    let (file, folder, key) =
        (outside.folder().join("sortida.tar.age"), outside.folder().join("opened"), outside.folder().join("key.txt"));
    std::fs::write(&key, PRIVATE)?;
    let named = format!("{}/{run}", package.path);
    let to = file.to_string_lossy();
    let words = [named.as_str(), "--output", &to, "--sha256", &package.sha256];
    outside.fetch(&words, PACKED).await?.succeeded("export fetch")?;
    ensure_eq!(i64::try_from(file.metadata()?.len())?, package.bytes, "bytes of the sealed file");

    let platform = outside.folder().join("identity");
    let refused = open(&node, [&file, &platform, &folder]).await?.refused("the key of the Platform")?;
    ensure!(refused.contains("sealed to others") && !folder.exists(), "{refused}");
    open(&node, [&file, &key, &folder]).await?.succeeded("export open")?;
    shell(&folder, "sha256sum --check --quiet SHA256SUMS").await?;
    let unpack = format!("cd {SERVICE} && mkdir out && tar -xpf files/data.tar -C out && cd out/data && {EVENTS}");
    ensure_eq!(shell(&folder, &unpack).await?, events, "the events of the package");
    node.discard(name).await
}

/// Opens a package with a private key into a folder.
async fn open(node: &Node, paths: [&Path; 3]) -> Outcome<Finished> {
    let [package, key, folder] = paths.map(|path| path.to_string_lossy().into_owned());
    let words = ["export", "open", &package, "--identity", &key, "--output", &folder];
    command::run(&node.cluster.programs.commonscloud, &words, &[], None, PACKED).await
}

async fn shell(folder: &Path, script: &str) -> Outcome<String> {
    let script = format!("cd '{}'\n{script}", folder.display());
    command::run(Path::new("/bin/sh"), &["-ec", &script], &[], None, PACKED).await?.succeeded(&script)
}
