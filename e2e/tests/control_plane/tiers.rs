//! Tiers against tariffs: refused where the Tariff is known, waited for where it is not there yet.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, entity_with_office, namespaced, tariff};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "an unknown tier is refused through apply, patch and replace, with the tiers there are",
            unknown_tier,
        ),
        Scenario::new("more blocks than the tariff sells are refused, with how many there are", too_many_blocks),
        Scenario::new(
            "a service made from an entity is edited there, and the refusal says where",
            edited_in_the_entity,
        ),
        Scenario::new("an entity whose tariff is not there yet waits and says so, then goes on", tariff_comes_later),
        Scenario::new("a tier without a price is called unpriced", unpriced),
    ]
}

/// What every refusal of tier `gold` must say.
fn says_what_there_is(door: &str, message: &str) -> Outcome {
    for words in ["tier", "gold", "1gb", "5gb", "10gb", "50gb"] {
        ensure!(message.contains(words), "{door}: no {words:?} in {message}");
    }
    Ok(())
}

async fn unknown_tier(tier: Arc<ControlPlane>) -> Outcome {
    let name = "gold-digger";
    let kubectl = &tier.cluster.kubectl;
    let golden = entity(name, json!({"office": {"tier": "gold"}}));
    says_what_there_is("apply", &kubectl.refused(&golden).await?)?;
    tier.running(&entity_with_office(name)).await?;
    says_what_there_is("apply of a change", &kubectl.refused(&golden).await?)?;

    let patch = r#"{"spec":{"services":{"office":{"tier":"gold"}}}}"#;
    let patched = kubectl.run(&["patch", "entity", name, "--type", "merge", "-p", patch], None).await?;
    says_what_there_is("patch", &patched.refused("patch")?)?;

    let mut live: Value = serde_json::from_str(&kubectl.ok(&["get", "entity", name, "-o", "json"]).await?)?;
    live["spec"]["services"]["office"]["tier"] = json!("gold");
    let replaced = kubectl.run(&["replace", "-f", "-"], Some(live.to_string().as_bytes())).await?;
    says_what_there_is("replace", &replaced.refused("replace")?)?;

    let other = entity(
        name,
        json!({"office": {"tier": "1gb"}, "others": [{"name": "site", "template": "radicale", "tier": "gold"}]}),
    );
    says_what_there_is("another service", &kubectl.refused(&other).await?)?;

    let by_hand = namespaced("DedicatedOffice", name, "second", json!({"tier": "gold"}));
    says_what_there_is("a Dedicated resource", &kubectl.refused(&by_hand).await?)
}

async fn too_many_blocks(tier: Arc<ControlPlane>) -> Outcome {
    let greedy = entity("greedy", json!({"office": {"tier": "1gb", "extraBlocks": 21}}));
    let message = tier.cluster.kubectl.refused(&greedy).await?;
    for words in ["spec.services.office.extraBlocks", "21", "0 to 20"] {
        ensure!(message.contains(words), "no {words:?} in {message}");
    }
    Ok(())
}

async fn edited_in_the_entity(tier: Arc<ControlPlane>) -> Outcome {
    let name = "edited-there";
    tier.running(&entity_with_office(name)).await?;
    let patch = r#"{"spec":{"extraBlocks":2}}"#;
    let words = ["patch", "-n", name, "dedicatedoffice", "office", "--type", "merge", "-p", patch];
    let message = tier.cluster.kubectl.run(&words, None).await?.refused("an edit by hand")?;
    ensure!(message.contains("edit spec.services.office there: kubectl edit entity edited-there"), "{message}");
    Ok(())
}

async fn tariff_comes_later(tier: Arc<ControlPlane>) -> Outcome {
    let name = "early-bird";
    let mut early = entity_with_office(name);
    early["spec"]["tariff"] = json!("late");
    tier.cluster.kubectl.applied(&[early]).await?;
    eventually("the status names the missing tariff", Duration::from_secs(20), async || {
        let entity = serde_json::to_value(tier.entities().get(name).await?)?;
        let waiting =
            condition(&entity, "Ready").is_some_and(|c| c["status"] == "False" && c["reason"] == "TariffNotFound");
        ensure!(waiting, "{}", conditions(&entity));
        ensure!(
            condition(&entity, "Ready").is_some_and(|c| c["message"].as_str().is_some_and(|m| m.contains("late"))),
            "{}",
            conditions(&entity)
        );
        Ok(())
    })
    .await?;
    tier.cluster.kubectl.applied(&[tariff("late")]).await?;
    ready(&tier.entities(), name, READY).await.map(drop)
}

async fn unpriced(tier: Arc<ControlPlane>) -> Outcome {
    let services = json!({"office": {"tier": "5gb", "extraBlocks": 2}, "others": [{"name": "site", "template": "radicale", "tier": "50gb"}]});
    let entity = tier.running(&entity("half-priced", services)).await?;
    ensure_eq!(
        entity["status"]["price"],
        json!("20.00 EUR + 1 unpriced"),
        "the month's price of 10.00 and two blocks at 5.00"
    );
    ensure_eq!(entity["status"]["storage"], json!("57Gi"), "the quotas of all services");
    let site = tier.cluster.kubectl.ok(&["get", "dedicatedservice", "-n", "half-priced", "site", "-o", "json"]).await?;
    let site: Value = serde_json::from_str(&site).map_err(Failure::from)?;
    ensure_eq!(site["status"]["price"], json!("unpriced"), "the price of a tier without one");
    Ok(())
}
