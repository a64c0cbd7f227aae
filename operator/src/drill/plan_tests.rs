//! The service as it is drilled.

use super::*;
use crate::restore::world::World;

fn drill() -> ServiceRestore {
    let drill = json!({
        "metadata": {"name": "coop.calendar-1", "namespace": marks::DRILLS, "uid": "d-1"},
        "spec": {
            "from": {"entity": "coop", "service": "calendar", "snapshot": "a".repeat(64)},
            "into": {"kind": "Drill"}, "requestedBy": "operator",
        },
    });
    serde_json::from_value(drill).unwrap()
}

/// A wiki that is reached, sends mail, and asks for names.
fn plan() -> Plan {
    let mut plan = World::new().subject().plan;
    let namespace = |name: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    let network = json!({"ingress": [namespace("ingress")], "dns": [namespace("kube-system")]});
    plan.network = serde_json::from_value(network).unwrap();
    plan.smtp =
        Some(serde_json::from_value(json!({"host": "mail.example.org", "port": 25, "from": "a@b.org"})).unwrap());
    plan
}

fn scratched() -> Plan {
    scratch(&plan(), Stage::Whole, &DrillRule::default(), &World::new().claims).unwrap()
}

/// The peers of all rules of all policies.
fn peers(objects: &[RenderedObject]) -> Vec<Value> {
    let policies = objects.iter().filter(|object| object.kind == "NetworkPolicy");
    let rules = policies.flat_map(|policy| {
        [("/spec/ingress", "from"), ("/spec/egress", "to")].into_iter().flat_map(move |(direction, list)| {
            let rules = policy.value.pointer(direction).and_then(Value::as_array).cloned().unwrap_or_default();
            rules.into_iter().map(move |rule| rule.get(list).cloned().unwrap_or_default())
        })
    });
    rules.flat_map(|peers| peers.as_array().cloned().unwrap_or_else(|| vec![Value::Null])).collect()
}

#[test]
fn a_drill_has_what_the_service_has_and_nobody_reaches_it() {
    let (own, made) = (render(&plan()).unwrap().objects, objects(&scratched(), &drill()).unwrap());
    let kinds = |objects: &[RenderedObject]| objects.iter().map(|object| object.kind.clone()).collect::<BTreeSet<_>>();
    let left_out: BTreeSet<String> = kinds(&own).difference(&kinds(&made)).cloned().collect();
    assert!(left_out.contains("Ingress") && left_out.iter().all(|kind| LEFT_OUT.contains(&kind.as_str())));
    assert!(kinds(&made).contains("Deployment") && kinds(&made).contains("Service"), "{:?}", kinds(&made));
    for object in &made {
        assert_eq!(
            (object.namespace.as_str(), &object.value["metadata"]["namespace"]),
            (marks::DRILLS, &json!(marks::DRILLS))
        );
        let owner = &object.value["metadata"]["ownerReferences"];
        assert_eq!(
            (&owner[0]["kind"], &owner[0]["uid"], owner.as_array().unwrap().len()),
            (&json!("ServiceRestore"), &json!("d-1"), 1)
        );
    }
    let text = made.iter().map(|object| object.value.to_string()).collect::<String>();
    assert!(text.contains("calendar.drill.invalid") && !text.contains("mail.example.org"), "{text}");
    assert!(!text.contains(plan().hostname.as_str()), "its own host name");
}

#[test]
fn its_networks_lead_to_itself_and_to_who_knows_names() {
    let (own, made) = (render(&plan()).unwrap().objects, objects(&scratched(), &drill()).unwrap());
    let is_inside = |peer: &Value| peer.get("podSelector").is_some() && peer.get("namespaceSelector").is_none();
    let dns = |peer: &Value| peer.to_string().contains("kube-system");
    assert!(peers(&own).iter().any(|peer| !is_inside(peer) && !dns(peer)), "the service itself is reached");
    let made = peers(&made);
    assert!(made.iter().all(|peer| is_inside(peer) || dns(peer)), "{made:?}");
    assert!(made.iter().any(is_inside) && made.iter().any(dns), "{made:?}");
}

#[test]
fn a_rule_about_everybody_is_about_nobody() {
    let pod = json!({"podSelector": {}});
    let mut policy = json!({"spec": {
        "ingress": [{"ports": [{"port": 80}]}, {"from": [pod, {"ipBlock": {"cidr": "0.0.0.0/0"}}]}],
        "egress": [{}, {"to": [{"podSelector": {}, "namespaceSelector": {}}]}, {"to": [pod]}],
    }});
    close(&mut policy, &[]);
    assert_eq!(policy["spec"], json!({"ingress": [{"from": [pod]}], "egress": [{"to": [pod]}]}));
}

#[test]
fn its_volumes_are_as_large_as_the_services_own_and_of_the_class_that_the_platform_says() {
    let rule = DrillRule { storage_class: Some("cheap".to_owned()), ..DrillRule::default() };
    let plan = scratch(&plan(), Stage::Whole, &rule, &World::new().claims).unwrap();
    let volumes: Vec<_> =
        plan.volumes.iter().map(|volume| (volume.claim.as_str(), volume.request.to_string())).collect();
    assert_eq!(volumes[0].0, "calendar-data");
    assert!(volumes.iter().all(|(_, request)| request == "3Gi"), "{volumes:?}");
    assert!(plan.volumes.iter().all(|volume| volume.storage_class.as_deref() == Some("cheap")));
}

#[test]
fn its_secrets_are_the_services_own_as_far_as_they_are_there_and_are_copied_once() {
    let (plan, drill) = (scratched(), drill());
    let objects = objects(&plan, &drill).unwrap();
    let own: BTreeSet<String> = plan.secrets.iter().map(|secret| secret.secret.clone()).collect();
    let copied = |there: &BTreeSet<String>| copies(&plan, &objects, "coop", &own, there);
    let all = copied(&BTreeSet::new());
    assert_eq!(all.iter().map(|change| change.name.clone()).collect::<BTreeSet<_>>(), own);
    assert!(copied(&own).is_empty());
    for change in all.into_iter().map(|change| owned(change, &drill)) {
        assert_eq!(change.namespace, marks::DRILLS);
        let Action::Copy { from, secret, .. } = &change.action else { panic!("{change}") };
        assert_eq!(from.as_ref().map(|from| from.namespace.as_str()), Some("coop"));
        assert_eq!(secret["metadata"]["ownerReferences"][0]["uid"], "d-1");
        let labels = &secret["metadata"]["labels"];
        assert_eq!((&labels[marks::DRILL], &labels[marks::DATA]), (&json!("d-1"), &Value::Null));
    }
}
