//! A wiki `calendar` that begins with a backup of the wiki `former`.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::SignedDuration;
use serde_json::json;
use test_case::test_case;

use super::super::next;
use super::super::observed::{NewService, Whose};
use super::super::step::ASKED;
use super::super::world::World;
use super::*;
use crate::api::{DataEntity, RestorePhase as At};
use crate::backup::JobState;
use crate::cache::Sealed;
use crate::plan::InstanceReference;

const NEW: [&str; 2] = ["calendar-data-r1", "calendar-db-r1"];
const SECRETS: [&str; 3] = ["calendar-admin", "calendar-db", "calendar-keys"];

fn sealed(name: &str) -> (String, Arc<Sealed>) {
    let sealed = Sealed { name: name.to_owned(), digest: format!("of {name}"), ..Sealed::default() };
    (name.to_owned(), Arc::new(sealed))
}

/// It has a Dedicated resource, and nothing else.
fn anew() -> World {
    let mut world = World::new();
    world.claims.clear();
    world.is_recorded = false;
    world.restore.spec.from.service = "former".to_owned();
    world.restore.spec.into = serde_json::from_value(json!({"kind": "NewService", "service": "calendar"})).unwrap();
    world.manifest.instance.name = "former".to_owned();
    let mut source = world.record.clone();
    source.metadata.name = Some("former".to_owned());
    let secret =
        |name: &str| json!({"name": name, "secret": format!("former-{name}"), "uid": name, "keys": ["password"]});
    source.spec.secrets = serde_json::from_value(json!(["admin", "db", "keys"].map(secret))).unwrap();
    says(&mut world);
    let reference = InstanceReference {
        kind: "DedicatedService".into(),
        namespace: "coop".into(),
        name: "calendar".into(),
        uid: "u1".into(),
    };
    let entity = DataEntity { uid: Some("e1".into()), display_name: "Coop".into(), ..DataEntity::default() };
    world.new = Some(NewService {
        whose: Ok(Whose { instance: reference, template: "mediawiki".into(), entity }),
        from: "coop".to_owned(),
        source: Some(Arc::new(source)),
        sources: Some(["former-admin", "former-db", "former-keys"].map(sealed).into()),
        secrets: Some(BTreeMap::new()),
    });
    world
}

/// Its runs say what the manifest does.
fn says(world: &mut World) {
    for run in &mut world.runs {
        let run = Arc::make_mut(run);
        run.spec.service = "former".to_owned();
        run.status.as_mut().unwrap().versions = Some(world.manifest.versions.clone());
    }
}

/// It has a record that holds it, and nothing else; it says so.
fn is_empty(world: &World) {
    assert_eq!(world.phase(), At::Failed, "{:?}", world.restore.status);
    assert_eq!(world.record.spec.restoring.as_deref(), Some(AWAITED), "{:?}", world.phases);
    assert!(world.record.spec.volumes.iter().all(|volume| volume.uid.is_none()), "{:?}", world.record.spec.volumes);
    assert_eq!(world.there(), [""; 0], "{:?}", world.phases);
    assert!(
        world.reason().1.contains("calendar has no data, and waits for another ServiceRestore"),
        "{:?}",
        world.reason()
    );
    assert!(world.jobs.values().all(|job| job.state != JobState::Runs));
}

#[test]
fn a_new_service_begins_with_the_data_the_version_and_the_secrets_of_the_backup() {
    let mut world = anew();
    assert_eq!(world.run(|_| {}), At::Succeeded, "{:?}", world.restore.status);
    let way = [
        At::Waiting,
        At::Preparing,
        At::Files,
        At::Switching,
        At::Loading,
        At::Verifying,
        At::Starting,
        At::Removing,
        At::Succeeded,
    ];
    assert_eq!(world.phases, way);
    assert_eq!((world.recorded(), world.there()), (NEW.to_vec(), NEW.to_vec()));
    let (record, versions) = (&world.record.spec, &world.manifest.versions);
    assert_eq!((record.restoring.as_ref(), record.owner.uid.as_str()), (None, "u1"));
    assert_eq!(
        (record.version.as_ref(), record.revision.as_ref()),
        (Some(&versions.application), Some(&versions.revision))
    );
    let named: Vec<_> = record.secrets.iter().map(|secret| secret.secret.as_str()).collect();
    assert_eq!(named, SECRETS);
    let status = world.restore.status.as_ref().unwrap();
    assert!(status.down_seconds.is_none() && status.stopped_at.is_none(), "nobody was kept from anything: {status:?}");
    assert!(world.reason().1.contains("calendar begins with what the backup"), "{:?}", world.reason());
}

#[test]
fn its_record_is_made_before_anything_and_its_secrets_before_it_has_data() {
    let mut world = anew();
    world.run_to(At::Switching);
    assert_eq!(world.recorded(), [""; 0], "what may be written to is not named yet");
    let done: Vec<String> = world.done.iter().map(|(_, change)| change.to_string()).collect();
    assert_eq!(done.first().map(String::as_str), Some("create ServiceData/calendar"));
    for secret in SECRETS {
        assert!(done.contains(&format!("copy Secret/{secret}")), "{done:?}");
    }
    assert!(world.record.spec.restoring.is_some(), "nothing begins");
}

#[test]
fn a_secret_is_the_services_own_and_a_copy_of_the_others() {
    let mut world = anew();
    world.run_to(At::Switching);
    let copies = world.done.iter().filter(|(_, change)| change.kind == "Secret");
    for (phase, change) in copies {
        let Action::Copy { from: Some(from), secret, because } = &change.action else { panic!("{change}") };
        assert_eq!((*phase, because.is_empty()), (At::Files, true));
        assert_eq!(
            (from.namespace.as_str(), from.name.as_str()),
            ("coop", change.name.replace("calendar", "former").as_str())
        );
        let labels = &secret["metadata"]["labels"];
        assert_eq!(labels["commonscloud.coop/instance"], "calendar");
        assert_eq!((&labels["commonscloud.coop/data"], &secret["immutable"]), (&json!("true"), &json!(true)));
        assert!(secret.get("data").is_none());
    }
}

#[test_case("calendar-restore")]
#[test_case("calendar-compare-2")]
fn files_may_take_hours(job: &str) {
    let mut world = anew();
    let end = world.run(|world| world.last(job, SignedDuration::from_hours(3)));
    assert_eq!(end, At::Succeeded, "{:?}", world.restore.status);
}

#[test]
fn the_repository_is_that_of_the_service_that_the_backup_is_of() {
    let mut world = anew();
    world.run_to(At::Files);
    let made = world.done.iter().filter(|(_, change)| change.kind == "Job");
    for (_, change) in made {
        assert!(change.name.starts_with("calendar-"), "its Jobs are the new service's: {change}");
        let Action::Create(job) = &change.action else { continue };
        assert!(job.to_string().contains("coop-e1.former"), "{job}");
    }
}

#[test_case(None; "its own data")]
#[test_case(Some("all is lost"); "what was lost and is still to be restored")]
fn nothing_is_written_over_a_service_that_has_data(restoring: Option<&str>) {
    let mut world = World { is_recorded: true, ..anew() };
    world.record.spec.restoring = restoring.map(str::to_owned);
    let before = world.record.clone();
    assert_eq!(world.run(|_| {}), At::Failed);
    let (reason, message) = world.reason();
    assert!(reason == "ServiceHasData" && message.contains("paused: true"), "{message}");
    assert_eq!((world.record, world.done), (before, Vec::new()));
}

#[test]
fn it_waits_for_the_service_and_while_that_is_paused() {
    let mut world = anew();
    let whose = world.new.as_ref().unwrap().whose.clone();
    world.new.as_mut().unwrap().whose = Err(Problem::new(Reason::NotFound, "apply it now"));
    for _ in 0..5 {
        world.pass();
    }
    assert_eq!((world.phase(), world.reason().0.as_str()), (At::Waiting, "NotFound"));
    world.new.as_mut().unwrap().whose = whose;
    world.service.is_paused = true;
    for _ in 0..5 {
        world.pass();
    }
    assert_eq!((world.phase(), world.reason().0.as_str(), world.done.len()), (At::Waiting, "Paused", 0));
    world.service.is_paused = false;
    assert_eq!(world.run(|_| {}), At::Succeeded);
}

#[test_case(true; "for the service as well")]
#[test_case(false; "for its turn alone")]
fn of_an_older_one_that_may_wait_for_ever_it_is_told_how_to_end_it(is_missing: bool) {
    let mut world = anew();
    for _ in 0..2 {
        world.pass();
    }
    if is_missing {
        world.new.as_mut().unwrap().whose = Err(Problem::new(Reason::NotFound, "apply it now"));
    }
    world.goes_first = Some("ServiceRestore/older".to_owned());
    let waits = Some("a consent is needed".to_owned());
    let step = next(&ObservedRestore { first_waits: waits, ..world.seen() });
    let problem = step.problem.unwrap();
    assert_eq!((step.phase, problem.reason.as_str()), (At::Waiting, "WaitsForTurn"));
    let words = ["ServiceRestore/older", "kubectl delete servicerestore older --namespace coop", "a consent is needed"];
    assert!(words.iter().all(|words| problem.message.contains(words)), "{}", problem.message);
    assert!(!next(&world.seen()).problem.unwrap().message.contains("delete"), "one that is at work ends by itself");
}

#[test_case("manifest")]
#[test_case("restore")]
#[test_case("load")]
#[test_case("compare")]
fn whichever_job_fails_it_has_no_data_and_another_restore_goes_on(step: &str) {
    let mut world = anew();
    world.ends.insert(format!("calendar-{step}"), JobState::Failed("node lost".to_owned()));
    assert_eq!(world.run(|_| {}), At::Failed);
    is_empty(&world);
    assert!(world.reason().1.contains("node lost"), "the first cause: {:?}", world.reason());
    let is_made = world.new.as_ref().unwrap().secrets.as_ref().unwrap().contains_key("calendar-db");
    assert_eq!(world.reason().1.contains("rebind coop/calendar --without calendar-admin"), !is_made, "{step}");
    let mut again = World { record: world.record, is_recorded: true, claims: world.claims, ..anew() };
    again.new.as_mut().unwrap().secrets = world.new.unwrap().secrets;
    assert_eq!(again.run(|_| {}), At::Succeeded, "{:?}", again.restore.status);
    assert_eq!((again.recorded(), again.there()), (NEW.to_vec(), NEW.to_vec()));
}

#[test]
fn what_differs_or_does_not_start_is_taken_away_again() {
    let mut differs = anew();
    differs.differences = vec!["page 1".to_owned()];
    assert_eq!(differs.run(|_| {}), At::Failed);
    is_empty(&differs);
    let mut starts = anew();
    starts.run(|world| world.service.is_running = world.phase() != At::Starting);
    is_empty(&starts);
}

#[test]
fn one_that_is_deleted_in_the_middle_leaves_it_without_data() {
    for phase in [At::Files, At::Switching, At::Loading, At::Verifying, At::Starting] {
        let mut world = anew();
        world.run_to(phase);
        world.pass();
        if world.phase() > At::Starting {
            continue;
        }
        world.restore.metadata.deletion_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.now));
        assert_eq!(world.run(|_| {}), At::Failed);
        is_empty(&world);
    }
}

#[test]
fn a_backup_of_no_known_version_or_of_another_template_is_refused() {
    let mut unknown = anew();
    Arc::make_mut(&mut unknown.runs[0]).status.as_mut().unwrap().versions = None;
    assert_eq!(unknown.run(|_| {}), At::Failed);
    is_empty(&unknown);
    let mut another = anew();
    another.manifest.versions.template = "radicale".to_owned();
    says(&mut another);
    assert_eq!(another.run(|_| {}), At::Failed);
    assert!(
        another.reason().1.contains("is of template mediawiki, and the backup is of template radicale"),
        "{:?}",
        another.reason()
    );
}

#[test]
fn a_backup_of_yet_another_service_is_refused() {
    let mut world = anew();
    world.manifest.instance.name = "calendar".to_owned();
    assert_eq!(world.run(|_| {}), At::Failed);
    assert_eq!(world.reason().0, "VersionsDiffer");
    is_empty(&world);
}

#[test]
fn without_the_secrets_that_the_data_was_made_with_nothing_begins() {
    let mut gone = anew();
    gone.new.as_mut().unwrap().source = None;
    assert_eq!(gone.run(|_| {}), At::Failed);
    assert_eq!(gone.reason().0, "SecretMissing");
    // One that is gone and made anew has the record of this very restore.
    let mut anew_itself = anew();
    anew_itself.new.as_mut().unwrap().source = Some(Arc::new(anew_itself.record.clone()));
    assert_eq!(anew_itself.run(|_| {}), At::Failed);
    assert_eq!(anew_itself.reason().0, "SecretMissing");
    let mut lacks = anew();
    lacks.new.as_mut().unwrap().sources.as_mut().unwrap().remove("former-db");
    assert_eq!(lacks.run(|_| {}), At::Failed);
    is_empty(&lacks);
    assert!(lacks.reason().1.contains("former-db"), "{:?}", lacks.reason());
    let mut other = anew();
    let (name, _) = sealed("calendar-admin");
    let held = Sealed { name: name.clone(), digest: "another's".to_owned(), ..Sealed::default() };
    other.new.as_mut().unwrap().secrets.as_mut().unwrap().insert(name, Arc::new(held));
    assert_eq!(other.run(|_| {}), At::Failed);
    is_empty(&other);
    assert_eq!(other.reason().0, "ServiceHasData");
}

#[test]
fn a_package_whose_data_names_its_service_is_restored_under_its_own_name_alone() {
    let mut world = anew();
    let mut spec = world.package.spec().clone();
    spec.operations.as_mut().unwrap().relocatable = false;
    world.package = Arc::new(crate::template::Package::compile("mediawiki", &spec).unwrap());
    world.manifest.versions.revision = world.package.revision_name();
    says(&mut world);
    let mut own = world.clone();
    assert_eq!(world.run(|_| {}), At::Failed);
    let (reason, message) = world.reason();
    assert!(reason == "RestoreNotSupported" && message.contains("operations.relocatable"), "{message}");
    assert!(world.there().is_empty());
    // As in another namespace.
    own.restore.spec.from.service = "calendar".to_owned();
    own.manifest.instance.name = "calendar".to_owned();
    own.runs.iter_mut().for_each(|run| Arc::make_mut(run).spec.service = "calendar".to_owned());
    let new = own.new.as_mut().unwrap();
    new.sources = Some(SECRETS.map(sealed).into());
    for secret in &mut Arc::make_mut(new.source.as_mut().unwrap()).spec.secrets {
        secret.secret = format!("calendar-{}", secret.name);
    }
    assert_eq!(own.run(|_| {}), At::Succeeded, "{:?}", own.restore.status);
}

/// The run of the backup says this of its one part.
fn is_said_to_hold(world: &mut World, kind: &str, bytes: u64) {
    let name = if kind == "Files" { "data" } else { "dump" };
    let part = json!({"name": name, "kind": kind, "snapshot": "1".repeat(64), "bytes": bytes, "files": 1});
    let status = Arc::make_mut(&mut world.runs[0]).status.as_mut().unwrap();
    status.contents = serde_json::from_value(json!([part])).unwrap();
}

#[test]
fn what_is_larger_than_the_new_services_tier_does_not_begin() {
    let (held, gives) = ("9Gi in files of volume data", "takes 1Gi of that");
    let mut world = anew();
    is_said_to_hold(&mut world, "Files", (9 << 30) - 1);
    for _ in 0..6 {
        world.pass();
    }
    let (reason, message) = world.reason();
    assert_eq!((world.phase(), reason.as_str()), (At::Waiting, "NoRoom"));
    assert_eq!(world.pass().again, Some(ASKED), "nothing is listed until the service, its Entity or tariff changes");
    for words in ["spec.tier of calendar", "the backup of former", held, "with 1Gi by its tier and blocks", gives] {
        assert!(message.contains(words), "{words}: {message}");
    }
    assert!(world.there().is_empty() && world.jobs.is_empty(), "{:?}", world.done);
    is_said_to_hold(&mut world, "Files", 1 << 30);
    assert_eq!(world.run(|_| {}), At::Succeeded, "{:?}", world.restore.status);
    // How large a database becomes its dump does not say.
    let mut dumped = anew();
    is_said_to_hold(&mut dumped, "Dump", 40 << 30);
    assert_eq!(dumped.run(|_| {}), At::Succeeded, "{:?}", dumped.restore.status);
}

#[test]
fn what_the_backup_itself_says_of_its_size_counts_before_a_claim_is_made() {
    let mut world = anew();
    world.manifest.parts[0].bytes = 9 << 30;
    assert_eq!(world.run(|_| {}), At::Failed);
    is_empty(&world);
    assert_eq!(world.phases, [At::Waiting, At::Preparing, At::Failed]);
    assert_eq!(world.reason().0, "NoRoom");
    let mut in_place = World::new();
    in_place.manifest.parts[0].bytes = 9 << 30;
    assert_eq!(in_place.run(|_| {}), At::Succeeded, "its former volume had it");
}

#[test]
fn its_volumes_are_no_larger_than_its_tier_lets_them_be() {
    let sizes = |database: u64| {
        let mut world = anew();
        world.manifest.volumes = [("data".to_owned(), 50 << 30), ("db".to_owned(), database)].into();
        world.run_to(At::Switching);
        let seen = world.seen();
        NEW.map(|claim| crate::compare::requested(seen.claim(claim).unwrap()).unwrap().to_string())
    };
    assert_eq!(sizes(4 << 30), ["1025Mi", "4Gi"], "as it had grown");
    assert_eq!(sizes(50 << 30), ["1025Mi", "8193Mi"], "as far as it may grow");
}
