//! `rollout.strategy: Automatic`: a new revision reaches the services of a template a few at a time,
//! and a bad one stops at the first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, is_ready, revision};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};

use crate::tier::{self, ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        // The Platform is everybody's: on a cluster aside.
        Scenario::new("a new revision reaches six services one after the other, and a bad one stops at the first", six)
            .apart(),
    ]
}

/// The Entity, and the template that its services are made from.
const NAME: &str = "rollout";
const SERVICES: usize = 6;
/// What no node has.
const TOO_MUCH: &str = "900Ti";
/// How long nobody may follow a service that is not Ready.
const STAYS: Duration = Duration::from_secs(5);

async fn six(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let ended = one_after_the_other(&tier).await;
    tier.cluster.kubectl.ok(&["delete", "entity", NAME, "--ignore-not-found", "--wait=false"]).await?;
    tier.cluster.applied(&[tier::platform()]).await?;
    ended
}

async fn one_after_the_other(tier: &ControlPlane) -> Outcome {
    tier.cluster.applied(&[package(tier, "1Mi")?, automatic(1)]).await?;
    let names: Vec<String> = (0..SERVICES).map(|number| format!("site-{number}")).collect();
    let others: Vec<Value> = names.iter().map(|name| json!({"name": name, "template": NAME, "tier": "1gb"})).collect();
    tier.running(&entity(NAME, json!({"others": others}))).await?;
    let client = &tier.cluster.client;
    let services = resources::ours_in(client, "DedicatedService", NAME);

    // A good one reaches all, never two at a time.
    let first = revision(client, NAME, None, READY).await?;
    tier.cluster.applied(&[package(tier, "2Mi")?]).await?;
    let second = revision(client, NAME, Some(&first), READY).await?;
    all_on(&services, &second, 1).await?;

    // A bad one stops at the first, which says so, as do those that wait for it.
    tier.cluster.applied(&[package(tier, TOO_MUCH)?]).await?;
    let bad = revision(client, NAME, Some(&second), READY).await?;
    let held = eventually("one holds the roll-out up", READY, async || {
        let all = looked_at(&services).await?;
        let held = all.iter().find(|(_, service)| condition(service, "HoldsRollout").is_some());
        let (name, service) = held.ok_or_else(|| Failure::new("nobody does"))?;
        ensure_eq!(service["status"]["revision"], json!(bad), "revision of {name}");
        Ok(name.clone())
    })
    .await?;
    // Its pod is refused a moment after it was begun.
    eventually("the others wait for it", READY, async || stopped(&looked_at(&services).await?, &held, &second)).await?;
    let begun = Instant::now();
    while begun.elapsed() < STAYS {
        stopped(&looked_at(&services).await?, &held, &second)?;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    // The next one mends it, and reaches all.
    tier.cluster.applied(&[package(tier, "3Mi")?]).await?;
    let mended = revision(client, NAME, Some(&bad), READY).await?;
    all_on(&services, &mended, 1).await?;

    // By two.
    tier.cluster.applied(&[automatic(2), package(tier, "4Mi")?]).await?;
    let last = revision(client, NAME, Some(&mended), READY).await?;
    all_on(&services, &last, 2).await
}

/// The one that moved is not Ready; the others are, on their revision, and say for whom they wait.
fn stopped(all: &BTreeMap<String, Value>, held: &str, before: &str) -> Outcome {
    for (name, service) in all.iter().filter(|(name, _)| *name != held) {
        is_ready(service)?;
        ensure_eq!(service["status"]["revision"], json!(before), "revision of {name}");
        let waits = condition(service, "RevisionPending").ok_or_else(|| Failure::new(conditions(service)))?;
        ensure_eq!((&waits["status"], &waits["reason"]), (&json!("True"), &json!("RevisionWaits")), "{name}");
        let message = waits["message"].as_str().unwrap_or_default();
        ensure!(message.contains(&format!("{NAME}/{held} ")), "{name}: {message}");
    }
    let held = &all[held];
    ensure!(is_ready(held).is_err(), "{}", conditions(held));
    let text = condition(held, "Ready").map(Value::to_string).unwrap_or_default();
    ensure!(text.contains("ephemeral-storage"), "{text}");
    Ok(())
}

/// Waits until all run this revision and are Ready; at no look are more than `most` not Ready.
async fn all_on(services: &Api<DynamicObject>, revision: &str, most: usize) -> Outcome {
    let begun = Instant::now();
    loop {
        let all = looked_at(services).await?;
        let not_ready: Vec<&String> =
            all.iter().filter(|(_, service)| is_ready(service).is_err()).map(|(name, _)| name).collect();
        ensure!(not_ready.len() <= most, "not Ready at once: {not_ready:?}");
        let left: Vec<&String> = all
            .iter()
            .filter(|(_, service)| {
                service["status"]["revision"] != revision || condition(service, "RevisionPending").is_some()
            })
            .map(|(name, _)| name)
            .collect();
        if not_ready.is_empty() && left.is_empty() {
            return Ok(());
        }
        ensure!(begun.elapsed() < 3 * READY, "not on {revision}: {left:?}, not Ready: {not_ready:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn looked_at(services: &Api<DynamicObject>) -> Outcome<BTreeMap<String, Value>> {
    let all = services.list(&ListParams::default()).await?.items;
    ensure_eq!(all.len(), SERVICES, "services");
    all.into_iter().map(|service| Ok((service.name_any(), serde_json::to_value(service)?))).collect()
}

/// A copy of the calendars whose pods ask for so much of what no quota counts.
fn package(tier: &ControlPlane, storage: &str) -> Outcome<Value> {
    let file = tier.cluster.programs.source.join("examples/templates/radicale.yaml");
    let mut copy: ServiceTemplate = template::load_directory(&file)?;
    copy.metadata.name = Some(NAME.to_owned());
    let requests = json!({"cpu": "5m", "memory": "16Mi", "ephemeral-storage": storage});
    let limits = json!({"memory": "16Mi", "ephemeral-storage": TOO_MUCH});
    for component in &mut copy.spec.components {
        component.resources = serde_json::from_value(json!({"requests": requests, "limits": limits}))?;
    }
    Ok(json!(copy))
}

fn automatic(maximum: u32) -> Value {
    let mut platform = tier::platform();
    platform["spec"]["rollout"] = json!({"strategy": "Automatic", "maxUnavailable": maximum});
    platform
}
