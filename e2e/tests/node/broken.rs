//! Running a changed copy of a package, and waiting until it is seen not to become Ready.

use std::time::Duration;

use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::wait::{condition, conditions, eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use commonscloud_operator::api::ServiceTemplate;
use serde_json::{Value, json};

use crate::tier::Node;

/// How long what stops a copy may take to show.
const SHOWS: Duration = Duration::from_mins(4);

/// Service `site`, made from a copy of a package, in an Entity of the copy's name.
pub struct Trial<'a> {
    node: &'a Node,
    name: String,
}

impl<'a> Trial<'a> {
    /// Applies the copy and the Entity.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn begin(node: &'a Node, package: &ServiceTemplate) -> Outcome<Trial<'a>> {
        Self::begin_with(node, package, &json!({})).await
    }

    /// As [`Trial::begin`], and the service has parameters.
    ///
    /// # Errors
    /// When either is refused.
    pub async fn begin_with(node: &'a Node, package: &ServiceTemplate, parameters: &Value) -> Outcome<Trial<'a>> {
        let name = package.metadata.name.clone().unwrap_or_default();
        let mut entity = entity_with(&name, &name);
        entity["spec"]["services"]["others"][0]["parameters"] = parameters.clone();
        node.cluster.applied(&[json!(package), entity]).await?;
        Ok(Self { node, name })
    }

    /// The Entity's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    async fn service(&self) -> Outcome<Value> {
        let services = resources::ours_in(&self.node.cluster.client, "DedicatedService", &self.name);
        Ok(serde_json::to_value(services.get("site").await?)?)
    }

    /// Waits until the service's status says all the words about why it is not Ready, and `evidence`
    /// is there; being Ready meanwhile ends the wait at once.
    ///
    /// # Errors
    /// When the service becomes Ready, or the evidence does not show.
    pub async fn does_not_become_ready(&self, words: &[&str], mut evidence: impl AsyncFnMut() -> Outcome) -> Outcome {
        let mut became_ready = false;
        let what = format!("{} says {words:?}", self.name);
        let shown = eventually(&what, SHOWS, async || {
            let service = self.service().await?;
            became_ready = is_ready(&service).is_ok();
            if became_ready {
                return Ok(());
            }
            let ready = condition(&service, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
            let text = ready["message"].as_str().unwrap_or_default();
            for word in words {
                ensure!(text.contains(word), "no {word:?} in {}", conditions(&service));
            }
            evidence().await
        });
        shown.await?;
        ensure!(!became_ready, "{} became Ready without its guard", self.name);
        ensure!(is_ready(&self.service().await?).is_err(), "{} became Ready after all", self.name);
        self.end().await
    }

    /// Waits until the service is Ready.
    ///
    /// # Errors
    /// Its conditions, when it does not become so.
    pub async fn becomes_ready(&self) -> Outcome {
        let services = resources::ours_in(&self.node.cluster.client, "DedicatedService", &self.name);
        commonscloud_e2e::wait::ready(&services, "site", crate::tier::READY).await.map(drop)
    }

    /// How often the init container of a component has ended and begun again.
    ///
    /// # Errors
    /// When there is no such pod.
    pub async fn restarts(&self, component: &str, container: &str) -> Outcome<i32> {
        let selector = format!("commonscloud.coop/instance=site,app.kubernetes.io/component={component}");
        let pods: Vec<k8s_openapi::api::core::v1::Pod> =
            commonscloud_e2e::wait::list(&self.node.cluster.client, &self.name, &selector).await?;
        let status = pods.iter().filter_map(|pod| pod.status.as_ref());
        let containers = status.flat_map(|status| {
            status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
        });
        let counts = containers.filter(|status| status.name == container).map(|status| status.restart_count);
        counts.max().ok_or_else(|| Failure::new(format!("no container {container} yet")))
    }

    /// Makes room for others.
    ///
    /// # Errors
    /// When the deletion is refused.
    pub async fn end(&self) -> Outcome {
        self.node.discard(&self.name).await
    }
}
