//! An Entity moves in: with an exit package of another one, or with a MediaWiki or Nextcloud that was never ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::calendar::Calendar;
use commonscloud_e2e::backup::content::{Application as _, Content, hash};
use commonscloud_e2e::backup::office::Office;
use commonscloud_e2e::backup::outside::Outside;
use commonscloud_e2e::backup::runs::Runs;
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::backup::wiki::Wiki;
use commonscloud_e2e::https::Credentials;
use commonscloud_e2e::manifests::{entity, entity_with_office};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use super::wiki::SERVICE as WIKI;
use super::{calendars, can_be_written, is_ready};
use crate::office::psql;
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("an exit package moves into another Entity, and nothing else does", package),
        Scenario::new("a plain MediaWiki of Debian that was never ours moves in", plain).slow(),
        Scenario::new("a plain Nextcloud of an earlier version moves in, with what it is known by", office).sampled(),
    ]
}

/// How long a package of this size may take.
const PACKED: Duration = Duration::from_mins(3);
/// How long something of this size may take to move in.
const MOVED: Duration = Duration::from_mins(6);
/// After so long the first one is killed, wherever it is.
const KILLED: Duration = Duration::from_secs(3);

async fn package(node: Arc<Node>) -> Outcome {
    let (from, into) = ("marxa", "arriba");
    servers::ready(&node.cluster, servers::REST).await?;
    let left = calendars(&node, from, &["agenda"]).await?.remove(0);
    left.write("acta", "Acta de la sortida").await?;
    let content = left.content().await?;
    Runs::of(&node.cluster, from).await?.backed_up("sortida", "agenda", servers::REST).await?;
    calendars(&node, into, &["site"]).await?;
    let runs = Runs::of(&node.cluster, into).await?;
    runs.backed_up("abans", "site", servers::REST).await?;

    let outside = Outside::open(&node.cluster).await?;
    let folder = outside.folder().join("package");
    let folder = folder.to_string_lossy();
    // By name: the platform's records follow a backup by minutes.
    outside.run(&["export", from, "agenda", "--output", &folder], &[], PACKED).await?.succeeded("export")?;
    let service = format!("{into}/site");
    let words = [service.as_str(), &folder, "--yes"];
    let dry =
        outside.import(&[&words[..], &["--dry-run"][..]].concat(), PACKED).await?.succeeded("import --dry-run")?;
    ensure!(dry.contains("volume data") && dry.contains("would move in"), "{dry}");

    let sums = Path::new(&*folder).join("SHA256SUMS");
    let whole = std::fs::read(&sums)?;
    std::fs::write(&sums, "damaged\n")?;
    let refused = outside.import(&words, PACKED).await?.refused("a damaged package")?;
    ensure!(refused.contains("is damaged"), "{refused}");
    std::fs::write(&sums, whole)?;

    outside.import(&words, MOVED).await?.succeeded("import")?;
    is_ready(&node, into).await?;
    let moved = Calendar::at(&node.ingress, &node.host(into, "site"), &node.administrator(into, "site").await?);
    ensure_eq!(moved.content().await?, content, "the calendar that moved in");
    can_be_written(&moved, "despres").await?;
    let again = outside.import(&words, PACKED).await?.refused("the same once more")?;
    ensure!(again.contains("it moved in already"), "{again}");
    runs.backed_up("despres", "site", servers::REST).await?;
    nothing_on_the_disk(outside.folder())?;
    node.discard(from).await?;
    node.discard(into).await
}

async fn plain(node: Arc<Node>) -> Outcome {
    let name = "mudanca";
    servers::ready(&node.cluster, servers::REST).await?;
    let service = json!({"name": WIKI, "template": "mediawiki", "tier": "1gb"});
    node.running(&entity(name, json!({"others": [service]}))).await?;
    let runs = Runs::of(&node.cluster, name).await?;
    let service = format!("{name}/{WIKI}");

    let outside = Outside::open(&node.cluster).await?;
    let folder = brought_from_elsewhere(&node, outside.folder()).await?;
    let path = folder.to_string_lossy();
    let words = [service.as_str(), &path, "--yes"];
    let early = outside.import(&words, PACKED).await?.refused("a service without a backup")?;
    ensure!(early.contains("has no complete backup"), "{early}");
    runs.backed_up("buida", WIKI, servers::REST).await?;

    let version = std::fs::read(folder.join("version.txt"))?;
    std::fs::write(folder.join("version.txt"), "MediaWiki version: 1.43.1\n")?;
    let newer = outside.import(&words, PACKED).await?.refused("a newer version")?;
    ensure!(newer.contains("1.43.1") && newer.contains("nothing was touched"), "{newer}");
    std::fs::write(folder.join("version.txt"), version)?;

    // Whether it ended or was killed somewhere, the same words go on.
    if !outside.import(&words, KILLED).await.is_ok_and(|ended| ended.success) {
        outside.import(&words, MOVED).await?.succeeded("import")?;
    }
    is_ready(&node, name).await?;
    let anna = Credentials { username: "Anna".to_owned(), password: PASSWORD.to_owned() };
    let wiki = Wiki::sign_in(&node.ingress, &node.host(name, WIKI), &anna).await?;
    let content = wiki.content().await?;
    let mut expected = Content::default();
    expected.add("Cooperativa", PAGE.as_bytes());
    expected.add("File:Acta.txt", b"acta de la reuni\xc3\xb3\n");
    for (title, hash) in expected.iter() {
        ensure_eq!(content.get(title), Some(hash), "{title}");
    }
    can_be_written(&wiki, "Després").await?;
    runs.backed_up("despres", WIKI, servers::REST).await?;
    nothing_on_the_disk(outside.folder())?;
    node.cluster.kubectl.ok(&["delete", "namespace", ELSEWHERE, "--wait=false"]).await?;
    node.discard(name).await
}

async fn office(node: Arc<Node>) -> Outcome {
    let name = "mudanca-oficina";
    servers::ready(&node.cluster, servers::REST).await?;
    node.running(&entity_with_office(name)).await?;
    let runs = Runs::of(&node.cluster, name).await?;
    runs.backed_up("buida", "office", servers::REST).await?;

    let outside = Outside::open(&node.cluster).await?;
    let folder = a_nextcloud(outside.folder())?;
    let (service, path) = (format!("{name}/office"), folder.to_string_lossy());
    let words = [service.as_str(), &path, "--yes"];
    for (file, from, to, told) in REFUSED {
        let file = folder.join(file);
        let whole = std::fs::read_to_string(&file)?;
        std::fs::write(&file, whole.replacen(from, to, 1))?;
        let refused = outside.import(&words, PACKED).await?.refused(told)?;
        ensure!(refused.contains(told), "{refused}");
        std::fs::write(&file, whole)?;
    }
    let dry =
        outside.import(&[&words[..], &["--dry-run"][..]].concat(), PACKED).await?.succeeded("import --dry-run")?;
    ensure!(dry.contains("skeletondirectory") && dry.contains("would move in"), "{dry}");

    outside.import(&words, MOVED).await?.succeeded("import")?;
    is_ready(&node, name).await?;
    let anna = Credentials { username: "anna".to_owned(), password: PASSWORD.to_owned() };
    let moved = Office::at(&node.ingress, &node.host(name, "office"), &anna);
    let mut expected = Content::default();
    for (file, text) in FILES {
        expected.add(file, text.as_bytes());
    }
    ensure_eq!(moved.content().await?, expected, "the files that moved in");
    can_be_written(&moved, "despres.txt").await?;
    is_known_by_what_it_was(&node, name).await?;
    runs.backed_up("despres", "office", servers::REST).await?;
    nothing_on_the_disk(outside.folder())?;
    node.discard(name).await
}

/// The settings are those that came along, the version is the package's, and previews are found where they are now.
async fn is_known_by_what_it_was(node: &Node, entity: &str) -> Outcome {
    let app = node.pod(entity, "office", "app").await?;
    for (key, expected) in [
        ("instanceid", "ocmudanca1"),
        ("passwordsalt", "sal d'abans"),
        ("secret", "secret d'abans"),
        ("version", "34.0.1.2"),
        ("dbtableprefix", "oc_"),
        ("datadirectory", "/data/files"),
    ] {
        let words = ["php", "/var/www/html/occ", "config:system:get", key];
        let said = node.cluster.kubectl.exec(entity, &app, "nextcloud", &words).await?.succeeded(key)?;
        ensure_eq!(said.trim(), expected, "{key}");
    }
    let db = node.pod(entity, "office", "db").await?;
    let storages = psql(node, entity, &db, "select id from oc_storages order by numeric_id").await?;
    ensure_eq!(storages, "home::anna\nlocal::/data/files/", "storages");
    Ok(())
}

/// In a file something is something else, and that is told.
const REFUSED: [(&str, &str, &str, &str); 3] = [
    ("config/config.php", "33.0.8.1", "32.0.9.1", "it is of version 32.0.9, and the service has 34."),
    ("config/config.php", "'pgsql'", "'mysql'", "db:convert-type"),
    ("dump.sql", "SET lock_timeout = 0;", "ALTER TABLE public.oc_users OWNER TO nextcloud;", "--no-owner"),
];
/// What anna has.
const FILES: [(&str, &str); 2] = [("acta.txt", "L'acta de la reunió.\n"), ("comptes.txt", "Zero.\n")];
/// What an installation of its own kept, of the version before: no table that its upgrade makes, no finished settings of
/// this package, other paths.
const SQL: &str = include_str!("nextcloud.sql");
const SETTINGS: &str = "<?php\n$CONFIG = array (\n  'instanceid' => 'ocmudanca1',\n  'passwordsalt' => 'sal \
    d\\'abans',\n  'secret' => 'secret d\\'abans',\n  'trusted_domains' => \n  array (\n    0 => \
    'nuvol.example.org',\n  ),\n  'datadirectory' => '/srv/nuvol/data',\n  'skeletondirectory' => \
    '/srv/nuvol/esquelet',\n  'dbtype' => 'pgsql',\n  'version' => '33.0.8.1',\n  'overwrite.cli.url' => \
    'https://nuvol.example.org',\n  'dbname' => 'nuvol',\n  'dbhost' => 'localhost',\n  'dbtableprefix' => 'oc_',\n  \
    'dbuser' => 'nuvol',\n  'dbpassword' => 'hunter2',\n  'installed' => true,\n  'maintenance' => true,\n);\n";

/// As `docs/operations/moving-in.md` has it: a folder below this one.
fn a_nextcloud(to: &Path) -> Outcome<PathBuf> {
    let folder = to.join("nuvol");
    let data = folder.join("files/data/files");
    std::fs::create_dir_all(folder.join("config"))?;
    std::fs::create_dir_all(data.join("anna/files"))?;
    std::fs::write(folder.join("config/config.php"), SETTINGS)?;
    std::fs::write(data.join(".ncdata"), "# Nextcloud data directory\n# Do not change this file")?;
    let mut rows = String::new();
    for (number, (name, text)) in FILES.iter().enumerate() {
        std::fs::write(data.join("anna/files").join(name), text)?;
        let (bytes, hash) = (text.len(), hash(text.as_bytes()));
        rows += &format!("{}\tanna\tfiles/{name}\t{bytes}\t{hash}\t1764460800\n", number + 1);
    }
    std::fs::write(folder.join("dump.sql"), SQL.replace("@ROWS@\n", &rows))?;
    Ok(folder)
}

/// What is unpacked while something moves in is gone.
fn nothing_on_the_disk(folder: &Path) -> Outcome {
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        ensure!(!name.to_string_lossy().starts_with(".commonscloud-import"), "{} is left", name.display());
    }
    Ok(())
}

/// A namespace that is nobody's: the machine where the wiki was.
const ELSEWHERE: &str = "another-machine";
const PASSWORD: &str = "una contrasenya llarga 1";
const PAGE: &str = "Som una cooperativa, i «l'Hort» és nostre.";
/// Debian's MediaWiki as its installer leaves it, with a page and an upload.
const INSTALL: &str = r#"
maintenance=/usr/share/mediawiki/maintenance
tries=0
until php -r 'mysqli_report(0); exit(@mysqli_connect("127.0.0.1", "encyclopedia", "hunter2", "encyclopedia") ? 0 : 1);'; do
    [ $tries -lt 60 ] || exit 1
    tries=$((tries + 1)); sleep 2
done
php $maintenance/install.php --confpath=/tmp --dbserver=127.0.0.1 --dbname=encyclopedia --dbuser=encyclopedia \
    --dbpass=hunter2 --pass="$PASSWORD" --server=http://wiki.test --scriptpath= --lang=ca "L'Enciclopèdia" Anna
cp /tmp/LocalSettings.php /etc/mediawiki/LocalSettings.php
printf '%s\n' '$wgEnableUploads = true;' '$wgFileExtensions[] = "txt";' \
    '$wgUploadDirectory = "/var/lib/mediawiki/images";' >>/etc/mediawiki/LocalSettings.php
printf %s "$PAGE" | php $maintenance/edit.php --user Anna Cooperativa
mkdir /tmp/upload; echo 'acta de la reunió' >/tmp/upload/Acta.txt
php $maintenance/importImages.php --user=Anna --extensions=txt /tmp/upload
mkdir -p /tmp/out/files/data
cp -a /var/lib/mediawiki/images /tmp/out/files/data/images
php $maintenance/version.php >/tmp/out/version.txt
"#;
/// As `docs/operations/moving-in.md` has it.
const DUMP: &str = "MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb-dump --single-transaction --quick --hex-blob --no-tablespaces encyclopedia >/tmp/dump.sql";

/// A wiki on a machine that nobody of ours looks after, and what its people bring along: a folder below this one.
async fn brought_from_elsewhere(node: &Node, to: &Path) -> Outcome<PathBuf> {
    let kubectl = &node.cluster.kubectl;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ELSEWHERE}});
    node.cluster.applied(&[namespace, machine(node)?]).await?;
    kubectl.ok(&["wait", "--for=condition=Ready", "pod/wiki", "-n", ELSEWHERE, "--timeout=2m"]).await?;
    for (container, script) in [("app", INSTALL), ("db", DUMP)] {
        let script = ["sh", "-ec", script];
        kubectl.exec(ELSEWHERE, "wiki", container, &script).await?.succeeded(container)?;
    }
    let folder = to.join("enciclopedia");
    let copies = [("app", "out", folder.clone()), ("db", "dump.sql", folder.join("dump.sql"))];
    for (container, from, to) in copies {
        let from = format!("{ELSEWHERE}/wiki:/tmp/{from}");
        kubectl.ok(&["cp", "-c", container, &from, &to.to_string_lossy()]).await?;
    }
    Ok(folder)
}

fn machine(node: &Node) -> Outcome<Value> {
    let variable = |name: &str, value: &str| json!({"name": name, "value": value});
    let of_database = [
        variable("MARIADB_ROOT_PASSWORD", "hunter2"),
        variable("MARIADB_DATABASE", "encyclopedia"),
        variable("MARIADB_USER", "encyclopedia"),
        variable("MARIADB_PASSWORD", "hunter2"),
    ];
    let database = json!({"name": "db", "image": node.image("mariadb")?, "env": of_database});
    let application = json!({
        "name": "app", "image": node.image("mediawiki")?, "command": ["sleep", "3600"],
        "env": [variable("PASSWORD", PASSWORD), variable("PAGE", PAGE)],
        "securityContext": {"runAsUser": 0},
    });
    Ok(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "wiki", "namespace": ELSEWHERE},
        "spec": {"containers": [database, application], "terminationGracePeriodSeconds": 1},
    }))
}
