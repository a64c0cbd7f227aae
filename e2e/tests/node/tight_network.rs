//! A network policy that is too tight is found: the copy does not become Ready.

use std::sync::Arc;

use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::list;
use commonscloud_e2e::{Failure, Outcome, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;

use crate::broken::Trial;
use crate::office::is_ready;
use crate::package::{office_copy, replace};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("without its DNS rule an office does not become ready", no_dns),
        Scenario::new("without its ingress rule an office does not become ready", no_ingress),
    ]
}

async fn no_dns(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "no-dns")?;
    replace(
        &mut package,
        1,
        "    # guard: dns-rule\n    - to: {{ network.dns | json_encode }}\n",
        "    - to: [{ipBlock: {cidr: 192.0.2.1/32}}]\n",
    )?;
    let trial = Trial::begin(&node, &package).await?;
    let cannot_resolve = async || {
        ensure!(node.pods(trial.name(), "site", "db").await?.iter().any(is_ready), "the database is not up yet");
        let selector = "commonscloud.coop/instance=site,app.kubernetes.io/component=app";
        let pods: Vec<Pod> = list(&node.cluster.client, trial.name(), selector).await?;
        let pod = pods.first().ok_or_else(|| Failure::new("no pod yet"))?.name_any();
        let resolve = ["timeout", "15", "getent", "hosts", "site-db"];
        let resolved = node.cluster.kubectl.exec(trial.name(), &pod, "prepare", &resolve).await?;
        ensure!(!resolved.stderr.contains("container not found"), "{}", resolved.stderr);
        ensure!(!resolved.success, "the name was resolved: {}", resolved.stdout);
        let log = node.cluster.kubectl.ok(&["logs", "-n", trial.name(), &pod, "-c", "prepare"]).await?;
        ensure!(log.contains("waiting for the database"), "{log}");
        Ok(())
    };
    trial.does_not_become_ready(&["site-app"], cannot_resolve).await
}

async fn no_ingress(node: Arc<Node>) -> Outcome {
    let mut package = office_copy(&node, "no-ingress")?;
    let rule = "    # guard: ingress-rule\n    - from: {{ network.ingress | json_encode }}\n";
    replace(&mut package, 1, rule, "    - from: [{ipBlock: {cidr: 192.0.2.1/32}}]\n")?;
    let trial = Trial::begin(&node, &package).await?;
    // The kubelet reaches every pod of its node: only the page through the ingress tells.
    let pods_are_ready = async || {
        for component in ["app", "db", "redis"] {
            ensure!(
                node.pods(trial.name(), "site", component).await?.iter().any(is_ready),
                "{component} is not up yet"
            );
        }
        Ok(())
    };
    trial.does_not_become_ready(&["https://"], pods_are_ready).await
}
