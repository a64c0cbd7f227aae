//! `commonscloud people invite`: somebody is invited to the collective, or all of a table.

use std::path::{Path, PathBuf};

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::Collective;
use kube::Client;
use serde_json::{Map, Value, json};

use super::ask::{self, How};
use super::ids;
use super::known::{Known, members};
use super::table::{self, Row};
use super::words::{self, is_same, plain};
use crate::asked;
use crate::data::said;
use crate::status::aligned;

/// Invite somebody to the collective, or everybody of a table: what becomes of each line is printed first, and nothing
/// is written where a line is wrong.
///
/// A table is CSV in UTF-8, as spreadsheets save it, with the columns name and mail, and manager (yes or no) where
/// there is one. Belonging gives no access by itself: `commonscloud people allow`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose collective.
    entity: String,
    /// The name that others see.
    #[arg(long, required_unless_present = "from", requires = "mail", value_parser = words::name)]
    name: Option<String>,
    /// Where the invitation goes to.
    #[arg(long, requires = "name", value_parser = words::mail)]
    mail: Option<String>,
    /// They manage the collective too: they say who belongs, and who manages each service.
    #[arg(long, requires = "name")]
    manager: bool,
    /// A table of people.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "mail", "manager"])]
    from: Option<PathBuf>,
    /// Say what would be written, and whether it would be taken; write nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let rows = arguments.rows()?;
    let entity = &arguments.entity;
    let (collective, by) = tokio::try_join!(ask::collective(client, entity), asked::whoever(client))?;
    let invited = plan(&members(&collective), rows, ids::new)?;
    said(preview(&invited).trim_end().to_owned())?;
    let Some(spec) = spec(&invited, &by) else { return said("nobody is new: nothing is written".to_owned()) };
    write(client, &collective, spec, arguments.dry_run).await
}

async fn write(client: &Client, collective: &Collective, spec: Value, is_trial: bool) -> Result<(), Failure> {
    let how = if is_trial { How::Trial } else { How::Beside };
    ask::change(client, collective, spec, how).await?;
    let told = if is_trial { "it would be taken; nothing is written" } else { "the invitations are written" };
    said(told.to_owned())
}

impl Arguments {
    /// Whom to invite.
    fn rows(&self) -> Result<Vec<Row>, Failure> {
        if let Some(file) = &self.from {
            return from(file);
        }
        let (Some(name), Some(mail)) = (self.name.clone(), self.mail.clone()) else {
            return Err("write --name and --mail, or --from FILE".into());
        };
        Ok(vec![Row { line: 1, name, mail, is_manager: self.manager, again: None }])
    }
}

fn from(file: &Path) -> Result<Vec<Row>, Failure> {
    let shown = file.display();
    let bytes = std::fs::read(file).map_err(|error| format!("--from {shown}: {error}"))?;
    let unreadable = "is not UTF-8: have the spreadsheet save it as CSV in UTF-8";
    let text = String::from_utf8(bytes).map_err(|_| format!("--from {shown} {unreadable}"))?;
    let table =
        table::read(&text).map_err(|faults| format!("--from {shown}: nothing was written:\n{}", faults.join("\n")))?;
    if !table.left_out.is_empty() {
        said(format!("columns that are left out: {}", table.left_out.join(", ")))?;
    }
    Ok(table.rows)
}

/// What becomes of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    /// They are invited under this id; others, with these, have the same name.
    New { id: String, namesakes: Vec<String> },
    /// They are there: how they are called, and whether they accepted.
    There { shown: String, has_accepted: bool },
    /// This line said it already.
    Again(usize),
}

/// A line, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Invited {
    row: Row,
    fate: Fate,
}

fn plan(
    people: &[Known],
    rows: Vec<Row>,
    mut id: impl FnMut() -> Result<String, Failure>,
) -> Result<Vec<Invited>, Failure> {
    let staying: Vec<&Known> = people.iter().filter(|known| known.removed_by.is_none()).collect();
    let mut invited = Vec::with_capacity(rows.len());
    for row in rows {
        let there = staying.iter().find(|known| known.has_mail(&row.mail));
        let fate = match (row.again, there) {
            (Some(line), _) => Fate::Again(line),
            (None, Some(known)) => Fate::There { shown: known.shown(), has_accepted: known.account.is_some() },
            (None, None) => {
                let namesakes = staying.iter().filter(|known| is_same(&known.name, &row.name));
                Fate::New { id: id()?, namesakes: namesakes.map(|known| known.id.clone()).collect() }
            }
        };
        invited.push(Invited { row, fate });
    }
    Ok(invited)
}

/// The new members, and those of them who manage; none where nobody is new.
fn spec(invited: &[Invited], by: &str) -> Option<Value> {
    let (mut members, mut managers) = (Map::new(), Map::new());
    for Invited { row, fate } in invited {
        let Fate::New { id, .. } = fate else { continue };
        members.insert(id.clone(), json!({"displayName": row.name, "mail": row.mail, "by": by}));
        if row.is_manager {
            managers.insert(id.clone(), json!({"by": by}));
        }
    }
    match (members.is_empty(), managers.is_empty()) {
        (true, _) => None,
        (false, true) => Some(json!({"members": members})),
        (false, false) => Some(json!({"members": members, "managers": managers})),
    }
}

/// What becomes of each line, and how many are invited.
fn preview(invited: &[Invited]) -> String {
    let mut rows = vec![["LINE", "NAME", "MAIL", "WHAT"].map(str::to_owned)];
    let mut new = 0;
    for Invited { row, fate } in invited {
        let what = match fate {
            Fate::New { id, namesakes } => {
                new += 1;
                told_new(id, namesakes, row.is_manager)
            }
            Fate::There { shown, has_accepted } => {
                let state = if *has_accepted { "accepted" } else { "invited" };
                let manager = if row.is_manager { "; managers are made by: commonscloud people manager" } else { "" };
                format!("there already, {state}: {shown}{manager}")
            }
            Fate::Again(line) => format!("line {line} again"),
        };
        rows.push([row.line.to_string(), plain(&row.name), plain(&row.mail), what]);
    }
    format!("{}\n{new} new of {} lines\n", aligned(&rows), invited.len())
}

fn told_new(id: &str, namesakes: &[String], is_manager: bool) -> String {
    let role = if is_manager { "new manager" } else { "new" };
    if namesakes.is_empty() {
        return format!("{role}: {id}");
    }
    format!("{role}: {id}; of the same name there is {}: the same person?", namesakes.join(", "))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::people::known::tests::collective;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn read(words: &[&str]) -> Result<Arguments, String> {
        let line = Line::try_parse_from(["invite", "hort"].iter().chain(words));
        line.map(|line| line.arguments).map_err(|error| error.to_string())
    }

    fn planned(text: &str) -> Vec<Invited> {
        let mut count = 0;
        let id = || {
            count += 1;
            Ok(format!("newnewnew{count}"))
        };
        plan(&members(&collective()), table::read(text).unwrap().rows, id).unwrap()
    }

    #[test]
    fn one_is_invited_or_a_table_and_never_both() {
        let one = read(&["--name", "Rosa", "--mail", "r@example.org", "--manager"]).unwrap();
        let row = Row { line: 1, name: "Rosa".into(), mail: "r@example.org".into(), is_manager: true, again: None };
        assert_eq!(one.rows().unwrap(), [row]);
        assert!(read(&["--from", "people.csv", "--dry-run"]).unwrap().dry_run);
        assert!(read(&[]).is_err());
        for wrong in [&["--name", "Rosa"][..], &["--mail", "r@example.org"], &["--from", "f", "--manager"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        assert!(read(&["--name", "Rosa", "--mail", "rosa"]).unwrap_err().contains("one mail address"));
    }

    #[test]
    fn a_table_is_one_patch_of_those_who_are_new() {
        let text = "name,mail,manager\nRosa,rosa@example.org,\nPau,PAU@example.org,\nAnna,anna.b@example.org,yes\nRosa,rosa@example.org,\nAnna,person:s-1@x,\n";
        let invited = planned(text);
        let expected = json!({
            "members": {
                "newnewnew1": {"displayName": "Rosa", "mail": "rosa@example.org", "by": "maria"},
                "newnewnew2": {"displayName": "Anna", "mail": "anna.b@example.org", "by": "maria"},
                "newnewnew3": {"displayName": "Anna", "mail": "person:s-1@x", "by": "maria"},
            },
            "managers": {"newnewnew2": {"by": "maria"}},
        });
        assert_eq!(spec(&invited, "maria"), Some(expected));
        let text = preview(&invited);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].ends_with("new: newnewnew1"), "{text}");
        assert!(lines[2].ends_with("there already, invited: Pau (bbbbbbbb1)"), "{text}");
        let namesakes = "of the same name there is aaaaaaaa1, aaaaaaaa2: the same person?";
        assert!(lines[3].contains("new manager: newnewnew2") && lines[3].ends_with(namesakes), "{text}");
        assert!(lines[4].ends_with("line 2 again") && text.ends_with("\n3 new of 5 lines\n"), "{text}");
    }

    #[test]
    fn who_accepted_is_known_by_their_account_and_who_leaves_can_be_invited() {
        let mut collective = collective();
        let anna = collective.spec.members.get_mut("aaaaaaaa1").unwrap();
        anna.account.as_mut().unwrap().user = "person:anna.a@example.org".to_owned();
        anna.account.as_mut().unwrap().subject = "anna.a@example.org".to_owned();
        let text = "name,mail\nAnna,Anna.A@example.org\nMaria,m@example.org\n";
        let rows = table::read(text).unwrap().rows;
        let invited = plan(&members(&collective), rows, || Ok("newnewnew1".to_owned())).unwrap();
        let anna = Fate::There { shown: "Anna (aaaaaaaa1)".to_owned(), has_accepted: true };
        assert_eq!(invited[0].fate, anna);
        assert_eq!(invited[1].fate, Fate::New { id: "newnewnew1".to_owned(), namesakes: Vec::new() });
    }

    #[test]
    fn nothing_is_written_where_nobody_is_new() {
        assert_eq!(spec(&planned("name,mail\nPau,pau@example.org\n"), "maria"), None);
    }
}
