//! What a claim waits for.

use serde_json::Value;

use super::children::Children;
use super::conditions::Problem;
use super::warnings::{About, newest, without_directories};
use crate::api::Reason;
use crate::cache::Live;
use crate::compare::{capacity, growth_failed, requested};
use crate::kinds;

fn about(claim: &Live) -> About<'_> {
    let conditions = claim.value.pointer("/status/conditions").and_then(Value::as_array);
    let turned = conditions.into_iter().flatten().filter_map(|c| c.get("lastTransitionTime")?.as_str()?.parse().ok());
    About { kind: kinds::VOLUME.kind, name: claim.name(), uid: claim.metadata.uid.as_deref(), since: turned.max() }
}

impl Children {
    /// A claim whose volume is waited for, or does not grow.
    pub(super) fn volume(&self, claim: &Live, workload_waits: bool, is_large_enough: bool) -> Option<Problem> {
        let name = claim.name();
        let phase = claim.value.pointer("/status/phase").and_then(Value::as_str).unwrap_or("Pending");
        match phase {
            "Bound" if is_large_enough => None,
            "Bound" => self.growth(claim),
            "Lost" => {
                Some(Problem::new(Reason::VolumeLost, format!("PersistentVolumeClaim {name} has lost its volume")))
            }
            _ => match newest(about(claim), &self.events(), |_| true) {
                Some(event) => Some(Problem::quoted(
                    event.reason.as_deref().unwrap_or(Reason::VolumePending.name()),
                    format!(
                        "PersistentVolumeClaim {name}: {}",
                        without_directories(event.message.as_deref().unwrap_or_default())
                    ),
                )),
                // Waiting for its first consumer is no problem as long as the consumer is the one that waits.
                None if workload_waits => None,
                None => {
                    Some(Problem::new(Reason::VolumePending, format!("PersistentVolumeClaim {name} is not bound yet")))
                }
            },
        }
    }

    /// A claim that has less than it requests.
    pub(super) fn growth(&self, claim: &Live) -> Option<Problem> {
        let (requested, capacity) = (requested(claim)?, capacity(claim)?);
        if capacity >= requested {
            return None;
        }
        let name = claim.name();
        let event = newest(about(claim), &self.events(), |e| e.reason.as_deref().is_some_and(|r| r.contains("Resize")));
        let why = event.and_then(|e| e.message.as_deref()).map(without_directories);
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        Some(if growth_failed(claim) {
            let message =
                format!("PersistentVolumeClaim {name} has {capacity}, and the storage cannot give it {requested}{why}");
            Problem::new(Reason::VolumeGrowthFailed, message)
        } else {
            let message = format!("PersistentVolumeClaim {name} grows from {capacity} to {requested}{why}");
            Problem::new(Reason::VolumeGrowing, message)
        })
    }
}
