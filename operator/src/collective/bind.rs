//! The account of somebody who accepted: bound once, to one entry, and never one that another entry has. Names and mail
//! addresses can be given to somebody else; the subject is nobody else's.

use serde_json::json;

use super::facts::Facts;
use crate::api::{Account, Guest};
use crate::compare::Change;
use crate::kinds;

/// The longest name by which the API server may know somebody, as the schema has it.
const LONGEST: usize = 320;

/// Somebody who accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted<'a> {
    /// The id of their entry.
    pub id: &'a str,
    /// The service, where they are a guest.
    pub service: Option<&'a str>,
    /// What the provider knows them by.
    pub subject: &'a str,
}

/// The writes that bind an account; none where there is no such entry (any more), or it has one.
///
/// # Errors
/// Why it is not bound, for whoever manages.
pub fn bound(facts: &Facts, accepted: &Accepted<'_>) -> Result<Vec<Change>, String> {
    let Some(account) = account(facts, accepted.subject) else { return Ok(Vec::new()) };
    let changes = match accepted.service {
        None => of_member(facts, accepted.id, &account).into_iter().collect(),
        Some(service) => of_guest(facts, accepted.id, service, &account),
    };
    if !changes.is_empty() {
        may_be_bound(facts, accepted, &account)?;
    }
    Ok(changes)
}

fn account(facts: &Facts, subject: &str) -> Option<Account> {
    let identity = facts.identity.as_ref()?;
    let user = format!("{}{subject}", identity.user_prefix);
    Some(Account { issuer: identity.issuer.clone(), subject: subject.to_owned(), user })
}

fn may_be_bound(facts: &Facts, accepted: &Accepted<'_>, account: &Account) -> Result<(), String> {
    if account.user.len() > LONGEST || account.user.starts_with("system:") {
        return Err(format!(
            "the account cannot be bound: with identity.userPrefix of the Platform its name would be {:?}",
            account.user
        ));
    }
    if let Some(access) = facts.unreadable.iter().find(|object| object.kind == kinds::ACCESS.kind) {
        return Err(format!("the account is not bound while it is not known whether another entry has it: {access}"));
    }
    match holder(facts, accepted, account) {
        Some(other) => Err(format!(
            "whoever accepted has the account of another entry, {other}; an account is bound once: remove one of the two"
        )),
        None => Ok(()),
    }
}

/// Another entry with an account, be it one that is on its way out.
fn holder(facts: &Facts, accepted: &Accepted<'_>, account: &Account) -> Option<String> {
    let is_it = |other: Option<&Account>| {
        other.is_some_and(|other| (&other.issuer, &other.subject) == (&account.issuer, &account.subject))
    };
    let is_guest = accepted.service.is_some();
    for (id, member) in &facts.people().members {
        if is_it(member.account.as_ref()) && (is_guest || id != accepted.id) {
            return Some(id.clone());
        }
    }
    for (service, access) in &facts.accesses {
        for (id, entry) in &access.spec.people {
            // A guest of several services has an entry in each.
            let is_other = !is_guest || id != accepted.id;
            if is_other && entry.guest.as_ref().is_some_and(|guest| is_it(guest.account.as_ref())) {
                return Some(format!("{id}, a guest of {service}"));
            }
        }
    }
    None
}

fn of_member(facts: &Facts, id: &str, account: &Account) -> Option<Change> {
    let member = facts.member(id).filter(|member| member.account.is_none() && member.removed.is_none())?;
    // Who was bound by hand meanwhile may have no address any more.
    member.mail.as_ref()?;
    let collective = facts.collective.as_ref()?;
    let patch = json!({"spec": {"members": {id: {"account": account}}}});
    Some(facts.merge(kinds::COLLECTIVE.kind, &collective.metadata, patch, because()))
}

/// A guest as a service lets them in.
fn guest<'a>(facts: &'a Facts, service: &str, id: &str) -> Option<&'a Guest> {
    let entry = facts.accesses.get(service)?.spec.people.get(id)?;
    entry.guest.as_ref().filter(|_| entry.removed.is_none())
}

/// All entries of a guest at once: by the account they are one person from then on.
fn of_guest(facts: &Facts, id: &str, service: &str, account: &Account) -> Vec<Change> {
    let unbound = guest(facts, service, id).filter(|guest| guest.account.is_none());
    unbound.map(|guest| with_mail(facts, id, guest, account)).unwrap_or_default()
}

/// The entries of this id that have the mail address of this guest and no account.
fn with_mail(facts: &Facts, id: &str, known: &Guest, account: &Account) -> Vec<Change> {
    if known.mail.is_none() {
        return Vec::new();
    }
    let mut changes = Vec::new();
    for (service, access) in &facts.accesses {
        if guest(facts, service, id).is_some_and(|guest| guest.account.is_none() && guest.mail == known.mail) {
            let patch = json!({"spec": {"people": {id: {"guest": {"account": account}}}}});
            changes.push(facts.merge(kinds::ACCESS.kind, &access.metadata, patch, because()));
        }
    }
    changes
}

/// What a guest of several services lacks who was bound in one of them, while their mail address still says who they
/// are: one write of several was not taken, or another service let them in meanwhile.
pub(super) fn completed(facts: &Facts) -> Vec<Change> {
    if facts.provider.is_none() {
        return Vec::new();
    }
    let mut changes: Vec<Change> = Vec::new();
    for (service, access) in &facts.accesses {
        for id in access.spec.people.keys() {
            let Some(known) = guest(facts, service, id) else { continue };
            let Some(account) = &known.account else { continue };
            let lacking = with_mail(facts, id, known, account);
            // Two patches of one object are about one version of it: the other comes next.
            let is_new = |change: &Change| changes.iter().all(|other| other.name != change.name);
            let new: Vec<Change> = lacking.into_iter().filter(is_new).collect();
            changes.extend(new);
        }
    }
    changes
}

fn because() -> String {
    "an invitation was accepted".to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{member, with, written};
    use super::*;
    use crate::api::Access;
    use crate::cache::Undecodable;

    const SUBJECT: &str = "6f7b2c1e-0000-4000-8000-000000000000";

    fn accepted<'a>(id: &'a str, service: Option<&'a str>, subject: &'a str) -> Accepted<'a> {
        Accepted { id, service, subject }
    }

    fn guest(mail: &str) -> Value {
        json!({"by": "x", "guest": {"displayName": "G", "mail": mail}, "until": "2027-01-01T00:00:00Z"})
    }

    #[test]
    fn who_accepts_is_bound_once_with_the_prefix_of_the_platform() {
        let facts = with(&json!({"members": {"berndbernd00": member("bernd", false)}}), &json!({}));
        let accepted = accepted("berndbernd00", None, SUBJECT);
        let changes = bound(&facts, &accepted).unwrap();
        assert_eq!(changes.len(), 1);
        let after = written(&facts, &changes);
        let account = after.member("berndbernd00").unwrap().account.clone().unwrap();
        assert_eq!((account.issuer.as_str(), account.subject.as_str()), ("https://id.example.org", SUBJECT));
        assert_eq!(account.user, format!("oidc:{SUBJECT}"));
        assert_eq!(bound(&after, &accepted), Ok(Vec::new()), "killed before it knew, it writes nothing again");
    }

    #[test]
    fn an_account_of_another_entry_is_never_bound_again() {
        let mut leaves = member("anna", true);
        leaves["removed"] = json!({"by": "x"});
        for anna in [member("anna", true), leaves] {
            let people = json!({"members": {"annaannaanna": anna, "annaannatwo0": member("anna", false)}});
            let facts = with(&people, &json!({"guestguest00": guest("anna@example.org")}));
            let told = bound(&facts, &accepted("annaannatwo0", None, "anna")).unwrap_err();
            assert!(told.contains("another entry, annaannaanna"), "{told}");
            assert!(bound(&facts, &accepted("guestguest00", Some("wiki"), "anna")).is_err());
        }
        let mut known = guest("g@example.org");
        known["guest"]["account"] = member("g", true)["account"].clone();
        let people = json!({"members": {"gggggggggggg": member("g", false)}});
        let facts = with(&people, &json!({"guestguest00": known}));
        let told = bound(&facts, &accepted("gggggggggggg", None, "g")).unwrap_err();
        assert!(told.contains("guestguest00, a guest of wiki"), "{told}");
    }

    #[test]
    fn a_guest_is_bound_in_all_their_services_and_in_nobody_elses() {
        let mut facts = with(&json!({}), &json!({"guestguest00": guest("g@example.org")}));
        for (service, mail) in [("agora", "g@example.org"), ("zoo", "another@example.org")] {
            let mut access = Access::clone(&facts.accesses["wiki"]);
            access.metadata.name = Some(service.to_owned());
            access.spec.people = serde_json::from_value(json!({"guestguest00": guest(mail)})).unwrap();
            facts.accesses.insert(service.to_owned(), access.into());
        }
        let changes = bound(&facts, &accepted("guestguest00", Some("wiki"), SUBJECT)).unwrap();
        let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(names, ["agora", "wiki"]);
        // Killed between the two: the other one is bound to the same account.
        let mut half = written(&facts, &changes[..1]);
        assert_eq!(completed(&half), [], "by hand nobody is bound but by hand");
        half.provider = Some(crate::cache::Provided::default());
        assert_eq!(completed(&half), changes[1..]);
        assert_eq!(completed(&written(&half, &changes[1..])), []);
    }

    #[test]
    fn nobody_is_bound_who_was_removed_meanwhile_or_while_an_access_cannot_be_read() {
        let mut removed = member("bernd", false);
        removed["removed"] = json!({"by": "x"});
        let facts = with(&json!({"members": {"berndbernd00": removed}}), &json!({}));
        assert_eq!(bound(&facts, &accepted("berndbernd00", None, SUBJECT)), Ok(Vec::new()));
        assert_eq!(bound(&facts, &accepted("strangerstra", None, SUBJECT)), Ok(Vec::new()));
        let mut facts = with(&json!({"members": {"berndbernd00": member("bernd", false)}}), &json!({}));
        facts
            .unreadable
            .push(Undecodable { kind: "Access".to_owned(), name: "zoo".to_owned(), ..Undecodable::default() }.into());
        assert!(bound(&facts, &accepted("berndbernd00", None, SUBJECT)).unwrap_err().contains("zoo"));
    }
}
