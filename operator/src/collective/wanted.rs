//! Who is to enter what: what an identity provider is to have. It is all that one is brought to, where one is driven;
//! where accounts are kept by hand it tells how many there are.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::stamped::is_of_another;
use crate::api::{AccessEntry, AccessRole, Account, Guest};

/// Who is to enter what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// People by their ids.
    pub people: BTreeMap<String, WantedPerson>,
}

/// One person, as they are to be at the identity provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedPerson {
    /// The name that others see.
    pub display_name: String,
    /// Their account; none: they are to be invited.
    pub account: Option<Account>,
    /// Where the invitation goes to.
    pub mail: Option<String>,
    /// Whether they belong to the collective; else they are a guest.
    pub belongs: bool,
    /// Whether they manage the collective.
    pub manages: bool,
    /// The services that they may enter, and as what.
    pub services: BTreeMap<String, AccessRole>,
}

/// Who is to enter what: whoever is removed, whose date has passed, or who is neither a member nor a guest, is not
/// in it.
pub fn wanted(facts: &Facts) -> Wanted {
    let people = facts.people();
    let mut wanted = Wanted::default();
    for (id, member) in people.members.into_iter().filter(|(_, member)| member.removed.is_none()) {
        let person = WantedPerson {
            display_name: member.display_name,
            account: member.account,
            mail: member.mail,
            belongs: true,
            manages: people.managers.get(&id).is_some_and(|manager| manager.removed.is_none()),
            services: BTreeMap::new(),
        };
        wanted.people.insert(id, person);
    }
    for (service, access) in &facts.accesses {
        for (id, entry) in access.spec.people.iter().filter(|(id, entry)| enters(facts, id, entry)) {
            let person = match &entry.guest {
                None => wanted.people.get_mut(id).filter(|person| person.belongs),
                Some(guest) => {
                    let person = wanted.people.entry(id.clone()).or_insert_with(|| WantedPerson {
                        display_name: guest.display_name.clone(),
                        account: guest.account.clone(),
                        mail: guest.mail.clone(),
                        ..WantedPerson::default()
                    });
                    // An id of a member's own is no guest's; nor is one that a service's managers gave to somebody, that of
                    // somebody else whom another's let in under it.
                    if person.belongs || !is_same(person, guest) {
                        continue;
                    }
                    person.account = person.account.take().or_else(|| guest.account.clone());
                    Some(person)
                }
            };
            if let Some(person) = person {
                person.services.insert(service.clone(), entry.role);
            }
        }
    }
    wanted
}

/// Whether a guest of another service is the same person: by the account, where both have one. It is written into one
/// entry after the other, and then the mail address goes from one after the other.
fn is_same(person: &WantedPerson, guest: &Guest) -> bool {
    match (&person.account, &guest.account) {
        (Some(one), Some(other)) => one == other,
        _ => person.mail.is_some() && person.mail == guest.mail,
    }
}

fn enters(facts: &Facts, id: &str, entry: &AccessEntry) -> bool {
    let is_anothers = entry.guest.is_none() && facts.member(id).is_some_and(|member| is_of_another(member, entry));
    entry.removed.is_none() && !is_anothers && entry.until.as_ref().is_none_or(|until| until.0 > facts.now)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{member, with};
    use super::*;

    #[test]
    fn belonging_gives_no_access_and_access_is_of_those_who_belong_or_are_guests_until_a_date() {
        let mut removed = member("doris", true);
        removed["removed"] = json!({"by": "x"});
        let people = json!({
            "members": {"annaannaanna": member("anna", true), "berndbernd00": member("bernd", false),
                        "dorisdoris00": removed},
            "managers": {"annaannaanna": {"by": "x"}},
        });
        let guest =
            |until: &str| json!({"by": "x", "guest": {"displayName": "G", "mail": "g@example.org"}, "until": until});
        let access = json!({
            "berndbernd00": {"by": "x", "role": "Manager"}, "dorisdoris00": {"by": "x"}, "strangerstra": {"by": "x"},
            "guestguest00": guest("2027-01-01T00:00:00Z"), "guestguest11": guest("2026-12-01T00:00:00Z"),
            "annaannaanna": guest("2027-01-01T00:00:00Z"),
        });
        let wanted = wanted(&with(&people, &access));
        let ids: Vec<&str> = wanted.people.keys().map(String::as_str).collect();
        assert_eq!(ids, ["annaannaanna", "berndbernd00", "guestguest00"]);
        let anna = &wanted.people["annaannaanna"];
        assert!(anna.manages && anna.belongs && anna.services.is_empty());
        assert_eq!(wanted.people["berndbernd00"].services, [("wiki".to_owned(), AccessRole::Manager)].into());
        assert!(!wanted.people["guestguest00"].belongs);
    }

    #[test]
    fn a_guest_of_one_service_does_not_enter_another_under_the_id_of_somebody_else() {
        let guest = |mail: &str| {
            let guest = json!({"displayName": "G", "mail": mail});
            json!({"guestguest00": {"by": "x", "guest": guest, "until": "2027-01-01T00:00:00Z"}})
        };
        let mut facts = with(&json!({}), &guest("one@example.org"));
        let mut add = |service: &str, mail: &str| {
            let mut access = crate::api::Access::clone(&facts.accesses["wiki"]);
            access.spec.people = serde_json::from_value(guest(mail)).unwrap();
            facts.accesses.insert(service.to_owned(), access.into());
        };
        add("agora", "one@example.org");
        add("zoo", "another@example.org");
        let services =
            |facts: &Facts| -> Vec<String> { wanted(facts).people["guestguest00"].services.keys().cloned().collect() };
        assert_eq!(services(&facts), ["agora", "wiki"]);
        // They accepted, and the address was taken out of one of the entries so far.
        for (service, mail) in [("agora", None), ("wiki", Some("one@example.org".to_owned()))] {
            let mut access = crate::api::Access::clone(&facts.accesses[service]);
            let guest = access.spec.people.get_mut("guestguest00").and_then(|entry| entry.guest.as_mut()).unwrap();
            guest.mail = mail;
            guest.account = serde_json::from_value(member("g", true)["account"].clone()).unwrap();
            facts.accesses.insert(service.to_owned(), access.into());
        }
        assert_eq!(services(&facts), ["agora", "wiki"]);
    }
}
