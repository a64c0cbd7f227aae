//! What a Dedicated resource may not be: written by hand, and made from an Entity.

use std::sync::Arc;

use commonscloud_e2e::manifests::{entity_with, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::ready;
use commonscloud_e2e::{Outcome, resources};
use serde_json::{Value, json};

use super::table::{Row, Table, hold, row};
use super::watch::Running;
use crate::tier::{ControlPlane, READY};

/// The Entity in whose namespace the rows are.
pub const NAMESPACE: &str = "refused-dedicated";
/// What is right and wrong of all kinds alike.
const TIERS: &str = "allowed: 1gb, 5gb, 10gb, 50gb";

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a faulty service written by hand is refused by every door, and accepted without it", by_hand),
        Scenario::new("a service made from an entity is edited there, and every door says where", edited_in_the_entity),
    ]
}

/// A service of each kind without a fault, and the faults. The first one comes to run.
pub fn tables() -> Vec<Table> {
    let service = |kind, spec| namespaced(kind, NAMESPACE, "by-hand", spec);
    let mut tables = vec![Table {
        base: service("DedicatedService", json!({"template": "radicale", "tier": "1gb"})),
        rows: [of_all_kinds(), of_service()].concat(),
    }];
    for kind in ["DedicatedOffice", "DedicatedAgora", "DedicatedProjects"] {
        let rows = of_all_kinds().into_iter().map(Row::of_new).chain(of_kind(kind)).collect();
        tables.push(Table { base: service(kind, json!({"tier": "1gb"})), rows });
    }
    tables
}

fn of_all_kinds() -> Vec<Row> {
    let blocks = "/spec/extraBlocks";
    let name = |fault, value: &str| {
        let says = &["metadata.name", "at most 30 of a-z, 0-9 and -"];
        row(fault, "/metadata/name", json!(value), json!("sound-name"), says).of_new()
    };
    let nobodys = &["metadata.namespace: default belongs to no Entity", "spec.services"];
    let sold = &["spec.extraBlocks: 21 is more than Tariff e2e sells", "allowed: 0 to 20"];
    let host = json!("by-hand.example.org");
    let version = json!("1.0+a");
    vec![
        row("unknown tier", "/spec/tier", json!("gold"), json!("5gb"), &["spec.tier", "gold", TIERS]),
        row("no tier", "/spec/tier", Value::Null, json!("1gb"), &["spec.tier"]),
        row("negative blocks", blocks, json!(-1), json!(1), &["spec.extraBlocks", "greater than or equal to 0"]),
        row("blocks beyond 31 bits", blocks, json!(2_147_483_648_u64), json!(1), &["spec.extraBlocks", "1000"]),
        row("more blocks than are sold", blocks, json!(21), json!(20), sold),
        row("malformed host name", "/spec/hostname", json!("By-hand.example.org"), host, &["spec.hostname"]),
        row("malformed version", "/spec/version", json!("1 or 2"), version, &["spec.version", "for example 34.0.1"]),
        row("malformed revision", "/spec/revision", json!("A/b"), json!("radicale-0"), &["spec.revision"]),
        row("namespace of no entity", "/metadata/namespace", json!("default"), json!(NAMESPACE), nobodys).of_new(),
        name("name with a dot", "with.dot"),
        name("name of 31 characters", &"a".repeat(31)),
    ]
}

fn of_service() -> Vec<Row> {
    let stays = &["template: cannot be changed", "make another DedicatedService"];
    vec![
        row("another template", "/spec/template", json!("office"), json!("radicale"), stays).of_change(),
        row("malformed template", "/spec/template", json!("a/b"), json!("radicale"), &["spec.template"]),
        row("parameters that are no object", "/spec/parameters", json!([]), json!({}), &["spec.parameters"]),
    ]
}

fn of_kind(kind: &str) -> Vec<Row> {
    let (faulty, sound, says): (_, _, &[_]) = match kind {
        "DedicatedOffice" => {
            (json!({"phoneRegion": "es"}), json!({"phoneRegion": "ES"}), &["spec.parameters.phoneRegion"])
        }
        "DedicatedAgora" => {
            (json!({"contactMail": "me"}), json!({"contactMail": "me@example.org"}), &["spec.parameters.contactMail"])
        }
        _ => (json!({"colour": "red"}), json!({}), &["colour"]),
    };
    vec![row("faulty parameter", "/spec/parameters", faulty, sound, says).of_new()]
}

async fn by_hand(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&entity_with(NAMESPACE, "radicale")).await?;
    let tables = tables();
    for table in tables.iter().take(1) {
        table.founded(&tier).await?;
    }
    hold(&tier, &tables, vec![Running::Entity(NAMESPACE.to_owned())]).await
}

async fn edited_in_the_entity(tier: Arc<ControlPlane>) -> Outcome {
    let name = "edited-there";
    let mut entity = entity_with(name, "radicale");
    entity["spec"]["services"]["office"] = json!({"tier": "1gb"});
    tier.running(&entity).await?;
    let office: &[_] = &["spec.services.office there: kubectl edit entity edited-there"];
    let site: &[_] = &["spec.services.others[site] there: kubectl edit entity edited-there"];
    let mut tables = Vec::new();
    for (kind, service, says) in [("DedicatedOffice", "office", office), ("DedicatedService", "site", site)] {
        let live = ready(&resources::ours_in(&tier.cluster.client, kind, name), service, READY).await?;
        let base = namespaced(kind, name, service, live["spec"].clone());
        let rows = vec![
            row("blocks by hand", "/spec/extraBlocks", json!(2), json!(0), says),
            row("tier by hand", "/spec/tier", json!("5gb"), json!("1gb"), says),
            row("host name by hand", "/spec/hostname", json!("by-hand.example.org"), Value::Null, says),
            row("pause by hand", "/spec/paused", json!(true), Value::Null, says),
        ];
        tables.push(Table { base, rows: rows.into_iter().map(Row::of_change).collect() });
    }
    hold(&tier, &tables, vec![Running::Entity(name.to_owned())]).await
}
