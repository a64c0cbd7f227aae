//! What a run of a backup and a restore may not be, who may not say how far one is, and who may not delete one.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use commonscloud_operator::api::marks;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::table::{Row, Table, hold, row};
use super::watch::Running;
use crate::tier::{ControlPlane, READY};

const NAME: &str = "refused-backups";
const MANAGER: &str = "manager-of-refused-backups";
/// Within this the operator would have begun a run.
const LEFT_ALONE: Duration = Duration::from_secs(3);

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a backup or restore in another's name, or the operator's own, is refused by every door",
            refused,
        ),
        Scenario::new("managers ask for backups in their own name, and a service's managers for none", asked),
        Scenario::new("the record of a snapshot is not deleted by hand, nor its status written", kept),
        Scenario::new("a run that is brought back is given its status once, and is not made again", brought_back),
    ]
}

/// The Entity, with a manager of its own and a group of managers of its service.
fn of_managers() -> Value {
    let manager = |kind: &str, subject: &str| json!([{"name": "m", "subject": {"kind": kind, "name": subject}}]);
    let site = json!({"name": "site", "template": "radicale", "tier": "1gb", "managers": manager("Group", "of-site")});
    let mut entity = entity(NAME, json!({"others": [site]}));
    entity["spec"]["managers"] = manager("User", MANAGER);
    entity
}

fn backup(name: &str, by: &str) -> Value {
    namespaced("ServiceBackup", NAME, name, json!({"service": "site", "requestedBy": by}))
}

fn restore(name: &str, by: &str) -> Value {
    namespaced("ServiceRestore", NAME, name, json!({"from": {"service": "site"}, "requestedBy": by}))
}

fn consent(name: &str, by: &str) -> Value {
    let spec = json!({
        "service": "site", "snapshot": "a".repeat(64), "entity": "other", "until": "2099-01-01T00:00:00Z",
        "requestedBy": by,
    });
    namespaced("RestoreConsent", NAME, name, spec)
}

/// Who the scenarios are to the API server.
async fn administrator(tier: &ControlPlane) -> Outcome<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(tier.cluster.client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let name = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    name.ok_or_else(|| Failure::new("SelfSubjectReview names nobody"))
}

async fn refused(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&of_managers()).await?;
    let me = administrator(&tier).await?;
    let foreign: &[_] = &["spec.requestedBy: is who asks for it; write ", "the name by which the API server knows you"];
    let nobody: &[_] = &["metadata.namespace: kube-public belongs to no Entity"];
    let own: &[_] = &["is said by the operator alone; write Requested, or leave it out"];
    let drill: &[_] = &["spec.into.kind: Drill is made by the operator alone; write InPlace or NewService"];
    let annotation: &[_] = &["metadata.annotations: commonscloud.coop/allow-deletion"];
    let by = |says| row("another's name", "/spec/requestedBy", json!("somebody-else"), json!(me), says);
    let of = |says| row("namespace of no Entity", "/metadata/namespace", json!("kube-public"), json!(NAME), says);
    let new = |rows: Vec<Row>| rows.into_iter().map(Row::of_new).collect();
    let marked = json!({"commonscloud.coop/allow-deletion": "true"});
    let reason = "/spec/reason";
    let of_backup = vec![
        by(foreign),
        of(nobody),
        row("a scheduled run", reason, json!("Scheduled"), json!("Requested"), own),
        row("a run before a restore", reason, json!("BeforeRestore"), Value::Null, own),
        row("one that may be deleted from the beginning", "/metadata/annotations", marked, Value::Null, annotation),
    ];
    let into = |kind: &str| json!({"kind": kind});
    let of_restore = vec![by(foreign), of(nobody), row("a drill", "/spec/into", into("Drill"), into("InPlace"), drill)];
    let itself: &[_] = &["spec.entity: refused-backups needs no consent to what is its own"];
    let of_consent =
        vec![by(foreign), of(nobody), row("a consent to itself", "/spec/entity", json!(NAME), json!("other"), itself)];
    let tables = [
        Table { base: consent("consent", &me), rows: new(of_consent) },
        Table { base: backup("run", &me), rows: new(of_backup) },
        Table { base: restore("restore", &me), rows: new(of_restore) },
    ];
    hold(&tier, &tables, vec![Running::Children(NAME.to_owned(), "site".to_owned())]).await?;
    let message = tier.cluster.kubectl.refused(&backup("run", "somebody-else")).await?;
    ensure!(message.contains(&format!("write {me}, ")), "the refusal does not say which name: {message}");
    // Somebody pastes the wrong half of the Entity's key: nobody reads it in a log because of us.
    let private = format!("AGE-SECRET-KEY-1{}", "Q".repeat(58));
    let mut pasted = backup("run", &me);
    pasted["spec"]["format"] = json!("Exit");
    let message = tier.cluster.kubectl.refused(&pasted).await?;
    ensure!(message.contains("recipient: set it exactly where format is Exit"), "{message}");
    pasted["spec"]["recipient"] = json!(private);
    let message = tier.cluster.kubectl.apply(std::slice::from_ref(&pasted)).await?.refused("a private key")?;
    ensure!(message.contains("spec.recipient") && !message.contains(&private), "{message}");
    Ok(())
}

async fn asked(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&of_managers()).await?;
    let manager: &[&str] = &["--as", MANAGER];
    let of_site: &[&str] = &["--as", "somebody", "--as-group", "of-site"];
    for (whom, name, may) in [(manager, MANAGER, true), (of_site, "somebody", false)] {
        for object in [backup("of-a-manager", name), restore("of-a-manager", name), consent("of-a-manager", name)] {
            let words = [&["create", "--dry-run=server", "-f", "-"][..], whom].concat();
            let finished = tier.cluster.kubectl.run(&words, Some(object.to_string().as_bytes())).await?;
            let forbidden = finished.stderr.contains("cannot create resource");
            ensure!(finished.success == may && forbidden != may, "{whom:?} {object}: {}", finished.stderr);
        }
    }
    let theirs = backup("of-another", "somebody-else").to_string();
    let words = [&["create", "--dry-run=server", "-f", "-"][..], manager].concat();
    let message = tier.cluster.kubectl.run(&words, Some(theirs.as_bytes())).await?.refused("another's name")?;
    ensure!(message.contains(&format!("write {MANAGER}, ")), "{message}");
    // What comes back as it was says who asked for it then; only who may bring all back may say so.
    let mut back = backup("come-back", "somebody-else");
    back["metadata"]["annotations"] = json!({marks::RECOVERED: "a-former-uid"});
    back["spec"]["reason"] = json!("Scheduled");
    let back = back.to_string();
    let create = ["create", "--dry-run=server", "-f", "-"];
    let message = tier.cluster.kubectl.run(&words, Some(back.as_bytes())).await?.refused("a run that came back")?;
    ensure!(message.contains("for whoever has the verb recover"), "{message}");
    tier.cluster.kubectl.run(&create, Some(back.as_bytes())).await?.succeeded("a run that came back").map(drop)?;
    // A snapshot that no run recorded is named by who may import alone.
    for (by, who, may) in [(MANAGER, &words[..], false), (&*administrator(&tier).await?, &create[..], true)] {
        let mut imported = restore("imported", by);
        imported["spec"]["from"]["snapshot"] = json!("0123456789abcdef".repeat(4));
        imported["spec"]["from"]["importedTo"] = json!("offsite");
        let finished = tier.cluster.kubectl.run(who, Some(imported.to_string().as_bytes())).await?;
        let told = finished.stderr.contains("for whoever has the verb import");
        ensure!(finished.success == may && told != may, "{by}: {}", finished.stderr);
    }
    Ok(())
}

/// As `commonscloud recover` does it. The API server shows a status before there is one.
async fn brought_back(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&of_managers()).await?;
    let (name, kubectl) = ("brought-back", &tier.cluster.kubectl);
    let mut run = backup(name, "somebody-else");
    run["metadata"]["annotations"] = json!({marks::RECOVERED: "a-former-uid"});
    run["spec"]["reason"] = json!("Scheduled");
    tier.cluster.applied(&[run]).await?;
    let runs = resources::ours_in(&tier.cluster.client, "ServiceBackup", NAME);
    tokio::time::sleep(LEFT_ALONE).await;
    let phase = runs.get(name).await?.data["status"]["phase"].clone();
    ensure!(phase.is_null(), "the operator began it: {phase}");
    let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "",
        "lastTransitionTime": "2026-11-30T00:00:00Z"});
    let status = |snapshot: &str| {
        let said = json!({"phase": "Succeeded", "snapshot": snapshot.repeat(4), "conditions": [ready]});
        json!({"status": said}).to_string()
    };
    let patch = ["patch", "servicebackup", name, "-n", NAME, "--subresource=status", "--type=merge", "-p"];
    let (own, another) = (status("0123456789abcdef"), status("fedcba9876543210"));
    kubectl.ok(&[&patch[..], &[own.as_str()]].concat()).await?;
    let message = kubectl.run(&[&patch[..], &[another.as_str()]].concat(), None).await?.refused("another status")?;
    ensure!(message.contains("is written by the operator"), "{message}");
    kubectl.ok(&["annotate", "servicebackup", name, "-n", NAME, "commonscloud.coop/allow-deletion=true"]).await?;
    kubectl.ok(&["delete", "servicebackup", name, "-n", NAME, "--wait=false"]).await.map(drop)
}

async fn kept(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&of_managers()).await?;
    let (name, me) = ("kept", administrator(&tier).await?);
    let kubectl = &tier.cluster.kubectl;
    tier.cluster.applied(&[backup(name, &me)]).await?;
    let snapshot = "0123456789abcdef".repeat(4);
    let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "",
        "lastTransitionTime": "2026-11-30T00:00:00Z"});
    let status = json!({"status": {"phase": "Succeeded", "snapshot": snapshot, "conditions": [ready]}});
    let by_hand = status.to_string();
    let patch = ["patch", "servicebackup", name, "-n", NAME, "--subresource=status", "--type=merge", "-p", &by_hand];
    let message = kubectl.run(&patch, None).await?.refused("a status by hand")?;
    ensure!(message.contains("status: of ServiceBackup kept is written by the operator"), "{message}");

    let delete = ["delete", "servicebackup", name, "-n", NAME, "--dry-run=server"];
    let says = format!("ServiceBackup kept is the record of snapshot {snapshot}");
    let hands: [&[&str]; 2] = [&[], &["--as", MANAGER]];
    // kubectl would read the status first, which the operator has no need to.
    let operator = resources::ours_in(&tier.cluster.impersonate(USER, &[]).await?, "ServiceBackup", NAME);
    // The operator looks at the run as well, and may report once more.
    eventually("a run with a snapshot is kept", READY, async || {
        operator.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await?;
        for whom in hands {
            let finished = kubectl.run(&[&delete[..], whom].concat(), None).await?;
            ensure!(!finished.success && finished.stderr.contains(&says), "{whom:?}: {}", finished.stderr);
        }
        kubectl.ok(&[&delete[..], &["--as", USER]].concat()).await.map(drop)
    })
    .await?;
    // What the message names lets it go.
    kubectl.ok(&["annotate", "servicebackup", name, "-n", NAME, "commonscloud.coop/allow-deletion=true"]).await?;
    kubectl.ok(&["delete", "servicebackup", name, "-n", NAME, "--wait=false"]).await.map(drop)
}
