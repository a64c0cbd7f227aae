//! What a Tariff and the Platform may not be, and what may not change once it is there.

use std::sync::Arc;

use commonscloud_e2e::manifests::{TARIFF, entity, tariff};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure};
use serde_json::{Value, json};

use super::table::{Row, Table, hold, row};
use super::watch::Running;
use super::with;
use crate::tier::{ControlPlane, READY, platform};

const NAME: &str = "refused-tariff";

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a faulty tariff is refused by every door, and a sound one can be added to, never changed or removed",
            refused,
        ),
        Scenario::new("a tariff that an entity names is not deleted, and goes once none does", in_use),
        Scenario::new("a faulty platform is refused by every door, and so is a second one", refused_platform),
    ]
}

/// The Tariff without a fault, and the faults.
pub fn table() -> Table {
    Table { base: tariff(NAME), rows: [malformed(), transitions()].concat() }
}

fn malformed() -> Vec<Row> {
    let price = "/spec/tiers/0/price";
    let storage = "/spec/tiers/0/storage";
    let maximum = "/spec/extraBlock/maximum";
    let at_most = &["spec.tiers[0].storage", "at most 1Pi"];
    let block = &["spec.extraBlock.storage", "at most 1Pi"];
    let rows = vec![
        row("no currency", "/spec/currency", json!("euro"), json!("USD"), &["spec.currency", "for example EUR"]),
        row("negative price", price, json!("-5.00"), json!("6.00"), &["spec.tiers[0].price"]),
        row("price with a comma", price, json!("5,00"), json!("5.5"), &["spec.tiers[0].price"]),
        row("price as a number", price, json!(5), json!("5"), &["price"]),
        row("negative storage", storage, json!("-1Gi"), json!("2Gi"), &["spec.tiers[0].storage"]),
        row("no storage", storage, json!("0"), json!("2Gi"), &["spec.tiers[0].storage"]),
        row("storage that overflows", storage, json!("999999999Ti"), json!("1024Ti"), at_most),
        row("block that overflows", "/spec/extraBlock/storage", json!("1025Ti"), json!("1Ti"), block),
        row("no tiers", "/spec/tiers", json!([]), json!([{"name": "a", "storage": "1Gi"}]), &["spec.tiers"]),
        row("two tiers of one name", "/spec/tiers", twice("a", "a"), twice("a", "b"), &["tiers", "uplicate"]),
        row(
            "too many blocks",
            maximum,
            json!(1001),
            json!(1000),
            &["spec.extraBlock.maximum", "less than or equal to 1000"],
        ),
    ];
    rows.into_iter().map(Row::of_new).collect()
}

fn twice(first: &str, second: &str) -> Value {
    json!([{"name": first, "storage": "1Gi"}, {"name": second, "storage": "1Gi"}])
}

fn transitions() -> Vec<Row> {
    let tiers = |base: &Value| base["spec"]["tiers"].as_array().cloned().unwrap_or_default();
    let all = tiers(&tariff(NAME));
    let without: Vec<Value> = all.iter().skip(1).cloned().collect();
    let mut with_more = all.clone();
    with_more.push(json!({"name": "100gb", "storage": "100Gi"}));
    let changed: &[_] = &["tiers: a tier cannot be changed", "make a new Tariff"];
    let removed: &[_] = &["tiers: a tier cannot be removed", "make a new Tariff"];
    let block: &[_] = &["extraBlock: cannot be changed", "make a new Tariff"];
    let no_block: &[_] = &["extraBlock: cannot be removed", "make a new Tariff"];
    let currency: &[_] = &["currency: cannot be changed", "make a new Tariff"];
    let price = "/spec/tiers/0/price";
    let unpriced = "/spec/tiers/3/price";
    let block_price = "/spec/extraBlock/price";
    let sound_block = all_of_block();
    let rows = vec![
        row("changed price", price, json!("6.00"), json!("5.00"), changed),
        row("price taken away", price, Value::Null, json!("5.00"), changed),
        row("price of what had none", unpriced, json!("0.00"), Value::Null, changed),
        row("changed size", "/spec/tiers/0/storage", json!("2Gi"), json!("1Gi"), changed),
        row("tier removed", "/spec/tiers", json!(without), json!(with_more), removed),
        row("changed currency", "/spec/currency", json!("USD"), json!("EUR"), currency),
        row("changed price of a block", block_price, json!("1.00"), json!("5.00"), block),
        row("price of a block taken away", block_price, Value::Null, json!("5.00"), block),
        row("block removed", "/spec/extraBlock", Value::Null, sound_block, no_block),
    ];
    rows.into_iter().map(Row::of_change).collect()
}

fn all_of_block() -> Value {
    tariff(NAME)["spec"]["extraBlock"].clone()
}

async fn refused(tier: Arc<ControlPlane>) -> Outcome {
    let table = table();
    table.founded(&tier).await?;
    hold(&tier, &[table], vec![Running::Object("Tariff", NAME.to_owned())]).await
}

async fn in_use(tier: Arc<ControlPlane>) -> Outcome {
    let name = "tariff-in-use";
    let mut manifest = entity(name, json!({}));
    manifest["spec"]["tariff"] = json!(name);
    tier.cluster.applied(&[tariff(name)]).await?;
    tier.running(&manifest).await?;
    let kubectl = &tier.cluster.kubectl;
    eventually("its deletion is refused", READY, async || {
        let answer = kubectl.run(&["delete", "tariff", name, "--dry-run=server"], None).await?;
        let says = format!("Tariff {name} is in use; name another in spec.tariff of its Entities first");
        ensure!(!answer.success && answer.stderr.contains(&says), "{} {}", answer.stdout, answer.stderr);
        Ok(())
    })
    .await?;
    manifest["spec"]["tariff"] = json!(TARIFF);
    tier.cluster.applied(&[manifest]).await?;
    eventually("it goes", READY, async || kubectl.ok(&["delete", "tariff", name]).await.map(drop)).await
}

/// The Platform that all scenarios share is only ever asked for, never changed.
async fn refused_platform(tier: Arc<ControlPlane>) -> Outcome {
    let pattern = "/spec/hostnamePattern";
    let sound = json!("{service}.{entity}.{baseDomain}");
    let needed = &["spec.hostnamePattern", "must hold {entity} and {service} and end in {baseDomain}"];
    let domain = json!("other.commonscloud.test");
    let class = "/spec/exposure/ingressClass";
    let image = |how: Value| {
        let mut image = json!({"template": "office", "image": "redis"});
        how.as_object().into_iter().flatten().for_each(|(field, value)| image[field] = value.clone());
        json!([image])
    };
    let (mirror, tagged) = ("registry.example/redis", "registry.example/redis:7");
    let both = image(json!({"mirror": mirror, "reference": tagged}));
    let one = &["spec.images[0]", "set one of mirror", "versions", "reference"];
    let repository = &["spec.images[0].mirror", "a repository without tag and digest"];
    let (sound_mirror, of_mirror) = (image(json!({"mirror": mirror})), image(json!({"mirror": tagged})));
    let rows = vec![
        row("image by two ways", "/spec/images", both, sound_mirror.clone(), one),
        row("image by no way", "/spec/images", image(json!({})), sound_mirror.clone(), one),
        row("mirror with a tag", "/spec/images", of_mirror, sound_mirror, repository),
        row("malformed base domain", "/spec/baseDomain", json!("Other"), domain, &["spec.baseDomain"]),
        row("pattern without the entity", pattern, json!("{service}.{baseDomain}"), sound, needed),
        row(
            "cluster range that is none",
            "/spec/network",
            json!({"clusterRanges": ["10.42.0.0"]}),
            json!({"clusterRanges": ["10.42.0.0/16"]}),
            &["network.clusterRanges: each must be an address range, for example 10.42.0.0/16"],
        ),
        row(
            "proxy that is no block",
            "/spec/exposure/trustedProxies",
            json!(["10.0.0.0/8", "ingress"]),
            json!(["10.0.0.0/8"]),
            &["exposure.trustedProxies: each must be an address range, for example 100.64.0.0/10"],
        ),
        row(
            "port that is none",
            "/spec/network",
            json!({"ports": {"public": [0]}}),
            json!({"ports": {"public": [443, 8443]}}),
            &["spec.network.ports.public"],
        ),
        row("no class for the ingress", class, json!(""), json!("other"), &["spec.exposure.ingressClass"]),
    ];
    let table = Table { base: platform(), rows: rows.into_iter().map(Row::of_change).collect() };
    hold(&tier, &[table], vec![Running::Object("Platform", "default".to_owned())]).await?;
    let second = with(platform(), "/metadata/name", json!("second"));
    let message = tier.cluster.kubectl.refused(&second).await?;
    ensure!(message.contains("metadata.name: there is one Platform, named default"), "{message}");
    Ok(())
}
