//! `ServiceTemplate`: a service package; `ServiceTemplateRevision`: an immutable copy of one.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pattern::{
    IMAGE_PATTERN, KEY_PATTERN, NAME_PATTERN, OBJECT_NAME_PATTERN, PART_PATTERN, PATH_PATTERN, VERSION_PATTERN,
    WORD_PATTERN,
};
use super::{Condition, Operations, dedicated::free_object, resources::resource_requirements};

/// A service package: what is needed to make instances of one application.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "ServiceTemplate",
    status = "ServiceTemplateStatus",
    derive = "PartialEq",
    doc = "A service package: versions, images, volumes as expressions of the quota, generated secrets, parameters and Tera manifests. Each change makes a new ServiceTemplateRevision; instances stay on the one they are pinned to until the Platform's roll-out rule moves them.",
    shortname = "stpl",
    category = "commonscloud",
    printcolumn(name = "Title", type_ = "string", json_path = ".spec.title.en"),
    printcolumn(name = "Versions", type_ = "string", json_path = ".spec.versions[*].name"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".status.revision"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[kube(validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 30").message("metadata.name: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -, for example wiki"))]
#[serde(rename_all = "camelCase")]
pub struct ServiceTemplateSpec {
    /// The service's name as people read it, by language (`ca`, `en`): `{{ title }}` in manifests is
    /// the one in the Entity's language, else the English one.
    #[schemars(schema_with = "titles")]
    pub title: BTreeMap<String, String>,
    /// The application's versions, newest first, each with its images.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub versions: Vec<TemplateVersion>,
    /// The parts (application, database, ...) that requests and limits are given for.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<Component>,
    /// The volumes. Each becomes a PersistentVolumeClaim `{instance}-{name}` that is never deleted
    /// with the instance; a restore gives it another one, `{instance}-{name}-r1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub volumes: Vec<VolumeTemplate>,
    /// The Secrets to generate, each once. Each becomes a Secret `{instance}-{name}` that is never
    /// changed and never deleted with the instance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub secrets: Vec<GeneratedSecret>,
    /// JSON schema of `spec.parameters` of the instances. Absent: no parameters.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "free_object")]
    pub parameters: Value,
    /// Text files (scripts, configuration) that manifests put into ConfigMaps as they are:
    /// `{{ files.NAME }}`, and `{{ files.NAME | sha256 }}` where a change has to restart pods.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub files: Vec<PackageFile>,
    /// The Tera manifests, rendered in order.
    #[schemars(length(min = 1, max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub manifests: Vec<Manifest>,
    /// How to tell that the service answers through the ingress. Absent: it has no web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthCheck>,
    /// Containers that cannot run under Pod Security *restricted*, each with its reason. Nothing
    /// beyond *baseline* can be declared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["container".into()]))]
    pub pod_security_exceptions: Vec<PodSecurityException>,
    /// Containers, as `{workload}/{container}`, that apply settings while the application runs. The exec liveness
    /// probe of each prints why they are not applied, and never kills the container: condition `Configured` of
    /// the instance reports it until the container starts again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 3, max = 127)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub configured_by: Vec<String>,
    /// How an instance is backed up and restored. Absent: it is not, and says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operations: Option<Operations>,
}

/// At most eight titles, each short enough for a list.
fn titles(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 120},
    })
}

/// One version of the application.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateVersion {
    /// The version as its makers call it, for example `34.0.1`.
    #[schemars(length(min = 1, max = 63), regex(pattern = VERSION_PATTERN))]
    pub name: String,
    /// Versions that may be upgraded to this one in one step; `33.*` stands for all that begin with
    /// `33.`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub upgrades_from: Vec<String>,
    /// The images of this version, by the name that manifests use.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub images: Vec<ImageReference>,
}

/// An image, by the name that manifests use.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReference {
    /// The name: `{{ images.NAME }}` in manifests.
    #[schemars(length(min = 1, max = 63), regex(pattern = WORD_PATTERN))]
    pub name: String,
    /// The reference, with a tag or a digest.
    #[schemars(length(min = 1, max = 512), regex(pattern = IMAGE_PATTERN))]
    pub reference: String,
}

/// A part of the service that requests and limits are given for.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// The name: `{{ resources.NAME | json_encode }}` in manifests.
    #[schemars(length(min = 1, max = 63), regex(pattern = WORD_PATTERN))]
    pub name: String,
    /// Production figures; `Platform.spec.resources` overrides them.
    #[schemars(schema_with = "resource_requirements")]
    pub resources: ResourceRequirements,
}

/// A volume of each instance.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!has(self.growth) || !has(self.carriesQuota) || !self.carriesQuota").message("volumes[].growth: not for the volume that carriesQuota, whose size is what is sold"))]
#[serde(rename_all = "camelCase")]
pub struct VolumeTemplate {
    /// The name: `{{ volumes.NAME }}` in manifests is the claim's name.
    #[schemars(length(min = 1, max = 30), regex(pattern = PART_PATTERN))]
    pub name: String,
    /// Usable size as an expression of the quota: quantities, `quota`, `+ - * /`, `max(a, b)`,
    /// `min(a, b)`, for example `quota` or `max(2Gi, quota / 10)`.
    #[schemars(length(min = 1, max = 120))]
    pub size: String,
    /// Whether this is the volume that carries the entity's files: its usage is the instance's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub carries_quota: bool,
    /// How many nodes may mount it: `ReadWriteOnce` (one) or `ReadWriteMany`.
    #[serde(default)]
    pub access: VolumeAccess,
    /// How it grows by itself before it is full, while its pods run. Absent: it keeps the size that
    /// `size` gives it. Only for a volume outside the quota, such as a database's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub growth: Option<VolumeGrowth>,
}

/// How a volume outside the quota grows before it is full. What it has grown to is kept: a volume
/// never shrinks.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeGrowth {
    /// It grows once less than this share is free, in percent: of its bytes or of its inodes, as the
    /// kubelet measures them. While they are not measured it does not grow.
    #[serde(default = "VolumeGrowth::default_when_free_below_percent")]
    #[schemars(range(min = 5, max = 50))]
    pub when_free_below_percent: u32,
    /// By how much it grows each time, in percent of what its claim requests.
    #[serde(default = "VolumeGrowth::default_step_percent")]
    #[schemars(range(min = 20, max = 100))]
    pub step_percent: u32,
    /// The usable size at which it stops growing, as an expression of the quota like `size`, for
    /// example `max(16Gi, quota)`. Condition `VolumeFilling` says when it is reached.
    #[schemars(length(min = 1, max = 120))]
    pub maximum: String,
}

impl VolumeGrowth {
    fn default_when_free_below_percent() -> u32 {
        20
    }

    fn default_step_percent() -> u32 {
        50
    }
}

/// How many nodes may mount a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VolumeAccess {
    /// One node.
    #[default]
    ReadWriteOnce,
    /// Many nodes.
    ReadWriteMany,
}

/// A Secret generated once.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GeneratedSecret {
    /// The name: `{{ secrets.NAME }}` in manifests is the Secret's name. `admin` holds the first
    /// administrator's `username` and `password` and is named in the status.
    #[schemars(length(min = 1, max = 30), regex(pattern = PART_PATTERN))]
    pub name: String,
    /// The keys of its data.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub keys: Vec<SecretKey>,
}

/// One key of a generated Secret: a fixed `value`, or `length` random characters.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("has(self.value) != has(self.length)").message("secrets[].keys[]: set one of value and length"))]
#[serde(rename_all = "camelCase")]
pub struct SecretKey {
    /// The key.
    #[schemars(length(min = 1, max = 253), regex(pattern = KEY_PATTERN))]
    pub name: String,
    /// A fixed value that is not secret in itself, such as a user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub value: Option<String>,
    /// How many random letters and digits to generate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 128))]
    pub length: Option<u32>,
}

/// A text file of the package.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PackageFile {
    /// The name: `{{ files.NAME }}` in manifests.
    #[schemars(length(min = 1, max = 63), regex(pattern = WORD_PATTERN))]
    pub name: String,
    /// The text; Tera does not render it.
    #[schemars(length(min = 1, max = 65536))]
    pub content: String,
}

/// A Tera template that renders to YAML documents.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// The name, for error messages, for example `app.yaml`.
    #[schemars(length(min = 1, max = 63), regex(pattern = OBJECT_NAME_PATTERN))]
    pub name: String,
    /// The objects that it renders: each of these, and no other.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub objects: Vec<DeclaredObject>,
    /// The Tera text. Values are quoted as JSON on output: write `name: {{ name }}`, and
    /// `{{ "pre-" ~ name }}` for a part of a string.
    #[schemars(length(min = 1, max = 65536))]
    pub template: String,
}

/// An object that a manifest renders.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeclaredObject {
    /// Its kind, one of the allow-list (see `commonscloud template lint`).
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self in ['NetworkPolicy', 'ServiceAccount', 'ConfigMap', 'Service', 'StatefulSet', 'Deployment', 'Job', 'CronJob', 'PodDisruptionBudget', 'Ingress']").message("objects[].kind: packages cannot render this kind, and nothing cluster-wide; allowed: NetworkPolicy, ServiceAccount, ConfigMap, Service, StatefulSet, Deployment, Job, CronJob, PodDisruptionBudget, Ingress"))]
    pub kind: String,
    /// Its name without the instance: `app` is the object `{instance}-app`.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub name: String,
    /// Whether it may be absent (a manifest that renders it only for some parameters).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// How to tell that the service answers through the ingress.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// The path of a page that needs no sign-in, with its query.
    #[schemars(length(min = 1, max = 253), regex(pattern = PATH_PATTERN))]
    pub path: String,
    /// The status codes with which a working service answers.
    #[serde(default = "HealthCheck::default_statuses")]
    #[schemars(length(min = 1, max = 8), inner(range(min = 200, max = 499)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub statuses: Vec<u16>,
}

impl HealthCheck {
    fn default_statuses() -> Vec<u16> {
        vec![200]
    }
}

/// A container that cannot run under Pod Security *restricted*.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSecurityException {
    /// `{workload}/{container}`, for example `app/nextcloud`.
    #[schemars(length(min = 3, max = 127))]
    pub container: String,
    /// Why it cannot, for whoever reviews the package.
    #[schemars(length(min = 10, max = 500))]
    pub reason: String,
}

/// What the operator reports of a template.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceTemplateStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, or why the package is refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The ServiceTemplateRevision made of the current spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// An immutable copy of a ServiceTemplate, named `{template}-{digest}`.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "ServiceTemplateRevision",
    derive = "PartialEq",
    doc = "An immutable copy of a ServiceTemplate, named by its content's digest. Instances are pinned to one.",
    shortname = "strev",
    category = "commonscloud",
    printcolumn(name = "Template", type_ = "string", json_path = ".spec.template"),
    printcolumn(name = "Versions", type_ = "string", json_path = ".spec.content.versions[*].name"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[x_kube(validation = Rule::new("self == oldSelf").message("a revision cannot be changed; change the ServiceTemplate, which makes a new one"))]
#[serde(rename_all = "camelCase")]
pub struct ServiceTemplateRevisionSpec {
    /// The template's name.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    pub template: String,
    /// The template's spec as it was.
    #[schemars(schema_with = "free_object")]
    pub content: Value,
}
