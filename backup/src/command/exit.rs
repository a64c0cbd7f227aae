//! A package to leave with: out of a backup that is recorded, sealed to a public key of its Entity, as one file in a
//! repository beside the service's own. restic reads it from this program by a pipe, and nothing of it lies open
//! anywhere: what protects it at the target is age, as it protects the sealed keys.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::document::told;
use super::{HOST, Setting, prepare, run_uid, snapshot_id};
use commonscloud_backup::exit::{
    ExitManifest, ExitRepository, ExitService, NAME_TAG, PACKAGE_TAG, Source, Written, file_of, seal,
};
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::{self, Call, Summary, is_unread};

#[derive(Debug, clap::Args)]
pub struct Exit {
    #[command(flatten)]
    of: Of,
    /// The uid of the ServiceBackup.
    #[arg(long, value_parser = run_uid)]
    run: String,
    /// Its name: what the package is called.
    #[arg(long, value_parser = package_name)]
    name: String,
}

#[derive(Debug, clap::Args)]
pub struct Seal {
    #[command(flatten)]
    of: Of,
    /// Where it says what it wrote, or why it did not.
    #[arg(long, value_name = "FILE")]
    told: PathBuf,
}

/// Of what it is made, and for whom.
#[derive(Debug, clap::Args)]
struct Of {
    /// The snapshot of the backup's manifest.
    #[arg(long, value_name = "ID", value_parser = snapshot_id)]
    snapshot: String,
    /// The public key of age that opens it.
    #[arg(long, value_name = "AGE")]
    recipient: String,
}

/// What the program below restic says at its end.
#[derive(Debug, Serialize, Deserialize)]
enum Told {
    Sealed { bytes: u64, sha256: String },
    Failed(Failure),
}

fn package_name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    if (1..=253).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("give the name of the ServiceBackup: a-z, 0-9, - and dots".to_owned())
    }
}

/// Makes the repository of packages where there is none: a service has one run at a time, so nobody else does.
pub async fn exit(setting: &Setting, wanted: Exit) -> Result<Outcome, Failure> {
    prepare::is_known(&wanted.of.recipient)?;
    let packages = setting.packages();
    prepare::prepare(&packages, prepare::Prepare::without_stale_locks()).await?;
    let scratch = std::env::var_os("RESTIC_CACHE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let said = scratch.join("sealed.json");
    // A word of another one would be taken for its own.
    match std::fs::remove_file(&said) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(told(&said, &error)),
        _ => {}
    }
    let program = std::env::current_exe().map_err(|error| Failure::other(format!("no program of our own: {error}")))?;
    let made = packages.run(backup(&wanted, program.into_os_string(), &said, setting.left().as_secs())).await;
    let answer = made.map_err(|of_restic| why(of_restic, read(&said)))?;
    let Told::Sealed { bytes, sha256 } = read(&said)? else {
        return Err(Failure::new(FailureReason::HalfStream, "the package was not sealed to its end"));
    };
    let Summary { snapshot_id: snapshot, total_bytes_processed: stored, .. } = answer.last("summary")?;
    if stored != bytes {
        let message = format!("{bytes} bytes were sealed, and snapshot {snapshot} has {stored} of them");
        return Err(Failure::new(FailureReason::Damaged, message));
    }
    Ok(Outcome::Packed { snapshot, bytes, sha256 })
}

/// Of a program that failed restic says that it did, and the program why; but where restic did not read any more, it is
/// restic that knows.
fn why(of_restic: Failure, said: Result<Told, Failure>) -> Failure {
    match said {
        Ok(Told::Failed(failure))
            if of_restic.message.contains("command failed: ") && !is_unread(&failure.message.to_lowercase()) =>
        {
            failure
        }
        _ => of_restic,
    }
}

fn backup(wanted: &Exit, program: OsString, said: &Path, seconds: u64) -> Call {
    let tags = [PACKAGE_TAG.to_owned(), format!("{NAME_TAG}{}", wanted.name), format!("run:{}", wanted.run)];
    Call::new("backup")
        .hands_on()
        .args(["--no-scan", "--host", HOST])
        .args(tags.into_iter().flat_map(|tag| ["--tag".to_owned(), tag]))
        .args(["--stdin-filename", &file_of(&wanted.name), "--stdin-from-command", "--"])
        .arg(program)
        .args(["seal", "--snapshot", &wanted.of.snapshot, "--recipient", &wanted.of.recipient])
        .args(["--deadline", &seconds.max(1).to_string(), "--told"])
        .arg(said)
}

fn read(said: &Path) -> Result<Told, Failure> {
    let text = std::fs::read_to_string(said).map_err(|error| told(said, &error))?;
    serde_json::from_str(&text).map_err(|error| Failure::other(format!("{}: {error}", said.display())))
}

/// What restic runs: the repository of the backup is the one that it would copy from.
pub async fn sealed(setting: &Setting, wanted: Seal) -> Result<Outcome, Failure> {
    let outcome = written(setting, &wanted.of).await;
    let said = match &outcome {
        Ok(Written { bytes, sha256 }) => Told::Sealed { bytes: *bytes, sha256: sha256.clone() },
        Err(failure) => Told::Failed(failure.clone()),
    };
    let text = serde_json::to_string(&said).map_err(|error| Failure::other(format!("--told: {error}")))?;
    std::fs::write(&wanted.told, text).map_err(|error| told(&wanted.told, &error))?;
    outcome.map(|_| Outcome::Done)
}

async fn written(setting: &Setting, of: &Of) -> Result<Written, Failure> {
    let source = setting.restic.clone().source();
    let manifest = restic::manifest(&source, &of.snapshot, setting.left()).await?;
    let id = restic::repository_id(&source, setting.left()).await?;
    let path = folder(&std::env::var("RESTIC_FROM_REPOSITORY").unwrap_or_default()).to_owned();
    let service = ExitService::of(&manifest, ExitRepository { path, id, snapshot: of.snapshot.clone() });
    let package = ExitManifest::begun(manifest.entity.clone(), Vec::new(), vec![service]);
    let stdout = io::stdout().as_fd().try_clone_to_owned();
    let stdout = stdout.map_err(|error| Failure::other(format!("no output: {error}")))?;
    let source = Source { service: manifest.instance.name, restic: source, parts: manifest.parts };
    let recipients = std::slice::from_ref(&of.recipient);
    seal(File::from(stdout), package, &source, recipients, setting.ends).await
}

/// The repository's folder at its target.
fn folder(repository: &str) -> &str {
    let path = repository.trim_end_matches('/');
    path.rsplit(['/', ':']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("s3:https://s3.example.org/bucket/cloud/hort-1a2b3c4d.wiki" => "hort-1a2b3c4d.wiki"; "of a bucket")]
    #[test_case("rest:http://here:8000/hort-1a2b3c4d.wiki/" => "hort-1a2b3c4d.wiki"; "of a rest-server")]
    #[test_case("sftp://me@h:22//srv/backups/hort-1a2b3c4d.wiki" => "hort-1a2b3c4d.wiki"; "of an account")]
    fn a_repository_is_known_by_its_folder(url: &str) -> String {
        folder(url).to_owned()
    }

    #[test]
    fn a_package_is_called_like_its_run() {
        assert_eq!(package_name("sortida-2026.12").unwrap(), "sortida-2026.12");
        for wrong in ["", ".", "a/b", "a,b", "A", &"a".repeat(254)] {
            assert!(package_name(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn who_knows_why_says_it() {
        let failed = |message: &str| Failure::other(message);
        let told =
            |of_restic: &str, of_program: &str| why(failed(of_restic), Ok(Told::Failed(failed(of_program)))).message;
        assert_eq!(
            told("restic backup: command failed: exit status 1", "wiki/dump.sql: damaged"),
            "wiki/dump.sql: damaged"
        );
        assert_eq!(told("restic backup: no space left on device", "x"), "restic backup: no space left on device");
        let full = "restic backup: no space left on device: command failed: signal: killed";
        assert_eq!(told(full, "wiki/dump.sql: Broken pipe (os error 32)"), full);
        assert_eq!(why(failed(full), Err(failed("sealed.json: not there"))).message, full);
    }

    #[test]
    fn restic_runs_this_program_and_is_told_no_private_key() {
        let of = Of { snapshot: "a".repeat(64), recipient: "age1x".to_owned() };
        let wanted = Exit { of, run: "r-1".to_owned(), name: "sortida".to_owned() };
        let call = format!("{:?}", backup(&wanted, "program".into(), Path::new("/cache/sealed.json"), 0));
        for word in ["sortida.tar.age", "--stdin-from-command", "name:sortida", "run:r-1", "\"age1x\"", "\"1\""] {
            assert!(call.contains(word), "{word}: {call}");
        }
    }
}
