//! An office from its manifest to a file that survives its pods.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::https::Credentials;
use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use kube::ResourceExt as _;
use sha2::{Digest as _, Sha256};

use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("an office answers over TLS under its own name, and a file survives its pods", file_survives)]
}

/// 1 MiB that nobody has seen before.
pub fn random_mebibyte() -> Outcome<Vec<u8>> {
    let mut bytes = vec![0; 1 << 20];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The WebDAV path of a file.
pub fn dav(user: &Credentials, file: &str) -> String {
    format!("/remote.php/dav/files/{}/{file}", user.username)
}

async fn file_survives(node: Arc<Node>) -> Outcome {
    let name = "casa";
    let entity = node.running(&entity_with_office(name)).await?;
    ensure_eq!(entity["status"]["servicesReady"], serde_json::json!("1/1"), "services ready");
    let host = node.host(name, "office");
    let status = String::from_utf8(node.ingress.get(&host, "/status.php", None).await?)?;
    ensure!(status.contains("\"installed\":true"), "{status}");
    node.ingress.get(&host, "/", None).await?;

    let admin = node.administrator(name, "office").await?;
    let bytes = random_mebibyte()?;
    let path = dav(&admin, "memoria.bin");
    node.ingress.put(&host, &path, &admin, bytes.clone()).await?;
    replace_pods(&node, name, "office", &["app", "db"]).await?;
    let again = eventually("the office serves the file again", READY, async || {
        node.ingress.get(&host, &path, Some(&admin)).await
    });
    ensure_eq!(sha256(&again.await?), sha256(&bytes), "sha256 after the pods were deleted");

    let db = node.pod(name, "office", "db").await?;
    let sql = "select size from oc_filecache where path = 'files/memoria.bin'";
    let row = psql(&node, name, &db, sql).await?;
    ensure_eq!(row, "1048576", "the file's row in PostgreSQL");
    strangers_are_refused(&node, name, &path).await
}

/// Deletes the pods of a service's components, and waits until new ones are Ready.
///
/// # Errors
/// When there is none to delete, or no new one becomes ready in time.
pub async fn replace_pods(node: &Node, entity: &str, service: &str, components: &[&str]) -> Outcome {
    let mut old = BTreeSet::new();
    for component in components {
        for pod in node.pods(entity, service, component).await? {
            old.insert(pod.name_any() + &pod.uid().unwrap_or_default());
        }
        let selector = format!("commonscloud.coop/instance={service},app.kubernetes.io/component={component}");
        node.cluster.kubectl.ok(&["delete", "pods", "-n", entity, "-l", &selector, "--wait=false"]).await?;
    }
    ensure!(old.len() >= components.len(), "only {} pods to delete", old.len());
    for component in components {
        eventually(&format!("a new pod of {component} is ready"), READY, async || {
            let pods = node.pods(entity, service, component).await?;
            let fresh = pods
                .iter()
                .any(|pod| !old.contains(&(pod.name_any() + &pod.uid().unwrap_or_default())) && is_ready(pod));
            ensure!(fresh, "none of {} pods", pods.len());
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Whether a pod's containers are all ready.
pub fn is_ready(pod: &k8s_openapi::api::core::v1::Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Asks the office's database, as the application's own user.
pub async fn psql(node: &Node, entity: &str, pod: &str, sql: &str) -> Outcome<String> {
    let words = ["psql", "-U", "nextcloud", "-d", "nextcloud", "-tAc", sql];
    let container = "postgres";
    let finished = node.cluster.kubectl.exec(entity, pod, container, &words).await?;
    Ok(finished.succeeded(sql)?.trim().to_owned())
}

/// Neither an unknown person nor an unknown host name gets in.
async fn strangers_are_refused(node: &Node, entity: &str, path: &str) -> Outcome {
    let host = node.host(entity, "office");
    let stranger = Credentials { username: "admin".to_owned(), password: "password".to_owned() };
    let answer = node.ingress.send("GET", &host, path, Some(&stranger), Vec::new()).await?;
    ensure_eq!(answer.status.as_u16(), 401, "a wrong password");
    let other = node.host("nobody", "office");
    let answer = node.ingress.send("GET", &other, "/", None, Vec::new()).await?;
    ensure_eq!(answer.status.as_u16(), 404, "a host name of nobody");
    eventually("usage is measured", Duration::from_mins(1), async || {
        let words = ["get", "dedicatedoffice", "office", "-n", entity, "-o", "jsonpath={.status.used}"];
        let used = node.cluster.kubectl.ok(&words).await?;
        ensure!(!used.is_empty(), "no used");
        Ok(())
    })
    .await
}
