//! What is made where the Platform has people sign in, and what is not where it has not.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::allowance::AT_REST;
use commonscloud_e2e::chart::USER;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use super::{COLLECTIVE, SEEN, SITE, accepts, access, bound, collective, id_of, managed, may, seen, signing_in, user};
use crate::tier::ControlPlane;
use crate::unreadable::{loosened, restored};

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a platform with identity has a collective made for each entity and an access for each service",
            made,
        )
        .apart(),
        Scenario::new(
            "a collective that cannot be read is named on itself, and its people keep their rights",
            unreadable,
        )
        .apart(),
    ]
}

const NAME: &str = "people-made";

async fn made(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    tier.running(&managed(NAME)).await?;
    let nothing = nothing_of_people(&tier).await?;
    ensure!(nothing.trim().is_empty(), "made without identity: {nothing}");
    signing_in(&tier, async || with_identity(&tier).await).await?;
    eventually("without identity the rights go", SEEN, async || {
        let roles = tier.cluster.kubectl.ok(&["get", "roles", "-n", NAME, "-o", "name"]).await?;
        ensure!(!roles.contains("commonscloud-collective"), "{roles}");
        let collective = seen(&tier, "Collective", NAME, COLLECTIVE).await?;
        let ready = condition(&collective, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == "IdentityNotSet", "{}", conditions(&collective));
        Ok(())
    })
    .await
}

async fn nothing_of_people(tier: &ControlPlane) -> Outcome<String> {
    let kinds = "collectives,accesses,accesshistories,leaverequests,roles";
    tier.cluster.kubectl.ok(&["get", kinds, "-n", NAME, "-o", "name"]).await
}

async fn with_identity(tier: &ControlPlane) -> Outcome {
    let seeded = collective(tier, NAME, "it has its managers", |seen| {
        seen["spec"]["members"].as_object().is_some_and(|members| members.len() == 2)
    })
    .await?;
    let (anna, pere) = (id_of(&seeded, "anna")?, id_of(&seeded, "pere")?);
    ensure!(seeded["spec"]["managers"][&anna]["by"] == USER, "{}", seeded["spec"]);
    ensure!(seeded["spec"]["managers"][&pere].is_null(), "a service's manager: {}", seeded["spec"]);
    ensure_eq!(seeded["status"]["seeded"], json!(["anna"]), "who was taken in");
    ensure_eq!(seeded["status"]["people"][&anna]["state"], json!("Pending"), "nobody sends invitations");
    let entered =
        access(tier, NAME, "its manager manages it", |seen| seen["spec"]["people"][&pere]["role"] == "Manager");
    let entered = entered.await?;
    let members = json!({anna.as_str(): "anna", pere.as_str(): "pere"});
    ensure_eq!(entered["status"]["members"], members, "whom its managers can let in");
    ensure!(!entered.to_string().contains("@people-made"), "a mail address in an Access: {entered}");
    rights_of_the_named(tier).await?;
    at_rest(tier).await?;
    rights_are_set_right(tier).await?;
    differences_are_told(tier).await
}

/// The Entity's own manager, who is known to the cluster by its list.
async fn rights_of_the_named(tier: &ControlPlane) -> Outcome {
    let eva = format!("eva-of-{NAME}");
    let (one, another) = (format!("accesses.commonscloud.coop/{SITE}"), "accesses.commonscloud.coop/another");
    for (question, expected) in [
        (["patch", "collectives.commonscloud.coop/collective"], true),
        (["appoint", one.as_str()], true),
        (["admit", one.as_str()], false),
        (["patch", one.as_str()], true),
        (["patch", another], false),
        (["list", "accesshistories.commonscloud.coop"], true),
        (["patch", "accesshistories.commonscloud.coop/2026-12"], false),
        (["list", "collectives.commonscloud.coop"], false),
        (["list", "accesses.commonscloud.coop"], false),
        (["create", "accesses.commonscloud.coop"], false),
        (["delete", "collectives.commonscloud.coop/collective"], false),
    ] {
        may(tier, NAME, &eva, &question, expected).await?;
    }
    may(tier, "default", &eva, &["get", "collectives.commonscloud.coop/collective"], false).await
}

async fn at_rest(tier: &ControlPlane) -> Outcome {
    let (quiet, limit) = (Duration::from_secs(5), Duration::from_mins(1));
    tier.cluster.audit.at_rest(USER, quiet, limit, &AT_REST, |request| request.is_about(NAME)).await
}

async fn rights_are_set_right(tier: &ControlPlane) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    let eve = json!([{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}]).to_string();
    let role = "commonscloud-collective";
    kubectl.ok(&["patch", "role", role, "-n", NAME, "--type", "json", "-p", &eve]).await?;
    kubectl.ok(&["delete", "rolebinding", role, "-n", NAME]).await?;
    eventually("role and binding are as they were", SEEN, async || {
        let role = kubectl.ok(&["get", "role", role, "-n", NAME, "-o", "json"]).await?;
        let role: Value = serde_json::from_str(&role)?;
        ensure!(!role["rules"][0]["verbs"].to_string().contains("delete"), "{}", role["rules"]);
        let bound = bound(tier, NAME, &format!("eva-of-{NAME}")).await?;
        ensure!(bound.iter().any(|name| name == "commonscloud-collective"), "{bound:?}");
        Ok(())
    })
    .await
}

/// What the Entity names later is told, and changes nothing.
async fn differences_are_told(tier: &ControlPlane) -> Outcome {
    let mut entity = managed(NAME);
    entity["spec"]["managers"] = json!([{"name": "joan", "mail": "joan@people-made.example"}]);
    tier.cluster.applied(&[entity]).await?;
    let differs = |seen: &Value| {
        let said = condition(seen, "ManagersAsNamed").cloned().unwrap_or_default();
        let message = said["message"].as_str().unwrap_or_default();
        said["status"] == "False" && message.contains("joan") && message.contains("anna")
    };
    let seen = collective(tier, NAME, "it says who differs", differs).await?;
    ensure!(seen["spec"]["members"].as_object().is_some_and(|members| members.len() == 2), "{}", seen["spec"]);
    tier.cluster.applied(&[managed(NAME)]).await?;
    collective(tier, NAME, "nobody differs", |seen| condition(seen, "ManagersAsNamed").is_none()).await.map(drop)
}

const UNREADABLE: &str = "people-unreadable";

async fn unreadable(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    tier.running(&managed(UNREADABLE)).await?;
    signing_in(&tier, async || {
        let seeded = collective(&tier, UNREADABLE, "it is there", |_| true).await?;
        accepts(&tier, UNREADABLE, &id_of(&seeded, "anna")?, "anna").await?;
        let schema = loosened(&tier, "collectives").await?;
        let ended = while_it_cannot_be_read(&tier, &seeded).await;
        restored(&tier, &schema).await?;
        ended
    })
    .await
}

async fn while_it_cannot_be_read(tier: &ControlPlane, seeded: &Value) -> Outcome {
    let anna = id_of(seeded, "anna")?;
    let poison = |name: Value| json!({"spec": {"members": {anna.as_str(): {"displayName": name}}}});
    let write = async |name: Value| -> Outcome {
        // As a newer release of the operator would: people are held by policies.
        let operator = tier.cluster.impersonate(USER, &[]).await?;
        let api = commonscloud_e2e::resources::ours_in(&operator, "Collective", UNREADABLE);
        let patch = kube::api::Patch::Merge(poison(name));
        api.patch(COLLECTIVE, &kube::api::PatchParams::default(), &patch).await?;
        Ok(())
    };
    eventually("the API server knows the loosened schema", SEEN, async || write(json!({"ca": "Anna"})).await).await?;
    eventually("it says that it cannot be read", SEEN, async || {
        let collective = seen(tier, "Collective", UNREADABLE, COLLECTIVE).await?;
        let ready = condition(&collective, "Ready").cloned().unwrap_or_default();
        ensure!(ready["reason"] == "Undecodable", "{}", conditions(&collective));
        Ok(())
    })
    .await?;
    // The service beside it is repaired, and whoever manages keeps the right.
    tier.cluster.kubectl.ok(&["delete", "service", "-n", UNREADABLE, "--all"]).await?;
    eventually("the service beside it is repaired", SEEN, async || {
        let services = tier.cluster.kubectl.ok(&["get", "service", "-n", UNREADABLE, "-o", "name"]).await?;
        ensure!(!services.trim().is_empty(), "none");
        Ok(())
    })
    .await?;
    let bound = bound(tier, UNREADABLE, &user("anna")).await?;
    ensure!(bound.iter().any(|name| name == "commonscloud-collective"), "{bound:?}");
    write(json!("anna")).await?;
    collective(tier, UNREADABLE, "it is read again", |seen| condition(seen, "Stalled").is_none()).await.map(drop)
}
