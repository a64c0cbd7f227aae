//! What would come back, how old it is and how long it takes; and what came of it.

use std::time::Duration;

use commonscloud_backup::records::Records;
use commonscloud_operator::kinds;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::data::{self, Source};
use super::records::{Plan, record};
use super::restores::Awaited;
use crate::asked;
use crate::status::aligned;
use crate::target::{Keys, Target, short};

/// What restores read and write in a second, for the estimate; a slow line to the target is slower.
const RATE: u64 = 30 << 20;
/// What a service takes beside its bytes: Jobs, and to start.
const EACH: Duration = Duration::from_mins(3);

/// What is expected of one service.
pub(crate) struct Expected<'r> {
    pub(crate) entity: &'r str,
    pub(crate) service: &'r str,
    /// What it comes back from, or why it does not.
    pub(crate) source: Result<Source<'r>, String>,
}

/// Looks at the target for each service that has data.
pub(crate) async fn expected<'r>(target: &Target, keys: &Keys, plan: &Plan<'r>) -> Vec<Expected<'r>> {
    let mut expected = Vec::new();
    for planned in &plan.entities {
        for recorded in planned.data.iter().filter(|recorded| !matches!(record(recorded, None), Ok(None))) {
            let service = recorded.metadata.name.as_str();
            let backups = planned.backups.iter().find(|backups| backups.service == service);
            let source = data::source(target, keys, backups).await;
            expected.push(Expected { entity: planned.name, service, source });
        }
    }
    expected
}

/// For people.
pub(crate) fn text(
    records: &Records,
    snapshot: &str,
    expected: &[Expected<'_>],
    missing: &[String],
    at_once: u64,
    now: Timestamp,
) -> String {
    let mut rows = vec![["ENTITY", "SERVICE", "AS OF", "AGE", "SIZE", "RUN"].map(str::to_owned)];
    rows.extend(expected.iter().map(|one| {
        let (entity, service) = (one.entity.to_owned(), one.service.to_owned());
        match &one.source {
            Ok(source) => {
                let taken = source.taken();
                let size = source.run.status.size.clone().unwrap_or_else(|| "?".to_owned());
                let shown = taken.map_or_else(|| "?".to_owned(), asked::shown);
                [entity, service, shown, age(taken, now), size, source.run.name.clone()]
            }
            Err(_) => {
                [entity, service, "-".to_owned(), "-".to_owned(), "-".to_owned(), "NOT AT THIS TARGET".to_owned()]
            }
        }
    }));
    let found: Vec<&Source<'_>> = expected.iter().filter_map(|one| one.source.as_ref().ok()).collect();
    let bytes = found.iter().map(|source| source.bytes()).fold(0, u64::saturating_add);
    let mut text = format!(
        "records {} of {}, of cluster {} and release {}: {} Entities, {} Tariffs, {} templates, {} revisions, {} records of data, people of {} Entities\n\n{}\n",
        short(snapshot),
        records.taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        records.cluster.uid.as_deref().unwrap_or("unknown"),
        records.cluster.release,
        records.entities.len(),
        records.tariffs.len(),
        records.templates.len(),
        records.revisions.len(),
        records.records.len(),
        records.people.iter().filter(|object| object.kind == kinds::COLLECTIVE.kind).count(),
        aligned(&rows),
    );
    let oldest = found.iter().filter_map(|source| source.taken()).min();
    text += &format!("what was written in the last {} may be lost (RPO, by the oldest of these)\n", age(oldest, now));
    text += &format!(
        "{} MiB in {} services: about {} (RTO, at {} MiB a second and {at_once} at once)\n",
        bytes >> 20,
        found.len(),
        shown(estimate(bytes, found.len() as u64, at_once)),
        RATE >> 20,
    );
    for one in expected {
        match &one.source {
            Ok(source) => {
                for why in &source.missing {
                    text += &format!("missing: {}/{} comes back from an older run: {why}\n", one.entity, one.service);
                }
            }
            Err(why) => text += &format!("missing: {}/{}: {why}\n", one.entity, one.service),
        }
    }
    for line in missing {
        text += &format!("missing: {line}\n");
    }
    text.trim_end().to_owned()
}

/// How old what came back is (RPO), and how long it took (RTO).
pub(crate) fn outcome(records: &Records, awaited: &[Awaited<'_>], begun: Timestamp, now: Timestamp) -> String {
    let oldest = awaited.iter().filter_map(|one| one.source.taken()).min();
    let rpo = match oldest {
        Some(oldest) => format!("RPO: the oldest data is as it was at {}", asked::shown(oldest)),
        None => "RPO: no service had to be restored in this call".to_owned(),
    };
    let rto = seconds(now.duration_since(begun));
    format!("{rpo}; the records are of {}\nRTO: {}", asked::shown(records.taken_at), shown(rto))
}

fn estimate(bytes: u64, services: u64, at_once: u64) -> Duration {
    let rounds = u32::try_from(services.div_ceil(at_once.max(1))).unwrap_or(u32::MAX);
    Duration::from_secs(bytes / RATE).saturating_add(EACH.saturating_mul(rounds))
}

fn age(of: Option<Timestamp>, now: Timestamp) -> String {
    of.map_or_else(|| "?".to_owned(), |of| shown(seconds(now.duration_since(of))))
}

fn seconds(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or_default()
}

/// `2 d 3 h`, `3 h 5 min`, `5 min 7 s`.
fn shown(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_counts_bytes_and_rounds() {
        assert_eq!(estimate(RATE * 60, 9, 4), Duration::from_mins(1 + 3 * 3));
        assert_eq!(estimate(0, 0, 4), Duration::ZERO);
    }

    #[test]
    fn a_time_is_said_in_two_units() {
        let of = |seconds| shown(Duration::from_secs(seconds));
        assert_eq!((of(307), of(11_100), of(183_600)), ("5 min 7 s".into(), "3 h 5 min".into(), "2 d 3 h".into()));
    }

    #[test]
    fn what_is_not_at_the_target_is_named_and_does_not_count() {
        let expected = [Expected { entity: "hort", service: "site", source: Err("another repository".to_owned()) }];
        let now = "2026-11-30T00:00:00Z".parse().unwrap();
        let text = text(&Records::default(), "abc", &expected, &["Secret a/b".to_owned()], 4, now);
        for told in
            ["NOT AT THIS TARGET", "missing: hort/site: another repository", "missing: Secret a/b", "0 services"]
        {
            assert!(text.contains(told), "{told}: {text}");
        }
    }
}
