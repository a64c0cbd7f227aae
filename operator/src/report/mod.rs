//! Makes the status: only from what was really applied and what the caches saw. Pure.
//!
//! | module | what lives there |
//! |---|---|
//! | `instance`, `entity`, `record` | the status of each kind; those of runs and restores are beside their steps |
//! | `children`, `pods`, `claims`, `warnings`, `rank` | what workloads and volumes wait for; Kubernetes' Warning Events |
//! | `backed_up` | what an instance shows of its backups |
//! | `obstacle`, `deletion`, `rollout`, `quota`, `filling`, `images` | what stops, delays or limits an instance |
//! | `pass` | what is known at the end of a pass |

mod backed_up;
mod children;
mod claims;
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
#[cfg(test)]
mod restore_tests;

use crate::conditions;

pub use backed_up::{BackedUp, Unsound, with_backups};
pub use children::{Children, SettingsContainer};
pub use conditions::{ConditionUpdate, Problem, Verdict, conditions, whole_seconds};
pub use deletion::{DeletionWait, ServiceDeletion, deleted_entity, deleted_instance};
pub use entity::{EntityObstacle, Service, entity_problem, entity_status};
pub use instance::{instance_status, refused};
pub use obstacle::Obstacle;
pub use pass::{Pass, Reach, Usage};
pub use record::record_status;
