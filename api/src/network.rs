//! Who is who in the cluster's network, and at which ports: what services may open.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Who is who in the cluster's network, as NetworkPolicy peers.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPeers {
    /// The ingress controller: only it reaches the applications. Empty: nobody does, and no service
    /// with a page becomes Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ingress: Vec<NetworkPolicyPeer>,
    /// The cluster's DNS servers. Empty: services cannot resolve names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub dns: Vec<NetworkPolicyPeer>,
    /// What services go through to reach public addresses (identity provider, editor): usually the
    /// ingress. Empty: they reach none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub public: Vec<NetworkPolicyPeer>,
    /// An identity provider in the cluster that services reach directly, beside what `public` opens.
    /// Empty: it is reached like any public address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub identity_provider: Vec<NetworkPolicyPeer>,
    /// The mail server of `smtp`, if it is a pod, a node or a known address. Empty: only its name is
    /// known, so its port is open towards every address outside `clusterRanges`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub mail: Vec<NetworkPolicyPeer>,
    /// The ports at which these are reached. Most networks judge a connection by the port of the pod
    /// that answers, which need not be its Service's.
    #[serde(default)]
    pub ports: NetworkPorts,
    /// The cluster's own addresses (pods, Services, nodes) as ranges such as `10.42.0.0/16`. A block
    /// in `public`, and the way to a mail server that is known by its name only, leave them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 49)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(block, isCIDR(block))").message("network.clusterRanges: each must be an address range, for example 10.42.0.0/16 or fd00:42::/56"))]
    pub cluster_ranges: Vec<String>,
}

/// At which ports the peers of the cluster's network are reached.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPorts {
    /// Of the DNS servers, by UDP and TCP: 53, and 5353 where their pods listen there.
    #[serde(default = "NetworkPorts::default_dns")]
    #[schemars(length(min = 1, max = 8), inner(range(min = 1, max = 65535)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub dns: Vec<u16>,
    /// Of `public`: 443, and 8443 where the ingress's pods listen there.
    #[serde(default = "NetworkPorts::default_https")]
    #[schemars(length(min = 1, max = 8), inner(range(min = 1, max = 65535)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub public: Vec<u16>,
    /// Of `identityProvider`: those that its pods listen on.
    #[serde(default = "NetworkPorts::default_https")]
    #[schemars(length(min = 1, max = 8), inner(range(min = 1, max = 65535)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub identity_provider: Vec<u16>,
    /// Of the mail server. Empty: the port in `smtp`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(range(min = 1, max = 65535)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub mail: Vec<u16>,
}

impl NetworkPorts {
    fn default_dns() -> Vec<u16> {
        vec![53]
    }

    fn default_https() -> Vec<u16> {
        vec![443]
    }
}

impl Default for NetworkPorts {
    fn default() -> Self {
        Self {
            dns: Self::default_dns(),
            public: Self::default_https(),
            identity_provider: Self::default_https(),
            mail: Vec::new(),
        }
    }
}
