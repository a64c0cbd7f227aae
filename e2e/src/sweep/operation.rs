//! What is done to an Entity while something goes wrong: what goes before, the act, and how its end
//! is told.

use std::fmt;
use std::time::Duration;

use commonscloud_operator::template;
use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::ensure;
use crate::failure::{Failure, Outcome};
use crate::manifests::{entity, entity_with, entity_with_office};
use crate::resources;
use crate::wait::{eventually, gone, ready};

/// What is done to an Entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// An Entity with an office is made.
    Create,
    /// The office gets another host name.
    Change,
    /// The office gets a larger tier.
    Grow,
    /// The template of a service gets a new revision, which is rolled out by itself.
    Revise,
    /// The Entity is deleted.
    Delete,
    /// An Entity that was deleted is applied again.
    Adopt,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Create, Self::Change, Self::Grow, Self::Revise, Self::Delete, Self::Adopt];

    /// One word, of which names are made.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Change => "change",
            Self::Grow => "grow",
            Self::Revise => "revise",
            Self::Delete => "delete",
            Self::Adopt => "adopt",
        }
    }

    /// What must be there before.
    ///
    /// # Errors
    /// When it does not come about within `limit`.
    pub async fn prepare(self, cluster: &Cluster, name: &str, limit: Duration) -> Outcome {
        match self {
            Self::Create => return Ok(()),
            Self::Change | Self::Grow | Self::Delete | Self::Adopt => {
                cluster.applied(&[entity_with_office(name)]).await?;
            }
            Self::Revise => cluster.applied(&[package(cluster, name, "256Mi")?, entity_with(name, name)]).await?,
        }
        ready(&resources::ours(&cluster.client, "Entity"), name, limit).await?;
        if self == Self::Adopt {
            Self::Delete.act(cluster, name).await?;
            Self::Delete.done(cluster, name, limit).await?;
        }
        Ok(())
    }

    /// The act.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub async fn act(self, cluster: &Cluster, name: &str) -> Outcome {
        match self {
            Self::Create | Self::Adopt => cluster.applied(&[entity_with_office(name)]).await,
            Self::Change => cluster.applied(&[moved(name)]).await,
            Self::Grow => cluster.applied(&[entity(name, json!({"office": {"tier": "5gb"}}))]).await,
            Self::Revise => cluster.applied(&[package(cluster, name, "300Mi")?]).await,
            Self::Delete => {
                resources::ours(&cluster.client, "Entity").delete(name, &DeleteParams::background()).await?;
                Ok(())
            }
        }
    }

    /// Waits until what was asked for is so.
    ///
    /// # Errors
    /// What is not, when `limit` has passed.
    pub async fn done(self, cluster: &Cluster, name: &str, limit: Duration) -> Outcome {
        if self == Self::Delete {
            return gone(&resources::ours(&cluster.client, "Entity"), name, limit).await;
        }
        ready(&resources::ours(&cluster.client, "Entity"), name, limit).await?;
        let Some((kind, object, at, wanted)) = self.shows(name) else { return Ok(()) };
        let (group, version) = kind.0.split_once('/').unwrap_or(("", kind.0));
        let api = resources::any_in(&cluster.client, group, version, kind.1, name).await?;
        eventually(&format!("{} {object} shows {wanted}", kind.1), limit, async || {
            let seen = serde_json::to_value(api.get(object).await?)?;
            ensure!(seen.pointer(at) == Some(&wanted), "{at} is {}", seen.pointer(at).unwrap_or(&Value::Null));
            Ok(())
        })
        .await?;
        ready(&resources::ours(&cluster.client, "Entity"), name, limit).await.map(drop)
    }

    /// By what the act is seen in a child: kind, name, path and value.
    fn shows(self, name: &str) -> Option<((&'static str, &'static str), &'static str, &'static str, Value)> {
        match self {
            Self::Create | Self::Delete | Self::Adopt => None,
            Self::Change => {
                Some((("networking.k8s.io/v1", "Ingress"), "office-app", "/spec/rules/0/host", json!(host(name))))
            }
            Self::Grow => Some((
                ("v1", "PersistentVolumeClaim"),
                "office-data",
                "/spec/resources/requests/storage",
                json!("5217Mi"),
            )),
            Self::Revise => Some((
                ("apps/v1", "Deployment"),
                "site-app",
                "/spec/template/spec/containers/0/resources/limits/memory",
                json!("300Mi"),
            )),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create an office",
            Self::Change => "change a host name",
            Self::Grow => "grow a volume",
            Self::Revise => "new revision",
            Self::Delete => "delete",
            Self::Adopt => "adopt kept data",
        })
    }
}

fn host(name: &str) -> String {
    format!("office.{name}.example")
}

fn moved(name: &str) -> Value {
    let mut moved = entity(name, json!({"office": {"tier": "1gb", "hostname": host(name)}}));
    moved["spec"]["domains"] = json!([format!("{name}.example")]);
    moved
}

/// A template of its own for each Entity, so that a new revision concerns no other.
fn package(cluster: &Cluster, name: &str, memory: &str) -> Outcome<Value> {
    let file = cluster.programs.source.join("examples/templates/radicale.yaml");
    let mut package = serde_json::to_value(template::load_directory(&file)?)?;
    package["metadata"]["name"] = json!(name);
    let limit = package.pointer_mut("/spec/components/0/resources/limits/memory");
    *limit.ok_or_else(|| Failure::new("radicale has no memory limit"))? = json!(memory);
    Ok(package)
}
