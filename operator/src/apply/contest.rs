//! A field that another manager changes back each time is not fought over for ever.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;
use tokio::time::Instant;

use super::target::Target;
use crate::api::marks;

/// So many repairs of one object towards the same end ...
const REPAIRS: usize = 6;
/// ... within this time are a fight.
const WITHIN: Duration = Duration::from_mins(1);

/// Kind, namespace and name.
type Object = (String, String, String);

/// How often which object was repaired lately.
#[derive(Default)]
pub(super) struct Contests {
    repairs: Mutex<HashMap<Object, Repairs>>,
}

/// The repairs of an object, as long as it is wanted to be the same.
#[derive(Default)]
struct Repairs {
    wanted: u64,
    times: VecDeque<Instant>,
}

impl Contests {
    fn lately(&self) -> MutexGuard<'_, HashMap<Object, Repairs>> {
        let now = Instant::now();
        let mut repairs = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        repairs.retain(|_, of| {
            of.times.retain(|time| now.duration_since(*time) < WITHIN);
            !of.times.is_empty()
        });
        repairs
    }

    /// Whether an object may be repaired, or was too often lately. Where another object is `wanted`
    /// than before, nobody undid what was repaired: somebody asks for something else. What only
    /// removes an addition says nothing of that.
    pub(super) fn may_repair(&self, target: Target<'_>, wanted: Option<&Value>) -> bool {
        self.lately().get(&object(target)).is_none_or(|of| of.times.len() < REPAIRS || of.is_anew(wanted))
    }

    /// Notes a repair that the API server took. One that failed changed nothing, and is no turn of
    /// a fight: several instances may try to repair what they share.
    pub(super) fn repaired(&self, target: Target<'_>, wanted: Option<&Value>) {
        let mut repairs = self.lately();
        let of = repairs.entry(object(target)).or_default();
        if of.is_anew(wanted) {
            of.times.clear();
        }
        of.wanted = wanted.map_or(of.wanted, digest);
        of.times.push_back(Instant::now());
    }
}

impl Repairs {
    fn is_anew(&self, wanted: Option<&Value>) -> bool {
        wanted.is_some_and(|wanted| digest(wanted) != self.wanted)
    }
}

fn object(target: Target<'_>) -> Object {
    (target.kind.to_owned(), target.namespace.to_owned(), target.name.to_owned())
}

fn digest(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.to_string().hash(&mut hasher);
    hasher.finish()
}

/// The manager, other than ours and the cluster's own controllers, that wrote last.
pub(super) fn rival(fields: &[ManagedFieldsEntry]) -> Option<&str> {
    let others = fields.iter().filter(|entry| entry.subresource.is_none());
    let others = others.filter(|entry| {
        let manager = entry.manager.as_deref().unwrap_or_default();
        !manager.is_empty() && !manager.starts_with(marks::OPERATOR) && manager != "kube-controller-manager"
    });
    others.max_by_key(|entry| entry.time.as_ref().map(|time| time.0))?.manager.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_fight_is_given_up_and_tried_again_later() {
        let contests = Contests::default();
        let wanted = serde_json::json!({"spec": 1});
        let target = Target { kind: "Deployment", namespace: "e", name: "s-app" };
        for _ in 0..REPAIRS {
            assert!((0..10).all(|_| contests.may_repair(target, Some(&wanted))), "what failed is no turn");
            contests.repaired(target, Some(&wanted));
        }
        assert!(!contests.may_repair(target, Some(&wanted)));
        assert!(!contests.may_repair(target, None));
        assert!(contests.may_repair(Target { name: "another", ..target }, Some(&wanted)));
        tokio::time::advance(WITHIN).await;
        assert!(contests.may_repair(target, Some(&wanted)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_for_something_else_each_time_fights_nobody() {
        let contests = Contests::default();
        let target = Target { kind: "Deployment", namespace: "e", name: "s-app" };
        for spec in 0..10 * REPAIRS {
            let wanted = Value::from(spec);
            assert!(contests.may_repair(target, Some(&wanted)));
            contests.repaired(target, Some(&wanted));
        }
    }

    #[test]
    fn the_rival_is_who_wrote_last() {
        let fields: Vec<ManagedFieldsEntry> = serde_json::from_value(serde_json::json!([
            {"manager": "kubectl-edit", "operation": "Update", "time": "2026-01-01T00:00:00Z"},
            {"manager": "autoscaler", "operation": "Update", "time": "2026-01-02T00:00:00Z"},
            {"manager": "commonscloud", "operation": "Apply", "time": "2026-01-03T00:00:00Z"},
        ]))
        .unwrap();
        assert_eq!(rival(&fields), Some("autoscaler"));
    }
}
