//! What holds data: made once, in an order that a crash cannot hurt, never replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::fixtures::{
    admin, claim, claim_as, complete, entity, live, live_with, of_earlier_release, plan, planned, recorded, refused,
    sealed, shown, used,
};
use super::*;
use crate::api::{DataEntity, FurtherSecret, ServiceData};
use crate::plan::{GrowthDecision, Plan, PlannedFurther, PlannedGrowth, PlannedSecret, Stage};
use crate::resolve::fixtures::{facts, instance};
use crate::resolve::{Facts, resolve};

#[test]
fn the_record_comes_first_then_secrets_then_volumes() {
    let plan = plan(&instance("tier: 1gb"));
    assert_eq!(
        shown(&plan, &KnownData::default()),
        ["create ServiceData/calendar", "create Secret/calendar-admin", "create PersistentVolumeClaim/calendar-data"]
    );
}

#[test]
fn kept_data_is_adopted_and_nothing_is_made_again() {
    let plan = plan(&instance("tier: 1gb"));
    let known = complete(used(&plan, |spec| {
        spec.owner.uid = "an earlier one".to_owned();
        spec.keep_until = Some(serde_json::from_value(json!("2026-05-01T00:00:00Z")).unwrap());
    }));
    let changes = compare_data(&plan, &known, false).unwrap();
    assert_eq!(changes.len(), 1);
    let Action::Merge { patch, because } = &changes[0].action else { panic!("{changes:?}") };
    assert_eq!(because, "adopt the data");
    assert!(patch["spec"]["keepUntil"].is_null() && patch["spec"].as_object().unwrap().contains_key("keepUntil"));
    assert_eq!(patch["spec"]["owner"]["uid"], "u1");
    assert_eq!(patch["spec"]["volumes"][0]["uid"], "p1");
}

#[test]
fn a_volume_grows_by_a_patch_with_preconditions_and_never_shrinks() {
    let plan = plan(&instance("tier: 1gb, extraBlocks: 3"));
    let mut known = complete(None);
    let changes = compare_data(&plan, &known, false).unwrap();
    let Some(Action::Merge { patch, .. }) = changes.last().map(|c| &c.action) else { panic!("{changes:?}") };
    assert_eq!(
        *patch,
        json!({"metadata": {"uid": "p1", "resourceVersion": "5"}, "spec": {"resources": {"requests": {"storage": "16385Mi"}}}})
    );
    known.volumes = vec![claim("calendar", "50Gi")];
    assert_eq!(shown(&plan, &known), ["create ServiceData/calendar"]);
}

#[test]
fn a_volume_that_fills_up_grows_by_the_same_patch_and_never_shrinks() {
    let mut plan = plan(&instance("tier: 1gb"));
    plan.volumes[0].growth = Some(PlannedGrowth { usable: "7Gi".parse().unwrap(), maximum: "8Gi".parse().unwrap() });
    plan.volumes[0].filling = GrowthDecision::Grow("1538Mi".parse().unwrap());
    let mut known = complete(None);
    assert_eq!(shown(&plan, &known), ["create ServiceData/calendar"], "it holds up nothing");
    let changes = compare_growth(&plan, &known);
    let [Change { action: Action::Merge { patch, because }, .. }] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(because, "grow from 1025Mi to 1538Mi");
    assert_eq!(
        *patch,
        json!({"metadata": {"uid": "p1", "resourceVersion": "5"}, "spec": {"resources": {"requests": {"storage": "1538Mi"}}}})
    );
    known.volumes = vec![claim("calendar", "1538Mi")];
    assert_eq!(compare_growth(&plan, &known), []);
    plan.volumes[0].filling = GrowthDecision::Fixed;
    known.volumes = vec![claim("calendar", "1025Mi")];
    assert_eq!(compare_growth(&plan, &known), []);
}

#[test]
fn a_growth_that_the_storage_cannot_give_is_taken_back_by_asking_for_less() {
    let asking = |extra_blocks: u32| plan(&instance(&format!("tier: 1gb, extraBlocks: {extra_blocks}")));
    let seen = |requested: &str, state: &str| {
        let status = json!({"capacity": {"storage": "1025Mi"}, "allocatedResourceStatuses": {"storage": state}});
        let volumes = vec![claim_as("calendar", requested, &status)];
        KnownData { volumes, secrets: admin(), ..KnownData::default() }
    };
    let change = |plan: &Plan, known: &KnownData| shown(plan, known).split_off(1);
    let failed = seen("16385Mi", "ControllerResizeInfeasible");
    let back = "patch PersistentVolumeClaim/calendar-data: take the growth to 16385Mi back to";
    assert_eq!(change(&asking(0), &failed), [format!("{back} 1026Mi")]);
    assert_eq!(change(&asking(1), &failed), [format!("{back} 6145Mi")]);
    assert_eq!(change(&asking(3), &failed), [""; 0], "it is still wanted");
    assert_eq!(change(&asking(0), &seen("16385Mi", "NodeResizeInfeasible")), [format!("{back} 1026Mi")]);
    assert_eq!(change(&asking(0), &seen("16385Mi", "ControllerResizeInProgress")), [""; 0], "it may yet come");
    assert_eq!(change(&asking(0), &seen("1026Mi", "ControllerResizeInfeasible")), [""; 0], "it was taken back");
    let changes = compare_data(&asking(0), &failed, false).unwrap();
    let Some(Action::Merge { patch, .. }) = changes.last().map(|c| &c.action) else { panic!("{changes:?}") };
    assert_eq!(patch["metadata"], json!({"uid": "p1", "resourceVersion": "5"}));
}

#[test]
fn a_lost_secret_is_not_replaced_while_data_made_with_it_exists() {
    let plan = plan(&instance("tier: 1gb"));
    let without = |record: Option<_>| KnownData { secrets: BTreeMap::new(), ..complete(record) };
    for record in [None, Some(Arc::new(planned(&plan))), Some(of_earlier_release(&plan)), Some(used(&plan, |_| ()))] {
        let message = refused(&plan, &without(record));
        assert!(message.starts_with("Secret calendar-admin is gone"), "{message}");
    }
}

/// As a restore leaves it: the record names another claim than the volume's own.
#[test]
fn what_the_record_names_is_the_volume_whatever_it_is_called() {
    let record = used(&plan(&instance("tier: 1gb")), |spec| {
        spec.volumes[0].claim = "calendar-data-r1".to_owned();
        spec.volumes[0].uid = Some("n1".to_owned());
    });
    let of = |spec: &str| {
        let facts = Facts { record: Some(Arc::clone(&record)), ..facts() };
        resolve(&instance(spec), &facts).unwrap().plan
    };
    let restored = Arc::new(live("calendar", "1025Mi", "calendar-data-r1", "n1"));
    let former = claim("calendar", "1025Mi");
    let known = KnownData { volumes: vec![Arc::clone(&former), restored], ..complete(Arc::clone(&record)) };
    assert_eq!(of("tier: 1gb").volumes[0].claim, "calendar-data-r1");
    assert_eq!(shown(&of("tier: 1gb"), &known), Vec::<String>::new(), "it is applied");
    let grown = shown(&of("tier: 1gb, extraBlocks: 3"), &known);
    assert_eq!(grown, ["patch PersistentVolumeClaim/calendar-data-r1: grow from 1025Mi to 16385Mi"]);
    let mut unbound = ServiceData::clone(&record);
    unbound.spec.volumes[0].volume_name = None;
    let unbound = KnownData { record: Some(Arc::new(unbound)), ..known };
    assert_eq!(recorded(&of("tier: 1gb"), &unbound, false)["volumes"][0]["volumeName"], "pv-1", "once it is bound");
    let lost = KnownData { volumes: vec![former], ..complete(record.clone()) };
    let lost = refused(&of("tier: 1gb"), &lost);
    assert!(lost.starts_with("PersistentVolumeClaim calendar-data-r1 is gone"), "{lost}");
}

#[test]
fn a_volume_of_somebody_else_is_left_alone() {
    let plan = plan(&instance("tier: 1gb"));
    for holder in ["", "other"] {
        let known = KnownData { volumes: vec![claim(holder, "1Gi")], ..complete(None) };
        assert!(matches!(compare_data(&plan, &known, false), Err(DataConflict::Foreign { .. })));
    }
}

#[test]
fn a_lost_volume_is_not_replaced_by_an_empty_one() {
    let plan = plan(&instance("tier: 1gb"));
    let known = KnownData { volumes: Vec::new(), ..complete(used(&plan, |_| ())) };
    let message = refused(&plan, &known);
    assert!(message.starts_with("PersistentVolumeClaim calendar-data is gone; nothing empty"), "{message}");
    assert!(message.ends_with("`commonscloud data rebind coop/calendar`"), "{message}");
}

#[test]
fn a_volume_or_secret_made_by_hand_in_the_place_of_a_lost_one_is_not_taken_for_it() {
    let plan = plan(&instance("tier: 1gb"));
    let record = used(&plan, |_| ());
    let volumes = vec![Arc::new(live("calendar", "1025Mi", "calendar-data", "p2"))];
    let message = refused(&plan, &KnownData { volumes, ..complete(record.clone()) });
    assert!(message.contains("is not the one that was recorded (uid p2, recorded p1)"), "{message}");
    let secrets = [("calendar-admin".to_owned(), sealed("calendar-admin", "s2", &["password"]))].into();
    let message = refused(&plan, &KnownData { secrets, ..complete(record) });
    assert!(message.contains("is not the one that was recorded (uid s2, recorded s1)"), "{message}");
}

#[test]
fn a_volume_that_is_being_deleted_is_reported_while_its_data_is_still_there() {
    let plan = plan(&instance("tier: 1gb"));
    let leaving = live_with("calendar", "1025Mi", "calendar-data", "p1", |claim| {
        claim["metadata"]["deletionTimestamp"] = json!("2026-11-29T00:00:00Z");
    });
    let known = KnownData { volumes: vec![Arc::new(leaving)], ..complete(used(&plan, |_| ())) };
    let conflict = compare_data(&plan, &known, false).unwrap_err();
    assert!(matches!(conflict, DataConflict::BeingDeleted { kind: PartKind::Volume, .. }), "{conflict}");
}

#[test]
fn an_operator_killed_between_the_record_and_the_volume_makes_the_volume() {
    let plan = plan(&instance("tier: 1gb"));
    let record = Some(Arc::new(planned(&plan)));
    let nothing = KnownData { record: record.clone(), ..KnownData::default() };
    assert_eq!(shown(&plan, &nothing), ["create Secret/calendar-admin", "create PersistentVolumeClaim/calendar-data"]);
    let secret = KnownData { record, secrets: admin(), ..KnownData::default() };
    assert_eq!(shown(&plan, &secret), ["create PersistentVolumeClaim/calendar-data"]);
}

#[test]
fn uids_keys_and_version_are_recorded_in_one_write_once_the_application_is_ready() {
    let plan = plan(&instance("tier: 1gb"));
    let known = complete(Arc::new(planned(&plan)));
    assert_eq!(shown(&plan, &known), [""; 0], "a first installation under way costs no write");
    let spec = recorded(&plan, &known, true);
    assert_eq!(
        spec["volumes"][0],
        json!({"name": "data", "claim": "calendar-data", "uid": "p1", "volumeName": "pv-1"})
    );
    let admin = json!({"name": "admin", "secret": "calendar-admin", "uid": "s1", "keys": ["password", "username"]});
    assert_eq!(spec["secrets"][0], admin);
    assert_eq!((&spec["version"], &spec["revision"]), (&json!(plan.version), &json!(plan.revision)));
    assert_eq!(spec["images"], json!([]), "those of the version");
    let after = KnownData { record: Some(used(&plan, |_| ())), ..known };
    assert_eq!(compare_data(&plan, &after, true).unwrap(), []);
}

#[test]
fn a_version_that_is_only_asked_for_is_not_recorded() {
    let mut plan = plan(&instance("tier: 1gb"));
    let known = complete(used(&plan, |_| ()));
    plan.version = "4".to_owned();
    assert_eq!(shown(&plan, &known), [""; 0]);
    assert_eq!(recorded(&plan, &known, true)["version"], "4");
}

#[test]
fn an_image_of_another_tag_than_the_versions_is_recorded_once_it_runs() {
    let mut plan = plan(&instance("tier: 1gb"));
    let known = complete(used(&plan, |spec| spec.images = None));
    assert_eq!(shown(&plan, &known), [""; 0]);
    plan.images.insert("radicale".to_owned(), "mirror/radicale:4".to_owned());
    let image = json!([{"name": "radicale", "reference": "mirror/radicale:4"}]);
    assert_eq!(recorded(&plan, &known, true)["images"], image);
}

#[test]
fn a_slow_installation_is_recorded_by_the_records_own_controller() {
    let plan = plan(&instance("tier: 1gb"));
    let mut known = complete(Arc::new(planned(&plan)));
    known.entity = Some(entity("e1"));
    let patch = compare_record(&known).unwrap();
    assert_eq!(patch["spec"]["volumes"][0]["uid"], "p1");
    assert_eq!(patch["spec"]["entity"]["uid"], "e1");
    assert_eq!(patch["spec"]["version"], Value::Null, "no application was ready on it");
}

#[test]
fn a_record_of_an_earlier_release_is_completed_from_what_is_there() {
    let plan = plan(&instance("tier: 1gb"));
    let known = KnownData { entity: Some(entity("e1")), ..complete(of_earlier_release(&plan)) };
    let spec = recorded(&plan, &known, false);
    assert_eq!(spec["volumes"][0]["uid"], "p1");
    assert_eq!(spec["secrets"][0]["keys"], json!(["password", "username"]));
    assert_eq!(spec["entity"]["displayName"], "Coop");
}

#[test]
fn what_an_earlier_release_recorded_and_is_not_there_is_unverified_and_nothing_is_recorded() {
    let plan = plan(&instance("tier: 1gb"));
    let known = KnownData { volumes: Vec::new(), ..complete(of_earlier_release(&plan)) };
    let message = refused(&plan, &known);
    assert!(message.contains("names PersistentVolumeClaim calendar-data, which is not there"), "{message}");
    assert!(message.ends_with("rebind coop/calendar --without calendar-data`"), "{message}");
    assert_eq!(
        compare_record(&known),
        None,
        "a part that is recorded would make the other look as if it never existed"
    );
}

#[test]
fn a_secret_that_a_revision_adds_is_made_for_an_instance_that_exists() {
    for record in [of_earlier_release, |plan: &Plan| used(plan, |_| ())] {
        let mut plan = plan(&instance("tier: 1gb"));
        let known = complete(record(&plan));
        let further = Vec::new();
        plan.secrets.push(PlannedSecret { name: "jwt".into(), secret: "calendar-jwt".into(), further });
        let made = shown(&plan, &known);
        assert_eq!(made, ["patch ServiceData/calendar: record what is there", "create Secret/calendar-jwt"]);
        // Killed between the record and the Secret.
        let named = used(&plan, |spec| spec.secrets[1].uid = None);
        assert_eq!(shown(&plan, &KnownData { record: Some(named), ..known }), ["create Secret/calendar-jwt"]);
    }
}

#[test]
fn a_key_that_a_revision_adds_comes_in_a_further_secret() {
    let mut plan = plan(&instance("tier: 1gb"));
    let known = complete(used(&plan, |_| ()));
    plan.secrets[0].further.push(PlannedFurther { secret: "calendar-admin-2".into(), keys: vec!["username".into()] });
    let changes = compare_data(&plan, &known, false).unwrap();
    let Action::Merge { patch, .. } = &changes[0].action else { panic!("{changes:?}") };
    let further = json!([{"secret": "calendar-admin-2", "keys": ["username"]}]);
    assert_eq!(patch["spec"]["secrets"][0]["further"], further);
    let Action::Generate { keys, .. } = &changes[1].action else { panic!("{changes:?}") };
    assert_eq!(changes[1].name, "calendar-admin-2");
    assert_eq!(keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["username"]);
    assert_eq!(changes.len(), 2, "no Secret that exists is touched");
    let lost = used(&plan, |spec| {
        let keys = vec!["username".to_owned()];
        spec.secrets[0].further =
            vec![FurtherSecret { secret: "calendar-admin-2".into(), uid: Some("s2".into()), keys, former_uid: None }];
    });
    let message = refused(&plan, &KnownData { record: Some(lost), ..known });
    assert!(message.starts_with("Secret calendar-admin-2 is gone"), "{message}");
}

#[test]
fn while_it_is_restored_nothing_is_made_and_nothing_judged_missing() {
    let plan = plan(&instance("tier: 1gb"));
    let record = used(&plan, |spec| spec.restoring = Some("disk lost".to_owned()));
    let known = KnownData { volumes: Vec::new(), secrets: BTreeMap::new(), ..complete(record) };
    assert!(matches!(compare_data(&plan, &known, false), Err(DataConflict::Restoring { .. })));
    assert_eq!(compare_record(&known), None);
}

#[test]
fn while_a_restore_brings_what_was_lost_as_a_whole_no_volume_is_made_nor_missed() {
    let plan = Plan { stage: Stage::Stopped { but: BTreeSet::new() }, ..plan(&instance("tier: 1gb")) };
    let lost = |uid: Option<&str>| {
        let record = used(&plan, |spec| {
            spec.restoring = Some("all is lost".to_owned());
            spec.volumes.iter_mut().for_each(|volume| volume.uid = uid.map(str::to_owned));
        });
        compare_data(&plan, &KnownData { volumes: Vec::new(), ..complete(record) }, false)
    };
    let changes: Vec<String> = lost(None).unwrap().iter().map(ToString::to_string).collect();
    assert!(changes.iter().all(|change| !change.starts_with("create")), "{changes:?}");
    assert!(matches!(lost(Some("r1")), Err(DataConflict::VolumeMissing { .. })), "it is lost once more");
}

#[test]
fn a_living_entity_that_is_edited_is_recorded_as_it_is() {
    let plan = plan(&instance("tier: 1gb"));
    let renamed = DataEntity { display_name: "Cooperative".into(), ..entity("e1") };
    let record = used(&plan, |spec| spec.entity = Some(entity("e1")));
    let known = KnownData { entity: Some(renamed), ..complete(record) };
    assert_eq!(recorded(&plan, &known, false)["entity"]["displayName"], "Cooperative");
}
