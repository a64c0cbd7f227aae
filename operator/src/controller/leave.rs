//! How instances and Entities leave: from what is recorded in the cluster, without their Tariff,
//! Platform or template; data stays.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;
use serde_json::json;

use super::context::Context;
use super::queue::Next;
use crate::api::{Dedicated, Entity, Retention, ServiceData, marks};
use crate::apply::{Target, Trouble, WriteError};
use crate::cache::Key;
use crate::kinds;
use crate::resolve::Instance;

/// An instance leaves: the date until which its data stays is recorded, then it may go. What it
/// owns is collected; volumes, Secrets and the record are not owned.
///
/// # Errors
/// When the API server does not take a write.
pub(super) async fn instance(context: &Context, key: &Key, instance: &Instance) -> Result<Next, WriteError> {
    if !instance.is_kept() {
        return Ok(Next::Wait);
    }
    let reference = &instance.reference;
    if let Some(record) = context.caches().records.get(&reference.namespace, &reference.name)
        && record.spec.owner.uid == reference.uid
        && record.spec.keep_until.is_none()
    {
        keep_until(context, key, &record).await?;
    }
    let finalizers: Vec<String> = instance.finalizers.iter().filter(|f| *f != marks::FINALIZER).cloned().collect();
    match context.set_finalizers(key, &reference.uid, &instance.resource_version, &finalizers).await {
        Err(error) if error.trouble == Trouble::Missing => Ok(Next::Wait),
        Err(error) => Err(error),
        Ok(()) => Ok(Next::Wait),
    }
}

async fn keep_until(context: &Context, key: &Key, record: &ServiceData) -> Result<(), WriteError> {
    let retention = context.caches().platform().map_or_else(Retention::default, |platform| platform.spec.retention);
    let until = date(context.now(), retention);
    let patch = json!({
        "metadata": {"uid": record.metadata.uid, "resourceVersion": record.metadata.resource_version},
        "spec": {"keepUntil": Time(until)},
    });
    let name = record.name_any();
    let target = Target { kind: kinds::SERVICE_DATA.kind, namespace: &key.namespace, name: &name };
    let answer = context.server.merge(target, &patch).await?;
    context.known.take_in(key, kinds::SERVICE_DATA.kind, answer);
    Ok(())
}

fn date(now: Timestamp, retention: Retention) -> Timestamp {
    let days = SignedDuration::from_hours(24 * i64::from(retention.days));
    let until = now.checked_add(days).unwrap_or(Timestamp::MAX);
    Timestamp::from_second(until.as_second()).unwrap_or(until)
}

/// An Entity leaves: its Dedicated resources first, each of which records its data; then, if no
/// data is kept, its namespace. The rest is owned and collected.
///
/// # Errors
/// When the API server does not take a write.
pub(super) async fn entity(context: &Context, key: &Key, entity: &Entity) -> Result<Next, WriteError> {
    if !entity.finalizers().iter().any(|f| f == marks::FINALIZER) {
        return Ok(Next::Wait);
    }
    if dismiss_services(context, entity).await? {
        // Their deletion wakes this Entity; the time is for a watch that missed it.
        return Ok(Next::After(Duration::from_secs(5)));
    }
    remove_empty_namespace(context, &key.name).await?;
    let finalizers: Vec<String> = entity.finalizers().iter().filter(|f| *f != marks::FINALIZER).cloned().collect();
    let uid = entity.uid().unwrap_or_default();
    let version = entity.resource_version().unwrap_or_default();
    match context.set_finalizers(key, &uid, &version, &finalizers).await {
        Err(error) if error.trouble == Trouble::Missing => {}
        other => other?,
    }
    context.caches().secrets.forget(&key.name);
    Ok(Next::Wait)
}

/// Deletes the Dedicated resources that the Entity made; whether any is still there.
async fn dismiss_services(context: &Context, entity: &Entity) -> Result<bool, WriteError> {
    let namespace = entity.name_any();
    let uid = entity.uid().unwrap_or_default();
    let caches = context.caches();
    let mut remaining = false;
    for resource in caches.dedicated_in(&namespace) {
        remaining |= dismiss(context, resource.as_ref(), &uid).await?;
    }
    Ok(remaining)
}

async fn dismiss(context: &Context, resource: &dyn Dedicated, owner: &str) -> Result<bool, WriteError> {
    let metadata = resource.metadata();
    if !metadata.owner_references.iter().flatten().any(|reference| reference.uid == owner) {
        return Ok(false);
    }
    if metadata.deletion_timestamp.is_none() {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        let target = Target { kind: resource.kind(), namespace, name };
        context.server.delete(target, metadata.uid.as_deref().unwrap_or_default()).await?;
    }
    Ok(true)
}

/// Removes the namespace if it is the Entity's and a live look finds neither a record nor a volume
/// nor an instance in it.
async fn remove_empty_namespace(context: &Context, name: &str) -> Result<(), WriteError> {
    let target = Target { kind: kinds::NAMESPACE.kind, namespace: "", name };
    let namespace = match context.server.get(target).await {
        Ok(namespace) => namespace,
        Err(error) if error.trouble == Trouble::Missing => return Ok(()),
        Err(error) => return Err(error),
    };
    if namespace.labels().get(marks::ENTITY).map(String::as_str) != Some(name)
        || namespace.metadata.deletion_timestamp.is_some()
    {
        return Ok(());
    }
    for kind in [kinds::SERVICE_DATA, kinds::VOLUME].into_iter().chain(kinds::DEDICATED) {
        let inside = context.server.list(Target { kind: kind.kind, namespace: name, name: "" }).await?;
        if !inside.is_empty() {
            return Ok(());
        }
    }
    context.server.delete(target, &namespace.uid().unwrap_or_default()).await
}
