//! `Platform`: how this cluster is, for all services.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pattern::{HOSTNAME_PATTERN, MAIL_PATTERN, NAME_PATTERN, OBJECT_NAME_PATTERN, ORIGIN_PATTERN};
use super::{
    Condition, ImageOverride, NetworkPeers, PlatformBackup, PlatformIdentity, resources::resource_requirements,
};

/// The settings of this cluster: one object, named `default`.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "Platform",
    status = "PlatformStatus",
    derive = "PartialEq",
    doc = "The settings of this cluster for all services: base domain, exposure, storage classes, image and resource overrides, network peers, mail, retention. One object, named default.",
    category = "commonscloud",
    validation = Rule::new("self.metadata.name == 'default'").message("metadata.name: there is one Platform, named default"),
    printcolumn(name = "Base domain", type_ = "string", json_path = ".spec.baseDomain"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct PlatformSpec {
    /// The domain below which services get their host names, for example `example.org`.
    #[schemars(length(max = 190), regex(pattern = HOSTNAME_PATTERN))]
    pub base_domain: String,
    /// How a service's host name is built from `{entity}`, `{service}` and `{baseDomain}`. With the
    /// default, one wildcard certificate serves all.
    #[serde(default = "PlatformSpec::default_hostname_pattern")]
    #[schemars(length(max = 120))]
    #[x_kube(validation = Rule::new("self.matches('^[-a-z0-9.{}A-Z]+$') && self.contains('{entity}') && self.contains('{service}') && self.endsWith('{baseDomain}')").message("hostnamePattern: must hold {entity} and {service} and end in {baseDomain}, with a-z, 0-9, - and dots between them, for example {entity}-{service}.{baseDomain}"))]
    pub hostname_pattern: String,
    /// How services are reached from outside.
    #[serde(default)]
    pub exposure: Exposure,
    /// What the operator has to know about each storage class that services use, so that a volume
    /// holds exactly its quota.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub storage_classes: Vec<StorageClassFacts>,
    /// The storage class of new volumes. Absent: the first of `storageClasses`, else the cluster's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class: Option<String>,
    /// Images used instead of a template's own, for example from a mirror. None of them moves an
    /// instance to another version of an image unless it names the version of the application.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["template".into(), "image".into()]))]
    pub images: Vec<ImageOverride>,
    /// Secrets in the operator's namespace for pulling the images of all services
    /// (`kubernetes.io/dockerconfigjson`). Each Entity's namespace gets copies, which nobody there may read.
    /// Naming one here restarts the pods of every service once; a new password in it restarts none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub image_pull_secrets: Vec<String>,
    /// Requests and limits that replace a template's own production figures, one by one: a figure
    /// that is not named here stays the template's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["template".into(), "component".into()]))]
    pub resources: Vec<ComponentResources>,
    /// The peers in the cluster's network. Services are closed in both directions; only what is named
    /// here can be opened.
    #[serde(default)]
    pub network: NetworkPeers,
    /// The mail server that services send through. Absent: they send no mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<Smtp>,
    /// The editor of documents that offices with `editor: Shared` use. Absent: they have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<SharedEditor>,
    /// How long data stays after its service was deleted.
    #[serde(default)]
    pub retention: Retention,
    /// Who moves instances to a new revision of their template. An upgrade of the operator alone never
    /// does.
    #[serde(default)]
    pub rollout: Rollout,
    /// How services are backed up. Absent: they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<PlatformBackup>,
    /// Who signs people in. Absent: the operator keeps no collectives, and each service its own accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<PlatformIdentity>,
}

impl PlatformSpec {
    fn default_hostname_pattern() -> String {
        "{entity}-{service}.{baseDomain}".to_owned()
    }

    /// The Secrets of the operator's own namespace that services need, each with the field that names it. Those of
    /// `backup` are none: one that is missing stops no service.
    pub fn secrets(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let tls = self.exposure.tls.as_ref().and_then(|tls| tls.secret_name.as_deref());
        let smtp = self.smtp.as_ref().and_then(|smtp| smtp.secret_name.as_deref());
        let named = [("spec.exposure.tls.secretName", tls), ("spec.smtp.secretName", smtp)];
        let pull = self.image_pull_secrets.iter().map(|name| ("spec.imagePullSecrets", name.as_str()));
        named.into_iter().filter_map(|(field, name)| Some((field, name?))).chain(pull)
    }
}

/// How services are reached from outside.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exposure {
    /// The IngressClass of every Ingress. Absent: the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ingress_class: Option<String>,
    /// Where certificates come from. Absent: the ingress controller's default certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSource>,
    /// PEM certificates of the private authority that signed the services' certificates: with them
    /// the operator checks that a service answers. Absent: the public authorities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub ca_bundle: Option<String>,
    /// The IP address at which the operator reaches the ingress, to check that a service answers.
    /// Absent: the address in the Ingress's own status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 45))]
    pub address: Option<String>,
    /// The proxies that applications trust to report the client's address: the ingress's pods and what
    /// stands in front of them, as address ranges such as `100.64.0.0/10`. Empty: every range that pods
    /// and nodes usually have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 49)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[x_kube(validation = Rule::new("self.all(block, isCIDR(block))").message("exposure.trustedProxies: each must be an address range, for example 100.64.0.0/10 or fd00::/8"))]
    pub trusted_proxies: Vec<String>,
}

/// Where certificates come from: one of the fields.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.clusterIssuer) != has(self.secretName)").message("exposure.tls: set one of clusterIssuer and secretName"))]
#[serde(rename_all = "camelCase")]
pub struct TlsSource {
    /// A cert-manager ClusterIssuer, asked for one certificate per host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub cluster_issuer: Option<String>,
    /// A wildcard certificate: name of a TLS Secret in the operator's namespace, copied to where an
    /// Ingress needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
}

/// What the operator has to know about a storage class.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageClassFacts {
    /// The StorageClass's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// What its file system takes for itself. It is added to the quota in every request, so that one
    /// file of exactly the quota fits.
    #[serde(default)]
    pub overhead: FileSystemOverhead,
    /// Whether a write past the volume's size fails. Set `false` for classes such as local-path or
    /// NFS: services then report that their quota is not enforced (condition `QuotaEnforced`).
    #[serde(default = "StorageClassFacts::default_enforces_size")]
    pub enforces_size: bool,
}

impl StorageClassFacts {
    fn default_enforces_size() -> bool {
        true
    }
}

/// What a file system takes for itself: `bytes`, and `perMille` of the volume.
#[derive(KubeSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileSystemOverhead {
    /// What it takes of any volume, in bytes, for example its journal.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_099_511_627_776_u64))]
    pub bytes: u64,
    /// What it takes in proportion to the volume, in thousandths.
    #[serde(default)]
    #[schemars(range(min = 0, max = 500))]
    pub per_mille: u32,
}

/// Requests and limits that replace a template's own.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentResources {
    /// Name of the template, for example `office`.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub template: String,
    /// The component's name in the template, for example `app`.
    #[schemars(length(min = 1, max = 63))]
    pub component: String,
    /// Requests and limits of each container of the component; each replaces the template's own.
    #[schemars(schema_with = "resource_requirements")]
    pub resources: ResourceRequirements,
}

/// The mail server that services send through.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Smtp {
    /// Host name of the server.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub host: String,
    /// Port, usually 465 or 587.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// Sender of the services' mail.
    #[schemars(length(max = 254), regex(pattern = MAIL_PATTERN))]
    pub from: String,
    /// Name of a Secret in the operator's namespace with keys `username` and `password`. Absent: the
    /// server asks for neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub secret_name: Option<String>,
}

/// An editor of documents (Collabora Online) that serves many offices. It must let in the host name
/// of each of them (`aliasgroup`), and reach them through the ingress.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SharedEditor {
    /// Its URL, for offices and browsers alike, for example `https://editor.example.org`.
    #[schemars(length(max = 2048), regex(pattern = ORIGIN_PATTERN))]
    pub url: String,
}

/// How long data stays after its service was deleted.
#[derive(KubeSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// For how many days at least data is kept after its service was deleted.
    #[serde(default = "Retention::default_days")]
    #[schemars(range(min = 1, max = 3650))]
    pub days: u32,
}

impl Retention {
    fn default_days() -> u32 {
        90
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: Self::default_days() }
    }
}

/// How a changed template reaches the instances that run.
#[derive(KubeSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// `Manual`: an instance moves when its `spec.revision` says so. `Automatic`: by itself, a few at
    /// a time.
    #[serde(default)]
    pub strategy: RolloutStrategy,
    /// With `Automatic`: how many instances of a template that were Ready before may be not Ready on
    /// a new revision at a time; the others wait.
    #[serde(default = "Rollout::default_max_unavailable")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_unavailable: u32,
}

impl Rollout {
    fn default_max_unavailable() -> u32 {
        1
    }
}

impl Default for Rollout {
    fn default() -> Self {
        Self { strategy: RolloutStrategy::default(), max_unavailable: Self::default_max_unavailable() }
    }
}

/// Who moves an instance to a new revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RolloutStrategy {
    /// Whoever sets `spec.revision`.
    #[default]
    Manual,
    /// The operator.
    Automatic,
}

/// What the operator reports of the Platform.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlatformStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, and whatever else is wrong with the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The existing Tariffs: what `tariff` of an Entity can name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub tariffs: Vec<ListedTariff>,
    /// The existing ServiceTemplates, and what a service made from each can name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub templates: Vec<ListedTemplate>,
}

/// A Tariff, and whether it can be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedTariff {
    /// Its name.
    pub name: String,
    /// Whether an Entity names it. Then admission refuses its deletion.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_use: bool,
}

/// A ServiceTemplate, and what a service made from it can name. Admission warns of anything else.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedTemplate {
    /// Its name: what `template` of a service can name.
    pub name: String,
    /// Its revisions: what `revision` can name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub revisions: Vec<String>,
    /// The application's versions in them: what `version` can name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub versions: Vec<String>,
    /// The fields that `parameters` can have. Absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub parameters: Option<Vec<String>>,
}
