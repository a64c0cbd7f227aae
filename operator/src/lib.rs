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
//! | [`core`] | quotas, tariffs, names: knows no Kubernetes types |
//! | [`cache`] | what the API server has, as the watches saw it |
//! | [`entity`] | what an Entity gets: namespace, rights, quota, networks, Dedicated resources |
//! | [`gather`] | what one pass sees: [`gather::Observed`] |
//! | [`resolve`] | resource, Entity, Tariff, Platform and package make a [`plan::Plan`], or a reason why not |
//! | [`restore`] | what is next of a restore, and the claims that take the place of others |
//! | [`drill`] | what is next of a drill, which proves a backup, and whose turn it is |
//! | [`collective`] | who belongs, who may enter, who changed what: what is next |
//! | [`identity`] | what an identity provider is to have, has, and how it is brought to it |
//! | [`plan`] | what is to run for one instance, decided and checked |
//! | [`template`] | service packages: checked, compiled, rendered |
//! | [`canonical`] | objects in the form in which the API server gives them back |
//! | [`compare`] | desired against live: the smallest set of writes |
//! | [`apply`] | the only step that writes objects |
//! | [`conditions`] | verdicts, problems, and conditions with their transition times |
//! | [`report`] | the status: what was applied, what it waits for, why |
//! | [`run`] | the operator as a program |
//! | [`release`] | what the chart's hooks run |
//! | [`backup`] | what is next of a run of a backup |
//! | [`controller`] | who calls the steps, when, for which kind |
//! | [`reachability`], [`usage`] | whether a service answers; how full its volume is |
//! | [`redact`] | takes secrets out of what others read |
//! | [`client`], [`leader`], [`metrics`], [`http`], [`https`], [`rbac`], [`kinds`] | what a program in a cluster needs |

pub use commonscloud_api as api;
pub use commonscloud_package as template;
pub use commonscloud_package::{canonical, plan};

pub mod apply;
pub mod backup;
pub mod cache;
pub mod client;
pub mod collective;
pub mod compare;
pub mod conditions;
pub mod controller;
pub mod core;
pub mod drill;
pub mod entity;
pub mod gather;
pub mod http;
pub mod https;
pub mod identity;
pub mod kinds;
pub mod leader;
pub mod metrics;
pub mod rbac;
pub mod reachability;
pub mod redact;
pub mod release;
pub mod report;
pub mod resolve;
pub mod restore;
pub mod run;
pub mod usage;
