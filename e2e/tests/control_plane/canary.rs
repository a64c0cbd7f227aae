//! A container's last words and the API server's refusals quote secrets: nobody reads them in a status, an
//! Event, the operator's log, an argument or what the administrator's tool prints.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commonscloud_e2e::chart::USER;
use commonscloud_e2e::everything::{self, EVERYTHING};
use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, command, ensure, resources};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, platform_secrets};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a container and a policy that quote passwords are reported without them, and without paths of the node",
            quoted,
        )
        .apart(),
    ]
}

const NAME: &str = "canary";
/// How long something may take to be told.
const TOLD: Duration = Duration::from_secs(30);
/// A password that somebody chose for the mail server.
const MAIL: &str = "canari de correu";
/// What an identity provider made, and the operator never reads.
const CLIENT: &str = "Zk3JmQp81VxT0aLwYc5RfNbE7GhUd2Ss";
/// Where a storage driver keeps the volumes.
const PATH: &str = "/var/lib/canary-driver/volumes/tenants";

async fn quoted(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    tier.cluster.applied(&platform_secrets(MAIL)).await?;
    let ended = told_without(&tier).await;
    // Others use this cluster after it.
    tier.cluster.applied(&platform_secrets("a password")).await?;
    let words = ["delete", "entity", NAME, "--ignore-not-found", "--wait=false"];
    tier.cluster.kubectl.ok(&words).await?;
    let words = ["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", NAME, "--ignore-not-found"];
    tier.cluster.kubectl.ok(&words).await?;
    ended
}

async fn told_without(tier: &ControlPlane) -> Outcome {
    tier.cluster.applied(&[json!(everything::package()?)]).await?;
    tier.running(&entity_with(NAME, EVERYTHING)).await?;
    let generated = generated(tier).await?;
    let quote = format!("no sign-in with {generated}, {MAIL} or {CLIENT}");
    let hidden = "no sign-in with [redacted], [redacted] or [redacted]";

    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error", "message": format!("starting\n{quote}\n")}});
    fails(tier, &json!({"waiting": {"reason": "CrashLoopBackOff"}}), &ended).await?;
    says(tier, "CrashLoopBackOff", &format!("exit code 1: {hidden}")).await?;
    let message = format!("{quote} at {PATH}/canary.img");
    fails(tier, &json!({"waiting": {"reason": "CreateContainerError", "message": message}}), &json!({})).await?;
    says(tier, "CreateContainerError", &format!("{hidden} at …/canary.img")).await?;
    none_holds(tier, &[&generated, MAIL, CLIENT, PATH]).await?;

    tier.cluster.applied(&policy(&quote)).await?;
    eventually("the policy refuses the operator's repair", TOLD, async || {
        let words = ["scale", "deployment/site-app", "-n", NAME, "--replicas=2"];
        tier.cluster.kubectl.ok(&words).await?;
        said(tier, "Refused", hidden).await
    })
    .await?;
    let log = std::fs::read_to_string(tier.log())?;
    ensure!(log.contains(hidden), "the refusal is not in the log");
    none_holds(tier, &[&generated, MAIL, CLIENT]).await
}

/// The password that the operator made.
async fn generated(tier: &ControlPlane) -> Outcome<String> {
    let words = ["get", "secret", "site-admin", "-n", NAME, "-o", "jsonpath={.data.password}"];
    let encoded = tier.cluster.kubectl.ok(&words).await?;
    Ok(String::from_utf8(STANDARD.decode(encoded)?)?)
}

/// Has the application's pod be as its kubelet would report it.
async fn fails(tier: &ControlPlane, state: &Value, last: &Value) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    let (selector, name) = ("app.kubernetes.io/component=app", "jsonpath={.items[0].metadata.name}");
    let pod = kubectl.ok(&["get", "pods", "-n", NAME, "-l", selector, "-o", name]).await?;
    let container = json!({
        "name": "app", "ready": false, "restartCount": 1, "image": "app", "imageID": "",
        "state": state, "lastState": last,
    });
    let ready = json!([{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "False"}]);
    let patch = json!({"status": {"conditions": ready, "containerStatuses": [container]}}).to_string();
    kubectl.ok(&["patch", "pod", &pod, "-n", NAME, "--subresource=status", "-p", &patch]).await.map(drop)
}

async fn says(tier: &ControlPlane, reason: &str, words: &str) -> Outcome {
    eventually(&format!("the service says {reason}"), TOLD, async || said(tier, reason, words).await).await
}

async fn said(tier: &ControlPlane, reason: &str, words: &str) -> Outcome {
    let services = resources::ours_in(&tier.cluster.client, "DedicatedService", NAME);
    let service = serde_json::to_value(services.get("site").await?)?;
    let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
    let message = ready["message"].as_str().unwrap_or_default();
    ensure!(ready["reason"] == reason && message.contains(words), "{}", conditions(&service));
    Ok(())
}

/// A policy that lets the operator change no Deployment of the Entity, in these words.
fn policy(words: &str) -> [Value; 2] {
    let made = |kind: &str, spec: Value| {
        let version = "admissionregistration.k8s.io/v1";
        json!({"apiVersion": version, "kind": kind, "metadata": {"name": NAME}, "spec": spec})
    };
    let deployments =
        json!({"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"]});
    let spec = json!({
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAME}},
            "resourceRules": [deployments],
        },
        "matchConditions": [{"name": "operator", "expression": format!("request.userInfo.username == '{USER}'")}],
        "validations": [{"expression": "false", "message": words}],
    });
    [
        made("ValidatingAdmissionPolicy", spec),
        made("ValidatingAdmissionPolicyBinding", json!({"policyName": NAME, "validationActions": ["Deny"]})),
    ]
}

/// Looks for secrets in all custom resources, all Events, the operator's log, its metrics and its command line, in what
/// pods and whatever makes pods are to run (arguments and variables), and in what the administrator's tool prints.
async fn none_holds(tier: &ControlPlane, secrets: &[&str]) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    let run = "pods,jobs,cronjobs,deployments,statefulsets";
    let places = [
        ("custom resources", kubectl.ok(&["get", "commonscloud", "-A", "-o", "json"]).await?),
        ("Events", kubectl.ok(&["get", "events.v1.events.k8s.io", "-A", "-o", "json"]).await?),
        ("pods, Jobs and workloads", kubectl.ok(&["get", run, "-A", "-o", "jsonpath={.items[*].spec}"]).await?),
        ("the operator's log", std::fs::read_to_string(tier.log())?),
        ("the operator's command line", tier.command_line().await?),
        ("metrics", tier.metrics().await?),
        ("what commonscloud status prints", status(tier).await?),
    ];
    for (place, text) in places {
        ensure!(!text.is_empty(), "nothing was read of {place}");
        for secret in secrets {
            ensure!(!text.contains(secret), "{place} hold {secret:?}");
        }
    }
    Ok(())
}

/// What the administrator's tool prints of all services; its exit code says that one is not Ready.
async fn status(tier: &ControlPlane) -> Outcome<String> {
    let kubeconfig = tier.cluster.facts.kubeconfig.to_string_lossy();
    let program = &tier.cluster.programs.commonscloud;
    let printed = command::run(program, &["status"], &[("KUBECONFIG", &kubeconfig)], None, TOLD).await?.stdout;
    ensure!(printed.contains(NAME), "commonscloud status says nothing of {NAME}: {printed}");
    Ok(printed)
}
