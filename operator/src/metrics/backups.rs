//! Backups, by service: when the last one was complete, and the last one proven, how large it is, who is late. Without
//! `spec.backup` in the Platform there is none of it, but that there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::api::{
    BackupPhase, BackupSchedule, Condition, ConditionType, PlatformBackup, Reason, ServiceBackup, ServiceBackupStatus,
};
use crate::backup::{UNQUIESCE, has_come, taken_by};
use crate::cache::{AnyDedicated, Caches, RepositoryState};

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct OfService {
    entity: String,
    service: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct Lateness {
    entity: String,
    service: String,
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, PartialOrd, Ord, EncodeLabelSet)]
struct OfTarget {
    target: String,
}

/// Why a service counts as late.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Late {
    /// It has no complete backup that is young enough.
    NoSuccess,
    /// Its package has no operations to be backed up by.
    BackupUnsupported,
}

impl Late {
    /// The value of the label.
    const fn as_str(self) -> &'static str {
        match self {
            Self::NoSuccess => "NoSuccess",
            Self::BackupUnsupported => Reason::BackupUnsupported.name(),
        }
    }
}

/// A gauge that shows what was last taken in, and nothing of before.
struct Shown<L> {
    family: Family<L, Gauge>,
    seen: Mutex<BTreeSet<L>>,
}

impl<L: Clone + Hash + Ord> Default for Shown<L> {
    fn default() -> Self {
        Self { family: Family::default(), seen: Mutex::default() }
    }
}

impl<L: Clone + Hash + Ord> Shown<L> {
    fn show(&self, figures: impl IntoIterator<Item = (L, i64)>) {
        let figures: BTreeMap<L, i64> = figures.into_iter().collect();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in seen.iter().filter(|labels| !figures.contains_key(labels)) {
            self.family.remove(gone);
        }
        for (labels, figure) in &figures {
            self.family.get_or_create(labels).set(*figure);
        }
        *seen = figures.into_keys().collect();
    }
}

/// The metrics of backups.
#[derive(Default)]
pub(super) struct BackupMetrics {
    configured: Gauge,
    last_success: Shown<OfService>,
    last_proven: Shown<OfService>,
    unproven: Shown<Lateness>,
    stored: Shown<OfService>,
    duration: Shown<OfService>,
    failed: Shown<OfService>,
    unfinished: Shown<OfService>,
    late: Shown<Lateness>,
    quiet_since: Shown<OfService>,
    damaged: Shown<OfService>,
    checked: Shown<OfService>,
    pruned: Shown<OfService>,
    records: Shown<OfTarget>,
    /// Since when each run was seen to hold its service quiet, by uid: no status says it before the end.
    quiet: Mutex<BTreeMap<String, Timestamp>>,
}

impl BackupMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let configured = "1 where the Platform says how services are backed up";
        registry.register("backup_configured", configured, self.configured.clone());
        for (name, help, shown) in [
            (
                "backup_last_success_timestamp_seconds",
                "When the data was as the newest complete backup has it, in seconds since 1970",
                &self.last_success,
            ),
            (
                "backup_last_proven_restore_timestamp_seconds",
                "When a backup was last restored, started and found equal, in seconds since 1970",
                &self.last_proven,
            ),
            ("backup_stored_bytes", "Bytes that the newest complete backup holds", &self.stored),
            ("backup_duration_seconds", "How long the newest run that ended took", &self.duration),
            ("backup_failed", "1 where the newest run that ended left no backup", &self.failed),
            ("backup_unfinished", "Runs that have not ended", &self.unfinished),
            (
                "backup_quiet_since_timestamp_seconds",
                "Since when a backup keeps people from writing, in seconds since 1970; only while it does",
                &self.quiet_since,
            ),
            ("backup_repository_damaged", "1 where a check found damage in the repository", &self.damaged),
            (
                "backup_repository_checked_timestamp_seconds",
                "When a part of the repository was last read, in seconds since 1970",
                &self.checked,
            ),
            (
                "backup_repository_pruned_timestamp_seconds",
                "When the repository was last pruned, in seconds since 1970",
                &self.pruned,
            ),
        ] {
            registry.register(name, help, shown.family.clone());
        }
        let records = "When the platform's own records were last stored at a target, in seconds since 1970; 0: never";
        registry.register("backup_records_last_timestamp_seconds", records, self.records.family.clone());
        registry.register(
            "backup_restore_unproven",
            "1 for each service whose backups nobody may rely on, with the reason",
            self.unproven.family.clone(),
        );
        registry.register("backup_late", "1 for each service that is late, with the reason", self.late.family.clone());
    }

    /// Shows when records were last stored at each target.
    pub(super) fn show_records(&self, at: impl IntoIterator<Item = (String, i64)>) {
        self.records.show(at.into_iter().map(|(target, seconds)| (OfTarget { target }, seconds)));
    }
}

/// Takes in what the caches hold of backups.
pub(super) fn observe(caches: &Caches, now: Timestamp, into: &BackupMetrics) {
    into.configured.set(i64::from(backup(caches).is_some()));
    let services = services(caches);
    let each = |figure: fn(&Runs, Timestamp) -> Option<i64>| {
        services.iter().filter_map(move |(of, runs)| Some((of.clone(), figure(runs, now)?)))
    };
    into.last_success.show(each(|runs, now| Some(taken_at(runs.newest_success(now)?)?.as_second())));
    into.last_proven.show(each(|runs, now| Some(runs.newest_proof(now)?.as_second())));
    into.unproven.show(unproven(caches).into_iter().map(|of| (of, 1)));
    into.stored.show(each(|runs, now| status(runs.newest_success(now)?)?.bytes));
    into.duration.show(each(|runs, _| seconds(runs.newest_ended()?)));
    into.failed.show(each(|runs, _| Some(i64::from(phase(runs.newest_ended()?)? == BackupPhase::Failed))));
    into.unfinished.show(each(|runs, _| i64::try_from(runs.0.iter().filter(|run| !is_ended(run)).count()).ok()));
    let late = late(caches, now).into_iter();
    into.late.show(late.map(|(entity, service, why)| (Lateness { entity, service, reason: why.as_str() }, 1)));
    into.quiet_since.show(quiet(&services, now, &into.quiet));
    let repositories = backup(caches).and_then(|_| caches.repositories.all()).unwrap_or_default();
    let of_repositories = |figure: fn(&RepositoryState) -> Option<i64>| {
        repositories.iter().filter_map(move |((entity, service), state)| {
            Some((OfService { entity: entity.clone(), service: service.clone() }, figure(state)?))
        })
    };
    into.damaged.show(of_repositories(|state| Some(i64::from(state.damaged.is_some()))));
    into.checked.show(of_repositories(|state| Some(state.checked?.as_second())));
    into.pruned.show(of_repositories(|state| Some(state.pruned?.as_second())));
}

/// The services that are late, each with Entity and name. One that is paused is not: nothing of it is begun. Without
/// `spec.backup` in the Platform none is.
pub(super) fn late(caches: &Caches, now: Timestamp) -> Vec<(String, String, Late)> {
    let Some(backup) = backup(caches) else { return Vec::new() };
    let limit = longest(&backup.schedule);
    let why = |resource: &AnyDedicated, runs: &Runs| {
        let newest = runs.0.last().and_then(|run| ready(run));
        if newest.is_some_and(|ready| ready.reason == Reason::BackupUnsupported.name()) {
            return Some(Late::BackupUnsupported);
        }
        let made = || resource.metadata().creation_timestamp.as_ref().map(|time| time.0);
        let since = runs.newest_success(now).and_then(|run| taken_by(run, now)).or_else(made)?;
        (now.duration_since(since) > limit).then_some(Late::NoSuccess)
    };
    let mut late: Vec<_> = living(caches)
        .filter(|resource| !resource.instance().paused)
        .filter_map(|resource| {
            let of = of_service(&resource);
            let why = why(&resource, &Runs::of(caches, &of))?;
            Some((of.entity, of.service, why))
        })
        .collect();
    late.sort();
    late
}

/// The services that say that no restore of theirs is proven, or that the newest drill failed.
fn unproven(caches: &Caches) -> Vec<Lateness> {
    if backup(caches).is_none() {
        return Vec::new();
    }
    let told = living(caches).filter_map(|resource| {
        let condition = resource.status()?.condition(ConditionType::RestoreProven)?;
        let reason = Reason::named(&condition.reason).filter(|_| condition.status == "False")?.name();
        let OfService { entity, service } = of_service(&resource);
        Some(Lateness { entity, service, reason })
    });
    told.collect()
}

/// The longest time between two backups: what an Entity may choose, and the window in which a run begins.
fn longest(schedule: &BackupSchedule) -> SignedDuration {
    SignedDuration::from_hours(i64::from(schedule.bounds.longest_hours))
        + SignedDuration::from_mins(i64::from(schedule.window_minutes))
}

/// Since when each service is quiet: when the data was as the run has it, where that is known, else when it was
/// first seen so.
fn quiet(
    services: &[(OfService, Runs)],
    now: Timestamp,
    seen: &Mutex<BTreeMap<String, Timestamp>>,
) -> Vec<(OfService, i64)> {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut before, mut figures) = (std::mem::take(&mut *seen), Vec::new());
    for (of, run) in services.iter().flat_map(|(of, runs)| runs.0.iter().map(move |run| (of, run))) {
        let holds = run.metadata.finalizers.iter().flatten().any(|finalizer| finalizer == UNQUIESCE);
        let Some(uid) = run.metadata.uid.clone().filter(|_| holds) else { continue };
        let first = before.remove(&uid).unwrap_or(now);
        let since = taken_at(run).map_or(first, |taken| taken.min(first));
        seen.insert(uid, since);
        figures.push((of.clone(), since.as_second()));
    }
    figures
}

/// The runs of one service that end in a snapshot, by when they were asked for.
struct Runs(Vec<Arc<ServiceBackup>>);

impl Runs {
    fn of(caches: &Caches, of: &OfService) -> Self {
        let mut runs = caches.backups.in_namespace(&of.entity);
        runs.retain(|run| run.spec.service == of.service);
        runs.sort_by(|a, b| asked(a).cmp(&asked(b)));
        Self(runs)
    }

    fn newest_success(&self, now: Timestamp) -> Option<&ServiceBackup> {
        let all = self.0.iter().filter(|run| is_complete(run));
        all.max_by_key(|run| (taken_by(run, now), taken_at(run))).map(AsRef::as_ref)
    }

    fn newest_proof(&self, now: Timestamp) -> Option<Timestamp> {
        let proven = self.0.iter().filter_map(|run| Some(status(run)?.proven_at.as_ref()?.0));
        proven.filter(|proven| has_come(*proven, now)).max()
    }

    fn newest_ended(&self) -> Option<&ServiceBackup> {
        self.0.iter().rev().find(|run| is_ended(run)).map(AsRef::as_ref)
    }
}

/// The services of a platform that has backups, each with its runs.
fn services(caches: &Caches) -> Vec<(OfService, Runs)> {
    if backup(caches).is_none() {
        return Vec::new();
    }
    let of = living(caches).map(|resource| of_service(&resource));
    of.map(|of| (of.clone(), Runs::of(caches, &of))).collect()
}

fn living(caches: &Caches) -> impl Iterator<Item = AnyDedicated> {
    caches.dedicated_all().into_iter().filter(|resource| resource.metadata().deletion_timestamp.is_none())
}

fn of_service(resource: &AnyDedicated) -> OfService {
    let metadata = resource.metadata();
    let [entity, service] = [&metadata.namespace, &metadata.name].map(|name| name.clone().unwrap_or_default());
    OfService { entity, service }
}

fn backup(caches: &Caches) -> Option<PlatformBackup> {
    caches.platform().and_then(|platform| platform.spec.backup.clone())
}

fn asked(run: &ServiceBackup) -> (Option<&Time>, Option<&str>) {
    (run.metadata.creation_timestamp.as_ref(), run.metadata.name.as_deref())
}

fn status(run: &ServiceBackup) -> Option<&ServiceBackupStatus> {
    run.status.as_ref()
}

fn phase(run: &ServiceBackup) -> Option<BackupPhase> {
    status(run)?.phase
}

fn is_ended(run: &ServiceBackup) -> bool {
    matches!(phase(run), Some(BackupPhase::Succeeded | BackupPhase::Failed))
}

fn taken_at(run: &ServiceBackup) -> Option<Timestamp> {
    Some(status(run)?.taken_at.as_ref()?.0)
}

fn seconds(run: &ServiceBackup) -> Option<i64> {
    let status = status(run)?;
    let (began, ended) = (status.started_at.as_ref()?, status.ended_at.as_ref()?);
    Some(ended.0.duration_since(began.0).as_secs())
}

fn ready(run: &ServiceBackup) -> Option<&Condition> {
    status(run)?.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str())
}

/// Whether its snapshot is complete, and there.
fn is_complete(run: &ServiceBackup) -> bool {
    let is_ready = ready(run).is_some_and(|ready| ready.status == "True");
    is_ready && status(run).is_some_and(|status| status.snapshot.is_some())
}
