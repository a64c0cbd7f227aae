//! The key and the target's credentials are in an Entity's namespace for as long as a run is at work, and with
//! nobody but its Jobs.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use commonscloud_e2e::backup::runs::{ENDS, Runs, phase};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use commonscloud_operator::api::BackupPhase;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use super::{DONE, calendars};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("no pod of an Entity reaches the backup's credentials", out_of_reach)]
}

const SERVICE: &str = "site";
/// Asks a server for its page, from a pod with Python; prints the type of what came of it.
const ASK: &str = "import socket, sys
try:
    socket.create_connection((sys.argv[1], 8000), 5)
    print('connected')
except Exception as error:
    print(type(error).__name__)
";

/// The Secrets of a namespace that are of backups.
async fn credentials(node: &Node, name: &str) -> Outcome<BTreeSet<String>> {
    let secrets: Api<Secret> = Api::namespaced(node.cluster.client.clone(), name);
    let all = secrets.list(&ListParams::default()).await?;
    Ok(all.iter().map(kube::ResourceExt::name_any).filter(|secret| secret.starts_with("backup-")).collect())
}

/// The pods that are no Job's of a run, and name one of these Secrets in whatever way.
async fn others_with(node: &Node, name: &str, secrets: &BTreeSet<String>) -> Outcome<Vec<String>> {
    let pods: Api<Pod> = Api::namespaced(node.cluster.client.clone(), name);
    let all = pods.list(&ListParams::default().labels("!commonscloud.coop/operation-of")).await?;
    ensure!(!all.items.is_empty(), "no pods of the service");
    let mut found = Vec::new();
    for pod in &all {
        let told = serde_json::to_string(&pod.spec)?;
        found.extend(
            secrets.iter().filter(|secret| told.contains(*secret)).map(|secret| format!("{} {secret}", pod.name_any())),
        );
    }
    Ok(found)
}

async fn out_of_reach(node: Arc<Node>) -> Outcome {
    let name = "claus";
    servers::ready(&node.cluster, servers::REST).await?;
    calendars(&node, name, &[SERVICE]).await?;
    ensure_eq!(credentials(&node, name).await?, BTreeSet::new(), "before the first backup");
    let runs = Runs::of(&node.cluster, name).await?;
    runs.begin("copia", SERVICE, servers::REST).await?;
    let seen = RefCell::new(BTreeSet::new());
    let ended = eventually("the backup has ended", ENDS, async || {
        let now = credentials(&node, name).await?;
        let others = others_with(&node, name, &now).await?;
        seen.borrow_mut().extend(now);
        let run = runs.backup("copia").await?;
        if others.is_empty() {
            ensure!(phase(&run).is_some_and(|at| at >= BackupPhase::Succeeded), "{:?}", phase(&run));
        }
        Ok((run, others))
    });
    let (run, others) = ended.await?;
    ensure_eq!(others, Vec::<String>::new(), "pods of the service with credentials of the backup");
    ensure_eq!(phase(&run), Some(BackupPhase::Succeeded), "the backup");
    let folder = run.status.and_then(|status| status.repository).map(|at| at.path).unwrap_or_default();
    let folder = folder.split('.').next().unwrap_or_default().to_owned();
    let expected = BTreeSet::from([format!("backup-key-{folder}"), servers::secret_name(servers::REST)]);
    ensure_eq!(seen.into_inner(), expected, "what was copied for the run");
    eventually("the copies are gone", DONE, async || {
        ensure_eq!(credentials(&node, name).await?, BTreeSet::new(), "after the backup");
        Ok(())
    })
    .await?;
    server_is_not_reached(&node, name).await?;
    node.discard(name).await
}

/// Whoever gets into the application sees nothing of the server: not a word from it.
async fn server_is_not_reached(node: &Node, name: &str) -> Outcome {
    let pods: Api<Pod> = Api::namespaced(node.cluster.client.clone(), servers::NAMESPACE);
    let server = pods.get(servers::REST).await?.status.and_then(|status| status.pod_ip);
    let server = server.ok_or_else(|| Failure::new("the server has no address"))?;
    let pod = node.pod(name, SERVICE, "app").await?;
    let words = ["python3", "-c", ASK, server.as_str()];
    let said = node.cluster.kubectl.exec(name, &pod, "radicale", &words).await?.succeeded("asking the server")?;
    ensure!(["TimeoutError", "timeout"].contains(&said.trim()), "the server was reached: {said}");
    Ok(())
}
