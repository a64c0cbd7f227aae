//! What is known of an instance at the end of a pass.

use k8s_openapi::jiff::Timestamp;

use super::children::Children;
use crate::api::Platform;
use crate::apply::Applied;
use crate::compare::Change;
use crate::core::Bytes;
use crate::resolve::{Instance, Resolved};

/// What is known at the end of a pass over an instance.
pub struct Pass<'a> {
    /// The instance.
    pub instance: &'a Instance,
    /// Its plan.
    pub resolved: &'a Resolved,
    /// What was written.
    pub applied: &'a Applied,
    /// What is to be written once the instance is no longer paused.
    pub waiting: &'a [Change],
    /// Its children as they are.
    pub children: &'a Children,
    /// Whether it answers.
    pub reach: Reach,
    /// How full it is.
    pub usage: Usage,
    /// The Platform.
    pub platform: Option<&'a Platform>,
    /// The time.
    pub now: Timestamp,
}

/// What a service answers through the ingress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It is not asked: the package has no page, or the operator was told not to.
    NotAsked,
    /// There is no answer to judge yet.
    Unknown,
    /// It answers as it should.
    Answers,
    /// It does not; why.
    Fails(String),
}

/// How much of the volume that is sold is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// It is not measured: the operator was told not to.
    NotAsked,
    /// The kubelet reports nothing for this volume.
    Unknown,
    /// In coarse steps.
    Used(Bytes),
}
