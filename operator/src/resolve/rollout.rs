//! Who moves to a template's newest revision when the Platform says `rollout.strategy: Automatic`.
//!
//! The instances of a template stand in one queue, the same for whoever looks: those that hold the
//! roll-out up, those that are Ready, those that are not. The first `maxUnavailable` of it may move.
//! Nobody who joins the queue overtakes one that was chosen: [`Stage`] comes first, then who has been
//! there longest.

use k8s_openapi::jiff::Timestamp;

use super::facts::{Facts, UnfinishedRestore};
use super::instance::Instance;
use crate::api::{Condition, ConditionType, Dedicated, InstanceSpec, InstanceStatus, PlatformSpec, RolloutStrategy};

/// What a roll-out does with an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// Nothing: whoever sets `spec.revision` moves it, or nothing does while it is paused.
    Off,
    /// It runs the newest revision, or is to run it now.
    Newest(String),
    /// It stays on its revision until it is its turn.
    Waits {
        /// The newest revision.
        revision: String,
        /// Who is before it, as `namespace/name`; nobody is named far back in a long queue.
        after: Vec<String>,
        /// How many may be not Ready.
        maximum: usize,
    },
}

/// How far an instance is, in the order of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It holds the roll-out up on the newest revision.
    Moved,
    /// It holds the roll-out up, and not all of the newest revision is applied.
    Begun,
    /// It is Ready on another revision.
    Ready,
    /// It is not Ready on another revision, and no roll-out made it so: it never keeps those waiting
    /// that are Ready.
    NotReady,
    /// The same, until somebody changes something: it keeps nobody waiting.
    Stalled,
}

/// An instance of a template in the queue of a roll-out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    stage: Stage,
    since: Option<Timestamp>,
    namespace: String,
    name: String,
    kind: String,
}

/// So many at the head of the queue are told for whom they wait. The others would have their status
/// written again at each step of a roll-out.
const NAMED: usize = 10;

impl Peer {
    /// The place of a Dedicated resource in the queue for this revision; none: it is not in it.
    pub fn of(resource: &dyn Dedicated, newest: &str) -> Option<Self> {
        let metadata = resource.metadata();
        if metadata.deletion_timestamp.is_some() {
            return None;
        }
        let (stage, since) = stage(resource.instance(), resource.status()?, newest)?;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        Some(Self {
            stage,
            since,
            namespace: text(&metadata.namespace),
            name: text(&metadata.name),
            kind: resource.kind().to_owned(),
        })
    }

    fn of_instance(instance: &Instance, newest: &str) -> Option<Self> {
        let (stage, since) = stage(&instance.spec, &instance.status, newest)?;
        let reference = &instance.reference;
        Some(Self {
            stage,
            since,
            namespace: reference.namespace.clone(),
            name: reference.name.clone(),
            kind: reference.kind.clone(),
        })
    }
}

/// A paused instance, one that its `spec.revision` keeps elsewhere, and one that runs the newest
/// revision as it should are in nobody's way.
fn stage(spec: &InstanceSpec, status: &InstanceStatus, newest: &str) -> Option<(Stage, Option<Timestamp>)> {
    let revision = status.revision.as_deref()?;
    if spec.paused || spec.revision.as_deref().is_some_and(|named| named != newest) {
        return None;
    }
    let holds = status.is_true(ConditionType::HoldsRollout);
    let ready = status.condition(ConditionType::Ready);
    let since = |condition: Option<&Condition>| condition.map(|condition| condition.last_transition_time.0);
    match holds {
        Some(_) if revision == newest => Some((Stage::Moved, since(holds))),
        Some(_) => Some((Stage::Begun, since(holds))),
        None if revision == newest => None,
        None if status.is_true(ConditionType::Ready).is_some() => Some((Stage::Ready, since(ready))),
        None if status.is_true(ConditionType::Stalled).is_some() => Some((Stage::Stalled, since(ready))),
        None => Some((Stage::NotReady, since(ready))),
    }
}

/// What a roll-out does with an instance. Pure: two passes at once that see the same see the same
/// queue, and who was chosen stays before all others until it is Ready.
pub fn rollout(instance: &Instance, facts: &Facts, platform: Option<&PlatformSpec>) -> Rollout {
    if facts.restore.as_ref().is_some_and(UnfinishedRestore::has_begun) {
        return Rollout::Off;
    }
    let rule = platform.map(|platform| platform.rollout).unwrap_or_default();
    let (RolloutStrategy::Automatic, Some(newest)) = (rule.strategy, facts.newest_revision.as_deref()) else {
        return Rollout::Off;
    };
    if instance.spec.paused || instance.spec.revision.as_deref().is_some_and(|named| named != newest) {
        return Rollout::Off;
    }
    let moves = Rollout::Newest(newest.to_owned());
    let runs = instance.status.revision.as_deref();
    // What does not run yet begins with the newest.
    if runs.is_none_or(|runs| runs == newest) || instance.spec.revision.is_some() {
        return moves;
    }
    let Some(own) = Peer::of_instance(instance, newest) else { return moves };
    let waited_for = |peer: &&Peer| peer.stage != Stage::Stalled && **peer < own;
    let mut before: Vec<&Peer> = facts.peers.iter().filter(waited_for).collect();
    let maximum = usize::try_from(rule.max_unavailable).unwrap_or(usize::MAX).max(1);
    if before.len() < maximum {
        return moves;
    }
    before.sort();
    let is_near = before.len() < maximum.saturating_add(NAMED);
    let named = before.iter().take(if is_near { maximum.min(NAMED) } else { 0 });
    let after = named.map(|peer| format!("{}/{}", peer.namespace, peer.name)).collect();
    Rollout::Waits { revision: newest.to_owned(), after, maximum }
}
