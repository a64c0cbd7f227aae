//! `Entity`: an organisation and the services it has.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pattern::{HOSTNAME_PATTERN, LINE_PATTERN, NAME_PATTERN, OBJECT_NAME_PATTERN, UID_PATTERN};
use super::{
    AgoraParameters, BackupChoice, Condition, InstanceSpec, Manager, OfficeParameters, ProjectsParameters,
    dedicated::free_object,
};

/// An organisation (cooperative, association, school) and the services it has.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "Entity",
    plural = "entities",
    status = "EntityStatus",
    derive = "PartialEq",
    doc = "An organisation (cooperative, association, school) and the services it has. From it the operator makes a namespace of the same name, with its quota, limits, network policies and rights, and one Dedicated resource per service.",
    shortname = "ent",
    category = "commonscloud",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 30").message("metadata.name: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -, for example garden"),
    validation = Rule::new("!self.metadata.name.startsWith('kube-') && !(self.metadata.name in ['default', 'commonscloud', 'commonscloud-system', 'cert-manager', 'traefik', 'ingress-nginx', 'local-path-storage'])").message("metadata.name: reserved for the cluster itself; choose another name, it also becomes the namespace"),
    printcolumn(name = "Services", type_ = "string", json_path = ".status.servicesReady"),
    printcolumn(name = "Storage", type_ = "string", json_path = ".status.storage"),
    printcolumn(name = "Month", type_ = "string", json_path = ".status.price"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Tariff", type_ = "string", json_path = ".spec.tariff", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct EntitySpec {
    /// The organisation's name as people write it: what its office and its projects call themselves,
    /// and its agora at first; also an annotation of its namespace.
    #[schemars(length(min = 1, max = 120), regex(pattern = LINE_PATTERN))]
    pub display_name: String,
    /// The language that its services begin with: `ca` (Catalan), `en` (English) or `es` (Spanish).
    /// People can choose another for themselves.
    #[serde(default)]
    pub language: Language,
    /// Domains that belong to the Entity, for example `hort.example`: the `hostname` of a service must
    /// lie at or below one of them. Make sure that a domain is theirs before you add it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 253), regex(pattern = HOSTNAME_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub domains: Vec<String>,
    /// Name of the Tariff that its services are sold by: sizes, prices, extra blocks. Required: a
    /// price is never implied.
    #[schemars(length(min = 1, max = 63), regex(pattern = OBJECT_NAME_PATTERN))]
    pub tariff: String,
    /// The people who decide who belongs to the Entity's collective (Col·lectiu). Being named here
    /// gives no account in any service. One with a `subject` may look at the Entity's resources with
    /// `kubectl`; mail addresses are what services show as contact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub managers: Vec<Manager>,
    /// The uids of former Entities of this name whose kept data this Entity may have: needed where its
    /// display name, domains or managers differ from theirs. The service that waits names the uid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 36), regex(pattern = UID_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub adopt: Vec<String>,
    /// Where the backups of its services go and when they run, within what the Platform allows; a service can
    /// choose otherwise. Absent: as the Platform says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupChoice>,
    /// The services of this Entity. Each becomes a Dedicated resource in the Entity's namespace,
    /// named after its key here; edit it here, not there. A service that is removed stops, and its
    /// data is kept: add it again, and it comes back.
    #[serde(default)]
    pub services: EntityServices,
}

/// The language of what people read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Catalan.
    #[default]
    Ca,
    /// English.
    En,
    /// Spanish.
    Es,
}

/// The services of an Entity.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityServices {
    /// The dedicated office (Oficina Dedicada): files, calendars, contacts, documents. Becomes
    /// DedicatedOffice `office`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub office: Option<OfficeService>,
    /// The dedicated agora (Àgora Dedicada): a forum for debate and decisions. Becomes DedicatedAgora
    /// `agora`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agora: Option<AgoraService>,
    /// The dedicated projects (Plataforma de Projectes Dedicada): tasks, boards, repositories, wikis.
    /// Become DedicatedProjects `projects`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projects: Option<ProjectsService>,
    /// Services made from other templates, such as a wiki. Each becomes a DedicatedService of its name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(
        merge_strategy = ListMerge::Map(vec!["name".into()]),
        validation = Rule::new("self.all(s, !(s.name in ['office', 'agora', 'projects']))").message("services.others[].name: office, agora and projects are the names of the typed services"),
    )]
    pub others: Vec<OtherService>,
}

/// The office of an Entity.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfficeService {
    /// What all services have.
    #[serde(flatten)]
    pub instance: InstanceSpec,
    /// Settings that only an office has.
    #[serde(default)]
    pub parameters: OfficeParameters,
}

/// The agora of an Entity.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgoraService {
    /// What all services have.
    #[serde(flatten)]
    pub instance: InstanceSpec,
    /// Settings that only an agora has.
    #[serde(default)]
    pub parameters: AgoraParameters,
}

/// The projects of an Entity.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectsService {
    /// What all services have.
    #[serde(flatten)]
    pub instance: InstanceSpec,
    /// Settings that only projects have.
    #[serde(default)]
    pub parameters: ProjectsParameters,
}

/// A service made from a template by its name.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherService {
    /// The instance's name, unique in the Entity.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// Name of the ServiceTemplate to make it from; `kubectl get servicetemplates` lists them. It
    /// cannot be changed.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("services.others[].template: cannot be changed, the data under this name belongs to another template; add a service with another name"))]
    pub template: String,
    /// What all services have.
    #[serde(flatten)]
    pub instance: InstanceSpec,
    /// Settings of this service, as its template describes them: `kubectl get servicetemplate NAME
    /// --output jsonpath={.spec.parameters}`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "free_object")]
    pub parameters: Value,
}

/// What the operator reports of an Entity.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntityStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `Reconciling`, `Stalled` (kstatus).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The Entity's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Services ready of all that there are, those written by hand included, for example `2/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services_ready: Option<String>,
    /// Quotas of all services together, for example `25Gi`. Those without a size in the Tariff are
    /// named: `25Gi + 1 unknown (wiki)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// Price of a month, for example `20.00 EUR + 1 unpriced`; services about which the Tariff says
    /// nothing are named, for example `20.00 EUR + 1 unknown (wiki)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<String>,
    /// Each service, by name: those of the spec, then those written by hand in the Entity's namespace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub services: Vec<EntityServiceStatus>,
}

/// One service of an Entity, as its own status says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EntityServiceStatus {
    /// The instance's name.
    pub name: String,
    /// The kind of the Dedicated resource.
    pub kind: String,
    /// Whether it is ready.
    pub ready: bool,
    /// Where it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Why it is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
