//! Everything that is there, page after page: so many requests as there are organizations and clients, and pages of
//! people, never one for each person.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::request::Ask;
use super::wire::{Invitation, Named, Organization, User};
use super::{Keycloak, carry_out, client};
use crate::identity::name::client_of_flow;
use crate::identity::seen::{ClientSeen, OrganizationSeen, RoleSeen, Seen, UserSeen};
use crate::identity::wanted::Role;
use crate::identity::{Changes, ProviderError};

/// How many people are read at a time.
const PEOPLE: usize = 500;
/// How many of anything else.
const OTHERS: usize = 100;

impl Keycloak {
    pub(super) async fn everything(&self) -> Result<Seen, ProviderError> {
        let mut seen = Seen { users: self.users().await?, ..Seen::default() };
        let at = self.at(&["organizations"]);
        let all: Vec<Organization> = self.list(OTHERS, || Ask::get(&at).query("briefRepresentation", "false")).await?;
        for (id, mut one) in all.into_iter().map(Organization::seen) {
            self.fill_organization(&id, &mut one).await?;
            seen.organizations.insert(id, one);
        }
        for there in self.clients().await? {
            let Some((id, mut one)) = client::seen(&there) else { continue };
            if id == self.client_id {
                *self.own.lock().await = Some(one.uuid.clone());
            }
            self.fill_client(&mut one).await?;
            seen.clients.insert(id, one);
        }
        for flow in self.flows().await? {
            let Some(client) = client_of_flow(&flow.name) else { continue };
            let one = self.flow_seen(client, &flow.name, flow.id).await?;
            seen.flows.insert(flow.name, one);
        }
        Ok(seen)
    }

    async fn users(&self) -> Result<BTreeMap<String, UserSeen>, ProviderError> {
        let at = self.at(&["users"]);
        let users: Vec<User> = self.list(PEOPLE, || Ask::get(&at).query("briefRepresentation", "true")).await?;
        Ok(users.into_iter().map(User::seen).collect())
    }

    async fn clients(&self) -> Result<Vec<Value>, ProviderError> {
        let at = self.at(&["clients"]);
        self.list(OTHERS, || Ask::get(&at)).await
    }

    /// Reads who is in an organization that is ours, and who is invited to it.
    async fn fill_organization(&self, id: &str, one: &mut OrganizationSeen) -> Result<(), ProviderError> {
        if one.uid.is_none() {
            return Ok(());
        }
        let at = self.at(&["organizations", id, "members"]);
        let members: Vec<User> = self.list(PEOPLE, || Ask::get(&at).query("briefRepresentation", "true")).await?;
        one.members = members.into_iter().map(|member| (member.id.clone(), member.membership())).collect();
        let at = self.at(&["organizations", id, "invitations"]);
        let invitations: Vec<Invitation> = self.list(PEOPLE, || Ask::get(&at)).await?;
        one.invitations = invitations.into_iter().map(Invitation::seen).collect();
        Ok(())
    }

    /// Reads who has the roles of a client that is ours.
    async fn fill_client(&self, one: &mut ClientSeen) -> Result<(), ProviderError> {
        one.roles.clear();
        if one.entity.is_none() {
            return Ok(());
        }
        let roles: Vec<Named> = self.read(&Ask::get(&self.at(&["clients", &one.uuid, "roles"]))).await?;
        for (role, id) in carry_out::ours(roles) {
            let users = self.users_of(&one.uuid, role).await?;
            one.roles.insert(role, RoleSeen { id, users });
        }
        Ok(())
    }

    async fn users_of(&self, uuid: &str, role: Role) -> Result<BTreeSet<String>, ProviderError> {
        let at = self.at(&["clients", uuid, "roles", role.name(), "users"]);
        let users: Vec<Named> = self.list(PEOPLE, || Ask::get(&at).query("briefRepresentation", "true")).await?;
        Ok(users.into_iter().map(|user| user.id).collect())
    }

    pub(super) async fn again(&self, seen: &Seen, at: &Changes) -> Result<Seen, ProviderError> {
        if at.everything {
            return self.everything().await;
        }
        let mut seen = seen.clone();
        for subject in &at.users {
            self.user_again(subject, &mut seen).await?;
        }
        for id in &at.organizations {
            self.organization_again(id, &mut seen).await?;
        }
        let ours = seen.clients.values_mut().filter(|client| at.clients.contains(&client.uuid));
        for client in ours {
            self.fill_client(client).await?;
        }
        Ok(seen)
    }

    async fn user_again(&self, subject: &str, seen: &mut Seen) -> Result<(), ProviderError> {
        let Some(user) = self.find::<User>(&Ask::get(&self.at(&["users", subject]))).await? else {
            seen.forget_user(subject);
            return Ok(());
        };
        let (subject, mut user) = user.seen();
        user.used = seen.users.get(&subject).is_some_and(|before| before.used);
        seen.users.insert(subject, user);
        Ok(())
    }

    async fn organization_again(&self, id: &str, seen: &mut Seen) -> Result<(), ProviderError> {
        let ask = Ask::get(&self.at(&["organizations", id]));
        let Some(there) = self.find::<Organization>(&ask).await? else {
            seen.organizations.remove(id);
            return Ok(());
        };
        let (id, mut one) = there.seen();
        self.fill_organization(&id, &mut one).await?;
        seen.organizations.insert(id, one);
        Ok(())
    }
}
