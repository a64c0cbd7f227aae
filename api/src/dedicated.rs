//! The Dedicated kinds: one running instance of a service each.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pattern::{
    BYTES_PATTERN, COUNTRY_PATTERN, GROUP_PATTERN, ISSUER_PATTERN, MAIL_PATTERN, NAME_PATTERN, OBJECT_NAME_PATTERN,
};
use super::{InstanceSpec, InstanceStatus};

/// What the steps need of a Dedicated resource, whatever its kind; a kind adds its typed parameters
/// and nothing else.
pub trait Dedicated: std::fmt::Debug + Send + Sync + 'static {
    /// The name of its kind.
    fn kind(&self) -> &'static str;
    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// The shared part of the spec.
    fn instance(&self) -> &InstanceSpec;
    /// The template that this instance is made from.
    fn template(&self) -> &str;
    /// The service's parameters as the template's JSON schema sees them: always an object.
    fn parameters(&self) -> Value;
    /// What was last reported.
    fn status(&self) -> Option<&InstanceStatus>;
    /// The whole resource, as the API server has it.
    fn object(&self) -> Option<DynamicObject>;
}

/// The spec of a Dedicated kind, with what `kubectl` shows and checks of all of them alike.
macro_rules! dedicated_kind {
    ($(#[$own:meta])* pub struct $spec:ident $fields:tt) => {
        #[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        $(#[$own])*
        #[kube(
            group = "commonscloud.coop",
            version = "v1alpha1",
            namespaced,
            status = "InstanceStatus",
            derive = "PartialEq",
            category = "commonscloud",
            validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$') && size(self.metadata.name) <= 30").message("metadata.name: at most 30 of a-z, 0-9 and -, beginning with a letter, not ending with -, for example wiki"),
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
        pub struct $spec $fields
    };
}

dedicated_kind! {
    /// A dedicated office (Oficina Dedicada): files, calendars, contacts and documents of one Entity.
    #[kube(
        kind = "DedicatedOffice",
        plural = "dedicatedoffices",
        shortname = "office",
        shortname = "offices",
        doc = "A dedicated office (Oficina Dedicada): files, calendars, contacts and documents of one Entity, on a volume that holds exactly what its tier sells."
    )]
    pub struct DedicatedOfficeSpec {
        /// What all services have.
        #[serde(flatten)]
        pub instance: InstanceSpec,
        /// Settings that only an office has.
        #[serde(default)]
        pub parameters: OfficeParameters,
    }
}

dedicated_kind! {
    /// A dedicated agora (Àgora Dedicada): a forum for debate and decisions of one Entity.
    #[kube(
        kind = "DedicatedAgora",
        plural = "dedicatedagoras",
        shortname = "agora",
        shortname = "agoras",
        doc = "A dedicated agora (Àgora Dedicada): a forum for debate and decisions of one Entity. Uploads and backups lie on a volume that holds exactly what its tier sells."
    )]
    pub struct DedicatedAgoraSpec {
        /// What all services have.
        #[serde(flatten)]
        pub instance: InstanceSpec,
        /// Settings that only an agora has.
        #[serde(default)]
        pub parameters: AgoraParameters,
    }
}

dedicated_kind! {
    /// Dedicated projects (Plataforma de Projectes Dedicada): tasks, boards, repositories and wikis
    /// of one Entity.
    #[kube(
        kind = "DedicatedProjects",
        plural = "dedicatedprojects",
        shortname = "projects",
        doc = "Dedicated projects (Plataforma de Projectes Dedicada): tasks, boards, repositories and wikis of one Entity. Files and repositories lie on volumes that hold exactly what its tier sells."
    )]
    pub struct DedicatedProjectsSpec {
        /// What all services have.
        #[serde(flatten)]
        pub instance: InstanceSpec,
        /// Settings that only projects have.
        #[serde(default)]
        pub parameters: ProjectsParameters,
    }
}

dedicated_kind! {
    /// A service made from any template, by the template's name.
    #[kube(
        kind = "DedicatedService",
        doc = "One running instance of any ServiceTemplate, on volumes sized by its tier.",
        shortname = "dsvc",
        printcolumn(name = "Template", type_ = "string", json_path = ".spec.template")
    )]
    pub struct DedicatedServiceSpec {
        /// Name of the ServiceTemplate to make this instance from. It cannot be changed.
        #[schemars(length(min = 1, max = 30), regex(pattern = NAME_PATTERN))]
        #[x_kube(validation = Rule::new("self == oldSelf").message("template: cannot be changed; make another DedicatedService"))]
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
}

/// What only an office has; `templates/office/package.yaml` says the same in `spec.parameters`.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfficeParameters {
    /// The quota that each person has by default inside the office, for example `1Gi`. It is soft:
    /// the volume is the limit for all of them together. Absent: no limit but the volume's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 12), regex(pattern = BYTES_PATTERN))]
    pub default_user_quota: Option<String>,
    /// Country of phone numbers written without a prefix (ISO 3166-1), for example `ES`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = COUNTRY_PATTERN))]
    pub phone_region: Option<String>,
    /// The editor in which people write documents together. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<Editor>,
    /// Sign-in through an identity provider (OpenID Connect). Absent: with accounts of the
    /// application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcParameters>,
}

/// Whose editor of documents (Collabora Online) an office uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Editor {
    /// The platform's, from `Platform.spec.editor`; while that names none, there is no editor.
    Shared,
    /// One of the office's own, below the office's own host name.
    Dedicated,
}

/// What only an agora has.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgoraParameters {
    /// Mail address of whoever is responsible for the forum: shown as its contact, and the first
    /// administrator's, whose name and password are in Secret `{instance}-admin`. Absent: the mail
    /// addresses of the agora's `managers`, then of the Entity's, each of whom becomes an
    /// administrator on signing up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 254), regex(pattern = MAIL_PATTERN))]
    pub contact_mail: Option<String>,
    /// Sign-in through an identity provider. Discourse cannot decide by group who may enter: whoever
    /// manages the agora admits each newcomer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcProvider>,
}

/// What only projects have.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProjectsParameters {
    /// Sign-in through an identity provider (OpenID Connect). Absent: with accounts of the
    /// application's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<OidcParameters>,
}

/// Sign-in through an OpenID Connect provider, for the members of some groups.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OidcParameters {
    /// The provider.
    #[serde(flatten)]
    pub provider: OidcProvider,
    /// The groups whose members may enter. Empty: nobody is let in by a group, and belonging to
    /// the Entity does not give access by itself. In an agora each newcomer is let in by hand all the
    /// same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 63), regex(pattern = GROUP_PATTERN)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_groups: Vec<String>,
}

/// An OpenID Connect provider.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OidcProvider {
    /// The provider's issuer URL, without `/.well-known/openid-configuration`, for example
    /// `https://id.example.org/realms/garden`.
    #[schemars(length(max = 2048), regex(pattern = ISSUER_PATTERN))]
    pub issuer: String,
    /// Name of the Secret with the keys `client-id` and `client-secret` that the provider gave for
    /// this service. It lies in the Entity's namespace, and its label `commonscloud.coop/for` names
    /// the service.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME_PATTERN))]
    pub client_secret_name: String,
    /// The claim in which the provider lists a person's groups.
    #[serde(default = "OidcProvider::default_groups_claim")]
    #[schemars(length(min = 1, max = 63), regex(pattern = GROUP_PATTERN))]
    pub groups_claim: String,
}

impl OidcProvider {
    fn default_groups_claim() -> String {
        "groups".to_owned()
    }
}

/// An object whose fields are checked elsewhere (by the template's own JSON schema).
pub(crate) fn free_object(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "x-kubernetes-preserve-unknown-fields": true,
    })
}

/// The kinds whose parameters are typed; each is made from one template.
macro_rules! typed {
    ($($kind:ident: $template:literal),+ $(,)?) => {$(
        impl Dedicated for $kind {
            fn template(&self) -> &str {
                $template
            }
            fn parameters(&self) -> Value {
                serde_json::to_value(&self.spec.parameters).unwrap_or_else(|_| json!({}))
            }
            dedicated!($kind);
        }
    )+};
}

/// What every kind answers alike.
macro_rules! dedicated {
    ($kind:ident) => {
        fn kind(&self) -> &'static str {
            stringify!($kind)
        }
        fn metadata(&self) -> &ObjectMeta {
            &self.metadata
        }
        fn instance(&self) -> &InstanceSpec {
            &self.spec.instance
        }
        fn status(&self) -> Option<&InstanceStatus> {
            self.status.as_ref()
        }
        fn object(&self) -> Option<DynamicObject> {
            serde_json::to_value(self).and_then(serde_json::from_value).ok()
        }
    };
}

typed!(DedicatedOffice: "office", DedicatedAgora: "agora", DedicatedProjects: "projects");

impl Dedicated for DedicatedService {
    fn template(&self) -> &str {
        &self.spec.template
    }
    fn parameters(&self) -> Value {
        if self.spec.parameters.is_null() { json!({}) } else { self.spec.parameters.clone() }
    }
    dedicated!(DedicatedService);
}
