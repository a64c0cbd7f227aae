//! `commonscloud people allow`: members are let into a service, or a guest.

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Access, AccessEntry, AccessRole};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::ask::{self, How, Planned};
use super::ids;
use super::known::{Known, around, find_all};
use super::words::{self, plain};
use crate::asked;

/// Let members of the collective into a service, or somebody else as a guest until a date.
///
/// Who enters is said by the service's managers, and who manages it by the collective's. Nobody lets themselves in:
/// another manager does.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose service.
    entity: String,
    /// Which one.
    service: String,
    /// Whom: by id, mail address or name. Who may enter already may do so from now on as is written here.
    #[arg(required_unless_present = "guest", conflicts_with = "guest")]
    who: Vec<String>,
    /// Until when: a day, which is the last one (UTC), or a time such as 2027-01-31T12:00:00Z. Absent: until it is
    /// taken away.
    #[arg(long, value_name = "DATE", value_parser = words::until)]
    until: Option<Timestamp>,
    /// They manage it too: they say who else enters.
    #[arg(long, conflicts_with = "guest")]
    manager: bool,
    /// Somebody who does not belong to the collective, by --name and --mail, --until a date.
    #[arg(long, requires_all = ["name", "mail", "until"])]
    guest: bool,
    /// The guest's name, as others see it.
    #[arg(long, requires = "guest", value_parser = words::name)]
    name: Option<String>,
    /// The guest's mail address, to which the invitation goes.
    #[arg(long, requires = "guest", value_parser = words::mail)]
    mail: Option<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
struct Wanted<'w> {
    until: Option<Timestamp>,
    is_manager: bool,
    /// The name by which the API server knows who asks.
    by: &'w str,
    now: Timestamp,
}

pub(super) async fn run(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { entity, service, who, .. } = arguments;
    let (collective, access, by) = tokio::try_join!(
        ask::readable_collective(client, entity),
        ask::access(client, entity, service),
        asked::whoever(client)
    )?;
    let known = around(&access, collective.as_ref());
    let (until, is_manager) = (arguments.until, arguments.manager);
    let wanted = Wanted { until, is_manager, by: &by, now: Timestamp::now() };
    let planned = match (&arguments.name, &arguments.mail) {
        (Some(name), Some(mail)) => {
            let id = ids::new()?;
            guest(&known, &access, (name.as_str(), mail.as_str(), id.as_str()), &wanted)?
        }
        _ => plan(&access, &find_all(&known, who)?, &wanted)?,
    };
    ask::carry_out(client, &access, planned, How::Beside).await.map(drop)
}

impl Wanted<'_> {
    /// # Errors
    /// When it would be over at once.
    fn is_to_come(&self) -> Result<(), String> {
        match self.until {
            Some(until) if until <= self.now => {
                Err(format!("--until: {} is past; nothing was changed", asked::shown(until)))
            }
            _ => Ok(()),
        }
    }

    /// The role of who may enter already: a manager stays one.
    const fn role(&self, now: AccessRole) -> AccessRole {
        if self.is_manager { AccessRole::Manager } else { now }
    }

    /// What is told of it.
    fn told(&self, who: &str, service: &str, role: AccessRole) -> String {
        let may = match role {
            AccessRole::User => "may enter",
            AccessRole::Manager => "manages",
        };
        let until = self.until.map(|until| format!(" until {}", asked::shown(until)));
        format!("{who} {may} {service}{}", until.unwrap_or_default())
    }
}

/// That these may enter.
///
/// # Errors
/// With a line for each of whom it cannot be so; then for none.
fn plan(access: &Access, people: &[&Known], wanted: &Wanted<'_>) -> Result<Planned, String> {
    wanted.is_to_come()?;
    let (mut planned, mut wrong) = (Planned::default(), Vec::new());
    for known in people {
        let (who, service) = (known.shown(), access.name_any());
        let Some(entry) = access.spec.people.get(&known.id) else {
            let role = wanted.role(AccessRole::User);
            let mut entry = json!({"role": role, "by": wanted.by});
            if let Some(until) = wanted.until {
                entry["until"] = json!(Time(until));
            }
            planned.entries.insert(known.id.clone(), entry);
            planned.lines.push(wanted.told(&who, &service, role));
            continue;
        };
        match changed(entry, wanted) {
            Err(why) => wrong.push(format!("{who}: {why}")),
            Ok(None) => planned.lines.push(wanted.told(&who, &service, entry.role) + " already"),
            Ok(Some(change)) => {
                planned.entries.insert(known.id.clone(), change);
                planned.lines.push(wanted.told(&who, &service, wanted.role(entry.role)));
            }
        }
    }
    if wrong.is_empty() { Ok(planned) } else { Err(format!("{}; nothing was changed", wrong.join("\n"))) }
}

/// What changes of an entry that there is; none where nothing does.
fn changed(entry: &AccessEntry, wanted: &Wanted<'_>) -> Result<Option<Value>, String> {
    if let Some(removed) = &entry.removed {
        let by = plain(&removed.by);
        return Err(format!("their access is being taken away, by {by}; wait until it is, then let them in again"));
    }
    if entry.guest.is_some() && wanted.until.is_none() {
        return Err("a guest enters until a date: --until".to_owned());
    }
    if entry.guest.is_some() && wanted.is_manager {
        return Err("a guest cannot manage a service: invite them to the collective first".to_owned());
    }
    let role = wanted.role(entry.role);
    let seconds = |time: Timestamp| time.as_second();
    let is_same_date = entry.until.as_ref().map(|until| seconds(until.0)) == wanted.until.map(seconds);
    if role == entry.role && is_same_date {
        return Ok(None);
    }
    let mut change = json!({"by": wanted.by});
    if role != entry.role {
        change["role"] = json!(role);
    }
    if !is_same_date {
        change["until"] = wanted.until.map_or(Value::Null, |until| json!(Time(until)));
    }
    Ok(Some(change))
}

/// That a guest, of this name and mail address, may enter under this id.
///
/// # Errors
/// When the mail address is somebody's already.
fn guest(
    known: &[Known],
    access: &Access,
    (name, mail, id): (&str, &str, &str),
    wanted: &Wanted<'_>,
) -> Result<Planned, String> {
    wanted.is_to_come()?;
    let service = access.name_any();
    if let Some(there) = known.iter().find(|known| known.removed_by.is_none() && known.has_mail(mail)) {
        return Err(format!(
            "{mail} is {} already: commonscloud people allow ENTITY {service} {}; nothing was changed",
            there.shown(),
            there.id
        ));
    }
    let (guest, until) = (json!({"displayName": name, "mail": mail}), wanted.until.map(Time));
    let entry = json!({"role": AccessRole::User, "until": until, "guest": guest, "by": wanted.by});
    let line = wanted.told(&format!("guest {} ({id})", plain(name)), &service, AccessRole::User);
    Ok(Planned { entries: [(id.to_owned(), entry)].into_iter().collect(), lines: vec![line] })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::people::known::tests::{access, collective};

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn wanted(until: Option<&str>, is_manager: bool) -> Wanted<'static> {
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        Wanted { until: until.map(|until| words::until(until).unwrap()), is_manager, by: "maria", now }
    }

    fn planned(whom: &[&str], wanted: &Wanted<'_>) -> Result<(Value, Vec<String>), String> {
        let known = around(&access(), Some(&collective()));
        let whom: Vec<String> = whom.iter().map(|who| (*who).to_owned()).collect();
        let planned = plan(&access(), &find_all(&known, &whom)?, wanted)?;
        Ok((Value::Object(planned.entries), planned.lines))
    }

    #[test]
    fn members_or_one_guest_are_named_and_never_both() {
        let read = |words: &[&str]| Line::try_parse_from(["allow", "hort", "office"].iter().chain(words));
        let guest = ["--guest", "--name", "Pau", "--mail", "p@example.org"];
        assert_eq!(read(&["anna", "pau", "--manager"]).unwrap().arguments.who, ["anna", "pau"]);
        assert!(read(&[]).is_err() && read(&guest).is_err(), "a guest has a date");
        let until = [&guest[..], &["--until", "2027-01-31"]].concat();
        assert!(read(&until).unwrap().arguments.guest);
        assert!(read(&[&until[..], &["anna"]].concat()).is_err());
        assert!(read(&[&until[..], &["--manager"]].concat()).is_err());
        assert!(read(&["anna", "--name", "Anna"]).is_err());
        assert!(read(&["anna", "--until", "tomorrow"]).unwrap_err().to_string().contains("2027-01-31"));
    }

    #[test]
    fn who_is_new_gets_an_entry_of_their_own() {
        let (entries, lines) = planned(&["anna@example.org"], &wanted(Some("2027-01-31"), false)).unwrap();
        let entry = json!({"role": "User", "by": "maria", "until": "2027-01-31T23:59:59Z"});
        assert_eq!(entries, json!({"aaaaaaaa2": entry}));
        assert_eq!(lines, ["anna (aaaaaaaa2) may enter office until 2027-01-31 23:59 UTC"]);
        let (entries, _) = planned(&["anna@example.org"], &wanted(None, true)).unwrap();
        assert_eq!(entries, json!({"aaaaaaaa2": {"role": "Manager", "by": "maria"}}));
    }

    #[test]
    fn who_may_enter_already_gets_what_differs_and_a_manager_stays_one() {
        let (entries, lines) = planned(&["pau", "s-1"], &wanted(None, false)).unwrap();
        assert_eq!(entries, json!({"bbbbbbbb1": {"by": "maria", "until": null}}));
        assert_eq!(lines[1], "Anna (aaaaaaaa1) manages office already");
        let (entries, _) = planned(&["pau"], &wanted(Some("2027-01-31"), true)).unwrap();
        assert_eq!(entries, json!({"bbbbbbbb1": {"by": "maria", "role": "Manager"}}));
        let (entries, lines) = planned(&["pau"], &wanted(Some("2027-01-31"), false)).unwrap();
        assert!(entries == json!({}) && lines[0].ends_with("already"), "{lines:?}");
    }

    #[test]
    fn what_cannot_be_is_said_and_nothing_is_changed_for_anybody() {
        let past = planned(&["pau"], &wanted(Some("2026-11-30"), false)).unwrap_err();
        assert!(past.contains("2026-11-30 23:59 UTC is past"), "{past}");
        let guest = planned(&["anna@example.org", "gggggggg1"], &wanted(None, false)).unwrap_err();
        assert!(guest.contains("--until") && guest.contains("nothing was changed"), "{guest}");
        let until = wanted(Some("2027-03-01"), true);
        assert!(planned(&["gggggggg1"], &until).unwrap_err().contains("cannot manage"));
        let mut known = around(&access(), None);
        known.retain(|known| known.id == "cccccccc1");
        known[0].removed_by = None;
        let leaving = plan(&access(), &[&known[0]], &wanted(None, false)).unwrap_err();
        assert!(leaving.contains("being taken away, by person:s-1"), "{leaving}");
    }

    #[test]
    fn a_guest_is_nobody_who_is_known() {
        let known = around(&access(), Some(&collective()));
        let until = wanted(Some("2027-01-31"), false);
        let one = |mail| guest(&known, &access(), ("Rosa", mail, "rrrrrrrr1"), &until);
        let planned = one("rosa@example.org").unwrap();
        let entry = json!({"role": "User", "until": "2027-01-31T23:59:59Z", "by": "maria",
            "guest": {"displayName": "Rosa", "mail": "rosa@example.org"}});
        assert_eq!(Value::Object(planned.entries), json!({"rrrrrrrr1": entry}));
        assert!(planned.lines[0].starts_with("guest Rosa (rrrrrrrr1) may enter office until"), "{:?}", planned.lines);
        assert!(one("Pau@example.org").unwrap_err().contains("people allow ENTITY office bbbbbbbb1"));
        assert!(one("guest@example.org").unwrap_err().contains("gggggggg1"));
        assert!(one("m@example.org").is_ok(), "who is leaving can be a guest");
    }
}
