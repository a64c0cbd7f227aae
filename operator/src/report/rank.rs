//! Which of several problems is reported first: the cause, not what follows from it.

use super::conditions::Problem;
use crate::api::Reason;

/// What a problem is about; what others wait for comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A claim.
    Volume,
    /// A database, usually.
    StatefulSet,
    /// A step before the others.
    Job,
    /// What people use.
    Other,
}

impl Origin {
    /// Of a workload of this kind.
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "StatefulSet" => Self::StatefulSet,
            "Job" => Self::Job,
            _ => Self::Other,
        }
    }
}

/// How near to the cause a problem is, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A volume that is lost, not made or not given.
    Volume,
    /// No node takes the pod.
    Unschedulable,
    /// The image, or what a container is made of.
    NotStartable,
    /// The step before the application.
    InitFailed,
    /// A container ended, or something else in Kubernetes' own word.
    Failed,
    /// Pods are not even made.
    NotCreated,
    /// It runs and does not answer.
    ProbeFailing,
    /// It serves, and a setting could not be applied.
    SettingsFailed,
    /// A volume becomes larger.
    Growing,
    /// Pods are being replaced.
    RollingOut,
    /// Nothing is wrong so far.
    Starting,
}

/// How near to the cause a problem of this origin is.
pub(super) fn rank(origin: Origin, problem: &Problem) -> Rank {
    match (Reason::named(&problem.reason), problem.reason.as_str()) {
        (Some(Reason::VolumeGrowing), _) => Rank::Growing,
        _ if origin == Origin::Volume => Rank::Volume,
        (Some(Reason::Unschedulable), _) | (_, "SchedulingGated") => Rank::Unschedulable,
        (
            _,
            "ErrImagePull"
            | "ImagePullBackOff"
            | "InvalidImageName"
            | "ErrImageNeverPull"
            | "ImageInspectError"
            | "CreateContainerConfigError"
            | "CreateContainerError"
            | "RunContainerError",
        ) => Rank::NotStartable,
        (Some(Reason::InitFailed), _) => Rank::InitFailed,
        (Some(Reason::FailedCreate | Reason::QuotaExceeded), _) => Rank::NotCreated,
        (Some(Reason::ProbeFailing), _) => Rank::ProbeFailing,
        (Some(Reason::SettingsFailed), _) => Rank::SettingsFailed,
        (Some(Reason::RollingOut), _) => Rank::RollingOut,
        (Some(Reason::Starting), _) => Rank::Starting,
        _ => Rank::Failed,
    }
}

/// Sorts problems, the one to report first: what cannot run before what does not answer, and that before
/// what only takes its time; in each of these what others wait for first.
pub(super) fn sort_key(origin: Origin, problem: &Problem) -> impl Ord + use<> {
    let rank = rank(origin, problem);
    let severity = match rank {
        Rank::Volume => 0,
        rank if rank < Rank::ProbeFailing => 1,
        Rank::ProbeFailing | Rank::SettingsFailed => 2,
        _ => 3,
    };
    (severity, origin, rank)
}
