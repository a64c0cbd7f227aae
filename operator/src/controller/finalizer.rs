//! The finalizer that keeps an instance or an Entity until what must be recorded is recorded.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt as _;

use crate::api::{Entity, marks};
use crate::apply::{ErrorKind, WriteError};
use crate::cache::Key;
use crate::controller::context::Context;
use crate::resolve::Instance;

/// A resource of the version that was read, and its finalizers.
#[derive(Clone, Debug)]
pub(in crate::controller) struct Finalized {
    pub(super) uid: String,
    version: String,
    finalizers: Vec<String>,
}

impl From<&Instance> for Finalized {
    fn from(instance: &Instance) -> Self {
        Self {
            uid: instance.reference.uid.clone(),
            version: instance.resource_version.clone(),
            finalizers: instance.finalizers.clone(),
        }
    }
}

impl From<&Entity> for Finalized {
    fn from(entity: &Entity) -> Self {
        Self {
            uid: entity.uid().unwrap_or_default(),
            version: entity.resource_version().unwrap_or_default(),
            finalizers: entity.finalizers().to_vec(),
        }
    }
}

impl Finalized {
    /// Whether our finalizer is on it.
    pub(super) fn has_ours(&self) -> bool {
        self.finalizers.iter().any(|finalizer| finalizer == marks::FINALIZER)
    }

    /// The finalizers with ours, if it is missing.
    fn with_ours(&self) -> Option<Vec<String>> {
        (!self.has_ours()).then(|| self.finalizers.iter().cloned().chain([marks::FINALIZER.to_owned()]).collect())
    }
}

/// The finalizers of others, in their order.
pub(super) fn others(finalizers: &[String]) -> Vec<String> {
    finalizers.iter().filter(|finalizer| *finalizer != marks::FINALIZER).cloned().collect()
}

/// Puts our finalizer on a resource that lacks it, or back where somebody took it off. It is there
/// before anything that it protects.
///
/// # Errors
/// When the API server does not take it.
pub(in crate::controller) async fn ensure(
    context: &Context,
    key: &Key,
    resource: impl Into<Finalized>,
) -> Result<(), WriteError> {
    let resource = resource.into();
    match resource.with_ours() {
        Some(finalizers) => context.set_finalizers(key, &resource.uid, &resource.version, &finalizers).await,
        None => Ok(()),
    }
}

/// Takes our finalizer off; that the resource is gone is no error.
pub(super) async fn remove(context: &Context, key: &Key, resource: &Finalized) -> Result<(), WriteError> {
    let rest = others(&resource.finalizers);
    match context.set_finalizers(key, &resource.uid, &resource.version, &rest).await {
        Err(error) if error.kind == ErrorKind::Missing => Ok(()),
        other => other,
    }
}

/// Puts a finalizer on a resource of the version that was read, beside those of others, or takes it off; gives
/// whether it is on it. What is being deleted takes no finalizer any more.
pub(super) async fn hold(
    context: &Context,
    key: &Key,
    metadata: &ObjectMeta,
    finalizer: &str,
    wanted: bool,
) -> Result<bool, WriteError> {
    let Some(finalizers) = held(metadata, finalizer, wanted) else { return Ok(wanted) };
    if wanted && metadata.deletion_timestamp.is_some() {
        return Ok(false);
    }
    let (uid, version) = (metadata.uid.as_deref().unwrap_or_default(), metadata.resource_version.as_deref());
    match context.set_finalizers(key, uid, version.unwrap_or_default(), &finalizers).await {
        Err(error) if error.kind == ErrorKind::Missing => Ok(false),
        other => other.map(|()| wanted),
    }
}

/// The finalizers with this one, or without; none where nothing is to be changed.
fn held(metadata: &ObjectMeta, finalizer: &str, wanted: bool) -> Option<Vec<String>> {
    let all = metadata.finalizers.as_deref().unwrap_or_default();
    let is_on = all.iter().any(|known| known == finalizer);
    let others = all.iter().filter(|known| *known != finalizer).cloned();
    (is_on != wanted).then(|| others.chain(wanted.then(|| finalizer.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(finalizers: &[&str]) -> Finalized {
        Finalized {
            uid: "u1".into(),
            version: "7".into(),
            finalizers: finalizers.iter().map(|&f| f.to_owned()).collect(),
        }
    }

    #[test]
    fn a_finalizer_that_somebody_took_off_is_put_back_beside_those_of_others() {
        assert_eq!(with(&["a.example/b"]).with_ours(), Some(vec!["a.example/b".into(), marks::FINALIZER.into()]));
        assert_eq!(with(&[marks::FINALIZER, "a.example/b"]).with_ours(), None);
        assert_eq!(others(&with(&[marks::FINALIZER, "a.example/b"]).finalizers), ["a.example/b"]);
    }

    #[test]
    fn a_run_or_restore_is_held_beside_the_finalizers_of_others_and_let_go() {
        let with = |finalizers: &[&str]| ObjectMeta {
            finalizers: Some(finalizers.iter().map(|&f| f.to_owned()).collect()),
            ..ObjectMeta::default()
        };
        let (free, on) = (with(&["a.example/b"]), with(&["a.example/b", "ours"]));
        assert_eq!(held(&free, "ours", true), Some(vec!["a.example/b".to_owned(), "ours".to_owned()]));
        assert_eq!(held(&on, "ours", false), Some(vec!["a.example/b".to_owned()]));
        assert_eq!((held(&free, "ours", false), held(&on, "ours", true)), (None, None), "nothing is written");
    }
}
