//! Service packages: checked, compiled, rendered.
//!
//! A package is a [`ServiceTemplateSpec`](crate::api::ServiceTemplateSpec): versions with their
//! images, volumes as expressions of the quota, generated secrets, parameters, and Tera manifests.
//! [`Package::compile`] checks every rule of the format and tries the manifests out; [`render`]
//! makes a plan's objects.
//!
//! | module | what lives there |
//! |---|---|
//! | `compile`, `fields`, `sample` | reads a package; the rules of its own fields; the plans that it is tried out with |
//! | `engine`, `tags` | Tera, set up so that a value can never be more than a value |
//! | `context`, `names` | what manifests know, and whether they know what they name |
//! | `documents`, `typed`, `shape` | rendered text, read as strictly as the API server does |
//! | `check`, `network`, `pods`, `pod_security` | what a rendered object must keep to |
//! | `labels`, `secrets`, `lookup` | what those read of an object |
//! | `directory`, `builtin` | packages from folders, those compiled in |
//! | `golden` | what a package renders for sample instances, as text |
//! | `rule` | every rule of the format, by name |
//! | `schema` | what the API server asks of a ServiceTemplate |
//! | `lint`, `lines`, `place`, `near` | faults by file and line, and what was meant |
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
//! | `network.ingress`, `network.dns`, `network.public` | lists of NetworkPolicy peers; an empty one names nobody, so leave the rule out |
//! | `exposure.ingress_class`, `exposure.cluster_issuer`, `exposure.tls_secret` | each null where the Platform has none |
//! | `smtp.host`, `.port`, `.from`, `.from_local`, `.from_domain`, `.secret` | `smtp` is null where the Platform has no mail server |
//! | `editor.url` | the platform's editor of documents; `editor` is null where it has none |
//! | `labels(component="app")`, `selector(component="app")` | labels of an object or pod; labels that select its pods |
//! | `text \| sha256` | for annotations that restart pods when a configuration changed |

mod builtin;
mod check;
mod compile;
mod context;
mod directory;
mod documents;
mod engine;
mod fault;
mod fields;
mod golden;
mod kinds;
mod labels;
mod lines;
mod lint;
mod lookup;
mod names;
mod near;
mod network;
mod object;
mod package;
mod parameters;
mod place;
mod pod_security;
mod pods;
mod render;
mod rule;
mod sample;
mod schema;
mod secrets;
mod shape;
mod tags;
mod typed;

pub use builtin::builtin;
pub use directory::{DirectoryError, load_directory};
pub(crate) use engine::hexadecimal;
pub use fault::{Fault, PackageError, RenderError};
pub use golden::{Golden, golden};
pub use kinds::{AllowedKind, allowed_kinds};
pub use lint::{Finding, lint};
pub use object::{ObjectSet, RenderedObject};
pub use package::{DeclaredChild, Package, PackageGrowth, PackageVolume};
pub use parameters::ParameterError;
pub use render::render;
pub use rule::Rule;

#[cfg(test)]
mod tests;
