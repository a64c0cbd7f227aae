//! A realm as tests see it, and a provider that does what it is told.

use std::collections::BTreeMap;

use super::difference;
use super::name::{account_name, folded};
use super::seen::{ClientSeen, FlowSeen, Membership, OrganizationSeen, Seen, UserSeen};
use super::step::{Made, Step};
use super::wanted::{ClientSecret, ClientWanted, OrganizationWanted, PersonWanted, RealmWanted, Role};
use crate::api::{AccessRole, PlatformIdentity};

pub(super) fn account(username: &str) -> UserSeen {
    UserSeen {
        username: username.to_owned(),
        mail: Some(format!("{username}@example.org")),
        mail_verified: true,
        enabled: true,
        used: false,
    }
}

pub(super) fn organization(uid: &str, display_name: &str) -> OrganizationWanted {
    OrganizationWanted { uid: uid.to_owned(), display_name: display_name.to_owned() }
}

pub(super) fn client(entity: &str, service: &str) -> ClientWanted {
    ClientWanted {
        entity: entity.to_owned(),
        service: service.to_owned(),
        url: format!("https://{service}.{entity}.example.org"),
        secret: Some(ClientSecret::new(format!("{entity} {service}"))),
    }
}

/// Somebody of an Entity who accepted.
pub(super) fn bound(subject: &str, roles: &[(&str, AccessRole)]) -> PersonWanted {
    PersonWanted {
        display_name: subject.to_owned(),
        subject: Some(subject.to_owned()),
        belongs: true,
        roles: roles.iter().map(|(client, role)| ((*client).to_owned(), Role::of(*role))).collect(),
        ..PersonWanted::default()
    }
}

/// Somebody who is to be invited.
pub(super) fn invited(mail: &str) -> PersonWanted {
    PersonWanted {
        display_name: "Clara".to_owned(),
        mail: Some(mail.to_owned()),
        belongs: true,
        ..PersonWanted::default()
    }
}

pub(super) fn put(wanted: &mut RealmWanted, entity: &str, id: &str, person: PersonWanted) {
    wanted.people.insert((entity.to_owned(), id.to_owned()), person);
}

/// Two Entities with a wiki each. Anna manages both, Bernd enters the first, Clara is to be invited to it.
pub(super) fn wanted() -> RealmWanted {
    let mut wanted = RealmWanted::default();
    for (entity, uid) in [("coop", "e1"), ("other", "e2")] {
        wanted.organizations.insert(entity.to_owned(), organization(uid, entity));
        wanted.add_client(client(entity, "wiki"));
    }
    put(&mut wanted, "coop", "annaannaanna", bound("anna", &[("coop.wiki", AccessRole::Manager)]));
    put(&mut wanted, "coop", "berndbernd00", bound("bernd", &[("coop.wiki", AccessRole::User)]));
    put(&mut wanted, "coop", "claraclara00", invited("Clara@Example.org"));
    put(&mut wanted, "other", "annaannaanna", bound("anna", &[("other.wiki", AccessRole::Manager)]));
    wanted
}

/// A realm where nothing was done yet: those who accepted have accounts, and so has a stranger.
pub(super) fn empty() -> Seen {
    let users = ["anna", "bernd", "stranger"].map(|name| (name.to_owned(), account(name)));
    Seen { users: users.into(), ..Seen::default() }
}

/// The same once everything was done.
pub(super) fn brought(wanted: &RealmWanted) -> Seen {
    let mut seen = empty();
    carry_out(&difference(wanted, &seen), &mut seen);
    seen
}

/// Carries out steps.
pub(super) fn carry_out(steps: &[Step], seen: &mut Seen) {
    for step in steps {
        let made = done(step, seen);
        seen.after(step, made);
    }
}

fn done(step: &Step, seen: &Seen) -> Made {
    match step {
        Step::MakeOrganization { entity, uid, name } => {
            assert!(seen.organizations.values().all(|one| one.name != *name), "{name} is taken");
            Made::Organization(format!("o-{uid}"), made_organization(entity, uid, name))
        }
        Step::SetOrganization { organization, entity, uid, name } => {
            let there = seen.organizations[organization].clone();
            let made = made_organization(entity, uid, name);
            let (members, invitations) = (there.members, there.invitations);
            Made::Organization(organization.clone(), OrganizationSeen { members, invitations, ..made })
        }
        Step::MakeClient { client, wanted } => {
            assert!(!seen.clients.contains_key(client), "{client} is there");
            Made::Client(made_client(client, wanted))
        }
        Step::MakeRoles { client, roles } => {
            assert!(seen.clients.contains_key(client), "{client} is not there yet");
            Made::Roles(roles.iter().map(|role| (*role, format!("r-{client}-{}", role.name()))).collect())
        }
        Step::MakeFlow { flow, .. } => Made::Flow(FlowSeen { id: format!("f-{flow}"), complete: true }),
        Step::SetClient { client, flow, wanted } => {
            let roles = seen.clients[client].roles.clone();
            assert_eq!(roles.len(), 2, "{client} lets people in before its roles are there");
            let (enabled, flow) = (true, Some(seen.flows[flow].id.clone()));
            Made::Client(ClientSeen { enabled, flow, roles, ..made_client(client, wanted) })
        }
        Step::RemoveFlow { flow } => {
            let id = &seen.flows[flow].id;
            assert!(seen.clients.values().all(|client| client.flow.as_ref() != Some(id)), "{flow} is bound");
            Made::Done
        }
        Step::RemoveOrganization { organization } => {
            assert!(seen.organizations[organization].members.is_empty(), "somebody would be deleted with it");
            Made::Done
        }
        Step::Leave { organization, subject } => {
            assert_eq!(seen.organizations[organization].members[subject], Membership::Free);
            Made::Done
        }
        Step::Invite { mail, display_name, .. } => invite(mail, display_name, seen),
        _ => Made::Done,
    }
}

fn made_organization(entity: &str, uid: &str, name: &str) -> OrganizationSeen {
    OrganizationSeen {
        name: name.to_owned(),
        alias: entity.to_owned(),
        uid: Some(uid.to_owned()),
        entity: Some(entity.to_owned()),
        enabled: true,
        ..OrganizationSeen::default()
    }
}

fn made_client(id: &str, wanted: &ClientWanted) -> ClientSeen {
    assert_eq!(id, PlatformIdentity::client_id(&wanted.entity, &wanted.service));
    ClientSeen {
        uuid: format!("c-{id}"),
        entity: Some(wanted.entity.clone()),
        redirect_uris: wanted.redirect_uris(),
        secret: wanted.secret.clone(),
        as_made: true,
        roles: BTreeMap::new(),
        ..ClientSeen::default()
    }
}

fn invite(mail: &str, display_name: &str, seen: &Seen) -> Made {
    assert_eq!(mail, folded(mail));
    let there = seen.accounts_of(mail).first().map(|(subject, user)| ((*subject).to_owned(), (*user).clone()));
    let (subject, user) = there.unwrap_or_else(|| {
        let username = account_name(display_name, mail);
        (format!("u-{mail}"), UserSeen { mail: Some(mail.to_owned()), ..account(&username) })
    });
    Made::Invited { invitation: format!("i-{mail}"), subject, user }
}

/// Somebody takes the link in the mail.
pub(super) fn accept(mail: &str, uid: &str, seen: &mut Seen) {
    let (subject, _) = seen.accounts_of(mail)[0];
    let (subject, id) = (subject.to_owned(), seen.organization(uid).unwrap().0.to_owned());
    let organization = seen.organizations.get_mut(&id).unwrap();
    organization.members.insert(subject, Membership::Free);
    organization.invitations.retain(|_, invitation| invitation.mail != mail);
}
