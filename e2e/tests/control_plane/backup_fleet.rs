//! Twenty Entities with three services each, backed up in one window.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::backup::servers::much_later;
use commonscloud_e2e::fleet::{all_ready, apply, entities};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Failure, Outcome, chart, ensure, ensure_eq};
use commonscloud_operator::api::ServiceBackup;
use commonscloud_operator::cache::has_ended;
use commonscloud_operator::core::schedule::offset;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::tier::{ControlPlane, platform};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "20 entities with three services: runs are spread, no two of one repository, nobody starves",
            spread,
        )
        .apart()
        .slow(),
    ]
}

const ENTITIES: usize = 20;
const PREFIX: &str = "backed";
const READY: Duration = Duration::from_mins(5);
/// The shortest window that the Platform takes.
const WINDOW: SignedDuration = SignedDuration::from_mins(5);
const AT_ONCE: usize = 4;
/// What keeps pods of runs from ending in other scenarios on this cluster.
const HELD: &str = "e2e-operation-pods";
/// A run lasts seconds: nobody waits longer for its turn.
const PATIENCE: SignedDuration = SignedDuration::from_mins(2);
const GLANCE: Duration = Duration::from_millis(300);

/// Entity and service.
type Of = (String, String);

/// What was seen of the runs.
#[derive(Default)]
struct Seen {
    /// When the runs of each service were made, by their names.
    made: BTreeMap<Of, BTreeMap<String, Timestamp>>,
    ended: BTreeSet<Of>,
    at_once: usize,
    twice: Option<Of>,
}

async fn spread(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let client = &tier.cluster.client;
    apply(client, &entities(PREFIX, ENTITIES)).await?;
    all_ready(client, PREFIX, ENTITIES, Instant::now(), READY).await?;

    // Here pods end by themselves, and say nothing: each run fails within seconds.
    let binding = ["delete", "validatingadmissionpolicybinding", HELD, "--ignore-not-found"];
    tier.cluster.kubectl.ok(&binding).await?;
    let begin = next_minute()?;
    tier.cluster.applied(&[target_secret(), platform_with_backups(begin)]).await?;
    let outcome = watched(&Api::all(client.clone()), begin).await;
    tier.cluster.applied(&[platform()]).await?;
    judged(&outcome?, begin)?;
    let names: Vec<String> = (0..ENTITIES).map(|number| format!("{PREFIX}-{number}")).collect();
    let words = ["delete", "entities", "--wait=false"];
    let all: Vec<&str> = words.into_iter().chain(names.iter().map(String::as_str)).collect();
    tier.cluster.kubectl.ok(&all).await.map(drop)
}

/// The minute after the next one: the Platform is there before.
fn next_minute() -> Outcome<Timestamp> {
    let minute = Timestamp::now().as_second().div_euclid(60) + 2;
    Ok(Timestamp::from_second(minute * 60)?)
}

fn target_secret() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": chart::NAMESPACE, "name": "backups"},
        "stringData": {"accessKeyId": "key", "secretAccessKey": "secret"},
    })
}

fn platform_with_backups(begin: Timestamp) -> Value {
    let mut platform = platform();
    platform["spec"]["backup"] = json!({
        "targets": [{"name": "offsite", "s3": {
            "endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": "backups",
        }}],
        "recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"],
        "drills": {"enabled": false},
        "schedule": {
            "cron": begin.strftime("%-M %-H * * *").to_string(), "timeZone": "Etc/UTC",
            "windowMinutes": WINDOW.as_mins(), "atOnce": AT_ONCE,
        },
        "care": much_later(),
    });
    platform
}

/// Looks until each service had a run that ended, or the time is over.
async fn watched(runs: &Api<ServiceBackup>, begin: Timestamp) -> Outcome<Seen> {
    let mut seen = Seen::default();
    let end = begin + WINDOW + PATIENCE + PATIENCE;
    while seen.ended.len() < ENTITIES * 3 && Timestamp::now() < end {
        let mut unfinished: BTreeMap<Of, usize> = BTreeMap::new();
        for run in runs.list(&ListParams::default()).await? {
            let metadata = &run.metadata;
            let (Some(entity), Some(name)) = (metadata.namespace.clone(), metadata.name.clone()) else { continue };
            let made = metadata.creation_timestamp.as_ref().ok_or_else(|| Failure::new("a run that was never made"))?;
            if !entity.strip_prefix(PREFIX).is_some_and(|rest| rest.starts_with('-')) {
                continue;
            }
            let of = (entity, run.spec.service.clone());
            seen.made.entry(of.clone()).or_default().insert(name, made.0);
            if has_ended(&run) {
                seen.ended.insert(of);
            } else {
                *unfinished.entry(of).or_default() += 1;
            }
        }
        seen.at_once = seen.at_once.max(unfinished.values().sum());
        seen.twice = seen.twice.or_else(|| unfinished.into_iter().find(|(_, count)| *count > 1).map(|(of, _)| of));
        tokio::time::sleep(GLANCE).await;
    }
    Ok(seen)
}

fn judged(seen: &Seen, begin: Timestamp) -> Outcome {
    ensure_eq!(seen.ended.len(), ENTITIES * 3, "services with a run that ended");
    ensure!(seen.at_once <= AT_ONCE, "{} runs at once, {AT_ONCE} are allowed", seen.at_once);
    ensure!(seen.twice.is_none(), "two runs at once of {:?}", seen.twice);
    for ((entity, service), made) in &seen.made {
        let name = format!("{service}-{}", begin.strftime("%Y%m%d-%H%M"));
        let first = made.get(&name).ok_or_else(|| Failure::new(format!("{entity}: no run {name}: {made:?}")))?;
        let turn = begin + offset(WINDOW, entity, service);
        // The API server writes whole seconds.
        let waited = first.duration_since(turn) + SignedDuration::from_secs(1);
        ensure!(!waited.is_negative(), "{entity}/{service} began at {first}, before its turn at {turn}");
        ensure!(waited < PATIENCE, "{entity}/{service} began at {first}, long after its turn at {turn}");
        ensure_eq!(made.len(), 1, "runs of {entity}/{service} in this window");
    }
    Ok(())
}
