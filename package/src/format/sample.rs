//! Plans to try a package with before anybody uses it: with hostile names, on platforms of three kinds.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicyPeer};
use serde_json::Value;

use crate::package::Package;
use crate::plan::{
    GrowthDecision, InstanceReference, Plan, PlannedEntity, PlannedIdentity, PlannedSecret, PlannedVolume, Stage,
};
use commonscloud_api::values::{Bytes, ExpressionError, Hostname};
use commonscloud_api::{
    Exposure, Language, NetworkPeers, NetworkPorts, SharedEditor, Smtp, TemplateVersion, TlsSource,
};

/// A name that ends scalars, documents and tags wherever it is not quoted.
pub(crate) const HOSTILE: &str =
    "L'Hort \"3\"\n---\nkind: Secret\n: {{ x }} {% raw %} # &a *a !!b \u{2028}\u{85}\u{7f}$(PATH) %";

/// The certificate of a private authority, for who only mounts it.
const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----\nTm9ib2R5J3M=\n-----END CERTIFICATE-----\n";

/// How much of a platform there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surroundings {
    /// No mail, no certificates of its own, no known peers, nobody who signs people in.
    Bare,
    /// Everything that a Platform can have.
    Full,
    /// Everything again, and none of it as it usually is: other ports, peers, proxies, certificates, and a mail
    /// server that asks for no password. What a package takes for granted shows here.
    Elsewhere,
}

impl Surroundings {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Bare, Self::Full, Self::Elsewhere];
    /// Those that a revision is tried with.
    pub(crate) const OF_REVISIONS: [Self; 2] = [Self::Bare, Self::Full];
}

/// A plan for this version and these parameters.
///
/// # Errors
/// When a volume has no size for a quota of 5 GiB.
pub(crate) fn plan(
    package: &Package,
    version: &TemplateVersion,
    parameters: Value,
    surroundings: Surroundings,
) -> Result<Plan, ExpressionError> {
    let quota = Bytes::new(5 << 30);
    let full = surroundings != Surroundings::Bare;
    let name = "sample";
    Ok(Plan {
        instance: InstanceReference {
            kind: "DedicatedService".to_owned(),
            namespace: "garden".to_owned(),
            name: name.to_owned(),
            uid: "00000000-0000-0000-0000-000000000001".to_owned(),
        },
        entity: PlannedEntity {
            name: "garden".to_owned(),
            display_name: HOSTILE.to_owned(),
            language: Language::Ca,
            contacts: if full { vec!["maria@example.org".to_owned()] } else { Vec::new() },
        },
        revision: package.revision_name(),
        version: version.name.clone(),
        images: version.images.iter().map(|image| (image.name.clone(), image.reference.clone())).collect(),
        image_pull_secrets: Vec::new(),
        resources: package
            .components()
            .iter()
            .map(|part| (part.name.clone(), part.resources.clone()))
            .collect::<BTreeMap<_, _>>(),
        quota,
        volumes: volumes(package, name, quota)?,
        secrets: package
            .secrets()
            .iter()
            .map(|s| PlannedSecret { name: s.name.clone(), secret: format!("{name}-{}", s.name), further: Vec::new() })
            .collect(),
        hostname: hostname(),
        parameters,
        exposure: exposure(surroundings),
        network: peers(surroundings),
        smtp: smtp(surroundings),
        platform_secrets: BTreeMap::new(),
        stage: Stage::Whole,
        identity: identity(surroundings),
        editor: full.then(|| SharedEditor { url: "https://editor.example.org".to_owned() }),
        package: Arc::new(package.clone()),
    })
}

fn volumes(package: &Package, instance: &str, quota: Bytes) -> Result<Vec<PlannedVolume>, ExpressionError> {
    let planned = package.volumes().iter().map(|volume| {
        let usable = volume.size(quota)?;
        Ok(PlannedVolume {
            name: volume.name.clone(),
            claim: format!("{instance}-{}", volume.name),
            usable,
            request: usable,
            growth: None,
            filling: GrowthDecision::Nothing,
            carries_quota: volume.carries_quota,
            access: volume.access,
            storage_class: None,
        })
    });
    planned.collect()
}

fn hostname() -> Hostname {
    "garden-sample.example.org".parse().unwrap_or_else(|_| unreachable!("a constant host name"))
}

fn exposure(surroundings: Surroundings) -> Exposure {
    let tls = |tls: TlsSource| Exposure { tls: Some(tls), ..Exposure::default() };
    match surroundings {
        Surroundings::Bare => Exposure::default(),
        Surroundings::Full => Exposure {
            ingress_class: Some("traefik".to_owned()),
            ..tls(TlsSource { cluster_issuer: Some("letsencrypt".to_owned()), secret_name: None })
        },
        Surroundings::Elsewhere => Exposure {
            ingress_class: Some("elsewhere".to_owned()),
            trusted_proxies: vec!["198.51.100.0/24".to_owned()],
            ca_bundle: Some(AUTHORITY.to_owned()),
            ..tls(TlsSource { cluster_issuer: None, secret_name: Some("wildcard-elsewhere".to_owned()) })
        },
    }
}

fn peers(surroundings: Surroundings) -> NetworkPeers {
    match surroundings {
        Surroundings::Bare => NetworkPeers::default(),
        Surroundings::Full => NetworkPeers {
            ingress: block("10.0.0.1/32"),
            dns: block("10.0.0.2/32"),
            public: block("10.0.0.3/32"),
            identity_provider: block("10.0.0.4/32"),
            ..NetworkPeers::default()
        },
        Surroundings::Elsewhere => NetworkPeers {
            ingress: block("198.51.100.1/32"),
            dns: block("198.51.100.2/32"),
            public: block("198.51.100.3/32"),
            identity_provider: block("198.51.100.4/32"),
            mail: block("198.51.100.5/32"),
            ports: NetworkPorts {
                dns: vec![10_053],
                public: vec![10_443],
                identity_provider: vec![10_444],
                mail: vec![10_025],
            },
            ..NetworkPeers::default()
        },
    }
}

fn block(cidr: &str) -> Vec<NetworkPolicyPeer> {
    let ip_block = Some(IPBlock { cidr: cidr.to_owned(), except: None });
    vec![NetworkPolicyPeer { ip_block, ..NetworkPolicyPeer::default() }]
}

fn smtp(surroundings: Surroundings) -> Option<Smtp> {
    let (host, port, secret) = match surroundings {
        Surroundings::Bare => return None,
        Surroundings::Full => ("mail.example.org", 465, Some("smtp")),
        Surroundings::Elsewhere => ("relay.elsewhere.example", 10_025, None),
    };
    let (host, secret_name) = (host.to_owned(), secret.map(str::to_owned));
    Some(Smtp { host, port, from: "cloud@example.org".to_owned(), secret_name })
}

fn identity(surroundings: Surroundings) -> Option<PlannedIdentity> {
    let (issuer, groups_claim) = match surroundings {
        Surroundings::Bare => return None,
        Surroundings::Full => ("https://identity.example.org/realms/commons", "groups"),
        Surroundings::Elsewhere => ("https://login.elsewhere.example:10444/realms/other", "rights"),
    };
    let (issuer, groups_claim) = (issuer.to_owned(), groups_claim.to_owned());
    Some(PlannedIdentity { issuer, client_id: "garden.sample".to_owned(), groups_claim })
}
