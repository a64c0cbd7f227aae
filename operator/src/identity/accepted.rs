//! Who accepted an invitation, and how far the others are. Names of accounts never matter: what tells is a membership,
//! to which only the link in the mail leads, and the verified address of the account.

use std::collections::{BTreeMap, BTreeSet};

use super::name::folded;
use super::seen::{OrganizationSeen, Seen};
use super::wanted::{PersonKey, PersonWanted, RealmWanted};

/// An account that somebody's entry is to be bound to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The Entity.
    pub entity: String,
    /// The entry's id.
    pub id: String,
    /// The service whose Access has the entry, of a guest; none: it is in the Collective.
    pub service: Option<String>,
    /// The account's subject.
    pub subject: String,
}

/// How far somebody without an account here is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// No mail was sent yet.
    Waiting,
    /// A mail was sent.
    Invited,
    /// The invitation can be accepted no more.
    Expired,
    /// They accepted by an account that cannot be taken for theirs yet: its address is not verified, or it is
    /// disabled.
    Unverified,
    /// They accepted.
    Joined,
}

/// The people of an Entity without an account, by the address that they are invited at, as it is compared.
pub(super) fn invitees<'a>(
    entity: &'a str,
    wanted: &'a RealmWanted,
) -> BTreeMap<String, Vec<(&'a str, &'a PersonWanted)>> {
    let mut invitees: BTreeMap<String, Vec<(&str, &PersonWanted)>> = BTreeMap::new();
    for (id, person) in wanted.of(entity).filter(|(_, person)| is_invited(person)) {
        if let Some(mail) = &person.mail {
            invitees.entry(folded(mail)).or_default().push((id, person));
        }
    }
    invitees
}

fn is_invited(person: &PersonWanted) -> bool {
    person.subject.is_none() && !person.elsewhere
}

/// The subjects that an Entity's organization is to have, or is to have once they are bound.
pub(super) fn expected<'a>(entity: &'a str, wanted: &'a RealmWanted, seen: &'a Seen) -> BTreeSet<&'a str> {
    let mut subjects = bound(entity, wanted);
    for mail in invitees(entity, wanted).keys() {
        subjects.extend(seen.accounts_of(mail).into_iter().map(|(subject, _)| subject));
    }
    subjects
}

/// The subjects that are bound to somebody in an Entity.
pub(super) fn bound<'a>(entity: &'a str, wanted: &'a RealmWanted) -> BTreeSet<&'a str> {
    wanted.of(entity).filter_map(|(_, person)| person.subject.as_deref()).collect()
}

/// Who is to be bound to which account. What is ambiguous is left to [`problems`](super::problems).
pub fn accepted(wanted: &RealmWanted, seen: &Seen) -> Vec<Binding> {
    let mut bindings = Vec::new();
    for (entity, one) in &wanted.organizations {
        let Some((_, organization)) = seen.organization(&one.uid) else { continue };
        let bound = bound(entity, wanted);
        for (mail, people) in invitees(entity, wanted) {
            let [(id, person)] = people.as_slice() else { continue };
            let Some((subject, true)) = joined(&mail, organization, seen) else { continue };
            if !bound.contains(subject) {
                bindings.extend(bindings_of(entity, id, person, subject));
            }
        }
    }
    bindings
}

/// The one account of an address that is a member, and whether it can be taken for its owner's.
fn joined<'a>(mail: &str, organization: &OrganizationSeen, seen: &'a Seen) -> Option<(&'a str, bool)> {
    let accounts = seen.accounts_of(mail);
    let [(subject, user)] = accounts.as_slice() else { return None };
    let is_member = organization.members.contains_key(*subject);
    is_member.then_some((*subject, user.enabled && user.mail_verified))
}

fn bindings_of(entity: &str, id: &str, person: &PersonWanted, subject: &str) -> Vec<Binding> {
    let binding = |service: Option<&String>| Binding {
        entity: entity.to_owned(),
        id: id.to_owned(),
        service: service.cloned(),
        subject: subject.to_owned(),
    };
    if person.belongs { vec![binding(None)] } else { person.guest_of.iter().map(|one| binding(Some(one))).collect() }
}

/// How far everybody is who has no account yet.
pub fn progress(wanted: &RealmWanted, seen: &Seen) -> BTreeMap<PersonKey, Progress> {
    let mut progress = BTreeMap::new();
    for (entity, one) in &wanted.organizations {
        let organization = seen.organization(&one.uid).map(|(_, organization)| organization);
        for (mail, people) in invitees(entity, wanted) {
            let far = organization.map_or(Progress::Waiting, |organization| progress_of(&mail, organization, seen));
            progress.extend(people.into_iter().map(|(id, _)| ((entity.clone(), id.to_owned()), far)));
        }
    }
    progress
}

fn progress_of(mail: &str, organization: &OrganizationSeen, seen: &Seen) -> Progress {
    match joined(mail, organization, seen) {
        Some((_, true)) => return Progress::Joined,
        Some((_, false)) => return Progress::Unverified,
        None => {}
    }
    let invitations = organization.invitations.values().filter(|one| folded(&one.mail) == mail);
    let expired: Vec<bool> = invitations.map(|one| one.expired).collect();
    if expired.is_empty() {
        Progress::Waiting
    } else if expired.contains(&false) {
        Progress::Invited
    } else {
        Progress::Expired
    }
}
