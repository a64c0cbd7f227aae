//! Which Jobs of a restore are tried once more: those that may have met what passes by itself, and leave nothing that
//! a second try would not meet as the first did. Files go on where they ended; half a load is no beginning.

use commonscloud_backup::report::FailureReason;
use k8s_openapi::jiff::SignedDuration;

use super::observed::ObservedRestore;
use super::step::{PATIENCE, is_late};
use crate::api::RestorePhase;
use crate::backup::{SeenJob, failure};

/// Between the end of one try and the next one.
const PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// For how long files are tried: meanwhile the service goes on as it was.
const FILES: SignedDuration = SignedDuration::from_hours(12);

/// Whether a Job that failed is tried once more.
pub(super) fn is_tried_again(observed: &ObservedRestore, job: &SeenJob) -> bool {
    let limit = if observed.phase() == RestorePhase::Files { FILES } else { PATIENCE };
    passes(job) && !job.name.ends_with("-load") && !is_late(observed, limit)
}

/// Whether it is time to.
pub(crate) fn is_time(observed: &ObservedRestore, job: &SeenJob) -> bool {
    let ended = job.ended.or_else(|| job.said.values().filter_map(|said| said.at).max());
    ended.is_none_or(|ended| observed.now.duration_since(ended) >= PAUSE)
}

/// The target did not answer, somebody held a lock, or the pod was taken away: with its node it goes without a word.
pub(super) fn passes(job: &SeenJob) -> bool {
    match failure::reported(job) {
        Some((_, failure)) => {
            use FailureReason::{Interrupted, Locked, Unreachable};
            matches!(failure.reason, Unreachable | Interrupted | Locked)
        }
        None => job.said.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use commonscloud_backup::report::{Failure, Outcome, Report};
    use test_case::test_case;

    use super::super::world::{World, job};
    use super::*;
    use crate::api::RestorePhase as At;
    use crate::backup::{JobState, Said};

    /// How often a Job was begun.
    fn begun(world: &World, name: &str) -> usize {
        let begins = |change: &crate::compare::Change| matches!(change.action, crate::compare::Action::Create(_));
        world.done.iter().filter(|(_, change)| change.kind == "Job" && change.name == name && begins(change)).count()
    }

    #[test_case("calendar-manifest")]
    #[test_case("calendar-restore")]
    #[test_case("calendar-compare-2")]
    fn a_job_whose_pod_was_taken_away_is_begun_again_and_nothing_is_taken_back(name: &str) {
        let mut world = World::new();
        world.ends.insert(name.to_owned(), JobState::Failed(String::new()));
        let end = world.run(|world| {
            if begun(world, name) == 3 {
                world.ends.clear();
            }
        });
        assert_eq!((end, begun(&world, name)), (At::Succeeded, 3), "{:?}", world.phases);
        assert!(!world.phases.contains(&At::Returning), "{:?}", world.phases);
    }

    #[test]
    fn a_load_is_begun_once() {
        let mut world = World::new();
        world.ends.insert("calendar-load".to_owned(), JobState::Failed(String::new()));
        assert_eq!((world.run(|_| {}), begun(&world, "calendar-load")), (At::Failed, 1));
    }

    #[test_case("calendar-manifest", 0)]
    #[test_case("calendar-restore", 3)]
    #[test_case("calendar-compare", 0)]
    fn none_is_tried_for_ever(name: &str, hours: i64) {
        let mut world = World::new();
        world.ends.insert(name.to_owned(), JobState::Failed(String::new()));
        let end = world.run(|world| {
            if world.jobs.contains_key(name) && world.phase() == At::Files {
                world.now += SignedDuration::from_hours(hours);
            }
        });
        assert_eq!(end, At::Failed);
        assert!(begun(&world, name) > 1 && world.reason().1.contains(name), "{:?}", world.reason());
        assert_eq!(world.there(), ["calendar-data", "calendar-db"]);
    }

    #[test_case(FailureReason::Unreachable, "TargetUnreachable")]
    #[test_case(FailureReason::Locked, "RepositoryLocked")]
    fn it_waits_a_moment_and_says_why(failure: FailureReason, reason: &str) {
        let mut world = World::new();
        world.run_to(At::Files);
        let name = "calendar-restore";
        while !world.jobs.contains_key(name) {
            world.pass();
        }
        let failed = world.jobs.get_mut(name).unwrap();
        failed.state = JobState::Failed("BackoffLimitExceeded".to_owned());
        failed.said = said(failure);
        failed.ended = Some(world.now);
        let waits = world.pass();
        assert!(waits.changes.is_empty() && waits.phase == At::Files, "{waits:?}");
        assert_eq!(waits.problem.unwrap().reason, reason);
        assert!(matches!(world.pass().changes[..], [ref change] if change.name == name));
        assert_eq!(world.run(|_| {}), At::Succeeded);
    }

    /// Nothing is made of it, and it is not asked for again.
    #[test]
    fn a_backup_of_a_newer_format_is_refused_before_anything_is_touched() {
        let mut world = World::new();
        world.run_to(At::Preparing);
        let name = "calendar-manifest";
        while !world.jobs.contains_key(name) {
            world.pass();
        }
        let failed = world.jobs.get_mut(name).unwrap();
        failed.state = JobState::Failed("BackoffLimitExceeded".to_owned());
        failed.said = said(FailureReason::FormatTooNew);
        assert_eq!((world.run(|_| {}), begun(&world, name)), (At::Failed, 1));
        assert!(world.done.iter().all(|(_, change)| change.kind != "PersistentVolumeClaim"), "{:?}", world.done);
    }

    fn said(reason: FailureReason) -> std::collections::BTreeMap<String, Said> {
        let report = Some(Report::new(Outcome::Failed(Failure::new(reason, "said"))));
        [("restore".to_owned(), Said { code: 1, at: None, report, words: String::new() })].into()
    }

    #[test_case(FailureReason::Unreachable => true)]
    #[test_case(FailureReason::Interrupted => true)]
    #[test_case(FailureReason::Locked => true)]
    #[test_case(FailureReason::WrongKey => false)]
    #[test_case(FailureReason::Damaged => false)]
    #[test_case(FailureReason::RepositoryReplaced => false)]
    #[test_case(FailureReason::TimedOut => false)]
    fn what_does_not_pass_by_itself_is_not_tried_again(reason: FailureReason) -> bool {
        let mut failed = job("calendar-restore", "r-1", JobState::Failed(String::new()));
        failed.said = said(reason);
        passes(&failed)
    }
}
