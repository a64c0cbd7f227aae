//! The namespace of an Entity that is deleted: removed only where the operator made it and a live
//! look finds neither data nor anybody else's object in it.

use futures::future::try_join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::ResourceExt as _;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::{Value, json};

use crate::api::marks;
use crate::apply::{ErrorKind, Target, WriteError};
use crate::cache::Key;
use crate::controller::context::Context;
use crate::entity::OPERATOR_BINDING;
use crate::kinds;
use crate::report::ServiceDeletion;

/// How many objects are named.
const NAMED: usize = 3;
/// What Kubernetes itself puts into each namespace.
const DEFAULTS: [(&str, &str); 2] = [("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")];

/// How cert-manager marks what it makes: the group of challenges, an annotation and a label of Secrets.
const CHALLENGES: &str = "acme.cert-manager.io/";
const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";
const NEXT_PRIVATE_KEY: &str = "cert-manager.io/next-private-key";

/// What became of the namespace of an Entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Namespace {
    /// It is gone or going, or is not the Entity's.
    Removed,
    /// There are Dedicated resources in it that the caches do not show.
    HasServices(Vec<ServiceDeletion>),
    /// It stays; why.
    Kept(String),
}

/// Removes the namespace of an Entity whose services are gone, or leaves it to whoever has something
/// in it.
pub(super) async fn remove(context: &Context, key: &Key) -> Result<Namespace, WriteError> {
    let name = key.name.as_str();
    let target = Target { kind: kinds::NAMESPACE.kind, namespace: "", name };
    let namespace = match context.server.get(target).await {
        Ok(namespace) => namespace,
        Err(error) if error.kind == ErrorKind::Missing => return Ok(Namespace::Removed),
        Err(error) => return Err(error),
    };
    if namespace.labels().get(marks::ENTITY).map(String::as_str) != Some(name)
        || namespace.metadata.deletion_timestamp.is_some()
    {
        return Ok(Namespace::Removed);
    }
    let services = unseen_services(context, name).await?;
    if !services.is_empty() {
        return Ok(Namespace::HasServices(services));
    }
    delete_copies(context, name).await?;
    let data = names(context, name, &[kinds::SERVICE_DATA.kind, kinds::VOLUME.kind]).await?;
    if !data.is_empty() {
        return Ok(Namespace::Kept(format!("it holds data ({})", shortened(&data))));
    }
    let why = match (is_made_by_the_operator(&namespace.metadata), kept_objects(context, name).await?) {
        (true, objects) if objects.is_empty() => {
            context.server.delete(target, &namespace.uid().unwrap_or_default()).await?;
            return Ok(Namespace::Removed);
        }
        (false, _) => "the operator did not make it".to_owned(),
        (true, objects) => format!("objects in it are not the operator's ({})", shortened(&objects)),
    };
    give_back(context, key, &namespace).await?;
    Ok(Namespace::Kept(why))
}

/// The Dedicated resources that are there although the caches show none.
async fn unseen_services(context: &Context, namespace: &str) -> Result<Vec<ServiceDeletion>, WriteError> {
    let lists = kinds::DEDICATED.map(|kind| async move {
        let inside = context.server.list_metadata(&kinds::resource_of(&kind), namespace).await?;
        let unseen = |metadata: ObjectMeta| ServiceDeletion {
            kind: kind.kind,
            name: metadata.name.unwrap_or_default(),
            by_hand: false,
            held: Some("the operator has not read it yet".to_owned()),
            blocked: false,
        };
        Ok::<_, WriteError>(inside.into_iter().map(unseen).collect::<Vec<_>>())
    });
    Ok(try_join_all(lists).await?.concat())
}

/// Deletes the copies of the Platform's Secrets, whatever else stays: no service is left that uses them. A
/// right that is missing keeps no Entity from going.
async fn delete_copies(context: &Context, namespace: &str) -> Result<(), WriteError> {
    let kind = kinds::SECRET.kind;
    let inside = match context.server.list_metadata(&resource(kind), namespace).await {
        Err(error) if error.kind == ErrorKind::Forbidden => return Ok(()),
        inside => inside?,
    };
    for metadata in inside.iter().filter(|metadata| is_copy(metadata)) {
        let target = Target { kind, namespace, name: metadata.name.as_deref().unwrap_or_default() };
        match context.server.delete(target, metadata.uid.as_deref().unwrap_or_default()).await {
            Err(error) if error.kind == ErrorKind::Forbidden => tracing::warn!(%error, "a copy stays"),
            deleted => deleted?,
        }
    }
    Ok(())
}

fn is_copy(metadata: &ObjectMeta) -> bool {
    let label = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    let is_marked = metadata.annotations.as_ref().is_some_and(|all| all.contains_key(marks::SOURCE));
    let is_generated = label(marks::INSTANCE).is_some() || label(marks::DATA).is_some();
    is_marked && !is_generated && label(marks::MANAGED_BY) == Some(marks::OPERATOR)
}

/// `Kind name` of all objects of some kinds that the operator writes.
async fn names(context: &Context, namespace: &str, of: &[&str]) -> Result<Vec<String>, WriteError> {
    let lists = of.iter().map(|&kind| async move {
        let inside = context.server.list_metadata(&resource(kind), namespace).await?;
        Ok(inside.into_iter().map(move |metadata| named(kind, &metadata)).collect::<Vec<_>>())
    });
    Ok(try_join_all(lists).await?.concat())
}

/// The objects that keep a namespace, of every kind that the operator may list: its roles know the
/// kinds that it writes, and pods.
async fn kept_objects(context: &Context, namespace: &str) -> Result<Vec<String>, WriteError> {
    let lists = listed().map(|kind| async move {
        match context.server.list_metadata(&resource(kind), namespace).await {
            Ok(inside) => {
                let kept = inside.iter().filter(|metadata| keeps(kind, metadata));
                Ok::<_, WriteError>(kept.map(|metadata| named(kind, metadata)).collect::<Vec<_>>())
            }
            // The right to look at Secrets goes with the RoleBinding, which may be gone already.
            Err(error) if kind == kinds::SECRET.kind && error.kind == ErrorKind::Forbidden => {
                Ok(vec!["Secrets, which the operator may not list (any more)".to_owned()])
            }
            Err(error) => Err(error),
        }
    });
    Ok(try_join_all(lists).await?.concat())
}

fn resource(kind: &str) -> ApiResource {
    kinds::resource(kind).unwrap_or_else(|| ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind)))
}

fn named(kind: &str, metadata: &ObjectMeta) -> String {
    format!("{kind} {}", metadata.name.as_deref().unwrap_or_default())
}

/// Whether an object is more than what the operator, Kubernetes or another object made there.
fn keeps(kind: &str, metadata: &ObjectMeta) -> bool {
    let label = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key)).map(String::as_str);
    if label(marks::DATA) == Some("true") {
        return true;
    }
    let is_default = DEFAULTS.contains(&(kind, metadata.name.as_deref().unwrap_or_default()));
    // An owner of a kind that the operator cannot list would be lost with what it owns.
    let mut owners = metadata.owner_references.iter().flatten();
    let follows_its_owner = kind != "Pod" && owners.clone().next().is_some() && owners.all(is_listed);
    label(marks::MANAGED_BY) != Some(marks::OPERATOR)
        && !is_default
        && !follows_its_owner
        && !is_of_a_certificate(kind, metadata)
        && metadata.deletion_timestamp.is_none()
}

/// Whether it is what cert-manager makes for an Ingress, and would make again for it: the Secret of its
/// certificate, that of the next key, and the solver of a challenge. None has an owner that can be listed.
fn is_of_a_certificate(kind: &str, metadata: &ObjectMeta) -> bool {
    if kind != kinds::SECRET.kind {
        let mut owners = metadata.owner_references.iter().flatten();
        return owners.any(|owner| owner.kind == "Challenge" && owner.api_version.starts_with(CHALLENGES));
    }
    let certificate = metadata.annotations.as_ref().and_then(|all| all.get(CERTIFICATE_NAME));
    let next_key = metadata.labels.as_ref().and_then(|all| all.get(NEXT_PRIVATE_KEY));
    // A certificate for an Ingress is called like the Secret that the Ingress names.
    (certificate == metadata.name.as_ref() && certificate.is_some_and(|name| name.ends_with("-tls")))
        || next_key.is_some_and(|is_next| is_next == "true")
}

/// The kinds of which a namespace is asked, whether something keeps it.
fn listed() -> impl Iterator<Item = &'static str> {
    kinds::watched().map(|kind| kind.kind).chain([kinds::SECRET.kind, "Pod"])
}

/// Whether an owner is of one of those kinds.
fn is_listed(owner: &OwnerReference) -> bool {
    listed().any(|kind| kind == owner.kind && resource(kind).api_version == owner.api_version)
}

/// The API server itself keeps who made what: namespaces are created under a field manager of that
/// name, and one that was there before was not.
fn is_made_by_the_operator(metadata: &ObjectMeta) -> bool {
    let mut entries = metadata.managed_fields.iter().flatten();
    entries.any(|entry| entry.manager.as_deref() == Some(marks::OPERATOR_CREATE) && entry.subresource.is_none())
}

fn shortened(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// A namespace that stays without data of the operator's becomes everybody else's again: the rights
/// and the labels go, by which admission keeps it from deletion. Where that is refused they stay.
async fn give_back(context: &Context, key: &Key, namespace: &DynamicObject) -> Result<(), WriteError> {
    let target = Target { kind: "RoleBinding", namespace: &key.name, name: OPERATOR_BINDING };
    match context.server.get(target).await {
        Ok(binding) => unless_refused(context.server.delete(target, &binding.uid().unwrap_or_default()).await)?,
        Err(error) if error.kind == ErrorKind::Missing => {}
        Err(error) => unless_refused(Err(error))?,
    }
    let target = Target { kind: kinds::NAMESPACE.kind, namespace: "", name: &key.name };
    match context.server.merge(target, &without_labels(&namespace.metadata)).await {
        Ok(answer) => {
            context.known.take_in(key, kinds::NAMESPACE.kind, answer);
            Ok(())
        }
        Err(error) => unless_refused(Err(error)),
    }
}

/// What may pass is tried again: nobody looks at the namespace once its Entity is gone.
fn unless_refused(result: Result<(), WriteError>) -> Result<(), WriteError> {
    match result {
        Err(error) if !error.kind.is_transient() || error.kind == ErrorKind::Forbidden => {
            tracing::warn!(%error, "a namespace that stays keeps the operator's labels");
            Ok(())
        }
        other => other,
    }
}

fn without_labels(metadata: &ObjectMeta) -> Value {
    json!({"metadata": {
        "uid": metadata.uid, "resourceVersion": metadata.resource_version,
        "labels": {marks::ENTITY: null, marks::TARIFF: null, marks::MANAGED_BY: null},
        "annotations": {marks::DISPLAY_NAME: null},
    }})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(value: Value) -> ObjectMeta {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_namespace_that_was_there_before_its_entity_is_told_from_one_that_the_operator_made() {
        let made_by = |managers: &[&str]| {
            let entry = |manager: &&str| json!({"manager": manager, "operation": "Update", "apiVersion": "v1"});
            metadata(json!({"name": "t7", "managedFields": managers.iter().map(entry).collect::<Vec<_>>()}))
        };
        assert!(is_made_by_the_operator(&made_by(&["commonscloud-create", "commonscloud"])));
        assert!(!is_made_by_the_operator(&made_by(&["kubectl-create", "kubectl-label", "commonscloud"])));
        assert!(!is_made_by_the_operator(&ObjectMeta::default()), "what nobody recorded is not the operator's");
    }

    #[test]
    fn an_object_of_somebody_else_keeps_a_namespace() {
        assert!(keeps("ConfigMap", &metadata(json!({"name": "precious"}))));
        assert!(keeps("Secret", &metadata(json!({"name": "precious"}))));
        let owned = |api_version: &str, kind: &str| {
            let owner = json!({"apiVersion": api_version, "kind": kind, "name": "x", "uid": "u"});
            metadata(json!({"name": "p", "ownerReferences": [owner]}))
        };
        assert!(keeps("Pod", &owned("batch/v1", "CronJob")), "a pod of somebody else");
        assert!(!keeps("Job", &owned("batch/v1", "CronJob")), "it goes with its owner");
        assert!(keeps("ConfigMap", &owned("databases.example.org/v1", "Database")), "nobody can list its owner");
        assert!(keeps("Secret", &owned("snapshot.storage.k8s.io/v1", "VolumeSnapshot")), "nor this one");
    }

    #[test]
    fn what_cert_manager_makes_for_an_ingress_keeps_no_namespace() {
        let secret = |name: &str, of: &str| {
            metadata(json!({"name": name, "annotations": {"cert-manager.io/certificate-name": of}}))
        };
        assert!(!keeps("Secret", &secret("office-tls", "office-tls")));
        assert!(keeps("Secret", &secret("signing", "signing")), "of a certificate that somebody made by hand");
        assert!(keeps("Secret", &secret("office-tls", "other")));
        let next = json!({"name": "office-tls-x7", "labels": {"cert-manager.io/next-private-key": "true"}});
        assert!(!keeps("Secret", &metadata(next)));
        let challenge =
            json!({"apiVersion": "acme.cert-manager.io/v1", "kind": "Challenge", "name": "office-tls-1", "uid": "u"});
        let solver = metadata(json!({"name": "cm-acme-http-solver-x", "ownerReferences": [challenge]}));
        for kind in ["Pod", "Service", "Ingress"] {
            assert!(!keeps(kind, &solver), "{kind}");
        }
        let mark = json!({"acme.cert-manager.io/http01-solver": "true"});
        assert!(keeps("Pod", &metadata(json!({"name": "x", "labels": mark}))), "anybody can write a label");
    }

    #[test]
    fn what_the_operator_or_kubernetes_made_keeps_no_namespace() {
        let ours = json!({"name": "default-deny", "labels": {marks::MANAGED_BY: marks::OPERATOR}});
        assert!(!keeps("NetworkPolicy", &metadata(ours)));
        assert!(!keeps("ConfigMap", &metadata(json!({"name": "kube-root-ca.crt"}))));
        assert!(!keeps("ServiceAccount", &metadata(json!({"name": "default"}))));
        let data = json!({"name": "office-admin", "labels": {marks::MANAGED_BY: marks::OPERATOR, marks::DATA: "true"}});
        assert!(keeps("Secret", &metadata(data)), "data without a record");
    }
}
