//! An instance is deleted: the date until which its data stays is recorded, then it may go. What it
//! owns is collected; volumes, Secrets and the record are not owned. A restore that goes on holds nothing up: its
//! service is gone, so it ends, and what is kept is what the record names at that moment.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::DynamicObject;
use kube::{Resource as _, ResourceExt as _};
use serde_json::json;

use super::{Blocked, at, finalizer, of_others, outcome, unless_gone};
use crate::api::ServiceData;
use crate::apply::{ErrorKind, Target, WriteError};
use crate::cache::Key;
use crate::controller::context::Context;
use crate::controller::queue::Next;
use crate::core::lifecycle;
use crate::kinds;
use crate::report::{DeletionWait, deleted_instance};
use crate::resolve::Instance;

/// One pass over an instance that is being deleted.
///
/// # Errors
/// When its status is not taken.
pub(in crate::controller) async fn instance(
    context: &Context,
    key: &Key,
    instance: &Instance,
) -> Result<Next, WriteError> {
    let Some(since) = instance.deletion_timestamp else { return Ok(Next::Wait) };
    let ended = finalize(context, key, instance).await;
    let (verdict, next) = outcome(context, key, since, ended);
    if let Some(verdict) = verdict {
        let status = deleted_instance(instance, &verdict, context.now());
        unless_gone(context.report(key, &instance.reference.uid, Some(&instance.status), &status).await)?;
    }
    Ok(next)
}

async fn finalize(context: &Context, key: &Key, instance: &Instance) -> Result<DeletionWait, Blocked> {
    let resource = finalizer::Finalized::from(instance);
    if resource.has_ours() {
        let read = record(context, instance).await.map_err(at("the record of its data cannot be read"))?;
        if let Some(record) = read {
            keep_until(context, key, &record).await.map_err(at("the date of its data cannot be recorded"))?;
        }
        finalizer::remove(context, key, &resource).await.map_err(at("the operator's finalizer cannot be removed"))?;
    }
    Ok(of_others(&instance.finalizers))
}

/// What is needed of a record: which version of which object.
struct Record {
    name: String,
    uid: Option<String>,
    version: Option<String>,
}

/// The record of the instance's data, if it has no date yet. One that the cache does not show as
/// this instance's is read live: without its date nobody would see what is kept, and until when.
async fn record(context: &Context, instance: &Instance) -> Result<Option<Record>, WriteError> {
    let reference = &instance.reference;
    let cached = context.caches().records.get(&reference.namespace, &reference.name);
    if let Some(record) = cached.filter(|record| record.spec.owner.uid == reference.uid) {
        return Ok(undated(&record));
    }
    let target = Target { kind: kinds::SERVICE_DATA.kind, namespace: &reference.namespace, name: &reference.name };
    match context.server.get(target).await {
        Ok(found) => Ok(undated_of(&found, &reference.uid)),
        Err(error) if error.kind == ErrorKind::Missing => Ok(None),
        Err(error) => Err(error),
    }
}

fn undated(record: &ServiceData) -> Option<Record> {
    let metadata = record.meta();
    let (uid, version) = (metadata.uid.clone(), metadata.resource_version.clone());
    record.spec.keep_until.is_none().then(|| Record { name: record.name_any(), uid, version })
}

/// The same of a record as it was read: even one that another release wrote gets its date.
fn undated_of(found: &DynamicObject, owner: &str) -> Option<Record> {
    let is_ours = found.data.pointer("/spec/owner/uid").and_then(|uid| uid.as_str()) == Some(owner);
    let has_date = found.data.pointer("/spec/keepUntil").is_some_and(|date| !date.is_null());
    let (uid, version) = (found.uid(), found.resource_version());
    (is_ours && !has_date).then(|| Record { name: found.name_any(), uid, version })
}

async fn keep_until(context: &Context, key: &Key, record: &Record) -> Result<(), WriteError> {
    let until = lifecycle::keep_until(context.now(), context.retention()?.days.into());
    let patch = json!({
        "metadata": {"uid": record.uid, "resourceVersion": record.version},
        "spec": {"keepUntil": Time(until)},
    });
    let target = Target { kind: kinds::SERVICE_DATA.kind, namespace: &key.namespace, name: &record.name };
    let answer = context.server.merge(target, &patch).await?;
    context.known.take_in(key, kinds::SERVICE_DATA.kind, answer);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(spec: &serde_json::Value) -> DynamicObject {
        let metadata = json!({"name": "office", "namespace": "coop", "uid": "r1", "resourceVersion": "9"});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    #[test]
    fn a_record_that_no_cache_knew_gets_its_date_and_one_that_has_a_date_or_another_owner_does_not() {
        let ours = record(&json!({"owner": {"uid": "u1"}, "ofANewerRelease": {"deep": [1]}}));
        let found = undated_of(&ours, "u1").unwrap();
        assert_eq!((found.name.as_str(), found.version.as_deref()), ("office", Some("9")));
        assert!(undated_of(&ours, "u2").is_none());
        let dated = record(&json!({"owner": {"uid": "u1"}, "keepUntil": "2027-01-01T00:00:00Z"}));
        assert!(undated_of(&dated, "u1").is_none());
    }
}
