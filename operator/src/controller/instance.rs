//! The one controller of all Dedicated kinds.

use std::sync::Arc;

use super::context::Context;
use super::queue::Next;
use super::rendered;
use super::{deletion, finalizer};
use crate::api::{ConditionType, InstanceStatus, Reason};
use crate::apply::{Applied, ErrorKind, WriteError, apply};
use crate::cache::{Key, Settled, waits_for_another};
use crate::compare::{
    Change, DataConflict, KnownData, compare_copies, compare_data, compare_growth, compare_stuck_pods,
};
use crate::gather::{self, Observed, service_schedule};
use crate::plan::{Plan, Stage};
use crate::reachability::{Answer, target};
use crate::report::{Children, Obstacle, Pass, Reach, Usage, instance_status, refused, with_backups};
use crate::resolve::{Facts, Instance, Resolved, UnfinishedRestore, differing_images, may_name, resolve, rollout};
use crate::template::referred_secrets;
use crate::usage::Measurement;

/// Failures that usually pass at once are reported after this many in a row.
const PATIENCE: u32 = 4;

/// One pass over an instance: gather, resolve, render, compare, apply, report.
///
/// # Errors
/// When a write outside of *apply* fails.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(resource) = context.caches().dedicated(key.kind.as_str(), &key.namespace, &key.name) else {
        forget(context, key);
        return Ok(Next::Wait);
    };
    let instance = Instance::of(resource.as_ref());
    if instance.is_being_deleted() {
        forget(context, key);
        // Its date would be recorded nowhere.
        if let Some(record) = context.caches().records.undecodable(&key.namespace, &key.name) {
            let facts = observe(context, key, &instance).facts;
            return refuse(context, key, &instance, &facts, &Obstacle::Undecodable(record)).await;
        }
        return deletion::instance(context, key, &instance).await;
    }
    let observed = observe(context, key, &instance);
    let facts = &observed.facts;
    if facts.namespace.writable && facts.entity.is_some() {
        context.secrets.watch(&key.namespace);
    }
    let decided = decide(&context.caches().settled, &instance, &observed);
    // Data that is there is protected whatever is wrong with the instance, and while it is paused.
    if facts.record.is_some() || (decided.is_ok() && !instance.spec.paused) {
        finalizer::ensure(context, key, &instance).await?;
    }
    match decided {
        Ok((resolved, changes)) => carry_out(context, key, &instance, &observed, &resolved, &changes).await,
        // They are on their way, unless the API server says otherwise.
        Err(Obstacle::SecretsUnknown) => match context.secrets.failing(&key.namespace) {
            Some(feed) => refuse(context, key, &instance, facts, &Obstacle::SecretsUnreadable(feed.to_string())).await,
            None => Ok(Next::Wait),
        },
        Err(obstacle) if obstacle.is_fleeting(context.queue.failures(key)) => Ok(Next::Retry(Reason::EntityDiffers)),
        Err(obstacle) => refuse(context, key, &instance, facts, &obstacle).await,
    }
}

fn observe(context: &Context, key: &Key, instance: &Instance) -> Observed {
    let usage = |claim: &str| context.usages.as_ref().map_or(Measurement::NotYet, |usages| usages.of(key, claim));
    gather::observe(context.caches(), &context.packages, instance, usage)
}

async fn refuse(
    context: &Context,
    key: &Key,
    instance: &Instance,
    facts: &Facts,
    obstacle: &Obstacle,
) -> Result<Next, WriteError> {
    let rollout = rollout(instance, facts, facts.platform.as_deref().map(|platform| &platform.spec));
    let verdict = obstacle.verdict().edited_at(&instance.edited_at());
    let status = refused(instance, &rollout, &verdict, context.now());
    report(context, key, instance, status).await?;
    Ok(Next::Wait)
}

/// What is to run, and the writes for it. No request is made here: the CLI shows the same.
///
/// # Errors
/// Why nothing is written.
pub fn decide(
    settled: &Settled,
    instance: &Instance,
    observed: &Observed,
) -> Result<(Resolved, Vec<Change>), Obstacle> {
    if let Some(undecodable) = &observed.undecodable {
        return Err(Obstacle::Undecodable(Arc::clone(undecodable)));
    }
    let resolved = resolve(instance, &observed.facts)?;
    let rendered = rendered::changes(settled, &resolved.plan, observed)?;
    let data = observed.data.as_ref().ok_or(Obstacle::SecretsUnknown)?;
    let is_used = |secret: &str| observed.owned.iter().any(|live| referred_secrets(&live.value).contains(secret));
    may_name(&resolved.plan, &rendered.referred.by_parameters, &observed.facts, is_used)?;
    let is_applied = rendered.changes.is_empty();
    let is_whole = resolved.plan.stage == Stage::Whole;
    let ended = is_applied && is_whole && has_ended(observed, &resolved.plan, data);
    awaits(&observed.facts)?;
    let mut changes = compare_data(&resolved.plan, data, ended)?;
    changes.extend(compare_copies(&resolved.plan, &rendered.referred.of_platform, data)?);
    changes.extend(rendered.changes);
    changes.extend(compare_growth(&resolved.plan, data));
    if observed.facts.restore.as_ref().is_some_and(UnfinishedRestore::has_begun) {
        changes.retain(|change| !change.is_of_claim());
    }
    changes.extend(compare_stuck_pods(&observed.owned, &observed.pods));
    Ok((resolved, changes))
}

/// Whether it may have data at all: not before a restore has brought what another service was.
fn awaits(facts: &Facts) -> Result<(), DataConflict> {
    let brings = facts.restore.as_ref().filter(|restore| restore.is_of_another && facts.record.is_none());
    brings.map_or(Ok(()), |restore| Err(DataConflict::Awaited { restore: restore.name.clone() }))
}

/// Whether the data has become the plan's version since it was recorded: all workloads of it run.
fn has_ended(observed: &Observed, plan: &Plan, data: &KnownData) -> bool {
    let is_recorded = data.record.as_ref().is_some_and(|record| {
        record.spec.version.as_ref() == Some(&plan.version)
            && record.spec.revision.as_ref() == Some(&plan.revision)
            && record.spec.images == Some(differing_images(plan))
    });
    !is_recorded && observed.children(plan, &[]).are_running()
}

async fn carry_out(
    context: &Context,
    key: &Key,
    instance: &Instance,
    observed: &Observed,
    resolved: &Resolved,
    changes: &[Change],
) -> Result<Next, WriteError> {
    let facts = &observed.facts;
    // The record says what is there; it is no change of the instance.
    let waits = |change: &&Change| instance.spec.paused && !change.records();
    let waiting: Vec<Change> = changes.iter().filter(waits).cloned().collect();
    let applied = if instance.spec.paused || changes.is_empty() {
        Applied::default()
    } else {
        apply(&context.server, &context.known, key, changes).await
    };
    let next = applied.next();
    if is_too_early(context, key, &applied) {
        return Ok(next);
    }
    let children = observed.children(&resolved.plan, &applied.written);
    let pass = Pass {
        instance,
        resolved,
        applied: &applied,
        waiting: &waiting,
        reach: reach(context, key, instance, resolved, &children),
        usage: usage(context, instance, observed, resolved),
        children: &children,
        platform: facts.platform.as_deref(),
        now: context.now(),
    };
    report(context, key, instance, instance_status(&pass)).await?;
    Ok(next)
}

/// Reports with what is known of its backups, and looks once more where it begins to wait for another: that one may have gone on before
/// anybody could know that somebody waits.
async fn report(context: &Context, key: &Key, instance: &Instance, status: InstanceStatus) -> Result<(), WriteError> {
    let now = context.now();
    let resource = context.caches().dedicated(key.kind.as_str(), &key.namespace, &key.name);
    let schedule = resource.and_then(|resource| service_schedule(context.caches(), resource.as_ref(), now));
    let status = with_backups(status, &instance.status, schedule.map(|schedule| schedule.shown), now);
    context.report(key, &instance.reference.uid, Some(&instance.status), &status).await?;
    if status != instance.status {
        // It may have become one that signs people in, or do so elsewhere.
        context.identity.poke();
    }
    if waits_for_another(&status) && !waits_for_another(&instance.status) {
        context.known.again(key);
    }
    Ok(())
}

/// A cache that lags, or a right that has no effect yet, is no news for anybody.
pub(super) fn is_too_early(context: &Context, key: &Key, applied: &Applied) -> bool {
    let fleeting = |kind| {
        matches!(
            kind,
            ErrorKind::Transient
                | ErrorKind::Conflict
                | ErrorKind::Forbidden
                | ErrorKind::NotLeading
                | ErrorKind::QuotaExceeded
        )
    };
    !applied.failures.is_empty()
        && applied.failures.iter().all(|f| fleeting(f.kind))
        && context.queue.failures(key) < PATIENCE
}

/// What the service answers; it is asked from the moment its pods are ready. What was reported
/// holds until the first answer, so that a restart of the operator is no news.
fn reach(context: &Context, key: &Key, instance: &Instance, resolved: &Resolved, children: &Children) -> Reach {
    let (Some(reachability), Some(health)) = (&context.reachability, resolved.plan.package.health()) else {
        return Reach::NotAsked;
    };
    if resolved.plan.stage != Stage::Whole || !children.are_running() {
        reachability.probe(key, None);
        return Reach::Unknown;
    }
    reachability.probe(key, target(&resolved.plan, health, &children.objects));
    let reported = instance.status.conditions.iter().find(|c| c.type_ == ConditionType::Reachable.as_str());
    match (reachability.answer(key), reported) {
        (Answer::Reachable, _) => Reach::Answers,
        (Answer::Unreachable { reason }, _) => Reach::Fails(reason),
        (Answer::Unknown, Some(condition)) if condition.status == "True" => Reach::Answers,
        (Answer::Unknown, Some(condition)) if condition.status == "False" => Reach::Fails(condition.message.clone()),
        (Answer::Unknown, _) => Reach::Unknown,
    }
}

/// What is not measured yet since the operator started is as it was reported.
fn usage(context: &Context, instance: &Instance, observed: &Observed, resolved: &Resolved) -> Usage {
    if context.usages.is_none() {
        return Usage::NotAsked;
    }
    let Some(volume) = resolved.plan.volumes.iter().find(|volume| volume.carries_quota) else { return Usage::NotAsked };
    let reported = instance.status.used.as_ref().and_then(|used| used.parse().ok());
    match observed.facts.volumes.get(&volume.claim).map(|volume| volume.usage).unwrap_or_default() {
        Measurement::Measured(measured) => Usage::Used(measured.used_since(reported)),
        Measurement::Nothing => Usage::Unknown,
        Measurement::NotYet => reported.map_or(Usage::Unknown, Usage::Used),
    }
}

fn forget(context: &Context, key: &Key) {
    context.identity.poke();
    context.caches().settled.forget(key);
    if let Some(reachability) = &context.reachability {
        reachability.probe(key, None);
    }
    if let Some(usages) = &context.usages {
        usages.forget(key);
    }
}
