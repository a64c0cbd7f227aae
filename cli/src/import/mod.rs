//! `commonscloud import`: an Entity moves in, with an exit package or with what a plain application has.
//!
//! | module | what lives there |
//! |---|---|
//! | `source` | what moves in, by an exit package |
//! | `plain` | the same by a folder of an application that was never ours, in a documented layout |
//! | `seen` | what lies in a folder, and whether somebody changed it meanwhile |
//! | `nextcloud` | the same as `plain`, of a Nextcloud |
//! | `service` | the service that it moves into: its package, its last backup, its repository |
//! | `judge` | what is refused, and what is told; pure |
//! | `stage` | a folder on this machine in which archives are unpacked |
//! | `fit` | what in the files names the place where they were |
//! | `send` | the snapshots, and the manifest that names them |
//! | `leftover` | the snapshots that nobody needs any more |

mod fit;
mod judge;
mod leftover;
mod nextcloud;
mod plain;
mod seen;
mod send;
mod service;
mod source;
mod stage;

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{RestorePhase, RestoreSource, ServiceRestore, ServiceRestoreSpec};
use commonscloud_operator::kinds;
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};

use self::leftover::Leftover;
use self::service::Service;
use self::source::Brought;
use self::stage::Stage;
use crate::asked;
use crate::data::{parse, said};
use crate::operated::NAMESPACE;
use crate::stop::{self, Stop};
use crate::target::{self, ServerArguments, Target, url_or_name};

/// Have a service go on from an exit package, or from what a plain MediaWiki, Nextcloud or Radicale has, and wait until it does.
/// The service is there already, made from its Entity, and has a first backup: into its repository all is brought, and
/// restored from there. What it holds is lost to it; it is kept until what moved in runs, and comes back where it does
/// not.
///
/// Runs where the folder is, with restic and tar. What is stopped goes on where it was, when it is given the same words
/// again. Needs the verbs create, get, list and `import` on servicerestores.commonscloud.coop, list on servicebackups, get on
/// servicedata and secrets in the Entity's namespace, get on servicetemplaterevisions, and get on the Secret with the
/// key of the Entity's backups in the operator's namespace, as cluster-admin has them.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Into which service, as ENTITY/SERVICE, for example `hort/wiki`.
    #[arg(value_parser = parse)]
    service: (String, String),
    /// The folder of an exit package, or of a plain application as `docs/operations/moving-in.md` lays it out.
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Which service of the exit package. Absent: the one of the same name, else the only one of its template.
    #[arg(long, value_name = "SERVICE")]
    from: Option<String>,
    /// File with the private key that opens a sealed exit package, as age-keygen writes it.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Where the service's backups go: the name of a target of the Platform, or its URL as it is reached from here,
    /// without a repository's folder, for example `s3:https://s3.example.org/bucket/folder`.
    #[arg(long, value_name = "URL-OR-NAME", value_parser = url_or_name)]
    target: String,
    /// Only say what would move in, and what is missing or refused; nothing is written.
    #[arg(long)]
    dry_run: bool,
    /// A folder with room for all that is unpacked; what is written there is removed at the end. Absent: the one in
    /// which FOLDER is.
    #[arg(long, value_name = "DIR")]
    work: Option<PathBuf>,
    /// Do not ask for the service's name again.
    #[arg(long)]
    yes: bool,
    /// Do not wait until it has ended. What was sent then stays at the target until the same command is given after it
    /// has, or another import into the service eight days later.
    #[arg(long)]
    no_wait: bool,
    /// The operator's namespace.
    #[arg(long, value_name = "NAME", default_value = NAMESPACE)]
    operator_namespace: String,
    #[command(flatten)]
    server: ServerArguments,
}

/// Runs the command.
///
/// # Errors
/// When what is brought does not fit the service, the target or the cluster refuses, or it does not run: then the
/// service is as it was before.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let told = "stopped; the same command goes on, and what the cluster was asked for goes on by itself. What is at the \
        target stays there until it has moved in";
    stop::in_order(async |stop| Box::pin(import(arguments, &stop)).await, told).await
}

async fn import(arguments: &Arguments, stop: &Stop) -> Result<(), Failure> {
    let (entity, name) = &arguments.service;
    let (client, service) = stop.or(Box::pin(found(arguments, stop))).await?;
    let identity = arguments.identity.as_deref().map(target::identity).transpose()?;
    let brought = stop.or(read(arguments, &service, identity.clone())).await?;
    for line in judge::told(&brought, &service.known) {
        said(line)?;
    }
    let refused = judge::refused(&brought, &service.known);
    if !refused.is_empty() {
        return Err(format!("it does not fit, and nothing was touched:\n  {}", refused.join("\n  ")).into());
    }
    if arguments.dry_run {
        return said(format!("{entity}/{name}: all of it would move in"));
    }
    let restores: Api<ServiceRestore> = Api::namespaced(client.clone(), entity);
    let (restic, fingerprint) = (&service.restic, brought.fingerprint.as_str());
    let left = Leftover { restic, restores: &restores, service: name, fingerprint };
    let restore = match asked_for(&restores, name, fingerprint).await? {
        Asked::Done(restore) => {
            left.forget().await;
            return Err(already(entity, &restore).into());
        }
        Asked::Already(restore) => restore,
        Asked::Not(restore) => {
            stop.or(confirmed(arguments, &brought)).await?;
            let sent = Box::pin(sent(arguments, stop, &service, &brought, identity.as_deref())).await;
            let spec = wanted(&client, name, &service, sent.map_err(|why| left.failed(&why))?).await?;
            restores.create(&PostParams::default(), &ServiceRestore::new(&restore, spec)).await?;
            said(format!("ServiceRestore {entity}/{restore} is asked for; it goes on whether somebody waits or not"))?;
            restore
        }
    };
    if arguments.no_wait {
        return said(left.stays());
    }
    let ended = Box::pin(asked::until_ended(&client, &kinds::SERVICE_RESTORE, entity, &restore));
    stop.or(ended).await.map_err(|why| left.failed(&why))?;
    left.forget().await;
    said(format!(
        "{entity}/{name} goes on from {}. Back it up now: commonscloud backup {entity}/{name} --wait",
        brought.shown
    ))
}

/// The service, as the cluster and the target have it.
async fn found(arguments: &Arguments, stop: &Stop) -> Result<(Client, Service), Failure> {
    let (entity, name) = &arguments.service;
    let client = Client::try_default().await?;
    let target = Target::find(&client, &arguments.target, &arguments.server).await?.until(stop);
    let home = &arguments.operator_namespace;
    let service = service::find(&client, &target, home, entity, name, &arguments.target).await?;
    Ok((client, service))
}

/// What moves in. It is read in a thread of its own, since that can take hours.
async fn read(arguments: &Arguments, service: &Service, identity: Option<String>) -> Result<Arc<Brought>, Failure> {
    let (arguments, template) = (arguments.clone(), service.known.manifest.versions.template.clone());
    let read = move || -> Result<Arc<Brought>, Failure> {
        let brought = brought(&arguments, &template)?;
        brought.is_opened_by(identity.as_deref())?;
        Ok(Arc::new(brought))
    };
    stop::in_thread(read).await?
}

/// The id of the snapshot with its manifest, once all of it is at the target and nobody changed it meanwhile.
async fn sent(
    arguments: &Arguments,
    stop: &Stop,
    service: &Service,
    brought: &Arc<Brought>,
    identity: Option<&str>,
) -> Result<String, Failure> {
    let work = arguments.work.clone().unwrap_or_else(|| beside(&brought.folder));
    is_outside(&work, &brought.folder)?;
    let fingerprint = brought.fingerprint.clone();
    let stage = Arc::new(stop::to_its_end(move || Stage::open(&work, &fingerprint)).await??);
    let snapshot = send::send(service, brought, &stage, identity, stop).await?;
    drop(stage);
    let own = Arc::clone(brought);
    stop.or(stop::in_thread(move || own.is_as_it_was())).await??;
    Ok(snapshot)
}

fn brought(arguments: &Arguments, template: &str) -> Result<Brought, Failure> {
    let folder =
        std::fs::canonicalize(&arguments.folder).map_err(|error| format!("{}: {error}", arguments.folder.display()))?;
    if !folder.is_dir() {
        return Err(
            format!("{}: it is no folder: a package is given by the folder that it is", folder.display()).into()
        );
    }
    if source::is_package(&folder) {
        let choice = (arguments.from.as_deref(), arguments.service.1.as_str());
        return source::read(&folder, choice, template);
    }
    if arguments.from.is_some() || arguments.identity.is_some() {
        return Err(
            format!("{}: --from and --identity are for an exit package, and it is none", folder.display()).into()
        );
    }
    Ok(plain::read(&folder, template)?)
}

/// What is written into the folder would be part of it.
fn is_outside(work: &Path, folder: &Path) -> Result<(), Failure> {
    let at = std::fs::canonicalize(work).or_else(|_| std::path::absolute(work))?;
    if at.starts_with(folder) {
        return Err(format!("{}: it lies in what moves in: --work names another folder", at.display()).into());
    }
    Ok(())
}

/// The folder in which a folder is.
fn beside(folder: &Path) -> PathBuf {
    folder.parent().unwrap_or(folder).to_owned()
}

/// The restore of what is brought, by its name.
enum Asked {
    /// It is to be asked for.
    Not(String),
    /// It was, and has not ended.
    Already(String),
    /// It has succeeded.
    Done(String),
}

/// It is called by what is brought, so that who was stopped finds it. One that failed is followed by another.
async fn asked_for(restores: &Api<ServiceRestore>, service: &str, fingerprint: &str) -> Result<Asked, Failure> {
    let mut number = 0;
    loop {
        let name = restore_name(service, fingerprint, number);
        let Some(there) = restores.get_opt(&name).await? else { return Ok(Asked::Not(name)) };
        match there.status.as_ref().and_then(|status| status.phase) {
            Some(RestorePhase::Failed) => number += 1,
            Some(RestorePhase::Succeeded) => return Ok(Asked::Done(name)),
            _ => return Ok(Asked::Already(name)),
        }
    }
}

fn already(entity: &str, restore: &str) -> String {
    format!(
        "it moved in already: ServiceRestore {entity}/{restore} has succeeded; to do it once more, and lose what was \
         written since, delete that object first"
    )
}

fn restore_name(service: &str, fingerprint: &str, number: usize) -> String {
    let name = format!("{service}-import-{}", target::short(fingerprint));
    if number == 0 { name } else { format!("{name}-{}", number + 1) }
}

async fn wanted(
    client: &Client,
    name: &str,
    service: &Service,
    snapshot: String,
) -> Result<ServiceRestoreSpec, Failure> {
    let from = RestoreSource {
        service: name.to_owned(),
        snapshot: Some(snapshot),
        imported_to: Some(service.target.clone()),
        ..RestoreSource::default()
    };
    Ok(ServiceRestoreSpec { from, requested_by: asked::whoever(client).await?, ..ServiceRestoreSpec::default() })
}

/// In a thread of its own: nobody can be asked to end who waits for an answer.
async fn confirmed(arguments: &Arguments, brought: &Arc<Brought>) -> Result<(), Failure> {
    if arguments.yes {
        return Ok(());
    }
    let (arguments, brought) = (arguments.clone(), Arc::clone(brought));
    stop::in_thread(move || confirm(&mut std::io::stdin().lock(), &mut std::io::stderr(), &arguments, &brought)).await?
}

/// Says what is about to happen, and takes nothing but the service's name for a yes.
fn confirm(
    input: &mut impl BufRead,
    output: &mut impl Write,
    arguments: &Arguments,
    brought: &Brought,
) -> Result<(), Failure> {
    let (entity, service) = &arguments.service;
    write!(
        output,
        "{service} of {entity} will hold {}. What it holds now is lost to it, and nobody can use it for a while.\nWrite \
         the service's name to go on: ",
        brought.shown
    )?;
    output.flush()?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if answer.trim() == service { Ok(()) } else { Err(format!("that is not {service}: nothing was touched").into()) }
}

/// When files were as they are here, by their own times.
fn newest(times: impl Iterator<Item = std::time::SystemTime>) -> Option<Timestamp> {
    times.max().and_then(|time| Timestamp::try_from(time).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed::parsed;

    fn read(words: &[&str]) -> Result<Arguments, String> {
        parsed(words)
    }

    #[test]
    fn a_service_a_folder_and_a_target_are_asked_for() {
        let words = ["hort/wiki", "wiki", "--target", "offsite"];
        assert_eq!(read(&words).unwrap().service, ("hort".to_owned(), "wiki".to_owned()));
        for count in 0..words.len() {
            assert!(read(&words[..count]).is_err(), "{count}");
        }
        let secret =
            read(&["hort/wiki", "wiki", "--target", "rest:https://me:hunter2@backup.example.org"]).unwrap_err();
        assert!(secret.contains("password"), "{secret}");
    }

    #[test]
    fn a_restore_is_called_by_what_moves_in() {
        assert_eq!(restore_name("wiki", &"0a1b2c3d4e".repeat(4), 0), "wiki-import-0a1b2c3d");
        assert_eq!(restore_name("wiki", &"0a1b2c3d4e".repeat(4), 1), "wiki-import-0a1b2c3d-2");
    }

    #[test]
    fn nothing_is_unpacked_into_what_moves_in() {
        let at = tempfile::tempdir().unwrap();
        let folder = at.path().canonicalize().unwrap().join("wiki");
        std::fs::create_dir(&folder).unwrap();
        assert!(is_outside(&beside(&folder), &folder).is_ok());
        for work in [folder.clone(), folder.join("new")] {
            assert!(is_outside(&work, &folder).unwrap_err().to_string().contains("--work"));
        }
    }

    #[test]
    fn a_file_is_no_package() {
        let at = tempfile::tempdir().unwrap();
        let file = at.path().join("package.tar");
        std::fs::write(&file, "x").unwrap();
        let arguments = read(&["hort/wiki", &file.to_string_lossy(), "--target", "offsite"]).unwrap();
        assert!(brought(&arguments, "mediawiki").unwrap_err().to_string().contains("it is no folder"));
    }

    #[test]
    fn nothing_but_the_services_name_is_a_yes() {
        let arguments = read(&["hort/wiki", "wiki", "--target", "offsite"]).unwrap();
        let brought = source::tests::brought();
        let answered = |answer: &str| {
            let mut told = Vec::new();
            let ended = confirm(&mut answer.as_bytes(), &mut told, &arguments, &brought);
            (ended.is_ok(), String::from_utf8(told).unwrap())
        };
        assert!(answered("wiki\n").0);
        for other in ["", "y\n", "hort/wiki\n"] {
            assert!(!answered(other).0, "{other:?}");
        }
        assert!(answered("").1.contains("What it holds now is lost"));
    }
}
