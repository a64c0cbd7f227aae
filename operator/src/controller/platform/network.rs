//! The network peers of the Platform: whether they are there, and at which ports they listen. What is
//! misspelt here is dropped by the network, and nothing else says so.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt as _;
use kube::core::{Selector, SelectorExt as _};

use super::there_are;
use crate::api::{ConditionType, NetworkPeers, PlatformSpec, Reason, marks};
use crate::cache::{Caches, PeerPod};
use crate::report::ConditionUpdate;

/// A list of peers: its field, the peers, and at which ports they are to listen; none where the packages say.
type Named<'a> = (&'static str, &'a [NetworkPolicyPeer], Option<Vec<u16>>);

/// Which pods of its namespaces a peer means.
#[derive(Debug, PartialEq, Eq)]
enum Meant {
    /// All of them.
    Any,
    /// Those of a selector, such as `k8s-app=kube-dns`.
    Of(String),
    /// The API server takes it for no selector.
    Nothing,
}

/// The selectors of pods that peers are told by.
pub(super) fn selectors(network: &NetworkPeers) -> BTreeSet<String> {
    let peers = [&network.ingress, &network.dns, &network.public, &network.identity_provider, &network.mail];
    let of_namespaces = peers.into_iter().flatten().filter(|peer| peer.namespace_selector.is_some());
    let selectors = of_namespaces.filter_map(|peer| match meant(peer.pod_selector.as_ref()) {
        Meant::Of(selector) => Some(selector),
        Meant::Any | Meant::Nothing => None,
    });
    selectors.collect()
}

fn meant(selector: Option<&LabelSelector>) -> Meant {
    let Some(selector) = selector else { return Meant::Any };
    let values = selector.match_labels.iter().flatten().map(|(_, value)| value);
    let listed = selector.match_expressions.iter().flatten().flat_map(|one| one.values.iter().flatten());
    match Selector::try_from(selector.clone()) {
        Ok(read) if values.chain(listed).all(|value| is_label(value)) => {
            if read.selects_all() {
                Meant::Any
            } else {
                Meant::Of(read.to_string())
            }
        }
        _ => Meant::Nothing,
    }
}

/// Whether a label can have this value.
fn is_label(value: &str) -> bool {
    let is_end = |sign: char| sign.is_ascii_alphanumeric();
    let is_sign = |sign: char| is_end(sign) || "-_.".contains(sign);
    let is_whole = value.starts_with(is_end) && value.ends_with(is_end);
    value.is_empty() || value.len() <= 63 && value.chars().all(is_sign) && is_whole
}

/// The peers that are nobody, and those that listen elsewhere.
pub(super) fn condition(caches: &Caches, spec: &PlatformSpec) -> Option<ConditionUpdate> {
    let absent: Vec<String> = lists(spec).iter().flat_map(|list| absent(caches, list)).chain(empty(spec)).collect();
    let elsewhere = || lists(spec).iter().flat_map(|list| elsewhere(caches, list)).collect::<Vec<_>>();
    let (reason, messages) =
        if absent.is_empty() { (Reason::PeerPortNotFound, elsewhere()) } else { (Reason::PeerNotFound, absent) };
    let told = || ConditionUpdate::new(ConditionType::NetworkPeersFound, false, reason, messages.join("; "));
    (!messages.is_empty()).then(told)
}

fn lists(spec: &PlatformSpec) -> [Named<'_>; 5] {
    let NetworkPeers { ingress, dns, public, identity_provider, mail, ports, .. } = &spec.network;
    let smtp: Vec<u16> = spec.smtp.iter().map(|smtp| smtp.port).collect();
    let of_mail = if ports.mail.is_empty() { smtp } else { ports.mail.clone() };
    [
        ("ingress", ingress, None),
        ("dns", dns, Some(ports.dns.clone())),
        ("public", public, Some(ports.public.clone())),
        ("identityProvider", identity_provider, Some(ports.identity_provider.clone())),
        ("mail", mail, Some(of_mail)),
    ]
}

/// Lists without which no service works.
fn empty(spec: &PlatformSpec) -> impl Iterator<Item = String> {
    let NetworkPeers { ingress, dns, .. } = &spec.network;
    let of_ingress = "spec.network.ingress: names nobody, so no service is reached; name the pods of the ingress controller by namespaceSelector";
    let of_dns = "spec.network.dns: names nobody, so services find no names; name the pods of the cluster's DNS by namespaceSelector and podSelector (mostly of namespace kube-system, k8s-app: kube-dns)";
    let ingress = ingress.is_empty().then(|| of_ingress.to_owned());
    ingress.into_iter().chain(dns.is_empty().then(|| of_dns.to_owned()))
}

/// What keeps each peer of a list from being anybody.
fn absent(caches: &Caches, (list, peers, _): &Named<'_>) -> Vec<String> {
    let found = peers.iter().enumerate().filter_map(|(at, peer)| {
        let field = format!("spec.network.{list}[{at}]");
        if peer.ip_block.is_some() {
            return None;
        }
        let Some(namespaces) = namespaces(caches, peer) else {
            let mend = "add namespaceSelector, for example matchLabels: {kubernetes.io/metadata.name: kube-system}";
            return Some(format!("{field}: without namespaceSelector it means pods of each Entity's own namespace; {mend}"));
        };
        if namespaces.is_empty() {
            let of_others = caches.namespaces.all().into_iter().filter(|n| !n.labels().contains_key(marks::ENTITY));
            let known = there_are(of_others.map(|namespace| namespace.name_any()));
            return Some(format!("{field}: no namespace has the labels of namespaceSelector (yet); {known}"));
        }
        if meant(peer.pod_selector.as_ref()) == Meant::Nothing {
            return Some(format!("{field}: podSelector is not valid: a value is at most 63 of a-z, A-Z, 0-9, -, _ and dots"));
        }
        let pods = pods(caches, peer, &namespaces)?;
        pods.is_empty().then(|| {
            let names: Vec<&str> = namespaces.iter().map(String::as_str).collect();
            let place = if names.len() > 4 { format!("{} namespaces", names.len()) } else { names.join(", ") };
            format!("{field}: no pod of {place} has the labels of podSelector (yet); `kubectl get pods --show-labels` tells which there are")
        })
    });
    found.collect()
}

/// The namespaces that a peer means; none where it names none.
fn namespaces(caches: &Caches, peer: &NetworkPolicyPeer) -> Option<BTreeSet<String>> {
    let selector = peer.namespace_selector.clone()?;
    let Ok(selector) = Selector::try_from(selector) else { return Some(BTreeSet::new()) };
    let all = caches.namespaces.all().into_iter();
    Some(all.filter(|namespace| selector.matches(namespace.labels())).map(|namespace| namespace.name_any()).collect())
}

/// The pods that a peer means, in order; none where it means every pod, or they are not known yet.
fn pods(caches: &Caches, peer: &NetworkPolicyPeer, namespaces: &BTreeSet<String>) -> Option<BTreeSet<PeerPod>> {
    let Meant::Of(selector) = meant(peer.pod_selector.as_ref()) else { return None };
    let all = caches.peers.of(&selector)?;
    Some(all.iter().filter(|pod| namespaces.contains(&pod.namespace)).map(|pod| PeerPod::clone(pod)).collect())
}

/// The peers of a list none of whose pods has one of the ports. Of a pod that lists none nobody knows.
fn elsewhere(caches: &Caches, (list, peers, ports): &Named<'_>) -> Vec<String> {
    let Some(ports) = ports.as_ref().filter(|ports| !ports.is_empty()) else { return Vec::new() };
    let is_named = |port: &i32| ports.iter().any(|named| i32::from(*named) == *port);
    let found = peers.iter().enumerate().filter_map(|(at, peer)| {
        let pods = pods(caches, peer, &namespaces(caches, peer)?)?;
        let first = pods.first()?;
        if pods.iter().any(|pod| pod.ports.is_empty() || pod.ports.iter().any(is_named)) {
            return None;
        }
        let listed: BTreeSet<i32> = pods.iter().flat_map(|pod| pod.ports.iter().copied()).collect();
        let shown = |ports: Vec<String>| ports.join(", ");
        let (listed, named) = (
            shown(listed.iter().map(ToString::to_string).collect()),
            shown(ports.iter().map(ToString::to_string).collect()),
        );
        let pod = format!("{}/{}", first.namespace, first.name);
        Some(format!(
            "spec.network.ports.{list}: is {named}, and the pods of spec.network.{list}[{at}] ({pod}) list {listed}; name the one that they answer at"
        ))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use serde_json::{Value, json};

    use super::*;
    use crate::cache::Identity;

    fn with_namespaces(names: &[&str]) -> Caches {
        let caches = Caches::new();
        for name in names {
            let metadata = json!({"name": name, "labels": {"kubernetes.io/metadata.name": name}});
            let namespace: Namespace = serde_json::from_value(json!({"metadata": metadata})).unwrap();
            caches.namespaces.put(&Identity::of(&namespace.metadata), namespace);
        }
        caches
    }

    fn named(name: &str) -> Value {
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}})
    }

    fn dns() -> Value {
        let mut peer = named("kube-system");
        peer["podSelector"] = json!({"matchLabels": {"k8s-app": "kube-dns"}});
        peer
    }

    fn spec(network: &Value) -> PlatformSpec {
        serde_json::from_value(json!({"baseDomain": "example.org", "network": network})).unwrap()
    }

    fn told(caches: &Caches, network: &Value) -> Option<ConditionUpdate> {
        condition(caches, &spec(network))
    }

    fn update(reason: Reason, message: &str) -> ConditionUpdate {
        ConditionUpdate::new(ConditionType::NetworkPeersFound, false, reason, message)
    }

    #[test]
    fn a_peer_whose_namespace_is_not_there_is_named_by_its_field() {
        let any = [json!({"ipBlock": {"cidr": "10.0.0.1/32"}}), json!({"namespaceSelector": {}})];
        let network = json!({"ingress": [any[0], any[1], named("traefik")], "dns": [named("kube-system")]});
        let message =
            "spec.network.ingress[2]: no namespace has the labels of namespaceSelector (yet); there are: kube-system";
        assert_eq!(told(&with_namespaces(&["kube-system"]), &network), Some(update(Reason::PeerNotFound, message)));
        assert_eq!(told(&with_namespaces(&["kube-system", "traefik"]), &network), None);
    }

    #[test]
    fn a_list_without_which_nothing_works_names_somebody() {
        let caches = with_namespaces(&["kube-system"]);
        let everybody = json!([{"namespaceSelector": {}}]);
        for (network, field) in [
            (json!({"ingress": everybody}), "spec.network.dns: names nobody"),
            (json!({"dns": everybody}), "spec.network.ingress: names nobody"),
            (
                json!({"ingress": everybody, "dns": [{"podSelector": {}}]}),
                "spec.network.dns[0]: without namespaceSelector",
            ),
        ] {
            let told = format!("{:?}", told(&caches, &network));
            assert!(told.contains(field) && told.contains("PeerNotFound"), "{told}");
        }
    }

    #[test]
    fn what_is_no_selector_is_told_and_never_asked_for() {
        let mut peer = dns();
        peer["podSelector"]["matchLabels"]["k8s-app"] = json!("kube dns");
        let network = json!({"ingress": [{"namespaceSelector": {}}], "dns": [peer]});
        assert_eq!(selectors(&spec(&network).network), BTreeSet::new());
        let told = format!("{:?}", told(&with_namespaces(&["kube-system"]), &network));
        assert!(told.contains("spec.network.dns[0]: podSelector is not valid"), "{told}");
        for (value, is) in [("", true), ("kube-dns", true), ("a", true), ("-a", false), ("a.", false), ("é", false)] {
            assert_eq!(is_label(value), is, "{value:?}");
        }
    }

    #[test]
    fn a_dns_that_no_pod_is_or_that_listens_elsewhere_is_told() {
        let caches = with_namespaces(&["kube-system"]);
        let network = |ports: Value| json!({"ingress": [{"namespaceSelector": {}}], "dns": [dns()], "ports": ports});
        let at_53 = network(json!({}));
        assert_eq!(selectors(&spec(&at_53).network), BTreeSet::from(["k8s-app=kube-dns".to_owned()]));
        assert_eq!(told(&caches, &at_53), None, "the pods are not known yet");
        let pod = |namespace: &str, ports: &[i32]| PeerPod {
            namespace: namespace.to_owned(),
            name: "coredns-1".to_owned(),
            ports: ports.iter().copied().collect(),
        };
        let found = |pods: Vec<PeerPod>, network: &Value| {
            caches.peers.put("k8s-app=kube-dns", pods);
            told(&caches, network)
        };
        let message = "spec.network.dns[0]: no pod of kube-system has the labels of podSelector (yet); `kubectl get pods --show-labels` tells which there are";
        for none in [vec![], vec![pod("elsewhere", &[53])]] {
            assert_eq!(found(none, &at_53), Some(update(Reason::PeerNotFound, message)));
        }
        assert_eq!(found(vec![pod("kube-system", &[53, 9153])], &at_53), None);
        assert_eq!(found(vec![pod("kube-system", &[])], &at_53), None, "a pod need not list its ports");
        let message = "spec.network.ports.dns: is 53, and the pods of spec.network.dns[0] (kube-system/coredns-1) list 5353, 9154; name the one that they answer at";
        let elsewhere = vec![pod("kube-system", &[5353, 9154])];
        assert_eq!(found(elsewhere.clone(), &at_53), Some(update(Reason::PeerPortNotFound, message)));
        assert_eq!(found(elsewhere, &network(json!({"dns": [53, 5353]}))), None);
    }
}
