//! A deletion that does not end says what it waits for, since when, and who refuses; and an Entity
//! takes nothing along that it did not make.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, entity_with, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, gone, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use kube::api::{Api, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a deletion that another tool's finalizer holds names it, on the service and the entity", held),
        Scenario::new("a deletion whose date or namespace a policy refuses says so, and goes on afterwards", refused),
        Scenario::new("an entity that is deleted ends the services written by hand in its namespace", by_hand),
        Scenario::new("a namespace that was there before its entity stays with its objects", adopted),
        Scenario::new("a namespace in which somebody has an object stays, an empty one goes", somebody_in_it),
    ]
}

/// Every deletion that can end does so within this.
const END: Duration = Duration::from_mins(1);
/// How long a blocked deletion may take to be looked at again without an event.
const LOOKED_AT_AGAIN: Duration = Duration::from_mins(2);
const FOREIGN: &str = "other.example/tool";

async fn delete(tier: &ControlPlane, words: &[&str]) -> Outcome {
    tier.cluster.kubectl.ok(&[&["delete", "--wait=false"], words].concat()).await.map(drop)
}

/// Waits until an object says this reason in Ready=False and in a condition beside it, of its deletion.
async fn says(api: &Api<DynamicObject>, name: &str, beside: &str, reason: &str, words: &[&str]) -> Outcome {
    eventually(&format!("{name} says {reason}"), END, async || {
        let object = serde_json::to_value(api.get(name).await?)?;
        let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        ensure!(current, "its status is about an older generation");
        for (kind, status) in [("Ready", "False"), (beside, "True")] {
            let said = condition(&object, kind).ok_or_else(|| Failure::new(conditions(&object)))?;
            ensure!(said["status"] == status && said["reason"] == reason, "{}", conditions(&object));
            let message = said["message"].as_str().unwrap_or_default();
            let missing: Vec<_> = words.iter().filter(|word| !message.contains(**word)).collect();
            ensure!(missing.is_empty(), "no {missing:?} in {message}");
        }
        Ok(())
    })
    .await
}

/// Waits until the operator writes nothing about a namespace or Entity for two seconds.
async fn at_rest(tier: &ControlPlane, name: &str) -> Outcome {
    eventually("the operator comes to rest", END, async || {
        let mark = tier.cluster.audit.mark()?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let writes = tier.cluster.audit.writes(mark, USER)?;
        let about = writes.iter().filter(|write| {
            let object = &write.object_ref;
            object.namespace == name || object.name == name
        });
        let shown: Vec<String> = about.map(commonscloud_e2e::audit::Request::shown).collect();
        ensure!(shown.is_empty(), "{}", shown.join("\n"));
        Ok(())
    })
    .await
}

async fn held(tier: Arc<ControlPlane>) -> Outcome {
    let name = "deletion-held";
    tier.running(&entity_with(name, "radicale")).await?;
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    let mut finalizers = services.get("site").await?.metadata.finalizers.unwrap_or_default();
    finalizers.push(FOREIGN.to_owned());
    let merge = |finalizers: &[String]| Patch::Merge(json!({"metadata": {"finalizers": finalizers}}));
    services.patch("site", &PatchParams::default(), &merge(&finalizers)).await?;
    delete(&tier, &["entity", name]).await?;
    let service = ["being deleted since 2", "waiting for finalizer other.example/tool"];
    says(&services, "site", "Reconciling", "Deleting", &service).await?;
    let entity = ["being deleted since 2", "DedicatedService site (being deleted since 2", FOREIGN];
    says(&tier.entities(), name, "Reconciling", "Deleting", &entity).await?;
    at_rest(&tier, name).await?;
    services.patch("site", &PatchParams::default(), &merge(&[])).await?;
    gone(&tier.entities(), name, END).await
}

/// A policy that refuses an operation in a namespace, or on it, in these words.
fn policy(name: &str, group: &str, resource: &str, operation: &str, refuses_unless: &str) -> [Value; 2] {
    let api_version = "admissionregistration.k8s.io/v1";
    let metadata = json!({"name": name});
    let rule = json!({"apiGroups": [group], "apiVersions": ["*"], "operations": [operation], "resources": [resource]});
    let validation = json!({"expression": refuses_unless, "message": format!("{name} says no")});
    let of_namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": "deletion-refused"}});
    [
        json!({
            "apiVersion": api_version, "kind": "ValidatingAdmissionPolicy", "metadata": metadata,
            "spec": {
                "failurePolicy": "Fail", "validations": [validation],
                "matchConstraints": {"resourceRules": [rule], "namespaceSelector": of_namespace},
            },
        }),
        json!({
            "apiVersion": api_version, "kind": "ValidatingAdmissionPolicyBinding", "metadata": metadata,
            "spec": {"policyName": name, "validationActions": ["Deny"]},
        }),
    ]
}

async fn lift(tier: &ControlPlane, name: &str) -> Outcome {
    for kind in ["validatingadmissionpolicybinding", "validatingadmissionpolicy"] {
        tier.cluster.kubectl.ok(&["delete", kind, name]).await?;
    }
    Ok(())
}

async fn refused(tier: Arc<ControlPlane>) -> Outcome {
    let name = "deletion-refused";
    let kubectl = &tier.cluster.kubectl;
    let by_hand = namespaced("DedicatedService", name, "byhand", json!({"template": "radicale", "tier": "1gb"}));
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    tier.running(&entity(name, json!({}))).await?;
    tier.cluster.applied(&[by_hand]).await?;
    ready(&services, "byhand", READY).await?;
    let dates = policy("no-dates", "commonscloud.coop", "servicedata", "UPDATE", "!has(object.spec.keepUntil)");
    tier.cluster.applied(&dates).await?;
    eventually("the policy is in effect", END, async || {
        let patch = r#"{"spec":{"keepUntil":"2999-01-01T00:00:00Z"}}"#;
        let words = ["patch", "servicedata", "byhand", "-n", name, "--type=merge", "-p", patch, "--dry-run=server"];
        kubectl.run(&words, None).await?.refused("a date").map(drop)
    })
    .await?;
    delete(&tier, &["entity", name]).await?;
    let words = ["the date of its data cannot be recorded: ServiceData/byhand", "no-dates says no"];
    says(&services, "byhand", "Stalled", "DeletionBlocked", &words).await?;
    let words = ["DedicatedService byhand", "no-dates says no", "written by hand"];
    says(&tier.entities(), name, "Stalled", "DeletionBlocked", &words).await?;
    at_rest(&tier, name).await?;
    lift(&tier, "no-dates").await?;
    gone(&tier.entities(), name, LOOKED_AT_AGAIN).await?;
    let records = resources::ours_in(&tier.cluster.client, "ServiceData", name);
    let record = serde_json::to_value(records.get("byhand").await?)?;
    ensure!(record["spec"]["keepUntil"].is_string(), "the record says no date: {record}");
    Ok(())
}

async fn by_hand(tier: Arc<ControlPlane>) -> Outcome {
    let name = "deletion-by-hand";
    tier.running(&entity_with(name, "radicale")).await?;
    let by_hand = namespaced("DedicatedService", name, "byhand", json!({"template": "radicale", "tier": "5gb"}));
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", name);
    tier.cluster.applied(&[by_hand]).await?;
    ready(&services, "byhand", READY).await?;
    delete(&tier, &["entity", name]).await?;
    gone(&tier.entities(), name, END).await?;
    gone(&services, "byhand", END).await?;
    let records = resources::ours_in(&tier.cluster.client, "ServiceData", name);
    for service in ["site", "byhand"] {
        let record = serde_json::to_value(records.get(service).await?)?;
        ensure!(record["spec"]["keepUntil"].is_string(), "{service}: the record says no date: {record}");
    }
    let claims = tier.cluster.kubectl.ok(&["get", "persistentvolumeclaims", "-n", name, "-o", "name"]).await?;
    ensure!(claims.contains("byhand-data"), "its data is kept: {claims}");
    Ok(())
}

/// Each message on a line, as it was written.
const MESSAGES: &str = r#"jsonpath={range .items[*]}{.message}{"\n"}{end}"#;

fn precious(namespace: &str) -> [Value; 2] {
    let metadata = json!({"name": "precious", "namespace": namespace});
    let values = json!({"of": "them"});
    [
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": values}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}),
    ]
}

/// What stays of a namespace that holds no data of the operator's: all that others have in it, and
/// nothing of the operator's that keeps anybody from deleting it.
async fn given_back(tier: &ControlPlane, name: &str, objects: &[&str], why: &str) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    for object in objects {
        kubectl.ok(&["get", object, "-n", name]).await?;
    }
    eventually("an event says that it stays, and why", END, async || {
        let events =
            kubectl.ok(&["get", "events", "-n", "default", "--field-selector", "reason=NamespaceKept", "-o", MESSAGES]);
        let events = events.await?;
        ensure!(events.contains(&format!("namespace {name} stays: {why}")), "{events}");
        Ok(())
    })
    .await?;
    eventually("the operator's rights in it are gone", END, async || {
        let bindings = kubectl.ok(&["get", "rolebindings", "-n", name, "-o", "name"]).await?;
        ensure!(!bindings.contains("commonscloud"), "{bindings}");
        Ok(())
    })
    .await?;
    let namespace = kubectl.ok(&["get", "namespace", name, "-o", "json"]).await?;
    ensure!(!namespace.contains("commonscloud.coop/entity"), "{namespace}");
    kubectl.ok(&["delete", "namespace", name, "--timeout=60s"]).await.map(drop)
}

async fn adopted(tier: Arc<ControlPlane>) -> Outcome {
    let name = "there-before";
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["create", "namespace", name]).await?;
    tier.cluster.applied(&precious(name)).await?;
    kubectl.ok(&["label", "namespace", name, &format!("commonscloud.coop/entity={name}")]).await?;
    tier.running(&entity(name, json!({}))).await?;
    delete(&tier, &["entity", name]).await?;
    gone(&tier.entities(), name, END).await?;
    given_back(&tier, name, &["configmap/precious", "secret/precious"], "the operator did not make it").await
}

/// What cert-manager leaves of the certificate of an Ingress that is gone.
fn certificate(namespace: &str) -> Value {
    let metadata = json!({
        "name": "site-tls", "namespace": namespace,
        "labels": {"controller.cert-manager.io/fao": "true"},
        "annotations": {"cert-manager.io/certificate-name": "site-tls", "cert-manager.io/issuer-kind": "ClusterIssuer"},
    });
    let files = json!({"tls.crt": "certificate", "tls.key": "key"});
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "stringData": files,
    })
}

async fn somebody_in_it(tier: Arc<ControlPlane>) -> Outcome {
    let (full, empty) = ("somebody-in-it", "nobody-in-it");
    for name in [full, empty] {
        tier.running(&entity(name, json!({}))).await?;
    }
    tier.cluster.applied(&precious(full)).await?;
    tier.cluster.applied(&[certificate(empty)]).await?;
    for name in [full, empty] {
        delete(&tier, &["entity", name]).await?;
        gone(&tier.entities(), name, END).await?;
    }
    eventually("the empty namespace goes", END, async || {
        let found = tier.cluster.kubectl.run(&["get", "namespace", empty], None).await?;
        found.refused("the namespace").map(drop)
    })
    .await?;
    let why = "objects in it are not the operator's (ConfigMap precious, Secret precious)";
    given_back(&tier, full, &["configmap/precious", "secret/precious"], why).await
}
