//! What a realm is to have, made of what the caches know, and what is to be done about it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::door::ClientSecrets;
use super::kept::known;
use super::whose::Whose;
use crate::api::PlatformIdentity;
use crate::collective::Wanted;
use crate::gather::ObservedIdentity;
use crate::identity::{ClientWanted, Membership, OrganizationWanted, RealmWanted, Role, Seen, Step, difference};

/// What a realm is to have. Of people who are not known nobody is in it, and what there is of them stays.
pub(super) fn realm(observed: &ObservedIdentity, issuer: &str, secrets: &ClientSecrets) -> RealmWanted {
    let mut wanted = RealmWanted::default();
    for (entity, people) in &observed.entities {
        let organization = OrganizationWanted { uid: people.uid.clone(), display_name: people.display_name.clone() };
        let nobody = Wanted::default();
        wanted.add_entity(issuer, entity, organization, people.people.as_ref().unwrap_or(&nobody));
        for (service, signing_in) in &people.services {
            let client = ClientWanted {
                entity: entity.clone(),
                service: service.clone(),
                url: signing_in.url.clone(),
                secret: secrets.of(entity, service),
            };
            wanted.add_client(client);
        }
    }
    wanted
}

/// The same of one Entity's people alone.
pub(super) fn people(issuer: &str, entity: &str, people: &Wanted) -> RealmWanted {
    let mut wanted = RealmWanted::default();
    wanted.add_entity(issuer, entity, OrganizationWanted::default(), people);
    wanted
}

/// What is to be done, in its order.
pub(super) fn todo(observed: &ObservedIdentity, wanted: &RealmWanted, seen: &Seen) -> Vec<Step> {
    let mut steps = difference(wanted, seen);
    let more = dismissed(observed, wanted, seen).into_iter().chain(leaving(observed, wanted, seen));
    let mut all: Vec<Step> = more.filter(|step| !steps.contains(step)).collect();
    all.append(&mut steps);
    known(all, observed, &Whose::new(observed, wanted, seen), seen)
}

/// Who enters no more goes, be it from a service of which nothing else is known: its client stays as it is, and those
/// who may enter it.
fn dismissed(observed: &ObservedIdentity, wanted: &RealmWanted, seen: &Seen) -> Vec<Step> {
    let mut steps = Vec::new();
    for (id, client) in &seen.clients {
        let Some(entity) = &client.entity else { continue };
        let is_unknown = |service: &str| observed.entities.get(entity).is_some_and(|of| of.unknown.contains(service));
        if !PlatformIdentity::service_of(entity, id).is_some_and(is_unknown) {
            continue;
        }
        let may = |subject: &String, role: Role| {
            let mut people = wanted.people.iter().filter(|((of, _), _)| of == entity);
            people.any(|(_, person)| {
                person.subject.as_ref() == Some(subject) && person.roles.get(id).is_some_and(|of| of.contains(&role))
            })
        };
        let mut excess: BTreeMap<&String, BTreeSet<Role>> = BTreeMap::new();
        for (role, holders) in &client.roles {
            for subject in holders.users.iter().filter(|subject| !may(subject, *role)) {
                excess.entry(subject).or_default().insert(*role);
            }
        }
        for (subject, roles) in excess {
            let (client, subject) = (id.clone(), subject.clone());
            steps.push(Step::TakeRoles { client: client.clone(), subject: subject.clone(), roles });
            steps.push(Step::EndSessions { client, subject });
        }
    }
    steps
}

/// Whoever was removed and is invited again at the same address accepts again: a membership of before is no answer.
fn leaving(observed: &ObservedIdentity, wanted: &RealmWanted, seen: &Seen) -> Vec<Step> {
    let mut steps = Vec::new();
    for (id, organization) in &seen.organizations {
        let of = |uid: &String| observed.entities.iter().find(|(_, people)| people.uid == *uid);
        let Some((entity, people)) = organization.uid.as_ref().and_then(of) else { continue };
        let bound: BTreeSet<&String> = wanted
            .people
            .iter()
            .filter(|((of, _), _)| of == entity)
            .filter_map(|(_, person)| person.subject.as_ref())
            .collect();
        let free = organization.members.iter().filter(|(_, membership)| **membership == Membership::Free);
        let leaves = |subject: &&String| people.removed.contains(*subject) && !bound.contains(*subject);
        let leaving = free.map(|(subject, _)| subject).filter(leaves);
        steps.extend(leaving.map(|subject| Step::Leave { organization: id.clone(), subject: subject.clone() }));
    }
    steps
}

/// Whether somebody is to be let in or invited still, by who is to enter what now.
pub(super) fn is_wanted(step: &Step, people: &RealmWanted) -> bool {
    let mut all = people.people.values();
    match step {
        Step::GiveRoles { client, subject, roles } => all.any(|person| {
            let has = person.roles.get(client).is_some_and(|wanted| wanted.is_superset(roles));
            person.subject.as_ref() == Some(subject) && has
        }),
        Step::Join { subject, .. } => all.any(|person| person.subject.as_ref() == Some(subject)),
        Step::Invite { mail, .. } => all.any(|person| {
            let is_it = |of: &String| of.to_lowercase() == mail.to_lowercase();
            person.subject.is_none() && person.mail.as_ref().is_some_and(is_it)
        }),
        _ => true,
    }
}

/// How much there is, for the Platform.
pub(super) fn summary(wanted: &RealmWanted) -> String {
    let bound = wanted.people.values().filter(|person| person.subject.is_some()).count();
    let (organizations, clients) = (wanted.organizations.len(), wanted.clients.len());
    format!(
        "{organizations} organizations, {clients} services that let people sign in, {bound} people with an account, {} \
         invited",
        waiting(wanted)
    )
}

/// How many did not accept yet.
pub(super) fn waiting(wanted: &RealmWanted) -> usize {
    wanted.people.values().filter(|person| person.subject.is_none() && !person.elsewhere).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::AccessRole;
    use crate::collective::WantedPerson;
    use crate::gather::ObservedPeople;
    use crate::identity::{ClientSeen, OrganizationSeen, RoleSeen, UserSeen};

    const ISSUER: &str = "https://id.example.org/realms/commons";

    fn entity(uid: &str, people: Wanted) -> ObservedPeople {
        ObservedPeople { uid: uid.to_owned(), people: Some(people), ..ObservedPeople::default() }
    }

    /// One person, with an account of this subject or to be invited at this address, who enters the wiki.
    fn person(id: &str, subject: Option<&str>, mail: Option<&str>) -> Wanted {
        let account = subject.map(|subject| {
            let user = format!("oidc:{subject}");
            serde_json::from_value(json!({"issuer": ISSUER, "subject": subject, "user": user})).unwrap()
        });
        let person = WantedPerson {
            display_name: "Anna".to_owned(),
            account,
            mail: mail.map(str::to_owned),
            belongs: true,
            services: [("wiki".to_owned(), AccessRole::User)].into(),
            ..WantedPerson::default()
        };
        Wanted { people: [(id.to_owned(), person)].into() }
    }

    #[test]
    fn whoever_was_removed_and_is_invited_again_leaves_first() {
        let mut observed = ObservedIdentity::default();
        let mut coop = entity("e-coop", person("annaannatwo0", None, Some("anna@example.org")));
        coop.removed.insert("anna".to_owned());
        observed.entities.insert("coop".to_owned(), coop);
        let organization = OrganizationSeen {
            uid: Some("e-coop".to_owned()),
            entity: Some("coop".to_owned()),
            enabled: true,
            members: [("anna".to_owned(), Membership::Free)].into(),
            ..OrganizationSeen::default()
        };
        let mut seen = Seen::default();
        seen.organizations.insert("o".to_owned(), organization);
        let mail = Some("anna@example.org".to_owned());
        let user = UserSeen { mail, mail_verified: true, enabled: true, used: true, ..UserSeen::default() };
        seen.users.insert("anna".to_owned(), user);
        let leave = Step::Leave { organization: "o".to_owned(), subject: "anna".to_owned() };
        let of = |observed: &ObservedIdentity| {
            let wanted = realm(observed, ISSUER, &ClientSecrets::default());
            todo(observed, &wanted, &seen).into_iter().filter(|step| *step == leave).count()
        };
        assert_eq!(of(&observed), 1);
        observed.entities.values_mut().for_each(|people| people.removed.clear());
        assert_eq!(of(&observed), 0, "she just accepts");
    }

    #[test]
    fn who_enters_no_more_goes_from_a_service_of_which_nothing_else_is_known() {
        let mut coop = entity("e-coop", person("annaannaanna", Some("anna"), None));
        coop.unknown.insert("wiki".to_owned());
        let observed = ObservedIdentity { entities: [("coop".to_owned(), coop)].into(), ..ObservedIdentity::default() };
        let users = ["anna", "eva"].map(str::to_owned).into();
        let roles = [(Role::Access, RoleSeen { id: "r".to_owned(), users })].into();
        let client = ClientSeen { entity: Some("coop".to_owned()), roles, ..ClientSeen::default() };
        let mut seen = Seen::default();
        seen.clients.insert("coop.wiki".to_owned(), client);
        let wanted = realm(&observed, ISSUER, &ClientSecrets::default());
        let steps = todo(&observed, &wanted, &seen);
        let taken: Vec<&str> = steps
            .iter()
            .filter_map(|step| match step {
                Step::TakeRoles { subject, .. } => Some(subject.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(taken, ["eva"]);
        assert!(!steps.iter().any(|step| matches!(step, Step::RemoveClient { .. })), "{steps:?}");
    }

    #[test]
    fn nobody_is_let_in_who_is_not_wanted_by_then() {
        let roles = |roles: &[Role]| Step::GiveRoles {
            client: PlatformIdentity::client_id("coop", "wiki"),
            subject: "anna".to_owned(),
            roles: roles.iter().copied().collect(),
        };
        let bound = people(ISSUER, "coop", &person("annaannaanna", Some("anna"), None));
        assert!(is_wanted(&roles(&[Role::Access]), &bound));
        assert!(!is_wanted(&roles(&Role::ALL), &bound), "she manages it no more");
        assert!(!is_wanted(&roles(&[Role::Access]), &RealmWanted::default()));
        let invite = |mail: &str| Step::Invite {
            uid: "e-coop".to_owned(),
            mail: mail.to_owned(),
            display_name: "Anna".to_owned(),
        };
        let invited = people(ISSUER, "coop", &person("annaannaanna", None, Some("Anna@example.org")));
        assert!(is_wanted(&invite("anna@example.org"), &invited) && !is_wanted(&invite("x@y.org"), &invited));
        assert!(!is_wanted(&invite("anna@example.org"), &bound), "she accepted");
    }
}
