//! Each leaf of a spec has a case that shows what its change does to the running objects, or the
//! refusal; a leaf without a case fails, and so does a case without a leaf.
//!
//! | module | what lives there |
//! |---|---|
//! | `walk` | the leaves, from the CRDs' own schemas |
//! | `case` | a case: one leaf changed, what shows the difference |
//! | `live`, `planned` | cases on a real API server; cases that need none |
//! | `instances`, `entity`, `platform`, `template`, `operations`, `fixed` | the tables, kind by kind |
//! | `backup`, `collectives` | the same, of all kinds that are about backups, and about people |

mod backup;
mod case;
mod collectives;
mod entity;
mod fixed;
mod instances;
mod live;
mod operations;
mod planned;
mod platform;
mod template;
mod walk;

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::Arc;

use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template::{builtin, load_directory};
use kube::api::DeleteParams;
use serde_json::{Value, json};

use case::{Case, Proof};
use live::Stage;

use crate::tier::{self, ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        // While the cluster is empty: it concerns every instance there is.
        Scenario::new("each leaf of the platform makes a difference", of_platform).first(),
        Scenario::new("each leaf of a spec has a case, and each case a leaf", |tier| ready(complete(&tier))),
        Scenario::new("each leaf of an office makes a difference, by its entity and by hand", |tier| {
            of_service(tier, 0)
        }),
        Scenario::new("each leaf of an agora makes a difference, by its entity and by hand", |tier| {
            of_service(tier, 1)
        }),
        Scenario::new("each leaf of projects makes a difference, by their entity and by hand", |tier| {
            of_service(tier, 2)
        }),
        Scenario::new("each leaf of any other service makes a difference, by its entity and by hand", |tier| {
            of_service(tier, 3)
        }),
        Scenario::new("each leaf of an entity makes a difference", |tier| played(tier, entity::stage())),
        Scenario::new("each leaf of a package makes a difference, or is refused", of_package),
        Scenario::new("each leaf of a tariff and of a revision stays as it is", of_fixed),
        Scenario::new("each leaf of a record is the operator's", of_record),
        Scenario::new("each leaf of a run and of a restore stays as it was asked for", of_asked),
        Scenario::new(
            "each leaf of a collective, an access, a history and a request to leave is its writer's",
            of_people,
        ),
        Scenario::new("a paused instance is left alone, and says what waits", paused),
    ]
}

/// The package of a service: compiled in, or the example.
fn package_of(tier: &ControlPlane, name: &str) -> Outcome<ServiceTemplate> {
    let found = builtin().into_iter().find(|template| template.metadata.name.as_deref() == Some(name));
    let example = || load_directory(&tier.cluster.programs.source.join(format!("examples/templates/{name}.yaml")));
    Ok(found.map_or_else(example, Ok)?)
}

/// Every case there is.
fn all_cases(tier: &ControlPlane) -> Outcome<Vec<Case>> {
    let mut cases = entity::stage().cases;
    for service in &instances::SERVICES {
        cases.extend(
            instances::stages(service, &package_of(tier, service.template)?)?.into_iter().flat_map(|s| s.cases),
        );
    }
    cases.extend(platform::cases(&Value::Null));
    cases.extend(planned::of_platform());
    cases.extend(backup::planned());
    cases.extend(backup::of_runs());
    cases.extend(backup::of_restores());
    cases.extend(backup::of_consents());
    cases.extend(collectives::of_collectives());
    cases.extend(collectives::of_accesses());
    cases.extend(collectives::of_histories());
    cases.extend(collectives::of_requests());
    cases.extend(template::planned()?);
    cases.extend(operations::cases());
    cases.extend(template::exceptions());
    cases.extend([fixed::tariffs(), fixed::revisions()].into_iter().flat_map(|stage| stage.cases));
    cases.extend(fixed::of_records());
    Ok(cases)
}

fn complete(tier: &ControlPlane) -> Outcome {
    let leaves = walk::leaves(&tier.cluster.programs.source.join("crds"))?;
    let cases = all_cases(tier)?;
    let covered: BTreeSet<String> = cases.iter().map(Case::leaf).collect();
    let mut faults: Vec<String> = Vec::new();
    faults.extend(leaves.difference(&covered).map(|leaf| format!("no case shows what {leaf} does")));
    faults.extend(covered.difference(&leaves).map(|leaf| format!("there is a case for {leaf}, and no such leaf")));
    let empty = |case: &&Case| match &case.proof {
        Proof::Shows(sees) => sees.is_empty(),
        Proof::Refused(words) => words.is_empty(),
    };
    faults.extend(cases.iter().filter(empty).map(|case| format!("the case for {} shows nothing", case.leaf())));
    none(faults)
}

fn none(faults: Vec<String>) -> Outcome {
    ensure!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    Ok(())
}

async fn played(tier: Arc<ControlPlane>, stage: Stage) -> Outcome {
    stage.set(&tier).await?;
    none(stage.play(&tier).await)
}

async fn of_service(tier: Arc<ControlPlane>, service: usize) -> Outcome {
    let service = &instances::SERVICES[service];
    let [made, by_hand] = instances::stages(service, &package_of(&tier, service.template)?)?;
    made.set(&tier).await?;
    by_hand.set(&tier).await?;
    let (mut faults, more) = futures::join!(made.play(&tier), by_hand.play(&tier));
    faults.extend(more);
    none(faults)
}

async fn of_package(tier: Arc<ControlPlane>) -> Outcome {
    let mut cases = template::planned()?;
    cases.extend(operations::cases());
    cases.extend(planned::of_platform());
    cases.extend(backup::planned());
    let mut faults = planned::World::new()?.play(&cases);
    let stage = template::refused_at_admission()?;
    stage.set(&tier).await?;
    faults.extend(stage.play(&tier).await);
    none(faults)
}

async fn of_fixed(tier: Arc<ControlPlane>) -> Outcome {
    let mut faults = Vec::new();
    for stage in [fixed::tariffs(), fixed::revisions()] {
        stage.set(&tier).await?;
        faults.extend(stage.play(&tier).await);
    }
    none(faults)
}

async fn of_asked(tier: Arc<ControlPlane>) -> Outcome {
    let mut faults = Vec::new();
    let user = tier.cluster.user().await?;
    for stage in backup::asked(&user) {
        stage.set(&tier).await?;
        faults.extend(stage.play(&tier).await);
    }
    none(faults)
}

async fn of_people(tier: Arc<ControlPlane>) -> Outcome {
    let mut faults = Vec::new();
    for stage in collectives::stages(&tier.cluster.user().await?) {
        stage.set(&tier).await?;
        // Once more, as a change: what judges changes has found its Collective then.
        stage.set(&tier).await?;
        faults.extend(stage.play(&tier).await);
    }
    none(faults)
}

async fn of_record(tier: Arc<ControlPlane>) -> Outcome {
    fixed::before_records().set(&tier).await?;
    let services = live::api(&tier, "DedicatedService", fixed::OF_RECORDS)?;
    services.delete("kept", &DeleteParams::default()).await?;
    let records = live::api(&tier, "ServiceData", fixed::OF_RECORDS)?;
    let record = eventually("the record has its date", READY, async || {
        let record = serde_json::to_value(records.get("kept").await?)?;
        ensure!(record["spec"]["keepUntil"].is_string(), "{record}");
        Ok(json!({
            "apiVersion": record["apiVersion"], "kind": record["kind"], "spec": record["spec"],
            "metadata": {"name": "kept", "namespace": fixed::OF_RECORDS},
        }))
    })
    .await?;
    none(fixed::records(record).play(&tier).await)
}

async fn of_platform(tier: Arc<ControlPlane>) -> Outcome {
    let ended = platform_played(&tier).await;
    // Others need theirs, whatever happened.
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["delete", "entity", platform::NAME, "--ignore-not-found", "--wait=false"]).await?;
    kubectl.ok(&["delete", "platform", "default", "--ignore-not-found"]).await?;
    tier.cluster.applied(&[tier::platform()]).await?;
    ended
}

async fn platform_played(tier: &ControlPlane) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    let classes = kubectl.ok(&["get", "storageclasses", "-o", "json"]).await?;
    let classes: Value = serde_json::from_str(&classes)?;
    let mut class = classes["items"][0].clone();
    class["metadata"] = json!({"name": platform::CLASS});
    let radicale = package_of(tier, "radicale")?;
    tier.cluster.applied(&[class]).await?;
    let stage = platform::stage(platform::rollout(&radicale, "3", &[]));
    stage.set(tier).await?;
    let newer = platform::rollout(&radicale, "4", &["3"]);
    live::apply(tier, &newer).await?;
    let templates = live::api(tier, "ServiceTemplate", "")?;
    eventually("the template has its newer revision", READY, async || {
        let template = serde_json::to_value(templates.get(platform::TEMPLATE).await?)?;
        ensure_eq!(template["status"]["observedGeneration"], template["metadata"]["generation"], "looked at");
        Ok(())
    })
    .await?;
    none(stage.play(tier).await)
}

/// A change meets a paused office: nothing is done, which its status says; then it goes on.
async fn paused(tier: Arc<ControlPlane>) -> Outcome {
    let name = "leaves-paused";
    let office = |paused: bool, blocks: u32| {
        commonscloud_e2e::manifests::entity(
            name,
            json!({"office": {"tier": "1gb", "paused": paused, "extraBlocks": blocks}}),
        )
    };
    tier.running(&office(false, 0)).await?;
    let offices = live::api(&tier, "DedicatedOffice", name)?;
    let claims = live::api(&tier, "PersistentVolumeClaim", name)?;
    tier.cluster.applied(&[office(true, 1)]).await?;
    eventually("the office says that it is paused and what waits", READY, async || {
        let office = serde_json::to_value(offices.get("office").await?)?;
        let says = |kind: &str, status: &str| {
            condition(&office, kind).is_some_and(|c| {
                c["status"] == status
                    && c["message"].as_str().is_some_and(|m| m.contains("PersistentVolumeClaim office-data"))
            })
        };
        ensure!(says("Paused", "True") && says("Ready", "False"), "{}", conditions(&office));
        ensure_eq!(office["status"]["quota"], json!("1Gi"), "what is reported as applied");
        ensure_eq!(office["status"]["observedGeneration"], office["metadata"]["generation"], "looked at");
        Ok(())
    })
    .await?;
    let request = async || {
        let claim = serde_json::to_value(claims.get("office-data").await?)?;
        Ok::<_, Failure>(claim["spec"]["resources"]["requests"]["storage"].clone())
    };
    ensure_eq!(request().await?, json!("1121Mi"), "the volume of a paused office");
    tier.running(&office(false, 1)).await?;
    ensure_eq!(request().await?, json!("2145Mi"), "the volume of the office that goes on");
    let office = serde_json::to_value(offices.get("office").await?)?;
    ensure!(condition(&office, "Paused").is_none(), "{}", conditions(&office));
    Ok(())
}
