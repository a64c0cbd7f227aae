//! `commonscloud restore`: a service goes on from one of its backups, another one begins with it, or a part comes back.

use std::io::BufRead;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{
    RestoreDestination, RestoreDestinationKind, RestorePart, RestoreSource, ServiceBackup, ServiceRestoreSpec,
};
use commonscloud_operator::kinds;
use k8s_openapi::jiff::Timestamp;
use kube::Client;

use crate::asked;
use crate::data::{parse, said};

/// Have a service go on from one of its backups, and wait until it does. What was written since then is lost to
/// it; what is overwritten stays until the restored service is Ready and equal to its backup, and comes back where
/// it is not.
///
/// With --into another service begins with the backup, and with --volume and --path one file or folder comes back
/// beside what is there: the service goes on, and nothing is overwritten.
///
/// With --in beside --into the new service is another Entity's: it waits for a RestoreConsent of the one that the
/// backup is of, and needs no right there.
///
/// Needs the verbs list on servicebackups.commonscloud.coop, and create and get on servicerestores, in the Entity's
/// namespace, as its managers have them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which service, as ENTITY/SERVICE, for example `hort/office`.
    #[arg(value_parser = parse)]
    service: (String, String),
    /// The snapshot, or how its id begins, as `commonscloud backup list` shows it. Absent: the newest one.
    #[arg(long, value_name = "ID", conflicts_with = "before")]
    snapshot: Option<String>,
    /// The newest one that was taken before this time, for example `2026-11-29T20:00:00Z`.
    #[arg(long, value_name = "TIME")]
    before: Option<Timestamp>,
    /// The service that begins with it, and has no data yet: make it afterwards, or before with `paused: true` and
    /// take that away while this waits. The one that the backup is of goes on.
    #[arg(long, value_name = "SERVICE", value_parser = parse_name, conflicts_with_all = ["volume", "path"])]
    into: Option<String>,
    /// The Entity in which the new service is, where that is another one than the backup is of. Its manager asks, with
    /// the whole id of the snapshot that the other one consents to.
    #[arg(long = "in", value_name = "ENTITY", value_parser = parse_name, requires_all = ["into", "snapshot"])]
    in_entity: Option<String>,
    /// The volume, by its name in the template, of which one file or folder comes back.
    #[arg(long, requires = "path")]
    volume: Option<String>,
    /// The file or folder below it, for example `files/anna/files/Documents` of an office. It is then called
    /// `NAME (restored DATE)`.
    #[arg(long, requires = "volume")]
    path: Option<String>,
    /// Do not ask for the service's name again.
    #[arg(long)]
    yes: bool,
    /// Do not wait until it has ended.
    #[arg(long)]
    no_wait: bool,
}

/// Runs the command.
///
/// # Errors
/// When there is no such backup, the answer is not the service's name, the cluster refuses what is asked for, or
/// the restore fails: then the service is as it was before.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::try_default().await?;
    let (entity, service) = &arguments.service;
    if let Some(spec) = arguments.of_another_entity(asked::whoever(&client).await?) {
        let into = arguments.in_entity.as_deref().unwrap_or(entity);
        return begun(&client, into, spec, arguments.no_wait).await;
    }
    let runs = asked::runs(&client, entity, Some(service)).await?;
    let chosen = choose(&runs, arguments).map_err(|why| format!("{entity}/{service}: {why}"))?;
    if arguments.overwrites() && !arguments.yes {
        let (mut input, mut output) = (std::io::stdin().lock(), std::io::stderr());
        confirm(&mut input, &mut output, arguments, &chosen)?;
    }
    let (service_name, snapshot) = (service.clone(), Some(chosen.snapshot.clone()));
    let spec = ServiceRestoreSpec {
        from: RestoreSource { service: service_name, snapshot, ..RestoreSource::default() },
        into: arguments.destination(),
        only: arguments.part(),
        requested_by: asked::whoever(&client).await?,
    };
    begun(&client, entity, spec, arguments.no_wait).await?;
    if arguments.no_wait { Ok(()) } else { said(arguments.ended(&chosen)) }
}

/// Asks for a restore, and waits until it has ended.
async fn begun(client: &Client, entity: &str, spec: ServiceRestoreSpec, no_wait: bool) -> Result<(), Failure> {
    let name = asked::restore(client, entity, spec).await?;
    said(format!("ServiceRestore {entity}/{name} is asked for; it goes on whether somebody waits or not"))?;
    if !no_wait {
        asked::until_ended(client, &kinds::SERVICE_RESTORE, entity, &name).await?;
    }
    Ok(())
}

impl Arguments {
    /// Whether what is there gives way to the backup.
    const fn overwrites(&self) -> bool {
        self.into.is_none() && self.path.is_none()
    }

    fn destination(&self) -> RestoreDestination {
        let service = self.into.clone();
        let kind = if service.is_some() { RestoreDestinationKind::NewService } else { RestoreDestinationKind::InPlace };
        RestoreDestination { kind, service }
    }

    /// What is asked for where the backup is another Entity's, of which nothing else can be seen.
    fn of_another_entity(&self, requested_by: String) -> Option<ServiceRestoreSpec> {
        let ((entity, service), snapshot) = (self.service.clone(), self.snapshot.clone());
        self.in_entity.as_ref().filter(|into| **into != entity)?;
        let from = RestoreSource { service, entity: Some(entity), snapshot, ..RestoreSource::default() };
        Some(ServiceRestoreSpec { from, into: self.destination(), only: None, requested_by })
    }

    fn part(&self) -> Option<RestorePart> {
        Some(RestorePart { volume: self.volume.clone()?, path: self.path.clone()? })
    }

    /// What became of it.
    fn ended(&self, chosen: &Chosen) -> String {
        let ((entity, service), when) = (&self.service, chosen.when());
        match (&self.into, &self.path) {
            (Some(into), _) => format!("{entity}/{into} begins with what {service} was {when}"),
            (None, Some(path)) => {
                format!("{path} of {entity}/{service}, as it was {when}, is beside what is there: `(restored DATE)`")
            }
            (None, None) => format!("{entity}/{service} goes on from what it was {when}"),
        }
    }
}

fn parse_name(name: &str) -> Result<String, String> {
    let is_name = name.len() <= 30
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-');
    if is_name {
        Ok(name.to_owned())
    } else {
        Err("give a service's name alone: a-z, 0-9 and -, at most 30".to_owned())
    }
}

/// What is restored: named by its id, so that it is the one that was agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chosen {
    snapshot: String,
    taken: Timestamp,
}

impl Chosen {
    fn when(&self) -> String {
        format!("at {}", asked::shown(self.taken))
    }
}

fn choose(runs: &[ServiceBackup], arguments: &Arguments) -> Result<Chosen, String> {
    let mut found: Vec<_> = runs.iter().filter_map(asked::snapshot).collect();
    found.sort_by_key(|(_, taken)| std::cmp::Reverse(*taken));
    let chosen = |(snapshot, taken): (&str, Timestamp)| Chosen { snapshot: snapshot.to_owned(), taken };
    let Some(id) = &arguments.snapshot else {
        let newest = found.into_iter().find(|(_, taken)| arguments.before.is_none_or(|before| *taken < before));
        let none = || match arguments.before {
            Some(before) => format!("no complete backup was taken before {}", asked::shown(before)),
            None => "there is no complete backup: commonscloud backup list ENTITY/SERVICE".to_owned(),
        };
        return newest.map(chosen).ok_or_else(none);
    };
    found.retain(|(snapshot, _)| snapshot.starts_with(id));
    match found[..] {
        [one] => Ok(chosen(one)),
        [] => Err(format!("no complete backup has a snapshot that begins with {id}: commonscloud backup list")),
        _ => Err(format!("{} snapshots begin with {id}: write more of it", found.len())),
    }
}

/// Says what is about to happen, and takes nothing but the service's name for a yes.
fn confirm(
    input: &mut impl BufRead,
    output: &mut impl std::io::Write,
    arguments: &Arguments,
    chosen: &Chosen,
) -> Result<(), Failure> {
    let (entity, service) = &arguments.service;
    write!(
        output,
        "{service} of {entity} will be as it was {}. What was written since then is lost to it, and nobody can use \
         it for a while.\nWrite the service's name to go on: ",
        chosen.when()
    )?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if answer.trim() == service { Ok(()) } else { Err(format!("that is not {service}: nothing was restored").into()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(id: &str, taken: &str, ready: &str) -> ServiceBackup {
        let conditions = json!([{"type": "Ready", "status": ready, "reason": "R", "message": "",
            "lastTransitionTime": "2026-11-30T00:00:00Z"}]);
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup", "metadata": {"name": id},
            "spec": {"service": "office", "requestedBy": "anna"},
            "status": {"phase": "Succeeded", "takenAt": taken, "snapshot": id, "conditions": conditions},
        }))
        .unwrap()
    }

    fn arguments(snapshot: Option<&str>, before: Option<&str>) -> Arguments {
        Arguments {
            service: ("hort".to_owned(), "office".to_owned()),
            snapshot: snapshot.map(str::to_owned),
            before: before.map(|time| time.parse().unwrap()),
            into: None,
            in_entity: None,
            volume: None,
            path: None,
            yes: false,
            no_wait: false,
        }
    }

    #[test]
    fn the_newest_complete_backup_is_chosen_unless_another_is_named() {
        let runs = [
            run("aa1", "2026-11-28T01:00:00Z", "True"),
            run("ab2", "2026-11-30T01:00:00Z", "True"),
            run("ac3", "2026-11-30T02:00:00Z", "False"),
            run("aa4", "2026-11-29T01:00:00Z", "True"),
        ];
        let chosen = |snapshot, before| choose(&runs, &arguments(snapshot, before)).map(|chosen| chosen.snapshot);
        assert_eq!(chosen(None, None).unwrap(), "ab2");
        assert_eq!(chosen(None, Some("2026-11-30T01:00:00Z")).unwrap(), "aa4");
        assert_eq!(chosen(Some("aa1"), None).unwrap(), "aa1");
        assert!(chosen(Some("aa"), None).unwrap_err().contains("2 snapshots"));
        assert!(chosen(Some("ac3"), None).is_err(), "it is not complete");
        assert!(chosen(None, Some("2026-11-01T00:00:00Z")).unwrap_err().contains("2026-11-01"));
        assert!(choose(&[], &arguments(None, None)).is_err());
        assert!(chosen(Some(&"e".repeat(64)), None).is_err(), "no run recorded it");
    }

    #[test]
    fn what_overwrites_nothing_is_asked_for_as_such_and_needs_no_second_word() {
        let chosen = Chosen { snapshot: "aa1".to_owned(), taken: "2026-11-28T01:00:00Z".parse().unwrap() };
        let whole = arguments(None, None);
        assert!(whole.overwrites() && whole.part().is_none() && whole.destination() == RestoreDestination::default());
        let into = Arguments { into: Some("copy".to_owned()), ..arguments(None, None) };
        assert!(!into.overwrites() && into.destination().kind == RestoreDestinationKind::NewService);
        assert_eq!(into.destination().service.as_deref(), Some("copy"));
        assert!(into.ended(&chosen).starts_with("hort/copy begins with what office was at 2026-11-28"));
        let (volume, path) = (Some("data".to_owned()), Some("files/anna".to_owned()));
        let part = Arguments { volume, path, ..arguments(None, None) };
        assert!(!part.overwrites() && part.destination() == RestoreDestination::default());
        assert_eq!(part.part().unwrap().path, "files/anna");
        assert!(part.ended(&chosen).contains("files/anna of hort/office"));
        for wrong in ["hort/copy", "Copy", "-copy", "copy-", ""] {
            assert!(parse_name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_name("copy-2").as_deref(), Ok("copy-2"));
    }

    #[test]
    fn another_entitys_backup_is_asked_for_by_its_whole_id_where_the_new_service_is() {
        let id = "a".repeat(64);
        let mut asked = Arguments { into: Some("office".to_owned()), ..arguments(Some(id.as_str()), None) };
        assert_eq!(asked.of_another_entity("pau".to_owned()), None, "it is this Entity's own");
        asked.in_entity = Some("hort".to_owned());
        assert_eq!(asked.of_another_entity("pau".to_owned()), None, "it is the same");
        asked.in_entity = Some("llavor".to_owned());
        let spec = asked.of_another_entity("pau".to_owned()).unwrap();
        assert_eq!((spec.from.entity.as_deref(), spec.from.service.as_str()), (Some("hort"), "office"));
        assert_eq!((spec.from.snapshot, spec.into.service.as_deref()), (Some(id), Some("office")));
        assert_eq!((spec.into.kind, spec.requested_by.as_str()), (RestoreDestinationKind::NewService, "pau"));
    }

    #[test]
    fn nothing_but_the_services_name_is_a_yes() {
        let chosen = Chosen { snapshot: "aa1".to_owned(), taken: "2026-11-28T01:00:00Z".parse().unwrap() };
        let answered = |answer: &str| {
            let mut said = Vec::new();
            let ended = confirm(&mut answer.as_bytes(), &mut said, &arguments(None, None), &chosen);
            (ended.is_ok(), String::from_utf8(said).unwrap())
        };
        assert!(answered("office\n").0);
        for other in ["", "y\n", "yes\n", "hort/office\n", "offic\n"] {
            assert!(!answered(other).0, "{other:?}");
        }
        assert!(answered("").1.contains("office of hort will be as it was at 2026-11-28 01:00 UTC"));
    }
}
