//! `commonscloud people list`: who belongs to an Entity, or who may enter one of its services.

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Access, AccessRole, Collective, Member, MemberStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Client, ResourceExt as _};
use serde::Serialize;

use super::ask::{self, Accesses};
use super::cells::{Form, Listed, shown};
use super::known::{Known, around};
use crate::asked;
use crate::data::said;

/// List who belongs to an Entity's collective, or who may enter one of its services.
///
/// Mail addresses are those of invitations: who accepted has theirs at the identity provider. A service's managers who
/// may not read the Collective see the names of its members, and no addresses.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose.
    entity: String,
    /// Who may enter this service.
    #[arg(long)]
    service: Option<String>,
    /// Also the members who may not enter it: whom you can let in.
    #[arg(long, requires = "service")]
    all: bool,
    /// Form of the list.
    #[arg(long, value_enum, default_value_t)]
    output: Form,
}

pub(super) async fn run(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { entity, service, all, output } = arguments;
    let Some(service) = service else {
        let (collective, accesses) = tokio::try_join!(ask::collective(client, entity), ask::accesses(client, entity))?;
        if !accesses.unread.is_empty() {
            eprintln!("not shown: who may enter {}, which you may not read", accesses.unread.join(", "));
        }
        return said(shown(&belonging(&collective, &accesses), *output)?);
    };
    let (collective, access) =
        tokio::try_join!(ask::readable_collective(client, entity), ask::access(client, entity, service))?;
    said(shown(&entering(&access, collective.as_ref(), *all), *output)?)
}

/// A member of a collective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Belonging {
    id: String,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<String>,
    state: String,
    manager: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    services: Vec<Door>,
    /// The name by which the API server knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// A service that somebody may enter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Door {
    service: String,
    role: AccessRole,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
}

impl Door {
    fn shown(&self) -> String {
        match self.role {
            AccessRole::User => self.service.clone(),
            AccessRole::Manager => format!("{} (Manager)", self.service),
        }
    }
}

impl Listed for Belonging {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "mail", "state", "manager", "since", "services", "user", "message"];
    const IN_TABLE: usize = 7;

    fn cells(&self) -> Vec<String> {
        let services: Vec<String> = self.services.iter().map(Door::shown).collect();
        vec![
            self.id.clone(),
            self.display_name.clone(),
            self.mail.clone().unwrap_or_default(),
            self.state.clone(),
            if self.manager { "yes".to_owned() } else { String::new() },
            when(self.since.as_ref()),
            services.join(", "),
            self.user.clone().unwrap_or_default(),
            self.message.clone().unwrap_or_default(),
        ]
    }
}

fn when(time: Option<&Time>) -> String {
    time.map_or_else(String::new, |time| asked::shown(time.0))
}

/// Everybody in the collective, by their names, with what they may enter.
fn belonging(collective: &Collective, accesses: &Accesses) -> Vec<Belonging> {
    let status = collective.status.as_ref();
    let mut list: Vec<Belonging> = collective
        .spec
        .members
        .iter()
        .map(|(id, member)| {
            let known = status.and_then(|status| status.people.get(id));
            let manages = collective.spec.managers.get(id);
            Belonging {
                id: id.clone(),
                display_name: member.display_name.clone(),
                mail: member.mail.clone(),
                state: state(member, known),
                manager: manages.is_some_and(|manager| manager.removed.is_none()),
                since: member.since.clone(),
                services: accesses.read.iter().filter_map(|access| door(access, id)).collect(),
                user: member.account.as_ref().map(|account| account.user.clone()),
                message: known.and_then(|known| known.message.clone()),
            }
        })
        .collect();
    list.sort_by_cached_key(|one| (one.display_name.to_lowercase(), one.id.clone()));
    list
}

fn door(access: &Access, id: &str) -> Option<Door> {
    let entry = access.spec.people.get(id).filter(|entry| entry.removed.is_none())?;
    Some(Door { service: access.name_any(), role: entry.role, until: entry.until.clone() })
}

/// How far somebody is; one whom the operator has not looked at by what stands in the spec.
fn state(member: &Member, known: Option<&MemberStatus>) -> String {
    match (&member.removed, known, &member.account) {
        (Some(_), _, _) => "Leaving".to_owned(),
        (None, Some(known), _) => format!("{:?}", known.state),
        (None, None, Some(_)) => "Accepted".to_owned(),
        (None, None, None) => "Pending".to_owned(),
    }
}

/// Somebody around a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Entering {
    id: String,
    display_name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<String>,
    /// None for who may not enter.
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<AccessRole>,
    guest: bool,
    leaving: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
}

impl Listed for Entering {
    const COLUMNS: &'static [&'static str] = &["id", "name", "mail", "role", "until", "since", "by"];
    const IN_TABLE: usize = 7;

    fn cells(&self) -> Vec<String> {
        let role = match self.role {
            _ if self.leaving => "Leaving".to_owned(),
            Some(AccessRole::User) if self.guest => "Guest".to_owned(),
            Some(role) => format!("{role:?}"),
            None => String::new(),
        };
        vec![
            self.id.clone(),
            self.display_name.clone(),
            self.mail.clone().unwrap_or_default(),
            role,
            when(self.until.as_ref()),
            when(self.since.as_ref()),
            self.by.clone().unwrap_or_default(),
        ]
    }
}

/// Who may enter, by their names; with `all` also who could be let in, after them.
fn entering(access: &Access, collective: Option<&Collective>, all: bool) -> Vec<Entering> {
    let one = |known: Known| {
        let entry = access.spec.people.get(&known.id);
        Entering {
            role: entry.map(|entry| entry.role),
            guest: entry.is_some_and(|entry| entry.guest.is_some()),
            leaving: known.removed_by.is_some() || entry.is_some_and(|entry| entry.removed.is_some()),
            until: entry.and_then(|entry| entry.until.clone()),
            since: entry.and_then(|entry| entry.since.clone()),
            by: entry.map(|entry| entry.by.clone()),
            id: known.id,
            display_name: known.name,
            mail: known.mail,
        }
    };
    let mut list: Vec<Entering> = around(access, collective).into_iter().map(one).collect();
    list.retain(|one| one.role.is_some() || (all && !one.leaving));
    list.sort_by_cached_key(|one| (one.role.is_none(), one.display_name.to_lowercase(), one.id.clone()));
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::known::tests::{access, collective};

    #[test]
    fn a_collective_is_listed_by_names_with_what_each_may_enter() {
        let accesses = Accesses { read: vec![access()], unread: Vec::new() };
        let text = shown(&belonging(&collective(), &accesses), Form::Table).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["ID", "NAME", "MAIL", "STATE", "MANAGER", "SINCE", "SERVICES"]);
        assert_eq!(
            rows[1],
            ["aaaaaaaa1", "Anna", "-", "Accepted", "yes", "2026-11-01", "00:00", "UTC", "office", "(Manager)"]
        );
        assert_eq!(rows[2], ["aaaaaaaa2", "anna", "anna@example.org", "Pending", "-", "-", "-"]);
        assert_eq!(rows[3], ["cccccccc1", "Maria", "m@example.org", "Leaving", "-", "-", "-"]);
        assert_eq!(rows[4], ["bbbbbbbb1", "Pau", "pau@example.org", "Pending", "-", "-", "office"]);
        let csv = shown(&belonging(&collective(), &accesses), Form::Csv).unwrap();
        assert!(csv.contains("Pau,pau@example.org,Pending,,,office,,until 14 December"), "{csv}");
        assert!(csv.contains("person:s-1"), "{csv}");
    }

    #[test]
    fn a_service_is_listed_with_its_guests_and_on_demand_with_whom_to_let_in() {
        let names =
            |all| entering(&access(), Some(&collective()), all).into_iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(names(false), ["aaaaaaaa1", "gggggggg1", "cccccccc1", "bbbbbbbb1"]);
        assert_eq!(names(true), ["aaaaaaaa1", "gggggggg1", "cccccccc1", "bbbbbbbb1", "aaaaaaaa2"]);
        let text = shown(&entering(&access(), Some(&collective()), true), Form::Table).unwrap();
        let rows: Vec<&str> = text.lines().collect();
        assert!(rows[2].contains("guest@example.org") && rows[2].contains("2027-02-28 23:59 UTC"), "{text}");
        assert!(rows[3].contains("Leaving") && rows[4].contains("pau@example.org"), "{text}");
    }

    #[test]
    fn who_may_not_read_the_collective_is_shown_no_members_mail() {
        let text = shown(&entering(&access(), None, true), Form::Json).unwrap();
        assert!(text.contains("\"Pau\"") && !text.contains("pau@example.org"), "{text}");
    }
}
