//! The operator started anew: nothing to do is nothing done, and what happened meanwhile is repaired.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::allowance::{AT_REST, AT_START};
use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, entity_with_office};
use commonscloud_e2e::operator::HostOperator;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure};
use serde_json::{Value, json};

use crate::tier::{ControlPlane, Purpose};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a restart with all healthy lists each kind once, renews its Lease, and asks nothing else for a minute",
            quiet_restart,
        )
        .apart(),
        Scenario::new("an edit made while the operator was down is repaired", edited_while_down).alone(),
    ]
}

/// Waits until the operator has asked for nothing for five seconds.
async fn settled(tier: &ControlPlane) -> Outcome {
    let (quiet, limit) = (Duration::from_secs(5), Duration::from_secs(90));
    tier.cluster.audit.at_rest(USER, quiet, limit, &AT_REST, |_| true).await
}

async fn quiet_restart(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.cluster_for(Purpose::Quiet).await?;
    let size = json!({"tier": "1gb"});
    let others = json!([{"name": "site", "template": "radicale", "tier": "5gb"}]);
    let services = json!({"office": size, "agora": size, "projects": size, "others": others});
    tier.running(&entity("quiet", services)).await?;
    settled(&tier).await?;
    tier.stop_operator().await?;
    let ended = quiet_minute(&tier).await;
    tier.forget_leader().await?;
    tier.start_operator().await?;
    ended
}

/// Of an operator as it is shipped, which asks the kubelets for figures too.
async fn quiet_minute(tier: &ControlPlane) -> Outcome {
    let start = async || HostOperator::start_measuring(&tier.cluster, &tier.kubeconfig(), &tier.log()).await;
    let first = start().await?;
    settled(tier).await?;
    first.stop().await?;
    let mark = tier.cluster.audit.mark()?;
    let second = start().await?;
    // Not a wait for something: a minute in which nothing may happen.
    tokio::time::sleep(Duration::from_mins(1)).await;
    let lines = tier.cluster.audit.requests(mark, USER)?.beyond(&AT_START);
    ensure!(lines.is_empty(), "{}", lines.join("\n"));
    second.stop().await.map(drop)
}

async fn edited_while_down(tier: Arc<ControlPlane>) -> Outcome {
    let name = "edited-while-down";
    tier.running(&entity_with_office(name)).await?;
    let kubectl = &tier.cluster.kubectl;
    let deployments = kubectl.ok(&["get", "deployments", "-n", name, "-o", "json"]).await?;
    let deployments: Value = serde_json::from_str(&deployments)?;
    let before = &deployments["items"][0];
    let app = before["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let services = kubectl.ok(&["get", "services", "-n", name, "-o", "name"]).await?;
    tier.stop_operator().await?;
    let patch = r#"{"spec":{"replicas":0}}"#;
    kubectl.ok(&["patch", "deployment", "-n", name, &app, "--type", "merge", "-p", patch]).await?;
    kubectl.ok(&["delete", "services", "-n", name, "--all"]).await?;
    tier.start_operator().await?;
    eventually("both edits are repaired", Duration::from_secs(30), async || {
        let now: Value =
            serde_json::from_str(&kubectl.ok(&["get", "deployment", "-n", name, &app, "-o", "json"]).await?)?;
        ensure!(now["spec"]["replicas"] == before["spec"]["replicas"], "replicas are {}", now["spec"]["replicas"]);
        let names = kubectl.ok(&["get", "services", "-n", name, "-o", "name"]).await?;
        ensure!(names == services, "services are {names}");
        Ok(())
    })
    .await
}
