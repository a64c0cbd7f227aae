//! `commonscloud export`: a package with which an Entity leaves, made from its backups where they are kept; or one that
//! the cluster made, brought and opened.

mod sealed;
mod source;

use std::path::{Path, PathBuf};

use commonscloud_backup::exit::{ExitManifest, Folder, Found, pack, verify};
use commonscloud_backup::manifest::ManifestEntity;
use commonscloud_backup::records::{RECORDS_FOLDER, Records};
use commonscloud_cluster::command::Failure;
use k8s_openapi::jiff::Timestamp;

use crate::asked;
use crate::data::said;
use crate::stop;
use crate::target::{self, Keys, ServerArguments, Target, address};
use source::{Choice, Opened};

/// Make an exit package of an Entity from its backups: databases as SQL, files as tar, passwords, and how to go on with
/// them on a plain Debian machine, in Catalan and English.
///
/// Reads the target alone: it needs restic and the private half of one of the Platform's recipients, and no cluster.
/// What is stopped goes on where it was, when it is given the same words again.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Name of the Entity.
    #[arg(required = true)]
    entity: Option<String>,
    /// Names of its services. Absent: all that the platform's records at the target name.
    #[arg(value_name = "SERVICE")]
    services: Vec<String>,
    /// The package's folder, which is made, or empty, or holds what was begun before.
    #[arg(short, long, value_name = "DIR", required = true)]
    output: Option<PathBuf>,
    /// A public key of age (age1...) to seal the package to; several times for several people. Absent: it is open.
    #[arg(long, value_name = "AGE")]
    recipient: Vec<String>,
    /// The Entity's folder at the target, where there are several of its name, for example `hort-1a2b3c4d`.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<String>,
    /// The backup of the one service that is named, or how its id begins, as `commonscloud backup list` shows it.
    /// Absent: the newest.
    #[arg(long, value_name = "ID")]
    snapshot: Option<String>,
    /// Where the backups are, as restic writes it and without a repository's folder:
    /// `s3:https://s3.example.org/BUCKET/PREFIX`, `rest:https://backup.example.org/cloud`,
    /// `sftp://USER@HOST:22//srv/backups`, or a folder of this machine, as `/srv/backups`. Never with a password.
    #[arg(long, value_name = "URL", value_parser = address, required = true)]
    target: Option<String>,
    /// File with the private half of one of the Platform's `backup.recipients`, as age-keygen writes it.
    #[arg(long, value_name = "FILE", required = true)]
    identity: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArguments,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Verify(Verify),
    Fetch(sealed::Fetch),
    Open(sealed::Open),
}

/// Read all of an exit package, and say whether it is what was written. Needs nothing but the package.
#[derive(Debug, clap::Args)]
struct Verify {
    /// The package's folder.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// When the target does not open, a service has no backup there, or the package is not what was written.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Some(Command::Verify(Verify { folder })) => return verified(folder).await,
        Some(Command::Fetch(wanted)) => return sealed::fetch(wanted).await,
        Some(Command::Open(wanted)) => {
            sealed::open(wanted).await?;
            return verified(wanted.folder()).await;
        }
        None => {}
    }
    stop::at_once(Box::pin(export(arguments)), "stopped; what is done is done: the same command goes on").await
}

async fn export(arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { entity: Some(entity), output: Some(output), target: Some(url), identity: Some(identity), .. } =
        arguments
    else {
        return Err("write ENTITY, --output, --target and --identity".into());
    };
    if arguments.snapshot.is_some() && arguments.services.len() != 1 {
        return Err("--snapshot is of one service: name it, and no other".into());
    }
    let identity = target::identity(identity)?;
    let target = Target::at_url(url, &arguments.server).await?;
    let folder = Folder::open(output)?;
    let begun = match folder.found()? {
        Found::Empty => None,
        Found::Unfinished(manifest) => Some(goes_on(*manifest, arguments, entity)?),
        Found::Whole(manifest) => {
            let made = asked::shown(manifest.exported_at);
            let (path, whose) = (output.display(), &manifest.entity.name);
            return Err(format!("{path} holds a whole package of {whose}, made at {made}: give another folder").into());
        }
    };
    let opened = opened(&target, &identity, arguments, entity, begun.as_ref()).await?;
    let manifest = begun.unwrap_or_else(|| planned(entity, arguments, &opened));
    let sources: Vec<_> = opened.into_iter().map(|service| service.source).collect();
    pack(&folder, manifest, &sources, |line| eprintln!("{line}")).await?;
    verified(output).await
}

/// What was begun is gone on with by the same words alone.
fn goes_on(manifest: ExitManifest, arguments: &Arguments, entity: &str) -> Result<ExitManifest, Failure> {
    let services: Vec<&str> = manifest.services.iter().map(|service| &*service.instance.name).collect();
    let mut asked: Vec<&str> = arguments.services.iter().map(String::as_str).collect();
    asked.sort_unstable();
    asked.dedup();
    let is_same = manifest.entity.name == entity
        && (asked.is_empty() || asked == services)
        && manifest.recipients == arguments.recipient;
    if is_same {
        return Ok(manifest);
    }
    let sealed = if manifest.recipients.is_empty() { "open".to_owned() } else { manifest.recipients.join(", ") };
    Err(format!(
        "the folder holds an unfinished package of {} ({}; recipients: {sealed}): give the same words, or another \
         folder",
        manifest.entity.name,
        services.join(", ")
    )
    .into())
}

/// The services, each with the backup that it is read from.
async fn opened(
    target: &Target,
    identity: &str,
    arguments: &Arguments,
    entity: &str,
    begun: Option<&ExitManifest>,
) -> Result<Vec<Opened>, Failure> {
    let own = |folder: &str| match &arguments.folder {
        Some(named) => folder == named,
        None => source::is_folder_of(folder, entity),
    };
    let found = target.keys_of(identity, |folder| folder == RECORDS_FOLDER || own(folder)).await?;
    let keys = found.keys;
    let wanted = if let Some(manifest) = begun {
        source::again(manifest)
    } else {
        let folders: Vec<String> = keys.keys().filter(|folder| own(folder)).cloned().collect();
        let closed = found.sealed_to_others.into_iter().map(|(folder, _)| folder).filter(|folder| own(folder));
        let closed: Vec<String> = closed.collect();
        let records = records(target, &keys, arguments).await?;
        let choice = Choice { entity, services: &arguments.services, snapshot: arguments.snapshot.as_deref() };
        source::choose(&choice, &folders, &closed, records.as_ref())
            .map_err(|why| format!("{}: {why}", target.shown()))?
    };
    let mut opened = Vec::new();
    for service in &wanted {
        let found = service.open(target, &keys, entity, Timestamp::now()).await?;
        let (path, taken) = (&found.service.repository.path, asked::shown(found.service.taken_at));
        eprintln!("{entity}/{}: as it was at {taken}, from {path}{}", service.name, service.how_sure());
        opened.push(found);
    }
    Ok(opened)
}

/// The platform's records. Who names services can do without, and is told so.
async fn records(target: &Target, keys: &Keys, arguments: &Arguments) -> Result<Option<Records>, Failure> {
    if !keys.contains_key(RECORDS_FOLDER) {
        return Ok(None);
    }
    match target.records(keys, None).await {
        Ok(found) => Ok(Some(found.records)),
        Err(failure) if arguments.services.is_empty() => Err(failure),
        Err(failure) => {
            eprintln!("{failure}");
            Ok(None)
        }
    }
}

fn planned(entity: &str, arguments: &Arguments, opened: &[Opened]) -> ExitManifest {
    let uid = opened.first().map(|service| service.entity.uid.clone()).unwrap_or_default();
    let services = opened.iter().map(|service| service.service.clone()).collect();
    ExitManifest::begun(ManifestEntity { name: entity.to_owned(), uid }, arguments.recipient.clone(), services)
}

/// How many of the files beside a package are told.
const MOST_OTHERS: usize = 5;

async fn verified(folder: &Path) -> Result<(), Failure> {
    let own = folder.to_owned();
    let found = stop::in_thread(move || verify(&own)).await??;
    for other in found.others.iter().take(MOST_OTHERS) {
        // Whoever put it there chose its name, and a terminal would do what it says.
        eprintln!("{other:?}: nothing of the package");
    }
    if found.others.len() > MOST_OTHERS {
        eprintln!("and {} more that are nothing of the package", found.others.len() - MOST_OTHERS);
    }
    if !found.damages.is_empty() {
        return Err(format!("{} is damaged:\n  {}", folder.display(), found.damages.join("\n  ")).into());
    }
    let services: Vec<_> = found.manifest.services.iter().map(|service| &*service.instance.name).collect();
    let (entity, count) = (&found.manifest.entity.name, found.manifest.files().count());
    let whole = format!("whole: {count} files, {} bytes", found.bytes);
    said(format!("{} of {entity} ({}) is {whole}", folder.display(), services.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parsed::parsed;

    fn read(words: &[&str]) -> Result<Arguments, String> {
        parsed(words)
    }

    const OPENS: [&str; 4] = ["--target", "/srv/backups", "--identity", "key.txt"];

    #[test]
    fn an_entity_a_folder_and_what_opens_the_target_are_asked_for() {
        let all = ["hort", "office", "wiki", "-o", "exit"].into_iter().chain(OPENS).collect::<Vec<_>>();
        let asked = read(&all).unwrap();
        assert_eq!((asked.entity.as_deref(), asked.services.len()), (Some("hort"), 2));
        assert_eq!(asked.target.as_deref(), Some("/srv/backups"));
        for left_out in ["-o", "--target", "--identity"] {
            let at = all.iter().position(|word| *word == left_out).unwrap();
            let words: Vec<&str> = [&all[..at], &all[at + 2..]].concat();
            assert!(read(&words).is_err(), "{left_out}");
        }
    }

    #[test]
    fn a_package_is_verified_with_nothing_but_its_folder() {
        let asked = read(&["verify", "exit"]).unwrap();
        assert!(matches!(asked.command, Some(Command::Verify(Verify { folder })) if folder == Path::new("exit")));
    }

    #[test]
    fn what_was_begun_is_not_gone_on_with_for_others() {
        let manifest = source::tests::begun(&["office", "wiki"]);
        let words = |more: &[&'static str]| {
            let all: Vec<_> = ["hort", "-o", "exit"].into_iter().chain(OPENS).chain(more.iter().copied()).collect();
            read(&all).unwrap()
        };
        assert!(goes_on(manifest.clone(), &words(&[]), "hort").is_ok());
        assert!(goes_on(manifest.clone(), &words(&["wiki", "office"]), "hort").is_ok());
        for (asked, entity) in
            [(words(&["wiki"]), "hort"), (words(&[]), "acme"), (words(&["--recipient", "age1a"]), "hort")]
        {
            let error = goes_on(manifest.clone(), &asked, entity).unwrap_err().to_string();
            assert!(error.contains("office, wiki") && error.contains("another folder"), "{error}");
        }
    }
}
