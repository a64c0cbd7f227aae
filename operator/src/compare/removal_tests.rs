//! What becomes of an object that somebody added to: the patch is really applied, then the forced
//! apply is modelled, and nothing may be left to do.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use super::difference::merge_key;
use super::*;
use crate::canonical::canonicalize;

/// The differences that are left in `live` once it was repaired.
fn left(kind: &str, desired: &Value, live: &Value) -> Vec<String> {
    let repaired = applied(&mut Vec::new(), desired, &patched(kind, desired, live));
    differences(kind, desired, &repaired).iter().map(ToString::to_string).collect()
}

/// `live` after the JSON patch alone.
fn patched(kind: &str, desired: &Value, live: &Value) -> Value {
    let object = RenderedObject {
        kind: kind.into(),
        api_version: String::new(),
        namespace: "e".into(),
        name: "s".into(),
        value: desired.clone(),
    };
    let mut value = live.clone();
    value["metadata"]["resourceVersion"] = "7".into();
    let seen = Live::with_value(kind, value);
    let mut after = Value::clone(&seen.value);
    for change in repair(&object, &seen) {
        if let Action::Remove { patch, .. } = change.action {
            let patch: json_patch::Patch = serde_json::from_value(patch).unwrap();
            json_patch::patch(&mut after, &patch).unwrap_or_else(|error| panic!("{error}\n{patch}\n{after}"));
        }
    }
    after
}

/// Server-side apply by force of what is ours, as far as values go.
fn applied(path: &mut Vec<String>, desired: &Value, live: &Value) -> Value {
    match (desired, live) {
        (Value::Object(desired), Value::Object(live)) => {
            let mut merged = live.clone();
            for (key, wanted) in desired {
                path.push(key.clone());
                let found = live.get(key).unwrap_or(&Value::Null);
                merged.insert(key.clone(), applied(path, wanted, found));
                path.pop();
            }
            Value::Object(merged)
        }
        (Value::Array(desired), Value::Array(live)) => {
            let Some(keys) = merge_key(path) else { return Value::from(desired.clone()) };
            let mut merged = live.clone();
            for wanted in desired {
                let same = |found: &Value| keys.iter().all(|key| found.get(*key) == wanted.get(*key));
                path.push(String::new());
                match merged.iter_mut().find(|found| same(found)) {
                    Some(found) => *found = applied(path, wanted, found),
                    None => merged.push(wanted.clone()),
                }
                path.pop();
            }
            Value::from(merged)
        }
        _ => desired.clone(),
    }
}

fn pods(containers: &str) -> Value {
    let mut value =
        json!({"spec": {"template": {"spec": {"containers": serde_json::from_str::<Value>(containers).unwrap()}}}});
    canonicalize(&mut value);
    value
}

fn containers(value: &Value) -> &Value {
    &value["spec"]["template"]["spec"]["containers"]
}

#[test]
fn a_sidecar_before_the_database_and_a_variable_in_it_are_both_taken_away() {
    let desired = pods(r#"[{"name": "postgres", "image": "p"}]"#);
    let live = pods(
        r#"[{"name": "side", "image": "x"}, {"name": "postgres", "image": "p", "env": [{"name": "EVIL", "value": "1"}]}]"#,
    );
    let after = patched("StatefulSet", &desired, &live);
    assert_eq!(containers(&after)[0]["name"], "postgres");
    assert_eq!(left("StatefulSet", &desired, &live), [""; 0]);
}

#[test]
fn a_variable_of_the_container_behind_is_not_taken_away_instead() {
    let own = r#"{"name": "nextcloud", "image": "n"}, {"name": "cron", "image": "n", "env": [{"name": "REDIS_HOST", "value": "r"}]}"#;
    let desired = pods(&format!("[{own}]"));
    let live = pods(
        r#"[{"name": "side"}, {"name": "nextcloud", "image": "n", "env": [{"name": "EVIL", "value": "1"}]},
            {"name": "cron", "image": "n", "env": [{"name": "REDIS_HOST", "value": "r"}]}]"#,
    );
    let after = patched("Deployment", &desired, &live);
    assert_eq!(containers(&after)[1]["env"], json!([{"name": "REDIS_HOST", "value": "r"}]));
    assert_eq!(left("Deployment", &desired, &live), [""; 0]);
}

#[test]
fn a_second_variable_of_the_same_name_is_taken_away_wherever_it_stands() {
    let desired = pods(r#"[{"name": "app", "env": [{"name": "HOST", "value": "db"}, {"name": "A", "value": "1"}]}]"#);
    for env in [
        r#"[{"name": "HOST", "value": "db"}, {"name": "A", "value": "1"}, {"name": "HOST", "value": "evil"}]"#,
        r#"[{"name": "HOST", "value": "evil"}, {"name": "HOST", "value": "db"}, {"name": "A", "value": "1"}]"#,
        r#"[{"name": "HOST", "value": "db"}, {"name": "HOST", "value": "db"}, {"name": "A", "value": "1"}]"#,
    ] {
        let live = pods(&format!(r#"[{{"name": "app", "env": {env}}}]"#));
        let after = patched("Deployment", &desired, &live);
        assert_eq!(containers(&after)[0]["env"], containers(&desired)[0]["env"], "{env}");
    }
}

#[test]
fn a_list_behind_an_added_item_is_put_back_at_its_own_place() {
    let desired = pods(r#"[{"name": "app", "env": [{"name": "A", "value": "1"}]}]"#);
    let live = pods(r#"[{"name": "side"}, {"name": "app", "env": [{"name": "B", "value": "1"}]}]"#);
    assert_eq!(patched("Deployment", &desired, &live), {
        let mut expected = desired.clone();
        expected["metadata"]["resourceVersion"] = "7".into();
        expected
    });
}

#[test]
fn what_a_forced_apply_replaces_is_not_patched_away_before() {
    let desired =
        json!({"spec": {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]}});
    let live = json!({"spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}]}});
    let faults: Vec<Fault> = differences("NetworkPolicy", &desired, &live).iter().map(|d| d.fault).collect();
    assert!(!faults.is_empty() && !faults.contains(&Fault::Extra), "`from: [{{}}]` in between would be refused");
    assert_eq!(left("NetworkPolicy", &desired, &live), [""; 0]);
}

/// What somebody does at a place: a list for choice, a map otherwise.
#[derive(Clone, Debug)]
struct Edit {
    in_list: bool,
    place: Index,
    deed: Deed,
}

#[derive(Clone, Debug)]
enum Deed {
    /// A key more, or an item more at this place; of the key of an item that is there, or of a new one.
    Add { at: Index, like: Index, same_key: bool },
    /// A field or an item less.
    Remove(Index),
    /// Another value.
    Set(String),
}

fn edit() -> impl Strategy<Value = Edit> {
    let deed = prop_oneof![
        5 => (any::<Index>(), any::<Index>(), any::<bool>()).prop_map(|(at, like, same_key)| Deed::Add { at, like, same_key }),
        1 => any::<Index>().prop_map(Deed::Remove),
        1 => "[a-z]{1,3}".prop_map(Deed::Set),
    ];
    (prop::bool::weighted(0.7), any::<Index>(), deed).prop_map(|(in_list, place, deed)| Edit { in_list, place, deed })
}

/// Keys that give a pod, a policy or a role more, beside some that do not.
const KEYS: [&str; 10] =
    ["hostNetwork", "securityContext", "envFrom", "args", "ipBlock", "egress", "runAsUser", "type", "priority", "door"];

impl Edit {
    fn on(&self, value: &mut Value) {
        let mut places = Vec::new();
        pointers(String::new(), value, &mut |pointer, value| {
            if value.is_array() == self.in_list {
                places.push(pointer);
            }
        });
        let place = places.get(self.place.index(places.len().max(1)));
        if let Some(place) = place.and_then(|place| value.pointer_mut(place)) {
            self.deed.on(place);
        }
    }
}

fn pointers(pointer: String, value: &Value, visit: &mut impl FnMut(String, &Value)) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, child)| (key.replace('/', "~1"), child)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(index, child)| (index.to_string(), child)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        pointers(format!("{pointer}/{key}"), child, visit);
    }
    visit(pointer, value);
}

impl Deed {
    fn on(&self, value: &mut Value) {
        match (self, value) {
            (Self::Add { at, like, same_key }, Value::Array(items)) => {
                let mut item =
                    items.get(like.index(items.len().max(1))).cloned().unwrap_or_else(|| json!({"name": "door"}));
                changed(&mut item, *same_key);
                items.insert(at.index(items.len() + 1), item);
            }
            (Self::Add { at, .. }, Value::Object(map)) => {
                map.insert(KEYS[at.index(KEYS.len())].to_owned(), json!("added"));
            }
            (Self::Remove(at), Value::Array(items)) if !items.is_empty() => drop(items.remove(at.index(items.len()))),
            (Self::Remove(at), Value::Object(map)) if !map.is_empty() => {
                let key = map.keys().nth(at.index(map.len())).cloned();
                key.and_then(|key| map.remove(&key));
            }
            (Self::Set(text), value @ Value::String(_)) => *value = json!(text),
            _ => {}
        }
    }
}

/// An item like another: under a key of its own, or under the same key with another value.
fn changed(item: &mut Value, same_key: bool) {
    let Value::Object(fields) = item else { return };
    for (key, value) in fields {
        let is_key = ["name", "mountPath", "containerPort", "port"].contains(&key.as_str());
        match value {
            Value::String(text) if is_key != same_key => text.push_str("-added"),
            Value::Number(number) if is_key && !same_key => *value = json!(number.as_u64().unwrap_or_default() + 1000),
            _ => {}
        }
    }
}

fn container(name: &'static str) -> impl Strategy<Value = Value> {
    let named = |names: &'static [&'static str]| prop::sample::subsequence(names, 0..=names.len());
    (named(&["A", "B", "HOST"]), named(&["/data", "/tmp"]), prop::sample::subsequence(vec![80, 443], 0..=2), any::<bool>())
        .prop_map(move |(env, mounts, ports, confined)| {
            let env: Vec<Value> = env.into_iter().map(|name| json!({"name": name, "value": "1"})).collect();
            let mounts: Vec<Value> = mounts.into_iter().map(|path| json!({"name": "v", "mountPath": path})).collect();
            let ports: Vec<Value> = ports.into_iter().map(|port| json!({"name": "p", "containerPort": port})).collect();
            let context = if confined { json!({"capabilities": {"drop": ["ALL"]}}) } else { json!({}) };
            json!({"name": name, "image": "i", "env": env, "volumeMounts": mounts, "ports": ports, "securityContext": context,
                   "resources": {"requests": {"memory": "1Gi", "cpu": "100m"}}})
        })
}

fn template() -> impl Strategy<Value = Value> {
    let all = (container("first"), container("second"), container("third"));
    (all, 1..=3_usize, any::<bool>()).prop_map(|((a, b, c), many, prepared)| {
        let volumes = json!([{"name": "v", "emptyDir": {}}, {"name": "w", "secret": {"secretName": "s"}}]);
        let mut spec =
            json!({"containers": [a.clone(), b, c], "volumes": volumes, "automountServiceAccountToken": false});
        if let Some(containers) = spec["containers"].as_array_mut() {
            containers.truncate(many);
        }
        if prepared {
            spec["initContainers"] = json!([a]);
        }
        json!({"metadata": {"labels": {"app": "s"}}, "spec": spec})
    })
}

/// An object as a package or an Entity asks for it.
fn desired() -> impl Strategy<Value = (&'static str, Value)> {
    let workload = prop::sample::select(vec!["Deployment", "StatefulSet"]);
    let fixed = prop::sample::select(vec![
        (
            "NetworkPolicy",
            json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"c": "d"}}}], "ports": [{"port": 80}, {"port": 443}]}, {"ports": [{"port": 25}]}]}}),
        ),
        ("NetworkPolicy", json!({"spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []}})),
        (
            "Role",
            json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}, {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]}),
        ),
        (
            "RoleBinding",
            json!({"subjects": [{"kind": "User", "name": "m"}], "roleRef": {"kind": "ClusterRole", "name": "r"}}),
        ),
        (
            "Service",
            json!({"spec": {"selector": {"app": "s"}, "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}]}}),
        ),
        ("ConfigMap", json!({"data": {"a": "1", "b": "2"}})),
        ("ResourceQuota", json!({"spec": {"hard": {"requests.storage": "5Gi", "pods": "50"}}})),
        ("LimitRange", json!({"spec": {"limits": [{"type": "Container", "defaultRequest": {"cpu": "100m"}}]}})),
        (
            "Ingress",
            json!({"spec": {"rules": [{"host": "a.example.org", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}),
        ),
        (
            "DedicatedOffice",
            json!({"spec": {"tier": "1gb", "managers": [{"name": "m", "email": "m@a.example"}, {"name": "n", "email": "n@a.example"}], "parameters": {"groups": ["a", "b"]}}}),
        ),
        ("PodDisruptionBudget", json!({"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"a": "b"}}}})),
        (
            "ServiceAccount",
            json!({"automountServiceAccountToken": false, "imagePullSecrets": [{"name": "a"}, {"name": "b"}]}),
        ),
    ]);
    let object = prop_oneof![
        3 => (workload, template()).prop_map(|(kind, template)| (kind, json!({"spec": {"replicas": 1, "template": template}}))),
        1 => template().prop_map(|template| ("CronJob", json!({"spec": {"jobTemplate": {"spec": {"template": template}}}}))),
        2 => fixed,
    ];
    object.prop_map(|(kind, mut value)| {
        canonicalize(&mut value);
        (kind, value)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn whatever_is_added_changed_or_removed_one_repair_leaves_nothing_to_do(
        (kind, desired) in desired(), edits in prop::collection::vec(edit(), 1..9),
    ) {
        let mut live = desired.clone();
        for edit in &edits {
            edit.on(&mut live);
        }
        canonicalize(&mut live);
        prop_assert_eq!(left(kind, &desired, &live), Vec::<String>::new(), "{}", live);

        let wrong = |value: &Value| differences(kind, &desired, value).iter().filter(|d| d.fault != Fault::Extra).count();
        let after = patched(kind, &desired, &live);
        prop_assert!(wrong(&after) <= wrong(&live), "what is ours was taken away: {}", after);
        prop_assert!(differences(kind, &desired, &after).iter().all(|d| d.fault != Fault::Extra), "{}", after);
    }
}
