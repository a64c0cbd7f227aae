//! A target that is a volume: the server that the operator runs for it, and what becomes of its claim.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use serde_json::{Value, json};

use super::{RECIPIENT, STEP, TARGET, much_later};
use crate::tier::{ControlPlane, platform};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        // The Platform is everybody's: on a cluster aside.
        Scenario::new("a volume is served as a target, grows, is never made smaller, and outlives being named", served)
            .apart(),
    ]
}

const NAME: &str = "here";
const SERVER: &str = "backup-server-here";
const CARE: &str = "backup-care-here";
/// Where all is as it should be, somebody looks once a minute.
const LOOKED: Duration = STEP.saturating_mul(2);

async fn served(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let outcome = each(&tier).await;
    tier.cluster.applied(&[platform()]).await?;
    outcome
}

async fn each(tier: &ControlPlane) -> Outcome {
    tier.cluster.applied(&[with(json!([volume("1Gi")]))]).await?;
    is_made(tier).await?;
    says(tier, "OffSite", Some(&["False", "BackupsNotOffSite", "s3, sftp or rest"])).await?;
    says(tier, "BackupVolumesServed", None).await?;
    is_confined(tier).await?;
    is_mended(tier).await?;
    grows(tier).await?;
    stays(tier).await?;
    comes_back(tier).await
}

fn volume(size: &str) -> Value {
    json!({"name": NAME, "volume": {"size": size}})
}

fn elsewhere() -> Value {
    json!({"name": TARGET, "rest": {"url": "https://backup.example.org", "secretName": TARGET}})
}

/// The tier's Platform with these targets.
fn with(targets: Value) -> Value {
    let mut platform = platform();
    platform["spec"]["backup"] = json!({
        "targets": targets, "recipients": [RECIPIENT], "schedule": much_later(), "care": much_later(),
        "drills": {"enabled": false},
    });
    platform
}

async fn get(tier: &ControlPlane, kind: &str, name: &str) -> Outcome<Value> {
    let found = tier.cluster.kubectl.ok(&["get", kind, name, "-n", NAMESPACE, "-o", "json"]).await?;
    Ok(serde_json::from_str(&found)?)
}

/// Waits until the Platform says this of a condition; none: nothing.
async fn says(tier: &ControlPlane, kind: &str, words: Option<&[&str]>) -> Outcome {
    let platforms = resources::ours(&tier.cluster.client, "Platform");
    eventually(&format!("{kind} says {words:?}"), LOOKED, async || {
        let platform = serde_json::to_value(platforms.get("default").await?)?;
        match (condition(&platform, kind), words) {
            (None, None) => Ok(()),
            (Some(said), Some(words)) => {
                let text = said.to_string();
                ensure!(words.iter().all(|word| text.contains(word)), "{text}");
                Ok(())
            }
            _ => Err(Failure::new(conditions(&platform))),
        }
    })
    .await
}

async fn is_made(tier: &ControlPlane) -> Outcome {
    eventually("the server is there", LOOKED, async || {
        for kind in ["deployment", "service", "networkpolicy", "persistentvolumeclaim"] {
            get(tier, kind, SERVER).await?;
        }
        Ok(())
    })
    .await?;
    let mut passwords = Vec::new();
    for (name, user) in [(SERVER, "cnVu"), (CARE, "Y2FyZQ==")] {
        let secret = get(tier, "secret", name).await?;
        ensure_eq!(secret["data"]["username"], json!(user), "the account of {name}");
        ensure_eq!(secret["immutable"], json!(true), "whether {name} never changes");
        passwords.push(secret["data"]["password"].to_string());
    }
    ensure!(passwords[0] != passwords[1] && passwords[0].len() > 40, "one password for both, or a short one");
    let claim = get(tier, "persistentvolumeclaim", SERVER).await?;
    ensure!(claim["metadata"]["ownerReferences"].is_null(), "it would go with its owner: {}", claim["metadata"]);
    Ok(())
}

/// Pod Security restricted would let its pods be.
async fn is_confined(tier: &ControlPlane) -> Outcome {
    let label = "pod-security.kubernetes.io/enforce=restricted";
    let words = ["label", "namespace", NAMESPACE, label, "--overwrite", "--dry-run=server"];
    let ended = tier.cluster.kubectl.run(&words, None).await?;
    ensure!(ended.success && !ended.stderr.contains(SERVER), "{}", ended.stderr);
    Ok(())
}

/// What somebody removes comes back, and another account begins another pod.
async fn is_mended(tier: &ControlPlane) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    let accounts = |deployment: &Value| deployment["spec"]["template"]["metadata"]["annotations"].to_string();
    let before = accounts(&get(tier, "deployment", SERVER).await?);
    kubectl.ok(&["delete", "networkpolicy", SERVER, "-n", NAMESPACE]).await?;
    kubectl.ok(&["delete", "secret", CARE, "-n", NAMESPACE]).await?;
    eventually("what was removed is there again", LOOKED, async || {
        get(tier, "networkpolicy", SERVER).await?;
        get(tier, "secret", CARE).await?;
        let now = accounts(&get(tier, "deployment", SERVER).await?);
        ensure!(now != before, "the pod still has the account that is gone: {now}");
        Ok(())
    })
    .await
}

async fn grows(tier: &ControlPlane) -> Outcome {
    tier.cluster.applied(&[with(json!([volume("3Gi")]))]).await?;
    requests(tier, "3Gi").await?;
    let refused = tier.cluster.kubectl.refused(&with(json!([volume("2Gi")]))).await?;
    ensure!(refused.contains("volume.size: a volume is never made smaller"), "{refused}");
    let other = json!([{"name": NAME, "volume": {"size": "3Gi", "storageClassName": "other"}}]);
    let refused = tier.cluster.kubectl.refused(&with(other)).await?;
    ensure!(refused.contains("volume.storageClassName: cannot be changed"), "{refused}");
    Ok(())
}

async fn requests(tier: &ControlPlane, size: &str) -> Outcome {
    eventually(&format!("the claim requests {size}"), LOOKED, async || {
        let claim = get(tier, "persistentvolumeclaim", SERVER).await?;
        ensure_eq!(claim["spec"]["resources"]["requests"]["storage"], json!(size), "what it requests");
        Ok(())
    })
    .await
}

async fn uid(tier: &ControlPlane) -> Outcome<Value> {
    Ok(get(tier, "persistentvolumeclaim", SERVER).await?["metadata"]["uid"].clone())
}

const DELETE: [&str; 6] = ["delete", "persistentvolumeclaim", SERVER, "-n", NAMESPACE, "--wait=false"];

/// The claim stays, whoever wants it gone, and is told of once nobody names it.
async fn stays(tier: &ControlPlane) -> Outcome {
    let (kubectl, before) = (&tier.cluster.kubectl, uid(tier).await?);
    let refused = kubectl.run(&DELETE, None).await?.refused("deleting the claim")?;
    ensure!(refused.contains("holds the backups of target here and is kept"), "{refused}");
    tier.cluster.applied(&[with(json!([elsewhere()]))]).await?;
    eventually("the server is gone", LOOKED, async || {
        let (kinds, label) = ("deployment,service,networkpolicy", "commonscloud.coop/backup-server");
        let left = kubectl.ok(&["get", kinds, "-n", NAMESPACE, "-l", label, "-o", "name"]).await?;
        ensure_eq!(left.trim(), "", "what is left of it");
        Ok(())
    })
    .await?;
    says(tier, "BackupVolumeKept", Some(&["True", "PersistentVolumeClaim backup-server-here", "name it again"]))
        .await?;
    says(tier, "OffSite", None).await?;
    ensure_eq!(uid(tier).await?, before, "the claim");
    Ok(())
}

/// Named again it is served as it was, and never by a smaller one; then it is given up in so many words.
async fn comes_back(tier: &ControlPlane) -> Outcome {
    let before = uid(tier).await?;
    // Admission does not see what was named before; whoever serves it does.
    tier.cluster.applied(&[with(json!([elsewhere(), volume("1Gi")]))]).await?;
    let words = ["False", "BackupVolumeDiffers", "has 3Gi, and is never made smaller"];
    says(tier, "BackupVolumesServed", Some(&words)).await?;
    says(tier, "BackupVolumeKept", None).await?;
    tier.cluster.applied(&[with(json!([elsewhere(), volume("3Gi")]))]).await?;
    says(tier, "BackupVolumesServed", None).await?;
    is_made(tier).await?;
    ensure_eq!(uid(tier).await?, before, "the claim that is served again");

    tier.cluster.applied(&[with(json!([elsewhere()]))]).await?;
    says(tier, "BackupVolumeKept", Some(&["True"])).await?;
    let given_up = "commonscloud.coop/allow-deletion=true";
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["annotate", "persistentvolumeclaim", SERVER, "-n", NAMESPACE, given_up]).await?;
    kubectl.ok(&DELETE).await?;
    says(tier, "BackupVolumeKept", None).await
}
