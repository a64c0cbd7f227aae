//! An Entity is deleted: the services in its namespace first, each of which records its data, then
//! the namespace where nothing is kept in it. The rest is owned and collected.

use futures::future::join_all;
use kube::ResourceExt as _;
use kube::runtime::events::{Event, EventType};

use super::namespace::{self, Namespace};
use super::{Blocked, at, finalizer, of_others, outcome, unless_gone};
use crate::api::{ConditionType, Dedicated, Entity, Reason, marks};
use crate::apply::{Target, WriteError};
use crate::cache::Key;
use crate::compare::differences;
use crate::controller::context::Context;
use crate::controller::events::publish;
use crate::controller::queue::Next;
use crate::entity::{OPERATOR_BINDING, operator_binding};
use crate::report::{DeletionWait, ServiceDeletion, deleted_entity};

/// One pass over an Entity that is being deleted.
///
/// # Errors
/// When its status is not taken.
pub(in crate::controller) async fn entity(context: &Context, key: &Key, entity: &Entity) -> Result<Next, WriteError> {
    let Some(since) = entity.metadata.deletion_timestamp.as_ref().map(|time| time.0) else { return Ok(Next::Wait) };
    let ended = finalize(context, key, entity).await;
    let (verdict, next) = outcome(context, key, since, ended);
    if let Some(verdict) = verdict {
        let status = deleted_entity(entity, &verdict, context.now());
        let uid = entity.uid().unwrap_or_default();
        unless_gone(context.report(key, &uid, entity.status.as_ref(), &status).await)?;
    }
    Ok(next)
}

async fn finalize(context: &Context, key: &Key, entity: &Entity) -> Result<DeletionWait, Blocked> {
    let resource = finalizer::Finalized::from(entity);
    if resource.has_ours() {
        renew_rights(context, key, entity)
            .await
            .map_err(at("the operator's rights in its namespace cannot be renewed"))?;
        let services = delete_services(context, entity).await.map_err(at("its services cannot be deleted"))?;
        if !services.is_empty() {
            return Ok(DeletionWait::Services(services));
        }
        match namespace::remove(context, key).await.map_err(at("its namespace cannot be removed"))? {
            Namespace::Removed => {}
            // The caches do not show them yet; they will, and wake this Entity.
            Namespace::HasServices(services) => return Ok(DeletionWait::Services(services)),
            Namespace::Kept(why) => publish(&context.recorder, key, &resource.uid, &kept(&key.name, &why)).await,
        }
        finalizer::remove(context, key, &resource).await.map_err(at("the operator's finalizer cannot be removed"))?;
        context.caches().secrets.forget(&key.name);
    }
    Ok(of_others(entity.finalizers()))
}

/// The rights in the namespace may be those of a release of another name, under which the deletion began.
async fn renew_rights(context: &Context, key: &Key, entity: &Entity) -> Result<(), WriteError> {
    let Some(live) = context.caches().object("RoleBinding", &key.name, OPERATOR_BINDING) else { return Ok(()) };
    let binding = operator_binding(entity, &context.account);
    if differences(&binding.kind, &binding.value, &live.value).is_empty() {
        return Ok(());
    }
    let target = Target { kind: "RoleBinding", namespace: &key.name, name: OPERATOR_BINDING };
    let answer = context.server.apply(target, &binding.value).await?;
    context.known.take_in(key, "RoleBinding", answer);
    Ok(())
}

fn kept(namespace: &str, why: &str) -> Event {
    Event {
        type_: EventType::Normal,
        reason: Reason::NamespaceKept.name().to_owned(),
        note: Some(format!("namespace {namespace} stays: {why}")),
        action: "Delete".to_owned(),
        secondary: None,
    }
}

/// Deletes the Dedicated resources of the Entity, those in its namespace that were written by hand
/// too: without the Entity nobody sets limits to them and nobody pays. Those that are still there.
async fn delete_services(context: &Context, entity: &Entity) -> Result<Vec<ServiceDeletion>, WriteError> {
    let name = entity.name_any();
    let uid = entity.uid().unwrap_or_default();
    let caches = context.caches();
    let is_its_namespace =
        caches.namespaces.get("", &name).is_some_and(|found| found.labels().get(marks::ENTITY) == Some(&name));
    let mut services = caches.dedicated_in(&name);
    services.retain(|service| is_its_namespace || is_owned(service.as_ref(), &uid));
    let deletions = services.iter().map(|service| delete(context, service.as_ref(), &uid));
    join_all(deletions).await.into_iter().collect()
}

fn is_owned(service: &dyn Dedicated, owner: &str) -> bool {
    service.metadata().owner_references.iter().flatten().any(|reference| reference.uid == owner)
}

async fn delete(context: &Context, service: &dyn Dedicated, owner: &str) -> Result<ServiceDeletion, WriteError> {
    let metadata = service.metadata();
    let mut deletion = deletion(service, owner);
    if metadata.deletion_timestamp.is_none() {
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let target = Target { kind: service.kind(), namespace, name: &deletion.name };
        match context.server.delete(target, metadata.uid.as_deref().unwrap_or_default()).await {
            Err(error) if !error.kind.is_transient() => {
                deletion.held = Some(error.message);
                deletion.blocked = true;
            }
            other => other?,
        }
    }
    Ok(deletion)
}

/// What keeps a service that is being deleted: finalizers of others, or what its own status says.
fn deletion(service: &dyn Dedicated, owner: &str) -> ServiceDeletion {
    let metadata = service.metadata();
    let others = finalizer::others(metadata.finalizers.as_deref().unwrap_or_default());
    let is_current = service.status().is_some_and(|status| status.observed_generation == metadata.generation);
    let conditions = service.status().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let ready = conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str());
    let refusal = ready.filter(|ready| is_current && ready.reason == Reason::DeletionBlocked.name());
    let since = metadata.deletion_timestamp.as_ref().map(|time| time.0);
    let held = match (refusal, since) {
        (Some(refusal), _) => Some(refusal.message.clone()),
        (None, Some(since)) if !others.is_empty() => {
            Some(format!("being deleted since {since}, finalizer {}", others.join(", ")))
        }
        _ => None,
    };
    ServiceDeletion {
        kind: service.kind(),
        name: metadata.name.clone().unwrap_or_default(),
        by_hand: !is_owned(service, owner),
        held,
        blocked: refusal.is_some(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::DedicatedService;

    fn service(metadata: Value, reason: &str) -> DedicatedService {
        let mut all = json!({"name": "wiki", "namespace": "coop", "uid": "u1", "generation": 2});
        all.as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        let condition = json!({
            "type": "Ready", "status": "False", "reason": reason, "message": "no", "observedGeneration": 2,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        });
        serde_json::from_value(json!({
            "metadata": all, "spec": {"template": "radicale", "tier": "1gb"},
            "status": {"observedGeneration": 2, "conditions": [condition]},
        }))
        .unwrap()
    }

    #[test]
    fn a_service_that_another_tools_finalizer_holds_names_it() {
        let deleted = json!({
            "deletionTimestamp": "2026-11-29T05:45:52Z", "finalizers": [marks::FINALIZER, "other.example/tool"],
        });
        let held = deletion(&service(deleted, "Ready"), "e1");
        assert_eq!(
            held.held.as_deref(),
            Some("being deleted since 2026-11-29T05:45:52Z, finalizer other.example/tool")
        );
        assert!(!held.blocked && held.by_hand);
    }

    #[test]
    fn a_service_whose_date_is_refused_passes_its_words_on() {
        let deleted = json!({"deletionTimestamp": "2026-11-29T05:45:52Z", "finalizers": [marks::FINALIZER]});
        let held = deletion(&service(deleted.clone(), "DeletionBlocked"), "e1");
        assert_eq!((held.held.as_deref(), held.blocked), (Some("no"), true));
        assert_eq!(deletion(&service(deleted, "Ready"), "e1").held, None, "what goes on says nothing");
    }

    #[test]
    fn a_service_that_the_entity_made_is_told_from_one_written_by_hand() {
        let owner = json!([{"apiVersion": "v1", "kind": "Entity", "name": "coop", "uid": "e1"}]);
        assert!(!deletion(&service(json!({"ownerReferences": owner}), "Ready"), "e1").by_hand);
        assert!(deletion(&service(json!({}), "Ready"), "e1").by_hand);
    }
}
