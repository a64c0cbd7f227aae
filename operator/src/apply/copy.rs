//! Copies of Secrets, mostly of those in the operator's own namespace. What they hold passes from one answer into one
//! request, and is kept nowhere.

use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt as _;
use kube::core::DynamicObject;
use serde_json::Value;

use super::error::{ErrorKind, WriteError};
use super::server::Server;
use super::target::Target;
use crate::api::marks;
use crate::cache::Sealed;

/// Copies the Secret `from`: over the version that `secret` carries where one was
/// `seen`, else as a new one.
///
/// # Errors
/// Typed by what the failure means.
pub(super) async fn copy(
    server: &Server,
    target: Target<'_>,
    from: Target<'_>,
    secret: &Value,
    seen: bool,
) -> Result<DynamicObject, WriteError> {
    let source = server.get(from).await?;
    let mut wanted = filled(secret, &source);
    if seen {
        return server.replace(target, &wanted).await;
    }
    match server.create(target, &wanted).await {
        Err(error) if error.kind == ErrorKind::Exists => {
            let found = server.get(target).await?;
            // Another instance was faster.
            if is_same(&wanted, &found) {
                return Ok(found);
            }
            if !is_copy(&wanted, &found) {
                return Err(foreign(target));
            }
            wanted["metadata"]["uid"] = found.uid().into();
            wanted["metadata"]["resourceVersion"] = found.resource_version().into();
            server.replace(target, &wanted).await
        }
        other => other,
    }
}

/// The copy with what the source holds, and the revision of it. One that is an instance's own from then on follows
/// nobody.
fn filled(secret: &Value, source: &DynamicObject) -> Value {
    let mut copy = secret.clone();
    for field in ["type", "data"] {
        copy[field] = source.data.get(field).cloned().unwrap_or_default();
    }
    let is_own = copy.pointer("/metadata/labels").is_some_and(|labels| labels.get(marks::DATA).is_some());
    if let Some(sealed) = sealed(source.clone()).filter(|_| !is_own) {
        copy["metadata"]["annotations"] = serde_json::json!({marks::SOURCE: sealed.revision()});
    }
    copy
}

fn sealed(object: DynamicObject) -> Option<Sealed> {
    Some(Sealed::of(&object.try_parse::<Secret>().ok()?))
}

fn is_same(wanted: &Value, found: &DynamicObject) -> bool {
    let wanted = serde_json::from_value::<DynamicObject>(wanted.clone()).ok().and_then(sealed);
    let same = |wanted: &Sealed, found: &Sealed| {
        (&wanted.digest, &wanted.source, &wanted.labels) == (&found.digest, &found.source, &found.labels)
    };
    wanted.zip(sealed(found.clone())).is_some_and(|(wanted, found)| same(&wanted, &found))
}

/// A copy whose labels somebody took off still says what it is a copy of; one of an instance's own
/// Secrets is none.
fn is_copy(wanted: &Value, found: &DynamicObject) -> bool {
    let of_entity = found.labels().get(marks::ENTITY).map(String::as_str)
        == wanted.pointer("/metadata/labels").and_then(|labels| labels.get(marks::ENTITY)).and_then(Value::as_str);
    let is_generated = [marks::INSTANCE, marks::DATA].iter().any(|key| found.labels().contains_key(*key));
    !is_generated && (of_entity || found.annotations().contains_key(marks::SOURCE))
}

fn foreign(target: Target<'_>) -> WriteError {
    WriteError {
        kind: ErrorKind::Foreign,
        object: target.shown(),
        message:
            "exists already and is no copy of the Secret that was to be copied there; remove it, or call that one otherwise"
                .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(metadata: &Value, password: &str) -> DynamicObject {
        let mut object = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "smtp", "uid": "u"},
            "data": {"password": password},
        });
        for (key, value) in metadata.as_object().unwrap() {
            object["metadata"][key] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    fn wanted() -> Value {
        let labels = json!({marks::MANAGED_BY: marks::OPERATOR, marks::ENTITY: "coop"});
        let bare = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "smtp", "labels": labels}});
        filled(&bare, &secret(&json!({}), "bmV3"))
    }

    #[test]
    fn a_copy_holds_what_its_source_holds_and_says_of_which_revision() {
        let copy = wanted();
        assert_eq!((&copy["type"], &copy["data"]["password"]), (&json!("Opaque"), &json!("bmV3")));
        let revision = sealed(secret(&json!({}), "bmV3")).unwrap().revision();
        assert_eq!(copy["metadata"]["annotations"][marks::SOURCE], revision);
        assert!(is_same(&copy, &serde_json::from_value(copy.clone()).unwrap()));
        assert!(!is_same(&copy, &secret(&copy["metadata"], "b2xk")));
    }

    #[test]
    fn only_a_copy_is_written_over() {
        let with = |labels: Value, annotations: Value| {
            is_copy(&wanted(), &secret(&json!({"labels": labels, "annotations": annotations}), "b2xk"))
        };
        assert!(with(json!({}), json!({marks::SOURCE: "an older one"})), "its labels were taken off");
        assert!(with(json!({marks::ENTITY: "coop"}), json!({})), "made before copies said what they are of");
        assert!(!with(json!({}), json!({})), "somebody's own");
        assert!(!with(json!({marks::ENTITY: "coop", marks::INSTANCE: "office"}), json!({})), "a generated one");
    }
}
