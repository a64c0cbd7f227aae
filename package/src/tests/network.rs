//! What the Platform says of the cluster's network, in the objects of the packages that are shipped.

use serde_json::{Value, json};

use super::packages::{plan, text};
use super::*;
use crate::plan::Plan;

/// What the first example of each package that is compiled in is planned as, but of the identity provider, which asks
/// nobody else who somebody is.
fn plans() -> Vec<Plan> {
    let planned = |template: &ServiceTemplate| {
        let package = compiled(template);
        plan(&package, package.latest(), Surroundings::Full, true)
    };
    let sign_in_elsewhere = |template: &&ServiceTemplate| template.metadata.name.as_deref() != Some("keycloak");
    builtin().iter().filter(sign_in_elsewhere).map(planned).collect()
}

/// The outgoing rules of the application's pods.
fn egress(plan: &Plan) -> Vec<Value> {
    let objects = render(plan).unwrap_or_else(|error| panic!("{error:#?}")).objects;
    let policy = objects.into_iter().find(|object| object.kind == "NetworkPolicy" && object.name == "sample-app");
    policy.unwrap().value["spec"]["egress"].as_array().cloned().unwrap()
}

fn namespace(name: &str) -> Value {
    json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}])
}

fn tcp(ports: &[u16]) -> Value {
    ports.iter().map(|port| json!({"port": port, "protocol": "TCP"})).collect()
}

#[test]
fn a_platform_that_names_no_ports_opens_what_was_open_before_it_could() {
    for mut plan in plans() {
        plan.network.identity_provider.clear();
        let rules = egress(&plan);
        let dns = json!([{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]);
        let anywhere = json!([{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "::/0"}}]);
        for rule in [
            json!({"to": [{"ipBlock": {"cidr": "10.0.0.2/32"}}], "ports": dns}),
            json!({"to": [{"ipBlock": {"cidr": "10.0.0.3/32"}}], "ports": tcp(&[443])}),
            json!({"to": anywhere, "ports": tcp(&[465])}),
        ] {
            assert!(rules.contains(&rule), "{rule} is not in {rules:#?}");
        }
    }
}

#[test]
fn ports_and_peers_are_those_that_the_platform_names() {
    for mut plan in plans() {
        plan.network = serde_json::from_value(json!({
            "ingress": namespace("traefik"), "dns": namespace("dns"), "public": namespace("traefik"),
            "identityProvider": namespace("keycloak"), "mail": namespace("relay"),
            "ports": {"dns": [53, 5353], "public": [443, 8443], "identityProvider": [8080], "mail": [25, 2525]},
        }))
        .unwrap();
        let rules = egress(&plan);
        let both = |port: u16| [json!({"port": port, "protocol": "UDP"}), json!({"port": port, "protocol": "TCP"})];
        let dns = [both(53), both(5353)].concat();
        for rule in [
            json!({"to": namespace("dns"), "ports": dns}),
            json!({"to": namespace("traefik"), "ports": tcp(&[443, 8443])}),
            json!({"to": namespace("keycloak"), "ports": tcp(&[8080])}),
            json!({"to": namespace("relay"), "ports": tcp(&[25, 2525])}),
        ] {
            assert!(rules.contains(&rule), "{rule} is not in {rules:#?}");
        }
        assert!(!json!(rules).to_string().contains("0.0.0.0/0"), "a relay that is known is the only one: {rules:#?}");
    }
}

#[test]
fn mail_and_public_addresses_do_not_lead_into_the_cluster() {
    for mut plan in plans() {
        plan.network.cluster_ranges = vec!["10.42.0.0/16".to_owned(), "fd00:42::/56".to_owned(), "none".to_owned()];
        plan.network.public = serde_json::from_value(json!([
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.0.2.0/24"]}}, {"ipBlock": {"cidr": "10.42.0.7/32"}},
        ]))
        .unwrap();
        let public = json!([
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["192.0.2.0/24", "10.42.0.0/16"]}},
            {"ipBlock": {"cidr": "10.42.0.7/32"}},
        ]);
        let mail = json!([
            {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.42.0.0/16"]}},
            {"ipBlock": {"cidr": "::/0", "except": ["fd00:42::/56"]}},
        ]);
        let rules = egress(&plan);
        for rule in [json!({"to": public, "ports": tcp(&[443])}), json!({"to": mail, "ports": tcp(&[465])})] {
            assert!(rules.contains(&rule), "{rule} is not in {rules:#?}");
        }
    }
}

#[test]
fn every_address_is_open_to_mail_and_to_nothing_else() {
    let mut template = named("agora");
    for manifest in &mut template.spec.manifests {
        manifest.template =
            manifest.template.replace("ports: {{ network.ports.mail | json_encode }}", "ports: [{port: 22}]");
    }
    let error = format!("{:?}", Package::compile("agora", &template.spec).unwrap_err());
    assert!(error.contains("leads to too many: 0.0.0.0/0"), "{error}");
}

/// What an application is told of its proxies, where the Platform names these.
fn proxies(template: &ServiceTemplate, blocks: &[&str], object: &str, key: &str) -> String {
    let package = compiled(template);
    let mut plan = plan(&package, package.latest(), Surroundings::Full, true);
    plan.exposure.trusted_proxies = blocks.iter().map(|block| (*block).to_owned()).collect();
    let objects = render(&plan).unwrap().objects;
    let found = objects.iter().find(|rendered| rendered.kind == "ConfigMap" && rendered.name == object).unwrap();
    found.value["data"][key].as_str().unwrap().to_owned()
}

#[test]
fn applications_believe_the_proxies_that_the_platform_names() {
    let usual = "10.0.0.0/8 100.64.0.0/10 172.16.0.0/12 192.168.0.0/16 fc00::/7";
    let wiki = |blocks: &[&str]| proxies(&example("mediawiki.yaml"), blocks, "sample-settings", "trusted_proxies");
    assert_eq!(wiki(&[]), usual);
    assert_eq!(wiki(&["100.80.0.0/12", "no block", "fd00::/8"]), "100.80.0.0/12 fd00::/8");
    let forum = proxies(&named("agora"), &["100.80.0.0/12", "fd00::/8"], "sample-scripts", "trusted_proxies.conf");
    assert_eq!(
        forum,
        "set_real_ip_from 100.80.0.0/12;\nset_real_ip_from fd00::/8;\nreal_ip_header X-Forwarded-For;\nreal_ip_recursive on;\n"
    );
    let package = compiled(&named("office"));
    let mut office = plan(&package, package.latest(), Surroundings::Full, true);
    assert!(text(&office).contains(usual));
    office.exposure.trusted_proxies = vec!["100.80.0.0/12".to_owned()];
    assert!(!text(&office).contains(usual) && text(&office).contains("100.80.0.0/12"));
}
