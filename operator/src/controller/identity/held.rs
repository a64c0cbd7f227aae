//! What the provider has of each Entity's people, for those who wait for it: their Collectives.

use std::collections::{BTreeMap, BTreeSet};

use super::whose::Whose;
use crate::api::{MemberStatus, MembershipState, PlatformIdentity};
use crate::cache::Held;
use crate::gather::{ObservedIdentity, ObservedPeople};
use crate::identity::{Membership, PersonKey, Problem, Progress, RealmWanted, Seen, Step, problems, progress};

/// What is known at one moment.
pub(super) struct Known<'a> {
    /// What the caches know.
    pub(super) observed: &'a ObservedIdentity,
    /// What is to be there.
    pub(super) wanted: &'a RealmWanted,
    /// What is there.
    pub(super) seen: &'a Seen,
    /// What is to be done, or may have been done without an answer.
    pub(super) steps: &'a [Step],
    /// Why the account of somebody who accepted is not bound.
    pub(super) refused: &'a BTreeMap<PersonKey, String>,
}

/// What the provider has, and is about to get, by Entity.
pub(super) fn held(known: &Known<'_>) -> BTreeMap<String, Held> {
    let mut all: BTreeMap<String, Held> =
        known.observed.entities.iter().map(|(name, people)| (name.clone(), of_entity(known, name, people))).collect();
    let whose = Whose::new(known.observed, known.wanted, known.seen);
    for step in known.steps {
        for (entity, service) in whose.of(step) {
            if let Some(held) = all.get_mut(&entity) {
                held.waits = true;
                about_to_get(held, step, service);
            }
        }
    }
    for ((entity, id), far) in progress(known.wanted, known.seen) {
        if let Some(held) = all.get_mut(&entity) {
            held.people.insert(id, told(far));
        }
    }
    for ((entity, id), words) in known.refused {
        let status = MemberStatus { state: MembershipState::Invited, message: Some(words.clone()) };
        if let Some(held) = all.get_mut(entity) {
            held.people.insert(id.clone(), status);
        }
    }
    for Problem { entity, id, words, .. } in problems(known.wanted, known.seen) {
        let Some((held, id)) = all.get_mut(&entity).zip(id) else { continue };
        let person = known.wanted.people.get(&(entity, id.clone()));
        let has_account = person.is_some_and(|person| person.subject.is_some() || person.elsewhere);
        let state = if has_account { MembershipState::Accepted } else { MembershipState::Pending };
        held.people.insert(id, MemberStatus { state, message: Some(words) });
    }
    all
}

fn of_entity(known: &Known<'_>, name: &str, people: &ObservedPeople) -> Held {
    let mut held = Held::default();
    for (id, client) in known.seen.clients.iter().filter(|(_, client)| client.entity.as_deref() == Some(name)) {
        let Some(service) = PlatformIdentity::service_of(name, id) else { continue };
        let users = client.roles.values().flat_map(|role| role.users.iter().cloned());
        held.services.entry(service.to_owned()).or_default().extend(users);
    }
    let accepting = accepting(known, name);
    // Two can be left by a request that was cut short.
    let own = |uid: Option<&String>| uid.is_some_and(|uid| *uid == people.uid);
    for organization in known.seen.organizations.values().filter(|one| own(one.uid.as_ref())) {
        let free = organization.members.iter().filter(|(_, membership)| **membership == Membership::Free);
        let stays = |subject: &String| accepting.contains(subject) && !people.removed.contains(subject);
        held.members.extend(free.map(|(subject, _)| subject.clone()).filter(|subject| !stays(subject)));
        let open = organization.invitations.values().filter(|invitation| !invitation.expired);
        held.invited.extend(open.map(|invitation| invitation.mail.to_lowercase()));
    }
    held
}

/// The subjects that an invitation of the Entity goes to.
fn accepting(known: &Known<'_>, entity: &str) -> BTreeSet<String> {
    let people = known.wanted.people.iter().filter(|((of, _), person)| of == entity && person.subject.is_none());
    let mails: BTreeSet<String> = people.filter_map(|(_, person)| Some(person.mail.as_ref()?.to_lowercase())).collect();
    let is_theirs = |mail: Option<&String>| mail.is_some_and(|mail| mails.contains(&mail.to_lowercase()));
    let users = known.seen.users.iter().filter(|(_, user)| is_theirs(user.mail.as_ref()));
    users.map(|(subject, _)| subject.clone()).collect()
}

/// Whoever is about to be let in counts as in: nobody may be told gone who comes a moment later.
fn about_to_get(held: &mut Held, step: &Step, service: Option<String>) {
    match step {
        Step::GiveRoles { subject, .. } => {
            if let Some(service) = service {
                held.services.entry(service).or_default().insert(subject.clone());
            }
        }
        Step::Join { subject, .. } => {
            held.members.insert(subject.clone());
        }
        Step::Invite { mail, .. } => {
            held.invited.insert(mail.to_lowercase());
        }
        _ => {}
    }
}

fn told(far: Progress) -> MemberStatus {
    let (state, message) = match far {
        Progress::Waiting => (MembershipState::Pending, "the invitation is not sent yet"),
        Progress::Invited => (
            MembershipState::Invited,
            "the invitation was sent: they choose a password where it leads to, and belong from then on",
        ),
        Progress::Expired => (MembershipState::Invited, "the invitation can be accepted no more: it is sent again"),
        Progress::Unverified => (
            MembershipState::Invited,
            "they accepted by an account that is disabled, or whose mail address is not known to be theirs: it is set \
             right at the identity provider",
        ),
        Progress::Joined => (MembershipState::Invited, "they accepted; the account is bound in a moment"),
    };
    MemberStatus { state, message: Some(message.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collective::Wanted;
    use crate::identity::{
        ClientSeen, InvitationSeen, OrganizationSeen, OrganizationWanted, PersonWanted, Role, RoleSeen, UserSeen,
    };

    const ENTITY: &str = "coop";

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    /// `coop` with its wiki, which anna enters; bernd is a member of its organization, and carla is invited to it.
    fn seen() -> Seen {
        let mut seen = Seen::default();
        let role = RoleSeen { id: "r".to_owned(), users: set(&["anna"]) };
        let client = ClientSeen {
            entity: Some(ENTITY.to_owned()),
            roles: [(Role::Access, role)].into(),
            ..ClientSeen::default()
        };
        seen.clients.insert("coop.wiki".to_owned(), client);
        let invitation = InvitationSeen { mail: "Carla@example.org".to_owned(), expired: false };
        let members = ["anna", "bernd"].map(|subject| (subject.to_owned(), Membership::Free)).into();
        let organization = OrganizationSeen {
            uid: Some("e-coop".to_owned()),
            entity: Some(ENTITY.to_owned()),
            members,
            invitations: [("i".to_owned(), invitation)].into(),
            ..OrganizationSeen::default()
        };
        seen.organizations.insert("o".to_owned(), organization);
        for subject in ["anna", "bernd"] {
            let mail = Some(format!("{subject}@example.org"));
            let user = UserSeen { mail, mail_verified: true, enabled: true, ..UserSeen::default() };
            seen.users.insert(subject.to_owned(), user);
        }
        seen
    }

    fn observed(removed: &[&str]) -> ObservedIdentity {
        let people = ObservedPeople {
            uid: "e-coop".to_owned(),
            people: Some(Wanted::default()),
            removed: set(removed),
            ..ObservedPeople::default()
        };
        ObservedIdentity { entities: [(ENTITY.to_owned(), people)].into(), ..ObservedIdentity::default() }
    }

    /// Somebody who is to be invited at this address.
    fn wanted(id: &str, mail: &str) -> RealmWanted {
        let person = PersonWanted { mail: Some(mail.to_owned()), belongs: true, ..PersonWanted::default() };
        let organization = OrganizationWanted { uid: "e-coop".to_owned(), ..OrganizationWanted::default() };
        let mut wanted = RealmWanted::default();
        wanted.organizations.insert(ENTITY.to_owned(), organization);
        wanted.people.insert((ENTITY.to_owned(), id.to_owned()), person);
        wanted
    }

    fn of(wanted: &RealmWanted, removed: &[&str], steps: &[Step], refused: &BTreeMap<PersonKey, String>) -> Held {
        let (observed, seen) = (observed(removed), seen());
        held(&Known { observed: &observed, wanted, seen: &seen, steps, refused }).remove(ENTITY).unwrap()
    }

    #[test]
    fn who_is_there_is_held_and_who_is_about_to_come_too() {
        let none = BTreeMap::new();
        let before = of(&RealmWanted::default(), &[], &[], &none);
        assert_eq!((&before.members, &before.invited), (&set(&["anna", "bernd"]), &set(&["carla@example.org"])));
        assert_eq!(before.services, [("wiki".to_owned(), set(&["anna"]))].into());
        assert!(!before.waits);
        let steps = [
            Step::GiveRoles { client: "coop.wiki".to_owned(), subject: "bernd".to_owned(), roles: Role::ALL.into() },
            Step::Join { uid: "e-coop".to_owned(), subject: "doris".to_owned() },
        ];
        let after = of(&RealmWanted::default(), &[], &steps, &none);
        assert_eq!(after.services["wiki"], set(&["anna", "bernd"]));
        assert!(after.waits && after.has("doris"));
    }

    #[test]
    fn who_just_accepts_is_nobody_who_has_to_go_unless_they_were_removed() {
        let (wanted, none) = (wanted("berndbernd00", "Bernd@example.org"), BTreeMap::new());
        assert_eq!(of(&wanted, &[], &[], &none).members, set(&["anna"]));
        assert_eq!(of(&wanted, &["bernd"], &[], &none).members, set(&["anna", "bernd"]));
    }

    #[test]
    fn how_far_somebody_is_is_told_by_id_and_what_stands_in_the_way_before_that() {
        let none = BTreeMap::new();
        let carla = of(&wanted("carlacarla00", "carla@example.org"), &[], &[], &none).people["carlacarla00"].clone();
        assert_eq!(carla.state, MembershipState::Invited);
        let eva = of(&wanted("evaevaevaeva", "eva@example.org"), &[], &[], &none).people["evaevaevaeva"].clone();
        assert_eq!(eva.state, MembershipState::Pending);
        let refused = [((ENTITY.to_owned(), "carlacarla00".to_owned()), "of another entry".to_owned())].into();
        let carla = of(&wanted("carlacarla00", "carla@example.org"), &[], &[], &refused).people["carlacarla00"].clone();
        assert_eq!(carla.message.as_deref(), Some("of another entry"));
    }
}
