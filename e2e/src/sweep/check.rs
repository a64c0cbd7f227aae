//! Whether an operation left with a fault what it leaves without one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use commonscloud_operator::api::GROUP;
use serde_json::Value;

use crate::control_plane::ControlPlane;
use crate::failure::Outcome;
use crate::objects::{Kinds, comparable, differences, treasures};
use crate::proxy::Proxy;
use crate::resources;
use crate::wait::eventually;
use crate::{ensure, ensure_eq};

/// Until what the cluster's own controllers do is done as well.
const SETTLED: Duration = Duration::from_secs(40);

/// What an operation leaves without a fault.
#[derive(Debug, Clone)]
pub struct Undisturbed {
    /// How many requests it takes.
    pub requests: u32,
    /// What there is afterwards.
    pub objects: BTreeMap<String, Value>,
    pods: usize,
    deleted: BTreeSet<String>,
}

/// Where to look.
pub(super) struct Seen<'a> {
    pub(super) tier: &'a ControlPlane,
    pub(super) kinds: &'a Kinds,
    pub(super) proxy: &'a Proxy,
    /// When the act began.
    pub(super) begun: Instant,
}

impl Seen<'_> {
    /// What is there once it stays as it is.
    pub(super) async fn undisturbed(&self, name: &str, requests: u32) -> Outcome<Undisturbed> {
        let mut before = self.objects(name).await?;
        eventually("the objects stay as they are", SETTLED, async || {
            // Not a wait for something: a moment in which nothing may change.
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = self.objects(name).await?;
            let same = now == before;
            before = now;
            ensure!(same, "they change");
            // The garbage collector learns of new kinds within half a minute.
            let going = self.going(name).await?;
            ensure!(going.is_empty(), "still going: {}", going.join(", "));
            Ok(())
        })
        .await?;
        let (pods, deleted) = (self.pods(name).await?, self.deleted(name));
        Ok(Undisturbed { requests, objects: before, pods, deleted })
    }

    /// The same objects as without a fault, what was kept is what it was, and nothing that holds data
    /// was deleted.
    pub(super) async fn same(&self, reference: &Undisturbed, name: &str, kept: &BTreeMap<String, Value>) -> Outcome {
        eventually("the objects are those without a fault", SETTLED, async || {
            let lines = differences(&reference.objects, &self.objects(name).await?);
            ensure!(lines.is_empty(), "{}", lines.join("; "));
            ensure_eq!(self.pods(name).await?, reference.pods, "pods that run");
            Ok(())
        })
        .await?;
        let now = treasures(&self.kinds.all(&self.tier.cluster.client, name).await?);
        for (key, before) in kept {
            ensure!(now.get(key) == Some(before), "{key} is not the one that was there before");
        }
        let deleted = self.deleted(name);
        ensure!(deleted == reference.deleted, "deleted {deleted:?} in place of {:?}", reference.deleted);
        Ok(())
    }

    /// What is being deleted, and what is to be since its owner is gone.
    async fn going(&self, name: &str) -> Outcome<Vec<String>> {
        let client = &self.tier.cluster.client;
        let all = self.kinds.all(client, name).await?;
        let entity = resources::ours(client, "Entity").get_opt(name).await?.and_then(|entity| entity.metadata.uid);
        let uids: BTreeSet<&str> =
            all.values().filter_map(|object| object["metadata"]["uid"].as_str()).chain(entity.as_deref()).collect();
        let is_orphan = |owner: &Value| {
            let is_ours = owner["apiVersion"].as_str().is_some_and(|version| version.starts_with(GROUP));
            is_ours && owner["uid"].as_str().is_some_and(|uid| !uids.contains(uid))
        };
        let is_going = |object: &Value| {
            let metadata = &object["metadata"];
            let owners = metadata["ownerReferences"].as_array();
            !metadata["deletionTimestamp"].is_null() || owners.into_iter().flatten().any(is_orphan)
        };
        Ok(all.iter().filter(|(_, object)| is_going(object)).map(|(key, _)| key.clone()).collect())
    }

    async fn objects(&self, name: &str) -> Outcome<BTreeMap<String, Value>> {
        comparable(&self.kinds.all(&self.tier.cluster.client, name).await?, name)
    }

    async fn pods(&self, namespace: &str) -> Outcome<usize> {
        let running = "--field-selector=status.phase=Running";
        let pods = self.tier.cluster.kubectl.ok(&["get", "pods", "-n", namespace, "-o", "name", running]).await?;
        Ok(pods.lines().count())
    }

    /// The Secrets and volumes in a namespace that the operator asked to delete.
    fn deleted(&self, namespace: &str) -> BTreeSet<String> {
        let of_data = self.proxy.made(|made| {
            let call = &made.call;
            let holds_data = matches!(call.resource.as_str(), "secrets" | "persistentvolumeclaims");
            made.at >= self.begun && call.namespace == namespace && holds_data && call.verb.starts_with("delete")
        });
        of_data.into_iter().map(|made| made.call.shown().replace(namespace, "ENTITY")).collect()
    }
}
