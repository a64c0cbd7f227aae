//! Each difference as YAML: what we want, what is live, what is to be written.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::canonical::canonicalize;

fn yaml(text: &str) -> Value {
    let mut value = serde_yaml::from_str(text).unwrap();
    canonicalize(&mut value);
    value
}

fn found(kind: &str, desired: &str, live: &str) -> Vec<String> {
    differences(kind, &yaml(desired), &yaml(live)).iter().map(ToString::to_string).collect()
}

#[test]
fn what_the_api_server_fills_in_is_no_difference() {
    let desired = "
spec:
  replicas: 1
  template:
    spec:
      containers:
      - {name: app, image: a, ports: [{containerPort: 80}], resources: {requests: {memory: 1024Mi, cpu: 1000m}}, env: [{name: A, value: ''}]}
      volumes: [{name: tmp, emptyDir: {}}]";
    let live = "
spec:
  replicas: 1
  revisionHistoryLimit: 10
  template:
    spec:
      containers:
      - {name: app, image: a, ports: [{containerPort: 80, protocol: TCP}], resources: {requests: {memory: 1Gi, cpu: '1'}}, env: [{name: A}], imagePullPolicy: IfNotPresent}
      volumes: [{name: tmp, emptyDir: {}}]
      dnsPolicy: ClusterFirst
      restartPolicy: Always
status: {replicas: 1}";
    assert_eq!(found("Deployment", desired, live), [""; 0]);
}

#[test]
fn the_same_amount_in_other_words_is_no_difference() {
    let quota = |storage: &str| format!("spec: {{hard: {{requests.storage: {storage}}}}}");
    assert_eq!(found("ResourceQuota", &quota("1Gi"), &quota("'1073741824'")), [""; 0]);
    assert_eq!(found("ResourceQuota", &quota("74484.375Ki"), &quota("76272k")), [""; 0]);
    assert_eq!(found("ResourceQuota", &quota("1Gi"), &quota("1G")), ["/spec/hard/requests.storage changed"]);
    let range = |memory: &str| format!("spec: {{limits: [{{type: Container, default: {{memory: {memory}}}}}]}}");
    assert_eq!(found("LimitRange", &range("1Gi"), &range("1048576Ki")), [""; 0]);
    let (text, other) = ("data: {limits: 1Gi}", "data: {limits: '1073741824'}");
    assert_eq!(found("ConfigMap", text, other), ["/data/limits changed"], "a text, not an amount");
}

#[test]
fn what_was_changed_or_removed_is_seen_whatever_the_order() {
    let desired = "spec: {template: {spec: {containers: [{name: a, image: x}, {name: b, image: y}]}}}";
    let live = "spec: {template: {spec: {containers: [{name: b, image: z}]}}}";
    assert_eq!(
        found("Deployment", desired, live),
        ["/spec/template/spec/containers/0 missing", "/spec/template/spec/containers/0/image changed"]
    );
}

#[test]
fn an_addition_to_what_is_ours_alone_is_seen() {
    let policy = "spec: {podSelector: {}, policyTypes: [Ingress]}";
    assert_eq!(
        found("NetworkPolicy", policy, "spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}"),
        ["/spec/ingress added by somebody else"]
    );
    let pods = "spec: {template: {spec: {containers: [{name: a, env: [{name: A, value: '1'}]}]}}}";
    let live = "spec: {template: {metadata: {labels: {x: y}}, spec: {hostNetwork: true, containers: [{name: a, env: [{name: A, value: '1'}, {name: EVIL, value: '1'}], envFrom: [{secretRef: {name: s}}]}, {name: side}]}}}";
    assert_eq!(
        found("Deployment", pods, live),
        [
            "/spec/template/spec/containers/0/env/1 added by somebody else",
            "/spec/template/spec/containers/0/envFrom added by somebody else",
            "/spec/template/spec/containers/1 added by somebody else",
            "/spec/template/spec/hostNetwork added by somebody else",
        ]
    );
    let confined =
        "spec: {template: {spec: {containers: [{name: a, securityContext: {capabilities: {drop: [ALL]}}}]}}}";
    let freed = "spec: {template: {spec: {containers: [{name: a, securityContext: {runAsUser: 0, capabilities: {drop: [ALL], add: [CHOWN]}}}]}}}";
    let at = "/spec/template/spec/containers/0/securityContext";
    assert_eq!(
        found("StatefulSet", confined, freed),
        [format!("{at}/capabilities/add added by somebody else"), format!("{at}/runAsUser added by somebody else")]
    );
    assert_eq!(
        found("RoleBinding", "subjects: [{name: a}]", "subjects: [{name: a}, {name: eve}]"),
        ["/subjects changed"]
    );
}

#[test]
fn what_is_added_to_a_security_context_is_found_at_any_depth() {
    let desired = "spec: {template: {spec: {containers: [{name: a, securityContext: {capabilities: {drop: [ALL]}}}]}}}";
    let live = "spec: {template: {spec: {securityContext: {sysctls: [{name: a}]}, containers: [{name: a, securityContext: {privileged: true, capabilities: {add: [CHOWN], drop: [ALL]}}}]}}}";
    assert_eq!(
        found("Deployment", desired, live),
        [
            "/spec/template/spec/containers/0/securityContext/capabilities/add added by somebody else",
            "/spec/template/spec/containers/0/securityContext/privileged added by somebody else",
            "/spec/template/spec/securityContext added by somebody else",
        ]
    );
}

#[test]
fn a_way_in_beside_ours_is_seen() {
    let service = "spec: {selector: {a: b}, ports: [{port: 80}]}";
    assert_eq!(found("Service", service, "spec: {type: ClusterIP, selector: {a: b}, ports: [{port: 80}]}"), [""; 0]);
    assert_eq!(
        found(
            "Service",
            service,
            "spec: {type: NodePort, selector: {a: b, c: d}, ports: [{port: 80, nodePort: 30080}]}"
        ),
        ["/spec/selector/c added by somebody else", "/spec/type added by somebody else"]
    );
    let ingress = "spec: {rules: [{host: a.example.org}]}";
    let defaulted = "spec: {ingressClassName: traefik, rules: [{host: a.example.org}]}";
    assert_eq!(found("Ingress", ingress, defaulted), [""; 0], "what admission fills in");
    let opened = "spec: {defaultBackend: {service: {name: b}}, rules: [{host: a.example.org}]}";
    assert_eq!(found("Ingress", ingress, opened), ["/spec/defaultBackend added by somebody else"]);
    let annotated = |keys: &str| format!("{{metadata: {{annotations: {{commonscloud.coop/version: '1'{keys}}}}}}}");
    let harmless = ", nginx.ingress.kubernetes.io/proxy-body-size: 1m, field.cattle.io/publicEndpoints: '[]'";
    assert_eq!(found("Ingress", &annotated(""), &annotated(harmless)), [""; 0]);
    let alias = annotated(", nginx.ingress.kubernetes.io/server-alias: b.example.org");
    let door = "/metadata/annotations/nginx.ingress.kubernetes.io~1server-alias added by somebody else";
    assert_eq!(found("Ingress", &annotated(""), &alias), [door]);
    let account = "automountServiceAccountToken: false";
    let given = "{automountServiceAccountToken: false, imagePullSecrets: [{name: a}]}";
    assert_eq!(found("ServiceAccount", account, given), ["/imagePullSecrets added by somebody else"]);
}

#[test]
fn an_empty_list_that_closes_is_the_same_when_the_api_server_leaves_it_out() {
    let desired = "spec: {podSelector: {}, policyTypes: [Ingress], ingress: []}";
    assert_eq!(found("NetworkPolicy", desired, "spec: {podSelector: {}, policyTypes: [Ingress]}"), [""; 0]);
    assert_eq!(
        found("NetworkPolicy", desired, "spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]}"),
        ["/spec/ingress changed"]
    );
}

#[test]
fn labels_and_annotations_of_others_stay() {
    let desired = "metadata: {labels: {a: '1'}}";
    let live = "metadata: {labels: {a: '1', b: '2'}, annotations: {deployment.kubernetes.io/revision: '1'}}";
    assert_eq!(found("Service", desired, live), [""; 0]);
    assert_eq!(found("Service", desired, "metadata: {labels: {b: '2'}}"), ["/metadata/labels/a missing"]);
}

fn rendered(kind: &str, name: &str, rest: &str) -> RenderedObject {
    let mut value = yaml(rest);
    value["kind"] = kind.into();
    value["apiVersion"] = crate::kinds::resource(kind).unwrap().api_version.into();
    value["metadata"] = json!({"name": name, "namespace": "e", "labels": {marks::INSTANCE: "s", marks::INSTANCE_KIND: "DedicatedService"}});
    RenderedObject { kind: kind.into(), api_version: String::new(), namespace: "e".into(), name: name.into(), value }
}

fn live(object: &RenderedObject, change: impl FnOnce(&mut Value)) -> Arc<Live> {
    let mut value = object.value.clone();
    value["metadata"]["uid"] = "u".into();
    value["metadata"]["resourceVersion"] = "7".into();
    change(&mut value);
    Arc::new(Live::of(&object.kind, serde_json::from_value(value).unwrap()))
}

fn written(desired: &[RenderedObject], live: &[Arc<Live>], owned: &[Arc<Live>]) -> Result<Vec<String>, ObjectTaken> {
    let find = |kind: &str, name: &str| live.iter().find(|l| l.kind == kind && l.name() == name).cloned();
    Ok(compare_objects(desired, find, owned)?.iter().map(ToString::to_string).collect())
}

#[test]
fn nothing_changed_means_nothing_is_written() {
    let service = rendered("Service", "s-app", "spec: {ports: [{port: 80}]}");
    let same = live(&service, |_| {});
    assert_eq!(written(&[service], &[Arc::clone(&same)], &[same]).unwrap(), [""; 0]);
}

#[test]
fn an_addition_is_removed_by_a_patch_that_tests_the_version() {
    let map = rendered("ConfigMap", "s-app", "data: {a: '1'}");
    let opened = live(&map, |value| value["data"]["b"] = "2".into());
    let changes = compare_objects(&[map], |_, _| Some(Arc::clone(&opened)), &[]).unwrap();
    let Action::Remove { patch, .. } = &changes[0].action else { panic!("{changes:?}") };
    assert_eq!(changes.len(), 1, "a forced apply would leave it standing");
    assert_eq!(
        *patch,
        json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "7"}, {"op": "remove", "path": "/data/b"}])
    );
}

#[test]
fn a_list_whose_only_item_was_edited_is_put_back_whole() {
    let service = rendered("Service", "s-app", "spec: {ports: [{name: http, port: 80}]}");
    let edited = live(&service, |value| value["spec"]["ports"][0]["port"] = 4242.into());
    let changes = compare_objects(&[service], |_, _| Some(Arc::clone(&edited)), &[]).unwrap();
    let Action::Remove { patch, .. } = &changes[0].action else { panic!("{changes:?}") };
    assert_eq!(patch[1], json!({"op": "replace", "path": "/spec/ports", "value": [{"name": "http", "port": 80}]}));
    assert_eq!(patch.as_array().unwrap().len(), 2);
}

#[test]
fn what_a_package_no_longer_has_is_pruned_but_never_data() {
    let service = rendered("Service", "s-app", "{}");
    let old = live(&rendered("ConfigMap", "s-old", "{}"), |_| {});
    let volume = live(&rendered("PersistentVolumeClaim", "s-data", "{}"), |_| {});
    assert_eq!(written(&[service], &[], &[old, volume]).unwrap(), ["create Service/s-app", "delete ConfigMap/s-old"]);
}

#[test]
fn two_instances_do_not_fight_over_one_object() {
    let service = rendered("Service", "a-b-c", "{}");
    let other = live(&service, |value| value["metadata"]["labels"][marks::INSTANCE] = "a-b".into());
    let taken = written(&[service], &[other], &[]).unwrap_err();
    assert_eq!(
        taken.to_string(),
        "Service a-b-c belongs to DedicatedService a-b already; choose another name for this instance"
    );
}

#[test]
fn a_finalizer_comes_with_the_object_and_is_no_reason_to_write_it() {
    let mut desired = rendered("DedicatedOffice", "office", "spec: {tier: 1gb}");
    desired.value["metadata"]["finalizers"] = json!([marks::FINALIZER]);
    let written = |change: &dyn Fn(&mut Value)| {
        let found = live(&desired, |value| change(value));
        written(std::slice::from_ref(&desired), &[found], &[]).unwrap()
    };
    assert_eq!(written(&|value| value["metadata"]["finalizers"] = json!(["a.example/b"])), [""; 0]);
    assert_eq!(written(&|value| value["spec"]["tier"] = json!("5gb")).len(), 1);
    let deleted = |value: &mut Value| {
        value["spec"]["tier"] = json!("5gb");
        value["metadata"]["deletionTimestamp"] = json!("2026-11-30T00:00:00Z");
    };
    assert_eq!(written(&deleted), [""; 0], "the API server takes no finalizer any more");
}
