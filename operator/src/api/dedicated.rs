//! The Dedicated kinds: one running instance of a service each.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BYTES_PATTERN, InstanceSpec, InstanceStatus, NAME_PATTERN};

/// What the one controller needs of a Dedicated kind; a kind adds its typed parameters and
/// nothing else.
pub trait Dedicated:
    kube::Resource<DynamicType = ()>
    + serde::de::DeserializeOwned
    + Serialize
    + Clone
    + std::fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// The shared part of the spec.
    fn instance(&self) -> &InstanceSpec;
    /// The template that this instance is made from.
    fn template(&self) -> &str;
    /// The service's parameters as the template's JSON schema sees them: always an object.
    fn parameters(&self) -> Value;
    /// What was last reported.
    fn status(&self) -> Option<&InstanceStatus>;
}

/// A dedicated office (Oficina Dedicada): files, calendars, contacts and documents of one Entity.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "DedicatedOffice",
    namespaced,
    status = "InstanceStatus",
    derive = "PartialEq",
    doc = "A dedicated office (Oficina Dedicada): files, calendars, contacts and documents of one Entity, on a volume that holds exactly what its tier sells.",
    plural = "dedicatedoffices",
    shortname = "office",
    shortname = "offices",
    category = "commonscloud",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 30").message("metadata.name: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
    printcolumn(name = "Quota", type_ = "string", json_path = ".status.quota"),
    printcolumn(name = "Used", type_ = "string", json_path = ".status.used"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Price", type_ = "string", json_path = ".status.price", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DedicatedOfficeSpec {
    /// What all services have.
    #[serde(flatten)]
    pub instance: InstanceSpec,
    /// What only an office has.
    #[serde(default)]
    pub parameters: OfficeParameters,
}

/// What only an office has.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfficeParameters {
    /// The quota that each person has by default inside the office, for example `1Gi`. It is soft:
    /// the volume is the ceiling of all together. Absent: no limit but the volume's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = BYTES_PATTERN))]
    pub default_user_quota: Option<String>,
    /// Country of phone numbers written without a prefix (ISO 3166-1), for example `ES`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[A-Z]{2}$"))]
    pub phone_region: Option<String>,
    /// Sign-in through an identity provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcParameters>,
}

/// Sign-in through an OpenID Connect provider.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OidcParameters {
    /// The provider's issuer URL, without `/.well-known/openid-configuration`.
    #[schemars(length(max = 2048), regex(pattern = r"^https://[^\s'\x22\\]+$"))]
    pub issuer: String,
    /// The Secret in the same namespace with keys `client-id` and `client-secret`.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub client_secret_name: String,
    /// The claim that lists a person's groups.
    #[serde(default = "OidcParameters::default_groups_claim")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub groups_claim: String,
    /// The groups whose members may enter. Empty: nobody is let in by a group, and belonging to
    /// the Entity does not give access by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63), regex(pattern = "^[A-Za-z0-9_-]+$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_groups: Vec<String>,
}

impl OidcParameters {
    fn default_groups_claim() -> String {
        "groups".to_owned()
    }
}

/// A service made from any template, by the template's name.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "commonscloud.coop",
    version = "v1alpha1",
    kind = "DedicatedService",
    namespaced,
    status = "InstanceStatus",
    derive = "PartialEq",
    doc = "One running instance of any ServiceTemplate, on volumes sized by its tier.",
    shortname = "dsvc",
    category = "commonscloud",
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 30").message("metadata.name: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -"),
    printcolumn(name = "Template", type_ = "string", json_path = ".spec.template"),
    printcolumn(name = "Tier", type_ = "string", json_path = ".spec.tier"),
    printcolumn(name = "Quota", type_ = "string", json_path = ".status.quota"),
    printcolumn(name = "Used", type_ = "string", json_path = ".status.used"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.url"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Price", type_ = "string", json_path = ".status.price", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct DedicatedServiceSpec {
    /// The ServiceTemplate to make this instance from. It cannot be changed.
    #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("template: cannot be changed; make another DedicatedService"))]
    pub template: String,
    /// What all services have.
    #[serde(flatten)]
    pub instance: InstanceSpec,
    /// The template's parameters, checked against its JSON schema.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    #[schemars(schema_with = "free_object")]
    pub parameters: Value,
}

/// An object whose fields are checked elsewhere (by the template's own JSON schema).
pub(crate) fn free_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

impl Dedicated for DedicatedOffice {
    fn instance(&self) -> &InstanceSpec {
        &self.spec.instance
    }
    fn template(&self) -> &'static str {
        "office"
    }
    fn parameters(&self) -> Value {
        serde_json::to_value(&self.spec.parameters).unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
    }
    fn status(&self) -> Option<&InstanceStatus> {
        self.status.as_ref()
    }
}

impl Dedicated for DedicatedService {
    fn instance(&self) -> &InstanceSpec {
        &self.spec.instance
    }
    fn template(&self) -> &str {
        &self.spec.template
    }
    fn parameters(&self) -> Value {
        match &self.spec.parameters {
            Value::Null => Value::Object(serde_json::Map::new()),
            other => other.clone(),
        }
    }
    fn status(&self) -> Option<&InstanceStatus> {
        self.status.as_ref()
    }
}
