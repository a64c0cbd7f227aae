//! Makes the status: only from what was really applied and what the caches saw. Pure.

mod children;
mod claims;
mod conditions;
mod deletion;
mod entity;
mod events;
mod filling;
mod instance;
mod obstacle;
mod pass;
mod pods;
mod quota;
mod rank;
mod record;
mod rollout;

#[cfg(test)]
mod children_tests;

pub use children::Children;
pub use conditions::{ConditionUpdate, Problem, Verdict, conditions};
pub use deletion::{DeletionWait, ServiceDeletion, deleted_entity, deleted_instance};
pub use entity::{EntityObstacle, Service, entity_problem, entity_status};
pub use instance::{instance_status, refused};
pub use obstacle::Obstacle;
pub use pass::{Pass, Reach, Usage};
pub use record::record_status;
