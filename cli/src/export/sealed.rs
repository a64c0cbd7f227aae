//! A package that the cluster made and sealed: brought from its target by whoever reads that, opened by whoever has its
//! private key. Neither needs the cluster.

use std::fs::File;
use std::path::{Path, PathBuf};

use commonscloud_backup::exit::{NAME_TAG, unseal_from};
use commonscloud_backup::manifest::is_snapshot_id;
use commonscloud_backup::report::Failure as Refused;
use commonscloud_backup::restic::{PACKAGES, PACKAGES_PASSWORD, tagged};
use commonscloud_cluster::command::Failure;

use crate::data::said;
use crate::stop::{self, Stop};
use crate::target::{self, ANSWER, ServerArguments, Target, address};

/// Bring a package that the cluster made (`format: Exit` of a ServiceBackup) from its target into a file.
///
/// It stays sealed: only its recipient opens it. Reads the target alone; it needs restic, and neither a private key nor
/// a cluster.
#[derive(Debug, clap::Args)]
pub(super) struct Fetch {
    /// Where it is, as `status.package.path` of the ServiceBackup says, and the name of that ServiceBackup, for example
    /// `hort-1a2b3c4d.office.exit/leaving`.
    #[arg(value_name = "PATH/NAME", value_parser = package)]
    package: Package,
    /// The file, which is not there yet: it is whole once it is.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Its SHA-256, as `status.package.sha256` says.
    #[arg(long, value_name = "HASH", value_parser = of_64_digits)]
    sha256: Option<String>,
    /// The snapshot with it, as `status.package.snapshot` says: where several have its name.
    #[arg(long, value_name = "ID", value_parser = of_64_digits)]
    snapshot: Option<String>,
    /// Where the backups are, as of `commonscloud export`.
    #[arg(long, value_name = "URL", value_parser = address)]
    target: String,
    #[command(flatten)]
    server: ServerArguments,
}

/// Open a package that the cluster made, with the private half of the key that it was sealed to, and read all of it.
#[derive(Debug, clap::Args)]
pub(super) struct Open {
    /// The sealed package.
    #[arg(value_name = "FILE")]
    package: PathBuf,
    /// File with the private half of its recipient, as age-keygen writes it.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
    /// The package's folder, which is made.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl Open {
    /// The folder of the package, once it is open.
    pub(super) fn folder(&self) -> &Path {
        &self.output
    }
}

/// A package by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Package {
    path: String,
    name: String,
}

fn package(text: &str) -> Result<Package, String> {
    let fits = |part: &str| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        !part.is_empty() && !part.starts_with('.') && part.bytes().all(known)
    };
    let told =
        || "write PATH/NAME, for example hort-1a2b3c4d.office.exit/leaving: kubectl get sbackup -o yaml shows it";
    let (path, name) = text.split_once('/').ok_or_else(told)?;
    if !fits(path) || !fits(name) || !path.ends_with(PACKAGES) {
        return Err(told().to_owned());
    }
    Ok(Package { path: path.to_owned(), name: name.to_owned() })
}

fn of_64_digits(text: &str) -> Result<String, String> {
    if is_snapshot_id(text) { Ok(text.to_owned()) } else { Err("give all 64 of 0-9 and a-f".to_owned()) }
}

/// Brings it.
///
/// # Errors
/// When the target has no such package, or several.
pub(super) async fn fetch(wanted: &Fetch) -> Result<(), Failure> {
    stop::at_once(Box::pin(brought(wanted)), "stopped; the same command begins again").await
}

async fn brought(wanted: &Fetch) -> Result<(), Failure> {
    let Package { path, name } = &wanted.package;
    let target = Target::at_url(&wanted.target, &wanted.server).await?;
    let restic = target.at(path, PACKAGES_PASSWORD);
    let told = |failure: Refused| format!("{}/{path}: {failure}", target.shown());
    let snapshot = if let Some(snapshot) = &wanted.snapshot {
        snapshot.clone()
    } else {
        let found = tagged(&restic, &format!("{NAME_TAG}{name}"), ANSWER).await.map_err(told)?;
        let found: Vec<String> = found.into_iter().map(|snapshot| snapshot.id).collect();
        the_one(&found, name).map_err(|why| format!("{}/{path}: {why}", target.shown()))?
    };
    let sha256 = wanted.sha256.as_deref();
    let fetched = commonscloud_backup::exit::fetch(&restic, &snapshot, name, &wanted.output, sha256).await;
    let fetched = fetched.map_err(told)?;
    let (bytes, sha256) = (fetched.bytes, fetched.sha256);
    said(format!(
        "{}: {bytes} bytes, SHA-256 {sha256}; its recipient opens it with `commonscloud export open`, or with `age \
         --decrypt` and `tar -x`",
        wanted.output.display()
    ))
}

/// Whoever can add to the target can add one of this name.
fn the_one(found: &[String], name: &str) -> Result<String, String> {
    match found {
        [one] => Ok(one.clone()),
        [] => Err(format!("no package {name} is there (any more)")),
        several => Err(format!(
            "{} packages are called {name}: name the one of status.package.snapshot with --snapshot; there are {}",
            several.len(),
            several.join(", ")
        )),
    }
}

/// Opens it. Where somebody stops that nothing of it is left: what was written by then is open.
///
/// # Errors
/// When the private key does not open it, or it is cut off.
pub(super) async fn open(wanted: &Open) -> Result<(), Failure> {
    stop::in_order(async |stop| opened(wanted, &stop).await, "stopped; the same command begins again").await
}

async fn opened(wanted: &Open, stop: &Stop) -> Result<(), Failure> {
    let identity = target::identity(&wanted.identity)?;
    let (name, folder) = (wanted.package.display().to_string(), wanted.output.clone());
    let sealed = File::open(&wanted.package).map_err(|error| format!("{name}: {error}"))?;
    let sealed = stop.until(sealed);
    Ok(stop::to_its_end(move || unseal_from(sealed, &name, &identity, &folder)).await??)
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn a_package_is_named_as_the_status_of_its_run_says() {
        let found = package("hort-1a2b3c4d.office.exit/leaving-2026").unwrap();
        assert_eq!((found.path.as_str(), found.name.as_str()), ("hort-1a2b3c4d.office.exit", "leaving-2026"));
    }

    #[test_case("leaving"; "without a path")]
    #[test_case("hort-1a2b3c4d.office/leaving"; "the repository of backups")]
    #[test_case("../x.exit/leaving"; "elsewhere")]
    #[test_case("a.exit/b/c"; "two names")]
    #[test_case("a.exit/"; "no name")]
    fn what_names_no_package_is_told_how(text: &str) {
        assert!(package(text).unwrap_err().contains("PATH/NAME"));
    }

    #[test]
    fn of_several_of_one_name_none_is_taken() {
        let ids = ["a", "b"].map(|digit| digit.repeat(64));
        assert_eq!(the_one(&ids[..1], "leaving"), Ok(ids[0].clone()));
        assert!(the_one(&ids, "leaving").unwrap_err().contains("--snapshot"));
        assert!(the_one(&[], "leaving").unwrap_err().contains("no package leaving"));
    }
}
