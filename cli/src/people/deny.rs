//! `commonscloud people deny`: what lets somebody into a service is taken away.

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Access, AccessRole};
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::ask::{self, How, Planned, Taken, removal};
use super::known::{Known, around, find_all};
use super::words::plain;
use crate::asked;

/// Take away what lets people into a service. They stay in the collective.
///
/// Who enters is said by the service's managers. Who manages it is changed by the collective's managers, and by
/// themselves where another one stays.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose service.
    entity: String,
    /// Which one.
    service: String,
    /// Whom: by id, mail address or name.
    #[arg(required = true)]
    who: Vec<String>,
    /// Only that they manage it: they go on entering.
    #[arg(long)]
    manager: bool,
}

/// The operator writes a status once for each change.
const TRIES: usize = 10;

pub(super) async fn run(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { entity, service, who, manager } = arguments;
    let by = asked::whoever(client).await?;
    for _ in 0..TRIES {
        let (collective, access) =
            tokio::try_join!(ask::readable_collective(client, entity), ask::access(client, entity, service))?;
        let known = around(&access, collective.as_ref());
        let people = find_all(&known, who)?;
        let (planned, how) = if *manager {
            // Theirs may be taken away meanwhile: what is written here must not let them in again.
            (lowered(&access, &people, &by), How::Unchanged)
        } else {
            (plan(&access, &people, &by), How::Beside)
        };
        if ask::carry_out(client, &access, planned, how).await? == Taken::Yes {
            return Ok(());
        }
    }
    Err(format!("{entity}/{service} was changed {TRIES} times meanwhile; nothing was changed: run it again").into())
}

/// That these may not enter any more.
pub(super) fn plan(access: &Access, people: &[&Known], by: &str) -> Planned {
    let mut planned = Planned::default();
    for known in people {
        let (who, service) = (known.shown(), access.name_any());
        let line = match access.spec.people.get(&known.id).map(|entry| &entry.removed) {
            None => format!("{who} may not enter {service} anyhow"),
            Some(Some(removed)) => format!("{who}: {service} is being taken away already, by {}", plain(&removed.by)),
            Some(None) => {
                planned.entries.insert(known.id.clone(), removal(by));
                format!("{who} may not enter {service} any more")
            }
        };
        planned.lines.push(line);
    }
    planned
}

/// That these enter and do not manage.
fn lowered(access: &Access, people: &[&Known], by: &str) -> Planned {
    let mut planned = Planned::default();
    for known in people {
        let (who, service) = (known.shown(), access.name_any());
        let entry = access.spec.people.get(&known.id).filter(|entry| entry.removed.is_none());
        let line = match entry.map(|entry| entry.role) {
            Some(AccessRole::Manager) => {
                planned.entries.insert(known.id.clone(), json!({"role": AccessRole::User, "by": by}));
                format!("{who} does not manage {service} any more, and may enter it")
            }
            Some(AccessRole::User) => format!("{who} does not manage {service} anyhow, and may enter it"),
            None => format!("{who} may not enter {service} anyhow"),
        };
        planned.lines.push(line);
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::known::tests::access;

    #[test]
    fn only_who_may_enter_is_taken_away_and_by_one_key_each() {
        let known = around(&access(), None);
        let whom = ["pau", "guest <b>", "aaaaaaaa2"].map(str::to_owned);
        let planned = plan(&access(), &find_all(&known, &whom).unwrap(), "maria");
        let entries = json!({"bbbbbbbb1": {"removed": {"by": "maria"}}, "gggggggg1": {"removed": {"by": "maria"}}});
        assert_eq!(serde_json::Value::Object(planned.entries), entries);
        assert_eq!(planned.lines[2], "anna (aaaaaaaa2) may not enter office anyhow");
    }

    #[test]
    fn what_is_being_taken_away_is_not_taken_away_again() {
        let leaving =
            Known { id: "cccccccc1".to_owned(), name: "Maria".to_owned(), mail: None, account: None, removed_by: None };
        let planned = plan(&access(), &[&leaving], "maria");
        assert!(planned.entries.is_empty() && planned.lines[0].contains("already, by person:s-1"), "{planned:?}");
    }

    #[test]
    fn who_manages_no_more_goes_on_entering() {
        let known = around(&access(), None);
        let whom = ["aaaaaaaa1", "pau"].map(str::to_owned);
        let planned = lowered(&access(), &find_all(&known, &whom).unwrap(), "maria");
        let entries = json!({"aaaaaaaa1": {"role": "User", "by": "maria"}});
        assert_eq!(serde_json::Value::Object(planned.entries), entries);
        assert!(planned.lines[1].contains("does not manage office anyhow"), "{:?}", planned.lines);
    }
}
