//! Every refusal, and what a plan holds: YAML through the same door as production.

use std::sync::Arc;

use super::fixtures::{facts, growing_facts, instance, package, read};
use super::*;
use crate::api::ServiceData;
use crate::core::Bytes;
use crate::plan::{GrowthDecision, PlannedVolume};
use crate::usage::{Measurement, Usage};

fn reason(instance: &Instance, facts: &Facts) -> &'static str {
    resolve(instance, facts).err().map_or("none", |refusal| refusal.reason().name())
}

#[test]
fn a_plan_holds_what_was_sold_on_volumes_that_fit_it() {
    let resolved = resolve(&instance("tier: 1gb, extraBlocks: 3"), &facts()).unwrap();
    assert_eq!(resolved.sale.to_string(), "20.00 EUR");
    let plan = resolved.plan;
    assert_eq!(plan.quota.to_string(), "16Gi");
    assert_eq!(plan.hostname.as_str(), "coop-calendar.example.org");
    let volume = plan.volumes.iter().find(|v| v.carries_quota).unwrap();
    assert_eq!((volume.claim.as_str(), volume.usable.to_string().as_str()), ("calendar-data", "16Gi"));
    assert_eq!(volume.request.to_string(), "16385Mi", "the file system's share comes on top");
    assert_eq!(volume.storage_class.as_deref(), Some("xfs"));
    assert!(plan.images.values().any(|image| image == "mirror/radicale:3"), "{:?}", plan.images);
}

#[test]
fn whom_the_platform_signs_in_each_service_does_but_the_provider_itself() {
    let planned = |identity: serde_json::Value| {
        let mut facts = facts();
        let mut platform = Platform::clone(facts.platform.as_ref().unwrap());
        platform.spec.identity = serde_json::from_value(identity).unwrap();
        facts.platform = Some(Arc::new(platform));
        resolve(&instance("tier: 1gb"), &facts).unwrap().plan.identity
    };
    let issuer = "https://id.example.org/realms/commons";
    let driven =
        |service: &str| serde_json::json!({"issuer": issuer, "keycloak": {"entity": "coop", "service": service}});
    let identity = planned(driven("identity")).unwrap();
    assert_eq!((identity.issuer.as_str(), identity.client_id.as_str()), (issuer, "coop.calendar"));
    assert_eq!(planned(driven("calendar")), None, "it is the provider");
    assert_eq!(planned(serde_json::json!({"issuer": issuer})), None, "clients are kept by hand");
}

/// The volume `db` as it is planned when it requests and has that much, of which so many MiB are free.
fn database(spec: &str, size: &str, free: Option<u64>) -> PlannedVolume {
    let mebibytes = |count: u64| Bytes::new(count << 20);
    let capacity = size.parse::<Bytes>().unwrap().get() >> 20;
    let measured =
        free.map(|free| Usage { used: mebibytes(capacity - free), available: mebibytes(free), inodes: None });
    let facts = growing_facts(size, measured.map_or(Measurement::Nothing, Measurement::Measured));
    let volumes = resolve(&instance(spec), &facts).unwrap().plan.volumes;
    volumes.into_iter().find(|volume| volume.name == "db").unwrap()
}

#[test]
fn a_volume_that_fills_up_grows_to_what_the_quota_allows() {
    let decided = |spec, size, free| {
        let volume = database(spec, size, free);
        let growth = volume.growth.unwrap();
        (volume.request.to_string(), growth.maximum.to_string(), volume.filling)
    };
    let grow = |size: &str| GrowthDecision::Grow(size.parse().unwrap());
    let (base, maximum) = ("2049Mi".to_owned(), "8193Mi".to_owned());
    assert_eq!(decided("tier: 1gb", "2049Mi", Some(300)), (base.clone(), maximum.clone(), grow("3074Mi")));
    assert_eq!(decided("tier: 1gb", "2049Mi", Some(500)), (base.clone(), maximum.clone(), GrowthDecision::Nothing));
    assert_eq!(decided("tier: 1gb", "2049Mi", None), (base.clone(), maximum.clone(), GrowthDecision::Nothing));
    assert_eq!(decided("tier: 1gb", "8193Mi", Some(0)), (base.clone(), maximum, GrowthDecision::AtMaximum));
    let sold_more = decided("tier: 1gb, extraBlocks: 4", "8193Mi", Some(0));
    assert_eq!(sold_more, (base, "10753Mi".to_owned(), grow("10753Mi")), "half of 21 GiB, and no more");
    let usable = database("tier: 1gb", "2049Mi", None).growth.unwrap().usable;
    assert_eq!(usable.to_string(), "8Gi", "what the package says, without the file system's share");
}

#[test]
fn the_platform_replaces_figures_one_by_one() {
    let mut facts = facts();
    let mut platform = Platform::clone(facts.platform.as_deref().unwrap());
    platform.spec.resources = read("[{template: radicale, component: app, resources: {requests: {cpu: 7m}}}]");
    facts.platform = Some(Arc::new(platform));
    let plan = resolve(&instance("tier: 1gb"), &facts).unwrap().plan;
    let app = serde_json::to_value(&plan.resources["app"]).unwrap();
    assert_eq!(
        app,
        serde_json::json!({
            "requests": {"cpu": "7m", "memory": "64Mi", "ephemeral-storage": "16Mi"},
            "limits": {"memory": "256Mi", "ephemeral-storage": "256Mi"},
        }),
        "only the CPU's request is another"
    );
}

#[test]
fn the_services_managers_stand_before_the_entitys_each_once() {
    let mut facts = facts();
    let mut entity = Entity::clone(facts.entity.as_deref().unwrap());
    entity.spec.managers = read("[{name: anna, mail: anna@coop.cat}, {name: pere}, {name: grup, mail: info@coop.cat}]");
    facts.entity = Some(Arc::new(entity));
    let managers = "managers: [{name: joan, mail: info@coop.cat}, {name: anna, mail: anna@coop.cat}]";
    let resolved = resolve(&instance(&format!("tier: 1gb, {managers}")), &facts).unwrap();
    let shown = ["joan <info@coop.cat>", "anna <anna@coop.cat>", "pere", "grup <info@coop.cat>"];
    assert_eq!(resolved.managers, shown);
    assert_eq!(resolved.plan.entity.contacts, ["info@coop.cat", "anna@coop.cat"]);
}

#[test]
fn what_is_not_there_yet_is_waited_for() {
    type Taken = (&'static str, fn(&mut Facts));
    let take: [Taken; 5] = [
        ("EntityNotFound", |f| f.entity = None),
        ("NamespaceNotReady", |f| f.namespace.writable = false),
        ("PlatformNotFound", |f| f.platform = None),
        ("TariffNotFound", |f| f.tariff = None),
        ("TemplateNotFound", |f| f.newest_revision = None),
    ];
    for (expected, take) in take {
        let mut facts = facts();
        take(&mut facts);
        let refusal = resolve(&instance("tier: 1gb"), &facts).unwrap_err();
        assert_eq!(refusal.reason().name(), expected);
        assert!(refusal.waits(), "{refusal}");
    }
}

#[test]
fn what_is_not_there_is_answered_with_what_there_is() {
    let mut facts = facts();
    let mut platform = Platform::clone(facts.platform.as_deref().unwrap());
    platform.status = Some(read(
        "{tariffs: [{name: a}, {name: b, inUse: true}], templates: [{name: radicale, revisions: [radicale-1, radicale-2]}, {name: wiki}]}",
    ));
    facts.platform = Some(Arc::new(platform));
    let says = |spec: &str, facts: &Facts| resolve(&instance(spec), facts).unwrap_err().to_string();
    let revision = says("tier: 1gb, revision: radicale-9", &facts);
    assert!(revision.ends_with("does not exist (yet); there are of radicale: radicale-1, radicale-2"), "{revision}");
    facts.newest_revision = None;
    let template = says("tier: 1gb", &facts);
    assert!(template.contains("or has no revision; there are: radicale, wiki; see "), "{template}");
    facts.tariff = None;
    let tariff = says("tier: 1gb", &facts);
    assert!(tariff.starts_with("Tariff t does not exist") && tariff.ends_with("there are: a, b"), "{tariff}");
    facts.platform = Some(Arc::new(Platform { status: None, ..Platform::clone(facts.platform.as_deref().unwrap()) }));
    assert!(says("tier: 1gb", &facts).ends_with("there are: none"));
}

#[test]
fn a_service_is_edited_in_the_entity_that_made_it() {
    let by_hand = instance("tier: 1gb");
    assert_eq!(by_hand.edited_at(), "spec");
    let mut made = Instance { made_by: Some("e1".into()), ..by_hand };
    assert_eq!(made.edited_at(), "spec.services.others[calendar]");
    made.reference.kind = "DedicatedOffice".into();
    made.reference.name = "office".into();
    assert_eq!(made.edited_at(), "spec.services.office");
}

#[test]
fn what_is_wrong_stalls_and_says_what_is_allowed() {
    for (expected, spec) in [
        ("TierUnknown", "tier: 9gb"),
        ("ExtraBlocksTooMany", "tier: 1gb, extraBlocks: 5"),
        ("HostnameInvalid", "tier: 1gb, hostname: Office"),
        ("HostnameForeign", "tier: 1gb, hostname: a.notcoop.cat"),
        ("VersionUnknown", "tier: 1gb, version: '0'"),
        ("ParametersInvalid", "tier: 1gb, parameters: {nonsense: true}"),
    ] {
        let refusal = resolve(&instance(spec), &facts()).unwrap_err();
        assert_eq!(refusal.reason().name(), expected, "{refusal}");
        assert!(!refusal.waits(), "{refusal}");
    }
    assert_eq!(reason(&instance("tier: 1gb, hostname: calendar.coop.cat"), &facts()), "none");
}

#[test]
fn a_namespace_that_is_nobodys_or_anothers_is_refused() {
    let mut facts = facts();
    facts.namespace.entity = Some("other".into());
    assert_eq!(reason(&instance("tier: 1gb"), &facts), "NamespaceForeign");
    facts.namespace.entity = None;
    assert_eq!(reason(&instance("tier: 1gb"), &facts), "NamespaceForeign");
}

#[test]
fn a_domain_that_holds_the_base_domain_gives_nobody_the_host_names_of_others() {
    let mut facts = facts();
    let mut entity = Entity::clone(facts.entity.as_deref().unwrap());
    entity.spec.domains = vec!["example.org".into()];
    facts.entity = Some(Arc::new(entity));
    assert_eq!(reason(&instance("tier: 1gb, hostname: other-office.example.org"), &facts), "HostnameForeign");
    assert_eq!(reason(&instance("tier: 1gb, hostname: coop-calendar.example.org"), &facts), "none");
}

#[test]
fn a_host_name_stays_with_who_serves_there_else_with_the_older() {
    let claim = |created: &str, uid: &str| HostnameClaim {
        hostname: "coop-calendar.example.org".parse().unwrap(),
        holder: "DedicatedService x/y".into(),
        holds: false,
        created: Some(created.parse().unwrap()),
        uid: uid.into(),
    };
    let mut facts = facts();
    facts.claims = vec![claim("2026-01-01T00:00:00Z", "u9")];
    assert_eq!(reason(&instance("tier: 1gb"), &facts), "HostnameTaken");
    facts.claims = vec![claim("2026-01-03T00:00:00Z", "u0"), claim("2026-01-02T00:00:00Z", "u2")];
    assert_eq!(
        reason(&instance("tier: 1gb"), &facts),
        "none",
        "the younger, and of the same age the larger uid, gives way"
    );
    facts.claims = vec![HostnameClaim { holds: true, ..claim("2026-01-03T00:00:00Z", "u0") }];
    assert_eq!(reason(&instance("tier: 1gb"), &facts), "HostnameTaken", "the younger runs there already");
    let mut holder = instance("tier: 1gb");
    holder.status.hostname = Some("coop-calendar.example.org".into());
    facts.claims = vec![claim("2026-01-01T00:00:00Z", "u9")];
    assert_eq!(reason(&holder, &facts), "none", "an older one that only asks gets nothing");
}

fn record(kind: &str, revision: &str) -> Arc<ServiceData> {
    Arc::new(read(&format!(
        "apiVersion: commonscloud.coop/v1alpha1\nkind: ServiceData\nmetadata: {{name: calendar}}\nspec: {{owner: {{kind: {kind}, name: calendar, uid: old}}, template: radicale, revision: {revision}}}"
    )))
}

#[test]
fn a_name_belongs_to_the_data_under_it() {
    let mut facts = facts();
    let revision = facts.newest_revision.clone().unwrap();
    facts.record = Some(record("DedicatedOffice", &revision));
    assert_eq!(reason(&instance("tier: 1gb"), &facts), "NameTaken");
    facts.record = Some(record("DedicatedService", &revision));
    assert_eq!(reason(&instance("tier: 1gb"), &facts), "none", "the same kind and name adopts its data");
}

#[test]
fn an_instance_stays_on_its_revision_until_the_platform_or_its_spec_moves_it() {
    let mut facts = facts();
    let old = facts.newest_revision.replace("radicale-new".into()).unwrap();
    let (_, package) = package();
    facts.packages.insert("radicale-new".into(), Ok(package));
    let revision = |instance: &Instance, facts: &Facts| resolve(instance, facts).unwrap().plan.revision;

    let mut pinned = instance("tier: 1gb");
    assert_eq!(revision(&pinned, &facts), "radicale-new", "a new instance takes the newest");
    pinned.status.revision = Some(old.clone());
    assert_eq!(revision(&pinned, &facts), old);
    facts.record = Some(record("DedicatedService", &old));
    assert_eq!(revision(&instance("tier: 1gb"), &facts), old, "adopted data runs what it ran");
    pinned.spec.revision = Some("radicale-new".into());
    assert_eq!(revision(&pinned, &facts), "radicale-new");
    pinned.spec.revision = None;
    let mut platform = Platform::clone(facts.platform.as_deref().unwrap());
    platform.spec.rollout.strategy = crate::api::RolloutStrategy::Automatic;
    facts.platform = Some(Arc::new(platform));
    assert_eq!(revision(&pinned, &facts), "radicale-new");
}

#[test]
fn a_hand_edit_of_what_an_entity_made_changes_nothing() {
    let mut facts = facts();
    facts.entity = Some(Arc::new(read(
        "apiVersion: commonscloud.coop/v1alpha1\nkind: Entity\nmetadata: {name: coop, uid: e1}\nspec: {displayName: Coop, tariff: t, services: {others: [{name: calendar, template: radicale, tier: 1gb}]}}",
    )));
    let mut made = instance("tier: 1gb");
    made.made_by = Some("e1".into());
    assert_eq!(reason(&made, &facts), "none");
    made.spec.extra_blocks = 4;
    assert_eq!(reason(&made, &facts), "EntityDiffers");
}

#[test]
fn a_template_that_is_refused_says_so() {
    let mut facts = facts();
    facts.newest_revision = None;
    facts.template_fault = Some("manifests[0]: no such kind".into());
    let refusal = resolve(&instance("tier: 1gb"), &facts).unwrap_err();
    assert_eq!(refusal.reason().name(), "PackageInvalid");
    assert!(refusal.to_string().contains("no such kind"));
}

/// An Entity that is the recorded one, applied again with other values in these fields.
fn applied_again(change: &str) -> Facts {
    let mut facts = facts();
    let recorded = facts.entity.as_deref().unwrap();
    let mut record = ServiceData::clone(&record("DedicatedService", facts.newest_revision.as_deref().unwrap()));
    record.spec.entity = Some(recorded_entity(recorded));
    facts.record = Some(Arc::new(record));
    facts.entity = Some(Arc::new(read(&format!(
        "apiVersion: commonscloud.coop/v1alpha1\nkind: Entity\nmetadata: {{name: coop, uid: e2}}\nspec: {{displayName: Coop, tariff: t, domains: [coop.cat], {change}}}"
    ))));
    facts
}

#[test]
fn the_same_manifest_again_brings_data_back_and_another_organisation_waits() {
    assert_eq!(reason(&instance("tier: 1gb"), &applied_again("language: es")), "none", "the same manifest");
    let other = applied_again("managers: [{name: stranger}]");
    let refusal = resolve(&instance("tier: 1gb"), &other).unwrap_err();
    assert_eq!(refusal.reason().name(), "DataOfAnother");
    assert!(!refusal.waits());
    let message = refusal.to_string();
    assert!(message.contains("belongs to Entity \"Coop\" (uid e1), whose managers differ"), "{message}");
    assert!(message.contains("kubectl patch entity coop") && message.contains("[\"e1\"]"), "{message}");
}

#[test]
fn adopt_lets_in_whom_it_names_and_nobody_else() {
    let adopting = |uid: &str| applied_again(&format!("managers: [{{name: stranger}}], adopt: [{uid}]"));
    assert_eq!(reason(&instance("tier: 1gb"), &adopting("e1")), "none");
    assert_eq!(reason(&instance("tier: 1gb"), &adopting("e0")), "DataOfAnother");
}

#[test]
fn an_upgrade_that_changed_nothing_is_taken_back() {
    let mut facts = facts();
    let mut template = fixtures::template();
    let mut newer = template.spec.versions[0].clone();
    newer.name = "4".into();
    newer.upgrades_from = vec!["3".into()];
    template.spec.versions.insert(0, newer);
    let package = Package::compile("radicale", &template.spec).unwrap();
    let name = package.revision_name();
    facts.packages = [(name.clone(), Ok(Arc::new(package)))].into();
    facts.newest_revision = Some(name.clone());
    let mut record = ServiceData::clone(&record("DedicatedService", &name));
    record.spec.version = Some("3".into());
    facts.record = Some(Arc::new(record.clone()));
    let mut asked = instance("tier: 1gb, version: '3'");
    asked.status.version = Some("4".into());
    assert_eq!(resolve(&asked, &facts).unwrap().plan.version, "3", "4 was asked for and never ran");
    record.spec.version = Some("4".into());
    facts.record = Some(Arc::new(record));
    assert_eq!(reason(&asked, &facts), "UpgradeNotAllowed", "4 ran on the data");
}

#[test]
fn a_step_that_is_none_names_the_versions_to_take() {
    let mut facts = facts();
    let mut template = fixtures::template();
    let oldest = template.spec.versions.remove(0);
    for (name, from) in [("4", "3.*"), ("4.1", "4"), ("5", "4*"), ("6", "5")] {
        let mut newer = oldest.clone();
        newer.name = name.into();
        newer.upgrades_from = vec![from.into()];
        template.spec.versions.insert(0, newer);
    }
    let package = Package::compile("radicale", &template.spec).unwrap();
    let name = package.revision_name();
    facts.packages = [(name.clone(), Ok(Arc::new(package)))].into();
    facts.newest_revision = Some(name.clone());
    let mut refused = |runs: &str, asked: &str| {
        let mut record = ServiceData::clone(&record("DedicatedService", &name));
        record.spec.version = Some(runs.into());
        facts.record = Some(Arc::new(record));
        resolve(&instance(&format!("tier: 1gb, version: '{asked}'")), &facts).unwrap_err().to_string()
    };
    let steps = refused("3.9", "6");
    assert!(steps.contains("6 cannot follow 3.9 in one step; take one after the other"), "{steps}");
    assert!(steps.ends_with(": 4, 5, 6"), "{steps}");
    assert!(refused("5", "4").ends_with("in one step; there is no way back"));
    assert!(refused("2", "6").contains(&format!("no versions of {name} lead")));
}
