//! The chart installed, upgraded, rolled back, uninstalled, and installed again under another name in
//! another namespace, while two tenants run and the deletion of a third waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::chart::{RELEASE, Release, helm, install, install_as};
use commonscloud_e2e::manifests::{entity_with, entity_with_office};
use commonscloud_e2e::operator::{HostOperator, kubeconfig, kubeconfig_of};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{eventually, gone, list};
use commonscloud_e2e::{Outcome, command, ensure, ensure_eq};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt as _;
use kube::api::Api;
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY, platform_secrets};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "through upgrade, rollback, uninstallation and another release's name no tenant's pod restarts",
            releases,
        )
        .apart(),
    ]
}

/// The release that takes over.
const OTHER: Release = Release { name: "another", namespace: "another-system", service_account: "another-operator" };
/// Those that go on running.
const TENANTS: [&str; 2] = ["moved-a", "moved-b"];
/// The one that is deleted while nobody is there to do it.
const LEAVING: &str = "moved-away";
/// The one that is applied meanwhile.
const COMING: &str = "moved-in";
/// A hook waits a minute at most.
const HOOK: Duration = Duration::from_secs(90);

/// The uids of the tenants' pods and claims.
async fn uids(tier: &ControlPlane) -> Outcome<BTreeMap<String, String>> {
    let client = &tier.cluster.client;
    let mut uids = BTreeMap::new();
    for namespace in TENANTS {
        let pods: Vec<Pod> = list(client, namespace, "commonscloud.coop/instance").await?;
        let claims: Vec<PersistentVolumeClaim> = list(client, namespace, "commonscloud.coop/instance").await?;
        ensure!(!pods.is_empty() && !claims.is_empty(), "nothing runs in {namespace}");
        let lasting = |pod: &&Pod| pod.owner_references().iter().all(|owner| owner.kind != "Job");
        for pod in pods.iter().filter(lasting) {
            uids.insert(format!("pod {namespace}/{}", pod.name_any()), pod.uid().unwrap_or_default());
        }
        for claim in claims {
            uids.insert(format!("claim {namespace}/{}", claim.name_any()), claim.uid().unwrap_or_default());
        }
    }
    Ok(uids)
}

/// A subcommand of the operator with the rights of a release's hooks.
async fn hook(tier: &ControlPlane, release: Release, words: &[&str]) -> Outcome<String> {
    let file = tier.file("hooks.kubeconfig");
    kubeconfig_of(&tier.cluster, release.namespace, &format!("{}-hooks", release.service_account), &file).await?;
    let access = file.to_string_lossy();
    let environment = [("KUBECONFIG", &*access)];
    let finished = command::run(&tier.cluster.programs.operator, words, &environment, None, HOOK).await?;
    finished.succeeded(&words.join(" "))
}

/// Waits until the operator of a release has its rights in the tenants' namespaces.
async fn is_bound(tier: &ControlPlane, release: Release) -> Outcome {
    for namespace in TENANTS {
        let bindings: Api<RoleBinding> = Api::namespaced(tier.cluster.client.clone(), namespace);
        eventually("the operator's rights are those of the release", READY, async || {
            let binding = bindings.get("commonscloud-operator").await?;
            let subjects: Vec<_> = binding.subjects.iter().flatten().map(|subject| subject.name.as_str()).collect();
            ensure_eq!(subjects, [release.service_account], "subjects in {namespace}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

async fn releases(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let ended = moved(&tier).await;
    // Others find their release, whatever happened.
    let back = moved_back(&tier).await;
    ended.and(back)
}

async fn moved(tier: &ControlPlane) -> Outcome {
    let cluster = &tier.cluster;
    tier.running(&entity_with(TENANTS[0], "radicale")).await?;
    tier.running(&entity_with_office(TENANTS[1])).await?;
    tier.running(&entity_with(LEAVING, "radicale")).await?;
    let before = uids(tier).await?;
    let checked = hook(tier, RELEASE, &["check", "--namespace", RELEASE.namespace]).await?;
    ensure!(checked.contains("Platform default is Ready"), "{checked}");

    install(cluster, &json!({"replicas": 0, "podAnnotations": {"upgraded": "yes"}})).await?;
    ensure_eq!(uids(tier).await?, before, "after an upgrade");
    let words = ["rollback", RELEASE.name, "--namespace", RELEASE.namespace, "--wait", "--timeout", "2m"];
    helm(cluster, &words).await?.succeeded("helm rollback")?;
    ensure_eq!(uids(tier).await?, before, "after a rollback");

    uninstalled(tier).await?;
    ensure_eq!(uids(tier).await?, before, "after the uninstallation");

    let another = taken_over(tier).await?;
    ensure_eq!(uids(tier).await?, before, "under another release");
    another.stop().await.map(drop)
}

async fn uninstalled(tier: &ControlPlane) -> Outcome {
    let cluster = &tier.cluster;
    let kubectl = &cluster.kubectl;
    tier.stop_operator().await?;
    let told = hook(tier, RELEASE, &["left"]).await?;
    ensure!(told.starts_with("Entities: ") && told.contains("goes on running"), "{told}");
    let words = ["uninstall", RELEASE.name, "--namespace", RELEASE.namespace, "--wait", "--timeout", "2m"];
    helm(cluster, &words).await?.succeeded("helm uninstall")?;
    let left =
        ["get", "deployments,serviceaccounts", "-n", RELEASE.namespace, "-l", "app.kubernetes.io/part-of=commonscloud"];
    ensure_eq!(kubectl.ok(&[&left[..], &["-o", "name"]].concat()).await?, "", "what is left of the release");
    kubectl.ok(&["get", "platform/default", "entity/moved-a", "entity/moved-b"]).await?;
    let refused = kubectl.run(&["delete", "namespace", TENANTS[0], "--dry-run=server"], None).await?;
    let refused = refused.refused("the deletion of a namespace with data")?;
    ensure!(refused.contains("holds the data"), "{refused}");
    kubectl.ok(&["delete", "entity", LEAVING, "--wait=false"]).await?;
    // Who waits by kstatus sees it in progress, though nobody is there to say so.
    cluster.applied(&[entity_with_office(COMING)]).await?;
    let coming = serde_json::to_value(tier.entities().get(COMING).await?)?;
    ensure_eq!(coming["status"]["observedGeneration"], json!(-1), "an Entity that nobody has looked at");
    Ok(())
}

/// Another release under another name, in another namespace, with its operator.
async fn taken_over(tier: &ControlPlane) -> Outcome<HostOperator> {
    let cluster = &tier.cluster;
    cluster.kubectl.ok(&["create", "namespace", OTHER.namespace]).await?;
    let mut secrets = platform_secrets("a password");
    for secret in &mut secrets {
        secret["metadata"]["namespace"] = json!(OTHER.namespace);
    }
    cluster.applied(&secrets).await?;
    let values = json!({"replicas": 0});
    let refused = install_as(cluster, OTHER, &values, &[]).await;
    let refused = refused.err().map(|failure| failure.to_string()).unwrap_or_default();
    ensure!(refused.contains("cannot be imported into the current release"), "not refused: {refused}");
    install_as(cluster, OTHER, &values, &["--take-ownership"]).await?;

    let (access, log) = (tier.file("another.kubeconfig"), tier.file("another.log"));
    kubeconfig_of(cluster, OTHER.namespace, OTHER.service_account, &access).await?;
    let operator = HostOperator::start_as(cluster, OTHER, &access, &log).await?;
    is_bound(tier, OTHER).await?;
    gone(&tier.entities(), LEAVING, READY).await?;
    tier.running(&entity_with_office(COMING)).await?;
    let kept = cluster.kubectl.ok(&["get", "crd/entities.commonscloud.coop", "-o", "json"]).await?;
    let kept: Value = serde_json::from_str(&kept)?;
    let (labels, annotations) = (&kept["metadata"]["labels"], &kept["metadata"]["annotations"]);
    ensure_eq!(labels["app.kubernetes.io/instance"], json!(OTHER.name), "label of a kept CRD");
    ensure_eq!(annotations["meta.helm.sh/release-name"], json!(OTHER.name), "annotation of a kept CRD");
    Ok(operator)
}

/// The tier's own release, whatever is there of it and of the other.
async fn moved_back(tier: &ControlPlane) -> Outcome {
    let cluster = &tier.cluster;
    // It is down unless something failed before.
    let _ = tier.stop_operator().await;
    let words =
        ["uninstall", OTHER.name, "--namespace", OTHER.namespace, "--ignore-not-found", "--wait", "--timeout", "2m"];
    helm(cluster, &words).await?.succeeded("helm uninstall")?;
    install_as(cluster, RELEASE, &json!({"replicas": 0}), &["--take-ownership"]).await?;
    kubeconfig(cluster, &tier.kubeconfig()).await?;
    tier.forget_leader().await?;
    tier.start_operator().await?;
    is_bound(tier, RELEASE).await
}
