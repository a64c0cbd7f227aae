//! What others do to an Entity's objects is undone, from the watch event: per kind of child.
//!
//! The kinds are those that the operator writes, the objects those that are there: a kind without a
//! row, a row without an object and an object without a row each fail.

mod finalizers;
mod rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::allowance::{AT_REST, REPAIRING};
use commonscloud_e2e::audit::{Mark, Request};
use commonscloud_e2e::chart::USER;
use commonscloud_e2e::everything::{self, EVERYTHING};
use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::objects::{Kinds, comparable, differences};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure};
use commonscloud_operator::api::marks;
use commonscloud_operator::kinds;
use futures::future::join_all;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};
use rows::{Ends, Fault, NO_CHILDREN, Row, rows};

/// Repairs come from watch events, never from a resync. A service that was deleted leaves first.
const REPAIR: Duration = Duration::from_secs(30);
/// How long nothing is asked for before the operator counts as at rest.
const REST: Duration = Duration::from_secs(2);
/// The instance whose children are struck: it has one of every kind.
const SITE: &str = "site";

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a child of any kind that is edited, unlabelled, added to or deleted is set right, or the fault refused",
            every_kind,
        ),
        Scenario::new("a finalizer that somebody takes off an entity or its service is put back", finalizers::put_back),
    ]
}

/// The most refused writes about one object of those that all services repair at once: a cache that lags loses again.
const LOST_RACES: usize = 20;

type Objects = BTreeMap<String, Value>;

/// One child, and what is done to it.
struct Hit<'a> {
    key: &'a str,
    kind: &'a str,
    name: String,
    patch: Option<Value>,
    ends: Ends,
}

async fn every_kind(tier: Arc<ControlPlane>) -> Outcome {
    let name = "drift";
    let tiered = json!({"tier": "1gb"});
    let others = json!([
        {"name": SITE, "template": EVERYTHING, "tier": "1gb"},
        {"name": "spare", "template": "radicale", "tier": "1gb"},
    ]);
    let mut manifest = entity(name, json!({"office": tiered, "agora": tiered, "projects": tiered, "others": others}));
    manifest["spec"]["managers"] = json!([{"name": "m", "subject": {"kind": "User", "name": "manager-of-drift"}}]);
    tier.cluster.applied(&[json!(everything::package()?)]).await?;
    tier.running(&manifest).await?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let rows = rows();
    let mut wrong = uncovered(&rows, &children(&tier.cluster.client, &kinds, name).await?);
    for fault in Fault::ALL {
        let lines = batch(&tier, &kinds, &rows, name, fault).await?;
        wrong.extend(lines.into_iter().map(|line| format!("{fault:?}: {line}")));
    }
    ensure!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
    ready(&tier.entities(), name, READY).await.map(drop)
}

/// Everything in the namespace, itself and the Jobs included. A Job's pods are told by its uid.
async fn children(client: &Client, kinds: &Kinds, namespace: &str) -> Outcome<Objects> {
    let mut objects = kinds.all(client, namespace).await?;
    let itself: Api<Namespace> = Api::all(client.clone());
    let mut itself = serde_json::to_value(itself.get(namespace).await?)?;
    itself["kind"] = json!("Namespace");
    objects.insert(format!("Namespace/{namespace}"), itself);
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let rendered = ListParams::default().labels(&format!("{}={SITE}", marks::INSTANCE));
    for job in jobs.list(&rendered).await? {
        if job.owner_references().iter().any(|owner| owner.kind == "CronJob") {
            continue;
        }
        let text = serde_json::to_string(&job)?.replace(&job.uid().unwrap_or_default(), "UID");
        let mut value: Value = serde_json::from_str(&text)?;
        value["kind"] = json!("Job");
        if let Some(labels) = value["metadata"]["labels"].as_object_mut() {
            // The API server fills in those of the pods where there are none at all.
            labels.retain(|label, _| !label.ends_with("job-name") && !label.ends_with("controller-uid"));
        }
        value["metadata"]["uid"] = json!(job.uid());
        objects.insert(format!("Job/{}", job.name_any()), value);
    }
    Ok(objects)
}

/// The children that are struck: of the Entity, and of one of its instances. That instance itself is
/// not, since its children would go with it.
fn targets(objects: &Objects) -> impl Iterator<Item = (&String, &Value)> {
    objects.iter().filter(|(key, object)| {
        let labels = &object["metadata"]["labels"];
        let of_other = labels[marks::INSTANCE].as_str().is_some_and(|instance| instance != SITE);
        labels[marks::MANAGED_BY] == marks::OPERATOR && !of_other && *key != &format!("DedicatedService/{SITE}")
    })
}

/// Kinds without a row, rows without an object, objects without a row.
fn uncovered(rows: &[Row], objects: &Objects) -> Vec<String> {
    let known = |kind: &str| rows.iter().any(|row| row.kind == kind) || NO_CHILDREN.iter().any(|(no, _)| *no == kind);
    let written = kinds::written().filter(|kind| !known(kind.kind));
    let mut lines: Vec<String> = written.map(|kind| format!("no row for the kind {}", kind.kind)).collect();
    let empty = rows.iter().filter(|row| !targets(objects).any(|(_, object)| row.is_about(object)));
    lines.extend(empty.map(|row| format!("no child of the kind {}", row.kind)));
    let stray = targets(objects).filter(|(_, object)| !rows.iter().any(|row| row.is_about(object)));
    lines.extend(stray.map(|(key, _)| format!("no row for {key}")));
    lines
}

/// The same fault on every child at once, then one wait for all. What is wrong, a line each.
async fn batch(
    tier: &ControlPlane,
    kinds: &Kinds,
    rows: &[Row],
    namespace: &str,
    fault: Fault,
) -> Outcome<Vec<String>> {
    let client = &tier.cluster.client;
    let before = children(client, kinds, namespace).await?;
    let mark = tier.cluster.audit.mark()?;
    let hits: Vec<Hit> = targets(&before).filter_map(|(key, object)| hit(rows, key, object, fault)).collect();
    let answers = join_all(hits.iter().map(|hit| strike(client, namespace, hit))).await;
    let mut wrong: Vec<String> = hits.iter().zip(answers).filter_map(|(hit, answer)| misjudged(hit, answer)).collect();
    let undone = eventually("all is as it was", REPAIR, async || {
        let lines = left(&hits, &before, &children(client, kinds, namespace).await?, namespace)?;
        ensure!(lines.is_empty(), "\n{}", lines.join("\n"));
        Ok(())
    });
    wrong.extend(undone.await.err().map(|failure| failure.to_string()));
    wrong.extend(at_rest(tier, namespace).await.err().map(|failure| failure.to_string()));
    wrong.extend(written_too_often(tier, mark, namespace, &hits)?);
    Ok(wrong)
}

fn hit<'a>(rows: &[Row], key: &'a str, object: &'a Value, fault: Fault) -> Option<Hit<'a>> {
    let row = rows.iter().find(|row| row.is_about(object))?;
    let (patch, ends) = row.case(fault, object);
    let name = object["metadata"]["name"].as_str()?.to_owned();
    Some(Hit { key, kind: object["kind"].as_str()?, name, patch, ends })
}

async fn strike(client: &Client, namespace: &str, hit: &Hit<'_>) -> Outcome {
    let resource = kinds::resource(hit.kind).ok_or_else(|| Failure::new(format!("no kind {}", hit.kind)))?;
    let api: Api<DynamicObject> = if hit.kind == kinds::NAMESPACE.kind {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    match &hit.patch {
        None => api.delete(&hit.name, &DeleteParams::background()).await.map(drop)?,
        Some(operations) => {
            let patch: Patch<Value> = Patch::Json(serde_json::from_value(operations.clone())?);
            let params = PatchParams { field_manager: Some("somebody".to_owned()), ..PatchParams::default() };
            api.patch(&hit.name, &params, &patch).await.map(drop)?;
        }
    }
    Ok(())
}

/// The API server's answer is not the one of the table.
fn misjudged(hit: &Hit<'_>, answer: Outcome) -> Option<String> {
    match (hit.ends, answer) {
        (Ends::Refused(words), Err(failure)) if failure.to_string().contains(words) => None,
        (Ends::Refused(words), Err(failure)) => Some(format!("{}: refused without {words:?}: {failure}", hit.key)),
        (Ends::Refused(_), Ok(())) => Some(format!("{}: not refused", hit.key)),
        (_, Err(failure)) => Some(format!("{}: {failure}", hit.key)),
        (_, Ok(())) => None,
    }
}

/// What is not as it was, or was never touched.
fn left(hits: &[Hit<'_>], before: &Objects, now: &Objects, namespace: &str) -> Outcome<Vec<String>> {
    let stays = |key: &String| hits.iter().any(|hit| hit.key == key && hit.ends == Ends::Stays);
    let kept = |objects: &Objects| -> Objects {
        objects.iter().filter(|(key, _)| !stays(key)).map(|(key, object)| (key.clone(), object.clone())).collect()
    };
    let mut lines = differences(&comparable(&kept(before), namespace)?, &comparable(&kept(now), namespace)?);
    for hit in hits.iter().filter(|hit| matches!(hit.ends, Ends::Undone(_))) {
        let field = if hit.patch.is_some() { "resourceVersion" } else { "uid" };
        let of = |objects: &Objects| objects.get(hit.key).map(|object| object["metadata"][field].clone());
        if of(before) == of(now) {
            lines.push(format!("{}: the same {field} as before", hit.key));
        }
    }
    // Comparable Secrets have lengths only.
    let secrets = before.iter().filter(|(key, _)| key.starts_with("Secret/"));
    let other = secrets.filter(|(key, old)| now.get(*key).is_some_and(|new| new["data"] != old["data"]));
    lines.extend(other.map(|(key, _)| format!("{key}: other data")));
    Ok(lines)
}

/// Waits until the operator asks for nothing about the Entity any more.
async fn at_rest(tier: &ControlPlane, namespace: &str) -> Outcome {
    let concerned = |request: &Request| request.is_about(namespace);
    tier.cluster.audit.at_rest(USER, REST, REPAIR, &AT_REST, concerned).await
}

/// Repairs that took more writes than they need, taken or refused, none at all, or that nobody asked
/// for; and what was read for them.
fn written_too_often(tier: &ControlPlane, mark: Mark, namespace: &str, hits: &[Hit<'_>]) -> Outcome<Vec<String>> {
    let requests = tier.cluster.audit.requests(mark, USER)?.only(|request| request.is_about(namespace));
    // A service that was deleted leaves first, and what destroys is preceded by a live read.
    let leaves = hits.iter().any(|hit| hit.patch.is_none());
    let mut lines: Vec<String> = requests.only(|request| request.is_read() && !leaves).beyond(&REPAIRING);
    let writes = requests.only(Request::is_write).all;
    for hit in hits {
        let plural = kinds::resource(hit.kind).map(|resource| resource.plural).unwrap_or_default();
        let about = writes.iter().filter(|write| {
            let object = &write.object_ref;
            let here = object.namespace == namespace || hit.kind == kinds::NAMESPACE.kind;
            here && object.resource == plural && object.name == hit.name && object.subresource.is_empty()
        });
        let (taken, refused): (Vec<&Request>, Vec<&Request>) = about.partition(|write| write.succeeded());
        // Services that share a copy race for it, and what lost a race was written to another version.
        if refused.len() > LOST_RACES {
            lines.push(format!("{}: {} writes were refused, at most {LOST_RACES}", hit.key, refused.len()));
        }
        let verbs: Vec<&str> = taken.iter().map(|write| write.verb.as_str()).collect();
        let allowed = match hit.ends {
            Ends::Undone(most) => 1..=most,
            Ends::Refused(_) | Ends::Stays | Ends::Nothing => 0..=0,
        };
        if !allowed.contains(&verbs.len()) {
            lines.push(format!("{}: {} writes {verbs:?}, allowed {allowed:?}", hit.key, verbs.len()));
        }
    }
    Ok(lines)
}
