//! What cannot be done, in words for whoever can do something about it.

use std::fmt;

use super::accepted::{bound, expected, invitees};
use super::difference::is_foreign;
use super::seen::{Membership, Seen};
use super::wanted::{PersonWanted, RealmWanted};

/// Something that cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The Entity that it is about.
    pub entity: String,
    /// The person, where it is about one.
    pub id: Option<String>,
    /// The service, where it is about one.
    pub service: Option<String>,
    /// What it is, and what helps. No mail address is in it.
    pub words: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

/// What cannot be done.
pub fn problems(wanted: &RealmWanted, seen: &Seen) -> Vec<Problem> {
    let mut problems = services(wanted, seen);
    for entity in wanted.organizations.keys() {
        let of_people = people(entity, wanted, seen).into_iter();
        problems.extend(of_people.map(|(id, words)| of_person(entity, id, words)));
        problems.extend(tied(entity, wanted, seen));
    }
    problems
}

fn services(wanted: &RealmWanted, seen: &Seen) -> Vec<Problem> {
    let of = |entity: &str, service: &str, words: String| Problem {
        entity: entity.to_owned(),
        id: None,
        service: Some(service.to_owned()),
        words,
    };
    let foreign = wanted.clients.iter().filter(|(id, _)| is_foreign(id, seen)).map(|(id, client)| {
        let words = format!(
            "nobody can sign in: the identity provider has a client {id} that the operator did not make; rename or delete it there"
        );
        of(&client.entity, &client.service, words)
    });
    foreign.collect()
}

fn of_person(entity: &str, id: &str, words: &str) -> Problem {
    Problem { entity: entity.to_owned(), id: Some(id.to_owned()), service: None, words: words.to_owned() }
}

fn people<'a>(entity: &'a str, wanted: &'a RealmWanted, seen: &Seen) -> Vec<(&'a str, &'static str)> {
    let mut found: Vec<(&str, &str)> =
        wanted.of(entity).filter_map(|(id, person)| Some((id, of_account(person, seen)?))).collect();
    let bound = bound(entity, wanted);
    let organization = wanted.organizations.get(entity).and_then(|one| seen.organization(&one.uid));
    let is_member = |subject: &str| organization.is_some_and(|(_, one)| one.members.contains_key(subject));
    for (mail, people) in invitees(entity, wanted) {
        let accounts = seen.accounts_of(&mail);
        let words = if people.len() > 1 {
            "is not invited: somebody else here is to be invited by the same mail address; remove one of the two"
        } else if accounts.len() > 1 {
            "is not invited: more than one account at the identity provider has this mail address; delete the others there"
        } else if accounts.iter().any(|(subject, _)| bound.contains(subject)) {
            "is not invited: the mail address is that of somebody who is on the list already; remove this entry"
        } else if accounts.iter().any(|(subject, user)| !user.mail_verified && !is_member(subject)) {
            "is not invited: an account at the identity provider has this mail address, and nobody has shown that it is theirs; delete that account there, or say there that the address is verified once its owner says so"
        } else {
            continue;
        };
        found.extend(people.into_iter().map(|(id, _)| (id, words)));
    }
    found
}

fn of_account(person: &PersonWanted, seen: &Seen) -> Option<&'static str> {
    if person.elsewhere {
        return Some(
            "cannot sign in: the account is at another issuer than identity.issuer of the Platform; remove this entry and invite the person anew",
        );
    }
    let subject = person.subject.as_ref()?;
    match seen.users.get(subject) {
        None => Some(
            "cannot sign in: the account was deleted at the identity provider; remove this entry and invite the person anew",
        ),
        Some(user) if !user.enabled => {
            Some("cannot sign in: the account is disabled at the identity provider; enable it there")
        }
        Some(_) => None,
    }
}

/// Members who left and cannot be taken out of the organization.
fn tied(entity: &str, wanted: &RealmWanted, seen: &Seen) -> Option<Problem> {
    let (_, organization) = seen.organization(&wanted.organizations.get(entity)?.uid)?;
    let expected = expected(entity, wanted, seen);
    let members = organization.members.iter().filter(|(subject, _)| !expected.contains(subject.as_str()));
    let count = members.filter(|(_, membership)| **membership == Membership::Tied).count();
    (count > 0).then(|| Problem {
        entity: entity.to_owned(),
        id: None,
        service: None,
        words: format!(
            "{count} who do not belong stay in the organization {} of the identity provider, without access to anything: their accounts are managed by it and would be deleted with the membership; delete them there if they are to go",
            organization.name
        ),
    })
}
