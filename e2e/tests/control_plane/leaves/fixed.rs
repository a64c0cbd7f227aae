//! Leaves that nobody changes once they are there: of tariffs, of revisions, of the records of data.

use commonscloud_e2e::manifests::{entity, namespaced, object, tariff};
use serde_json::{Value, json};

use super::case::{Case, refused, see, shows};
use super::live::Stage;

/// A Tariff: a new price is a new Tariff.
pub fn tariffs() -> Stage {
    let mut subject = tariff("leaves-tariff");
    subject["spec"]["period"] = json!("Month");
    subject["spec"]["tiers"][0]["templates"] = json!(["office"]);
    Stage { namespace: String::new(), around: Vec::new(), subject, ready: Vec::new(), cases: of_tariffs() }
}

fn of_tariffs() -> Vec<Case> {
    let own =
        |leaf: &str, value: Value, words: &'static str| refused("Tariff", format!("spec.{leaf}"), value, &[words]);
    let tier = "a tier cannot be changed; make a new Tariff";
    let block = "extraBlock: cannot be changed; make a new Tariff";
    vec![
        own("currency", json!("USD"), "currency: cannot be changed; make a new Tariff"),
        // There is one period so far.
        own("period", json!("Year"), "supported values: \"Month\""),
        own("tiers[0].name", json!("renamed"), "a tier cannot be removed, services may use it; make a new Tariff"),
        own("tiers[0].storage", json!("2Gi"), tier),
        own("tiers[0].price", json!("6.00"), tier),
        own("tiers[0].templates[0]", json!("agora"), tier),
        own("extraBlock.storage", json!("2Gi"), block),
        own("extraBlock.price", json!("6.00"), block),
        own("extraBlock.maximum", json!(21), block),
    ]
}

/// A revision: its name is its content's digest.
pub fn revisions() -> Stage {
    let spec = json!({"template": "leaves", "content": {"title": {"en": "Before"}}});
    let words = &["a revision cannot be changed; change the ServiceTemplate, which makes a new one"];
    let own = |leaf: &str, value: Value| refused("ServiceTemplateRevision", format!("spec.{leaf}"), value, words);
    Stage {
        namespace: String::new(),
        around: Vec::new(),
        subject: object("ServiceTemplateRevision", "leaves-0000000000", spec),
        ready: Vec::new(),
        cases: vec![own("template", json!("other")), own("content", json!({"title": {"en": "After"}}))],
    }
}

/// The namespace of the records.
pub const OF_RECORDS: &str = "leaves-records";

/// An Entity, and in its namespace the instance whose deletion leaves a record.
pub fn before_records() -> Stage {
    let spec = json!({"template": "radicale", "tier": "1gb"});
    Stage {
        namespace: OF_RECORDS.to_owned(),
        around: vec![entity(OF_RECORDS, json!({}))],
        subject: namespaced("DedicatedService", OF_RECORDS, "kept", spec),
        ready: vec!["DedicatedService/kept".to_owned()],
        cases: Vec::new(),
    }
}

/// A record of data that is kept, as it is.
pub fn records(record: Value) -> Stage {
    Stage {
        namespace: OF_RECORDS.to_owned(),
        around: Vec::new(),
        subject: record,
        ready: Vec::new(),
        cases: of_records(),
    }
}

/// The cases of a record: the operator writes it, and by hand its date is moved to a later one.
pub fn of_records() -> Vec<Case> {
    let own = |leaf: &str, value: Value, words: &'static str| {
        refused("ServiceData", format!("spec.{leaf}"), value, &["ServiceData kept", words])
    };
    let written = |leaf: &str, value: &str| own(leaf, json!(value), "is written by the operator, from what runs");
    // A further Secret has a name and keys.
    let alone = |leaf: &str| {
        let words = match leaf {
            "secret" => &["spec.secrets[0].further[0].keys", "Required value"],
            _ => &["further: element 0", "omits all key fields"],
        };
        refused("ServiceData", format!("spec.secrets[0].further[0].{leaf}"), json!("another"), words)
    };
    // An image has both.
    let of_image = |leaf: &str, words: &[&'static str]| {
        refused("ServiceData", format!("spec.images[0].{leaf}"), json!("another"), words)
    };
    let late = "2999-01-01T00:00:00Z";
    vec![
        written("owner.kind", "DedicatedOffice"),
        written("owner.name", "other"),
        written("owner.uid", "00000000-0000-0000-0000-000000000000"),
        written("entity.uid", "00000000-0000-0000-0000-000000000000"),
        written("entity.displayName", "Another"),
        written("entity.domains[0]", "another.example"),
        written("entity.managers[0]", "stranger"),
        written("template", "office"),
        written("revision", "radicale-0000000000"),
        written("version", "4"),
        of_image("name", &["spec.images[0].reference", "Required value"]),
        of_image("reference", &["images: element 0", "omits all key fields"]),
        written("engine", "Builtin"),
        written("volumes[0].name", "other"),
        written("volumes[0].claim", "other-data"),
        written("secrets[0].name", "other"),
        written("secrets[0].secret", "other-admin"),
        written("volumes[0].uid", "00000000-0000-0000-0000-000000000000"),
        written("volumes[0].volumeName", "another"),
        written("volumes[0].formerUid", "00000000-0000-0000-0000-000000000000"),
        written("secrets[0].uid", "00000000-0000-0000-0000-000000000000"),
        written("secrets[0].keys[0]", "another"),
        written("secrets[0].formerUid", "00000000-0000-0000-0000-000000000000"),
        alone("secret"),
        alone("uid"),
        alone("formerUid"),
        refused(
            "ServiceData",
            "spec.secrets[0].further[0].keys[0]",
            json!("another"),
            &["further: element 0", "omits all key fields"],
        ),
        shows(
            "ServiceData",
            "spec.restoring",
            json!("disk lost"),
            vec![see("ServiceData/kept", "/status/state", "Restoring")],
        ),
        own("keepUntil", json!("2026-01-01T00:00:00Z"), "allowed: a later date"),
        shows("ServiceData", "spec.keepUntil", json!(late), vec![see("ServiceData/kept", "/spec/keepUntil", late)]),
    ]
}
