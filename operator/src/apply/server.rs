//! The API server as the operator writes to it: each request limited in time, counted, and made
//! only while this process leads.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::Value;

use super::conflicts::ConflictTracker;
use super::counts::WriteCounts;
use super::error::{ErrorKind, WriteError, classify};
use super::refusal::Refusals;
use super::target::Target;
use crate::api::marks;
use crate::kinds;
use crate::leader::Leadership;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(20);

/// The API server as the operator writes to it. Cloning shares it.
#[derive(Clone)]
pub struct Server {
    client: Client,
    leadership: Leadership,
    writes: WriteCounts,
    home: String,
    conflicts: Arc<ConflictTracker>,
    refusals: Arc<Refusals>,
}

type Answer = Result<DynamicObject, WriteError>;

impl Server {
    /// Writes by this client, while `leadership` holds, counted in `writes`; `home` is the operator's own namespace.
    pub fn new(client: Client, leadership: Leadership, writes: WriteCounts, home: &str) -> Self {
        let (conflicts, refusals) = (Arc::default(), Arc::default());
        Self { client, leadership, writes, home: home.to_owned(), conflicts, refusals }
    }

    /// The operator's own namespace: the platform's Secrets are there.
    pub fn home(&self) -> &str {
        &self.home
    }

    /// The client, for watches.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// How often which object was repaired lately.
    pub(super) fn conflicts(&self) -> &ConflictTracker {
        &self.conflicts
    }

    /// The writes that were refused for good.
    pub(super) fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    /// Server-side apply, by force: what we send is ours.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn apply(&self, target: Target<'_>, object: &Value) -> Answer {
        let params = PatchParams::apply(marks::OPERATOR).force();
        self.write("apply", target, |api| async move { api.patch(target.name, &params, &Patch::Apply(object)).await })
            .await
    }

    /// Server-side apply of the status.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn apply_status(&self, target: Target<'_>, object: &Value) -> Answer {
        let params = PatchParams::apply(marks::OPERATOR).force();
        self.write("status", target, |api| async move {
            api.patch_status(target.name, &params, &Patch::Apply(object)).await
        })
        .await
    }

    /// Makes an object that must not exist yet.
    ///
    /// # Errors
    /// [`ErrorKind::Exists`] when it does, and others.
    pub async fn create(&self, target: Target<'_>, object: &Value) -> Answer {
        let params = PostParams { field_manager: Some(marks::OPERATOR_CREATE.to_owned()), ..PostParams::default() };
        let object: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| failed(target, ErrorKind::Refused, error.to_string()))?;
        self.write("create", target, |api| async move { api.create(&params, &object).await }).await
    }

    /// Writes over an object; put uid and resourceVersion into it.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it is not that version any more, and others.
    pub async fn replace(&self, target: Target<'_>, object: &Value) -> Answer {
        let params = PostParams { field_manager: Some(marks::OPERATOR.to_owned()), ..PostParams::default() };
        let object: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| failed(target, ErrorKind::Refused, error.to_string()))?;
        self.write("replace", target, |api| async move { api.replace(target.name, &params, &object).await }).await
    }

    /// A merge patch; put uid and resourceVersion into it.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn merge(&self, target: Target<'_>, patch: &Value) -> Answer {
        let params = PatchParams { field_manager: Some(marks::OPERATOR.to_owned()), ..PatchParams::default() };
        self.write("merge", target, |api| async move { api.patch(target.name, &params, &Patch::Merge(patch)).await })
            .await
    }

    /// A JSON patch; let it test the resourceVersion.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn json_patch(&self, target: Target<'_>, operations: &Value) -> Answer {
        let params = PatchParams { field_manager: Some(marks::OPERATOR.to_owned()), ..PatchParams::default() };
        let operations = serde_json::from_value(operations.clone())
            .map_err(|error| failed(target, ErrorKind::Refused, error.to_string()))?;
        let patch: Patch<Value> = Patch::Json(operations);
        self.write("remove", target, |api| async move { api.patch(target.name, &params, &patch).await }).await
    }

    /// Deletes the object with this uid, its dependents in the background.
    ///
    /// # Errors
    /// Typed by what the failure means; that it is gone is none.
    pub async fn delete(&self, target: Target<'_>, uid: &str) -> Result<(), WriteError> {
        self.delete_if(target, Preconditions { uid: Some(uid.to_owned()), ..Preconditions::default() }).await
    }

    /// The same, if it is still this version of the object.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] when it is not that version any more, and others; that it is gone is none.
    pub async fn discard(&self, target: Target<'_>, uid: &str, version: &str) -> Result<(), WriteError> {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: Some(version.to_owned()) };
        self.delete_if(target, preconditions).await
    }

    async fn delete_if(&self, target: Target<'_>, preconditions: Preconditions) -> Result<(), WriteError> {
        let params = DeleteParams::background().preconditions(preconditions);
        let deleted =
            self.write("delete", target, |api| async move { api.delete(target.name, &params).await.map(|_| ()) }).await;
        match deleted {
            Err(error) if error.kind == ErrorKind::Missing || is_another(&error) => Ok(()),
            other => other,
        }
    }

    /// A live read; what destroys is preceded by one.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn get(&self, target: Target<'_>) -> Answer {
        let api = self.api(target)?;
        timed(target, api.get(target.name)).await
    }

    /// A live list of a namespace's objects of any kind, their metadata alone.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn list_metadata(&self, resource: &ApiResource, namespace: &str) -> Result<Vec<ObjectMeta>, WriteError> {
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, resource);
        let target = Target { kind: &resource.kind, namespace, name: "" };
        let list = async move { api.list_metadata(&ListParams::default()).await };
        Ok(timed(target, list).await?.items.into_iter().map(|item| item.metadata).collect())
    }

    /// A live list of a namespace's objects of a kind that the operator writes, by a selector of labels.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn labelled(&self, kind: &str, namespace: &str, labels: &str) -> Result<Vec<DynamicObject>, WriteError> {
        let target = Target { kind, namespace, name: "" };
        let api = self.api(target)?;
        let list = async move { api.list(&ListParams::default().labels(labels)).await };
        Ok(timed(target, list).await?.items)
    }

    /// A live list of pods, by a selector of labels.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn pods(&self, namespace: &str, labels: &str) -> Result<Vec<Pod>, WriteError> {
        let api = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let target = Target { kind: kinds::POD.kind, namespace, name: "" };
        let list = async move { api.list(&ListParams::default().labels(labels)).await };
        Ok(timed(target, list).await?.items)
    }

    /// A live list of Jobs, by a selector of labels.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn jobs(&self, namespace: &str, labels: &str) -> Result<Vec<Job>, WriteError> {
        let api = Api::<Job>::namespaced(self.client.clone(), namespace);
        let target = Target { kind: "Job", namespace, name: "" };
        let list = async move { api.list(&ListParams::default().labels(labels)).await };
        Ok(timed(target, list).await?.items)
    }

    /// A live list of a namespace's quotas, whoever made them.
    ///
    /// # Errors
    /// Typed by what the failure means.
    pub async fn quotas(&self, namespace: &str) -> Result<Vec<ResourceQuota>, WriteError> {
        let api = Api::<ResourceQuota>::namespaced(self.client.clone(), namespace);
        let target = Target { kind: "ResourceQuota", namespace, name: "" };
        let list = async move { api.list(&ListParams::default()).await };
        Ok(timed(target, list).await?.items)
    }

    fn api(&self, target: Target<'_>) -> Result<Api<DynamicObject>, WriteError> {
        let resource: ApiResource = kinds::resource(target.kind)
            .ok_or_else(|| failed(target, ErrorKind::Refused, "the operator does not write this kind".to_owned()))?;
        Ok(if target.namespace.is_empty() {
            Api::all_with(self.client.clone(), &resource)
        } else {
            Api::namespaced_with(self.client.clone(), target.namespace, &resource)
        })
    }

    async fn write<T: Debug, F>(
        &self,
        verb: &str,
        target: Target<'_>,
        request: impl FnOnce(Api<DynamicObject>) -> F,
    ) -> Result<T, WriteError>
    where
        F: Future<Output = Result<T, kube::Error>>,
    {
        if !self.leadership.holds() {
            return Err(failed(target, ErrorKind::NotLeading, "this process does not lead (any more)".to_owned()));
        }
        let answer = timed(target, request(self.api(target)?)).await;
        self.writes.count(verb, target.kind, answer.is_ok());
        match &answer {
            Ok(_) => {
                tracing::debug!(verb, kind = target.kind, namespace = target.namespace, name = target.name, "wrote");
            }
            Err(error) => tracing::debug!(verb, %error, "not written"),
        }
        answer
    }
}

/// Whether another object has the name by now. Only its words tell that from a passing conflict:
/// kubernetes/kubernetes, `registry/rest/delete.go` and `storage/interfaces.go`.
fn is_another(error: &WriteError) -> bool {
    let message = error.message.to_lowercase();
    error.kind == ErrorKind::Conflict && message.contains("precondition") && message.contains("uid in")
}

fn failed(target: Target<'_>, kind: ErrorKind, message: String) -> WriteError {
    WriteError { kind, object: target.shown(), message }
}

async fn timed<T>(target: Target<'_>, request: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
    match tokio::time::timeout(REQUEST, request).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            let (kind, message) = classify(&error);
            Err(failed(target, kind, message))
        }
        Err(_) => Err(failed(
            target,
            ErrorKind::Transient,
            format!("no answer from the API server within {} s", REQUEST.as_secs()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conflict_of_a_deletion_is_tried_again_unless_the_object_is_another() {
        let conflict = |message: &str| {
            let target = Target { kind: "ConfigMap", namespace: "e", name: "a" };
            is_another(&failed(target, ErrorKind::Conflict, message.to_owned()))
        };
        assert!(conflict(
            "Operation cannot be fulfilled on configmaps \"a\": the UID in the precondition (x) does not match the UID in record (y). The object might have been deleted and then recreated"
        ));
        assert!(conflict("Precondition failed: UID in precondition: x, UID in object meta: y"));
        assert!(!conflict("Operation cannot be fulfilled on configmaps \"a\": the object has been modified"));
        assert!(!conflict(
            "Operation cannot be fulfilled on persistentvolumeclaims \"a\": the ResourceVersion in the precondition (7) does not match the ResourceVersion in record (9). The object might have been modified"
        ));
        assert!(!conflict(
            "Precondition failed: ResourceVersion in precondition: 7, ResourceVersion in object meta: 9"
        ));
    }
}
