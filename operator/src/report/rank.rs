//! Which of several problems is told first: the cause, not what follows from it.

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

/// How much a problem tells, the most first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Telling {
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
    /// A volume becomes larger.
    Growing,
    /// Pods are being replaced.
    RollingOut,
    /// Nothing is wrong so far.
    Starting,
}

/// How much a problem of this origin tells.
pub(super) fn telling(origin: Origin, problem: &Problem) -> Telling {
    match (Reason::named(&problem.reason), problem.reason.as_str()) {
        (Some(Reason::VolumeGrowing), _) => Telling::Growing,
        _ if origin == Origin::Volume => Telling::Volume,
        (Some(Reason::Unschedulable), _) | (_, "SchedulingGated") => Telling::Unschedulable,
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
        ) => Telling::NotStartable,
        (Some(Reason::InitFailed), _) => Telling::InitFailed,
        (Some(Reason::FailedCreate | Reason::QuotaExceeded), _) => Telling::NotCreated,
        (Some(Reason::ProbeFailing), _) => Telling::ProbeFailing,
        (Some(Reason::RollingOut), _) => Telling::RollingOut,
        (Some(Reason::Starting), _) => Telling::Starting,
        _ => Telling::Failed,
    }
}

/// The place of a problem among others: what cannot run before what does not answer, and that before
/// what only takes its time; in each of these what others wait for first.
pub(super) fn place(origin: Origin, problem: &Problem) -> impl Ord + use<> {
    let telling = telling(origin, problem);
    let severity = match telling {
        Telling::Volume => 0,
        telling if telling < Telling::ProbeFailing => 1,
        Telling::ProbeFailing => 2,
        _ => 3,
    };
    (severity, origin, telling)
}
