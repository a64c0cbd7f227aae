//! What all share that ask for backups and restores: who asks, what is asked for, and waiting for its end.

use std::time::{Duration, Instant};

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{ConditionType, ServiceBackup, ServiceBackupSpec, ServiceRestore, ServiceRestoreSpec};
use commonscloud_operator::kinds;
use commonscloud_operator::template::AllowedKind;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::jiff::Timestamp;
use kube::api::{DynamicObject, ListParams, PostParams};
use kube::{Api, Client};

use crate::data::said;

const ASK: Duration = Duration::from_secs(1);
/// For how long the API server may be away while something is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// The name by which the API server knows whoever runs this.
///
/// # Errors
/// When it does not say.
pub(crate) async fn whoever(client: &Client) -> Result<String, Failure> {
    let reviews: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    let name = review.status.and_then(|status| status.user_info).and_then(|user| user.username);
    name.ok_or_else(|| "the API server does not say who you are (SelfSubjectReview)".into())
}

/// What a run or a restore of a service is called that is asked for now.
pub(crate) fn named(service: &str, now: Timestamp) -> String {
    format!("{service}-{}", now.strftime("%Y%m%d-%H%M%S"))
}

/// Asks for a backup of a service, and says what the run is called.
///
/// # Errors
/// When the cluster refuses it.
pub(crate) async fn back_up(
    client: &Client,
    entity: &str,
    service: &str,
    target: Option<String>,
) -> Result<String, Failure> {
    let requested_by = whoever(client).await?;
    let spec = ServiceBackupSpec { service: service.to_owned(), target, requested_by, ..ServiceBackupSpec::default() };
    let name = named(service, Timestamp::now());
    let api: Api<ServiceBackup> = Api::namespaced(client.clone(), entity);
    api.create(&PostParams::default(), &ServiceBackup::new(&name, spec)).await?;
    Ok(name)
}

/// Asks for a restore in a namespace, and says what it is called.
///
/// # Errors
/// When the cluster refuses it.
pub(crate) async fn restore(client: &Client, entity: &str, spec: ServiceRestoreSpec) -> Result<String, Failure> {
    let name = named(&spec.from.service, Timestamp::now());
    let api: Api<ServiceRestore> = Api::namespaced(client.clone(), entity);
    api.create(&PostParams::default(), &ServiceRestore::new(&name, spec)).await?;
    Ok(name)
}

/// The runs in a namespace, of one service or of all, the newest first.
///
/// # Errors
/// When they cannot be read.
pub(crate) async fn runs(
    client: &Client,
    namespace: &str,
    service: Option<&str>,
) -> Result<Vec<ServiceBackup>, kube::Error> {
    let api: Api<ServiceBackup> = Api::namespaced(client.clone(), namespace);
    let mut runs = api.list(&ListParams::default()).await?.items;
    runs.retain(|run| service.is_none_or(|service| run.spec.service == service));
    runs.sort_by(|a, b| b.metadata.creation_timestamp.cmp(&a.metadata.creation_timestamp));
    Ok(runs)
}

/// The snapshot of a run that is complete and there, and when the data was as it has it.
pub(crate) fn snapshot(run: &ServiceBackup) -> Option<(&str, Timestamp)> {
    let status = run.status.as_ref()?;
    let ready = status.conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str())?;
    let snapshot = (status.snapshot.as_deref()?, status.taken_at.as_ref()?.0);
    (ready.status == "True").then_some(snapshot)
}

/// Waits until a run or a restore has ended, and prints each phase as it begins. Whoever stops it stops nothing
/// but the waiting.
///
/// # Errors
/// When it fails, in the words of its condition; when it is deleted, or the API server stays away.
pub(crate) async fn until_ended(
    client: &Client,
    kind: &AllowedKind,
    namespace: &str,
    name: &str,
) -> Result<DynamicObject, Failure> {
    let tell = |line: &str| said(format!("{}  {line}", Timestamp::now().strftime("%H:%M:%S")));
    ended(client, kind, namespace, name, tell).await
}

/// The same, with what is done with each new line of where it is.
///
/// # Errors
/// The same.
pub(crate) async fn ended(
    client: &Client,
    kind: &AllowedKind,
    namespace: &str,
    name: &str,
    mut tell: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<DynamicObject, Failure> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kinds::resource_of(kind));
    let what = format!("{} {namespace}/{name}", kind.kind);
    let (mut last, mut away) = (String::new(), None);
    loop {
        match api.get_opt(name).await {
            Ok(Some(object)) => {
                away = None;
                let line = line(&object);
                if line != last {
                    tell(&line)?;
                    last = line;
                }
                match object.data["status"]["phase"].as_str() {
                    Some("Succeeded") => return Ok(object),
                    Some("Failed") => return Err(format!("{what}: {}", why(&object)).into()),
                    _ => {}
                }
            }
            Ok(None) => return Err(format!("{what}: was deleted before it ended").into()),
            Err(error) if away.get_or_insert_with(Instant::now).elapsed() > PATIENCE => return Err(error.into()),
            Err(_) => {}
        }
        tokio::time::sleep(ASK).await;
    }
}

/// The phase; while it waits, for what.
fn line(object: &DynamicObject) -> String {
    let status = &object.data["status"];
    match status["phase"].as_str() {
        None => "the operator has not looked at it yet".to_owned(),
        Some("Waiting") => format!("Waiting: {}", why(object)),
        Some(phase) => match status["progress"].as_str() {
            Some(progress) => format!("{phase} ({progress})"),
            None => phase.to_owned(),
        },
    }
}

/// Reason and message of condition `Ready`.
fn why(object: &DynamicObject) -> String {
    let conditions = object.data["status"]["conditions"].as_array();
    let ready = conditions.into_iter().flatten().find(|condition| condition["type"] == "Ready");
    let text = |field: &str| ready.and_then(|ready| ready[field].as_str()).unwrap_or_default();
    match (text("reason"), text("message")) {
        ("", _) => "its condition Ready does not say why yet".to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// A time as people read it, in UTC.
pub(crate) fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn object(status: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup",
            "metadata": {"name": "office-20261130-010203", "namespace": "hort"}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn a_run_is_called_by_its_service_and_the_second() {
        assert_eq!(named("office", "2026-11-30T01:02:03.9Z".parse().unwrap()), "office-20261130-010203");
    }

    #[test]
    fn what_waits_says_for_what_and_what_runs_how_far_it_is() {
        let ready = json!([{"type": "Ready", "status": "False", "reason": "Unreachable", "message": "no route"}]);
        let waiting = object(&json!({"phase": "Waiting", "conditions": ready}));
        assert_eq!(line(&waiting), "Waiting: Unreachable: no route");
        let runs = object(&json!({"phase": "FirstPass", "progress": "2 of 6: first pass"}));
        assert_eq!(line(&runs), "FirstPass (2 of 6: first pass)");
        assert_eq!(line(&object(&json!({}))), "the operator has not looked at it yet");
        assert!(line(&object(&json!({"phase": "Waiting"}))).contains("does not say why"));
    }
}
