use commonscloud_backup::records::{EntityFolder, RecordedMetadata};

use super::*;

fn recorded(kind: &str, namespace: Option<&str>, name: &str, spec: Value) -> RecordedObject {
    RecordedObject {
        api_version: "commonscloud.coop/v1alpha1".to_owned(),
        kind: kind.to_owned(),
        metadata: RecordedMetadata {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            uid: format!("old-{name}"),
            ..RecordedMetadata::default()
        },
        spec,
        status: Value::Null,
    }
}

fn data(namespace: &str, name: &str) -> RecordedObject {
    let spec = json!({
        "owner": {"kind": "DedicatedService", "name": name, "uid": "u"}, "template": "radicale", "version": "3",
        "volumes": [{"name": "data", "claim": "site-data-r2", "uid": "p1", "volumeName": "pv"}],
        "secrets": [{"name": "admin", "secret": "site-admin", "uid": "s1", "keys": ["password"],
            "further": [{"secret": "site-admin-2", "uid": "s2", "keys": ["token"]}]}],
    });
    recorded("ServiceData", Some(namespace), name, spec)
}

fn records() -> Records {
    let entity = |name: &str| recorded("Entity", None, name, json!({"displayName": "Hort", "tariff": "t"}));
    Records {
        platform: recorded("Platform", None, "default", json!({"baseDomain": "example.org"})),
        tariffs: vec![recorded("Tariff", None, "t", json!({"currency": "EUR", "tiers": []}))],
        entities: vec![entity("hort"), entity("ateneu")],
        records: vec![data("hort", "site"), data("antiga", "wiki")],
        folders: vec![EntityFolder { entity: "hort".into(), uid: "old-hort".into(), folder: "hort-0000".into() }],
        ..Records::default()
    }
}

fn seen(kind: &str, name: &str, recovered: Option<&str>, spec: Value) -> (Place, Seen) {
    let recovered = recovered.map(str::to_owned);
    (
        (kind.to_owned(), String::new(), name.to_owned()),
        Seen { uid: "new".to_owned(), recovered, is_operators: false, spec },
    )
}

fn names(plan: &Plan<'_>) -> Vec<String> {
    plan.entities.iter().map(|entity| entity.name.to_owned()).collect()
}

#[test]
fn an_empty_cluster_gets_everything_kept_data_of_those_who_left_too() {
    let records = records();
    let plan = plan(&records, &Living::new());
    assert_eq!((plan.shared.len(), plan.platform.is_some(), plan.left.len()), (1, true, 0));
    assert_eq!(names(&plan), ["antiga", "ateneu", "hort"]);
    assert!(plan.entities[0].entity.is_none() && plan.entities[0].data.len() == 1);
    assert_eq!((plan.entities[2].folder, plan.entities[1].folder), (Some("hort-0000"), None));
}

#[test]
fn what_lives_is_named_and_left_and_what_an_earlier_call_made_goes_on() {
    let records = records();
    let living: Living = [
        seen("Tariff", "t", None, json!({"currency": "EUR", "tiers": [], "extraBlock": null})),
        seen("Platform", "default", None, json!({"baseDomain": "other.example"})),
        seen("Entity", "hort", Some("old-hort"), Value::Null),
        seen("Namespace", "hort", Some("old-hort"), Value::Null),
        seen("Entity", "ateneu", None, Value::Null),
        seen("Namespace", "antiga", None, Value::Null),
    ]
    .into();
    let plan = plan(&records, &living);
    assert!(plan.shared.is_empty() && plan.platform.is_none());
    assert_eq!(names(&plan), ["hort"]);
    let left = plan.left.join("\n");
    for told in [
        "Platform default is there and says something else",
        "ateneu is there, and is another one",
        "antiga has a namespace that was not made by this command",
    ] {
        assert!(left.contains(told), "{told}: {left}");
    }
    assert_eq!(plan.left.len(), 3, "{left}");
}

#[test]
fn an_entity_that_was_not_lost_is_left_with_its_services() {
    let records = records();
    let (place, mut alive) = seen("Entity", "hort", None, Value::Null);
    alive.uid = "old-hort".to_owned();
    let plan = plan(&records, &[(place, alive)].into());
    assert_eq!(names(&plan), ["antiga", "ateneu"]);
    assert_eq!(plan.left, [""; 0]);
    assert_eq!(plan.alive, ["hort was not lost, and is left as it is with its services"]);
    let kept = ("ServiceData".to_owned(), "antiga".to_owned(), "wiki".to_owned());
    let living = [
        (kept, Seen { uid: "old-wiki".to_owned(), ..Seen::default() }),
        seen("Namespace", "antiga", None, Value::Null),
    ];
    let plan = super::plan(&records, &living.into());
    assert!(plan.left.is_empty() && plan.alive[0].starts_with("antiga was not lost"), "{plan:?}");
}

#[test]
fn another_record_under_the_name_is_left_alone() {
    let records = records();
    let place = ("ServiceData".to_owned(), "hort".to_owned(), "site".to_owned());
    let plan = plan(&records, &[(place, Seen { uid: "x".to_owned(), ..Seen::default() })].into());
    let hort = plan.entities.iter().find(|entity| entity.name == "hort").unwrap();
    assert!(hort.data.is_empty());
    assert_eq!(
        plan.left,
        ["ServiceData hort/site is there, and is another one (uid x, recorded old-site): it is left as it is"]
    );
}

#[test]
fn a_record_comes_back_restoring_with_its_claims_names_and_without_their_uids() {
    let made = record(&data("hort", "site"), None).unwrap().unwrap();
    assert_eq!(made["metadata"]["annotations"][marks::RECOVERED], "old-site");
    let spec: ServiceDataSpec = serde_json::from_value(made["spec"].clone()).unwrap();
    assert!(!spec.has_uids() && spec.restoring.as_deref() == Some(RESTORING));
    let (volume, secret) = (&spec.volumes[0], &spec.secrets[0]);
    assert_eq!((volume.claim.as_str(), volume.former_uid.as_deref()), ("site-data-r2", Some("p1")));
    assert_eq!((volume.volume_name.as_ref(), spec.version.as_deref()), (None, Some("3")));
    assert_eq!((secret.former_uid.as_deref(), secret.further[0].former_uid.as_deref()), (Some("s1"), Some("s2")));
}

#[test]
fn what_was_never_installed_begins_anew() {
    let mut unborn = data("hort", "site");
    unborn.spec.as_object_mut().unwrap().remove("version");
    assert_eq!(record(&unborn, None), Ok(None));
}

#[test]
fn a_namespace_says_whose_it_is_before_its_entity_is_there() {
    let records = records();
    let plan = plan(&records, &Living::new());
    for entity in &plan.entities {
        let made = namespace(entity).unwrap();
        assert_eq!(made["metadata"]["labels"][marks::ENTITY], entity.name);
        assert!(made["metadata"]["annotations"][marks::RECOVERED].is_string(), "{made}");
    }
}

#[test]
fn a_record_is_of_the_versions_of_its_backup_which_may_be_older_than_what_ran_last() {
    let mut recorded = data("hort", "site");
    recorded.spec["revision"] = json!("radicale-new");
    recorded.spec["images"] = json!([{"name": "app", "reference": "r:3"}]);
    let of = |application: &str, revision: &str| {
        let versions = BackupVersions {
            application: application.to_owned(),
            revision: revision.to_owned(),
            ..BackupVersions::default()
        };
        let made = record(&recorded, Some(&versions)).unwrap().unwrap();
        let spec: ServiceDataSpec = serde_json::from_value(made["spec"].clone()).unwrap();
        (spec.version.unwrap(), spec.revision.unwrap(), spec.images.is_some())
    };
    assert_eq!(of("2", "radicale-old"), ("2".to_owned(), "radicale-old".to_owned(), false));
    assert_eq!(of("3", "radicale-new"), ("3".to_owned(), "radicale-new".to_owned(), true), "as it ran");
}

#[test]
fn revisions_come_before_the_templates_that_would_make_them_again() {
    let mut records = records();
    records.templates = vec![recorded("ServiceTemplate", None, "radicale", json!({}))];
    records.revisions = vec![recorded("ServiceTemplateRevision", None, "radicale-1", json!({}))];
    let plan = plan(&records, &Living::new());
    let kinds: Vec<&str> = plan.shared.iter().map(|object| object.kind.as_str()).collect();
    assert_eq!(kinds, ["Tariff", "ServiceTemplateRevision", "ServiceTemplate"]);
}

#[test]
fn a_package_of_the_operators_own_release_is_as_good_and_anybody_elses_is_not() {
    let mut package = recorded("ServiceTemplate", None, "office", json!({"versions": []}));
    let seen = |is_operators| Seen { is_operators, spec: json!({"versions": [{}]}), ..Seen::default() };
    assert!(!is_as_good(&package, &seen(true)), "somebody applied it");
    package.metadata.labels = [(marks::MANAGED_BY.to_owned(), marks::OPERATOR.to_owned())].into();
    assert!(is_as_good(&package, &seen(true)) && !is_as_good(&package, &seen(false)));
    let by_hand = recorded("DedicatedService", Some("hort"), "wiki", json!({}));
    assert!(!is_as_good(&by_hand, &seen(true)), "of a service nothing but itself is");
}

#[test]
fn a_service_that_its_entity_does_not_ask_for_is_known_from_those_that_it_does() {
    let mut records = records();
    let asked = json!({"name": "site", "template": "radicale", "tier": "1gb"});
    records.entities[0].spec["services"] = json!({"office": {"tier": "1gb"}, "others": [asked]});
    records.services = vec![recorded("DedicatedService", Some("hort"), "wiki", json!({}))];
    records.records.push(data("hort", "former"));
    let plan = plan(&records, &Living::new());
    let hort = plan.entities.iter().find(|entity| entity.name == "hort").unwrap();
    let services: Vec<&str> = hort.services.iter().map(String::as_str).collect();
    assert_eq!(services, ["office", "site", "wiki"]);
    assert!(hort.data.iter().any(|record| record.metadata.name == "former"), "its data is kept all the same");
    assert!(plan.entities[0].services.is_empty(), "of an Entity that was gone all is kept");
}

#[test]
fn an_entity_whose_data_is_not_all_recorded_does_not_begin_empty() {
    let mut records = records();
    let of = |kind: &str, namespace: &str| ObjectName {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: "x".to_owned(),
    };
    records.unreadable = vec![of("ServiceData", "hort"), of("ServiceTemplate", "")];
    let plan = plan(&records, &Living::new());
    assert_eq!(names(&plan), ["antiga", "ateneu"]);
    let left = plan.left.join("\n");
    for told in
        ["ServiceData hort/x was not readable", "hort is not brought back", "ServiceTemplate x was not readable"]
    {
        assert!(left.contains(told), "{told}: {left}");
    }
}

/// A Collective that somebody was removed from, and who may enter the site.
fn with_people() -> Records {
    let mut records = records();
    let of = |kind: &str, name: &str, spec: Value| recorded(kind, Some("hort"), name, spec);
    records.people = vec![
        of("AccessHistory", "2026-12", json!({"entries": {}})),
        of("Collective", "collective", json!({"members": {"annaannaanna": {"removed": {"by": "eva"}}}})),
        of("Access", "site", json!({"people": {"annaannaanna": {"by": "eva"}}})),
    ];
    records.people[1].metadata.annotations = [(marks::SEEDED.to_owned(), "{}".to_owned())].into();
    records.people[1].status = json!({"members": 7});
    records
}

#[test]
fn people_come_back_with_their_entity_as_they_were_and_without_a_status() {
    let records = with_people();
    let plan = plan(&records, &Living::new());
    let hort = plan.entities.iter().find(|entity| entity.name == "hort").unwrap();
    assert_eq!(hort.people.len(), 3);
    assert!(plan.entities.iter().all(|entity| entity.name == "hort" || entity.people.is_empty()));
    let made = object(hort.people[1]);
    assert_eq!(made["metadata"]["annotations"][marks::RECOVERED], "old-collective", "the policies ask for it");
    assert_eq!(made["metadata"]["annotations"][marks::SEEDED], "{}", "who was taken in once is not taken in again");
    assert_eq!(made["spec"]["members"]["annaannaanna"]["removed"]["by"], "eva", "who was removed stays so");
    assert!(made.get("status").is_none() && made["metadata"].get("uid").is_none(), "{made}");
    for place in hort.people.iter().map(|of| super::place(of)) {
        assert!(places(&records).contains(&place), "{place:?} is looked for");
    }
}

#[test]
fn people_that_live_are_left_and_those_of_an_earlier_call_are_its_own() {
    let records = with_people();
    let at = |kind: &str, name: &str, recovered: Option<&str>| {
        let place = (kind.to_owned(), "hort".to_owned(), name.to_owned());
        let recovered = recovered.map(str::to_owned);
        (place, Seen { uid: "new".to_owned(), recovered, ..Seen::default() })
    };
    let living = [at("Collective", "collective", None), at("Access", "site", Some("old-site"))];
    let plan = plan(&records, &living.into());
    let hort = plan.entities.iter().find(|entity| entity.name == "hort").unwrap();
    let kinds: Vec<&str> = hort.people.iter().map(|object| object.kind.as_str()).collect();
    assert_eq!(kinds, ["AccessHistory", "Access"]);
    assert!(plan.left[0].starts_with("Collective hort/collective is there, and is another one"), "{:?}", plan.left);
}

#[test]
fn an_entity_whose_people_are_not_all_recorded_lets_in_nobody_else() {
    for (kind, comes_back) in [("Collective", false), ("Access", false), ("AccessHistory", true)] {
        let mut records = with_people();
        records.unreadable =
            vec![ObjectName { kind: kind.to_owned(), namespace: "hort".to_owned(), name: "x".to_owned() }];
        let plan = plan(&records, &Living::new());
        assert_eq!(names(&plan).contains(&"hort".to_owned()), comes_back, "{kind}");
        assert!(plan.left[0].starts_with(&format!("{kind} hort/x was not readable")), "{:?}", plan.left);
    }
}
