//! The services of the cluster, as their own status says.

use commonscloud_operator::kinds;
use kube::api::{DynamicObject, ListParams};
use kube::{Api, Client};
use serde_json::Value;

/// What stands where a status says nothing.
const UNKNOWN: &str = "-";

/// Whether a resource does what its spec says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    /// It does.
    Ready,
    /// It does not, or has not said so of this generation.
    NotReady {
        /// One word.
        reason: String,
        /// One sentence.
        message: String,
    },
}

/// One running service.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    /// Its Entity, which is its namespace.
    pub(crate) entity: String,
    /// Its name.
    pub(crate) name: String,
    /// Its tier and blocks.
    pub(crate) tier: String,
    /// Storage that is sold.
    pub(crate) quota: String,
    /// Price per month, or `unpriced`.
    pub(crate) price: String,
    /// The application's version.
    pub(crate) version: String,
    /// Where it answers.
    pub(crate) url: String,
    /// The claim of the volume that carries its files.
    pub(crate) claim: String,
    /// Whether it is Ready.
    pub(crate) health: Health,
}

/// All services, by Entity and name.
pub(crate) async fn all(client: &Client) -> Result<Vec<Service>, kube::Error> {
    let mut services = Vec::new();
    for kind in kinds::DEDICATED {
        services.extend(list(client, kind.kind).await?.iter().map(service));
    }
    services.sort_by(|a, b| (&a.entity, &a.name).cmp(&(&b.entity, &b.name)));
    Ok(services)
}

/// All resources of one of this project's kinds.
pub(crate) async fn list(client: &Client, kind: &str) -> Result<Vec<DynamicObject>, kube::Error> {
    let Some(resource) = kinds::resource(kind) else { return Ok(Vec::new()) };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    Ok(api.list(&ListParams::default()).await?.items)
}

/// What condition `Ready` says of the present generation.
pub(crate) fn health(object: &DynamicObject) -> Health {
    let status = &object.data["status"];
    let not_ready =
        |reason: &str, message: &str| Health::NotReady { reason: reason.to_owned(), message: message.to_owned() };
    if status["observedGeneration"].as_i64() != object.metadata.generation {
        return not_ready("Pending", "the operator has not looked at it yet");
    }
    let ready = status["conditions"].as_array().into_iter().flatten().find(|condition| condition["type"] == "Ready");
    match ready {
        Some(condition) if condition["status"] == "True" => Health::Ready,
        Some(condition) => not_ready(&text(&condition["reason"]), &text(&condition["message"])),
        None => not_ready("Pending", "it has no condition Ready yet"),
    }
}

fn service(object: &DynamicObject) -> Service {
    let (spec, status) = (&object.data["spec"], &object.data["status"]);
    let name = object.metadata.name.clone().unwrap_or_default();
    let blocks = spec["extraBlocks"].as_u64().filter(|blocks| *blocks > 0).map(|blocks| format!(" + {blocks} blocks"));
    Service {
        entity: object.metadata.namespace.clone().unwrap_or_default(),
        tier: text(&spec["tier"]) + &blocks.unwrap_or_default(),
        quota: text(&status["quota"]),
        price: text(&status["price"]),
        version: text(&status["version"]),
        url: text(&status["url"]),
        claim: claim(status),
        health: health(object),
        name,
    }
}

/// Of the volume `data`: after a restore it has another one.
fn claim(status: &Value) -> String {
    let volume = status["volumes"].as_array().into_iter().flatten().find(|volume| volume["name"] == "data");
    volume.map_or_else(|| UNKNOWN.to_owned(), |volume| text(&volume["claim"]))
}

fn text(value: &Value) -> String {
    value.as_str().filter(|text| !text.is_empty()).unwrap_or(UNKNOWN).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(status: &Value) -> DynamicObject {
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "DedicatedOffice",
            "metadata": {"name": "office", "namespace": "acme", "generation": 2},
            "spec": {"tier": "5gb", "extraBlocks": 3}, "status": status,
        }))
        .unwrap()
    }

    #[test]
    fn ready_of_an_older_generation_is_not_ready() {
        let status = json!({"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]});
        assert!(matches!(health(&object(&status)), Health::NotReady { .. }));
        let status = json!({"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(health(&object(&status)), Health::Ready);
    }

    #[test]
    fn the_claim_of_the_files_is_the_one_that_is_reported() {
        let status = json!({"volumes": [
            {"name": "db", "claim": "office-db"}, {"name": "data", "claim": "office-data-r1"},
        ]});
        assert_eq!(service(&object(&status)).claim, "office-data-r1");
    }

    #[test]
    fn what_is_waited_for_is_said_in_the_words_of_the_status() {
        let status = json!({"observedGeneration": 2, "conditions": [{"type": "Ready", "status": "False", "reason": "ImagePull", "message": "no such image"}]});
        let expected = Health::NotReady { reason: "ImagePull".into(), message: "no such image".into() };
        assert_eq!(health(&object(&status)), expected);
    }

    #[test]
    fn a_service_without_a_price_in_its_status_is_not_free() {
        let service = service(&object(&json!({})));
        assert_eq!((service.tier.as_str(), service.price.as_str()), ("5gb + 3 blocks", "-"));
    }
}
