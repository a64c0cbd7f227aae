//! Whether an instance's workloads and volumes do what they should, and what they wait for.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::conditions::{ConditionUpdate, Problem};
use super::pods;
use super::rank::{Origin, sort_key};
use super::warnings::{About, newest};
use crate::api::{ComponentStatus, ConditionType, Reason};
use crate::cache::Live;

/// What the caches know of an instance's children.
#[derive(Clone, Debug, Default)]
pub struct Children {
    /// The objects that the instance owns.
    pub objects: Vec<Arc<Live>>,
    /// Its volumes.
    pub volumes: Vec<Arc<Live>>,
    /// Its pods.
    pub pods: Vec<Arc<Pod>>,
    /// Warnings in its namespace.
    pub events: Vec<Arc<Event>>,
    /// The containers that its package names in `configuredBy`.
    pub settings: Vec<SettingsContainer>,
}

/// A container that applies settings while the application runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsContainer {
    /// Its workload's name.
    pub workload: String,
    /// Its own.
    pub container: String,
}

impl Children {
    pub(super) fn events(&self) -> Vec<&Event> {
        self.events.iter().map(AsRef::as_ref).collect()
    }

    /// The workloads, by name.
    pub fn components(&self) -> Vec<ComponentStatus> {
        let workloads = self.objects.iter().filter(|o| matches!(o.kind.as_str(), "Deployment" | "StatefulSet" | "Job"));
        let mut components: Vec<ComponentStatus> = workloads
            .map(|workload| {
                let problem = self.workload(workload);
                ComponentStatus {
                    name: format!("{}/{}", workload.kind, workload.name()),
                    ready: problem.is_none(),
                    message: problem.map(|p| p.message),
                }
            })
            .collect();
        components.sort_by(|a, b| a.name.cmp(&b.name));
        components
    }

    /// Whether all workloads serve, whatever their volumes and settings still wait for.
    pub fn are_running(&self) -> bool {
        let serves = |problem: &Problem| problem.is(Reason::SettingsFailed);
        self.objects.iter().all(|object| self.workload(object).as_ref().is_none_or(serves))
    }

    /// Whether what is applied while the application runs is applied; nothing for a package that does not tell.
    pub(super) fn configured(&self) -> Option<ConditionUpdate> {
        const KIND: ConditionType = ConditionType::Configured;
        if self.settings.is_empty() {
            return None;
        }
        let problems = || self.objects.iter().filter_map(|object| self.workload(object));
        if let Some(failed) = problems().find(|problem| problem.is(Reason::SettingsFailed)) {
            return Some(ConditionUpdate::problem(KIND, false, &failed));
        }
        let is_ready = |known: &SettingsContainer| self.pods.iter().any(|pod| self.is_applied(known, pod));
        Some(if self.settings.iter().all(is_ready) {
            ConditionUpdate::new(KIND, true, Reason::SettingsApplied, "the settings are applied")
        } else {
            ConditionUpdate::unknown(KIND, Reason::Starting, "told once the application runs")
        })
    }

    fn is_applied(&self, known: &SettingsContainer, pod: &Pod) -> bool {
        let is_its = |object: &Arc<Live>| object.name() == known.workload && selects(object, pod);
        let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        let mut statuses = statuses.filter(|status| status.name == known.container);
        statuses.any(|status| status.started != Some(false)) && self.objects.iter().any(is_its)
    }

    /// What stops the instance: of several problems the one that the others follow from.
    /// `is_large_enough`: whether a claim's growth is nothing to wait for.
    pub fn problem(&self, is_large_enough: impl Fn(&Live) -> bool) -> Option<Problem> {
        let of_workload = |object: &Arc<Live>| Some((Origin::of(&object.kind), self.workload(object)?));
        let workloads: Vec<_> = self.objects.iter().filter_map(of_workload).collect();
        let of_volume = |claim: &Arc<Live>| {
            Some((Origin::Volume, self.volume(claim, !workloads.is_empty(), is_large_enough(claim))?))
        };
        let volumes: Vec<_> = self.volumes.iter().filter_map(of_volume).collect();
        let all = volumes.into_iter().chain(workloads);
        all.min_by_key(|(origin, problem)| sort_key(*origin, problem)).map(|(_, problem)| problem)
    }

    /// What a workload waits for.
    fn workload(&self, object: &Live) -> Option<Problem> {
        let rollout = match object.kind.as_str() {
            "Deployment" => deployment(object),
            "StatefulSet" => stateful_set(object),
            "Job" => job(object),
            _ => None,
        };
        let Some(rollout) = rollout else { return self.settings_failed(object) };
        let events = self.events();
        let mine: Vec<&Arc<Pod>> = self.pods.iter().filter(|pod| selects(object, pod)).collect();
        let origin = Origin::of(&object.kind);
        let of_pods = mine.iter().filter_map(|pod| pods::problem(pod, &events));
        let made = mine.iter().filter_map(|pod| Some(pod.metadata.creation_timestamp.as_ref()?.0)).max();
        of_pods
            .min_by_key(|problem| sort_key(origin, problem))
            .or_else(|| not_created(object, &events, made))
            .or(Some(rollout))
    }

    /// Why what is applied while a workload runs is not.
    fn settings_failed(&self, object: &Live) -> Option<Problem> {
        let mut containers = self.settings.iter().filter(|known| known.workload == object.name()).peekable();
        containers.peek()?;
        let events = self.events();
        let mine = || self.pods.iter().filter(|pod| selects(object, pod));
        containers.find_map(|known| mine().find_map(|pod| pods::settings_failed(pod, &known.container, &events)))
    }
}

/// Why the pods of a workload are not even made, for example because of the namespace's quota.
/// `made`: when its last one was.
fn not_created(object: &Live, events: &[&Event], made: Option<Timestamp>) -> Option<Problem> {
    let message = replica_failure(object).or_else(|| {
        let created = |event: &Event| event.reason.as_deref() == Some("FailedCreate");
        let uid = object.metadata.uid.as_deref();
        let about = About { kind: &object.kind, name: object.name(), uid, since: made };
        newest(about, events, created)?.message.clone()
    })?;
    let reason = if message.contains("exceeded quota") { Reason::QuotaExceeded } else { Reason::FailedCreate };
    Some(Problem::new(reason, format!("{} {}: {message}", object.kind, object.name())))
}

fn replica_failure(object: &Live) -> Option<String> {
    let conditions = object.value.pointer("/status/conditions")?.as_array()?;
    let failure = conditions.iter().find(|c| {
        c.get("type").is_some_and(|t| t == "ReplicaFailure") && c.get("status").is_some_and(|s| s == "True")
    })?;
    Some(failure.get("message")?.as_str()?.to_owned())
}

fn number(object: &Live, pointer: &str) -> i64 {
    object.value.pointer(pointer).and_then(Value::as_i64).unwrap_or_default()
}

/// The controller has not seen the newest spec yet.
fn is_behind(object: &Live) -> bool {
    number(object, "/status/observedGeneration") < object.metadata.generation.unwrap_or_default()
}

fn rolling_out(object: &Live, ready: i64, wanted: i64) -> Problem {
    Problem::new(Reason::RollingOut, format!("{} {}: {ready} of {wanted} pods ready", object.kind, object.name()))
}

fn replicas(object: &Live) -> i64 {
    object.value.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1)
}

fn deployment(object: &Live) -> Option<Problem> {
    let wanted = replicas(object);
    let available = number(object, "/status/availableReplicas");
    let updated = number(object, "/status/updatedReplicas");
    let all = number(object, "/status/replicas");
    let done = !is_behind(object) && updated >= wanted && available >= wanted && all <= updated;
    (!done).then(|| rolling_out(object, available.min(updated), wanted))
}

fn stateful_set(object: &Live) -> Option<Problem> {
    let wanted = replicas(object);
    let ready = number(object, "/status/readyReplicas");
    let text = |pointer: &str| object.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let updated = text("/status/currentRevision") == text("/status/updateRevision")
        || number(object, "/status/updatedReplicas") >= wanted;
    let done = !is_behind(object) && ready >= wanted && updated;
    (!done).then(|| rolling_out(object, ready, wanted))
}

fn job(object: &Live) -> Option<Problem> {
    let is_true = |kind: &str| {
        let conditions = object.value.pointer("/status/conditions").and_then(Value::as_array);
        conditions.is_some_and(|all| {
            all.iter().any(|c| c.get("type").is_some_and(|t| t == kind) && c.get("status").is_some_and(|s| s == "True"))
        })
    };
    if is_true("Complete") {
        None
    } else if is_true("Failed") {
        Some(Problem::new(Reason::JobFailed, format!("Job {} failed", object.name())))
    } else {
        Some(Problem::new(Reason::RollingOut, format!("Job {} is not complete yet", object.name())))
    }
}

/// Whether a pod is one of a workload's.
fn selects(object: &Live, pod: &Pod) -> bool {
    let Some(selector) = object.value.pointer("/spec/selector/matchLabels").and_then(Value::as_object) else {
        return false;
    };
    let labels = pod.metadata.labels.as_ref();
    selector.iter().all(|(key, value)| labels.and_then(|l| l.get(key)).map(String::as_str) == value.as_str())
}
