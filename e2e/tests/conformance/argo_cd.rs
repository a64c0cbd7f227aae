//! The health check that `docs/operations.md` gives to Argo CD, run by its own Lua over statuses that the operator
//! makes.

use std::fs;
use std::time::Duration;

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::{folders, tools};
use commonscloud_e2e::{Failure, Outcome, command, ensure, ensure_eq};
use commonscloud_operator::api::{ConditionType, DedicatedOffice, Entity, EntityStatus, InstanceStatus, Reason, crds};
use commonscloud_operator::report::{
    ConditionUpdate, DeletionWait, Problem, Verdict, conditions, deleted_entity, deleted_instance,
};
use commonscloud_operator::resolve::Instance;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

/// The page that has it.
const PAGE: &str = "docs/operations.md";
/// For a handful of objects.
const LIMIT: Duration = Duration::from_secs(30);
/// Our kinds, as Argo CD matches them against `GROUP/KIND`.
const OUR_KINDS: &str = "commonscloud.coop/*";

/// What Argo CD shows of an object.
#[derive(Debug, Deserialize)]
struct Health {
    #[serde(default)]
    status: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    error: String,
}

/// An object of each kind as the API server makes it: in progress, and healthy where there is nothing to wait for.
pub async fn waits_for_the_first_status() -> Outcome {
    let mut objects = Vec::new();
    let mut expected = Vec::new();
    for definition in crds() {
        let schema = serde_json::to_value(&definition.spec.versions[0].schema)?;
        let status = &schema["openAPIV3Schema"]["properties"]["status"];
        let mut object = object(&definition.spec.names.kind, 1, json!({}));
        object["status"] = status["default"].clone();
        objects.push(object);
        expected.push(if status.is_null() { "Healthy" } else { "Progressing" });
    }
    for ((health, object), expected) in health(&objects).await?.iter().zip(&objects).zip(expected) {
        ensure_eq!(health.status, expected, "a new {}: {health:?}", object["kind"]);
    }
    Ok(())
}

/// Whatever the operator writes, Argo CD shows the same and in the same words.
pub async fn shows_what_a_status_says() -> Outcome {
    let mut cases = deletions()?;
    for definition in crds() {
        let kind = definition.spec.names.kind.as_str();
        if definition.spec.versions[0].subresources.is_some() {
            cases.extend(judged(kind)?);
        }
    }
    let objects: Vec<Value> = cases.iter().map(|case| case.object.clone()).collect();
    for (Case { what, expected, message, .. }, health) in cases.iter().zip(health(&objects).await?) {
        ensure_eq!(health.status, *expected, "{what}: {health:?}");
        ensure!(health.message.contains(message), "{what}: no word of {message:?}: {health:?}");
    }
    Ok(())
}

/// A status and what is shown of it.
struct Case {
    what: String,
    object: Value,
    expected: &'static str,
    message: &'static str,
}

/// Each verdict, on any kind.
fn judged(kind: &str) -> Outcome<Vec<Case>> {
    let ready = Verdict::Ready("all is as it should be".to_owned());
    let waits = Verdict::Reconciling(Problem::new(Reason::Starting, "Deployment office-app: 0 of 1 ready"));
    let stalled = Verdict::Stalled(Problem::new(Reason::HostnameTaken, "hostname wiki.hort.example: taken"));
    let mut cases = Vec::new();
    for (what, generation, verdict, expected, message) in [
        ("ready", 3, &ready, "Healthy", "as it should be"),
        ("in progress", 3, &waits, "Progressing", "0 of 1 ready"),
        ("failed", 3, &stalled, "Degraded", "hostname wiki.hort.example"),
        ("ready before its spec changed", 4, &ready, "Progressing", "has not looked"),
        ("failed before its spec changed", 4, &stalled, "Progressing", "has not looked"),
    ] {
        let status = status(verdict);
        let object = object(kind, generation, serde_json::to_value(status)?);
        cases.push(Case { what: format!("{kind}, {what}"), object, expected, message });
    }
    Ok(cases)
}

/// A status of generation 3, beside its verdict what neither helps nor hurts.
fn status(verdict: &Verdict) -> InstanceStatus {
    let mut shown = verdict.shown();
    shown.push(ConditionUpdate::new(ConditionType::QuotaEnforced, false, Reason::ClassUnknown, "not known"));
    shown.push(ConditionUpdate::unknown(ConditionType::Reachable, Reason::ClassUnknown, "not asked yet"));
    shown.push(ConditionUpdate::new(ConditionType::PendingShrink, true, Reason::ClassUnknown, "5Gi asked for"));
    let conditions = conditions(&[], shown, 3, Timestamp::UNIX_EPOCH);
    InstanceStatus { observed_generation: Some(3), conditions, ..InstanceStatus::default() }
}

/// What was ready and is being deleted: it waits, or a step is refused.
fn deletions() -> Outcome<Vec<Case>> {
    let ready = status(&Verdict::Ready(String::new()));
    let office = object("DedicatedOffice", 4, serde_json::to_value(&ready)?);
    let instance = Instance::of(&serde_json::from_value::<DedicatedOffice>(office)?);
    let before = EntityStatus { conditions: ready.conditions, ..EntityStatus::default() };
    let entity: Entity = serde_json::from_value(object("Entity", 4, serde_json::to_value(before)?))?;
    let waits = DeletionWait::Finalizers(vec!["backup.example/keep".to_owned()]);
    let refused = DeletionWait::Refused { message: "a policy says no".to_owned(), permanent: true };
    let mut cases = Vec::new();
    for (wait, expected, message) in [(waits, "Progressing", "backup.example/keep"), (refused, "Degraded", "says no")] {
        let now = Timestamp::UNIX_EPOCH;
        let verdict = wait.verdict(now).ok_or_else(|| Failure::new("nothing is waited for"))?;
        let statuses = [
            ("DedicatedOffice", serde_json::to_value(deleted_instance(&instance, &verdict, now))?),
            ("Entity", serde_json::to_value(deleted_entity(&entity, &verdict, now))?),
        ];
        for (kind, status) in statuses {
            let what = format!("{kind}, being deleted, with {message:?}");
            cases.push(Case { what, object: object(kind, 4, status), expected, message });
        }
    }
    Ok(cases)
}

fn object(kind: &str, generation: i64, status: Value) -> Value {
    let spec = if kind == "Entity" { json!({"displayName": "L'Hort", "tariff": "t"}) } else { json!({"tier": "1gb"}) };
    json!({
        "apiVersion": "commonscloud.coop/v1alpha1", "kind": kind,
        "metadata": {"namespace": "hort", "name": "office", "generation": generation}, "spec": spec, "status": status,
    })
}

/// What the page's own text says of each object.
async fn health(objects: &[Value]) -> Outcome<Vec<Health>> {
    let source = folders::source(None)?;
    let argo_cd = tools::ensure("argocd-health", &source, &Progress::shown()).await?.program("argocd-health");
    let script = script(&fs::read_to_string(source.join(PAGE))?)?;
    let question = json!({"script": script, "objects": objects}).to_string();
    let words: [&str; 0] = [];
    let told = command::run(&argo_cd, &words, &[], Some(question.as_bytes()), LIMIT).await?;
    let health: Vec<Health> = serde_json::from_str(&told.succeeded("argocd-health")?)?;
    for (health, object) in health.iter().zip(objects) {
        ensure!(health.error.is_empty(), "{PAGE}: its health check fails: {}\n{object:#}", health.error);
    }
    ensure_eq!(health.len(), objects.len(), "objects that were looked at");
    Ok(health)
}

/// The script for our kinds, taken out of the page's ConfigMap as Argo CD takes it.
fn script(page: &str) -> Outcome<String> {
    let block = page.split("\n```").find(|block| block.contains("resource.customizations: |"));
    let block = block.and_then(|block| block.strip_prefix("yaml\n"));
    let block = block.ok_or_else(|| Failure::new(format!("{PAGE} has no block of YAML for argocd-cm")))?;
    let config_map: Value = serde_yaml::from_str(block)?;
    let customizations = config_map["data"]["resource.customizations"].as_str().unwrap_or_default();
    let customizations: Value = serde_yaml::from_str(customizations)?;
    let script = customizations[OUR_KINDS]["health.lua"].as_str();
    script.map(str::to_owned).ok_or_else(|| Failure::new(format!("{PAGE} has no health.lua for {OUR_KINDS}")))
}
