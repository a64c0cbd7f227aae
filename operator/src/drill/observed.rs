//! What one pass over a drill sees.

use super::Remains;
use crate::api::DrillRule;
use crate::compare::Change;
use crate::report::Problem;
use crate::restore::ObservedRestore;

/// What one pass over a drill sees.
#[derive(Clone, Debug)]
pub struct ObservedDrill {
    /// As of any restore: its subject is the service as it is drilled, its Jobs and claims are those in the namespace
    /// of drills, its runs those of the service.
    pub restore: ObservedRestore,
    /// What the Platform says of drills.
    pub rule: DrillRule,
    /// Why nothing can be made in the namespace of drills.
    pub closed: Option<Problem>,
    /// What lets the containers of this service in that its package lists as exceptions of Pod Security; none: they
    /// are let in already.
    pub exceptions: Option<Change>,
    /// The copies of the service's own Secrets that are still to be made.
    pub copies: Vec<Change>,
    /// The writes that its objects still need, or why there are none.
    pub objects: Result<Vec<Change>, Problem>,
    /// What others left in the namespace that goes before this one begins: what runs, and what has a name of its own.
    pub others: Remains,
    /// Of the oldest one that failed the volumes and the Jobs that ended: they go where their room is needed.
    pub evidence: Remains,
    /// What there is of its own.
    pub own: Remains,
}
