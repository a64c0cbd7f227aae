//! The operator of cooperative clouds: types, core, templates and controllers.
//!
//! Data flows one way, one module per step:
//!
//! ```text
//! watch ─► gather ─► resolve ─► render ─► compare ─► apply ─► report
//! caches   Facts     Plan       ObjectSet  Changes    Applied   Status
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | [`api`] | the custom resources: what people write and read |
//! | [`canonical`] | objects in the form in which the API server gives them back |
//! | [`core`] | quotas, tariffs, names: knows no Kubernetes types |
//! | [`plan`] | what is to run for one instance, decided and checked |
//! | [`template`] | service packages: checked, compiled, rendered |

pub mod api;
pub mod canonical;
pub mod core;
pub mod plan;
pub mod template;
