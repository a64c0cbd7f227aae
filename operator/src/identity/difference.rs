//! What is to be done so that the provider has what it is to have, and what cannot be done.
//!
//! The order is: what somebody loses; organizations; clients, each complete before anybody can sign in by it;
//! memberships and roles; invitations last, since a mail server that is away keeps nobody out who is in.

use std::collections::{BTreeMap, BTreeSet};

use super::accepted::{bound, expected, invitees};
use super::name::{client_of_flow, flow_name, folded, organization_name};
use super::seen::{ClientSeen, InvitationSeen, Membership, OrganizationSeen, Seen};
use super::step::Step;
use super::wanted::{ClientWanted, RealmWanted, Role};

/// What is to be done, in its order, as if everything were known: whoever cannot read all of it takes out what may be
/// wrong. It can be done to the end without a look in between.
pub fn difference(wanted: &RealmWanted, seen: &Seen) -> Vec<Step> {
    let mut steps = Vec::new();
    roles_to_take(wanted, seen, &mut steps);
    memberships_to_end(wanted, seen, &mut steps);
    accounts_to_remove(wanted, seen, &mut steps);
    clients_to_remove(wanted, seen, &mut steps);
    organizations_to_remove(wanted, seen, &mut steps);
    organizations_to_make(wanted, seen, &mut steps);
    for (id, client) in &wanted.clients {
        client_to_make(id, client, seen, &mut steps);
    }
    memberships_to_make(wanted, seen, &mut steps);
    roles_to_give(wanted, seen, &mut steps);
    invitations_to_send(wanted, seen, &mut steps);
    steps
}

/// The client that is there and is this one; none: there is none, or one that is not ours.
fn standing<'a>(id: &str, client: &ClientWanted, seen: &'a Seen) -> Option<&'a ClientSeen> {
    seen.clients.get(id).filter(|there| there.entity.as_deref() == Some(&client.entity))
}

/// Whether a client of this id is there that is not ours, and stays.
pub(super) fn is_foreign(id: &str, seen: &Seen) -> bool {
    seen.clients.get(id).is_some_and(|there| there.entity.is_none())
}

/// Whether there is such a client, or will be once all steps are done.
fn will_stand(id: &str, client: &ClientWanted, seen: &Seen) -> bool {
    standing(id, client, seen).is_some() || (!is_foreign(id, seen) && client.secret.is_some())
}

fn roles_to_take(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    for (id, client) in &wanted.clients {
        let Some(there) = standing(id, client, seen) else { continue };
        let may = wanted.roles_of(id);
        let mut excess: BTreeMap<&String, BTreeSet<Role>> = BTreeMap::new();
        for (role, holders) in &there.roles {
            let stays = |subject: &String| may.get(subject.as_str()).is_some_and(|roles| roles.contains(role));
            for subject in holders.users.iter().filter(|subject| !stays(subject)) {
                excess.entry(subject).or_default().insert(*role);
            }
        }
        for (subject, roles) in excess {
            let enters_no_more = roles.contains(&Role::Access);
            steps.push(Step::TakeRoles { client: id.clone(), subject: subject.clone(), roles });
            if enters_no_more {
                steps.push(Step::EndSessions { client: id.clone(), subject: subject.clone() });
            }
        }
    }
}

/// The Entity whose organization this is; none: it is nobody's any more. Of two that were made for one Entity the
/// second is nobody's.
fn entity_of<'a>(id: &str, one: &OrganizationSeen, wanted: &'a RealmWanted, seen: &Seen) -> Option<&'a str> {
    let uid = one.uid.as_deref()?;
    let is_first = seen.organization(uid).is_some_and(|(first, _)| first == id);
    let mut all = wanted.organizations.iter();
    all.find(|(_, of)| of.uid == uid).map(|(entity, _)| entity.as_str()).filter(|_| is_first)
}

/// The organizations that are ours.
fn ours(seen: &Seen) -> impl Iterator<Item = (&String, &OrganizationSeen)> {
    seen.organizations.iter().filter(|(_, one)| one.uid.is_some())
}

fn memberships_to_end(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    for (id, one) in ours(seen) {
        let entity = entity_of(id, one, wanted, seen);
        let stays = entity.map(|entity| expected(entity, wanted, seen)).unwrap_or_default();
        let leaving = one.members.iter().filter(|(subject, _)| !stays.contains(subject.as_str()));
        for (subject, _) in leaving.filter(|(_, membership)| **membership == Membership::Free) {
            steps.push(Step::Leave { organization: id.clone(), subject: subject.clone() });
        }
        let invited = entity.map(|entity| invitees(entity, wanted)).unwrap_or_default();
        // One that expired makes room for the next.
        let ends = |one: &InvitationSeen| one.expired || !invited.contains_key(&folded(&one.mail));
        let ended = one.invitations.iter().filter(|(_, invitation)| ends(invitation));
        steps.extend(
            ended.map(|(invitation, _)| Step::Withdraw { organization: id.clone(), invitation: invitation.clone() }),
        );
    }
}

/// Accounts that were made for invitations which nobody stands behind any more. An account that somebody used is
/// theirs, whatever becomes of their memberships. Not to be done while anybody is unknown.
fn accounts_to_remove(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    let mut kept: BTreeSet<String> = wanted.people.values().filter_map(|person| person.subject.clone()).collect();
    let invited: BTreeSet<String> =
        wanted.people.values().filter_map(|person| person.mail.as_deref()).map(folded).collect();
    kept.extend(seen.organizations.values().flat_map(|one| one.members.keys().cloned()));
    let roles = seen.clients.values().flat_map(|client| client.roles.values());
    kept.extend(roles.flat_map(|role| role.users.iter().cloned()));
    for (subject, user) in seen.unused() {
        let is_invited = user.mail.as_deref().is_some_and(|mail| invited.contains(&folded(mail)));
        if !is_invited && !kept.contains(subject) {
            steps.push(Step::RemoveAccount { subject: subject.to_owned() });
        }
    }
}

fn clients_to_remove(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    let is_wanted = |id: &String| wanted.clients.get(id).is_some_and(|client| standing(id, client, seen).is_some());
    for (id, there) in &seen.clients {
        if there.entity.is_some() && !is_wanted(id) {
            steps.push(Step::RemoveClient { client: id.clone() });
        }
    }
    let bound: BTreeSet<&String> = seen.clients.values().filter_map(|client| client.flow.as_ref()).collect();
    for (name, flow) in &seen.flows {
        let Some(client) = client_of_flow(name) else { continue };
        if !wanted.clients.contains_key(client) && !seen.clients.contains_key(client) && !bound.contains(&flow.id) {
            steps.push(Step::RemoveFlow { flow: name.clone() });
        }
    }
}

fn organizations_to_remove(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    for (id, one) in ours(seen).filter(|(id, one)| entity_of(id, one, wanted, seen).is_none()) {
        // Whoever is tied to it would be deleted with it.
        if one.members.values().all(|membership| *membership == Membership::Free) {
            steps.push(Step::RemoveOrganization { organization: id.clone() });
        }
    }
}

fn organizations_to_make(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    for (entity, one) in &wanted.organizations {
        let name = organization_name(entity, one, wanted, seen);
        let (entity, uid) = (entity.clone(), one.uid.clone());
        match seen.organization(&one.uid) {
            None => steps.push(Step::MakeOrganization { entity, uid, name }),
            Some((id, there)) => {
                if there.name != name || !there.enabled || there.entity.as_ref() != Some(&entity) {
                    steps.push(Step::SetOrganization { organization: id.to_owned(), entity, uid, name });
                }
            }
        }
    }
}

fn client_to_make(id: &str, client: &ClientWanted, seen: &Seen, steps: &mut Vec<Step>) {
    if !will_stand(id, client, seen) {
        return;
    }
    let there = standing(id, client, seen);
    let (id, wanted) = (id.to_owned(), client.clone());
    if there.is_none() {
        steps.push(Step::MakeClient { client: id.clone(), wanted: wanted.clone() });
    }
    let has = |role: &Role| there.is_some_and(|there| there.roles.contains_key(role));
    let lacking: BTreeSet<Role> = Role::ALL.into_iter().filter(|role| !has(role)).collect();
    // Before anybody can sign in: a condition on a role that is not there refuses nobody.
    if !lacking.is_empty() {
        steps.push(Step::MakeRoles { client: id.clone(), roles: lacking });
    }
    let bound = there.and_then(|there| there.flow.as_deref());
    // With another Entity's client of this id go its flows.
    let goes = there.is_none() && seen.clients.contains_key(&id);
    let (flow, is_there) = if goes { (flow_name(&id, 1), false) } else { flow_of(&id, bound, seen) };
    if !is_there {
        steps.push(Step::MakeFlow { client: id.clone(), flow: flow.clone() });
    }
    let is_bound = is_there && seen.flows.get(&flow).is_some_and(|flow| bound == Some(&flow.id));
    if !is_bound || !there.is_some_and(|there| is_right(client, there)) {
        steps.push(Step::SetClient { client: id.clone(), flow: flow.clone(), wanted });
    }
    let others = seen.flows.keys().filter(|name| !goes && client_of_flow(name) == Some(&id) && **name != flow);
    steps.extend(others.map(|name| Step::RemoveFlow { flow: name.clone() }));
}

/// The flow that a client is to have, and whether it is there to the end: the one that it has, else another that was
/// made for it, else one that is to be made under a name that nothing bound has.
fn flow_of(client: &str, bound: Option<&str>, seen: &Seen) -> (String, bool) {
    let of_client =
        || seen.flows.iter().filter(move |(name, flow)| flow.complete && client_of_flow(name) == Some(client));
    let its = of_client().find(|(_, flow)| bound == Some(&flow.id)).or_else(|| of_client().next());
    if let Some((name, _)) = its {
        return (name.clone(), true);
    }
    let is_free = |name: &String| seen.flows.get(name).is_none_or(|flow| bound != Some(&flow.id));
    let first = flow_name(client, 1);
    // At most one is bound: of two names one is free.
    (if is_free(&first) { first } else { flow_name(client, 2) }, false)
}

fn is_right(wanted: &ClientWanted, there: &ClientSeen) -> bool {
    let has_secret = wanted.secret.is_none() || wanted.secret == there.secret;
    there.enabled && there.as_made && has_secret && there.redirect_uris == wanted.redirect_uris()
}

fn memberships_to_make(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    for (entity, one) in &wanted.organizations {
        let members = seen.organization(&one.uid).map(|(_, there)| &there.members);
        let subjects: BTreeSet<&String> = wanted.of(entity).filter_map(|(_, person)| person.subject.as_ref()).collect();
        let is_member = |subject: &String| members.is_some_and(|members| members.contains_key(subject));
        for subject in subjects.into_iter().filter(|subject| seen.users.contains_key(*subject) && !is_member(subject)) {
            steps.push(Step::Join { uid: one.uid.clone(), subject: subject.clone() });
        }
    }
}

fn roles_to_give(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    for (id, client) in wanted.clients.iter().filter(|(id, client)| will_stand(id, client, seen)) {
        let there = standing(id, client, seen).map(|there| &there.roles);
        for (subject, roles) in wanted.roles_of(id) {
            let has = |role: &Role| {
                there.and_then(|roles| roles.get(role)).is_some_and(|holders| holders.users.contains(subject))
            };
            let lacking: BTreeSet<Role> = roles.into_iter().filter(|role| !has(role)).collect();
            if !lacking.is_empty() && seen.users.contains_key(subject) {
                steps.push(Step::GiveRoles { client: id.clone(), subject: subject.to_owned(), roles: lacking });
            }
        }
    }
}

fn invitations_to_send(wanted: &RealmWanted, seen: &Seen, steps: &mut Vec<Step>) {
    for (entity, one) in &wanted.organizations {
        let there = seen.organization(&one.uid).map(|(_, there)| there);
        let bound = bound(entity, wanted);
        for (mail, people) in invitees(entity, wanted) {
            // Nobody could tell which of them accepts.
            let [(_, person)] = people.as_slice() else { continue };
            let accounts = seen.accounts_of(&mail);
            let is_here = |subject: &str| {
                bound.contains(subject) || there.is_some_and(|there| there.members.contains_key(subject))
            };
            let is_it = |other: &InvitationSeen| !other.expired && folded(&other.mail) == mail;
            let is_invited = there.is_some_and(|there| there.invitations.values().any(is_it));
            // The link signs whoever takes it in to the account: somebody else may have given theirs this address.
            let is_theirs = accounts.iter().all(|(_, user)| user.mail_verified);
            let is_free = !accounts.iter().any(|(subject, _)| is_here(subject));
            if accounts.len() <= 1 && is_theirs && is_free && !is_invited {
                let display_name = person.display_name.clone();
                steps.push(Step::Invite { uid: one.uid.clone(), mail, display_name });
            }
        }
    }
}
