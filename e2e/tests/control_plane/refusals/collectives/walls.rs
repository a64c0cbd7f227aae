//! The policies without one of their rules, for whoever asks for it, and in two namespaces alone.
//!
//! A copy of each policy stands in for it there. In each of its rules is a door: whoever is in the group that is
//! called like the rule's number is not judged by it. So a refusal is shown to be there because of one rule, while the
//! policies of all others stay as the chart made them.

use std::collections::BTreeMap;

use commonscloud_e2e::{Failure, Outcome};
use k8s_openapi::api::admissionregistration::v1::{ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{NAME, NOBODYS};
use crate::tier::ControlPlane;

/// The policies that are copied; each has a binding of its own name.
const POLICIES: [&str; 6] = [
    "commonscloud-collectives-made",
    "commonscloud-collectives-kept",
    "commonscloud-collectives-status",
    "commonscloud-collectives",
    "commonscloud-accesses",
    "commonscloud-leaverequests",
];

/// The group of whoever is not judged by a rule.
pub fn door(number: usize) -> String {
    format!("e2e-without-rule-{number}")
}

fn copy(policy: &str) -> String {
    format!("e2e-doors-{policy}")
}

fn object(kind: &str, policy: &str, spec: &Value) -> Value {
    let version = "admissionregistration.k8s.io/v1";
    json!({"apiVersion": version, "kind": kind, "metadata": {"name": copy(policy)}, "spec": spec})
}

/// Where the copies judge, or where they do not.
fn namespaces(operator: &str) -> Value {
    let here = json!({"key": "kubernetes.io/metadata.name", "operator": operator, "values": [NAME, NOBODYS]});
    json!({"namespaceSelector": {"matchExpressions": [here]}})
}

/// Has the copies judge, and gives the number of rules of each policy.
///
/// # Errors
/// When the API server refuses.
pub async fn with_doors(tier: &ControlPlane) -> Outcome<BTreeMap<&'static str, usize>> {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(tier.cluster.client.clone());
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(tier.cluster.client.clone());
    let mut rules = BTreeMap::new();
    for policy in POLICIES {
        let mut spec = serde_json::to_value(policies.get(policy).await?.spec)?;
        let validations =
            spec["validations"].as_array_mut().ok_or_else(|| Failure::new(format!("{policy}: no rule")))?;
        for (number, rule) in validations.iter_mut().enumerate() {
            let judged = rule["expression"].as_str().unwrap_or_default();
            rule["expression"] =
                json!(format!("'{}' in request.userInfo.?groups.orValue([]) || ({judged})", door(number)));
        }
        rules.insert(policy, validations.len());
        let mut binding = serde_json::to_value(bindings.get(policy).await?.spec)?;
        binding["policyName"] = json!(copy(policy));
        binding["matchResources"] = namespaces("In");
        let copies = [
            object("ValidatingAdmissionPolicy", policy, &spec),
            object("ValidatingAdmissionPolicyBinding", policy, &binding),
        ];
        tier.cluster.applied(&copies).await?;
        let elsewhere = json!({"spec": {"matchResources": namespaces("NotIn")}});
        bindings.patch(policy, &PatchParams::default(), &Patch::Merge(elsewhere)).await?;
    }
    Ok(rules)
}

/// Has the policies judge everywhere again, and takes the copies away.
///
/// # Errors
/// When the API server refuses.
pub async fn as_they_were(tier: &ControlPlane) -> Outcome {
    let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(tier.cluster.client.clone());
    for policy in POLICIES {
        let everywhere = json!({"spec": {"matchResources": null}});
        bindings.patch(policy, &PatchParams::default(), &Patch::Merge(everywhere)).await?;
    }
    let copies: Vec<String> = POLICIES.iter().map(|policy| copy(policy)).collect();
    let kinds = "validatingadmissionpolicybinding,validatingadmissionpolicy";
    let words = ["delete", kinds, "--ignore-not-found"].into_iter().chain(copies.iter().map(String::as_str));
    tier.cluster.kubectl.ok(&words.collect::<Vec<_>>()).await.map(drop)
}
