//! What an identity provider has of whoever is to have it no more, and what is told while it is not as it is to be.
//! What is brought there is the business of another; here it is waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::Facts;
use super::wanted::{Wanted, WantedPerson, wanted};
use crate::api::{Account, MemberStatus, MembershipState};
use crate::cache::Held;
use crate::report::{Problem, Verdict};

/// What an identity provider has of whoever is to have it no more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Lingering {
    /// None is driven.
    #[default]
    Nowhere,
    /// Nobody has looked yet: perhaps all that was ever there.
    Unknown,
    /// This.
    Known(Held),
}

/// What the identity provider has too much.
pub fn lingering(facts: &Facts) -> Lingering {
    let Some(provided) = &facts.provider else { return Lingering::Nowhere };
    let Some(held) = &provided.held else { return Lingering::Unknown };
    let wanted = wanted(facts);
    let subjects = |enters: &dyn Fn(&WantedPerson) -> bool| -> BTreeSet<String> {
        let people = wanted.people.values().filter(|person| enters(person));
        people.filter_map(|person| subject(facts, person.account.as_ref())).map(str::to_owned).collect()
    };
    let beyond = |held: &BTreeSet<String>, stay: &BTreeSet<String>| -> BTreeSet<String> {
        held.difference(stay).cloned().collect()
    };
    let service = |(name, held): (&String, &BTreeSet<String>)| {
        (name.clone(), beyond(held, &subjects(&|person| person.services.contains_key(name))))
    };
    let services: BTreeMap<String, BTreeSet<String>> = held.services.iter().map(service).collect();
    let invited = invited(&wanted);
    Lingering::Known(Held {
        members: beyond(&held.members, &subjects(&|_| true)),
        invited: held.invited.iter().filter(|mail| !invited.contains(*mail)).cloned().collect(),
        services: services.into_iter().filter(|(_, subjects)| !subjects.is_empty()).collect(),
        ..Held::default()
    })
}

/// The mail addresses that an invitation is to go to, as they compare.
fn invited(wanted: &Wanted) -> BTreeSet<String> {
    let unbound = wanted.people.values().filter(|person| person.account.is_none());
    unbound.filter_map(|person| person.mail.as_ref()).map(|mail| mail.to_lowercase()).collect()
}

/// What the provider knows an account by, if it is one of its own.
fn subject<'a>(facts: &Facts, account: Option<&'a Account>) -> Option<&'a str> {
    let issuer = facts.identity.as_ref().map(|identity| identity.issuer.as_str());
    account.filter(|account| Some(account.issuer.as_str()) == issuer).map(|account| account.subject.as_str())
}

/// Whether somebody is still, or may still be, at the provider who is to be there no more: in a service or, where none is
/// named, anywhere in the Entity.
pub(super) fn lingers(facts: &Facts, account: Option<&Account>, mail: Option<&str>, service: Option<&str>) -> bool {
    let (subject, mail) = (subject(facts, account), mail.map(str::to_lowercase));
    match &facts.lingering {
        Lingering::Nowhere => false,
        Lingering::Unknown => subject.is_some() || mail.is_some(),
        Lingering::Known(held) => {
            let is_in = |subject: &str| match service {
                Some(service) => held.services.get(service).is_some_and(|subjects| subjects.contains(subject)),
                None => held.has(subject),
            };
            subject.is_some_and(is_in) || mail.is_some_and(|mail| held.invited.contains(&mail))
        }
    }
}

/// What of the provider keeps whoever was removed here, for a message.
pub(super) fn kept_by_provider(facts: &Facts) -> Option<String> {
    let problem = facts.provider.as_ref().and_then(|provided| provided.problem.as_ref());
    let why = problem.map(|problem| format!(": {}", problem.message)).unwrap_or_default();
    match &facts.lingering {
        Lingering::Unknown => Some(format!("the identity provider was not looked at yet{why}")),
        Lingering::Known(held) if held.services.is_empty() && held.members.is_empty() && held.invited.is_empty() => {
            None
        }
        Lingering::Known(held) => {
            let services: Vec<&str> = held.services.keys().map(String::as_str).collect();
            let place = if services.is_empty() { "the organisation".to_owned() } else { services.join(", ") };
            Some(format!("the identity provider still has somebody who may do no more in {place}{why}"))
        }
        Lingering::Nowhere => None,
    }
}

/// That what is wanted is not there yet, once there is a reason for it. What only takes its time is no news.
pub(super) fn waiting(facts: &Facts) -> Option<Verdict> {
    let provided = facts.provider.as_ref()?;
    let problem = provided.problem.as_ref()?;
    let waits = match &provided.held {
        Some(held) => held.waits,
        None => wanted(facts).people.values().any(|person| person.account.is_none()),
    };
    let message = format!("what was changed waits for the identity provider: {}", problem.message);
    waits.then(|| Verdict::Reconciling(Problem { reason: problem.reason.clone(), message }))
}

/// What is to be said of a person at the provider that is driven: how far an invitation is, or what is wrong with the
/// account.
pub(super) fn invitation(facts: &Facts, id: &str, person: &WantedPerson) -> Option<MemberStatus> {
    let provided = facts.provider.as_ref()?;
    if let Some(known) = provided.held.as_ref().and_then(|held| held.people.get(id)) {
        return Some(known.clone());
    }
    let told = |state, message: String| Some(MemberStatus { state, message: Some(message) });
    match &person.account {
        Some(account) if subject(facts, Some(account)).is_some() => None,
        Some(account) => told(
            MembershipState::Accepted,
            format!(
                "the account is one of another issuer, {}, and enters nothing here: remove this entry, and invite the \
                 person again",
                account.issuer
            ),
        ),
        None => {
            let why = provided.problem.as_ref().map(|problem| format!(": {}", problem.message));
            told(MembershipState::Pending, format!("the invitation is not sent yet{}", why.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
