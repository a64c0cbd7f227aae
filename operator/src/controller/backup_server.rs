//! Runs the servers of targets that are volumes, in the operator's namespace. No cache has what stands there, so it is
//! looked at in rounds while the operator leads; nothing is asked while the Platform names no volume and none is left.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::context::Context;
use super::workers::contained;
use crate::api::{Condition, ConditionType, Platform, Reason};
use crate::apply::{WriteError, apply};
use crate::backup::server::SERVER;
use crate::backup::serving::{ObservedServers, Serving, has_volumes, serving};
use crate::cache::{Key, Kind, Live, Sealed};
use crate::compare::{Action, Change};
use crate::kinds;
use crate::report::{ConditionUpdate, Problem};

/// Between two looks while all is as the Platform says ...
const ROUND: Duration = Duration::from_mins(1);
/// ... and while something is not, or the Platform was changed.
const SOON: Duration = Duration::from_secs(5);
/// What a server is made of beside its Secrets.
const KINDS: [&str; 4] = ["NetworkPolicy", "Service", "Deployment", kinds::VOLUME.kind];
/// What this tells of.
const TOLD: [ConditionType; 2] = [ConditionType::BackupVolumesServed, ConditionType::BackupVolumeKept];

/// What is told of servers, for the Platform's conditions. None: nobody has looked since the start.
#[derive(Default)]
pub struct ServersTold(Mutex<Option<Vec<ConditionUpdate>>>);

/// When somebody looked last, and what was there then.
#[derive(Default)]
struct Look {
    /// When, and by which version of the Platform.
    last: Option<(Instant, Option<i64>)>,
    /// Whether nothing was to be done.
    rests: bool,
}

impl Look {
    fn is_due(&self, platform: &Platform) -> bool {
        let fresh = |(at, generation): (Instant, Option<i64>)| {
            self.rests && generation == platform.metadata.generation && at.elapsed() < ROUND
        };
        !self.last.is_some_and(fresh)
    }
}

/// Runs the servers for ever. Only a process that leads may call it.
pub async fn run(context: &Context) {
    let mut look = Look::default();
    loop {
        let done = Box::pin(contained(round(context, &mut look))).await;
        if let Err(words) = done {
            tracing::error!(panic = words, "the servers of backups panicked; this is a fault of the operator");
        }
        tokio::time::sleep(SOON).await;
    }
}

async fn round(context: &Context, look: &mut Look) {
    let Some(platform) = context.caches().platform() else { return };
    // The Secrets of a server stay: without any, none was ever made here.
    if !has_volumes(&platform) && !context.caches().platform_secrets.all().iter().any(|secret| is_of_server(secret)) {
        return tell(context, &Serving::default());
    }
    if !look.is_due(&platform) {
        return;
    }
    match step(context, &platform).await {
        Ok(rests) => *look = Look { last: Some((Instant::now(), platform.metadata.generation)), rests },
        Err(error) => tracing::warn!(%error, "the servers of backups are not looked at yet; trying again"),
    }
}

fn is_of_server(secret: &Sealed) -> bool {
    secret.labels.contains_key(SERVER)
}

/// Does what is next; whether nothing was.
async fn step(context: &Context, platform: &Platform) -> Result<bool, WriteError> {
    let observed = observed(context).await?;
    let mut serving = serving(platform, &context.own, &observed);
    let rests = serving.is_at_rest();
    for changes in std::mem::take(&mut serving.changes) {
        let shown: Vec<String> = changes.iter().map(ToString::to_string).collect();
        tracing::info!(changes = shown.join(", "), "the server of a target");
        let applied = apply(&context.server, &context.known, &by(), &changes).await;
        serving.problems.extend(applied.worst().map(|error| refused(error, &changes)));
    }
    tell(context, &serving);
    Ok(rests)
}

/// Why a write was not taken.
fn refused(error: &WriteError, changes: &[Change]) -> Problem {
    let grows = changes.iter().any(|change| matches!(change.action, Action::Merge { .. }));
    let is_of_claim = error.object.starts_with(kinds::VOLUME.kind);
    let reason = if grows && is_of_claim { Reason::VolumeGrowthFailed } else { Reason::BackupServerNotReady };
    Problem::new(reason, error.to_string())
}

async fn observed(context: &Context) -> Result<ObservedServers, WriteError> {
    let mut objects = Vec::new();
    for kind in KINDS {
        let found = context.server.labelled(kind, context.server.home(), SERVER).await?;
        objects.extend(found.into_iter().map(|object| Arc::new(Live::of(kind, object))));
    }
    let secrets = context.caches().platform_secrets.all();
    let secrets: BTreeMap<String, String> = secrets
        .iter()
        .filter(|secret| !secret.deleting)
        .map(|secret| (secret.name.clone(), secret.uid.clone()))
        .collect();
    Ok(ObservedServers { objects, secrets })
}

/// By whom all this is written, and whose conditions tell of it.
fn by() -> Key {
    Key::cluster(Kind::Platform, "default")
}

fn tell(context: &Context, serving: &Serving) {
    let shown = serving.shown(context.server.home());
    let mut told = context.servers.0.lock().unwrap_or_else(PoisonError::into_inner);
    if told.as_ref() != Some(&shown) {
        *told = Some(shown);
        context.known.again(&by());
    }
}

/// What the Platform says of it; what it said before, until somebody has looked.
pub(super) fn conditions(told: &ServersTold, before: &[Condition]) -> Vec<ConditionUpdate> {
    let told = told.0.lock().unwrap_or_else(PoisonError::into_inner);
    let said = || {
        let of = |kind: ConditionType| before.iter().find(move |condition| condition.type_ == kind.as_str());
        let again = |kind: ConditionType| {
            let Condition { status, reason, message, .. } = of(kind)?;
            let problem = Problem { reason: reason.clone(), message: message.clone() };
            Some(ConditionUpdate::problem(kind, status == "True", &problem))
        };
        TOLD.into_iter().filter_map(again).collect()
    };
    told.clone().unwrap_or_else(said)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::report;

    #[test]
    fn a_start_changes_nothing_of_what_was_told_before_somebody_has_looked() {
        let told = |updates: Option<Vec<ConditionUpdate>>| ServersTold(Mutex::new(updates));
        let shown = |told: &ServersTold, before: &[Condition]| {
            report::conditions(before, conditions(told, before), 1, Timestamp::UNIX_EPOCH)
        };
        let kept = ConditionUpdate::new(ConditionType::BackupVolumeKept, true, Reason::BackupVolumeKept, "a claim");
        let failing =
            ConditionUpdate::new(ConditionType::BackupVolumesServed, false, Reason::BackupServerNotReady, "no pod");
        let before = shown(&told(Some(vec![failing, kept])), &[]);
        let words: Vec<_> = before.iter().map(|is| (is.type_.as_str(), is.status.as_str())).collect();
        assert_eq!(words, [("BackupVolumeKept", "True"), ("BackupVolumesServed", "False")]);
        assert_eq!(shown(&told(None), &before), before);
        assert_eq!(shown(&told(Some(Vec::new())), &before), []);
    }
}
