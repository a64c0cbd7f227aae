//! The Platform's images are edited, and the operator is of a later release: no service gets another version
//! of an image than the one that it runs, unless the Platform names its version.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, Patch, PatchParams};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, platform};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "an image override of another tag moves no service, be it edited, taken away or of an earlier release",
            stays,
        )
        .apart(),
    ]
}

const NAME: &str = "image-override";
/// How long something may take to be told.
const TOLD: Duration = Duration::from_secs(30);
/// What the package has.
const OWN: &str = "docker.io/local/radicale:3";
/// Another version of it.
const OTHER: &str = "docker.io/other/radicale:4";

async fn stays(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let ended = edited(&tier).await;
    let ended = match ended {
        Ok(()) => of_an_earlier_release(&tier).await,
        failed => failed,
    };
    // Others use this cluster after it.
    tier.cluster.applied(&[platform()]).await?;
    tier.cluster.kubectl.ok(&["delete", "entity", NAME, "--ignore-not-found", "--wait=false"]).await?;
    ended
}

async fn edited(tier: &ControlPlane) -> Outcome {
    tier.running(&entity_with(NAME, "radicale")).await?;
    let before = Seen::of(tier).await?;
    ensure_eq!(before.image, OWN, "the image of the package");

    by(tier, json!({"reference": OTHER})).await?;
    says(tier, Some("ImageOverrideUnused")).await?;
    ensure_eq!(Seen::of(tier).await?, before, "a reference of another tag");

    by(tier, json!({"mirror": "registry.example:5000/hub/radicale"})).await?;
    runs(tier, "registry.example:5000/hub/radicale:3").await?;
    says(tier, None).await?;

    by(tier, json!({"versions": [{"name": "3", "reference": OTHER}]})).await?;
    runs(tier, OTHER).await?;
    is_recorded(tier).await?;
    says(tier, None).await?;
    let named = Seen::of(tier).await?;
    for kept in [json!({"versions": [{"name": "2", "reference": OWN}]}), json!({"reference": OWN}), Value::Null] {
        by(tier, kept.clone()).await?;
        says(tier, Some("ImageKept")).await?;
        ensure_eq!(Seen::of(tier).await?, named, "{kept} after a reference for its version");
    }
    Ok(())
}

/// The service runs what an earlier release made of a reference of another tag, which it did not record.
async fn of_an_earlier_release(tier: &ControlPlane) -> Outcome {
    let before = Seen::of(tier).await?;
    by(tier, json!({"reference": OTHER})).await?;
    tier.stop_operator().await?;
    let client = tier.cluster.impersonate(USER, &[]).await?;
    let records = resources::ours_in(&client, "ServiceData", NAME);
    records.patch("site", &PatchParams::default(), &Patch::Merge(json!({"spec": {"images": null}}))).await?;
    tier.start_operator().await?;
    is_recorded(tier).await?;
    says(tier, Some("ImageKept")).await?;
    by(tier, json!({"reference": "docker.io/other/radicale:5"})).await?;
    says(tier, Some("ImageKept")).await?;
    ensure_eq!(Seen::of(tier).await?, before, "after the upgrade of the operator");
    Ok(())
}

/// Has the Platform give the service's image so; null: not at all. Waits until the operator has looked.
async fn by(tier: &ControlPlane, how: Value) -> Outcome {
    let mut platform = platform();
    if let Value::Object(how) = how {
        let mut entry = json!({"template": "radicale", "image": "radicale"});
        how.into_iter().for_each(|(field, value)| entry[field] = value);
        platform["spec"]["images"] = json!([entry]);
    }
    tier.cluster.applied(&[platform]).await?;
    let platforms = resources::ours(&tier.cluster.client, "Platform");
    eventually("the operator has seen the Platform", TOLD, async || {
        let platform = serde_json::to_value(platforms.get("default").await?)?;
        ensure_eq!(platform["status"]["observedGeneration"], platform["metadata"]["generation"], "looked at");
        Ok(())
    })
    .await
}

/// What of the service a move would change.
#[derive(Debug, PartialEq)]
struct Seen {
    image: String,
    generation: Option<i64>,
}

impl Seen {
    async fn of(tier: &ControlPlane) -> Outcome<Self> {
        let deployments: Api<Deployment> = Api::namespaced(tier.cluster.client.clone(), NAME);
        let deployment = serde_json::to_value(deployments.get("site-app").await?)?;
        let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
        let generation = deployment["metadata"]["generation"].as_i64();
        Ok(Self { image: image.as_str().unwrap_or_default().to_owned(), generation })
    }
}

async fn runs(tier: &ControlPlane, image: &str) -> Outcome {
    eventually(&format!("the service runs {image}"), TOLD, async || {
        ensure_eq!(Seen::of(tier).await?.image, image, "the image of the service");
        Ok(())
    })
    .await
}

/// The reason of condition `ImageDiffers`; the service is Ready all the time.
async fn says(tier: &ControlPlane, reason: Option<&str>) -> Outcome {
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", NAME);
    eventually(&format!("the service says {reason:?}"), TOLD, async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        let told = condition(&service, "ImageDiffers");
        ensure_eq!(told.and_then(|told| told["reason"].as_str()), reason, "{}", conditions(&service));
        let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
        ensure!(ready["status"] == "True", "{}", conditions(&service));
        Ok(())
    })
    .await
}

/// The record says that the data runs on the other version.
async fn is_recorded(tier: &ControlPlane) -> Outcome {
    let records = resources::ours_in(&tier.cluster.client, "ServiceData", NAME);
    eventually("the record has the image", TOLD, async || {
        let record = serde_json::to_value(records.get("site").await?)?;
        ensure_eq!(record["spec"]["images"], json!([{"name": "radicale", "reference": OTHER}]), "the record's images");
        Ok(())
    })
    .await
}
