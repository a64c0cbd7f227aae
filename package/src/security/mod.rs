//! The rules of security: what a rendered object must keep to.
//!
//! | module | what lives there |
//! |---|---|
//! | `check` | each object by itself, and all of them together, against what the package declares |
//! | `network`, `peers`, `annotations` | what may be reached, by whom, and by which orders to the ingress |
//! | `pods`, `pod_security` | what a pod may be |
//! | `secrets`, `config_maps` | which Secrets an object refers to, and which ConfigMaps a pod reads |

pub(crate) mod annotations;
pub(crate) mod check;
pub(crate) mod config_maps;
pub(crate) mod network;
pub(crate) mod peers;
pub(crate) mod pod_security;
pub(crate) mod pods;
pub(crate) mod secrets;
