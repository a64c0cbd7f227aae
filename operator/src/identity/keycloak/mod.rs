//! Keycloak, by its admin API. What it takes and answers was read in version 26.7.3.
//!
//! | module | what lives there |
//! |---|---|
//! | `request` | one request |
//! | `session` | requests with a token, page after page |
//! | `wire` | what Keycloak writes |
//! | `client` | a client as we make it |
//! | `flow` | a browser flow as we make it |
//! | `account` | accounts and invitations |
//! | `look` | everything that is there |
//! | `carry_out` | each step |
//! | `events` | what others changed |

mod account;
mod carry_out;
mod client;
mod events;
mod flow;
mod look;
mod request;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use tokio::sync::Mutex;

use self::session::Token;
use super::provider::{Changes, Cursor, Provider, ProviderError};
use super::seen::Seen;
use super::step::{Made, Step};
use super::wanted::ClientSecret;
use crate::core::Hostname;
use crate::reachability::Place;

/// Attribute of what the operator made.
const MANAGED: &str = "commonscloud.coop/managed";
/// Attribute of an organization and of a client: the Entity.
const ENTITY: &str = "commonscloud.coop/entity";
/// Attribute of an organization: the Entity's uid.
const ENTITY_UID: &str = "commonscloud.coop/entity-uid";
/// Attribute of a client: the service.
const SERVICE: &str = "commonscloud.coop/service";

/// Where a realm is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Door {
    /// The host name of the issuer.
    pub host: Hostname,
    /// The ingress that it is asked at, at port 443.
    pub address: Place,
    /// PEM certificates of the authority to trust. None: the public authorities.
    pub ca_bundle: Option<String>,
    /// The realm.
    pub realm: String,
}

/// A realm of Keycloak.
pub struct Keycloak {
    door: Door,
    port: u16,
    client_id: String,
    client_secret: ClientSecret,
    token: Mutex<Option<Token>>,
    /// What Keycloak calls the operator's own client by: its changes are nobody else's.
    own: Mutex<Option<String>>,
}

impl Keycloak {
    /// The realm behind a door, entered as a client with a service account.
    pub fn new(door: Door, client_id: String, client_secret: ClientSecret) -> Self {
        Self { door, port: 443, client_id, client_secret, token: Mutex::default(), own: Mutex::default() }
    }
}

impl Provider for Keycloak {
    async fn look(&self) -> Result<(Seen, Cursor), ProviderError> {
        // The other way round, what changes meanwhile would be in neither.
        let cursor = self.latest().await?;
        Ok((self.everything().await?, cursor))
    }

    async fn carry_out(&self, step: &Step, seen: &Seen) -> Result<Made, ProviderError> {
        self.step(step, seen).await
    }

    async fn changes(&self, since: &Cursor) -> Result<Changes, ProviderError> {
        self.changed(since).await
    }

    async fn look_again(&self, seen: &Seen, at: &Changes) -> Result<Seen, ProviderError> {
        self.again(seen, at).await
    }
}
