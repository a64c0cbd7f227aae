//! What waits while a restore in place goes on: another revision, another version.

use std::sync::Arc;

use super::fixtures::{facts, instance, read, template};
use super::*;
use crate::api::{RestorePhase, ServiceData};

const OLD: &str = "radicale-old";
const NEW: &str = "radicale-new";

/// Versions 3 and 4 of the same package under two revisions; the record says this revision and version.
fn restoring(phase: Option<RestorePhase>, revision: &str, version: &str) -> Facts {
    let mut template = template();
    let mut newer = template.spec.versions[0].clone();
    newer.name = "4".into();
    newer.upgrades_from = vec!["3".into()];
    template.spec.versions.insert(0, newer);
    let package = Arc::new(Package::compile("radicale", &template.spec).unwrap());
    let record: ServiceData = read(&format!(
        "apiVersion: commonscloud.coop/v1alpha1\nkind: ServiceData\nmetadata: {{name: calendar}}\nspec: {{owner: {{kind: DedicatedService, name: calendar, uid: u1}}, template: radicale, revision: {revision}, version: '{version}'}}"
    ));
    Facts {
        packages: [OLD, NEW].map(|name| (name.to_owned(), Ok(Arc::clone(&package)))).into(),
        newest_revision: Some(NEW.to_owned()),
        record: Some(Arc::new(record)),
        restore: phase.map(|phase| UnfinishedRestore { phase: Some(phase), ..UnfinishedRestore::default() }),
        ..facts()
    }
}

/// Revision and version of an instance that runs this revision and asks for that.
fn planned(runs: &str, asks: &str, facts: &Facts) -> (String, String) {
    let mut instance = instance(&format!("tier: 1gb{asks}"));
    instance.status.revision = Some(runs.to_owned());
    let plan = resolve(&instance, facts).unwrap().plan;
    (plan.revision, plan.version)
}

fn pair(revision: &str, version: &str) -> (String, String) {
    (revision.to_owned(), version.to_owned())
}

#[test]
fn nothing_new_begins_from_the_moment_that_a_restore_does_until_it_ends() {
    let asks = ", revision: radicale-new, version: '4'";
    let of = |phase| planned(OLD, asks, &restoring(phase, OLD, "3"));
    for before in [None, Some(RestorePhase::Waiting)] {
        assert_eq!(of(before), pair(NEW, "4"), "{before:?}");
    }
    for during in [RestorePhase::Preparing, RestorePhase::Files, RestorePhase::Loading, RestorePhase::Removing] {
        assert_eq!(of(Some(during)), pair(OLD, "3"), "{during:?}");
    }
}

#[test]
fn what_was_restored_runs_the_revision_and_the_version_that_its_record_names() {
    let of = |phase| planned(NEW, "", &restoring(Some(phase), OLD, "3"));
    assert_eq!(of(RestorePhase::Files).0, NEW, "what runs goes on until then");
    assert_eq!(of(RestorePhase::Switching), pair(OLD, "3"));
    assert_eq!(of(RestorePhase::Starting), pair(OLD, "3"));
}

#[test]
fn what_has_no_data_yet_is_planned_as_its_record_says_from_before_its_restore_begins() {
    let mut facts = restoring(Some(RestorePhase::Waiting), OLD, "3");
    assert_eq!(planned(NEW, ", version: '4'", &facts), pair(NEW, "4"), "its data is there");
    let mut record = ServiceData::clone(facts.record.as_deref().unwrap());
    record.spec.restoring = Some("it begins with a backup".to_owned());
    facts.record = Some(Arc::new(record));
    for phase in [RestorePhase::Waiting, RestorePhase::Preparing, RestorePhase::Starting] {
        facts.restore.as_mut().unwrap().phase = Some(phase);
        assert_eq!(planned(NEW, ", revision: radicale-new, version: '4'", &facts), pair(OLD, "3"), "{phase:?}");
    }
}

#[test]
fn a_service_that_is_restored_is_in_no_queue_of_a_roll_out() {
    let mut facts = restoring(Some(RestorePhase::Loading), OLD, "3");
    let mut platform = Platform::clone(facts.platform.as_deref().unwrap());
    platform.spec.rollout.strategy = crate::api::RolloutStrategy::Automatic;
    facts.platform = Some(Arc::new(platform));
    let mut instance = instance("tier: 1gb");
    instance.status.revision = Some(OLD.to_owned());
    assert_eq!(resolve(&instance, &facts).unwrap().rollout, Rollout::Off);
    facts.restore = None;
    assert_eq!(resolve(&instance, &facts).unwrap().rollout, Rollout::Newest(NEW.to_owned()));
}
