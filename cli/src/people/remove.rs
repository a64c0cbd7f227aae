//! `commonscloud people remove`: somebody leaves the collective, with all that they may enter; or one service.

use std::io::BufRead;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Access, AccessEntry, AccessRole, Collective};
use kube::{Client, ResourceExt as _};
use serde_json::json;

use super::ask::{self, Accesses, How, removal};
use super::deny;
use super::known::{Known, around, find, members};
use super::words::plain;
use crate::asked;
use crate::data::said;

/// Remove somebody from the collective, with all that they may enter, or withdraw an invitation. What that takes away
/// is printed first.
///
/// Files, messages and whatever else they made stay in the services.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose collective.
    entity: String,
    /// Whom: by id, mail address or name.
    who: String,
    /// From this service alone: they stay in the collective.
    #[arg(long)]
    service: Option<String>,
    /// Do not ask again.
    #[arg(long)]
    yes: bool,
}

pub(super) async fn run(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { entity, who, service, yes } = arguments;
    let by = asked::whoever(client).await?;
    let asks = || if *yes { Ok(()) } else { confirm(&mut std::io::stdin().lock(), &mut std::io::stderr()) };
    let Some(service) = service else {
        let (collective, accesses) = tokio::try_join!(ask::collective(client, entity), ask::accesses(client, entity))?;
        let known = members(&collective);
        let known = find(&known, who)?;
        said(losses(known, entity, &collective, &accesses).join("\n"))?;
        asks()?;
        let spec = json!({"members": {known.id.as_str(): removal(&by)}});
        ask::change(client, &collective, spec, How::Beside).await?;
        return said(format!(
            "{} is being removed; commonscloud people list {entity} says when it is done",
            known.shown()
        ));
    };
    let (collective, access) =
        tokio::try_join!(ask::readable_collective(client, entity), ask::access(client, entity, service))?;
    let known = around(&access, collective.as_ref());
    let known = find(&known, who)?;
    if let Some(loss) = door(&access, &known.id) {
        said(format!("{} loses {entity}/{loss}", known.shown()))?;
        asks()?;
    }
    ask::carry_out(client, &access, deny::plan(&access, &[known], &by), How::Beside).await.map(drop)
}

/// What somebody loses with the collective.
fn losses(known: &Known, entity: &str, collective: &Collective, accesses: &Accesses) -> Vec<String> {
    let what = match (&known.account, &known.mail) {
        (None, Some(mail)) => format!("the invitation to {}", plain(mail)),
        _ => "belonging to the collective".to_owned(),
    };
    let mut lines = vec![format!("{} loses in {entity}:", known.shown()), format!("  {what}")];
    let managers = &collective.spec.managers;
    let may_manage = |id: &str| managers.get(id).is_some_and(|manager| manager.removed.is_none());
    if may_manage(&known.id) {
        let is_last = !managers.keys().any(|id| *id != known.id && may_manage(id));
        let alone = if is_last { ", as the last one: name another first (commonscloud people manager)" } else { "" };
        lines.push(format!("  managing the collective{alone}"));
    }
    lines.extend(accesses.read.iter().filter_map(|access| door(access, &known.id)).map(|loss| format!("  {loss}")));
    if !accesses.unread.is_empty() {
        lines.push(format!("  what they may enter of {}, which you may not read", accesses.unread.join(", ")));
    }
    lines
}

/// A service that somebody may enter, and as what.
fn door(access: &Access, id: &str) -> Option<String> {
    let people = &access.spec.people;
    let entry = people.get(id).filter(|entry| entry.removed.is_none())?;
    let until = entry.until.as_ref().map(|until| format!(" until {}", asked::shown(until.0))).unwrap_or_default();
    let is_other_manager = |(other, entry): (&String, &AccessEntry)| {
        other != id && entry.role == AccessRole::Manager && entry.removed.is_none()
    };
    let role = match entry.role {
        AccessRole::User => "",
        AccessRole::Manager if people.iter().any(is_other_manager) => " (Manager)",
        AccessRole::Manager => " (Manager; nobody else may_manage it)",
    };
    Some(format!("{}{role}{until}", access.name_any()))
}

/// Takes nothing but `yes` for a yes.
fn confirm(input: &mut impl BufRead, output: &mut impl std::io::Write) -> Result<(), Failure> {
    write!(output, "Write yes to go on: ")?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if answer.trim() == "yes" { Ok(()) } else { Err("that is not yes: nothing was changed".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::known::tests::{access, collective};

    fn lost(who: &str, accesses: &Accesses) -> Vec<String> {
        let known = members(&collective());
        losses(find(&known, who).unwrap(), "hort", &collective(), accesses)
    }

    #[test]
    fn all_that_is_lost_is_said_before() {
        let accesses = Accesses { read: vec![access()], unread: vec!["wiki".to_owned()] };
        assert_eq!(
            lost("s-1", &accesses),
            [
                "Anna (aaaaaaaa1) loses in hort:",
                "  belonging to the collective",
                "  managing the collective, as the last one: name another first (commonscloud people manager)",
                "  office (Manager; nobody else may_manage it)",
                "  what they may enter of wiki, which you may not read",
            ]
        );
        let pau = lost("pau", &Accesses { read: vec![access()], unread: Vec::new() });
        let expected = ["  the invitation to pau@example.org", "  office until 2027-01-31 23:59 UTC"];
        assert_eq!(pau[1..], expected);
    }

    #[test]
    fn nothing_but_yes_is_a_yes() {
        let answered = |answer: &str| confirm(&mut answer.as_bytes(), &mut Vec::new()).is_ok();
        assert!(answered("yes\n"));
        for other in ["", "y\n", "no\n", "Yes please\n"] {
            assert!(!answered(other), "{other:?}");
        }
    }
}
