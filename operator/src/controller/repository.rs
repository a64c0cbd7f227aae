//! Who is at work at a repository, as the API server has it: runs and restores in the namespace of an Entity, drills in
//! theirs, and in the operator's own the Jobs that forget, prune and check. Each waits for the other.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;

use super::context::Context;
use crate::api::{BackupRepository, marks};
use crate::apply::WriteError;
use crate::backup::copy::COPIED_FROM;
use crate::backup::label;
use crate::backup::maintenance::REPOSITORY;
use crate::gather;
use crate::template::operation::OPERATION_OF;

/// The Jobs that care for these repositories, or copy into them. Of none there are none.
async fn caring(context: &Context, places: &[&BackupRepository]) -> Result<Vec<Job>, WriteError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    context.server.jobs(context.server.home(), &written(places)).await
}

fn written(places: &[&BackupRepository]) -> String {
    let labels: Vec<String> = places.iter().map(|at| label(at)).collect();
    format!("{REPOSITORY} in ({})", labels.join(","))
}

/// The one that is at work at one of these repositories, as `Job/NAME`.
pub(super) async fn goes_first(context: &Context, places: &[&BackupRepository]) -> Result<Option<String>, WriteError> {
    let jobs = caring(context, places).await?;
    let at_work = jobs.iter().find(|job| !gather::job_has_ended(job));
    let name = at_work.and_then(|job| job.metadata.name.as_deref());
    Ok(name.map(|name| format!("Job/{name} of namespace {}", context.server.home())))
}

/// Whether another Entity's backup is copied out of this repository: it is not changed meanwhile.
pub(super) async fn is_copied(context: &Context, at: &BackupRepository) -> Result<bool, WriteError> {
    let selector = format!("{COPIED_FROM}={}", label(at));
    let jobs = context.server.jobs(context.server.home(), &selector).await?;
    Ok(!jobs.iter().all(gather::job_has_ended))
}

/// All that is or was at work at a repository in the operator's namespace: what cares for it, copies into it and copies
/// out of it, with the pods, which outlive a Job that is removed.
pub(super) async fn at_home(context: &Context, at: &BackupRepository) -> Result<(Vec<Job>, Vec<Pod>), WriteError> {
    let home = context.server.home();
    let (mut jobs, mut pods) = (Vec::new(), Vec::new());
    for selector in selectors(at) {
        jobs.extend(context.server.jobs(home, &selector).await?);
        pods.extend(context.server.pods(home, &selector).await?);
    }
    Ok((jobs, pods))
}

fn selectors(at: &BackupRepository) -> [String; 2] {
    [REPOSITORY, COPIED_FROM].map(|name| format!("{name}={}", label(at)))
}

/// Whether no Job and no pod of a run, restore or drill of a service is at work. A drill of a service that another
/// Entity calls the same counts as well.
pub(super) async fn is_idle(context: &Context, namespace: &str, service: &str) -> Result<bool, WriteError> {
    let selector = format!("{OPERATION_OF}={service}");
    for place in [namespace, marks::DRILLS] {
        let jobs = context.server.jobs(place, &selector).await?;
        if !jobs.iter().all(gather::job_has_ended) {
            return Ok(false);
        }
        let pods = context.server.pods(place, &selector).await?;
        if gather::ended(&pods).is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::copy::copy_place;
    use crate::backup::fixtures::{copy_begun, others_place, subject};
    use crate::compare::Action;

    #[test]
    fn a_copy_is_found_by_either_repository() {
        let subject = subject();
        let (to, from) = (copy_place(&subject), others_place());
        let Action::Create(job) = copy_begun(&subject).action else { panic!("no Job") };
        let labels = &job["metadata"]["labels"];
        let selects = |selector: &String| selector.split_once('=').is_some_and(|(name, value)| labels[name] == value);
        for at in [&from, &to] {
            assert!(selectors(at).iter().any(selects), "{at:?}: {labels}");
        }
        // Who forgets there finds it as well: what was copied before it does not copy again.
        assert_eq!(written(&[&to]), format!("{REPOSITORY} in ({})", labels[REPOSITORY].as_str().unwrap()));
    }
}
