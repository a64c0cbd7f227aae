//! Service packages: checked, compiled, rendered.
//!
//! A package is a [`ServiceTemplateSpec`](commonscloud_api::ServiceTemplateSpec): versions with their
//! images, volumes as expressions of the quota, generated secrets, parameters, and Tera manifests.
//! [`Package::compile`] checks every rule of the format and tries the manifests out; [`render`]
//! makes a plan's objects.
//!
//! | module | what lives there |
//! |---|---|
//! | [`format`] | the format and its linting: fields, folders, faults by file and line |
//! | [`engine`] | Tera, what manifests know, documents read as strictly as the API server does |
//! | [`security`] | what a rendered object must keep to |
//! | [`render`] | a plan's objects: the engine, then the rules of security |
//! | [`operation`] | how an instance is backed up and restored: the Jobs of a package's operations |
//! | [`plan`] | what is to run for one instance, decided and checked: the only thing that render takes |
//! | [`canonical`] | objects in the form in which the API server gives them back |
//! | `package`, `parameters`, `kinds` | a compiled package; the parameters it takes; the kinds it may render |
//! | `rule`, `fault`, `near`, `text` | every rule by name; what breaks one; what was meant; texts of values |
//!
//! In a manifest `{{ value }}` prints a text in quotes, `{{ value | json_encode }}` anything else
//! (numbers, lists, maps), and `{{ "pre-" ~ value }}` a text made of parts. It knows:
//!
//! | name | what it is |
//! |---|---|
//! | `instance.name`, `instance.namespace` | the Dedicated resource |
//! | `entity.name`, `entity.display_name`, `entity.language` | the Entity |
//! | `title` | the package's `title` in the Entity's language |
//! | `contacts` | mail addresses of the service's managers, then of the Entity's; may be empty |
//! | `hostname`, `url` | where the service answers |
//! | `version`, `images.NAME` | the application's version and its images |
//! | `resources.COMPONENT` | requests and limits |
//! | `quota.bytes` | the storage that is sold |
//! | `volumes.NAME`, `secrets.NAME` | names of the claims and generated Secrets |
//! | `files.NAME` | the package's own text files |
//! | `parameters` | the instance's parameters, defaults filled in |
//! | `network.ingress`, `.dns`, `.public`, `.identity_provider`, `.mail` | lists of NetworkPolicy peers; an empty one names nobody, so leave the rule out |
//! | `network.ports.dns`, `.public`, `.identity_provider`, `.mail` | the ports for a rule to these peers |
//! | `exposure.ingress_class`, `exposure.cluster_issuer`, `exposure.tls_secret` | each null where the Platform has none |
//! | `exposure.trusted_proxies` | address blocks: whom to believe what they say of the client's address |
//! | `smtp.host`, `.port`, `.from`, `.from_local`, `.from_domain`, `.secret` | `smtp` is null where the Platform has no mail server |
//! | `editor.url` | the platform's editor of documents; `editor` is null where it has none |
//! | `labels(component="app")`, `selector(component="app")` | labels of an object or pod; labels that select its pods |
//! | `text \| sha256` | for annotations that restart pods when a configuration changed |

pub mod canonical;
mod engine;
mod fault;
mod format;
mod kinds;
mod near;
pub mod operation;
mod package;
mod parameters;
pub mod plan;
mod render;
mod rule;
mod security;
mod text;

pub use engine::object::{ObjectSet, RenderedObject};
pub use fault::{Fault, PackageError, RenderError};
pub use format::builtin::builtin;
pub use format::directory::{DirectoryError, load_directory};
pub use format::findings::{Finding, lint};
pub use format::golden::{Golden, golden};
pub use format::predecessor::{Incompatibility, incompatibilities};
pub use kinds::{AllowedKind, allowed_kinds};
pub use package::{DeclaredChild, Package, PackageGrowth, PackageVolume};
pub use parameters::ParameterError;
pub use render::render;
pub use rule::Rule;
pub use security::annotations::is_ingress_annotation;
pub use security::secrets::referred_secrets;
pub use text::hexadecimal;

#[cfg(test)]
mod tests;
