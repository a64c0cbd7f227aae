//! What Keycloak writes, as far as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ENTITY, ENTITY_UID};
use crate::identity::name::folded;
use crate::identity::seen::{InvitationSeen, Membership, OrganizationSeen, UserSeen};

#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) access_token: String,
    pub(super) expires_in: u64,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct User {
    pub(super) id: String,
    username: String,
    email: Option<String>,
    email_verified: bool,
    enabled: bool,
    pub(super) required_actions: Vec<String>,
    membership_type: Option<String>,
}

impl User {
    pub(super) fn seen(self) -> (String, UserSeen) {
        let mail = self.email.as_deref().map(folded).filter(|mail| !mail.is_empty());
        let seen = UserSeen {
            username: self.username,
            mail,
            mail_verified: self.email_verified,
            enabled: self.enabled,
            used: false,
        };
        (self.id, seen)
    }

    /// What kind of member it is. A kind that is not known is taken for the one that would be deleted.
    pub(super) fn membership(&self) -> Membership {
        match self.membership_type.as_deref() {
            Some("UNMANAGED") => Membership::Free,
            _ => Membership::Tied,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Organization {
    pub(super) id: String,
    name: String,
    alias: String,
    enabled: bool,
    attributes: Option<BTreeMap<String, Vec<String>>>,
}

impl Organization {
    /// Without members and invitations.
    pub(super) fn seen(self) -> (String, OrganizationSeen) {
        let attribute = |name: &str| self.attributes.as_ref()?.get(name)?.first().cloned();
        let seen = OrganizationSeen {
            uid: attribute(ENTITY_UID),
            entity: attribute(ENTITY),
            name: self.name,
            alias: self.alias,
            enabled: self.enabled,
            ..OrganizationSeen::default()
        };
        (self.id, seen)
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Invitation {
    id: String,
    email: String,
    status: String,
}

impl Invitation {
    pub(super) fn seen(self) -> (String, InvitationSeen) {
        (self.id, InvitationSeen { mail: folded(&self.email), expired: self.status == "EXPIRED" })
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) id: String,
    #[serde(alias = "alias")]
    pub(super) name: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Execution {
    pub(super) id: String,
    pub(super) level: usize,
    pub(super) requirement: String,
    pub(super) priority: i64,
    pub(super) provider_id: Option<String>,
    pub(super) display_name: Option<String>,
    pub(super) authentication_flow: Option<bool>,
    pub(super) authentication_config: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct ExecutionConfig {
    pub(super) config: BTreeMap<String, Option<String>>,
}

/// An event of a person or of an administrator.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) time: i64,
    pub(super) user_id: Option<String>,
    pub(super) details: Option<BTreeMap<String, Option<String>>>,
    pub(super) resource_type: Option<String>,
    pub(super) resource_path: Option<String>,
    pub(super) auth_details: Option<AuthDetails>,
    pub(super) error: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AuthDetails {
    pub(super) client_id: Option<String>,
}
