//! A field that another manager changes back each time is not fought over for ever.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;
use tokio::time::Instant;

use crate::api::marks;

/// So many repairs of one object towards the same end ...
const REPAIRS: usize = 6;
/// ... within this time are a fight.
const WITHIN: Duration = Duration::from_mins(1);

/// How often which object was repaired lately.
#[derive(Default)]
pub(super) struct Contests {
    repairs: Mutex<HashMap<(String, String, String), Repairs>>,
}

/// The repairs of an object, as long as it is wanted to be the same.
#[derive(Default)]
struct Repairs {
    wanted: u64,
    times: VecDeque<Instant>,
}

impl Contests {
    /// Notes a repair, unless there were too many lately: then it is not to be made. Where another
    /// object is `wanted` than before, nobody undid what was repaired: somebody asks for something
    /// else. What only removes an addition says nothing of that.
    pub(super) fn may_repair(&self, kind: &str, namespace: &str, name: &str, wanted: Option<&Value>) -> bool {
        let now = Instant::now();
        let mut repairs = self.repairs.lock().unwrap_or_else(PoisonError::into_inner);
        repairs.retain(|_, of| of.times.back().is_some_and(|last| now.duration_since(*last) < WITHIN));
        let Repairs { wanted: before, times } =
            repairs.entry((kind.to_owned(), namespace.to_owned(), name.to_owned())).or_default();
        if let Some(wanted) = wanted.map(digest)
            && wanted != *before
        {
            *before = wanted;
            times.clear();
        }
        while times.front().is_some_and(|first| now.duration_since(*first) >= WITHIN) {
            times.pop_front();
        }
        if times.len() >= REPAIRS {
            return false;
        }
        times.push_back(now);
        true
    }
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
        let repair = || contests.may_repair("Deployment", "e", "s-app", Some(&wanted));
        assert!((0..REPAIRS).all(|_| repair()));
        assert!(!repair());
        assert!(!contests.may_repair("Deployment", "e", "s-app", None));
        assert!(contests.may_repair("Deployment", "e", "another", Some(&wanted)));
        tokio::time::advance(WITHIN).await;
        assert!(repair());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_for_something_else_each_time_fights_nobody() {
        let contests = Contests::default();
        let repair = |wanted: usize| contests.may_repair("Deployment", "e", "s-app", Some(&wanted.into()));
        assert!((0..10 * REPAIRS).all(repair));
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
