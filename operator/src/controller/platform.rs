//! The controller of the Platform: tells what in it does not fit the cluster, and what Entities can name.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::ResourceExt as _;
use kube::core::{Selector, SelectorExt as _};

use super::context::Context;
use super::listed;
use super::queue::Next;
use crate::api::values::AddressBlock;
use crate::api::{ConditionType, NetworkPeers, Platform, PlatformSpec, PlatformStatus, Reason};
use crate::apply::WriteError;
use crate::cache::{Caches, Key};
use crate::core::Hostname;
use crate::report::{ConditionUpdate, Problem, Verdict, conditions};

/// One pass over the Platform.
///
/// # Errors
/// When its status is not taken.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(platform) = context.caches().platforms.get("", &key.name) else { return Ok(Next::Wait) };
    let before = platform.status.clone().unwrap_or_default();
    let generation = platform.metadata.generation.unwrap_or_default();
    let verdict = verdict(context.caches(), &platform, context.server.home());
    let mut shown = verdict.shown();
    shown.extend(watching(context.caches()));
    shown.extend(absent_peers(context.caches(), &platform.spec.network));
    let status = PlatformStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, shown, generation, context.now()),
        tariffs: listed::tariffs(context.caches()),
        templates: listed::templates(context.caches()),
    };
    context.report(key, &platform.uid().unwrap_or_default(), platform.status.as_ref(), &status).await?;
    Ok(Next::Wait)
}

fn verdict(caches: &Caches, platform: &Platform, home: &str) -> Verdict {
    if let Some(problem) = fault(&platform.spec) {
        return Verdict::Stalled(problem);
    }
    let spec = &platform.spec;
    let named = spec.storage_classes.iter().map(|facts| facts.name.as_str()).chain(spec.storage_class.as_deref());
    let missing = named.into_iter().find(|class| caches.storage_classes.get("", class).is_none());
    let unknown = spec.secrets().find(|(_, secret)| caches.platform_secret(secret).is_none());
    match (missing, unknown) {
        (Some(class), _) => Verdict::Reconciling(Problem::new(
            Reason::StorageClassNotFound,
            format!("StorageClass {class} does not exist (yet)"),
        )),
        (None, Some((field, secret))) => Verdict::Reconciling(Problem::new(
            Reason::SecretNotFound,
            format!("{field}: Secret {secret} does not exist (yet) in namespace {home}; copies of it stay as they are"),
        )),
        (None, None) => Verdict::Ready(format!("host names below {}", spec.base_domain)),
    }
}

/// What the operator does not see: feeds that fail, and objects that have no status to say so.
fn watching(caches: &Caches) -> Option<ConditionUpdate> {
    let feeds: Vec<String> = caches.feeds.failing().iter().map(ToString::to_string).collect();
    let not_seen =
        |reason, message: String| Some(ConditionUpdate::new(ConditionType::Watching, false, reason, message));
    if !feeds.is_empty() {
        return not_seen(Reason::FeedFailing, feeds.join("; "));
    }
    let mut objects: Vec<String> =
        caches.undecodable_all().iter().filter(|object| object.key().is_none()).map(ToString::to_string).collect();
    objects.sort();
    let message = match objects.as_slice() {
        [] => return None,
        [first] => first.clone(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    };
    not_seen(Reason::Undecodable, message)
}

/// The peers whose namespaces are not there. Their pods are not the operator's to read.
fn absent_peers(caches: &Caches, network: &NetworkPeers) -> Option<ConditionUpdate> {
    let namespaces = caches.namespaces.all();
    let is_met = |selector: &LabelSelector| {
        let selector = Selector::try_from(selector.clone());
        selector.is_ok_and(|selector| namespaces.iter().any(|namespace| selector.matches(namespace.labels())))
    };
    let NetworkPeers { ingress, dns, public, identity_provider, mail, .. } = network;
    let lists = [
        ("ingress", ingress),
        ("dns", dns),
        ("public", public),
        ("identityProvider", identity_provider),
        ("mail", mail),
    ];
    let mut absent = Vec::new();
    for (list, peers) in lists {
        let selectors = peers.iter().map(|peer| peer.namespace_selector.as_ref());
        let unmet = selectors.enumerate().filter(|(_, selector)| selector.is_some_and(|selector| !is_met(selector)));
        absent.extend(unmet.map(|(at, _)| format!("spec.network.{list}[{at}]")));
    }
    (!absent.is_empty()).then(|| {
        let message = format!("{}: no namespace has the labels of namespaceSelector (yet)", absent.join(", "));
        ConditionUpdate::new(ConditionType::NetworkPeersFound, false, Reason::PeerNotFound, message)
    })
}

/// What is wrong in the Platform by itself.
fn fault(spec: &PlatformSpec) -> Option<Problem> {
    if let Err(error) = spec.base_domain.parse::<Hostname>() {
        return Some(Problem::new(Reason::BaseDomainInvalid, format!("spec.baseDomain: {error}")));
    }
    if let Some(address) = &spec.exposure.address
        && address.parse::<std::net::IpAddr>().is_err()
    {
        return Some(Problem::new(
            Reason::AddressInvalid,
            format!("spec.exposure.address: {address:?} is no IP address"),
        ));
    }
    for (field, blocks) in [
        ("spec.exposure.trustedProxies", &spec.exposure.trusted_proxies),
        ("spec.network.clusterRanges", &spec.network.cluster_ranges),
    ] {
        if let Some(error) = blocks.iter().find_map(|block| block.parse::<AddressBlock>().err()) {
            return Some(Problem::new(Reason::AddressBlockInvalid, format!("{field}: {error}")));
        }
    }
    if let Some(bundle) = &spec.exposure.ca_bundle
        && let Err(error) = crate::https::authorities(bundle)
    {
        return Some(Problem::new(Reason::CaBundleInvalid, format!("spec.exposure.caBundle: {error}")));
    }
    None
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Namespace;
    use serde_json::json;

    use super::*;
    use crate::cache::Identity;

    #[test]
    fn a_peer_whose_namespace_is_not_there_is_named_by_its_field() {
        let caches = Caches::new();
        let named =
            |name: &str| format!("{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}");
        let any = "{ipBlock: {cidr: 10.0.0.1/32}}, {namespaceSelector: {}}";
        let text = format!("ingress: [{any}, {}]\ndns: [{}]", named("traefik"), named("kube-system"));
        let network: NetworkPeers = serde_yaml::from_str(&text).unwrap();
        let add = |name: &str| {
            let labels = json!({"kubernetes.io/metadata.name": name});
            let namespace: Namespace =
                serde_json::from_value(json!({"metadata": {"name": name, "labels": labels}})).unwrap();
            caches.namespaces.put(&Identity::of(&namespace.metadata), namespace);
        };
        add("kube-system");
        let message = "spec.network.ingress[2]: no namespace has the labels of namespaceSelector (yet)";
        let (kind, reason) = (ConditionType::NetworkPeersFound, Reason::PeerNotFound);
        assert_eq!(absent_peers(&caches, &network), Some(ConditionUpdate::new(kind, false, reason, message)));
        add("traefik");
        assert_eq!(absent_peers(&caches, &network), None);
    }

    #[test]
    fn a_platform_that_cannot_work_says_which_field() {
        let spec = |text: &str| serde_yaml::from_str::<PlatformSpec>(text).unwrap();
        assert_eq!(fault(&spec("baseDomain: example.org")), None);
        assert_eq!(
            fault(&spec("baseDomain: example.org\nexposure: {address: ingress}")).unwrap().reason,
            "AddressInvalid"
        );
        assert_eq!(
            fault(&spec("baseDomain: example.org\nexposure: {caBundle: nothing}")).unwrap().reason,
            "CaBundleInvalid"
        );
        assert_eq!(fault(&spec("baseDomain: example")).unwrap().reason, "BaseDomainInvalid");
        let of_block = fault(&spec("baseDomain: example.org\nnetwork: {clusterRanges: [10.42.0.0/16, pods]}")).unwrap();
        assert_eq!(of_block.reason, "AddressBlockInvalid");
        assert!(of_block.message.starts_with("spec.network.clusterRanges: \"pods\""), "{}", of_block.message);
        let of_proxy = fault(&spec("baseDomain: example.org\nexposure: {trustedProxies: [10.0.0.0/33]}")).unwrap();
        assert!(of_proxy.message.starts_with("spec.exposure.trustedProxies: "), "{}", of_proxy.message);
    }
}
