//! `commonscloud people manager`: who of the members decides who belongs.

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::Collective;
use kube::Client;
use serde_json::json;

use super::ask::{self, How, Planned, removal};
use super::known::{Known, find_all, members};
use super::words::plain;
use crate::asked;
use crate::data::said;

/// Make members managers of the collective, who decide who belongs and who manages each service; or take that away.
///
/// The last one stays: name another one first. A service's managers are made with `commonscloud people allow
/// --manager`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose collective.
    entity: String,
    /// Whom: by id, mail address or name.
    #[arg(required = true)]
    who: Vec<String>,
    /// They are managers no more, and stay members.
    #[arg(long)]
    no_more: bool,
}

pub(super) async fn run(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { entity, who, no_more } = arguments;
    let (collective, by) = tokio::try_join!(ask::collective(client, entity), asked::whoever(client))?;
    let known = members(&collective);
    let people = find_all(&known, who)?;
    let planned = if *no_more { unmade(&collective, &people, &by) } else { made(&collective, &people, &by) };
    if !planned.entries.is_empty() {
        ask::change(client, &collective, json!({"managers": planned.entries}), How::Beside).await?;
    }
    said(planned.lines.join("\n"))
}

fn made(collective: &Collective, people: &[&Known], by: &str) -> Planned {
    let mut planned = Planned::default();
    for known in people {
        let who = known.shown();
        let line = match collective.spec.managers.get(&known.id).map(|manager| &manager.removed) {
            None => {
                planned.entries.insert(known.id.clone(), json!({"by": by}));
                format!("{who} is made a manager")
            }
            Some(None) => format!("{who} is a manager already"),
            Some(Some(removed)) => {
                format!("{who}: {} takes that away; wait until it is done, then name them again", plain(&removed.by))
            }
        };
        planned.lines.push(line);
    }
    planned
}

fn unmade(collective: &Collective, people: &[&Known], by: &str) -> Planned {
    let mut planned = Planned::default();
    for known in people {
        let who = known.shown();
        let line = match collective.spec.managers.get(&known.id).map(|manager| &manager.removed) {
            None => format!("{who} is no manager anyhow"),
            Some(None) => {
                planned.entries.insert(known.id.clone(), removal(by));
                format!("{who} is a manager no more, and stays a member")
            }
            Some(Some(removed)) => format!("{who}: {} takes that away already", plain(&removed.by)),
        };
        planned.lines.push(line);
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::known::tests::collective;

    #[test]
    fn managers_are_made_of_members_and_unmade_by_a_mark() {
        let known = members(&collective());
        let people = find_all(&known, &["s-1", "pau"].map(str::to_owned)).unwrap();
        let planned = made(&collective(), &people, "maria");
        assert_eq!(serde_json::Value::Object(planned.entries), json!({"bbbbbbbb1": {"by": "maria"}}));
        assert!(planned.lines[0].contains("already"), "{:?}", planned.lines);
        let planned = unmade(&collective(), &people, "maria");
        assert_eq!(serde_json::Value::Object(planned.entries), json!({"aaaaaaaa1": {"removed": {"by": "maria"}}}));
        assert!(planned.lines[1].contains("no manager anyhow"), "{:?}", planned.lines);
    }
}
