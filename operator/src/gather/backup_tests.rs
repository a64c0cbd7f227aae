//! What is seen around a run.

use serde_json::{Value, json};

use super::*;
use crate::cache::{Identity, Sealed, Store};
use crate::gather::fixtures::put;
use crate::resolve::fixtures;

const RECIPIENT: &str = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
const FOLDER: &str = "coop-e1";

fn seal(caches: &Caches, name: &str, labels: &[(&str, &str)]) {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let secret = Sealed { name: name.into(), uid: name.into(), digest: name.into(), labels, ..Sealed::default() };
    let identity = Identity { namespace: "system".into(), name: name.into(), uid: name.into(), version: 1 };
    caches.platform_secrets.put(&identity, secret);
}

/// `coop/calendar` as it is, on a Platform that backs up to `offsite` and `other`.
fn caches() -> Caches {
    let (caches, facts) = (Caches::new(), fixtures::facts());
    let mut platform = json!(facts.platform.as_deref());
    let target = |name: &str| json!({"name": name, "rest": {"url": "https://b.example.org", "secretName": name}});
    platform["spec"]["backup"] = json!({"targets": [target("offsite"), target("other")], "recipients": [RECIPIENT]});
    put(&caches.platforms, platform);
    put(&caches.tariffs, json!(facts.tariff.as_deref()));
    put(&caches.entities, json!(facts.entity.as_deref()));
    let namespace = json!({"metadata": {"name": "coop", "labels": {marks::ENTITY: "coop"}}});
    put(&caches.namespaces, namespace);
    let binding = json!({"metadata": {"name": crate::entity::OPERATOR_BINDING, "namespace": "coop"}});
    let binding = Live::of("RoleBinding", serde_json::from_value(binding).unwrap());
    let identity = Identity::of(&binding.metadata);
    caches.objects["RoleBinding"].put(&identity, binding);
    let (template, (revision, _)) = (fixtures::template(), fixtures::package());
    put(
        &caches.templates,
        json!({
            "metadata": {"name": "radicale"}, "spec": template.spec, "status": {"revision": revision},
        }),
    );
    put(
        &caches.revisions,
        json!({
            "metadata": {"name": revision, "uid": "r1"}, "spec": {"template": "radicale", "content": template.spec},
        }),
    );
    put(
        &caches.services,
        json!({
            "metadata": {"name": "calendar", "namespace": "coop", "uid": "u1", "generation": 1},
            "spec": {"template": "radicale", "tier": "1gb"},
        }),
    );
    put(
        &caches.records,
        json!({
            "metadata": {"name": "calendar", "namespace": "coop", "uid": "d1"},
            "spec": {"owner": {"kind": "DedicatedService", "name": "calendar", "uid": "u1"}, "template": "radicale"},
        }),
    );
    caches.secrets.none_in("coop");
    caches
}

fn run(caches: &Caches, name: &str, made: u32, status: Value) {
    put(
        &caches.backups,
        json!({
            "metadata": {"name": name, "namespace": "coop", "uid": name, "creationTimestamp": format!("2026-11-30T10:00:{made:02}Z")},
            "spec": {"service": "calendar", "requestedBy": "anna"}, "status": status,
        }),
    );
}

fn observed(caches: &Caches, name: &str) -> ObservedRun {
    let key = Key::new(crate::cache::Kind::ServiceBackup, "coop", name);
    observe_run(caches, &Packages::default(), &Own::default(), Timestamp::UNIX_EPOCH, &key).unwrap()
}

fn subject_of(caches: &Caches) -> Subject {
    observed(caches, "b").subject.unwrap()
}

#[test]
fn a_run_sees_its_service_as_its_controller_does() {
    let caches = caches();
    run(&caches, "b", 0, json!({}));
    let seen = observed(&caches, "b");
    assert_eq!(seen.service, Standing::There);
    let subject = seen.subject.unwrap();
    assert_eq!((subject.target.name.as_str(), subject.folder.as_str()), ("offsite", FOLDER));
    assert_eq!(subject.plan.instance.name, "calendar");
    assert!(subject.objects.iter().any(|object| object.kind == "Deployment"));
    assert!(subject.operations.operations().is_some());
    assert!(!subject.is_running, "nothing of it is there yet");
}

#[test]
fn a_service_that_is_not_there_is_told_from_one_that_cannot_be_backed_up() {
    let caches = caches();
    put(
        &caches.backups,
        json!({
            "metadata": {"name": "b", "namespace": "coop", "uid": "b"},
            "spec": {"service": "wiki", "requestedBy": "anna"},
        }),
    );
    let seen = observed(&caches, "b");
    let problem = seen.subject.unwrap_err();
    assert_eq!((seen.service, problem.reason.as_str()), (Standing::Gone, "NotFound"));
    assert!(problem.message.contains("no service wiki in namespace coop"), "{}", problem.message);
    run(&caches, "b", 0, json!({}));
    let without = Caches { tariffs: Store::default(), ..caches };
    let seen = observed(&without, "b");
    assert_eq!((seen.service, seen.subject.unwrap_err().reason.as_str()), (Standing::There, "TariffNotFound"));
}

#[test]
fn a_target_that_the_platform_does_not_have_is_named_with_those_that_it_has() {
    let caches = caches();
    put(
        &caches.backups,
        json!({
            "metadata": {"name": "b", "namespace": "coop", "uid": "b"},
            "spec": {"service": "calendar", "target": "moon", "requestedBy": "anna"},
        }),
    );
    let problem = observed(&caches, "b").subject.unwrap_err();
    assert_eq!(problem.reason, "TargetNotFound");
    assert!(problem.message.contains("moon") && problem.message.contains("offsite, other"), "{}", problem.message);
    put(&caches.platforms, json!(fixtures::facts().platform.as_deref()));
    run(&caches, "b", 0, json!({}));
    assert!(observed(&caches, "b").subject.unwrap_err().message.contains("spec.backup"));
}

#[test]
fn a_key_is_made_once_the_targets_secret_is_there_and_copied_with_it() {
    let caches = caches();
    run(&caches, "b", 0, json!({}));
    assert_eq!(subject_of(&caches).key, KeyState::SecretMissing("offsite".into()));
    seal(&caches, "offsite", &[]);
    assert_eq!(subject_of(&caches).key, KeyState::Missing);
    seal(&caches, &key_name(FOLDER), &[]);
    let KeyState::NotCopied(copies) = subject_of(&caches).key else { panic!("{:?}", subject_of(&caches).key) };
    let shown: Vec<String> = copies.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["copy Secret/backup-key-coop-e1", "copy Secret/offsite"]);
}

#[test]
fn a_key_counts_as_escrowed_only_by_a_job_that_succeeded_for_these_recipients() {
    let caches = caches();
    run(&caches, "b", 0, json!({}));
    seal(&caches, "offsite", &[]);
    seal(&caches, &key_name(FOLDER), &[]);
    let job = |condition: &str, recipients: &[String]| {
        let annotations = json!({RECIPIENTS: crate::backup::escrow::recipients_digest(recipients)});
        let conditions = json!([{"type": condition, "status": "True", "lastTransitionTime": "1970-01-01T00:00:00Z"}]);
        let job = json!({
            "metadata": {"name": "escrow-1", "uid": "j", "annotations": annotations}, "status": {"conditions": conditions},
        });
        Live::of("Job", serde_json::from_value(job).unwrap())
    };
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "escrow-1", "uid": "j"}]},
        "status": {"phase": "Succeeded"},
    }))
    .unwrap();
    let state = |job: Option<&Live>| {
        let seen = with_escrow(observed(&caches, "b"), job, std::slice::from_ref(&pod));
        match seen.subject.unwrap().key {
            KeyState::NotEscrowed(seen) => Some(seen.map(|job| job.state)),
            _ => None,
        }
    };
    let recipients = [RECIPIENT.to_owned()];
    assert_eq!(state(None), Some(None));
    assert_eq!(state(Some(&job("Complete", &recipients))), None);
    assert_eq!(state(Some(&job("Complete", &[]))), Some(Some(JobState::Succeeded)), "for others");
    assert_eq!(state(Some(&job("Failed", &recipients))), Some(Some(JobState::Failed(String::new()))));
}

#[test]
fn an_entity_goes_on_with_an_earlier_folder_only_where_its_key_says_so_by_uid() {
    let caches = caches();
    let entity = fixtures::facts().entity.unwrap();
    seal(&caches, "backup-key-coop-0000", &[(marks::ENTITY, "coop"), (ENTITY_UID, "another")]);
    assert_eq!(folder(&caches, &entity), FOLDER, "of another Entity of the same name");
    seal(&caches, "backup-key-coop-1111", &[(marks::ENTITY, "coop"), (ENTITY_UID, "e1")]);
    assert_eq!(folder(&caches, &entity), "coop-1111");
}

#[test]
fn the_oldest_run_goes_first_after_one_that_is_at_work_and_a_restore_before_all() {
    let caches = caches();
    let first = |name: &str| observed(&caches, name).goes_first;
    run(&caches, "old", 1, json!({}));
    run(&caches, "new", 2, json!({"phase": "Waiting"}));
    run(&caches, "ended", 0, json!({"phase": "Failed"}));
    assert_eq!((first("old"), first("new")), (None, Some("ServiceBackup/old".into())));
    run(&caches, "new", 2, json!({"phase": "FirstPass"}));
    assert_eq!((first("old"), first("new")), (Some("ServiceBackup/new".into()), None), "it is at work");
    let restore = |phase: &str, into: Value| {
        put(
            &caches.restores,
            json!({
                "metadata": {"name": "r", "namespace": "coop", "uid": "r"},
                "spec": {"from": {"service": "calendar"}, "into": into, "requestedBy": "anna"}, "status": {"phase": phase},
            }),
        );
    };
    restore("Waiting", json!({"kind": "NewService", "service": "other"}));
    assert_eq!(first("new"), None, "it writes to another service");
    restore("Waiting", json!({}));
    assert_eq!(first("new"), Some("ServiceRestore/r".into()));
    let before_restore = |phase: &str| {
        restore(phase, json!({}));
        put(
            &caches.backups,
            json!({
                "metadata": {"name": "before", "namespace": "coop", "uid": "before"},
                "spec": {"service": "calendar", "reason": "BeforeRestore", "requestedBy": "anna"},
            }),
        );
        first("before")
    };
    assert_eq!(before_restore("Waiting"), Some("ServiceBackup/new".into()), "the restore waits for it");
    assert_eq!(before_restore("Files"), Some("ServiceRestore/r".into()));
    restore("Succeeded", json!({}));
    assert_eq!(first("new"), None);
}

#[test]
fn as_many_runs_are_at_work_as_the_platform_lets_and_nobody_learns_whose_they_are() {
    let caches = caches();
    run(&caches, "b", 5, json!({}));
    let of_others = |name: &str, status: Value| {
        let made = "2026-11-30T10:00:00Z";
        let metadata = json!({"name": name, "namespace": "school", "uid": name, "creationTimestamp": made});
        let spec = json!({"service": name, "requestedBy": "bea"});
        put(&caches.backups, json!({"metadata": metadata, "spec": spec, "status": status}));
    };
    of_others("forum", json!({"phase": "FirstPass"}));
    of_others("wiki", json!({"phase": "Succeeded"}));
    assert_eq!(observed(&caches, "b").goes_first, None, "one of two");
    of_others("wiki", json!({"phase": "Recording"}));
    let waits = observed(&caches, "b").goes_first.unwrap();
    assert!(waits.contains("2 run at once") && waits.contains("atOnce"), "{waits}");
    assert!(!["school", "forum", "wiki"].iter().any(|name| waits.contains(name)), "{waits}");
    run(&caches, "b", 5, json!({"phase": "FirstPass"}));
    assert_eq!(observed(&caches, "b").goes_first, None, "it has begun");
    let ready = json!([{
        "type": "Ready", "status": "False", "reason": "BackupRuns", "message": "",
        "lastTransitionTime": "2026-11-30T10:00:00Z",
    }]);
    let packs = json!({"phase": "Packing", "conditions": ready});
    run(&caches, "b", 5, packs.clone());
    assert_eq!(observed(&caches, "b").goes_first, None, "no package waits for a backup");
    of_others("forum", packs.clone());
    assert_eq!(observed(&caches, "b").goes_first, None, "one of two");
    of_others("wiki", packs);
    let waits = observed(&caches, "b").goes_first.unwrap();
    assert!(waits.contains("exit package, of which 2") && !waits.contains("school"), "{waits}");
}

#[test]
fn a_restore_that_waits_for_long_keeps_no_backup_from_beginning() {
    let caches = caches();
    run(&caches, "b", 0, json!({}));
    let restore = |phase: &str| {
        put(
            &caches.restores,
            json!({
                "metadata": {
                    "name": "r", "namespace": "coop", "uid": "r", "creationTimestamp": "2026-11-30T10:00:00Z",
                },
                "spec": {"from": {"service": "calendar"}, "requestedBy": "anna"}, "status": {"phase": phase},
            }),
        );
        let restore = caches.restores.get("coop", "r").unwrap();
        ["2026-11-30T10:59:59Z", "2026-11-30T11:00:00Z"].map(|now| {
            let now: Timestamp = now.parse().unwrap();
            let key = Key::new(crate::cache::Kind::ServiceBackup, "coop", "b");
            let seen = observe_run(&caches, &Packages::default(), &Own::default(), now, &key).unwrap();
            assert_eq!(is_waited_for(&restore, now), seen.goes_first.is_some());
            seen.goes_first.is_some()
        })
    };
    assert_eq!((restore("Waiting"), restore("Preparing"), restore("Failed")), ([true, false], [true; 2], [false; 2]));
}

#[test]
fn former_runs_tell_which_repository_it_was_and_what_the_last_success_holds() {
    let caches = caches();
    run(&caches, "b", 9, json!({}));
    assert_eq!(observed(&caches, "b").former, None);
    let part =
        |snapshot: &str| json!([{"name": "data", "kind": "Files", "snapshot": snapshot, "bytes": 1, "files": 1}]);
    let left = |phase: &str, target: &str, id: &str, snapshot: &str| {
        let repository = json!({"target": target, "path": format!("{FOLDER}.calendar"), "id": id});
        json!({"phase": phase, "repository": repository, "contents": part(snapshot)})
    };
    run(&caches, "first", 1, left("Succeeded", "offsite", "r1", "s1"));
    run(&caches, "second", 2, left("Succeeded", "offsite", "r1", "s2"));
    run(&caches, "failed", 3, left("Failed", "offsite", "r1", "s3"));
    run(&caches, "elsewhere", 4, left("Succeeded", "other", "r2", "s4"));
    let former = observed(&caches, "b").former.unwrap();
    assert_eq!((former.repository.as_str(), former.contents[0].snapshot.as_str()), ("r1", "s2"));
    run(&caches, "replaced", 5, left("Failed", "offsite", "r3", "s5"));
    let former = observed(&caches, "b").former.unwrap();
    assert_eq!((former.repository.as_str(), former.contents.len()), ("r3", 0), "what is in another repository is not");
}

#[test]
fn copies_are_needed_while_a_run_or_restore_is_at_work_and_awaited_before() {
    let caches = caches();
    let entity = fixtures::facts().entity.unwrap();
    let of = |names: BTreeSet<String>| names.into_iter().collect::<Vec<_>>().join(" ");
    let needed = || {
        let needed = needed_copies(&caches, &entity);
        (of(needed.in_use), of(needed.awaited))
    };
    let (none, offsite) = (String::new(), "backup-key-coop-e1 offsite".to_owned());
    run(&caches, "b", 0, json!({"phase": "Waiting"}));
    assert_eq!(needed(), (none.clone(), offsite.clone()));
    run(&caches, "b", 0, json!({"phase": "Unquiescing"}));
    assert_eq!(needed(), (offsite, none.clone()));
    run(&caches, "b", 0, json!({"phase": "Succeeded"}));
    assert_eq!(needed(), (none.clone(), none.clone()));
    put(
        &caches.restores,
        json!({
            "metadata": {"name": "r", "namespace": "coop", "uid": "r"},
            "spec": {"from": {"service": "calendar"}, "requestedBy": "anna"}, "status": {"phase": "Files"},
        }),
    );
    assert_eq!(needed(), ("backup-key-coop-e1 offsite other".to_owned(), none), "at whichever target it is");
}

#[test]
fn a_run_stays_at_the_target_where_it_began_whatever_is_chosen_meanwhile() {
    let caches = caches();
    let repository = json!({"target": "other", "path": format!("{FOLDER}.calendar"), "id": ""});
    run(&caches, "b", 1, json!({"phase": "Preparing", "repository": repository}));
    assert_eq!(subject_of(&caches).target.name, "other", "offsite is the first");
    let entity = fixtures::facts().entity.unwrap();
    let copies = needed_copies(&caches, &entity).in_use;
    assert!(copies.contains("other") && !copies.contains("offsite"), "{copies:?}");
    run(&caches, "b", 1, json!({"phase": "Failed", "repository": repository}));
    run(&caches, "later", 2, json!({"phase": "Preparing", "repository": repository}));
    assert_eq!(observed(&caches, "later").former, None, "it never saw the repository");
}

#[test]
fn a_service_is_opened_though_its_target_or_its_key_is_gone() {
    let caches = caches();
    let seen = |phase: &str, target: &str| {
        let repository = json!({"target": target, "path": format!("{FOLDER}.calendar"), "id": ""});
        run(&caches, "b", 1, json!({"phase": phase, "repository": repository}));
        observed(&caches, "b").subject.map_err(|problem| problem.reason)
    };
    let opens = seen("Unquiescing", "moon").unwrap();
    assert_eq!((opens.target.name.as_str(), opens.target.secret()), ("moon", None));
    for phase in ["Quiescing", "SecondPass"] {
        assert_eq!(seen(phase, "moon").unwrap_err(), "TargetNotFound", "it is opened at once");
    }
    for name in ["offsite", &key_name(FOLDER)] {
        seal(&caches, name, &[]);
    }
    let (name, uid) = (key_name(FOLDER), "taken".to_owned());
    let labels = [(marks::MANAGED_BY, marks::OPERATOR), (marks::INSTANCE, "wiki")];
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let identity = Identity { namespace: "coop".into(), name: name.clone(), uid: uid.clone(), version: 1 };
    caches.secrets.put(&identity, Sealed { name, uid, labels, ..Sealed::default() });
    assert!(seen("SecondPass", "offsite").is_err(), "the key's name is taken");
    assert_eq!(seen("Unquiescing", "offsite").unwrap().key, KeyState::There);
    put(&caches.platforms, json!(fixtures::facts().platform.as_deref()));
    assert_eq!(seen("SecondPass", "offsite").unwrap_err(), "TargetNotFound");
    assert_eq!(seen("Unquiescing", "offsite").unwrap().target.name, "offsite");
}

#[test]
fn components_are_told_that_have_a_pod_on_a_node_ready_or_not() {
    let caches = caches();
    run(&caches, "b", 0, json!({}));
    let pod = |name: &str, status: Value| {
        let labels = json!({
            marks::INSTANCE: "calendar", marks::INSTANCE_KIND: "DedicatedService", "app.kubernetes.io/component": name,
        });
        let metadata = json!({"name": name, "namespace": "coop", "uid": name, "labels": labels});
        put(&caches.pods, json!({"metadata": metadata, "status": status}));
    };
    pod("app", json!({"phase": "Pending", "hostIP": "192.0.2.1"}));
    pod("db", json!({"phase": "Pending"}));
    pod("job", json!({"phase": "Succeeded", "hostIP": "192.0.2.1"}));
    assert_eq!(subject_of(&caches).on_nodes, ["app".to_owned()].into());
}
