//! The rules of security: what a rendered object must keep to.
//!
//! | module | what lives there |
//! |---|---|
//! | `check` | each object by itself, and all of them together, against what the package declares |
//! | `network`, `peers`, `annotations` | what may be reached, by whom, and by which orders to the ingress |
//! | `pods`, `pod_security` | what a pod may be |
//! | `secrets` | which Secrets an object refers to |

pub(crate) mod annotations;
pub(crate) mod check;
pub(crate) mod network;
pub(crate) mod peers;
pub(crate) mod pod_security;
pub(crate) mod pods;
pub(crate) mod secrets;
