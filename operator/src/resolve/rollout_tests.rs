//! The queue of a roll-out: who moves, who waits for whom, and that nobody overtakes.

use std::sync::{Arc, OnceLock};

use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;

use super::fixtures::{facts, read};
use super::rollout::{Peer, Rollout, rollout};
use super::{Facts, Instance};
use crate::api::{Dedicated as _, DedicatedService, Platform, RolloutStrategy};

const NEWEST: &str = "radicale-new";

/// An instance `site` in a namespace: what it runs, its conditions as `Type Status since-second`.
fn service(namespace: &str, revision: &str, conditions: &[&str], spec: &str) -> DedicatedService {
    let condition = |text: &&str| {
        let words: Vec<&str> = text.split(' ').collect();
        format!(
            "{{type: {}, status: '{}', reason: R, message: '', lastTransitionTime: '{}'}}",
            words[0],
            words[1],
            Timestamp::from_second(words[2].parse().unwrap()).unwrap()
        )
    };
    let conditions: Vec<String> = conditions.iter().map(condition).collect();
    read(&format!(
        "apiVersion: commonscloud.coop/v1alpha1\nkind: DedicatedService\nmetadata: {{name: site, namespace: {namespace}, uid: {namespace}, generation: 1}}\nspec: {{template: radicale, tier: 1gb{spec}}}\nstatus: {{revision: {revision}, conditions: [{}]}}",
        conditions.join(", ")
    ))
}

fn ready(namespace: &str, since: u32) -> DedicatedService {
    service(namespace, "radicale-old", &[&format!("Ready True {since}")], "")
}

/// Whether each may run the newest revision, all looked at side by side.
fn moving(all: &[DedicatedService], maximum: u32) -> Vec<String> {
    let moves = |service: &&DedicatedService| matches!(of(service, all, maximum), Rollout::Newest(_));
    all.iter().filter(moves).map(|service| service.metadata().namespace.clone().unwrap()).collect()
}

fn of(service: &DedicatedService, all: &[DedicatedService], maximum: u32) -> Rollout {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    let mut facts = FACTS.get_or_init(facts).clone();
    let mut platform = Platform::clone(facts.platform.as_deref().unwrap());
    platform.spec.rollout.strategy = RolloutStrategy::Automatic;
    platform.spec.rollout.max_unavailable = maximum;
    let others = all.iter().filter(|other| other.metadata().uid != service.metadata().uid);
    facts.peers = others.filter_map(|other| Peer::of(other, NEWEST)).collect();
    facts.newest_revision = Some(NEWEST.to_owned());
    facts.platform = Some(Arc::new(platform));
    look(service, &facts)
}

fn look(service: &DedicatedService, facts: &Facts) -> Rollout {
    rollout(&Instance::of(service), facts, facts.platform.as_deref().map(|platform| &platform.spec))
}

#[test]
fn not_everybody_moves_at_once() {
    let all: Vec<_> = ["a", "b", "c", "d"].map(|namespace| ready(namespace, 1)).into();
    assert_eq!(moving(&all, 1), ["a"]);
    assert_eq!(moving(&all, 3), ["a", "b", "c"]);
    let Rollout::Waits { revision, after, maximum } = of(&all[3], &all, 1) else { panic!("d moves") };
    assert_eq!((revision.as_str(), after.as_slice(), maximum), (NEWEST, &["a/site".to_owned()][..], 1));
}

#[test]
fn one_that_moved_and_is_not_ready_keeps_the_others() {
    let mut all: Vec<_> = ["b", "c"].map(|namespace| ready(namespace, 1)).into();
    all.push(service("z", NEWEST, &["Ready False 9", "HoldsRollout True 9"], ""));
    assert_eq!(moving(&all, 1), ["z"]);
    assert_eq!(moving(&all, 2), ["b", "z"]);
    let waits = of(&all[0], &all, 1);
    assert!(matches!(&waits, Rollout::Waits { after, .. } if after == &["z/site"]), "{waits:?}");
    all[2] = service("z", NEWEST, &["Ready True 10"], "");
    assert_eq!(moving(&all, 1), ["b", "z"], "it is Ready there");
}

#[test]
fn one_that_was_begun_goes_on_and_is_not_overtaken() {
    let begun = service("z", "radicale-old", &["Ready False 9", "HoldsRollout True 9"], "");
    let all = [ready("a", 1), begun, service("b", "radicale-old", &["Ready False 2"], "")];
    assert_eq!(moving(&all, 1), ["z"]);
}

#[test]
fn one_that_becomes_ready_later_does_not_overtake_one_that_was_chosen() {
    let mut all = vec![ready("b", 1), service("a", "radicale-old", &["Ready False 2"], "")];
    assert_eq!(moving(&all, 1), ["b"]);
    all[1] = ready("a", 3);
    assert_eq!(moving(&all, 1), ["b"], "it is being moved, and nothing of it is reported yet");
}

#[test]
fn one_that_was_not_ready_before_keeps_nobody_and_comes_last() {
    let broken = service("a", "radicale-old", &["Ready False 1"], "");
    let all = [broken.clone(), ready("b", 5), ready("c", 6)];
    assert_eq!(moving(&all, 1), ["b"]);
    let moved = service("a", NEWEST, &["Ready False 1"], "");
    assert_eq!(moving(&[moved, ready("b", 5)], 1), ["a", "b"], "no roll-out made it so");
    assert_eq!(moving(&[broken], 1), ["a"], "nobody is left before it");
}

#[test]
fn one_whose_manifest_is_refused_for_ever_keeps_no_other_that_is_not_ready() {
    let refused = service("a", "radicale-old", &["Ready False 1", "Stalled True 1"], "");
    let starting = service("b", "radicale-old", &["Ready False 2"], "");
    assert_eq!(moving(&[refused.clone(), starting.clone()], 1), ["b"]);
    assert_eq!(
        moving(&[refused.clone(), service("c", "radicale-old", &["Ready False 1", "Stalled True 1"], "")], 1),
        ["a", "c"]
    );
    assert_eq!(
        moving(&[starting, service("d", "radicale-old", &["Ready False 3"], "")], 1),
        ["b"],
        "an outage makes no haste"
    );
}

#[test]
fn who_is_paused_or_named_a_revision_is_in_nobodys_way() {
    let holds = &["Ready False 2", "HoldsRollout True 2"];
    for spec in [", paused: true", ", revision: radicale-old"] {
        let all = [service("a", NEWEST, holds, spec), ready("b", 1)];
        assert_eq!(moving(&all, 1), ["b"], "{spec}");
        assert_eq!(of(&all[0], &all, 1), Rollout::Off, "{spec}");
    }
    let by_hand = service("a", NEWEST, holds, ", revision: radicale-new");
    assert_eq!(moving(&[by_hand, ready("b", 1)], 1), ["a"], "one that was moved by hand shows what comes");
}

#[test]
fn what_does_not_run_yet_begins_with_the_newest() {
    let mut new = ready("a", 1);
    new.status = None;
    let all = [new, service("z", NEWEST, &["Ready False 9", "HoldsRollout True 9"], "")];
    assert_eq!(moving(&all, 1), ["a", "z"]);
}

#[test]
fn far_back_in_a_long_queue_nobody_is_named() {
    let all: Vec<_> = (10..30).map(|number| ready(&format!("e{number}"), 1)).collect();
    let named = |at: usize| match of(&all[at], &all, 2) {
        Rollout::Waits { after, .. } => after,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(2), ["e10/site", "e11/site"]);
    assert_eq!(named(11), ["e10/site", "e11/site"]);
    assert!(named(12).is_empty(), "each step would write its status anew");
}

#[test]
fn by_hand_nobody_moves_by_itself() {
    let mut facts = facts();
    facts.newest_revision = Some(NEWEST.to_owned());
    assert_eq!(look(&ready("a", 1), &facts), Rollout::Off);
}

/// How far one of several is, whose passes run side by side.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    /// Ready on the old revision since then.
    Ready(u32),
    /// Not Ready on the old revision since then.
    Broken(u32),
    /// Its pass chose the newest, and has not reported yet; it looks as it did before.
    Chosen { was_ready: bool, since: u32 },
    /// It reported that it runs the newest and is not Ready.
    Moved { was_ready: bool, since: u32 },
    /// Ready on the newest.
    Done,
}

impl Is {
    fn seen(self, namespace: &str) -> DedicatedService {
        let conditions = |ready: bool, holds: bool, since: u32| {
            let mut conditions = vec![format!("Ready {} {since}", if ready { "True" } else { "False" })];
            conditions.extend(holds.then(|| format!("HoldsRollout True {since}")));
            conditions
        };
        let (revision, conditions) = match self {
            Self::Ready(since) => ("radicale-old", conditions(true, false, since)),
            Self::Broken(since) => ("radicale-old", conditions(false, false, since)),
            Self::Chosen { was_ready, since } => ("radicale-old", conditions(was_ready, false, since)),
            Self::Moved { was_ready, since } => (NEWEST, conditions(false, was_ready, since)),
            Self::Done => (NEWEST, conditions(true, false, 0)),
        };
        let conditions: Vec<&str> = conditions.iter().map(String::as_str).collect();
        service(namespace, revision, &conditions, "")
    }

    /// What happens next; `may` asks whether its pass may choose the newest.
    fn next(self, now: u32, repaired: bool, may: impl Fn() -> bool) -> Self {
        match self {
            Self::Broken(_) if repaired => Self::Ready(now),
            Self::Ready(since) if may() => Self::Chosen { was_ready: true, since },
            Self::Broken(since) if may() => Self::Chosen { was_ready: false, since },
            Self::Chosen { was_ready, .. } => Self::Moved { was_ready, since: now },
            Self::Moved { .. } if repaired => Self::Done,
            as_it_is => as_it_is,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn whatever_runs_side_by_side_no_more_than_allowed_are_made_not_ready(
        broken in proptest::collection::vec(any::<bool>(), 5), maximum in 1_u32..4,
        steps in proptest::collection::vec((0_usize..5, any::<bool>()), 1..40),
    ) {
        let names = ["a", "b", "c", "d", "e"];
        let mut all: Vec<Is> = broken.iter().map(|broken| if *broken { Is::Broken(1) } else { Is::Ready(1) }).collect();
        for (now, (at, repaired)) in (2_u32..).zip(steps) {
            let seen: Vec<_> = all.iter().zip(names).map(|(is, name)| is.seen(name)).collect();
            let may = || matches!(of(&seen[at], &seen, maximum), Rollout::Newest(_));
            all[at] = all[at].next(now, repaired, may);
            let made = all.iter().filter(|is| matches!(is, Is::Chosen { was_ready: true, .. } | Is::Moved { was_ready: true, .. }));
            prop_assert!(made.count() <= maximum as usize, "{all:?}");
        }
    }
}

#[test]
fn in_the_end_all_have_moved() {
    let names = ["a", "b", "c", "d", "e"];
    let mut all = [Is::Ready(1), Is::Broken(1), Is::Ready(1), Is::Ready(1), Is::Broken(1)];
    for now in 2..200 {
        let at = now as usize % names.len();
        let seen: Vec<_> = all.iter().zip(names).map(|(is, name)| is.seen(name)).collect();
        let may = || matches!(of(&seen[at], &seen, 1), Rollout::Newest(_));
        all[at] = all[at].next(now, matches!(all[at], Is::Moved { .. }), may);
    }
    assert_eq!(all, [Is::Done; 5]);
}
