//! Secrets that parameters name: those that were made for the service, and no others.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{client_secret, entity};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY, WILDCARD};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new("a parameter names a Secret that was made for its service, and no other", named)]
}

/// The Entity, and the Secret that was made for its office.
const NAME: &str = "naming";
const CLIENT: &str = "sign-in";
/// A label is followed from the watch event.
const FOLLOWED: Duration = Duration::from_secs(20);

/// An office whose client's Secret is of this name, and a calendar, which has a password of its own.
fn naming(secret: &str) -> Value {
    let oidc = json!({"issuer": "https://id.naming.example", "clientSecretName": secret});
    entity(
        NAME,
        json!({
            "office": {"tier": "1gb", "parameters": {"oidc": oidc}},
            "others": [{"name": "site", "template": "radicale", "tier": "1gb"}],
        }),
    )
}

async fn named(tier: Arc<ControlPlane>) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    tier.cluster.applied(&[naming(CLIENT)]).await?;
    let command = format!("kubectl label secret {CLIENT} --namespace {NAME} commonscloud.coop/for=office");
    refused(&tier, "Reconciling", &command).await?;
    ready(&resources::ours_in(&tier.cluster.client, "DedicatedService", NAME), "site", READY).await?;

    // Whatever label somebody puts on what the operator made.
    for (secret, whose) in [("site-admin", "generated for service site"), (WILDCARD, "a copy of one")] {
        kubectl.ok(&["label", "secret", secret, "-n", NAME, "commonscloud.coop/for=office"]).await?;
        tier.cluster.applied(&[naming(secret)]).await?;
        refused(&tier, "Stalled", &format!("Secret {secret} is {whose}")).await?;
    }
    tier.cluster.applied(&[client_secret(NAME, "of-site", "site"), naming("of-site")]).await?;
    refused(&tier, "Stalled", "Secret of-site is labelled for service").await?;
    let made = kubectl.ok(&["get", "deployments", "-n", NAME, "-o", "name"]).await?;
    ensure_eq!(made.trim(), "deployment.apps/site-app", "what was made meanwhile");

    tier.cluster.applied(&[client_secret(NAME, CLIENT, "office"), naming(CLIENT)]).await?;
    ready(&tier.entities(), NAME, READY).await?;
    // As a service of a release that knew no label: what it uses it goes on using, and repairs go on.
    kubectl.ok(&["label", "secret", CLIENT, "-n", NAME, "commonscloud.coop/for-"]).await?;
    kubectl.ok(&["scale", "deployment/office-redis", "-n", NAME, "--replicas=0"]).await?;
    eventually("what somebody changed is put back", FOLLOWED, async || {
        let words = ["get", "deployment/office-redis", "-n", NAME, "-o", "jsonpath={.spec.replicas}"];
        ensure_eq!(kubectl.ok(&words).await?, "1", "replicas");
        Ok(())
    })
    .await?;
    let path = "jsonpath={.spec.template.spec.volumes[?(@.name=='oidc')].secret.secretName}";
    let mounted = kubectl.ok(&["get", "deployment/office-app", "-n", NAME, "-o", path]).await?;
    ensure_eq!(mounted, CLIENT, "the Secret of what runs on");
    ready(&tier.entities(), NAME, READY).await.map(drop)
}

/// The office says why it may not name the Secret.
async fn refused(tier: &ControlPlane, kind: &str, words: &str) -> Outcome {
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", NAME);
    eventually(&format!("the office says {words:?}"), FOLLOWED, async || {
        let office = serde_json::to_value(offices.get("office").await?)?;
        let said = condition(&office, kind).ok_or_else(|| Failure::new(conditions(&office)))?;
        let message = said["message"].as_str().unwrap_or_default();
        ensure!(said["reason"] == "SecretNotForService" && message.contains(words), "{}", conditions(&office));
        Ok(())
    })
    .await
}
