//! What was recorded and is lost is named, and nothing empty takes its place; what a later revision adds
//! is made for instances that exist.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, entity_with, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, gone, ready};
use commonscloud_e2e::{Failure, Outcome, command, ensure, ensure_eq, resources};
use commonscloud_operator::api::{GeneratedSecret, SecretKey, ServiceTemplate, marks};
use commonscloud_operator::template;
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a volume of a running service is shown being deleted, then missing, and none takes its place",
            volume,
        ),
        Scenario::new("a lost Secret of a running service is Stalled and no new password is made", secret),
        Scenario::new("a volume lost while its data was kept is Stalled when the service comes back", kept),
        Scenario::new("a revision with one more Secret, then one more key, reaches an instance that exists", revised),
        Scenario::new("a record whose service went without its finalizer is given its date", orphaned).apart(),
    ]
}

/// How long a change may take to be told.
const TOLD: Duration = Duration::from_secs(15);
/// Who may delete what holds data: it empties namespaces.
const EMPTIES: &str = "--as=system:serviceaccount:kube-system:namespace-controller";

/// Waits until the service `site` is not Ready for this reason.
async fn says(tier: &ControlPlane, namespace: &str, reason: &str) -> Outcome<String> {
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", namespace);
    eventually(&format!("the service says {reason}"), TOLD, async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
        ensure!(ready["status"] == "False" && ready["reason"] == reason, "{}", conditions(&service));
        Ok(ready["message"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

/// Waits until the record of `site` is in this state, and gives it.
async fn state(tier: &ControlPlane, namespace: &str, state: &str) -> Outcome<Value> {
    let records = resources::ours_in(&tier.cluster.client, "ServiceData", namespace);
    eventually(&format!("the record is {state}"), READY, async || {
        let record = serde_json::to_value(records.get("site").await?)?;
        ensure!(record["status"]["state"] == state, "{}", record["status"]);
        Ok(record)
    })
    .await
}

/// Deletes an object that holds data past every guard, whatever finalizer it has.
async fn lose(tier: &ControlPlane, namespace: &str, object: &str) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["delete", object, "-n", namespace, EMPTIES, "--wait=false"]).await?;
    let strip = r#"{"metadata":{"finalizers":null}}"#;
    let patched = kubectl.run(&["patch", object, "-n", namespace, "--type=merge", "-p", strip], None).await?;
    drop(patched);
    Ok(())
}

/// The uid of an object; none when it is not there.
async fn uid(tier: &ControlPlane, namespace: &str, object: &str) -> Outcome<String> {
    let words = ["get", object, "-n", namespace, "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"];
    tier.cluster.kubectl.ok(&words).await
}

/// Nothing of that name is made while the operator would have made it several times over.
async fn stays_away(tier: &ControlPlane, namespace: &str, object: &str) -> Outcome {
    tokio::time::sleep(Duration::from_secs(3)).await;
    ensure_eq!(uid(tier, namespace, object).await?, "", "{object} was made anew");
    Ok(())
}

async fn rebind(tier: &ControlPlane, namespace: &str, more: &[&str]) -> Outcome<String> {
    let instance = format!("{namespace}/site");
    let mut words = vec!["data", "rebind", instance.as_str()];
    words.extend(more);
    let kubeconfig = tier.cluster.facts.kubeconfig.to_string_lossy().into_owned();
    let program = &tier.cluster.programs.commonscloud;
    let finished = command::run(program, &words, &[("KUBECONFIG", &kubeconfig)], None, READY).await?;
    finished.succeeded("commonscloud data rebind")
}

async fn volume(tier: Arc<ControlPlane>) -> Outcome {
    let name = "lost-volume";
    tier.running(&entity_with(name, "radicale")).await?;
    let record = state(&tier, name, "InUse").await?;
    let claim = "persistentvolumeclaim/site-data";
    ensure_eq!(record["spec"]["volumes"][0]["uid"], json!(uid(&tier, name, claim).await?), "the recorded uid");
    ensure!(record["spec"]["volumes"][0]["volumeName"].is_string(), "{record}");

    let kubectl = &tier.cluster.kubectl;
    let before = kubectl.ok(&["get", claim, "-n", name, "-o", "json"]).await?;
    kubectl.ok(&["delete", claim, "-n", name, EMPTIES, "--wait=false"]).await?;
    let message = says(&tier, name, "VolumeBeingDeleted").await?;
    ensure!(message.contains("site-data"), "{message}");
    let pods = kubectl.ok(&["get", "pods", "-n", name, "-o", "name", "--field-selector=status.phase=Running"]).await?;
    ensure!(pods.lines().count() >= 1, "the service stopped");

    lose(&tier, name, claim).await?;
    let message = says(&tier, name, "VolumeMissing").await?;
    ensure!(message.contains("PersistentVolumeClaim site-data is gone"), "{message}");
    stays_away(&tier, name, claim).await?;
    let record =
        serde_json::to_value(resources::ours_in(&tier.cluster.client, "ServiceData", name).get("site").await?)?;
    ensure!(conditions(&record).contains("VolumeMissing"), "{}", conditions(&record));

    // Restored under the same name, and bound by whoever may.
    let before: Value = serde_json::from_str(&before)?;
    let mut restored = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "spec": before["spec"]});
    restored["metadata"] = json!({"name": "site-data", "namespace": name, "labels": before["metadata"]["labels"]});
    if let Some(spec) = restored["spec"].as_object_mut() {
        spec.remove("volumeName");
    }
    tier.cluster.applied(&[restored]).await?;
    // It is bound once a pod needs it.
    kubectl.ok(&["delete", "pods", "-n", name, "--all", "--wait=false"]).await?;
    let message = says(&tier, name, "VolumeMissing").await?;
    eventually("the other claim is named", TOLD, async || {
        let message = says(&tier, name, "VolumeMissing").await?;
        ensure!(message.contains("is not the one that was recorded"), "{message}");
        Ok(())
    })
    .await
    .map_err(|failure| failure.during(&message))?;
    let told = rebind(&tier, name, &[]).await?;
    ensure!(told.contains("formerly"), "{told}");
    let record = state(&tier, name, "InUse").await?;
    ensure_eq!(record["spec"]["volumes"][0]["uid"], json!(uid(&tier, name, claim).await?), "the recorded uid");
    ensure!(record["spec"]["volumes"][0]["formerUid"].is_string(), "{record}");
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    ready(&services, "site", READY).await.map(drop)
}

async fn secret(tier: Arc<ControlPlane>) -> Outcome {
    let name = "lost-secret";
    tier.running(&entity_with(name, "radicale")).await?;
    state(&tier, name, "InUse").await?;
    lose(&tier, name, "secret/site-admin").await?;
    let message = says(&tier, name, "SecretMissing").await?;
    ensure!(message.contains("Secret site-admin is gone"), "{message}");
    stays_away(&tier, name, "secret/site-admin").await
}

async fn kept(tier: Arc<ControlPlane>) -> Outcome {
    let name = "lost-while-kept";
    tier.running(&entity_with(name, "radicale")).await?;
    state(&tier, name, "InUse").await?;
    tier.running(&entity(name, json!({}))).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    gone(&services, "site", READY).await?;
    state(&tier, name, "KeptUntil").await?;
    lose(&tier, name, "persistentvolumeclaim/site-data").await?;
    lose(&tier, name, "secret/site-admin").await?;
    let records = resources::ours_in(&tier.cluster.client, "ServiceData", name);
    eventually("the record says what is missing", TOLD, async || {
        let record = serde_json::to_value(records.get("site").await?)?;
        let told = conditions(&record);
        ensure!(told.contains("VolumeMissing") && told.contains("site-data is gone"), "{told}");
        Ok(())
    })
    .await?;
    tier.cluster.applied(&[entity_with(name, "radicale")]).await?;
    says(&tier, name, "VolumeMissing").await?;
    stays_away(&tier, name, "persistentvolumeclaim/site-data").await?;
    stays_away(&tier, name, "secret/site-admin").await
}

/// A package of the scenario's own.
fn package(tier: &ControlPlane, name: &str) -> Outcome<ServiceTemplate> {
    let mut copy = template::load_directory(&tier.cluster.programs.source.join("examples/templates/radicale.yaml"))?;
    copy.metadata.name = Some(name.to_owned());
    Ok(copy)
}

fn random(name: &str) -> SecretKey {
    SecretKey { name: name.to_owned(), length: Some(32), ..SecretKey::default() }
}

/// Applies the package, moves `site` to its newest revision, and waits until it runs it.
async fn moved(tier: &ControlPlane, entity: &mut Value, package: &ServiceTemplate) -> Outcome {
    let name = package.metadata.name.clone().unwrap_or_default();
    let compiled = template::Package::compile(&name, &package.spec).map_err(|e| Failure::new(e.to_string()))?;
    tier.cluster.applied(&[serde_json::to_value(package)?]).await?;
    entity["spec"]["services"]["others"][0]["revision"] = json!(compiled.revision_name());
    tier.cluster.applied(std::slice::from_ref(entity)).await?;
    let namespace = entity["metadata"]["name"].as_str().unwrap_or_default();
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", namespace);
    eventually("the service runs the new revision", READY, async || {
        let service = serde_json::to_value(services.get("site").await?)?;
        ensure_eq!(service["status"]["revision"], json!(compiled.revision_name()), "{}", conditions(&service));
        commonscloud_e2e::wait::is_ready(&service)
    })
    .await
}

async fn revised(tier: Arc<ControlPlane>) -> Outcome {
    let name = "revised-secrets";
    let mut package = package(&tier, name)?;
    let mut entity = entity_with(name, name);
    tier.cluster.applied(&[serde_json::to_value(&package)?]).await?;
    tier.running(&entity).await?;
    state(&tier, name, "InUse").await?;
    let first = uid(&tier, name, "secret/site-admin").await?;

    package.spec.secrets.push(GeneratedSecret { name: "jwt".to_owned(), keys: vec![random("key")] });
    moved(&tier, &mut entity, &package).await?;
    ensure!(!uid(&tier, name, "secret/site-jwt").await?.is_empty(), "the new Secret was not made");

    package.spec.secrets[0].keys.push(random("token"));
    let manifest = &mut package.spec.manifests;
    let with_token = |text: &str| {
        text.replace(
            "- name: ADMIN_PASSWORD\n",
            "- name: ADMIN_TOKEN\n              valueFrom: {secretKeyRef: {name: {{ secrets.admin }}, key: token}}\n            - name: ADMIN_PASSWORD\n",
        )
    };
    for manifest in manifest.iter_mut() {
        manifest.template = with_token(&manifest.template);
    }
    ensure!(manifest.iter().any(|manifest| manifest.template.contains("ADMIN_TOKEN")), "the package has changed");
    moved(&tier, &mut entity, &package).await?;
    ensure_eq!(uid(&tier, name, "secret/site-admin").await?, first, "the first Secret");
    let keys =
        tier.cluster.kubectl.ok(&["get", "secret", "site-admin-2", "-n", name, "-o", "jsonpath={.data}"]).await?;
    ensure!(keys.contains("token"), "{keys}");
    let deployment = tier.cluster.kubectl.ok(&["get", "deployments", "-n", name, "-o", "json"]).await?;
    let reference = deployment.split("ADMIN_TOKEN").nth(1).unwrap_or_default();
    let reference: String = reference.chars().take(300).collect();
    ensure!(reference.contains("site-admin-2"), "{reference}");
    Ok(())
}

async fn orphaned(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let name = "orphaned-record";
    tier.running(&entity(name, json!({}))).await?;
    let site = namespaced("DedicatedService", name, "site", json!({"template": "radicale", "tier": "1gb"}));
    tier.cluster.applied(&[site]).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    ready(&services, "site", READY).await?;
    // While the operator is down nobody puts the finalizer back.
    tier.stop_operator().await?;
    let kubectl = &tier.cluster.kubectl;
    let strip = r#"{"metadata":{"finalizers":null}}"#;
    kubectl.ok(&["patch", "dedicatedservice", "site", "-n", name, "--type=merge", "-p", strip]).await?;
    kubectl.ok(&["delete", "dedicatedservice", "site", "-n", name, "--timeout=30s"]).await?;
    tier.start_operator().await?;
    gone(&services, "site", READY).await?;
    let record = state(&tier, name, "KeptUntil").await?;
    ensure!(record["spec"]["keepUntil"].is_string(), "{record}");
    ensure_eq!(record["metadata"]["labels"][marks::DATA], json!("true"), "the label");
    Ok(())
}
