//! The controller of Collectives, and of the Accesses, histories and requests beside each: one pass over all of an
//! Entity's people, so that no two of its writes are about different worlds. The rights are given and taken by the
//! Entity's own.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use super::context::Context;
use super::queue::Next;
use crate::apply::{Applied, WriteError, apply};
use crate::cache::{Key, Kind};
use crate::collective::{Facts, access_statuses, collective_status, next, request_status};
use crate::compare::Action;
use crate::gather;
use crate::report::{Verdict, entity_problem};

/// Failures that usually pass within a second are reported after this many in a row.
const PATIENCE: u32 = 4;

/// One pass over the people of an Entity.
///
/// # Errors
/// When a status is not taken.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let observe = || gather::observe_collective(context.caches(), &context.account, &key.namespace, context.now());
    let observed = observe();
    context.identity.looked_at(&key.namespace, observed.as_ref().map(version));
    let Some(facts) = observed else { return Ok(Next::Wait) };
    let step = next(&facts);
    if step.changes.is_empty() {
        if !step.is_fleeting {
            report(context, key, &facts, None).await?;
        }
        return Ok(step.again.map_or(Next::Wait, Next::After));
    }
    let applied = apply(&context.server, &context.known, key, &step.changes).await;
    if applied.failures.is_empty() {
        // That something is gone, the watch alone brings.
        if step.changes.iter().any(|change| !matches!(change.action, Action::Delete { .. } | Action::Discard { .. })) {
            context.known.again(key);
        }
        return Ok(Next::Wait);
    }
    if is_to_be_told(context, key, &applied)
        && let Some(facts) = observe()
    {
        report(context, key, &facts, entity_problem(&applied)).await?;
    }
    Ok(applied.next())
}

/// What of an Entity's people the identity provider is to hear of, where that is another than before.
fn version(facts: &Facts) -> Vec<(String, Option<String>, Option<i64>)> {
    let of =
        |metadata: &ObjectMeta| (metadata.name.clone().unwrap_or_default(), metadata.uid.clone(), metadata.generation);
    let collective = facts.collective.iter().map(|collective| of(&collective.metadata));
    let accesses = facts.accesses.values().map(|access| of(&access.metadata));
    let unreadable = facts.unreadable.iter().map(|object| (object.name.clone(), Some(object.uid.clone()), None));
    [of(&facts.entity.metadata)].into_iter().chain(collective).chain(accesses).chain(unreadable).collect()
}

fn is_to_be_told(context: &Context, key: &Key, applied: &Applied) -> bool {
    let is_transient = applied.failures.iter().all(|failure| failure.kind.is_transient());
    !is_transient || context.queue.failures(key) >= PATIENCE
}

/// Reports on each object, where that is not what was reported.
async fn report(context: &Context, key: &Key, facts: &Facts, problem: Option<Verdict>) -> Result<(), WriteError> {
    if let Some(collective) = &facts.collective {
        let status = collective_status(facts, collective, problem);
        let uid = collective.uid().unwrap_or_default();
        context.report(key, &uid, collective.status.as_ref(), &status).await?;
    }
    for (service, status) in access_statuses(facts) {
        let Some(access) = facts.accesses.get(service) else { continue };
        let of = Key::new(Kind::Access, &key.namespace, service);
        context.report(&of, &access.uid().unwrap_or_default(), access.status.as_ref(), &status).await?;
    }
    for request in &facts.requests {
        if let Some(status) = request_status(facts, request) {
            let of = Key::new(Kind::LeaveRequest, &key.namespace, &request.name_any());
            context.report(&of, &request.uid().unwrap_or_default(), request.status.as_ref(), &status).await?;
        }
    }
    Ok(())
}
