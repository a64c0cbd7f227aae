//! Secrets that the Platform names: waited for, copied where they are used, followed, rolled out.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::everything::{self, EVERYTHING};
use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY, SMTP, WILDCARD, platform, platform_secrets};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a platform's Secret is waited for, copied where it is used, and followed by the pods that read it",
            followed,
        )
        .alone(),
        Scenario::new("copies of a platform's Secret go when their use ends", unused).alone(),
    ]
}

/// A change is followed from the watch event.
const FOLLOWED: Duration = Duration::from_secs(20);

async fn followed(tier: Arc<ControlPlane>) -> Outcome {
    let (here, late) = ("mailing", "mailing-late");
    tier.cluster.applied(&[json!(everything::package()?)]).await?;
    tier.running(&entity_with(here, EVERYTHING)).await?;
    let before = rollouts(&tier, here).await?;
    ensure!(
        !before[0].is_empty() && before[1].is_empty(),
        "revisions on the pods that mail and those that do not: {before:?}"
    );

    tier.cluster.kubectl.ok(&["delete", "secret", SMTP, "-n", NAMESPACE]).await?;
    let waited = waits(&tier, late).await;
    let undisturbed = rollouts(&tier, here).await;
    // Other scenarios need it, whatever happened.
    tier.cluster.applied(&platform_secrets("a new password")).await?;
    waited?;
    ensure_eq!(undisturbed?, before, "revisions while the source was away");

    ready(&tier.entities(), late, READY).await?;
    for entity in [here, late] {
        holds(&tier, entity, SMTP, "password", "a new password").await?;
        holds(&tier, entity, WILDCARD, "tls.crt", "certificate of a new password").await?;
    }
    eventually("the pods that mail are rolled out, and no others", FOLLOWED, async || {
        let now = rollouts(&tier, here).await?;
        ensure!(now[0] != before[0] && !now[0].is_empty(), "still {now:?}");
        ensure_eq!(now[1], before[1], "pods that do not mail");
        ensure_eq!(now, rollouts(&tier, late).await?, "both entities");
        Ok(())
    })
    .await?;
    ready(&tier.entities(), here, READY).await.map(drop)
}

/// What nobody hears of is looked at again after a minute.
const UNUSED: Duration = Duration::from_secs(100);
/// The Secret that the Platform names instead.
const OTHER: &str = "smtp-other";

async fn unused(tier: Arc<ControlPlane>) -> Outcome {
    let (here, left) = ("copies", "copies-left");
    tier.cluster.applied(&[json!(everything::package()?)]).await?;
    let (stays, leaves) = (entity_with(here, EVERYTHING), entity_with(left, EVERYTHING));
    tokio::try_join!(tier.running(&stays), tier.running(&leaves))?;
    let generated = secrets(&tier, left, "-l=commonscloud.coop/data=true").await?;
    ensure!(!generated.is_empty(), "no generated Secret in {left}");

    tier.cluster.kubectl.ok(&["delete", "entity", left, "--timeout=60s"]).await?;
    ensure_eq!(secrets(&tier, left, "-l=app.kubernetes.io/managed-by=commonscloud").await?, generated, "what is kept");

    let mut other = platform_secrets("a password")[0].clone();
    other["metadata"]["name"] = json!(OTHER);
    let mut named = platform();
    named["spec"]["smtp"]["secretName"] = json!(OTHER);
    tier.cluster.applied(&[other, named]).await?;
    let followed = copied(&tier, here, OTHER, SMTP).await;
    // Other scenarios need theirs, whatever happened.
    tier.cluster.applied(&[platform()]).await?;
    followed?;
    copied(&tier, here, SMTP, OTHER).await?;
    tier.cluster.kubectl.ok(&["delete", "secret", OTHER, "-n", NAMESPACE]).await.map(drop)
}

/// Waits until one of the two is copied, and the other no more.
async fn copied(tier: &ControlPlane, namespace: &str, used: &str, unused: &str) -> Outcome {
    eventually(&format!("{used} is copied to {namespace}, and {unused} is gone"), UNUSED, async || {
        let seen = secrets(tier, namespace, "-l=app.kubernetes.io/managed-by=commonscloud").await?;
        let has = |name: &str| seen.iter().any(|secret| secret.ends_with(&format!("/{name}")));
        ensure!(has(used) && !has(unused) && has(WILDCARD), "{seen:?}");
        Ok(())
    })
    .await
}

async fn secrets(tier: &ControlPlane, namespace: &str, of: &str) -> Outcome<Vec<String>> {
    let listed = tier.cluster.kubectl.ok(&["get", "secrets", "-n", namespace, of, "-o", "name"]).await?;
    Ok(listed.lines().map(str::to_owned).collect())
}

/// The revisions of platform Secrets on the pods of the Deployment, which mails, and the StatefulSet.
async fn rollouts(tier: &ControlPlane, namespace: &str) -> Outcome<[String; 2]> {
    let mut seen = [String::new(), String::new()];
    for (workload, revision) in ["deployment/site-app", "statefulset/site-data"].into_iter().zip(&mut seen) {
        let path = r"jsonpath={.spec.template.metadata.annotations.commonscloud\.coop/platform-secrets}";
        *revision = tier.cluster.kubectl.ok(&["get", workload, "-n", namespace, "-o", path]).await?;
    }
    Ok(seen)
}

/// An Entity whose service mails is accepted, and says what is missing; so does the Platform.
async fn waits(tier: &ControlPlane, name: &str) -> Outcome {
    tier.cluster.applied(&[entity_with(name, EVERYTHING)]).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    let platforms = resources::ours(&tier.cluster.client, "Platform");
    eventually("what is missing is named", READY, async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        named(&service, "PlatformSecretNotFound")?;
        named(&serde_json::to_value(platforms.get("default").await?)?, "SecretNotFound")
    })
    .await
}

fn named(object: &Value, reason: &str) -> Outcome {
    let waiting = condition(object, "Reconciling").ok_or_else(|| Failure::new(conditions(object)))?;
    let message = waiting["message"].as_str().unwrap_or_default();
    ensure!(waiting["reason"] == reason && message.contains(&format!("Secret {SMTP}")), "{waiting}");
    Ok(())
}

async fn holds(tier: &ControlPlane, namespace: &str, secret: &str, key: &str, value: &str) -> Outcome {
    eventually(&format!("Secret {namespace}/{secret} follows"), FOLLOWED, async || {
        let path = format!("jsonpath={{.data.{}}}", key.replace('.', r"\."));
        let seen = tier.cluster.kubectl.ok(&["get", "secret", secret, "-n", namespace, "-o", &path]).await?;
        ensure!(seen == STANDARD.encode(value), "{key} is {seen}");
        Ok(())
    })
    .await
}
