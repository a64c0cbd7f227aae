//! The way to the provider, and what clients sign in with there: Secrets are read by request, and once for each version of
//! one, since no cache has what they hold.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;

use super::super::context::Context;
use crate::apply::{Target, WriteError};
use crate::cache::Sealed;
use crate::gather::{ObservedIdentity, ProviderPlace, SIGN_IN};
use crate::identity::{ClientSecret, Door, Keycloak};
use crate::kinds;

/// The keys of the Secret that the operator signs in with.
const CLIENT_ID: &str = "client-id";
const CLIENT_SECRET: &str = "client-secret";

/// What clients sign in with, by Entity and service, each with the version of the Secret that it is of.
#[derive(Default)]
pub(super) struct ClientSecrets {
    known: BTreeMap<(String, String), (String, ClientSecret)>,
}

/// Tells two versions of a Secret apart.
fn version(secret: &Sealed) -> String {
    format!("{}/{}", secret.uid, secret.digest)
}

impl ClientSecrets {
    /// What a service signs in with, if it was read.
    pub(super) fn of(&self, entity: &str, service: &str) -> Option<ClientSecret> {
        self.known.get(&(entity.to_owned(), service.to_owned())).map(|(_, secret)| secret.clone())
    }

    /// Reads those that are new, and forgets those that are gone. Gives what could not be read.
    pub(super) async fn read(&mut self, context: &Context, observed: &ObservedIdentity) -> Vec<String> {
        let mut failures = Vec::new();
        let mut known = BTreeMap::new();
        for (entity, people) in &observed.entities {
            for (service, signing_in) in &people.services {
                let (key, version) = ((entity.clone(), service.clone()), version(&signing_in.secret));
                match self.known.remove(&key).filter(|(of, _)| *of == version) {
                    Some(same) => drop(known.insert(key, same)),
                    None => match key_of(context, entity, &signing_in.secret.name, SIGN_IN.1).await {
                        Ok(text) => drop(known.insert(key, (version, ClientSecret::new(text)))),
                        Err(words) => failures.push(words),
                    },
                }
            }
        }
        self.known = known;
        failures
    }
}

/// The way to a provider.
///
/// # Errors
/// What of it could not be read.
pub(super) async fn open(context: &Context, place: &ProviderPlace, entity: &str) -> Result<Keycloak, String> {
    let name = place.secret.name.as_str();
    let client_id = key_of(context, entity, name, CLIENT_ID).await?;
    let client_secret = key_of(context, entity, name, CLIENT_SECRET).await?;
    let door = Door {
        host: place.host.clone(),
        address: place.address.clone(),
        ca_bundle: place.ca_bundle.clone(),
        realm: place.realm.clone(),
    };
    Ok(Keycloak::new(door, client_id, ClientSecret::new(client_secret)))
}

/// What a key of a Secret in an Entity's namespace holds.
async fn key_of(context: &Context, namespace: &str, name: &str, key: &str) -> Result<String, String> {
    let target = Target { kind: kinds::SECRET.kind, namespace, name };
    let object = context.server.get(target).await.map_err(|error: WriteError| error.to_string())?;
    let no_text = || format!("Secret {namespace}/{name}: key {key} is missing, or is no text");
    let secret: Secret = object.try_parse().map_err(|_| no_text())?;
    let value = secret.data.and_then(|mut data| data.remove(key)).ok_or_else(no_text)?;
    let text = String::from_utf8(value.0).map_err(|_| no_text())?;
    if text.is_empty() { Err(no_text()) } else { Ok(text) }
}
