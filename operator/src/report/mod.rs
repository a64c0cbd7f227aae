//! Makes the status: only from what was really applied and what the caches saw. Pure.

mod children;
mod conditions;
mod entity;
mod filling;
mod instance;
mod pods;

pub use children::Children;
pub use conditions::{Problem, Shown, Verdict, conditions};
pub use entity::{Service, entity_problem, entity_status};
pub use instance::{Obstacle, Pass, Reach, Usage, instance_status, refused};
