//! What is wrong in an object by itself is refused, with the field and what is allowed.

use std::sync::Arc;

use commonscloud_e2e::manifests::{self, entity, object, tariff};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure};
use commonscloud_operator::template;
use serde_json::{Value, json};

use crate::tier::ControlPlane;

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a malformed entity is refused with the field and what is allowed", malformed_entities),
        Scenario::new("a malformed tariff is refused with the field and what is allowed", malformed_tariffs),
        Scenario::new("a growth that no volume can have is refused", malformed_growth),
        Scenario::new("a platform of another name is refused", another_platform),
        Scenario::new("a field that does not exist is refused", unknown_field),
    ]
}

/// A change to a good object, and what the refusal must say.
struct Refusal {
    pointer: &'static str,
    value: Value,
    says: &'static [&'static str],
}

fn refusal(pointer: &'static str, value: Value, says: &'static [&'static str]) -> Refusal {
    Refusal { pointer, value, says }
}

/// Sets the value at a JSON pointer whose parent exists.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    if let Some((parent, field)) = pointer.rsplit_once('/')
        && let Some(parent) = object.pointer_mut(parent)
    {
        parent[field] = value;
    }
    object
}

async fn all_refused(tier: &ControlPlane, good: &Value, refusals: Vec<Refusal>) -> Outcome {
    let mut faults = Vec::new();
    for Refusal { pointer, value, says } in refusals {
        let shown = format!("{pointer} = {value}");
        match tier.cluster.kubectl.refused(&with(good.clone(), pointer, value)).await {
            Err(accepted) => faults.push(format!("{shown}: {accepted}")),
            Ok(message) => {
                let missing = says.iter().filter(|words| !message.contains(**words));
                faults.extend(missing.map(|words| format!("{shown}: no {words:?} in {message}")));
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

async fn malformed_entities(tier: Arc<ControlPlane>) -> Outcome {
    let good = entity("malformed", json!({"office": {"tier": "1gb"}, "others": []}));
    let long = "a".repeat(31);
    let label = format!("{}.example.org", "a".repeat(64));
    let hostname = "/spec/services/office/hostname";
    let refusals = vec![
        refusal("/spec/services/office/tier", json!("5 GB"), &["spec.services.office.tier", "should match"]),
        refusal("/spec/services/office/tier", json!(""), &["spec.services.office.tier"]),
        refusal(
            "/spec/services/office/extraBlocks",
            json!(-1),
            &["spec.services.office.extraBlocks", "greater than or equal to 0"],
        ),
        refusal(
            "/spec/services/office/extraBlocks",
            json!(1001),
            &["spec.services.office.extraBlocks", "less than or equal to 1000"],
        ),
        refusal(
            "/spec/services/office/extraBlocks",
            json!(2_147_483_648_u64),
            &["spec.services.office.extraBlocks", "less than or equal to 1000"],
        ),
        refusal(
            "/spec/services/office/extraBlocks",
            json!(9_223_372_036_854_775_808_u64),
            &["spec.services.office.extraBlocks"],
        ),
        refusal("/spec/services/office/extraBlocks", json!("3"), &["spec.services.office.extraBlocks"]),
        refusal(hostname, json!("Office.example.org"), &["spec.services.office.hostname"]),
        refusal(hostname, json!("localhost"), &["spec.services.office.hostname"]),
        refusal(hostname, json!("office..example.org"), &["spec.services.office.hostname"]),
        refusal(hostname, json!("office.example.org\n"), &["spec.services.office.hostname"]),
        refusal(hostname, json!("*.example.org"), &["spec.services.office.hostname"]),
        refusal(hostname, json!(label), &["spec.services.office.hostname"]),
        refusal("/spec/tariff", Value::Null, &["spec.tariff"]),
        refusal("/spec/displayName", json!(""), &["spec.displayName"]),
        refusal("/spec/language", json!("klingon"), &["spec.language", "\"ca\""]),
        refusal("/spec/domains", json!(["Example.org"]), &["spec.domains"]),
        refusal(
            "/spec/services/others",
            json!([{"name": "office", "template": "radicale", "tier": "1gb"}]),
            &["office, agora and projects are the names of the typed services"],
        ),
        refusal(
            "/spec/managers",
            json!([{"name": "anna", "subject": {"kind": "User", "name": "system:admin"}}]),
            &["names that begin with system: belong to Kubernetes"],
        ),
        refusal("/metadata/name", json!("kube-public"), &["reserved for the cluster itself"]),
        refusal("/metadata/name", json!("commonscloud-system"), &["reserved for the cluster itself"]),
        refusal("/metadata/name", json!("with.dot"), &["metadata.name", "at most 30"]),
        refusal("/metadata/name", json!("1numbered"), &["metadata.name", "beginning with a letter"]),
        refusal("/metadata/name", json!(long), &["metadata.name", "at most 30"]),
    ];
    all_refused(&tier, &good, refusals).await
}

async fn malformed_tariffs(tier: Arc<ControlPlane>) -> Outcome {
    let good = tariff("malformed");
    let refusals = vec![
        refusal("/spec/currency", json!("euro"), &["spec.currency", "^[A-Z]{3}$"]),
        refusal("/spec/tiers/0/price", json!("-5.00"), &["spec.tiers[0].price"]),
        refusal("/spec/tiers/0/price", json!("5,00"), &["spec.tiers[0].price"]),
        refusal("/spec/tiers/0/price", json!(5), &["price: expected string"]),
        refusal("/spec/tiers/0/storage", json!("-1Gi"), &["spec.tiers[0].storage"]),
        refusal("/spec/tiers/0/storage", json!("0"), &["spec.tiers[0].storage"]),
        refusal("/spec/tiers", json!([]), &["spec.tiers"]),
        refusal("/spec/extraBlock/maximum", json!(1001), &["spec.extraBlock.maximum", "less than or equal to 1000"]),
    ];
    all_refused(&tier, &good, refusals).await
}

async fn malformed_growth(tier: Arc<ControlPlane>) -> Outcome {
    let mut good = template::builtin().into_iter().next().map(|office| json!(office)).unwrap_or_default();
    good["metadata"]["name"] = json!("malformed");
    let volumes = good["spec"]["volumes"].as_array().cloned().unwrap_or_default();
    ensure!(
        volumes.len() == 3 && volumes[0]["carriesQuota"] == true && volumes[2]["growth"].is_object(),
        "the office has other volumes by now: {volumes:?}"
    );
    let refusals = vec![
        refusal(
            "/spec/volumes/0/growth",
            json!({"maximum": "quota"}),
            &["spec.volumes[0]", "whose size is what is sold"],
        ),
        refusal("/spec/volumes/2/growth/maximum", json!(""), &["spec.volumes[2].growth.maximum"]),
        refusal("/spec/volumes/2/growth", json!({}), &["spec.volumes[2].growth.maximum", "Required"]),
        refusal(
            "/spec/volumes/2/growth/whenFreeBelowPercent",
            json!(4),
            &["growth.whenFreeBelowPercent", "greater than or equal to 5"],
        ),
        refusal(
            "/spec/volumes/2/growth/whenFreeBelowPercent",
            json!(51),
            &["growth.whenFreeBelowPercent", "less than or equal to 50"],
        ),
        refusal(
            "/spec/volumes/2/growth/stepPercent",
            json!(19),
            &["growth.stepPercent", "greater than or equal to 20"],
        ),
        refusal("/spec/volumes/2/growth/stepPercent", json!(101), &["growth.stepPercent", "less than or equal to 100"]),
    ];
    all_refused(&tier, &good, refusals).await
}

async fn another_platform(tier: Arc<ControlPlane>) -> Outcome {
    let platform = object("Platform", "second", json!({"baseDomain": "example.org"}));
    let message = tier.cluster.kubectl.refused(&platform).await?;
    ensure!(message.contains("there is one Platform, named default"), "{message}");
    Ok(())
}

async fn unknown_field(tier: Arc<ControlPlane>) -> Outcome {
    let wrong = with(manifests::entity_with_office("misspelt"), "/spec/services/office/extraBlock", json!(3));
    let message = tier.cluster.kubectl.refused(&wrong).await?;
    ensure!(message.contains(".spec.services.office.extraBlock: field not declared"), "{message}");
    Ok(())
}
