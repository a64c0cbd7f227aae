//! Somebody is invited, accepts, enters, and is removed; a guest's date passes; somebody leaves by themselves.

use std::sync::Arc;

use commonscloud_e2e::audit::Request;
use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::namespaced;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, gone};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use jiff::{Timestamp, ToSpan as _};
use kube::api::PostParams;
use serde_json::{Value, json};

use super::{
    COLLECTIVE, SEEN, SITE, accepts, access, api, belongs, bound, collective, id_of, managed, may, patched, seen,
    signing_in, told, told_once, user,
};
use crate::tier::ControlPlane;

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("whoever is removed from a collective leaves every service first, and it is told", removed)
            .apart(),
        Scenario::new("a guest whose date has passed enters no more, and it is told", guest).apart(),
        Scenario::new("a member leaves by themselves, and the last manager is told whom to ask", leaves).apart(),
    ]
}

const BERTA: &str = "bertaberta01";
const CARLA: &str = "carlacarla01";

/// The place of the last write of a kind itself, of those that were made.
fn last(writes: &[Request], resource: &str) -> Outcome<usize> {
    let is_it = |write: &Request| write.object_ref.resource == resource && write.object_ref.subresource.is_empty();
    writes.iter().rposition(is_it).ok_or_else(|| Failure::new(format!("no write of {resource}")))
}

async fn removed(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let name = "people-removed";
    tier.running(&managed(name)).await?;
    signing_in(&tier, async || {
        let by = tier.cluster.user().await?;
        collective(&tier, name, "it is there", |_| true).await?;
        belongs(&tier, name, BERTA, "berta").await?;
        let (invited, accepted) =
            (told_once(&tier, name, BERTA, "Invited").await?, told_once(&tier, name, BERTA, "Accepted").await?);
        ensure_eq!(invited["by"], json!(by), "who invited");
        ensure_eq!(accepted["by"], json!(user("berta")), "who accepted");
        may(&tier, name, &user("berta"), &["create", "leaverequests.commonscloud.coop"], true).await?;
        ensure_eq!(bound(&tier, name, &user("berta")).await?, ["commonscloud-member"], "belonging gives no access");
        enters_and_manages(&tier, name, &by).await?;
        let mark = tier.cluster.audit.mark()?;
        let removal = json!({"spec": {"members": {BERTA: {"removed": {"by": by}}}}});
        patched(&tier, "Collective", name, COLLECTIVE, &removal).await?;
        collective(&tier, name, "she is gone", |seen| seen["spec"]["members"][BERTA].is_null()).await?;
        ensure_eq!(bound(&tier, name, &user("berta")).await?, Vec::<String>::new(), "who was removed");
        let writes: Vec<Request> =
            tier.cluster.audit.writes(mark, USER)?.into_iter().filter(|write| write.is_about(name)).collect();
        let order = ["rolebindings", "accesses", "collectives"].map(|resource| last(&writes, resource));
        let order = order.into_iter().collect::<Outcome<Vec<usize>>>()?;
        let shown: Vec<String> = writes.iter().map(Request::shown).collect();
        ensure!(order.is_sorted(), "rights, then access, then belonging: {}", shown.join("\n"));
        for (change, service) in [("Dismissed", json!(SITE)), ("Removed", Value::Null)] {
            let entry = told_once(&tier, name, BERTA, change).await?;
            ensure!(entry["by"] == by && entry["service"] == service && entry["at"].is_string(), "{entry}");
        }
        let all = json!(told(&tier, name).await?).to_string();
        ensure!(!all.contains("berta@"), "a mail address is told: {all}");
        may(&tier, name, &user("berta"), &["create", "leaverequests.commonscloud.coop"], false).await
    })
    .await
}

async fn enters_and_manages(tier: &ControlPlane, name: &str, by: &str) -> Outcome {
    let entry = |role: &str| json!({"spec": {"people": {BERTA: {"role": role, "by": by}}}});
    patched(tier, "Access", name, SITE, &entry("User")).await?;
    access(tier, name, "she enters", |seen| {
        seen["spec"]["people"][BERTA]["since"].is_string() && seen["status"]["users"] == 1
    })
    .await?;
    told_once(tier, name, BERTA, "Admitted").await?;
    patched(tier, "Access", name, SITE, &entry("Manager")).await?;
    access(tier, name, "she manages", |seen| seen["status"]["managers"] == 2).await?;
    told_once(tier, name, BERTA, "Appointed").await?;
    let site = format!("accesses.commonscloud.coop/{SITE}");
    may(tier, name, &user("berta"), &["admit", site.as_str()], true).await?;
    for question in [&["appoint", site.as_str()][..], &["get", "collectives.commonscloud.coop/collective"][..]] {
        may(tier, name, &user("berta"), question, false).await?;
    }
    may(tier, name, &user("berta"), &["get", "dedicatedservices.commonscloud.coop"], true).await
}

async fn guest(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let name = "people-guest";
    tier.running(&managed(name)).await?;
    signing_in(&tier, async || {
        let by = tier.cluster.user().await?;
        access(&tier, name, "it is there", |_| true).await?;
        let until = Timestamp::now().checked_add(10.seconds())?.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let guest = json!({"displayName": "Gast <b>\u{e9}</b>", "mail": "gast@people.example"});
        let entry = json!({"by": by, "until": until, "guest": guest});
        patched(&tier, "Access", name, SITE, &json!({"spec": {"people": {"guestguest01": entry}}})).await?;
        access(&tier, name, "a guest enters", |seen| seen["status"]["guests"] == 1).await?;
        access(&tier, name, "the date has passed", |seen| seen["spec"]["people"]["guestguest01"].is_null()).await?;
        let dismissed = told_once(&tier, name, "guestguest01", "Dismissed").await?;
        ensure_eq!(dismissed["by"], json!(USER), "nobody but the date");
        ensure_eq!(dismissed["displayName"], json!("Gast <b>\u{e9}</b>"), "as it was written");
        let collective = seen(&tier, "Collective", name, COLLECTIVE).await?;
        ensure!(collective["spec"]["members"]["guestguest01"].is_null(), "a guest belongs: {}", collective["spec"]);
        Ok(())
    })
    .await
}

/// Asks to leave as somebody, with nothing but the right that belonging gives.
async fn asks_to_leave(tier: &ControlPlane, namespace: &str, name: &str) -> Outcome {
    may(tier, namespace, &user(name), &["create", "leaverequests.commonscloud.coop"], true).await?;
    let client = tier.cluster.impersonate(&user(name), &[]).await?;
    let request = namespaced("LeaveRequest", namespace, name, json!({"user": user(name)}));
    let requests = resources::ours_in(&client, "LeaveRequest", namespace);
    requests.create(&PostParams::default(), &serde_json::from_value(request)?).await?;
    Ok(())
}

async fn leaves(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let name = "people-leave";
    tier.running(&managed(name)).await?;
    signing_in(&tier, async || {
        let by = tier.cluster.user().await?;
        let seeded = collective(&tier, name, "it is there", |_| true).await?;
        let anna = id_of(&seeded, "anna")?;
        accepts(&tier, name, &anna, "anna").await?;
        belongs(&tier, name, BERTA, "berta").await?;
        let requests = api(&tier, "LeaveRequest", name);
        asks_to_leave(&tier, name, "berta").await?;
        collective(&tier, name, "berta left", |seen| seen["spec"]["members"][BERTA].is_null()).await?;
        gone(&requests, "berta", SEEN).await?;
        let left = told_once(&tier, name, BERTA, "Removed").await?;
        ensure_eq!(left["by"], json!(user("berta")), "who removed her");
        asks_to_leave(&tier, name, "anna").await?;
        eventually("the last manager is told whom to ask", SEEN, async || {
            let request = seen(&tier, "LeaveRequest", name, "anna").await?;
            let ready = condition(&request, "Ready").cloned().unwrap_or_default();
            let message = ready["message"].as_str().unwrap_or_default();
            ensure!(ready["status"] == "False" && ready["reason"] == "LastManager", "{}", conditions(&request));
            ensure!(message.contains("name another one first") && message.contains("DevOps"), "{message}");
            Ok(())
        })
        .await?;
        belongs(&tier, name, CARLA, "carla").await?;
        let another = json!({"spec": {"managers": {CARLA: {"by": by}}}});
        patched(&tier, "Collective", name, COLLECTIVE, &another).await?;
        collective(&tier, name, "anna left", |seen| seen["spec"]["members"][&anna].is_null()).await?;
        gone(&requests, "anna", SEEN).await?;
        told_once(&tier, name, &anna, "UnmadeManager").await.map(drop)
    })
    .await
}
