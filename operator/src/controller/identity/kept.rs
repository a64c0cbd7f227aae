//! What at the provider stays as it is: of whatever cannot be read nothing is taken and nothing given.

use super::whose::Whose;
use crate::gather::{ObservedIdentity, ObservedPeople};
use crate::identity::{InvitationSeen, Seen, Step};

/// The steps that are about what is known.
pub(super) fn known(steps: Vec<Step>, observed: &ObservedIdentity, whose: &Whose<'_>, seen: &Seen) -> Vec<Step> {
    steps.into_iter().filter(|step| may_be_done(step, observed, whose, seen)).collect()
}

fn may_be_done(step: &Step, observed: &ObservedIdentity, whose: &Whose<'_>, seen: &Seen) -> bool {
    if matches!(step, Step::RemoveAccount { .. }) {
        // What it was made for may be what is unknown, and it does not come back.
        return observed.knows_all();
    }
    whose.of(step).iter().all(|(entity, service)| {
        if observed.unknown.contains(entity) {
            return false;
        }
        // What was an Entity's that is gone goes.
        let Some(people) = observed.entities.get(entity) else { return true };
        let takes = matches!(step, Step::TakeRoles { .. } | Step::EndSessions { .. });
        let is_known = service.as_ref().is_none_or(|service| !people.unknown.contains(service));
        (takes || is_known) && may_change(step, people, service.as_deref(), seen)
    })
}

fn may_change(step: &Step, people: &ObservedPeople, service: Option<&str>, seen: &Seen) -> bool {
    let is_removed = |by: &str| people.removed.contains(by);
    let may = match step {
        Step::TakeRoles { subject, .. } | Step::EndSessions { subject, .. } => {
            service.is_none_or(|service| !people.unreadable_accesses.contains(service)) || is_removed(subject)
        }
        Step::Leave { subject, .. } => people.unreadable_accesses.is_empty() || is_removed(subject),
        Step::Withdraw { organization, invitation } => {
            let of = seen.organizations.get(organization).and_then(|of| of.invitations.get(invitation));
            let of_nobody = |of: &InvitationSeen| of.expired || is_removed(&of.mail.to_lowercase());
            people.unreadable_accesses.is_empty() || of.is_some_and(of_nobody)
        }
        Step::RemoveOrganization { .. } => people.unreadable_accesses.is_empty(),
        Step::Join { .. } | Step::GiveRoles { .. } | Step::Invite { .. } => true,
        _ => return true,
    };
    may && people.people.is_some()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::collective::Wanted;
    use crate::identity::{ClientSeen, OrganizationSeen, RealmWanted, Role};

    fn set(texts: &[&str]) -> BTreeSet<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn seen() -> Seen {
        let mut seen = Seen::default();
        for (entity, service) in [("coop", "wiki"), ("coop", "agora"), ("gone", "wiki")] {
            let client = ClientSeen { entity: Some(entity.to_owned()), ..ClientSeen::default() };
            seen.clients.insert(format!("{entity}.{service}"), client);
        }
        let invitation = |mail: &str| InvitationSeen { mail: mail.to_owned(), expired: false };
        let coop = OrganizationSeen {
            uid: Some("e-coop".to_owned()),
            entity: Some("coop".to_owned()),
            invitations: [
                ("i1".to_owned(), invitation("Eva@example.org")),
                ("i2".to_owned(), invitation("x@y.org")),
                ("i3".to_owned(), InvitationSeen { expired: true, ..invitation("old@y.org") }),
            ]
            .into(),
            ..OrganizationSeen::default()
        };
        seen.organizations.insert("o-coop".to_owned(), coop);
        seen
    }

    /// All that could be taken or given, by a word for each.
    fn steps() -> Vec<(&'static str, Step)> {
        let (coop, agora) = ("coop.wiki".to_owned(), "coop.agora".to_owned());
        let roles = || BTreeSet::from([Role::Access]);
        let anna = || "anna".to_owned();
        let organization = || "o-coop".to_owned();
        vec![
            ("take", Step::TakeRoles { client: coop.clone(), subject: anna(), roles: roles() }),
            ("take of eva", Step::TakeRoles { client: coop.clone(), subject: "eva".to_owned(), roles: roles() }),
            ("take in agora", Step::TakeRoles { client: agora, subject: anna(), roles: roles() }),
            ("remove the client", Step::RemoveClient { client: coop }),
            ("remove one of nobody", Step::RemoveClient { client: "gone.wiki".to_owned() }),
            ("leave", Step::Leave { organization: organization(), subject: anna() }),
            ("withdraw of eva", Step::Withdraw { organization: organization(), invitation: "i1".to_owned() }),
            ("withdraw", Step::Withdraw { organization: organization(), invitation: "i2".to_owned() }),
            ("withdraw what expired", Step::Withdraw { organization: organization(), invitation: "i3".to_owned() }),
            ("remove an account", Step::RemoveAccount { subject: anna() }),
            ("join", Step::Join { uid: "e-coop".to_owned(), subject: anna() }),
        ]
    }

    fn left(change: impl Fn(&mut ObservedPeople), unknown: &[&str]) -> Vec<&'static str> {
        let mut coop = ObservedPeople {
            uid: "e-coop".to_owned(),
            people: Some(Wanted::default()),
            removed: set(&["eva", "eva@example.org"]),
            ..ObservedPeople::default()
        };
        change(&mut coop);
        let mut observed = ObservedIdentity { unknown: set(unknown), ..ObservedIdentity::default() };
        if !observed.unknown.contains("coop") {
            observed.entities.insert("coop".to_owned(), coop);
        }
        let (seen, wanted) = (seen(), RealmWanted::default());
        let whose = Whose::new(&observed, &wanted, &seen);
        let known = known(steps().into_iter().map(|(_, step)| step).collect(), &observed, &whose, &seen);
        steps().into_iter().filter(|(_, step)| known.contains(step)).map(|(word, _)| word).collect()
    }

    #[test]
    fn what_is_known_is_done() {
        assert_eq!(left(|_| {}, &[]).len(), steps().len());
    }

    #[test]
    fn an_entity_that_cannot_be_read_keeps_all_and_nobody_else_does() {
        // Of whoever is nobody's there is no such step: who is not known is not wanted.
        let left = left(|_| {}, &["coop"]);
        assert_eq!(left, ["remove one of nobody", "join"]);
    }

    #[test]
    fn of_a_collective_that_cannot_be_read_nobody_comes_or_goes() {
        let left = left(|coop| coop.people = None, &[]);
        assert_eq!(left, ["remove the client", "remove one of nobody"]);
    }

    #[test]
    fn of_a_service_that_cannot_be_read_the_client_stays() {
        let left = left(|coop| coop.unknown = set(&["wiki"]), &[]);
        assert!(!left.contains(&"remove the client") && left.contains(&"take"), "who enters is known");
        assert!(!left.contains(&"remove an account"), "an account that is gone does not come back");
        assert_eq!(left.len(), steps().len() - 2);
    }

    #[test]
    fn of_an_access_that_cannot_be_read_those_go_who_belong_no_more_and_nobody_else() {
        let left = left(|coop| coop.unreadable_accesses = set(&["wiki"]), &[]);
        let stays = ["take", "leave", "withdraw", "remove an account"];
        assert!(stays.iter().all(|word| !left.contains(word)), "{left:?}");
        assert!(
            ["take of eva", "withdraw of eva", "withdraw what expired", "take in agora", "join"]
                .iter()
                .all(|word| left.contains(word))
        );
    }
}
