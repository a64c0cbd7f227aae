//! Whom the caller can name: members and guests, found by id, mail address, account or name.

use commonscloud_operator::api::{Access, Account, Collective};

use super::words::{is_same, plain};

/// Somebody as the caller sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) id: String,
    pub(super) name: String,
    /// None once there is an account, and for who may not read it.
    pub(super) mail: Option<String>,
    pub(super) account: Option<Account>,
    /// Who takes them away, while the operator carries it out.
    pub(super) removed_by: Option<String>,
}

impl Known {
    /// How messages call them.
    pub(super) fn shown(&self) -> String {
        format!("{} ({})", plain(&self.name), self.id)
    }

    /// Whether a mail address leads to them, as an invitation or as the name of their account.
    pub(super) fn has_mail(&self, mail: &str) -> bool {
        let of_account =
            |account: &Account| [&account.user, &account.subject].into_iter().any(|name| is_same(name, mail));
        self.mail.as_deref().is_some_and(|known| is_same(known, mail)) || self.account.as_ref().is_some_and(of_account)
    }

    fn is(&self, who: &str) -> bool {
        self.has_mail(who) || is_same(&self.name, who)
    }
}

/// Everybody in a collective.
pub(super) fn members(collective: &Collective) -> Vec<Known> {
    let known = collective.spec.members.iter().map(|(id, member)| Known {
        id: id.clone(),
        name: member.display_name.clone(),
        mail: member.mail.clone(),
        account: member.account.clone(),
        removed_by: member.removed.as_ref().map(|removed| removed.by.clone()),
    });
    known.collect()
}

/// Everybody around a service: the collective's members, and who may enter without being one. Who may not read the
/// Collective knows its members by their names alone, from the Access.
pub(super) fn around(access: &Access, collective: Option<&Collective>) -> Vec<Known> {
    let named = |(id, name): (&String, &String)| Known {
        id: id.clone(),
        name: name.clone(),
        mail: None,
        account: None,
        removed_by: None,
    };
    let mut people = match collective {
        Some(collective) => members(collective),
        None => access.status.iter().flat_map(|status| &status.members).map(named).collect(),
    };
    for (id, entry) in &access.spec.people {
        if people.iter().any(|known| known.id == *id) {
            continue;
        }
        let guest = entry.guest.as_ref();
        people.push(Known {
            id: id.clone(),
            name: guest.map_or_else(|| id.clone(), |guest| guest.display_name.clone()),
            mail: guest.and_then(|guest| guest.mail.clone()),
            account: guest.and_then(|guest| guest.account.clone()),
            removed_by: entry.removed.as_ref().map(|removed| removed.by.clone()),
        });
    }
    people
}

/// Finds somebody by id, or else by mail address, account or name, where only one is meant.
///
/// # Errors
/// When nobody is, or several are: with their ids.
pub(super) fn find<'k>(people: &'k [Known], who: &str) -> Result<&'k Known, String> {
    let going = |known: &Known, by: &str| format!("{} is being taken away already, by {}", known.shown(), plain(by));
    let by_id = people.iter().find(|known| known.id == who.trim());
    let found: Vec<&Known> = match by_id {
        Some(known) => vec![known],
        None => people.iter().filter(|known| known.is(who)).collect(),
    };
    let staying: Vec<&Known> = found.iter().copied().filter(|known| known.removed_by.is_none()).collect();
    match (&staying[..], &found[..]) {
        (&[one], _) => Ok(one),
        (&[], &[one, ..]) => Err(going(one, one.removed_by.as_deref().unwrap_or_default())),
        (&[], &[]) => Err(format!(
            "{who:?} is nobody's id, mail address or name here (who accepted has no mail address here any more): \
             commonscloud people list"
        )),
        (several, _) => {
            let several: Vec<String> = several.iter().map(|known| known.shown()).collect();
            Err(format!("{who:?} are several: write the id of one of {}", several.join(", ")))
        }
    }
}

/// Finds all of these, each once.
///
/// # Errors
/// With a line for each that is not one person.
pub(super) fn find_all<'k>(people: &'k [Known], whom: &[String]) -> Result<Vec<&'k Known>, String> {
    let mut found: Vec<&Known> = Vec::new();
    let mut wrong = Vec::new();
    for who in whom {
        match find(people, who) {
            Ok(known) if found.iter().any(|other| other.id == known.id) => {}
            Ok(known) => found.push(known),
            Err(why) => wrong.push(why),
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(format!("{}; nothing was changed", wrong.join("\n"))) }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// Two Annas, one of whom accepted; Pau, who is invited; and Maria, who leaves.
    pub(in crate::people) fn collective() -> Collective {
        let account = json!({"issuer": "https://id.example.org", "subject": "s-1", "user": "person:s-1"});
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Collective",
            "metadata": {"name": "collective", "namespace": "hort", "uid": "u"},
            "spec": {
                "members": {
                    "aaaaaaaa1": {"displayName": "Anna", "account": account, "by": "root", "since": "2026-11-01T00:00:00Z"},
                    "aaaaaaaa2": {"displayName": "anna", "mail": "anna@example.org", "by": "person:s-1"},
                    "bbbbbbbb1": {"displayName": "Pau", "mail": "pau@example.org", "by": "person:s-1"},
                    "cccccccc1": {"displayName": "Maria", "mail": "m@example.org", "by": "root", "removed": {"by": "person:s-1"}},
                },
                "managers": {"aaaaaaaa1": {"by": "root"}},
            },
            "status": {"people": {"bbbbbbbb1": {"state": "Pending", "message": "until 14 December"}}},
        }))
        .unwrap()
    }

    /// Pau enters, Anna manages, a guest enters until a date, and Maria's access is being taken away.
    pub(in crate::people) fn access() -> Access {
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Access",
            "metadata": {"name": "office", "namespace": "hort", "uid": "v", "resourceVersion": "7"},
            "spec": {"people": {
                "bbbbbbbb1": {"by": "person:s-1", "until": "2027-01-31T23:59:59Z"},
                "aaaaaaaa1": {"by": "root", "role": "Manager"},
                "gggggggg1": {"by": "person:s-1", "until": "2027-02-28T23:59:59Z",
                    "guest": {"displayName": "Guest <b>", "mail": "guest@example.org"}},
                "cccccccc1": {"by": "root", "removed": {"by": "person:s-1"}},
            }},
            "status": {"members": {"aaaaaaaa1": "Anna", "aaaaaaaa2": "anna", "bbbbbbbb1": "Pau"}},
        }))
        .unwrap()
    }

    #[test]
    fn somebody_is_found_by_what_is_theirs_alone() {
        let people = members(&collective());
        let id = |who: &str| find(&people, who).map(|known| known.id.as_str());
        for who in ["aaaaaaaa1", "s-1", "person:s-1"] {
            assert_eq!(id(who), Ok("aaaaaaaa1"), "{who}");
        }
        assert_eq!(id("Anna@Example.org"), Ok("aaaaaaaa2"));
        assert_eq!(id(" pau "), Ok("bbbbbbbb1"));
        let several = id("ANNA").unwrap_err();
        assert!(several.contains("aaaaaaaa1") && several.contains("aaaaaaaa2"), "{several}");
        assert!(id("nobody").unwrap_err().contains("people list"));
        assert!(id("Maria").unwrap_err().contains("taken away already, by person:s-1"));
        assert!(id("cccccccc1").unwrap_err().contains("taken away already"));
    }

    #[test]
    fn a_name_that_is_another_ones_id_or_mail_leads_to_nobody_else() {
        let mut people = members(&collective());
        people[2].name = "aaaaaaaa1".to_owned();
        assert_eq!(find(&people, "aaaaaaaa1").unwrap().name, "Anna");
        people[2].name = "anna@example.org".to_owned();
        assert!(find(&people, "anna@example.org").unwrap_err().contains("several"));
    }

    #[test]
    fn several_are_found_once_each_or_none_is() {
        let people = members(&collective());
        let whom = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let found = find_all(&people, &whom(&["pau", "bbbbbbbb1", "s-1"])).unwrap();
        assert_eq!(found.iter().map(|known| known.id.as_str()).collect::<Vec<_>>(), ["bbbbbbbb1", "aaaaaaaa1"]);
        let wrong = find_all(&people, &whom(&["pau", "anna", "x"])).unwrap_err();
        assert!(wrong.lines().count() == 2 && wrong.contains("nothing was changed"), "{wrong}");
    }

    #[test]
    fn who_may_not_read_the_collective_knows_names_and_guests() {
        let people = around(&access(), None);
        assert!(people.iter().all(|known| known.mail.is_none() || known.id == "gggggggg1"));
        assert_eq!(find(&people, "pau").unwrap().id, "bbbbbbbb1");
        assert_eq!(find(&people, "guest@example.org").unwrap().id, "gggggggg1");
        assert!(find(&people, "pau@example.org").is_err());
        assert_eq!(find(&around(&access(), Some(&collective())), "pau@example.org").unwrap().id, "bbbbbbbb1");
    }
}
