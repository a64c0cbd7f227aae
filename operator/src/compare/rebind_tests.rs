//! A record is bound to what was restored, and to nothing else.

use std::sync::Arc;

use serde_json::json;

use super::fixtures::{complete, live, plan, sealed, shown, used};
use super::*;
use crate::api::ServiceData;
use crate::resolve::fixtures::instance;

#[test]
fn what_was_restored_takes_the_place_of_what_was_lost() {
    let plan = plan(&instance("tier: 1gb"));
    let record = used(&plan, |spec| spec.restoring = Some("disk lost".to_owned()));
    let volumes = vec![Arc::new(live("calendar", "1025Mi", "calendar-data", "p2"))];
    let known = KnownData { volumes, ..complete(record.clone()) };
    let Rebound { spec, lines } = rebound(&known, &[]).unwrap();
    let volume =
        json!({"name": "data", "claim": "calendar-data", "uid": "p2", "volumeName": "pv-1", "formerUid": "p1"});
    assert_eq!(spec["volumes"], json!([volume]));
    assert_eq!(spec["secrets"][0]["uid"], "s1", "what is the recorded one stays");
    assert!(spec["restoring"].is_null() && spec.as_object().unwrap().contains_key("restoring"));
    assert_eq!(lines, ["PersistentVolumeClaim calendar-data: uid p2, formerly p1"]);
}

#[test]
fn a_record_is_not_bound_to_what_is_not_there_unless_that_is_named() {
    let plan = plan(&instance("tier: 1gb"));
    let known = KnownData { volumes: Vec::new(), ..complete(used(&plan, |_| ())) };
    let missing = rebound(&known, &[]).unwrap_err().to_string();
    assert!(missing.starts_with("not there: PersistentVolumeClaim calendar-data"), "{missing}");
    let spec = rebound(&known, &["calendar-data".to_owned()]).unwrap().spec;
    assert_eq!(spec["volumes"], json!([]));
    let mut record = ServiceData::clone(known.record.as_deref().unwrap());
    record.spec.volumes = Vec::new();
    let known = KnownData { record: Some(Arc::new(record)), ..known };
    let made = ["patch ServiceData/calendar: record what is there", "create PersistentVolumeClaim/calendar-data"];
    assert_eq!(shown(&plan, &known), made);
}

#[test]
fn a_restored_secret_needs_the_keys_that_the_lost_one_had() {
    let plan = plan(&instance("tier: 1gb"));
    let secrets = [("calendar-admin".to_owned(), sealed("calendar-admin", "s2", &["username"]))].into();
    let known = KnownData { secrets, ..complete(used(&plan, |_| ())) };
    let lacking = rebound(&known, &[]).unwrap_err().to_string();
    assert_eq!(lacking, "Secret calendar-admin lacks the keys password; restore it with them");
}
