//! Makes the status: only from what was really applied and what the caches saw. Pure.
//!
//! | module | what lives there |
//! |---|---|
//! | `instance`, `entity`, `record` | the status of each kind |
//! | `conditions` | verdicts, and conditions with their transition times |
//! | `children`, `pods`, `claims`, `warnings`, `rank` | what workloads and volumes wait for; Kubernetes' Warning Events |
//! | `obstacle`, `deletion`, `rollout`, `quota`, `filling`, `images` | what stops, delays or limits an instance |
//! | `pass` | what is known at the end of a pass |

mod children;
mod claims;
mod conditions;
mod deletion;
mod entity;
mod filling;
mod images;
mod instance;
mod obstacle;
mod pass;
mod pods;
mod quota;
mod rank;
mod record;
mod rollout;
mod warnings;

#[cfg(test)]
mod children_tests;

pub use children::{Children, SettingsContainer};
pub use conditions::{ConditionUpdate, Problem, Verdict, conditions};
pub use deletion::{DeletionWait, ServiceDeletion, deleted_entity, deleted_instance};
pub use entity::{EntityObstacle, Service, entity_problem, entity_status};
pub use instance::{instance_status, refused};
pub use obstacle::Obstacle;
pub use pass::{Pass, Reach, Usage};
pub use record::record_status;
