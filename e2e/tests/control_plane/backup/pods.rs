//! The pods of runs, ended by the test as a kubelet would, with what `commonscloud-backup` reports.

use std::time::Duration;

use commonscloud_e2e::chart::NAMESPACE;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome};
use commonscloud_operator::backup::copy::COPIED_FROM;
use commonscloud_operator::backup::maintenance::CARE;
use commonscloud_operator::template::operation::{OPERATION_OF, RUN};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Error, ResourceExt as _};
use serde_json::{Value, json};

use crate::tier::ControlPlane;

/// The snapshot of each manifest.
pub const SNAPSHOT: &str = "5f4dcc3b5aa765d61d8327deb882cf995f4dcc3b5aa765d61d8327deb882cf99";
/// The last words of a dump that fails.
pub const NO_DATABASE: &str = "the database does not answer";
/// What holds pods of runs, and those that bring records.
const OF_RUNS: &str = "e2e-operation-pods";
const OF_RECORDS: &str = "e2e-records-pods";
/// The subcommands that are told apart.
const SUBCOMMANDS: [&str; 7] = ["prepare", "files", "stream", "secrets", "record", "pipes", "quiet"];

/// A pod of a simulated node runs by then.
const ENDS: Duration = Duration::from_mins(1);

/// How pods end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// All containers do what they are for.
    Well,
    /// The dump ends with an error, and so does who reads it.
    DumpFails,
}

/// Simulated nodes end the pods of Jobs by themselves: those of runs and checks only as a test says it.
pub async fn hold_pods(tier: &ControlPlane) -> Outcome {
    let which = format!(
        "'{OPERATION_OF}' in object.metadata.?labels.orValue({{}}) \
            || '{COPIED_FROM}' in object.metadata.?labels.orValue({{}}) \
            || object.metadata.?labels[?'{CARE}'].orValue('') == 'check'"
    );
    hold(tier, OF_RUNS, &which).await
}

/// The same for those that bring the platform's records to a target.
pub async fn hold_records(tier: &ControlPlane) -> Outcome {
    let job = "object.metadata.?labels[?'batch.kubernetes.io/job-name'].orValue('')";
    hold(tier, OF_RECORDS, &format!("{job}.startsWith('records-')")).await
}

/// From now on simulated nodes end them.
pub async fn let_go_of_records(tier: &ControlPlane) -> Outcome {
    let binding = ["delete", "validatingadmissionpolicybinding", OF_RECORDS, "--ignore-not-found"];
    tier.cluster.kubectl.ok(&binding).await.map(drop)
}

/// No pod for which this expression holds ends without a message.
async fn hold(tier: &ControlPlane, name: &str, which: &str) -> Outcome {
    let metadata = json!({"name": name});
    let kind = |kind: &str, spec: Value| {
        json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec,
        })
    };
    let rule =
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods/status"]});
    let policy = json!({
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [rule]},
        "matchConditions": [{"name": "held", "expression": which}],
        "validations": [{
            "expression": "!(object.status.?phase.orValue('') in ['Succeeded', 'Failed']) \
                || object.status.?containerStatuses.orValue([]).all(s, s.?state.?terminated.?message.orValue('') != '')",
            "message": "a test ends it",
        }],
    });
    let binding = json!({"policyName": name, "validationActions": ["Deny"]});
    let objects = [kind("ValidatingAdmissionPolicy", policy), kind("ValidatingAdmissionPolicyBinding", binding)];
    tier.cluster.applied(&objects).await
}

/// The steps whose Jobs are at work in a phase.
fn steps(phase: &str) -> &'static [&'static str] {
    match phase {
        "Preparing" => &["prepare"],
        "FirstPass" => &["files"],
        "Quiescing" => &["quiesce"],
        "SecondPass" => &["files", "stream"],
        "Unquiescing" => &["unquiesce"],
        "Recording" => &["record"],
        _ => &[],
    }
}

/// Ends the pods of the runs that are at work in a phase, and none of the next one.
pub async fn end_all(tier: &ControlPlane, namespace: &str, phase: &str, ends: Ends) -> Outcome {
    end_with(tier, namespace, steps(phase), &|container| last_words(container, ends)).await
}

/// Ends the pods of these steps, each container with this exit code and message.
pub async fn end_with(
    tier: &ControlPlane,
    namespace: &str,
    steps: &[&str],
    words: &(dyn Fn(&Container) -> (i32, String) + Sync),
) -> Outcome {
    let pods: Api<Pod> = Api::namespaced(tier.cluster.client.clone(), namespace);
    for pod in pods.list(&ListParams::default().labels(OPERATION_OF)).await? {
        let service = pod.labels().get(OPERATION_OF).map_or("", String::as_str);
        let job = pod.labels().get(RUN).and_then(|job| job.strip_prefix(service)?.strip_prefix('-'));
        let job = job.unwrap_or_default();
        let is_its = steps.iter().any(|step| job == *step || job.starts_with(&format!("{step}-")));
        if is_its && !has_ended(&pod) {
            end(&pods, &pod, words).await?;
        }
    }
    Ok(())
}

/// Ends the pods of a restore or a drill that are at work in a phase, and none of the next one. `manifest`: of its
/// backup; `differences`: what is found when it is compared.
pub async fn end_restore(
    tier: &ControlPlane,
    namespace: &str,
    manifest: &Value,
    differences: &[&str],
    phase: &str,
) -> Outcome {
    let steps: &[&str] = match phase {
        "Preparing" => &["manifest"],
        "Files" => &["restore"],
        "Loading" => &["load"],
        "Verifying" => &["compare"],
        _ => &[],
    };
    let words = |container: &Container| {
        let arguments = container.args.clone().unwrap_or_default();
        let is_ours = container.image.as_deref().is_some_and(|image| image.contains("/backup:"));
        let outcome = match arguments.first().map(String::as_str).filter(|_| is_ours) {
            Some("manifest") => json!({"Manifest": {"manifest": manifest}}),
            Some("restore") => json!({"Restored": {"bytes": 4096, "files": 3}}),
            Some("compare") => json!({"Compared": {"differences": differences}}),
            Some(_) => json!("Done"),
            None => return (0, "done".to_owned()),
        };
        (0, json!({"version": 1, "outcome": outcome}).to_string())
    };
    end_with(tier, namespace, steps, &words).await
}

/// Ends the check that is at work; it found this damaged. Says which part it read, where there is one.
pub async fn end_check(tier: &ControlPlane, damaged: &[&str]) -> Outcome<Option<String>> {
    let pods: Api<Pod> = Api::namespaced(tier.cluster.client.clone(), NAMESPACE);
    let found = pods.list(&ListParams::default().labels(&format!("{CARE}=check"))).await?;
    let Some(pod) = found.items.iter().find(|pod| !has_ended(pod)) else { return Ok(None) };
    let words = |container: &Container| match container.name.as_str() {
        "check" => (0, report(json!({"Checked": {"damaged": damaged}}))),
        _ => last_words(container, Ends::Well),
    };
    end(&pods, pod, &words).await?;
    let checks = pod.spec.iter().flat_map(|spec| &spec.containers).find(|container| container.name == "check");
    Ok(checks.and_then(|container| container.args.clone()?.get(2).cloned()))
}

/// Ends the pod of a Job of the operator's namespace, each container with this outcome.
pub async fn end_job(tier: &ControlPlane, job: &str, outcome: &Value) -> Outcome {
    let said = json!({"version": 1, "outcome": outcome}).to_string();
    let pods: Api<Pod> = Api::namespaced(tier.cluster.client.clone(), NAMESPACE);
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
    eventually(&format!("the pod of {job} ends"), ENDS, async || {
        let listed = pods.list(&of_job).await?;
        let pod = listed.iter().find(|pod| !has_ended(pod)).ok_or_else(|| Failure::new("there is no pod"))?;
        end(&pods, pod, &|_: &Container| (0, said.clone())).await
    })
    .await
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed")) || pod.metadata.deletion_timestamp.is_some()
}

async fn end(pods: &Api<Pod>, pod: &Pod, words: &(dyn Fn(&Container) -> (i32, String) + Sync)) -> Outcome {
    let patch = Patch::Merge(json!({"status": ended(pod, words)}));
    match pods.patch_status(&pod.name_any(), &PatchParams::default(), &patch).await {
        // It went with its Job meanwhile.
        Err(Error::Api(status)) if status.code == 404 => Ok(()),
        other => {
            other?;
            Ok(())
        }
    }
}

fn ended(pod: &Pod, words: &dyn Fn(&Container) -> (i32, String)) -> Value {
    let spec = pod.spec.clone().unwrap_or_default();
    let init: Vec<Value> =
        spec.init_containers.iter().flatten().map(|container| status(container, words(container))).collect();
    let containers: Vec<Value> = spec.containers.iter().map(|container| status(container, words(container))).collect();
    let has_failed = containers.iter().any(|status| status["state"]["terminated"]["exitCode"] != 0);
    json!({
        "phase": if has_failed { "Failed" } else { "Succeeded" },
        "initContainerStatuses": init, "containerStatuses": containers,
    })
}

fn status(container: &Container, (code, message): (i32, String)) -> Value {
    let now = Timestamp::now().to_string();
    let terminated = json!({
        "exitCode": code, "reason": if code == 0 { "Completed" } else { "Error" },
        "message": message, "startedAt": now, "finishedAt": now,
    });
    json!({
        "name": container.name, "image": container.image, "imageID": "", "ready": false, "restartCount": 0,
        "state": {"terminated": terminated},
    })
}

/// The exit code, and what is in the termination message.
fn last_words(container: &Container, ends: Ends) -> (i32, String) {
    let arguments = container.args.clone().unwrap_or_default();
    let is_ours = container.image.as_deref().is_some_and(|image| image.contains("/backup:"));
    let subcommand = arguments.iter().find(|argument| is_ours && SUBCOMMANDS.contains(&argument.as_str()));
    match (subcommand.map(String::as_str), ends) {
        (None, Ends::DumpFails) if container.name == "dump" => (1, NO_DATABASE.to_owned()),
        (Some("stream"), Ends::DumpFails) => {
            let failure = json!({"reason": "HalfStream", "message": "dump ended before it was whole"});
            (1, report(json!({"Failed": failure})))
        }
        (None, _) => (0, "done".to_owned()),
        (Some("prepare"), _) => {
            (0, report(json!({"Prepared": {"repository": "0123456789abcdef", "restic": "0.18.1"}})))
        }
        (Some("files"), _) => (0, report(stored(&volumes(container), "Files"))),
        (Some("stream"), _) => {
            let streams = [("dump", "dump", "Dump"), ("verify", "state", "State")].into_iter();
            let streams = streams.filter(|(kind, ..)| arguments.iter().any(|argument| argument == kind));
            let parts: Vec<Value> = streams.map(|(_, name, kind)| part(name, kind)).collect();
            (0, report(json!({"Stored": {"parts": parts}})))
        }
        (Some("secrets"), _) => (0, report(stored(&["secrets".to_owned()], "Secrets"))),
        (Some("record"), _) => (0, report(json!({"Recorded": {"snapshot": SNAPSHOT}}))),
        _ => (0, report(json!("Done"))),
    }
}

fn report(outcome: Value) -> String {
    json!({"version": 1, "outcome": outcome}).to_string()
}

/// The volumes whose files a container reads.
fn volumes(container: &Container) -> Vec<String> {
    let mounts = container.volume_mounts.iter().flatten();
    mounts.filter_map(|mount| mount.mount_path.strip_prefix("/volumes/").map(str::to_owned)).collect()
}

fn stored(names: &[String], kind: &str) -> Value {
    let parts: Vec<Value> = names.iter().map(|name| part(name, kind)).collect();
    json!({"Stored": {"parts": parts}})
}

fn part(name: &str, kind: &str) -> Value {
    json!({"name": name, "kind": kind, "snapshot": SNAPSHOT, "bytes": 4096, "added": 512, "files": 3})
}
