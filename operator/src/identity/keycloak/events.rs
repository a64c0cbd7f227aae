//! What others changed: events of people, and of administrators other than the operator.
//!
//! An event has the time at which its request began, and is stored when it ends: some come after later ones. So a
//! minute is read again each time, without what is known of it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Keycloak;
use super::request::Ask;
use super::wire::Event;
use crate::identity::{Changes, Cursor, ProviderError};

/// How late an event can come, in milliseconds.
const LATEST: i64 = 60_000;
/// How many events are read at a time.
const EVENTS: usize = 500;
/// Of so many changes at once everything is looked at.
const MOST: usize = 30;
/// Events of people after which something of ours can be different.
const OF_PEOPLE: [&str; 8] = [
    "REGISTER",
    "INVITE_ORG",
    "UPDATE_EMAIL",
    "UPDATE_PROFILE",
    "VERIFY_EMAIL",
    "DELETE_ACCOUNT",
    "IDENTITY_PROVIDER_FIRST_LOGIN",
    "USER_DISABLED_BY_PERMANENT_LOCKOUT",
];
/// What administrators do that is nothing of ours.
const OF_OTHERS: [&str; 19] = [
    "USER_LOGIN_FAILURE",
    "USER_SESSION",
    "USER_PROFILE",
    "GROUP",
    "GROUP_MEMBERSHIP",
    "ORGANIZATION_GROUP",
    "ORGANIZATION_GROUP_MEMBERSHIP",
    "REALM_ROLE",
    "REALM_ROLE_MAPPING",
    "REALM_SCOPE_MAPPING",
    "REQUIRED_ACTION",
    "REQUIRED_ACTION_CONFIG",
    "IDENTITY_PROVIDER",
    "IDENTITY_PROVIDER_MAPPER",
    "CLIENT_INITIAL_ACCESS_MODEL",
    "CLUSTER_NODE",
    "COMPONENT",
    "USER_FEDERATION_PROVIDER",
    "USER_FEDERATION_MAPPER",
];

impl Keycloak {
    /// Up to now.
    pub(super) async fn latest(&self) -> Result<Cursor, ProviderError> {
        let mut at = 0;
        for path in ["events", "admin-events"] {
            let ask = Ask::get(&self.at(&[path])).query("max", "1").query("direction", "desc");
            let last: Vec<Event> = self.read(&ask).await?;
            at = last.iter().map(|event| event.time).fold(at, i64::max);
        }
        let (people, administrators) = self.since(at).await?;
        Ok(cursor(at, people.iter().chain(&administrators)))
    }

    pub(super) async fn changed(&self, since: &Cursor) -> Result<Changes, ProviderError> {
        let own = self.own().await?;
        let (people, administrators) = self.since(since.at).await?;
        let mut changes = Changes::default();
        // Of a provider that was restored from a backup the last events are not there any more.
        let there: BTreeSet<&String> = people.iter().chain(&administrators).map(|event| &event.id).collect();
        changes.everything = since.known.iter().any(|id| !there.contains(id));
        for event in people.iter().filter(|event| !since.known.contains(&event.id)) {
            changes.users.extend(event.user_id.clone());
            let organization = event.details.as_ref().and_then(|details| details.get("org_id")).cloned().flatten();
            changes.organizations.extend(organization);
        }
        let is_others = |event: &&Event| {
            let by = event.auth_details.as_ref().and_then(|details| details.client_id.as_ref());
            !since.known.contains(&event.id) && event.error.is_none() && by != Some(&own)
        };
        administrators.iter().filter(is_others).for_each(|event| note(event, &mut changes));
        changes.everything |= changes.users.len() + changes.organizations.len() + changes.clients.len() > MOST;
        changes.cursor = cursor(since.at, people.iter().chain(&administrators));
        Ok(changes)
    }

    /// The events of people and of administrators from a minute before a time on.
    async fn since(&self, at: i64) -> Result<(Vec<Event>, Vec<Event>), ProviderError> {
        let from = (at - LATEST).max(0).to_string();
        let path = self.at(&["events"]);
        let of_people = || {
            let ask = Ask::get(&path).query("dateFrom", &from).query("direction", "asc");
            OF_PEOPLE.iter().fold(ask, |ask, kind| ask.query("type", kind))
        };
        let people = self.list(EVENTS, of_people).await?;
        let path = self.at(&["admin-events"]);
        let of_administrators = || Ask::get(&path).query("dateFrom", &from).query("direction", "asc");
        Ok((people, self.list(EVENTS, of_administrators).await?))
    }

    /// What the operator's own client is called by.
    async fn own(&self) -> Result<String, ProviderError> {
        let mut own = self.own.lock().await;
        if let Some(own) = own.as_ref() {
            return Ok(own.clone());
        }
        let ask = Ask::get(&self.at(&["clients"])).query("clientId", &self.client_id);
        let clients: Vec<Value> = self.read(&ask).await?;
        let id = clients.iter().find_map(|client| client.get("id")?.as_str());
        let id = id.ok_or_else(|| ask.failed("the operator's own client is not there"))?.to_owned();
        *own = Some(id.clone());
        Ok(id)
    }
}

/// Up to the last of these events, and those of its last minute.
fn cursor<'a>(at: i64, events: impl Iterator<Item = &'a Event> + Clone) -> Cursor {
    let at = events.clone().map(|event| event.time).fold(at, i64::max);
    let known: BTreeSet<String> =
        events.filter(|event| event.time >= at - LATEST).map(|event| event.id.clone()).collect();
    Cursor { at, known }
}

/// Notes what an administrator changed.
fn note(event: &Event, changes: &mut Changes) {
    let kind = event.resource_type.as_deref().unwrap_or_default();
    let path: Vec<&str> = event.resource_path.as_deref().unwrap_or_default().split('/').collect();
    match (kind, path.as_slice()) {
        ("USER", ["users", subject, ..]) => {
            changes.users.insert((*subject).to_owned());
        }
        ("CLIENT_ROLE_MAPPING", ["users", _, "role-mappings", "clients", uuid, ..]) => {
            changes.clients.insert((*uuid).to_owned());
        }
        ("ORGANIZATION" | "ORGANIZATION_MEMBERSHIP", ["organizations", id, ..]) => {
            changes.organizations.insert((*id).to_owned());
        }
        (other, _) => changes.everything |= !OF_OTHERS.contains(&other),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    fn event(kind: &str, path: &str) -> Event {
        Event { resource_type: Some(kind.to_owned()), resource_path: Some(path.to_owned()), ..Event::default() }
    }

    #[test_case("USER", "users/u1", [1, 0, 0, 0]; "an account")]
    #[test_case("USER", "users/u1/reset-password", [1, 0, 0, 0]; "a password")]
    #[test_case("CLIENT_ROLE_MAPPING", "users/u1/role-mappings/clients/c1", [0, 0, 1, 0]; "a role of somebody")]
    #[test_case("CLIENT_ROLE_MAPPING", "groups/g1/role-mappings/clients/c1", [0, 0, 0, 1]; "a role of a group")]
    #[test_case("ORGANIZATION_MEMBERSHIP", "organizations/o1/members/u1", [0, 1, 0, 0]; "a member")]
    #[test_case("ORGANIZATION", "organizations/o1", [0, 1, 0, 0]; "an organization")]
    #[test_case("CLIENT", "clients/c1", [0, 0, 0, 1]; "a client")]
    #[test_case("CLIENT_ROLE", "clients/c1/roles/access", [0, 0, 0, 1]; "a role")]
    #[test_case("AUTH_EXECUTION", "authentication/executions/e1", [0, 0, 0, 1]; "a flow")]
    #[test_case("GROUP", "groups/g1", [0, 0, 0, 0]; "a group")]
    #[test_case("NEW_IN_27", "new", [0, 0, 0, 1]; "what is not known")]
    fn what_an_administrator_did_is_looked_at_where_it_was_done(kind: &str, path: &str, noted: [usize; 4]) {
        let mut changes = Changes::default();
        note(&event(kind, path), &mut changes);
        let sizes = [changes.users.len(), changes.organizations.len(), changes.clients.len()];
        assert_eq!([sizes[0], sizes[1], sizes[2], usize::from(changes.everything)], noted);
    }

    #[test]
    fn a_cursor_knows_the_last_minute_and_nothing_before() {
        let at = |time: i64, id: &str| Event { time, id: id.to_owned(), ..Event::default() };
        let events = [at(1_000, "a"), at(70_000, "b"), at(65_000, "c")];
        let cursor = super::cursor(500, events.iter());
        assert_eq!(cursor.at, 70_000);
        assert_eq!(cursor.known, ["b".to_owned(), "c".to_owned()].into());
        assert_eq!(super::cursor(500, [].iter()), Cursor { at: 500, known: BTreeSet::new() });
    }
}
