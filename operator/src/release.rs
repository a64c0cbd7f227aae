//! What the chart's hooks run: the Platform and Tariffs of a release once their kinds are served, what an
//! uninstallation leaves, and whether an installation works.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ListParams, Patch, PatchParams, ValidationDirective};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client};
use serde_json::Value;
use tokio::time::Instant;

use crate::api::{ConditionType, Platform};
use crate::kinds;
use crate::leader::LEASE;

/// The kinds that a release may declare.
const DECLARED: [&str; 2] = ["Platform", "Tariff"];
/// As Helm calls itself: the next upgrade writes the same objects by itself.
const FIELD_MANAGER: &str = "helm";
/// How long a kind that was only just installed may take to be served, and an operator to lead.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);
/// A leader renews its Lease more often.
const RENEWED: SignedDuration = SignedDuration::from_secs(15);

/// Why a hook fails.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The API server does not answer, or refuses.
    #[error("the API server: {}", words(.0))]
    Api(#[from] kube::Error),
    /// What is to be applied is no list of objects.
    #[error("the objects to apply are no JSON list: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Something else than a Platform or a Tariff.
    #[error("kind {0:?} is not applied by a release; allowed: Platform, Tariff")]
    Kind(String),
    /// The API server does not take an object.
    #[error(
        "{object} is not taken: {message}; correct `platform` or `tariffs` in the values and run helm upgrade again"
    )]
    NotTaken {
        /// Kind and name.
        object: String,
        /// The API server's own words.
        message: String,
    },
    /// Nobody holds the Lease.
    #[error("no operator leads in namespace {0}; look at its pods: kubectl get pods --namespace {0}")]
    NotLed(String),
    /// The Platform is there, and does not work.
    #[error("Platform default is not Ready: {0}")]
    NotReady(String),
}

/// The API server's words without the client's.
fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

/// Applies a JSON list of Platforms and Tariffs, each as soon as its kind is served.
///
/// # Errors
/// When one is refused, or its kind is not served within a minute.
pub async fn apply(client: &Client, text: &str) -> Result<String, ReleaseError> {
    let objects: Vec<Value> = serde_json::from_str(text)?;
    let mut applied = Vec::new();
    for object in &objects {
        applied.push(apply_object(client, object).await?);
    }
    Ok(format!("applied: {}", applied.join(", ")))
}

async fn apply_object(client: &Client, object: &Value) -> Result<String, ReleaseError> {
    let field = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (field("/kind"), field("/metadata/name"));
    let declared = DECLARED.contains(&kind).then(|| kinds::resource(kind)).flatten();
    let resource = declared.ok_or_else(|| ReleaseError::Kind(kind.to_owned()))?;
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let mut params = PatchParams::apply(FIELD_MANAGER);
    params.field_validation = Some(ValidationDirective::Strict);
    let begun = Instant::now();
    loop {
        let Err(error) = api.patch(name, &params, &Patch::Apply(object)).await else {
            return Ok(format!("{kind} {name}"));
        };
        if is_final(&error) || begun.elapsed() >= PATIENCE {
            return Err(ReleaseError::NotTaken { object: format!("{kind} {name}"), message: words(&error) });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Whether the object itself is refused. Its kind and the rights to it may come a moment later.
fn is_final(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if matches!(status.code, 400 | 409 | 422))
}

/// What an uninstallation leaves.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    entities: usize,
    services: usize,
    records: usize,
    /// Entities and services whose deletion waits for an operator.
    deleting: usize,
}

impl Left {
    fn shown(&self) -> String {
        let Self { entities, services, records, deleting } = self;
        let mut lines = vec![format!(
            "Entities: {entities}, services: {services}, records of data: {records}. All of it stays, with volumes \
             and Secrets; what runs goes on running."
        )];
        if entities + services > 0 {
            lines.push("Until a release is installed again nothing of it is changed, repaired or reported.".to_owned());
        }
        if *deleting > 0 {
            lines.push(format!("{deleting} of them are being deleted: that ends once a release is installed again."));
        }
        lines.push("To remove everything for good: docs/operations.md, \"Uninstall\".".to_owned());
        lines.join("\n")
    }
}

/// How many tenants there are, and what becomes of them without an operator.
///
/// # Errors
/// When the API server does not answer.
pub async fn left(client: &Client) -> Result<String, ReleaseError> {
    let (entities, mut deleting) = count(client, &kinds::resource_of(&kinds::ENTITY)).await?;
    let mut services = 0;
    for kind in &kinds::DEDICATED {
        let of_kind = count(client, &kinds::resource_of(kind)).await?;
        services += of_kind.0;
        deleting += of_kind.1;
    }
    let (records, _) = count(client, &kinds::resource_of(&kinds::SERVICE_DATA)).await?;
    Ok(Left { entities, services, records, deleting }.shown())
}

/// How many objects of a kind there are, and how many of them are being deleted.
async fn count(client: &Client, resource: &ApiResource) -> Result<(usize, usize), ReleaseError> {
    let api: Api<DynamicObject> = Api::all_with(client.clone(), resource);
    let items = match api.list_metadata(&ListParams::default()).await {
        Ok(list) => list.items,
        // The kind is gone already.
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok((0, 0)),
        Err(error) => return Err(error.into()),
    };
    let deleting = items.iter().filter(|item| item.metadata.deletion_timestamp.is_some()).count();
    Ok((items.len(), deleting))
}

/// Whether an operator leads and the Platform is Ready, if there is one; waits a while for both.
///
/// # Errors
/// What does not work.
pub async fn check(client: &Client, namespace: &str) -> Result<String, ReleaseError> {
    let begun = Instant::now();
    loop {
        match look(client, namespace).await {
            Err(_) if begun.elapsed() < PATIENCE => tokio::time::sleep(PAUSE).await,
            seen => return seen,
        }
    }
}

async fn look(client: &Client, namespace: &str) -> Result<String, ReleaseError> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let lease = leases.get_opt(LEASE).await?.and_then(|lease| lease.spec);
    let leader = lease.and_then(|lease| leader(&lease, Timestamp::now()));
    let leader = leader.ok_or_else(|| ReleaseError::NotLed(namespace.to_owned()))?;
    let platform = Api::<Platform>::all(client.clone()).get_opt("default").await?;
    let platform = platform_state(platform.as_ref())?;
    Ok(format!("{leader} leads; {platform}"))
}

/// Who holds a Lease that is renewed.
fn leader(lease: &LeaseSpec, now: Timestamp) -> Option<String> {
    let renewed = lease.renew_time.as_ref()?.0;
    let holder = lease.holder_identity.as_ref().filter(|holder| !holder.is_empty())?;
    (now.duration_since(renewed) <= RENEWED).then(|| holder.clone())
}

fn platform_state(platform: Option<&Platform>) -> Result<&'static str, ReleaseError> {
    let Some(platform) = platform else { return Ok("there is no Platform yet") };
    let conditions = platform.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    match conditions.iter().find(|condition| condition.type_ == ConditionType::Ready.as_str()) {
        Some(ready) if ready.status == "True" => Ok("Platform default is Ready"),
        Some(ready) => Err(ReleaseError::NotReady(ready.message.clone())),
        None => Err(ReleaseError::NotReady("the operator has not reported on it yet".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};

    use hyper::{Request, Response};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
    use kube::client::Body;
    use serde_json::json;

    use super::*;

    type Requests = Arc<Mutex<Vec<String>>>;

    /// An API server that answers the n-th request so.
    fn answering(answer: impl Fn(usize) -> (u16, Value) + Clone + Send + Sync + 'static) -> (Client, Requests) {
        let requests = Requests::default();
        let log = Arc::clone(&requests);
        let service = tower::service_fn(move |request: Request<Body>| {
            let (answer, log) = (answer.clone(), Arc::clone(&log));
            async move {
                let count = {
                    let mut log = log.lock().unwrap();
                    log.push(format!("{} {}", request.method(), request.uri().path()));
                    log.len()
                };
                let (code, answer) = answer(count);
                let answer = Response::builder().status(code).body(Body::from(answer.to_string().into_bytes()));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        (Client::new(service, "default"), requests)
    }

    fn refusal(code: u16, message: &str) -> (u16, Value) {
        (code, json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}))
    }

    fn object(kind: &str) -> Value {
        json!({"apiVersion": "commonscloud.coop/v1alpha1", "kind": kind, "metadata": {"name": "default"}, "spec": {}})
    }

    #[tokio::test(start_paused = true)]
    async fn a_platform_waits_for_its_kind_to_be_served() {
        let (client, requests) =
            answering(|count| if count < 4 { refusal(404, "not found") } else { (200, object("Platform")) });
        let said = apply(&client, &json!([object("Platform")]).to_string()).await.unwrap();
        assert_eq!(said, "applied: Platform default");
        let path = "PATCH /apis/commonscloud.coop/v1alpha1/platforms/default";
        assert_eq!(*requests.lock().unwrap(), [path; 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_refused_is_said_at_once_and_what_is_to_be_done() {
        let (client, requests) = answering(|_| refusal(422, "spec.baseDomain: Required value"));
        let said = apply(&client, &json!([object("Platform")]).to_string()).await.unwrap_err().to_string();
        assert!(said.starts_with("Platform default is not taken: spec.baseDomain: Required value; correct"), "{said}");
        assert_eq!(requests.lock().unwrap().len(), 1);
        let said = apply(&client, &json!([object("Entity")]).to_string()).await.unwrap_err().to_string();
        assert!(said.contains("allowed: Platform, Tariff"), "{said}");
    }

    #[tokio::test]
    async fn an_uninstallation_says_how_many_tenants_there_are() {
        let (client, _) = answering(|count| {
            let being_deleted = json!({"metadata": {"name": "a", "deletionTimestamp": "2026-11-30T00:00:00Z"}});
            let items = match count {
                1 => json!([{"metadata": {"name": "b"}}, being_deleted]),
                2 | 6 => json!([{"metadata": {"name": "office"}}]),
                _ => return refusal(404, "the server could not find the requested resource"),
            };
            (200, json!({"apiVersion": "v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": items}))
        });
        let said = left(&client).await.unwrap();
        assert!(said.starts_with("Entities: 2, services: 1, records of data: 1."), "{said}");
        assert!(said.contains("1 of them are being deleted"), "{said}");
        let nobody = Left::default().shown();
        assert!(!nobody.contains("Until a release") && !nobody.contains("being deleted"), "{nobody}");
    }

    #[test]
    fn a_leader_is_who_renews_the_lease() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let lease = |holder: &str, seconds| LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            renew_time: Some(MicroTime(now - SignedDuration::from_secs(seconds))),
            ..LeaseSpec::default()
        };
        assert_eq!(leader(&lease("a", 5), now), Some("a".to_owned()));
        assert_eq!(leader(&lease("a", 60), now), None);
        assert_eq!(leader(&lease("", 0), now), None);
        assert_eq!(leader(&LeaseSpec::default(), now), None);
    }

    #[test]
    fn a_platform_is_ready_by_its_condition_or_not_there_yet() {
        let platform = |status: Value| -> Platform {
            let mut platform = object("Platform");
            platform["spec"] = json!({"baseDomain": "a.example"});
            platform["status"] = status;
            serde_json::from_value(platform).unwrap()
        };
        assert!(platform_state(None).is_ok());
        let condition = |status: &str| {
            json!({"conditions": [{"type": "Ready", "status": status, "reason": "R", "message": "no class x",
                "lastTransitionTime": "2026-11-30T00:00:00Z"}]})
        };
        assert!(platform_state(Some(&platform(condition("True")))).is_ok());
        let said = platform_state(Some(&platform(condition("False")))).unwrap_err().to_string();
        assert_eq!(said, "Platform default is not Ready: no class x");
        assert!(platform_state(Some(&platform(json!({"observedGeneration": -1})))).is_err());
    }
}
