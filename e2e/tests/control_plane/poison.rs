//! Objects of built-in kinds that the operator's library cannot read: of a newer release, or with a
//! date beyond its range. A proxy makes them so on their way.

use std::sync::Arc;

use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::operator::{HostOperator, client, redirected};
use commonscloud_e2e::proxy::{Call, Edit, Judge, Proxy, Verdict};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::sweep::Operation;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, Purpose, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "objects of built-in kinds that cannot be read stop nobody else's work, across a restart",
            beside_others,
        )
        .apart(),
    ]
}

/// The Entity whose objects cannot be read.
const POISONED: &str = "poisoned";
/// Another beside it.
const BESIDE: &str = "beside-poison";
/// One that is made while they cannot be read.
const LATER: &str = "later-than-poison";

/// The built-in kinds that a service is made of.
const RESOURCES: [&str; 12] = [
    "configmaps",
    "cronjobs",
    "deployments",
    "events",
    "ingresses",
    "jobs",
    "networkpolicies",
    "persistentvolumeclaims",
    "pods",
    "secrets",
    "services",
    "statefulsets",
];

/// Makes what is read of one Entity unreadable.
struct Poison(Edit);

impl Judge for Poison {
    fn judge(&self, call: &Call) -> Verdict {
        let reads = matches!(call.verb, "get" | "list" | "watch");
        if reads && RESOURCES.contains(&call.resource.as_str()) { Verdict::Edit(self.0.clone()) } else { Verdict::Pass }
    }
}

/// A date that the API server takes and the library does not, and a status of another shape.
fn unreadable(object: &mut Value) {
    if object["metadata"]["namespace"] == POISONED {
        object["metadata"]["creationTimestamp"] = json!("9999-12-31T23:59:59Z");
        object["status"] = json!("of a newer release");
    }
}

async fn beside_others(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.cluster_for(Purpose::Kills).await?;
    tier.cluster.applied(&[entity_with_office(POISONED), entity_with_office(BESIDE)]).await?;
    Operation::Create.done(&tier.cluster, POISONED, READY).await?;
    Operation::Create.done(&tier.cluster, BESIDE, READY).await?;
    tier.stop_operator().await?;
    let ended = poisoned(&tier).await;
    tier.forget_leader().await?;
    tier.start_operator().await?;
    ended
}

async fn poisoned(tier: &ControlPlane) -> Outcome {
    let judge = Arc::new(Poison(Edit::new(unreadable)));
    let proxy = Proxy::open(client(&tier.kubeconfig()).await?, judge).await?;
    let kubeconfig = tier.file("poison.kubeconfig");
    redirected(&tier.kubeconfig(), &proxy.server(), &kubeconfig)?;
    // That it becomes ready is the first half: a list with one object that cannot be read is a list.
    let operator = HostOperator::start(&tier.cluster, &kubeconfig, &tier.log()).await?;
    for (operation, entity) in [(Operation::Change, BESIDE), (Operation::Create, LATER)] {
        operation.act(&tier.cluster, entity).await?;
        let done = operation.done(&tier.cluster, entity, READY).await;
        done.map_err(|failure: Failure| failure.during(&format!("{operation} of {entity}")))?;
    }
    let told = is_told(tier, &operator).await;
    operator.stop().await?;
    told
}

/// The Entity and its office name an object that cannot be read, and the metrics count those of each kind.
async fn is_told(tier: &ControlPlane, operator: &HostOperator) -> Outcome {
    let offices = resources::ours_in(&tier.cluster.client, "DedicatedOffice", POISONED);
    for (api, name) in [(tier.entities(), POISONED), (offices, "office")] {
        eventually(&format!("{name} says what cannot be read"), READY, async || {
            let shown = serde_json::to_value(api.get(name).await?)?;
            let ready = condition(&shown, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
            let message = ready["message"].as_str().unwrap_or_default();
            let names_it = message.contains(&format!(" {POISONED}/")) && message.contains(" cannot be read: ");
            ensure!(ready["status"] == "False" && ready["reason"] == "Undecodable", "{}", conditions(&shown));
            ensure!(names_it, "{}", conditions(&shown));
            Ok(())
        })
        .await?;
    }
    let metrics = operator.get("/metrics").await?;
    for kind in ["ConfigMap", "Deployment", "Ingress", "PersistentVolumeClaim", "Service"] {
        let line = format!("commonscloud_undecodable_objects{{kind=\"{kind}\"}} ");
        let count = metrics.lines().find_map(|told| told.strip_prefix(&line));
        ensure!(count.is_some_and(|count| count != "0"), "{line}is {count:?} in\n{metrics}");
    }
    Ok(())
}
