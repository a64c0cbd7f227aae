//! The operator's roles, generated from the kinds that packages may render and a fixed list.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::api::GROUP;
use crate::kinds;
use crate::template::{AllowedKind, allowed_kinds};
use crate::usage;

const READ: [&str; 3] = ["get", "list", "watch"];
const EDIT: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];

/// What the cluster's own roles `view` and `edit` give, by aggregation. Any other kind is none of theirs:
/// records, revisions and prices are written by few, and tell of everybody.
const AGGREGATED: [AllowedKind; 5] =
    [kinds::ENTITY, kinds::DEDICATED[0], kinds::DEDICATED[1], kinds::DEDICATED[2], kinds::DEDICATED[3]];

/// What managers may look at, of an Entity and of a service.
pub const MANAGER: &str = "commonscloud-manager";
/// What an Entity's own managers may ask for.
pub const ENTITY_MANAGER: &str = "commonscloud-entity-manager";
/// What whoever belongs to a Collective may ask for.
pub const MEMBER: &str = "commonscloud-member";
/// The verb on an Access by which its service's managers let people in.
pub const ADMIT: &str = "admit";
/// The verb on an Access by which the Collective's managers say who manages the service.
pub const APPOINT: &str = "appoint";
/// What the operator may do in the namespace of an Entity.
pub const TENANT: &str = "commonscloud-tenant";

/// The kinds by which a backup or a restore is asked for.
const RUNS: [AllowedKind; 2] = [kinds::SERVICE_BACKUP, kinds::SERVICE_RESTORE];

/// Every role, in the order in which they are shown.
pub fn roles() -> Vec<Value> {
    vec![
        operator(),
        tenant(),
        manager(),
        entity_manager(),
        member(),
        aggregated("view", &READ),
        aggregated("edit", &EDIT),
        figures(),
        home(),
    ]
}

fn rule<R: Serialize>(group: &str, resources: &[R], verbs: &[&str]) -> Value {
    json!({"apiGroups": [group], "resources": resources, "verbs": verbs})
}

fn role(kind: &str, name: &str, rules: &[Value]) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "rules": rules})
}

/// What holds in the whole cluster: the project's kinds, namespaces, and what must be watched.
fn operator() -> Value {
    let dedicated = kinds::DEDICATED.map(|kind| kind.plural);
    let runs = RUNS.map(|kind| kind.plural);
    let statuses: Vec<String> = ["platforms", "servicetemplates", "entities", "servicedata"]
        .into_iter()
        .chain(dedicated)
        .chain(runs)
        .chain([kinds::RESTORE_CONSENT, kinds::COLLECTIVE, kinds::ACCESS, kinds::LEAVE_REQUEST].map(|kind| kind.plural))
        .map(|plural| format!("{plural}/status"))
        .collect();
    let finalizers: Vec<String> =
        ["entities"].into_iter().chain(dedicated).chain(runs).map(|plural| format!("{plural}/finalizers")).collect();
    let mut rules = vec![
        rule(GROUP, &["platforms", "tariffs"], &READ),
        rule(GROUP, &["servicetemplates"], &["get", "list", "watch", "create", "patch"]),
        rule(GROUP, &["servicetemplaterevisions"], &["get", "list", "watch", "create"]),
        rule(GROUP, &["entities"], &["get", "list", "watch", "patch"]),
        rule(GROUP, &dedicated, &["get", "list", "watch", "create", "patch", "delete"]),
        rule(GROUP, &["servicedata"], &["get", "list", "watch", "create", "patch"]),
        rule(GROUP, &runs, &["get", "list", "watch", "create", "patch", "delete"]),
        rule(GROUP, &[kinds::RESTORE_CONSENT.plural], &READ),
        rule(GROUP, &[kinds::COLLECTIVE.plural], &["get", "list", "watch", "create", "patch"]),
        rule(
            GROUP,
            &[kinds::ACCESS.plural, kinds::ACCESS_HISTORY.plural],
            &["get", "list", "watch", "create", "patch", "delete"],
        ),
        rule(GROUP, &[kinds::LEAVE_REQUEST.plural], &["get", "list", "watch", "delete"]),
        rule(GROUP, &statuses, &["patch"]),
        rule(GROUP, &finalizers, &["update"]),
        rule("", &["namespaces"], &["get", "list", "watch", "create", "patch", "delete"]),
        rule("", &["pods"], &["list", "watch"]),
        rule("", &["events"], &["list", "watch", "create", "patch"]),
        rule("", &["nodes"], &["list", "watch"]),
        rule("storage.k8s.io", &["storageclasses"], &READ),
        rule("networking.k8s.io", &["ingressclasses"], &["list", "watch"]),
        // Asked for by the name that the Platform gives, since cert-manager may not be there to be watched.
        rule("cert-manager.io", &["clusterissuers"], &["get"]),
        rule("rbac.authorization.k8s.io", &["rolebindings"], &["get", "list", "watch", "create", "patch", "delete"]),
        json!({
            "apiGroups": ["rbac.authorization.k8s.io"],
            "resources": ["clusterroles"],
            "resourceNames": [TENANT, MANAGER, ENTITY_MANAGER, MEMBER],
            "verbs": ["bind"],
        }),
    ];
    let watched = kinds::watched().filter(|kind| kind.kind != "RoleBinding");
    rules.extend(by_group(watched.map(|kind| (kind.group, kind.plural)), &["list", "watch"]));
    role("ClusterRole", "commonscloud-operator", &rules)
}

/// What the operator may do in the namespace of an Entity, by a RoleBinding that it makes there.
/// Volumes can be made there; the policy commonscloud-keep-data lets none be deleted but one whose place another one
/// took in a restore. Of Secrets only copies of the platform's are changed and
/// deleted: generated ones are immutable, and the policies hold the operator to it. Of pods those are
/// deleted that their StatefulSet waits for in vain. Roles are those of its Collective and Accesses: it has each right
/// that it gives by one, and no way to give another.
fn tenant() -> Value {
    let all = ["get", "list", "watch", "create", "patch", "delete"];
    let rendered = allowed_kinds().iter().map(|kind| (kind.group, kind.plural));
    let mut rules = by_group(rendered, &all);
    rules.push(rule("", &["resourcequotas", "limitranges"], &all));
    rules.push(rule("", &["persistentvolumeclaims"], &all));
    rules.push(rule("", &["secrets"], &["get", "list", "watch", "create", "update", "delete"]));
    rules.push(rule("", &["pods"], &["delete"]));
    rules.push(rule(kinds::ROLE.group, &[kinds::ROLE.plural], &all));
    rules.push(rule(GROUP, &[kinds::COLLECTIVE.plural], &["get", "patch", "update"]));
    rules.push(rule(GROUP, &[kinds::ACCESS.plural], &[ADMIT, APPOINT, "get", "patch", "update"]));
    rules.push(rule(GROUP, &[kinds::ACCESS_HISTORY.plural], &["get", "list"]));
    role("ClusterRole", TENANT, &rules)
}

/// What an Entity's managers may look at: no Secrets, no way into pods, no writes.
fn manager() -> Value {
    let records = kinds::DEDICATED.into_iter().chain([kinds::SERVICE_DATA]).chain(RUNS).chain([kinds::RESTORE_CONSENT]);
    let records: Vec<&str> = records.map(|kind| kind.plural).collect();
    let rules = vec![rule(GROUP, &records, &READ), rule("", &["events"], &READ)];
    role("ClusterRole", MANAGER, &rules)
}

/// What an Entity's own managers may do besides, and no service's: ask for backups and restores of any of its
/// services, and let another Entity restore one. What one says is never changed, so there is neither `update` nor
/// `patch`; the policy commonscloud-backups holds them to their own name, and keeps the record of each snapshot.
fn entity_manager() -> Value {
    let asked = [kinds::SERVICE_BACKUP, kinds::SERVICE_RESTORE, kinds::RESTORE_CONSENT].map(|kind| kind.plural);
    role("ClusterRole", ENTITY_MANAGER, &[rule(GROUP, &asked, &["create", "delete", "get", "list", "watch"])])
}

/// What whoever belongs to a Collective may do in its namespace: ask to leave. The policies hold them to themselves.
fn member() -> Value {
    role("ClusterRole", MEMBER, &[rule(GROUP, &[kinds::LEAVE_REQUEST.plural], &["create"])])
}

/// What whoever has the cluster's own role of this name gets with it.
fn aggregated(into: &str, verbs: &[&str]) -> Value {
    let resources = AGGREGATED.map(|kind| kind.plural);
    let mut role = role("ClusterRole", &format!("commonscloud-{into}"), &[rule(GROUP, &resources, verbs)]);
    role["metadata"]["labels"] = json!({format!("rbac.authorization.k8s.io/aggregate-to-{into}"): "true"});
    role
}

/// What kubelets are shown: an account that reads their figures. The operator's own never leaves for a node.
fn figures() -> Value {
    role("ClusterRole", usage::SERVICE_ACCOUNT, &[rule("", &["nodes/metrics"], &["get"])])
}

/// In the operator's own namespace: leader election, the platform's Secrets, keys of backups, the Jobs that leave them
/// at a target and that care for repositories, onto which is written what they found, the platform's records that such
/// Jobs read, the servers of targets that are volumes, whose claims are made and grow, and tokens of the one account that
/// kubelets are shown. The policy commonscloud-hold-operator-servers holds it to the servers, whose names are those of
/// targets.
fn home() -> Value {
    let rules = vec![
        rule("coordination.k8s.io", &["leases"], &["get", "create", "update"]),
        rule("", &["secrets"], &["get", "list", "watch", "create"]),
        rule("batch", &["jobs"], &["get", "create", "patch", "delete"]),
        rule("", &["configmaps"], &["get", "create", "patch", "delete"]),
        rule("apps", &["deployments"], &["get", "create", "patch", "delete"]),
        rule("", &["services"], &["get", "create", "patch", "delete"]),
        rule("networking.k8s.io", &["networkpolicies"], &["get", "create", "patch", "delete"]),
        rule("", &["persistentvolumeclaims"], &["get", "create", "patch"]),
        json!({
            "apiGroups": [""],
            "resources": ["serviceaccounts/token"],
            "resourceNames": [usage::SERVICE_ACCOUNT],
            "verbs": ["create"],
        }),
    ];
    role("Role", "commonscloud-operator", &rules)
}

fn by_group<'a>(kinds: impl Iterator<Item = (&'a str, &'a str)>, verbs: &[&str]) -> Vec<Value> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, plural) in kinds {
        groups.entry(group).or_default().push(plural);
    }
    groups.iter().map(|(group, resources)| rule(group, resources, verbs)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<Value> {
        roles().iter().flat_map(|role| role["rules"].as_array().unwrap().clone()).collect()
    }

    #[test]
    fn no_role_holds_a_wildcard_or_an_escalation() {
        let text = json!(rules()).to_string();
        for forbidden in ["*", "escalate", "impersonate", "nodes/proxy", "pods/exec"] {
            assert!(!text.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn kubelets_are_shown_an_account_that_reads_figures_and_nothing_else() {
        let of = |resource: &str| -> Vec<(Value, Value)> {
            let all = roles();
            let rules = all.iter().flat_map(|role| {
                role["rules"].as_array().unwrap().iter().map(|rule| (role["metadata"]["name"].clone(), rule.clone()))
            });
            rules.filter(|(_, rule)| rule["resources"].as_array().unwrap().iter().any(|r| r == resource)).collect()
        };
        let tokens = of("serviceaccounts/token");
        assert_eq!(tokens.len(), 1);
        assert_eq!(tokens[0].1["resourceNames"], json!(["commonscloud-usage"]));
        assert_eq!(tokens[0].1["verbs"], json!(["create"]));
        let figures = json!({"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]});
        assert_eq!(of("nodes/metrics"), [(json!("commonscloud-usage"), figures.clone())]);
        let role = roles().into_iter().find(|role| role["metadata"]["name"] == "commonscloud-usage").unwrap();
        assert_eq!(role["rules"], json!([figures]));
    }

    #[test]
    fn records_are_never_deleted_claims_and_secrets_only_where_the_tenant_role_is_bound() {
        for role in roles() {
            for rule in role["rules"].as_array().unwrap() {
                let has = |field: &str, value: &str| rule[field].as_array().unwrap().iter().any(|v| v == value);
                // What people have by the cluster's own role is none of the operator's.
                assert!(!has("verbs", "deletecollection") || role["metadata"]["name"] == "commonscloud-edit", "{rule}");
                let is_tenant = role["metadata"]["name"] == TENANT;
                assert!(!has("resources", "servicedata") || !has("verbs", "delete"), "{rule}");
                if has("resources", "persistentvolumeclaims") {
                    // Those whose place another one took in a restore alone: the policy commonscloud-keep-data.
                    assert!(is_tenant || !has("verbs", "delete"), "{rule}");
                }
                if has("resources", "secrets") {
                    assert!(is_tenant || role["kind"] == "Role");
                    assert!(!has("verbs", "patch"));
                    // Copies of the Platform's alone: the policy commonscloud-hold-operator-secrets.
                    assert!(is_tenant || !(has("verbs", "update") || has("verbs", "delete")));
                }
            }
        }
    }

    #[test]
    fn pods_are_deleted_only_where_the_tenant_role_is_bound_and_never_written() {
        let mut deleting = Vec::new();
        for role in roles() {
            for rule in role["rules"].as_array().unwrap() {
                let has = |field: &str, value: &str| rule[field].as_array().unwrap().iter().any(|v| v == value);
                if !has("resources", "pods") {
                    continue;
                }
                assert!(
                    !["create", "update", "patch", "deletecollection"].iter().any(|verb| has("verbs", verb)),
                    "{rule}"
                );
                if has("verbs", "delete") {
                    deleting.push(role["metadata"]["name"].clone());
                }
            }
        }
        assert_eq!(deleting, [TENANT]);
    }

    /// A kind to come is put into one of these lists before this passes.
    #[test]
    fn view_and_edit_reach_entities_and_services_and_no_other_kind() {
        let never = [
            "platforms",
            "tariffs",
            "servicetemplates",
            "servicetemplaterevisions",
            "servicedata",
            "servicebackups",
            "servicerestores",
            "restoreconsents",
            "collectives",
            "accesses",
            "accesshistories",
            "leaverequests",
        ];
        for kind in crate::api::crds() {
            let plural = kind.spec.names.plural;
            let aggregated = AGGREGATED.iter().any(|known| known.plural == plural);
            assert!(
                aggregated != never.contains(&plural.as_str()),
                "{plural}: may `view` see it, and `edit` write it?"
            );
        }
        for (role, verbs) in [("view", &READ[..]), ("edit", &EDIT[..])] {
            let found = roles().into_iter().find(|found| found["metadata"]["name"] == format!("commonscloud-{role}"));
            let found = found.unwrap();
            let label = format!("rbac.authorization.k8s.io/aggregate-to-{role}");
            assert_eq!(found["metadata"]["labels"], json!({label: "true"}));
            let resources = AGGREGATED.map(|kind| kind.plural);
            let rules = json!([{"apiGroups": [GROUP], "resources": resources, "verbs": verbs}]);
            assert_eq!(found["rules"], rules, "neither status, nor finalizers, nor anything else");
        }
    }

    #[test]
    fn an_entitys_managers_ask_for_backups_and_restores_and_consent_and_others_only_look() {
        let all = roles();
        let rules = |name: &str| {
            let role = all.iter().find(|role| role["metadata"]["name"] == name).unwrap();
            role["rules"].as_array().unwrap().clone()
        };
        let runs = json!(["servicebackups", "servicerestores", "restoreconsents"]);
        let verbs = json!(["create", "delete", "get", "list", "watch"]);
        let asks = json!({"apiGroups": [GROUP], "resources": runs, "verbs": verbs});
        assert_eq!(rules("commonscloud-entity-manager"), [asks]);
        let looks = rules("commonscloud-manager");
        assert!(looks.iter().all(|rule| rule["verbs"] == json!(READ)), "{looks:?}");
        for run in runs.as_array().unwrap() {
            assert!(looks[0]["resources"].as_array().unwrap().contains(run), "{run}");
        }
    }

    #[test]
    fn binding_is_limited_to_the_four_roles_of_the_chart() {
        let binds: Vec<Value> =
            rules().into_iter().filter(|r| r["verbs"].as_array().unwrap().iter().any(|v| v == "bind")).collect();
        assert_eq!(binds.len(), 1);
        let bound = json!([
            "commonscloud-tenant",
            "commonscloud-manager",
            "commonscloud-entity-manager",
            "commonscloud-member"
        ]);
        assert_eq!(binds[0]["resourceNames"], bound);
    }
    /// Without `escalate` the API server lets nobody give by a Role what they do not have.
    #[test]
    fn what_the_operator_gives_by_roles_it_has_in_the_namespace_itself() {
        let tenant = roles().into_iter().find(|role| role["metadata"]["name"] == TENANT).unwrap();
        let has = |plural: &str, verb: &str| {
            tenant["rules"].as_array().unwrap().iter().any(|rule| {
                let holds = |field: &str, value: &str| rule[field].as_array().unwrap().iter().any(|v| v == value);
                holds("resources", plural) && holds("verbs", verb) && rule.get("resourceNames").is_none()
            })
        };
        for (plural, verbs) in [
            ("collectives", &["get", "update", "patch"][..]),
            ("accesses", &["get", "update", "patch", "admit", "appoint"]),
            ("accesshistories", &["get", "list"]),
        ] {
            for verb in verbs {
                assert!(has(plural, verb), "{verb} {plural}");
            }
        }
        let member = roles().into_iter().find(|role| role["metadata"]["name"] == MEMBER).unwrap();
        assert_eq!(member["rules"], json!([rule(GROUP, &["leaverequests"], &["create"])]));
        for role in roles().iter().filter(|role| role["metadata"]["name"] != TENANT) {
            assert!(!role["rules"].to_string().contains("admit") && !role["rules"].to_string().contains("appoint"));
        }
    }
}
