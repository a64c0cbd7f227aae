//! Cases on a real API server: each changes one leaf of an object that runs, and looks.

use std::time::Duration;

use commonscloud_e2e::wait::{eventually, is_ready};
use commonscloud_e2e::{Failure, Outcome, ensure};
use commonscloud_operator::kinds;
use futures::future::try_join_all;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::Value;

use super::case::{Case, Deed, Proof, See};
use crate::tier::{ControlPlane, READY};

/// How long a change may take to be seen.
const SEEN: Duration = Duration::from_secs(30);
/// Kinds that are in no namespace.
const CLUSTER: [&str; 6] = ["Namespace", "Platform", "Tariff", "ServiceTemplate", "ServiceTemplateRevision", "Entity"];

/// An object, what must be there beside it, and the cases about its leaves.
pub struct Stage {
    /// The namespace that is looked into.
    pub namespace: String,
    /// What is applied first, in this order.
    pub around: Vec<Value>,
    /// The object whose leaves are changed.
    pub subject: Value,
    /// `Kind/name` of what must be Ready before anything is changed.
    pub ready: Vec<String>,
    /// Each changes the subject as it is above, and nothing else.
    pub cases: Vec<Case>,
}

impl Stage {
    /// Applies everything, and waits until it runs.
    pub async fn set(&self, tier: &ControlPlane) -> Outcome {
        for object in self.around.iter().chain([&self.subject]) {
            // A namespace is there a moment after its Entity.
            let what = format!("{} {} is accepted", object["kind"], object["metadata"]["name"]);
            eventually(&what, SEEN, async || apply(tier, object).await).await?;
        }
        try_join_all(self.ready.iter().map(|name| self.runs(tier, name))).await.map(drop)
    }

    async fn runs(&self, tier: &ControlPlane, name: &str) -> Outcome {
        eventually(&format!("{name} in {} becomes Ready", self.namespace), READY, async || {
            is_ready(&self.find(tier, name).await?.ok_or_else(|| Failure::new("it is not there"))?)
        })
        .await
    }

    /// Plays the cases, and gives the faults of all.
    pub async fn play(&self, tier: &ControlPlane) -> Vec<String> {
        let mut faults = Vec::new();
        for case in &self.cases {
            if let Err(failure) = self.case(tier, case).await {
                faults.push(format!("{} = {}: {failure}", case.leaf(), case.value));
            }
        }
        faults
    }

    async fn case(&self, tier: &ControlPlane, case: &Case) -> Outcome {
        let changed = case.after(&self.subject);
        match &case.proof {
            Proof::Refused(words) => match apply(tier, &changed).await {
                Ok(()) => Err(Failure::new(format!("accepted, and was to be refused with {words:?}"))),
                Err(message) => {
                    let message = message.to_string();
                    let missing: Vec<_> = words.iter().filter(|words| !message.contains(**words)).collect();
                    ensure!(missing.is_empty(), "the refusal is without {missing:?}: {message}");
                    Ok(())
                }
            },
            Proof::Shows(sees) => {
                self.without(tier, case, sees).await?;
                apply(tier, &changed).await?;
                self.carry_out(tier, case).await?;
                eventually("its change is seen", SEEN, async || self.all_seen(tier, sees).await).await
            }
        }
    }

    /// None of it is seen as long as the leaf is as it was.
    async fn without(&self, tier: &ControlPlane, case: &Case, sees: &[See]) -> Outcome {
        eventually("without its change none of it is seen", SEEN, async || {
            let found = self.seen(tier, sees).await?.into_iter().filter(|(_, is_seen)| *is_seen);
            let found: Vec<String> = found.map(|(told, _)| told).collect();
            if !found.is_empty() {
                // Of the case before, perhaps only now.
                apply(tier, &case.before(&self.subject)).await?;
            }
            ensure!(found.is_empty(), "{}", found.join("; "));
            Ok(())
        })
        .await
    }

    async fn all_seen(&self, tier: &ControlPlane, sees: &[See]) -> Outcome {
        let unseen = self.seen(tier, sees).await?.into_iter().filter(|(_, is_seen)| !is_seen);
        let unseen: Vec<String> = unseen.map(|(told, _)| told).collect();
        ensure!(unseen.is_empty(), "{}", unseen.join("; "));
        Ok(())
    }

    /// What was looked for, and whether it is there.
    async fn seen(&self, tier: &ControlPlane, sees: &[See]) -> Outcome<Vec<(String, bool)>> {
        try_join_all(sees.iter().map(|see| async {
            let object = self.find(tier, &see.object).await?;
            Ok((see.told(object.as_ref()), object.is_some_and(|object| see.is_in(&object))))
        }))
        .await
    }

    async fn carry_out(&self, tier: &ControlPlane, case: &Case) -> Outcome {
        match &case.deed {
            None => Ok(()),
            Some(Deed::Apply(object)) => {
                self.taken_in(tier).await?;
                apply(tier, object).await
            }
            Some(Deed::Delete(name)) => {
                self.taken_in(tier).await?;
                let (kind, name) = name.split_once('/').unwrap_or_default();
                api(tier, kind, &self.namespace)?.delete(name, &DeleteParams::default()).await?;
                Ok(())
            }
        }
    }

    /// The operator has looked at the subject as it is now: what is done next is done after it.
    async fn taken_in(&self, tier: &ControlPlane) -> Outcome {
        let text = |pointer: &str| self.subject.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let name = format!("{}/{}", text("/kind"), text("/metadata/name"));
        eventually(&format!("the operator has seen {name}"), SEEN, async || {
            let subject = self.find(tier, &name).await?.unwrap_or_default();
            let (generation, observed) = (&subject["metadata"]["generation"], &subject["status"]["observedGeneration"]);
            ensure!(generation == observed, "generation {generation}, observed {observed}");
            Ok(())
        })
        .await
    }

    /// `Kind/name`, if it is there.
    async fn find(&self, tier: &ControlPlane, name: &str) -> Outcome<Option<Value>> {
        let (kind, name) = name.split_once('/').unwrap_or_default();
        let found = api(tier, kind, &self.namespace)?.get_opt(name).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }
}

/// All objects of a kind, in a namespace where the kind has one.
pub fn api(tier: &ControlPlane, kind: &str, namespace: &str) -> Outcome<Api<DynamicObject>> {
    let resource = kinds::resource(kind).ok_or_else(|| Failure::new(format!("nobody looks at kind {kind:?}")))?;
    let client = tier.cluster.client.clone();
    Ok(if CLUSTER.contains(&kind) {
        Api::all_with(client, &resource)
    } else {
        Api::namespaced_with(client, namespace, &resource)
    })
}

/// Applies an object as somebody who owns all that it says.
pub async fn apply(tier: &ControlPlane, object: &Value) -> Outcome {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let api = api(tier, text("/kind"), text("/metadata/namespace"))?;
    // As the tier itself applies: a field that is left out goes away.
    let parameters = PatchParams::apply("kubectl").force();
    api.patch(text("/metadata/name"), &parameters, &Patch::Apply(object)).await?;
    Ok(())
}
