//! Brings the platform's own kinds to each target after they changed. It looks at the caches in rounds, while the
//! operator leads; nothing is asked or written while nothing is due.

mod key;
mod told;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use commonscloud_backup::records::{RECORDS_FOLDER, Records};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::backup::home_job;
use super::clock;
use super::context::Context;
use super::workers::contained;
use crate::api::Platform;
use crate::apply::{ErrorKind, Target, WriteError};
use crate::backup::records::{
    Attempt, FORGETS, KeptRecords, ObservedRecords, PAUSE, Pieces, RecordsAction, STORES, digest, forget_job,
    forget_name, forgets, is_at_work, is_piece, kept_name, kept_object, next, read_kept, store_job, store_name, stores,
};
use crate::backup::{JobState, Place, SeenJob};
use crate::cache::{Key, Kind};
use crate::core::lifecycle::agreed;
use crate::gather;
use crate::kinds;
use crate::metrics::Metrics;

use key::before;
pub use told::RecordsTold;
pub(super) use told::condition;
use told::tell;

/// Between two looks while nothing is at work ...
const ROUND: Duration = Duration::from_secs(30);
/// ... at a target that has the newest: to see whether anything changed costs as much as there are objects ...
const AT_REST: Duration = Duration::from_mins(2);
/// ... and while a Job is.
const SOON: Duration = Duration::from_secs(5);
/// For how long Secrets are waited for that are not known yet: those of a namespace that never comes are never known.
const PATIENCE: Duration = Duration::from_mins(2);
/// When snapshots are forgotten again of which that failed, or was not certain.
const FORGETS_AGAIN: SignedDuration = SignedDuration::from_hours(1);
/// When something is asked again that was refused.
const REFUSED: SignedDuration = SignedDuration::from_mins(5);
const CONFIG_MAP: &str = "ConfigMap";
/// Label of the pods of all Jobs in the operator's namespace.
const OPERATION_PODS: &str = "app.kubernetes.io/name=commonscloud-operation";

/// What is known of a target while this process leads.
#[derive(Default)]
struct Known {
    /// What is there. None: the API server was not asked yet.
    kept: Option<KeptRecords>,
    /// The recipients of whom it is known that they can open the key there.
    escrowed: Option<String>,
    /// Whether neither Job is there.
    has_no_job: bool,
    /// Not looked at before.
    not_before: Option<Timestamp>,
    /// Nothing is forgotten before.
    forgets_after: Option<Timestamp>,
    /// Why the newest attempt left nothing.
    failed: Option<String>,
}

/// The records as they are.
struct Wanted {
    records: Records,
    digest: String,
}

/// Brings records to the targets for ever. Only a process that leads may call it.
pub async fn run(context: &Context, metrics: &Metrics) {
    let (mut known, began) = (BTreeMap::new(), Instant::now());
    loop {
        let again = Box::pin(contained(round(context, metrics, &mut known, began))).await.unwrap_or_else(|words| {
            tracing::error!(panic = words, "the records of the platform panicked; this is a fault of the operator");
            ROUND
        });
        tokio::time::sleep(again).await;
    }
}

/// One round; says when the next one is.
async fn round(context: &Context, metrics: &Metrics, known: &mut BTreeMap<String, Known>, began: Instant) -> Duration {
    let caches = context.caches();
    let Some(platform) = caches.platform() else { return ROUND };
    let targets = platform.spec.backup.iter().flat_map(|backup| &backup.targets);
    let targets: Vec<String> = targets.map(|target| target.name.clone()).collect();
    known.retain(|name, _| targets.contains(name));
    let now = context.now();
    if !gather::knows_secrets(caches) && began.elapsed() < PATIENCE {
        return SOON;
    }
    let again = if targets.iter().any(|name| may_be_due(known.get(name), now)) {
        let records = gather::records(caches, &context.own, &platform);
        let wanted = Wanted { digest: digest(&records), records };
        targets_in_turn(context, &platform, known, &wanted, now).await
    } else {
        ROUND
    };
    let ids = known.iter().filter_map(|(target, of)| Some((target.clone(), of.kept.as_ref()?.repository.clone())));
    caches.repositories.put_records(ids.collect());
    tell(context, metrics, &targets, known);
    again
}

/// Whether it is worth while to see whether anything changed.
fn may_be_due(known: Option<&Known>, now: Timestamp) -> bool {
    let Some(Known { kept: Some(kept), has_no_job, not_before, .. }) = known else { return true };
    let rests = kept.newest().is_some_and(|newest| {
        let age = now.duration_since(newest);
        !age.is_negative() && age < PAUSE
    });
    !(*has_no_job && rests) && not_before.is_none_or(|at| at <= now)
}

/// One after the other: two targets may be one place, and two that make a repository there break it for good.
async fn targets_in_turn(
    context: &Context,
    platform: &Platform,
    known: &mut BTreeMap<String, Known>,
    wanted: &Wanted,
    now: Timestamp,
) -> Duration {
    let Some(backup) = &platform.spec.backup else { return ROUND };
    for target in &backup.targets {
        let one = known.entry(target.name.clone()).or_default();
        if one.not_before.is_some_and(|at| at > now) {
            continue;
        }
        one.not_before = None;
        let place = Place::of_platform(platform, backup, target, RECORDS_FOLDER, &context.own);
        match step(context, &place, one, wanted, now).await {
            Ok(None) => {}
            Ok(Some(again)) if again > SOON => {
                one.not_before = SignedDuration::try_from(again).ok().and_then(|again| now.checked_add(again).ok());
            }
            Ok(Some(again)) => return again,
            Err(error) => {
                tracing::warn!(%error, target = target.name, "the records of the platform are not stored yet");
                if !error.kind.is_transient() {
                    one.failed = Some(error.to_string());
                    one.not_before = now.checked_add(REFUSED).ok();
                }
            }
        }
    }
    ROUND
}

/// What is next at one target; when to look again.
async fn step(
    context: &Context,
    place: &Place<'_>,
    known: &mut Known,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Option<Duration>, WriteError> {
    let kept = match known.kept.clone() {
        Some(kept) => kept,
        None => match read(context, &place.target.name).await? {
            Ok(kept) => known.kept.insert(kept).clone(),
            Err(words) => {
                known.failed = Some(words);
                return Ok(None);
            }
        },
    };
    let (store, forget) = if known.has_no_job { (None, None) } else { jobs(context, place, now).await? };
    known.has_no_job = store.is_none() && forget.is_none();
    let forgets = forget.is_some();
    let may_forget = known.forgets_after.is_none_or(|at| at <= now);
    let digest = &wanted.digest;
    let next = next(&ObservedRecords { now, place: *place, kept: &kept, digest, store, forget, may_forget });
    // Nothing is left to do: what could not be asked for a while does not matter any more.
    if next.failed.is_some() || next.action == RecordsAction::Nothing {
        known.failed = next.failed;
    }
    match next.action {
        RecordsAction::Nothing => Ok(next.again.or(Some(AT_REST))),
        RecordsAction::Wait => Ok(next.again),
        RecordsAction::Keep { kept: after, job } => {
            keep(context, place, &kept, &after, &job).await?;
            let has_stored = job.name == store_name(&place.target.name);
            if has_stored {
                known.failed = None;
            } else if after == kept {
                known.forgets_after = now.checked_add(FORGETS_AGAIN).ok();
            }
            known.has_no_job = !has_stored || !forgets;
            known.kept = Some(after);
            Ok(None)
        }
        RecordsAction::Store { replaces, meets_lock } => {
            begin(context, place, known, wanted, (replaces.as_ref(), meets_lock), now).await
        }
        RecordsAction::Forget(snapshots) => {
            if !may_remove(context, place, &kept).await {
                known.forgets_after = now.checked_add(FORGETS_AGAIN).ok();
                return Ok(None);
            }
            let name = forget_name(&place.target.name);
            create(context, "Job", &name, &forget_job(place, &snapshots)).await?;
            known.has_no_job = false;
            Ok(Some(SOON))
        }
    }
}

/// Whether snapshots may be given up: a wrong clock would give up what is young, and without its Secret the Job would
/// keep others from theirs.
async fn may_remove(context: &Context, place: &Place<'_>, kept: &KeptRecords) -> bool {
    let secret = place.target.care_secret().or(place.target.secret());
    if secret.is_none_or(|name| context.caches().platform_secret(&name).is_none()) {
        return false;
    }
    let clocks = clock::read(context.start, context.server.client(), kept.newest()).await;
    clocks.is_some_and(|clocks| agreed(&clocks).is_ok())
}

/// What is known to be at a target, or why nobody can tell.
async fn read(context: &Context, target: &str) -> Result<Result<KeptRecords, String>, WriteError> {
    let name = kept_name(target);
    match context.server.get(at_home(context, CONFIG_MAP, &name)).await {
        Ok(object) => Ok(read_kept(&object)),
        Err(error) if error.kind == ErrorKind::Missing => Ok(Ok(KeptRecords::default())),
        Err(error) => Err(error),
    }
}

fn at_home<'a>(context: &'a Context, kind: &'a str, name: &'a str) -> Target<'a> {
    Target { kind, namespace: context.server.home(), name }
}

type Stores = Option<(SeenJob, Option<Attempt>)>;
type Forgets = Option<(SeenJob, Vec<String>)>;

async fn jobs(context: &Context, place: &Place<'_>, now: Timestamp) -> Result<(Stores, Forgets), WriteError> {
    let target = &place.target.name;
    let store = home_job(context, &store_name(target)).await?;
    let forget = home_job(context, &forget_name(target)).await?;
    Ok((
        store.map(|found| (found.seen(now), stores(found.annotation(STORES)))),
        forget.map(|found| (found.seen(now), forgets(found.annotation(FORGETS)))),
    ))
}

/// Keeps what a Job said, then removes it: in the other order what it said could be lost.
async fn keep(
    context: &Context,
    place: &Place<'_>,
    before: &KeptRecords,
    after: &KeptRecords,
    job: &SeenJob,
) -> Result<(), WriteError> {
    if before != after {
        let target = &place.target.name;
        let object = kept_object(context.server.home(), target, after);
        context.server.apply(at_home(context, CONFIG_MAP, &kept_name(target)), &object).await?;
    }
    context.server.delete(at_home(context, "Job", &job.name), &job.uid).await
}

/// By whom all this is written, and whose condition tells of it.
fn by() -> Key {
    Key::cluster(Kind::Platform, "default")
}

/// Whether a pod is at work with the repository, by a live look.
pub(super) async fn somebody_works(context: &Context, place: &Place<'_>) -> Result<bool, WriteError> {
    let pods = context.server.pods(context.server.home(), OPERATION_PODS).await?;
    Ok(is_at_work(place, &pods))
}

/// Writes the records in pieces, then makes the Job that stores them, once all is there that it needs. `former`: the
/// Job of an attempt that failed, and whether it met a lock.
async fn begin(
    context: &Context,
    place: &Place<'_>,
    known: &mut Known,
    wanted: &Wanted,
    (former, meets_lock): (Option<&SeenJob>, bool),
    now: Timestamp,
) -> Result<Option<Duration>, WriteError> {
    if another_stores(context, place, now).await? {
        return Ok(Some(SOON));
    }
    if let Some(again) = before(context, place, known, now).await? {
        return Ok(Some(again));
    }
    // One that prunes or checks keeps others out for as long as it takes, and the other targets need not wait.
    if somebody_works(context, place).await? {
        return Ok(Some(ROUND));
    }
    let unlock = meets_lock;
    let records = Records { taken_at: now, ..wanted.records.clone() };
    let pieces = match Pieces::of(&records, context.server.home()) {
        Ok(pieces) => pieces,
        Err(words) => {
            known.failed = Some(words);
            return Ok(Some(ROUND));
        }
    };
    forget_pieces(context).await?;
    for (name, piece) in &pieces.objects {
        create(context, CONFIG_MAP, name, piece).await?;
    }
    if let Some(job) = former {
        context.server.delete(at_home(context, "Job", &job.name), &job.uid).await?;
    }
    let attempt = Attempt { taken_at: now, digest: wanted.digest.clone() };
    let expected = known.kept.as_ref().and_then(|kept| kept.repository.as_deref());
    let job = store_job(place, &pieces, &attempt, expected, unlock);
    tracing::info!(target = place.target.name, pieces = pieces.objects.len(), "the platform's records go to a target");
    create(context, "Job", &store_name(&place.target.name), &job).await?;
    known.has_no_job = false;
    Ok(Some(SOON))
}

/// Whether records are being stored at another target: it mounts the pieces, and it may be the same place.
async fn another_stores(context: &Context, place: &Place<'_>, now: Timestamp) -> Result<bool, WriteError> {
    let others = place.backup.targets.iter().filter(|other| other.name != place.target.name);
    for other in others {
        let job = home_job(context, &store_name(&other.name)).await?;
        if job.is_some_and(|job| job.seen(now).state == JobState::Runs) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes the pieces of earlier records: no Job is at work that mounts them.
async fn forget_pieces(context: &Context) -> Result<(), WriteError> {
    let Some(resource) = kinds::resource(CONFIG_MAP) else { return Ok(()) };
    for metadata in context.server.list_metadata(&resource, context.server.home()).await? {
        if let (true, Some(name), Some(uid)) = (is_piece(&metadata).is_some(), &metadata.name, &metadata.uid) {
            context.server.delete(at_home(context, CONFIG_MAP, name), uid).await?;
        }
    }
    Ok(())
}

/// Makes an object; one that is there already is as good: another look made it.
async fn create(context: &Context, kind: &str, name: &str, object: &Value) -> Result<(), WriteError> {
    match context.server.create(at_home(context, kind, name), object).await {
        Err(error) if error.kind == ErrorKind::Exists => Ok(()),
        other => other.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::records::KeptSnapshot;

    fn known(taken_at: &str) -> Known {
        let attempt = Attempt { taken_at: taken_at.parse().unwrap(), digest: "a".to_owned() };
        let snapshots = vec![KeptSnapshot { snapshot: "s".to_owned(), attempt }];
        let kept = Some(KeptRecords { repository: None, snapshots });
        Known { kept, has_no_job: true, ..Known::default() }
    }

    #[test]
    fn nothing_is_gathered_while_nothing_can_be_due() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().unwrap();
        let young = || known("2026-11-30T11:55:00Z");
        assert!(!may_be_due(Some(&young()), now));
        assert!(may_be_due(None, now) && may_be_due(Some(&known("2026-11-30T11:50:00Z")), now));
        assert!(may_be_due(Some(&Known { has_no_job: false, ..young() }), now), "a Job may be at work");
        assert!(may_be_due(Some(&known("2027-11-30T12:00:00Z")), now), "a clock was ahead");
        let later = now.checked_add(PAUSE).ok();
        assert!(!may_be_due(Some(&Known { has_no_job: false, not_before: later, ..young() }), now));
    }
}
