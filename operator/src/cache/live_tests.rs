use serde_json::json;

use super::*;

/// About what a tree of fields takes: nodes of a map hold up to eleven members.
fn of_tree(value: &Value) -> usize {
    const NODE: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.len() * size_of::<Value>() + items.iter().map(of_tree).sum::<usize>(),
        Value::Object(members) => {
            let inside: usize = members.iter().map(|(key, value)| key.len() + of_tree(value)).sum();
            members.len().div_ceil(8) * NODE + inside
        }
        _ => 0,
    }
}

fn of_live(live: &Live) -> usize {
    let owner = &live.owner;
    let names = owner.name.len() + owner.namespace.len() + owner.instance.len();
    size_of::<Live>() + live.kind.len() + names + 40 * owner.uids.len() + format!("{:?}", live.value).len() + 16
}

/// The office as it is rendered, with what the API server adds to every object.
fn office() -> Vec<DynamicObject> {
    let text =
        include_str!("../../../package/src/tests/snapshots/commonscloud_package__tests__packages__office_full.snap");
    let documents = text.split("---\n").skip(2);
    let objects = documents.map(|document| {
        let mut object: Value = serde_yaml::from_str(document).unwrap();
        object["metadata"]["uid"] = json!("00000000-0000-0000-0000-000000000002");
        object["metadata"]["resourceVersion"] = json!("123456");
        object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        object["metadata"]["generation"] = json!(1);
        serde_json::from_value(object).unwrap()
    });
    objects.collect()
}

#[test]
fn an_object_takes_less_than_four_kilobytes() {
    let (mut before, mut after, mut count) = (0, 0, 0);
    for object in office() {
        let kind = object.types.as_ref().unwrap().kind.clone();
        let mut value = serde_json::to_value(&object).unwrap();
        canonicalize(&mut value);
        before += of_tree(&value) + of_tree(&value["metadata"]) + size_of::<ObjectMeta>();
        after += of_live(&Live::of(&kind, object));
        count += 1;
    }
    assert!(count > 10, "{count} objects");
    let (before, after) = (before / count, after / count);
    assert!(after < 4096, "{after}, where trees take {before}");
}

#[test]
fn what_is_read_of_an_object_does_not_stay_in_the_store() {
    let object = office().swap_remove(0);
    let stored = Arc::new(Live::of("ConfigMap", object));
    let read = stored.unread();
    assert!(read.value.pointer("/metadata/name").is_some() && read.metadata.uid.is_some());
    assert!(read.value.is_read() && !stored.value.is_read() && !stored.metadata.is_read());
    assert_eq!(read, stored);
}

#[test]
fn messages_of_a_status_are_kept_whole() {
    let long = "x".repeat(300);
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "e"},
        "spec": {"template": {"spec": {"containers": [{"name": "a", "args": [long]}]}}},
        "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": long}]},
    });
    let live = Live::of("Deployment", serde_json::from_value(object).unwrap());
    assert_eq!(live.value.pointer("/status/conditions/0/message").unwrap(), &json!(long));
    let kept = live.value.pointer("/spec/template/spec/containers/0/args/0").and_then(Value::as_str).unwrap();
    assert!(kept.len() < 100 && texts::same_text(&long, kept));
}

#[test]
fn a_status_that_nobody_reads_is_not_kept_and_no_news() {
    let live = |kind: &str, version: &str, status: Value| {
        let metadata = json!({"name": "a", "namespace": "e", "resourceVersion": version});
        let object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "status": status});
        Live::of(kind, serde_json::from_value(object).unwrap())
    };
    let quota = |used: &str| live("ResourceQuota", used, json!({"used": {"pods": used}}));
    assert!(quota("2").is_as(&quota("1")));
    assert!(quota("2").value.get("status").is_none());
    let at = |version: &str, ip: &str| live("Ingress", version, json!({"loadBalancer": {"ingress": [{"ip": ip}]}}));
    assert!(!at("2", "192.0.2.2").is_as(&at("1", "192.0.2.1")), "where a service is asked");
    let set =
        |version: &str, ready: u32| live("StatefulSet", version, json!({"readyReplicas": ready, "collisionCount": 0}));
    assert!(set("2", 1).is_as(&set("1", 1)) && !set("3", 0).is_as(&set("2", 1)));
    let progress = |told: &str| json!({"conditions": [{"type": "Progressing", "status": "True", "message": told}]});
    assert!(live("Deployment", "2", progress("b")).is_as(&live("Deployment", "1", progress("a"))));
}
