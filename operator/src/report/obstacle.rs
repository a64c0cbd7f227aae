//! What stops an instance before anything is applied.

use std::sync::Arc;

use super::conditions::{Problem, Verdict};
use crate::api::Reason;
use crate::cache::Undecodable;
use crate::compare::{CopyFault, DataConflict, ObjectTaken, PartKind};
use crate::resolve::Refusal;
use crate::template::RenderError;

/// What stops an instance before anything is applied.
#[derive(Debug, thiserror::Error)]
pub enum Obstacle {
    /// What the instance depends on is there, and cannot be read.
    #[error("{0}; it stays as it is until the field is corrected, or the release runs that wrote it")]
    Undecodable(Arc<Undecodable>),
    /// There is no plan.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The package does not render for this plan.
    #[error("{0}")]
    RenderFailed(#[from] RenderError),
    /// Recorded data does not fit.
    #[error(transparent)]
    Data(#[from] DataConflict),
    /// A platform Secret cannot be copied.
    #[error(transparent)]
    Copy(#[from] CopyFault),
    /// An object's name is another instance's.
    #[error(transparent)]
    ObjectTaken(#[from] ObjectTaken),
    /// The Secrets of the namespace are not known yet.
    #[error("the Secrets of the namespace are not known yet")]
    SecretsUnknown,
    /// The Secrets of the namespace cannot be read.
    #[error("the Secrets of the namespace are not known: {0}")]
    SecretsUnreadable(String),
}

/// How many passes in a row an Entity has to repair what differs, before that is reported.
const PASSES: u32 = 4;

impl Obstacle {
    /// Whether it is no news yet: the Entity repairs or deletes what it made, usually within a moment.
    pub const fn is_fleeting(&self, passes: u32) -> bool {
        matches!(self, Self::Refused(Refusal::EntityDiffers { .. })) && passes < PASSES
    }

    /// How far the instance is because of it.
    pub fn verdict(&self) -> Verdict {
        let problem = |reason: Reason| Problem::new(reason, self.to_string());
        match self {
            Self::Undecodable(_) => Verdict::Stalled(problem(Reason::Undecodable)),
            Self::Refused(refusal) if refusal.waits() => Verdict::Reconciling(problem(refusal.reason())),
            Self::Refused(refusal) => Verdict::Stalled(problem(refusal.reason())),
            Self::RenderFailed(_) => Verdict::Stalled(problem(Reason::RenderFailed)),
            Self::Data(conflict) => data(conflict),
            Self::Copy(CopyFault::SourceMissing { .. }) => {
                Verdict::Reconciling(problem(Reason::PlatformSecretNotFound))
            }
            Self::Copy(_) | Self::ObjectTaken(_) => Verdict::Stalled(problem(Reason::NameTaken)),
            Self::SecretsUnknown => Verdict::Reconciling(problem(Reason::NamespaceNotReady)),
            Self::SecretsUnreadable(_) => Verdict::Reconciling(problem(Reason::FeedFailing)),
        }
    }
}

/// Nothing but the end of a restoration comes by itself.
fn data(conflict: &DataConflict) -> Verdict {
    let reason = match conflict {
        DataConflict::Restoring { .. } | DataConflict::Awaited { .. } => {
            return Verdict::Reconciling(Problem::new(Reason::DataRestoring, conflict.to_string()));
        }
        DataConflict::SecretMissing { .. } => Reason::SecretMissing,
        DataConflict::VolumeMissing { .. } => Reason::VolumeMissing,
        DataConflict::Unverified { .. } => Reason::Unverified,
        DataConflict::BeingDeleted { kind: PartKind::Volume, .. } => Reason::VolumeBeingDeleted,
        DataConflict::BeingDeleted { kind: PartKind::Secret, .. } => Reason::SecretBeingDeleted,
        DataConflict::Foreign { .. } => Reason::NameTaken,
    };
    Verdict::Stalled(Problem::new(reason, conflict.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_entity_does_not_repair_is_reported_in_the_end() {
        let differs = Obstacle::Refused(Refusal::EntityDiffers { entity: "coop".to_owned() });
        assert!(differs.is_fleeting(0), "it is about to be repaired");
        assert!(!differs.is_fleeting(PASSES));
        assert!(matches!(differs.verdict(), Verdict::Reconciling(problem) if problem.is(Reason::EntityDiffers)));
        assert!(!Obstacle::Refused(Refusal::PlatformNotFound).is_fleeting(0));
    }
}
