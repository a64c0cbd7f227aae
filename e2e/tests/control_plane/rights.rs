//! The operator's rights as they were installed.

use std::sync::Arc;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role};
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use crate::tier::ControlPlane;

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("the roles as installed hold no * and no escalate", no_wildcards),
        Scenario::new(
            "the operator reads no Secret outside the namespaces of entities and its own",
            secrets_are_closed,
        ),
        Scenario::new("the operator cannot write outside the namespaces of entities", held_to_its_namespaces),
    ]
}

fn faults(role: &str, rules: Option<&[PolicyRule]>) -> Vec<String> {
    let mut faults = Vec::new();
    for rule in rules.unwrap_or_default() {
        let lists =
            [Some(&rule.verbs), rule.api_groups.as_ref(), rule.resources.as_ref(), rule.non_resource_urls.as_ref()];
        for word in lists.into_iter().flatten().flatten() {
            if word.contains('*') || word == "escalate" || word == "impersonate" {
                faults.push(format!("{role}: {word:?} in {rule:?}"));
            }
        }
        let binds = rule.verbs.iter().any(|verb| verb == "bind");
        if binds && rule.resource_names.as_ref().is_none_or(Vec::is_empty) {
            faults.push(format!("{role}: bind without resourceNames"));
        }
    }
    faults
}

async fn no_wildcards(tier: Arc<ControlPlane>) -> Outcome {
    let client = tier.cluster.client.clone();
    let ours = |name: &str| name.starts_with("commonscloud");
    let mut seen = 0;
    let mut all = Vec::new();
    for role in Api::<ClusterRole>::all(client.clone()).list(&ListParams::default()).await? {
        if ours(&role.name_any()) {
            seen += 1;
            all.extend(faults(&role.name_any(), role.rules.as_deref()));
        }
    }
    for role in Api::<Role>::all(client.clone()).list(&ListParams::default()).await? {
        if ours(&role.name_any()) {
            seen += 1;
            all.extend(faults(&role.name_any(), role.rules.as_deref()));
        }
    }
    ensure!(seen >= 3, "only {seen} roles of the chart were found");
    for binding in Api::<ClusterRoleBinding>::all(client).list(&ListParams::default()).await? {
        let subjects = binding.subjects.iter().flatten();
        let bound = subjects.into_iter().any(|subject| USER.ends_with(&format!(":{}", subject.name)));
        if bound && !ours(&binding.role_ref.name) {
            all.push(format!("{} gives the operator {}", binding.name_any(), binding.role_ref.name));
        }
    }
    ensure!(all.is_empty(), "{}", all.join("\n"));
    Ok(())
}

/// `kubectl auth can-i` as the operator; `no` is what is expected.
async fn may_not(tier: &ControlPlane, question: &[&str]) -> Outcome {
    let mut words = vec!["auth", "can-i"];
    words.extend(question);
    words.extend(["--as", USER]);
    let finished = tier.cluster.kubectl.run(&words, None).await?;
    ensure!(finished.stdout.trim() == "no", "{}: {}", question.join(" "), finished.stdout);
    Ok(())
}

async fn secrets_are_closed(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&entity_with_office("rights")).await?;
    for verb in ["get", "list", "watch", "create", "delete"] {
        may_not(&tier, &[verb, "secrets", "-n", "kube-system"]).await?;
        may_not(&tier, &[verb, "secrets", "--all-namespaces"]).await?;
    }
    let granted =
        tier.cluster.kubectl.run(&["auth", "can-i", "get", "secrets", "-n", "rights", "--as", USER], None).await?;
    ensure!(granted.stdout.trim() == "yes", "the operator cannot read Secrets of an entity: {}", granted.stdout);
    Ok(())
}

async fn held_to_its_namespaces(tier: Arc<ControlPlane>) -> Outcome {
    for resource in [
        "deployments.apps",
        "configmaps",
        "pods",
        "clusterroles.rbac.authorization.k8s.io",
        "nodes/proxy",
        "serviceaccounts/token",
    ] {
        may_not(&tier, &["create", resource, "-n", "kube-system"]).await?;
    }
    may_not(&tier, &["bind", "clusterroles.rbac.authorization.k8s.io/cluster-admin"]).await?;
    let words = ["label", "namespace", "kube-public", "commonscloud.coop/entity=kube-public", "--as", USER];
    let finished = tier.cluster.kubectl.run(&words, None).await?;
    finished.refused("the operator's own label on a namespace that is no entity's").map(drop)
}
