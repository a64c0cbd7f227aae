//! What is refused, as tables: each fault, the same object without it, and what the refusal says.
//!
//! | module | what lives there |
//! |---|---|
//! | [`table`] | a row, and how a table is gone through: through every door, nothing that runs touched |
//! | [`doors`] | the ways into the API server: POST, PUT, three kinds of PATCH |
//! | [`watch`] | what runs, before and after |
//! | [`entities`], [`tariffs`], [`dedicated`], [`packages`], [`backups`] | the rows that admission refuses |
//! | [`collectives`] | who may write what of who belongs and who may enter, with each rule taken away once |
//! | [`claims`] | the claims that may be deleted, by whom |
//! | [`conditions`] | the faults that only the operator sees, as conditions of the object at fault |
//! | [`restart`] | the same rows, from the first moment of an API server that was killed |
//! | [`newcomer`] | what people mistype at first, and how they are answered |
//! | [`texts`] | Tera syntax, YAML and newlines in every text of a spec |

mod backups;
mod claims;
mod collectives;
mod conditions;
mod dedicated;
mod doors;
mod entities;
mod newcomer;
mod packages;
mod restart;
mod table;
mod tariffs;
mod texts;
mod watch;

use std::sync::Arc;

pub use conditions::delete_in_use;

use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::Api;
use kube::api::ListParams;
use serde_json::Value;

use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    let mut scenarios =
        vec![Scenario::new("every policy's expressions fit the types of what they look at", well_typed)];
    scenarios.extend(claims::scenarios());
    scenarios.extend(entities::scenarios());
    scenarios.extend(tariffs::scenarios());
    scenarios.extend(dedicated::scenarios());
    scenarios.extend(packages::scenarios());
    scenarios.extend(backups::scenarios());
    scenarios.extend(collectives::scenarios());
    scenarios.extend(conditions::scenarios());
    scenarios.extend(newcomer::scenarios());
    scenarios.extend(texts::scenarios());
    scenarios.extend(restart::scenarios());
    scenarios
}

/// The same object with the value at a JSON pointer whose parent exists; null takes the field away.
fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let Some((parent, field)) = pointer.rsplit_once('/') else { return object };
    let field = field.replace("~1", "/");
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) if value.is_null() => drop(fields.remove(&field)),
        Some(Value::Object(fields)) => drop(fields.insert(field, value)),
        Some(Value::Array(items)) => {
            if let Some(item) = field.parse::<usize>().ok().and_then(|index| items.get_mut(index)) {
                *item = value;
            }
        }
        _ => {}
    }
    object
}

/// The API server checks each policy against the schemas, and says so in its status.
async fn well_typed(tier: Arc<ControlPlane>) -> Outcome {
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(tier.cluster.client.clone());
    eventually("all policies are checked, and none has a warning", READY, async || {
        let all = policies.list(&ListParams::default().labels("app.kubernetes.io/instance=commonscloud")).await?.items;
        ensure!(all.len() >= 9, "only {} policies of the chart", all.len());
        for policy in all {
            let checked = policy.status.and_then(|status| status.type_checking);
            let fits = checked.as_ref().is_some_and(|checked| checked.expression_warnings.is_none());
            ensure!(fits, "{:?}: {checked:?}", policy.metadata.name);
        }
        Ok(())
    })
    .await
}
