//! What runs, before and after: not even a resourceVersion may differ.

use std::collections::BTreeMap;
use std::time::Duration;

use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::objects::{Kinds, differences};
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, resources};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client};
use serde_json::Value;

use crate::tier::ControlPlane;

/// An Entity that has no part in any fault; all refusals watch the same one.
pub const BYSTANDER: &str = "bystander";
/// The domain of its own that it serves at.
pub const BYSTANDER_DOMAIN: &str = "bystander.example";

/// Something that runs.
#[derive(Debug, Clone)]
pub enum Running {
    /// An Entity, its namespace and all that is in it.
    Entity(String),
    /// A namespace of no Entity and all that is in it.
    Namespace(String),
    /// The children of one instance: `namespace`, `name`.
    Children(String, String),
    /// One object of the project's in no namespace: `kind`, `name`.
    Object(&'static str, String),
}

/// Objects by place, as they were.
pub struct Watch {
    kinds: Kinds,
    running: Vec<Running>,
    seen: BTreeMap<String, Value>,
}

impl Watch {
    /// Remembers everything as it is once it has come to rest, the bystander included.
    ///
    /// # Errors
    /// When it does not come to rest.
    pub async fn over(tier: &ControlPlane, mut running: Vec<Running>) -> Outcome<Self> {
        tier.running(&bystander()).await?;
        running.push(Running::Entity(BYSTANDER.to_owned()));
        let kinds = Kinds::discover(&tier.cluster.client).await?;
        let mut watch = Self { kinds, running, seen: BTreeMap::new() };
        let mut same = 0;
        eventually("all that runs comes to rest", Duration::from_secs(30), async || {
            let now = watch.look(tier).await?;
            same = if now == watch.seen { same + 1 } else { 0 };
            let lines = differences(&watch.seen, &now);
            watch.seen = now;
            ensure!(same == 3, "{}", lines.join("\n"));
            Ok(())
        })
        .await?;
        ensure!(!watch.seen.is_empty(), "there is nothing to watch");
        Ok(watch)
    }

    /// What is not as it was, one line each.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn touched(&self, tier: &ControlPlane) -> Outcome<Vec<String>> {
        let lines = differences(&self.seen, &self.look(tier).await?);
        Ok(lines.into_iter().map(|line| format!("touched what runs: {line}")).collect())
    }

    async fn look(&self, tier: &ControlPlane) -> Outcome<BTreeMap<String, Value>> {
        let client = &tier.cluster.client;
        let mut seen = BTreeMap::new();
        for running in &self.running {
            match running {
                Running::Entity(name) => {
                    seen.insert(format!("Entity/{name}"), serde_json::to_value(tier.entities().get(name).await?)?);
                    seen.extend(self.namespace(client, name).await?);
                }
                Running::Namespace(name) => seen.extend(self.namespace(client, name).await?),
                Running::Children(namespace, instance) => {
                    let own = |object: &Value| {
                        object["metadata"]["labels"]["commonscloud.coop/instance"] == instance.as_str()
                    };
                    seen.extend(placed(namespace, self.kinds.all(client, namespace).await?, own));
                }
                Running::Object(kind, name) => {
                    let object = resources::ours(client, kind).get(name).await?;
                    seen.insert(format!("{kind}/{name}"), still(serde_json::to_value(object)?));
                }
            }
        }
        Ok(seen)
    }

    async fn namespace(&self, client: &Client, name: &str) -> Outcome<BTreeMap<String, Value>> {
        let namespace = serde_json::to_value(Api::<Namespace>::all(client.clone()).get(name).await?)?;
        let all = placed(name, self.kinds.all(client, name).await?, |_| true);
        Ok(all.chain([(format!("Namespace/{name}"), namespace)]).collect())
    }
}

fn placed(
    namespace: &str,
    objects: BTreeMap<String, Value>,
    keep: impl Fn(&Value) -> bool,
) -> impl Iterator<Item = (String, Value)> {
    let kept: Vec<_> = objects.into_iter().filter(|(_, object)| keep(object)).collect();
    kept.into_iter().map(move |(key, object)| (format!("{namespace}: {key}"), still(object)))
}

/// Without what changes by itself: when a CronJob last ran, and what the Platform lists of other scenarios.
fn still(mut object: Value) -> Value {
    if object["kind"] == "CronJob" || object["kind"] == "Platform" {
        object["status"] = Value::Null;
        object["metadata"]["resourceVersion"] = Value::Null;
        object["metadata"]["managedFields"] = Value::Null;
    }
    object
}

fn bystander() -> Value {
    let mut entity = entity_with(BYSTANDER, "radicale");
    entity["spec"]["domains"] = serde_json::json!([BYSTANDER_DOMAIN]);
    entity["spec"]["services"]["others"][0]["hostname"] = serde_json::json!(format!("site.{BYSTANDER_DOMAIN}"));
    entity
}
