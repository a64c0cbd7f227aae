//! A database whose image does not exist, put right: it rolls out by itself, though the StatefulSet
//! waits for the pod that never started.

use std::sync::Arc;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, revision};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template;
use serde_json::{Value, json};

use crate::package::{MEDIAWIKI, node_copy};
use crate::tier::{Node, READY};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("a database with an image that does not exist, put right, rolls out by itself", put_right)]
}

const NAME: &str = "encallat";

async fn put_right(node: Arc<Node>) -> Outcome {
    let (client, source) = (&node.cluster.client, &node.cluster.programs.source);
    let good = node_copy(&node, template::load_directory(&source.join(MEDIAWIKI))?, NAME)?;
    node.cluster.applied(&[json!(good)]).await?;
    let first = revision(client, NAME, None, READY).await?;
    node.running(&wiki(&first)).await?;
    let ran = node.pod(NAME, "wiki", "db").await?;

    let bad = without_image(good)?;
    node.cluster.applied(&[json!(bad)]).await?;
    let second = revision(client, NAME, Some(&first), READY).await?;
    node.cluster.applied(&[wiki(&second)]).await?;
    let services = resources::ours_in(client, "DedicatedService", NAME);
    eventually("the status names the database's image, not what waits for it", READY, async || {
        let service = serde_json::to_value(services.get("wiki").await?)?;
        let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
        let reason = ready["reason"].as_str().unwrap_or_default();
        ensure!(["ErrImagePull", "ImagePullBackOff"].contains(&reason), "{}", conditions(&service));
        ensure!(ready.to_string().contains(&ran), "{ready}");
        Ok(())
    })
    .await?;

    node.running(&wiki(&first)).await?;
    let pods = node.pods(NAME, "wiki", "db").await?;
    ensure_eq!(pods.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>(), [ran], "the database's pods");
    node.discard(NAME).await
}

/// An Entity with a wiki on this revision.
fn wiki(revision: &str) -> Value {
    let wiki = json!({"name": "wiki", "template": NAME, "tier": "1gb", "revision": revision});
    entity(NAME, json!({"others": [wiki]}))
}

/// The package with an image of its database that does not exist.
fn without_image(mut package: ServiceTemplate) -> Outcome<ServiceTemplate> {
    let mut images = package.spec.versions.iter_mut().flat_map(|version| &mut version.images);
    let image = images.find(|image| image.name == "mariadb").ok_or_else(|| Failure::new("no image mariadb"))?;
    "docker.io/local/mariadb:0-none".clone_into(&mut image.reference);
    Ok(package)
}
