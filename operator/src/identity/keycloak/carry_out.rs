//! Each step. All of them can be made again: what is there already, or gone already, is as good as done.

use std::collections::BTreeSet;

use hyper::StatusCode;
use serde_json::{Value, json};

use super::request::Ask;
use super::wire::{Named, User};
use super::{ENTITY, ENTITY_UID, Keycloak, MANAGED, client};
use crate::identity::ProviderError;
use crate::identity::name::{client_of_flow, organization_alias};
use crate::identity::seen::{ClientSeen, Membership, OrganizationSeen, Seen};
use crate::identity::step::{Made, Step};
use crate::identity::wanted::{ClientWanted, Role};

impl Keycloak {
    pub(super) async fn step(&self, step: &Step, seen: &Seen) -> Result<Made, ProviderError> {
        match step {
            Step::TakeRoles { client, subject, roles } => self.take_roles(client, subject, roles, seen).await,
            Step::GiveRoles { client, subject, roles } => self.give_roles(client, subject, roles, seen).await,
            Step::EndSessions { client, subject } => self.gone(&["users", subject, "consents", client]).await,
            Step::Leave { organization, subject } => self.leave(organization, subject).await,
            Step::Withdraw { organization, invitation } => {
                self.gone(&["organizations", organization, "invitations", invitation]).await
            }
            Step::RemoveAccount { subject } => self.remove_account(subject).await,
            Step::RemoveClient { client } => self.remove_client(client, seen).await,
            Step::RemoveFlow { flow } => match seen.flows.get(flow) {
                Some(there) => self.remove_flow(&there.id).await.map(|()| Made::Done),
                None => Ok(Made::Done),
            },
            Step::RemoveOrganization { organization } => self.remove_organization(organization).await,
            Step::MakeOrganization { entity, uid, name } => self.make_organization(entity, uid, name, seen).await,
            Step::SetOrganization { organization, entity, uid, name } => {
                self.set_organization(organization, [entity, uid, name], seen).await
            }
            Step::MakeClient { client, wanted } => self.make_client(client, wanted).await,
            Step::MakeRoles { client, roles } => self.make_roles(client, roles, seen).await,
            Step::MakeFlow { client, flow } => self.make_flow(client, flow, seen).await.map(Made::Flow),
            Step::SetClient { client, flow, wanted } => self.set_client(client, flow, wanted, seen).await,
            Step::Join { uid, subject } => self.join(uid, subject, seen).await,
            Step::Invite { uid, mail, display_name } => {
                let organization = organization_of(uid, seen)?;
                self.invite(organization, mail, display_name).await
            }
        }
    }

    /// Deletes what may be gone already.
    async fn gone(&self, parts: &[&str]) -> Result<Made, ProviderError> {
        self.done_or(&Ask::delete(&self.at(parts)), &[StatusCode::NOT_FOUND]).await?;
        Ok(Made::Done)
    }

    async fn take_roles(
        &self,
        client: &str,
        subject: &str,
        roles: &BTreeSet<Role>,
        seen: &Seen,
    ) -> Result<Made, ProviderError> {
        let there = client_of(client, seen)?;
        let at = self.at(&["users", subject, "role-mappings", "clients", &there.uuid]);
        let ask = Ask::delete(&at).json(&named(roles, there));
        let answer = self.done_or(&ask, &[StatusCode::NOT_FOUND]).await?;
        // A role or a client that is another by now is looked at anew; an account that is gone has none.
        if answer.status == StatusCode::NOT_FOUND && self.has_account(subject).await? {
            return Err(answer.refusal(&ask));
        }
        Ok(Made::Done)
    }

    async fn give_roles(
        &self,
        client: &str,
        subject: &str,
        roles: &BTreeSet<Role>,
        seen: &Seen,
    ) -> Result<Made, ProviderError> {
        let there = client_of(client, seen)?;
        let at = self.at(&["users", subject, "role-mappings", "clients", &there.uuid]);
        self.done(&Ask::post(&at).json(&named(roles, there))).await?;
        Ok(Made::Done)
    }

    /// Keycloak deletes an account whose membership is managed, so that is looked at once more.
    async fn leave(&self, organization: &str, subject: &str) -> Result<Made, ProviderError> {
        let ask = Ask::get(&self.at(&["organizations", organization, "members", subject]));
        match self.find::<User>(&ask).await?.map(|member| member.membership()) {
            None => Ok(Made::Done),
            Some(Membership::Free) => self.gone(&["organizations", organization, "members", subject]).await,
            Some(Membership::Tied) => {
                Err(ask.failed("the membership is managed by now, and the account would end with it"))
            }
        }
    }

    async fn join(&self, uid: &str, subject: &str, seen: &Seen) -> Result<Made, ProviderError> {
        let at = self.at(&["organizations", organization_of(uid, seen)?, "members"]);
        self.done_or(&Ask::post(&at).json(&json!(subject)), &[StatusCode::CONFLICT]).await?;
        Ok(Made::Done)
    }

    async fn remove_client(&self, client: &str, seen: &Seen) -> Result<Made, ProviderError> {
        if let Some(there) = seen.clients.get(client) {
            self.gone(&["clients", &there.uuid]).await?;
        }
        for (_, flow) in seen.flows.iter().filter(|(flow, _)| client_of_flow(flow) == Some(client)) {
            self.remove_flow(&flow.id).await?;
        }
        Ok(Made::Done)
    }

    /// Keycloak deletes the accounts of those whose membership is managed, so there must be nobody in it.
    async fn remove_organization(&self, organization: &str) -> Result<Made, ProviderError> {
        let ask = Ask::get(&self.at(&["organizations", organization, "members"])).query("max", "1");
        if self.find::<Vec<Named>>(&ask).await?.is_some_and(|members| !members.is_empty()) {
            return Err(ask.failed("somebody is in an organization that is to go"));
        }
        self.gone(&["organizations", organization]).await
    }

    async fn make_organization(&self, entity: &str, uid: &str, name: &str, seen: &Seen) -> Result<Made, ProviderError> {
        let alias = organization_alias(entity, uid, seen);
        let attributes = json!({MANAGED: ["true"], ENTITY: [entity], ENTITY_UID: [uid]});
        let body = json!({"name": name, "alias": alias, "enabled": true, "attributes": attributes});
        let id = self.made(&Ask::post(&self.at(&["organizations"])).json(&body)).await?;
        let there = OrganizationSeen {
            name: name.to_owned(),
            alias,
            uid: Some(uid.to_owned()),
            entity: Some(entity.to_owned()),
            enabled: true,
            ..OrganizationSeen::default()
        };
        Ok(Made::Organization(id, there))
    }

    /// What somebody else wrote to it stays.
    async fn set_organization(&self, id: &str, to: [&String; 3], seen: &Seen) -> Result<Made, ProviderError> {
        let [entity, uid, name] = to;
        let at = self.at(&["organizations", id]);
        let mut body: Value = self.read(&Ask::get(&at)).await?;
        let ask = Ask::put(&at);
        if !body.is_object() {
            return Err(ask.failed("the organization is not what Keycloak 26 says"));
        }
        body["name"] = json!(name);
        body["enabled"] = json!(true);
        if !body["attributes"].is_object() {
            body["attributes"] = json!({});
        }
        for (attribute, value) in [(MANAGED, "true"), (ENTITY, entity.as_str()), (ENTITY_UID, uid.as_str())] {
            body["attributes"][attribute] = json!([value]);
        }
        self.done(&ask.json(&body)).await?;
        let there = seen.organizations.get(id).cloned().unwrap_or_default();
        let (uid, entity) = (Some(uid.clone()), Some(entity.clone()));
        Ok(Made::Organization(
            id.to_owned(),
            OrganizationSeen { name: name.clone(), uid, entity, enabled: true, ..there },
        ))
    }

    async fn make_client(&self, id: &str, wanted: &ClientWanted) -> Result<Made, ProviderError> {
        let body = client::representation(id, wanted, None);
        let uuid = self.made(&Ask::post(&self.at(&["clients"])).json(&body)).await?;
        Ok(Made::Client(made_client(uuid, wanted, None)))
    }

    async fn set_client(
        &self,
        id: &str,
        flow: &str,
        wanted: &ClientWanted,
        seen: &Seen,
    ) -> Result<Made, ProviderError> {
        let there = client_of(id, seen)?;
        let ask = Ask::put(&self.at(&["clients", &there.uuid]));
        let flow = seen.flows.get(flow).ok_or_else(|| ask.failed("its browser flow is not there"))?;
        self.done(&ask.json(&client::representation(id, wanted, Some(&flow.id)))).await?;
        let mut made = made_client(there.uuid.clone(), wanted, Some(flow.id.clone()));
        made.secret = made.secret.or_else(|| there.secret.clone());
        made.roles.clone_from(&there.roles);
        Ok(Made::Client(made))
    }

    async fn make_roles(&self, id: &str, roles: &BTreeSet<Role>, seen: &Seen) -> Result<Made, ProviderError> {
        let at = self.at(&["clients", &client_of(id, seen)?.uuid, "roles"]);
        for role in roles {
            let ask = Ask::post(&at).json(&json!({"name": role.name()}));
            self.done_or(&ask, &[StatusCode::CONFLICT]).await?;
        }
        Ok(Made::Roles(ours(self.read(&Ask::get(&at)).await?)))
    }
}

/// Those of a client's roles that are ours, with their ids.
pub(super) fn ours(roles: Vec<Named>) -> Vec<(Role, String)> {
    let role = |name: &str| Role::ALL.into_iter().find(|role| role.name() == name);
    roles.into_iter().filter_map(|there| Some((role(&there.name)?, there.id))).collect()
}

fn made_client(uuid: String, wanted: &ClientWanted, flow: Option<String>) -> ClientSeen {
    ClientSeen {
        uuid,
        entity: Some(wanted.entity.clone()),
        enabled: flow.is_some(),
        redirect_uris: wanted.redirect_uris(),
        secret: wanted.secret.clone(),
        flow,
        as_made: true,
        ..ClientSeen::default()
    }
}

/// Roles as requests name them.
fn named(roles: &BTreeSet<Role>, client: &ClientSeen) -> Value {
    let of = |role: &Role| Some(json!({"id": client.roles.get(role)?.id, "name": role.name()}));
    roles.iter().filter_map(of).collect()
}

fn client_of<'a>(id: &str, seen: &'a Seen) -> Result<&'a ClientSeen, ProviderError> {
    seen.clients.get(id).ok_or_else(|| ProviderError::new(format!("client {id}"), "it is not there (yet)"))
}

fn organization_of<'a>(uid: &str, seen: &'a Seen) -> Result<&'a str, ProviderError> {
    let found = seen.organization(uid).map(|(id, _)| id);
    found.ok_or_else(|| ProviderError::new(format!("organization of Entity {uid}"), "it is not there (yet)"))
}
