//! A target of backups, opened where its user is: keys that the private key opens, the records, and whether a service's
//! repository is there.

mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use commonscloud_backup::escrow::{ESCROW_PASSWORD, ESCROW_TAG, EscrowError, open};
use commonscloud_backup::records::{RECORDS_FILE, RECORDS_FOLDER, RECORDS_TAG, Records};
use commonscloud_backup::report::{Failure as ResticFailure, FailureReason};
use commonscloud_backup::restic::{Call, Restic, Snapshot, file, repository_id, tagged};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{BackupRepository, Platform};
use commonscloud_operator::backup::target::{Purpose, repository};
use kube::{Api, Client};
use tokio::sync::watch;

pub(crate) use self::server::{ServerArguments, address, url_or_name};
use crate::stop::Stop;

/// The folder at a target with the keys of all others.
const ESCROW: &str = "escrow";
/// A target that does not answer by then is not reachable.
pub(crate) const PROBE: Duration = Duration::from_secs(20);
/// How long one answer of restic may take.
pub(crate) const ANSWER: Duration = Duration::from_mins(10);
/// Sealed keys and generated Secrets are short, and records fit into memory.
const MOST: u64 = 128 << 20;
/// Of a folder so many sealed keys are looked at, the newest first: each change of recipients adds one.
const MOST_KEYS: usize = 50;
/// Of the records so many are tried, the newest first, while they cannot be read.
const MOST_RECORDS: usize = 5;

/// A target as restic reaches it from here.
pub(crate) struct Target {
    base: String,
    restic: Restic,
    // While it lives nobody has asked restic to end.
    _stop: watch::Sender<bool>,
}

/// The passwords of folders, each of which may be the one: nobody but the repository knows.
pub(crate) type Keys = BTreeMap<String, Vec<String>>;

/// What the private key opened.
pub(crate) struct Opened {
    /// Of each folder, the newest first.
    pub(crate) keys: Keys,
    /// Folders of which it opened nothing, and why.
    pub(crate) sealed_to_others: Vec<(String, String)>,
}

/// Records as they were found.
pub(crate) struct FoundRecords {
    /// The id of their snapshot.
    pub(crate) snapshot: String,
    pub(crate) records: Records,
    /// What is newer and could not be read.
    pub(crate) unread: Vec<String>,
}

impl Target {
    /// A target by its URL, as restic writes one without the repository's folder, or by its name in the Platform of
    /// the cluster.
    ///
    /// # Errors
    /// When the cluster has no target of this name, or there is no restic.
    pub(crate) async fn find(client: &Client, given: &str, server: &ServerArguments) -> Result<Self, Failure> {
        let base = if is_name(given) { of_platform(client, given).await? } else { given.to_owned() };
        Self::at_url(&base, server).await
    }

    /// A target by its URL, as [`server::address`] has read it.
    ///
    /// # Errors
    /// When a file that is named cannot be read, or there is no restic.
    pub(crate) async fn at_url(url: &str, server: &ServerArguments) -> Result<Self, Failure> {
        let (stop, asked) = watch::channel(false);
        let restic = Restic::new(asked).through(server.read()?);
        let target = Self { base: url.trim_end_matches('/').to_owned(), restic, _stop: stop };
        let version = target.restic.clone().at("none").run(Call::new("version"), PROBE).await;
        version.map_err(|failure| format!("{failure}; restic 0.18.1 has to be in PATH, or --restic names it"))?;
        Ok(target)
    }

    /// The same, whose restic ends in order once this command is asked to end.
    pub(crate) fn until(mut self, stop: &Stop) -> Self {
        self.restic = self.restic.until(stop.asked());
        self
    }

    /// Where it is, without credentials.
    pub(crate) fn shown(&self) -> String {
        commonscloud_backup::restic::without_credentials(&self.base)
    }

    /// A repository of it. `path`: `{folder}.{service}`, or one of the platform's own.
    pub(crate) fn at(&self, path: &str, password: &str) -> Restic {
        self.restic.clone().at(&format!("{}/{path}", self.base)).with_password(password)
    }

    /// Opens the sealed keys with the text of a file of `age-keygen`.
    ///
    /// # Errors
    /// When the target cannot be reached, has no sealed keys, or the file holds no private key.
    pub(crate) async fn keys(&self, identity: &str) -> Result<Opened, Failure> {
        self.keys_of(identity, |_| true).await
    }

    /// The same, of the folders that are wanted alone.
    ///
    /// # Errors
    /// As of [`Self::keys`].
    pub(crate) async fn keys_of(&self, identity: &str, wanted: impl Fn(&str) -> bool) -> Result<Opened, Failure> {
        let restic = self.at(ESCROW, ESCROW_PASSWORD);
        repository_id(&restic, PROBE).await.map_err(|failure| {
            format!("{failure}. Is {} a target of CommonsCloud, and are its credentials set?", self.shown())
        })?;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut opened = Opened { keys: Keys::new(), sealed_to_others: Vec::new() };
        let mut refused: BTreeMap<String, String> = BTreeMap::new();
        for snapshot in tagged(&restic, ESCROW_TAG, ANSWER).await? {
            let folder = snapshot.tags.iter().find_map(|tag| tag.strip_prefix("folder="));
            let Some(folder) = folder.filter(|folder| is_folder(folder) && wanted(folder)) else { continue };
            let count = seen.entry(folder.to_owned()).or_default();
            *count += 1;
            if *count > MOST_KEYS {
                continue;
            }
            let sealed = match file(&restic, &snapshot.id, &format!("/{folder}.age"), MOST, ANSWER).await {
                Ok(sealed) => sealed,
                // Whoever can add to the target can add what is none.
                Err(failure) => {
                    refused.insert(folder.to_owned(), failure.message);
                    continue;
                }
            };
            match open(identity, &sealed) {
                Ok(escrowed) if escrowed.folder == folder => {
                    let keys = opened.keys.entry(folder.to_owned()).or_default();
                    if !keys.contains(&escrowed.password) {
                        keys.push(escrowed.password);
                    }
                }
                Ok(_) => drop(refused.insert(folder.to_owned(), "it is the key of another folder".to_owned())),
                Err(error @ EscrowError::Identity(_)) => return Err(error.into()),
                Err(error) => drop(refused.insert(folder.to_owned(), error.to_string())),
            }
        }
        refused.retain(|folder, _| !opened.keys.contains_key(folder));
        opened.sealed_to_others = refused.into_iter().collect();
        Ok(opened)
    }

    /// The key that opens a repository, of those of its folder, and the repository's id.
    ///
    /// # Errors
    /// When it is not there, or none opens it.
    pub(crate) async fn opens<'k>(&self, path: &str, keys: &'k [String]) -> Result<(&'k str, String), ResticFailure> {
        let mut failure = ResticFailure::new(FailureReason::WrongKey, "the private key opens no key of its folder");
        for key in keys {
            match repository_id(&self.at(path, key), PROBE).await {
                Ok(id) => return Ok((key, id)),
                Err(wrong) if wrong.reason == FailureReason::WrongKey => failure = wrong,
                Err(other) => return Err(other),
            }
        }
        Err(failure)
    }

    /// The records: those of this snapshot, else the newest that can be read.
    ///
    /// # Errors
    /// When there are none, or the private key does not open them.
    pub(crate) async fn records(&self, keys: &Keys, wanted: Option<&str>) -> Result<FoundRecords, Failure> {
        let own = keys.get(RECORDS_FOLDER).map(Vec::as_slice).unwrap_or_default();
        let (key, _) = self
            .opens(RECORDS_FOLDER, own)
            .await
            .map_err(|failure| format!("the records at {}/{RECORDS_FOLDER}: {failure}", self.shown()))?;
        let restic = self.at(RECORDS_FOLDER, key);
        let mut found = tagged(&restic, RECORDS_TAG, ANSWER).await?;
        found.retain(|snapshot| wanted.is_none_or(|wanted| snapshot.id.starts_with(wanted)));
        let mut unread = Vec::new();
        for Snapshot { id, .. } in found.into_iter().take(MOST_RECORDS) {
            let read = match file(&restic, &id, &format!("/{RECORDS_FILE}"), MOST, ANSWER).await {
                Ok(text) => Records::read(&String::from_utf8_lossy(&text)).map_err(|error| error.to_string()),
                Err(failure) => Err(failure.to_string()),
            };
            match read {
                Ok(records) => return Ok(FoundRecords { snapshot: id, records, unread }),
                Err(why) => unread.push(format!("records {}: {why}", short(&id))),
            }
        }
        let what = wanted.map_or_else(String::new, |id| format!(" that begin with {id}"));
        Err(format!("there are no records{what} at {} that can be read: {}", self.shown(), unread.join("; ")).into())
    }

    /// Whether the repository of a run is at this target, with the id that was recorded, and the key that opens it.
    ///
    /// # Errors
    /// What is not as it was.
    pub(crate) async fn has(&self, of: &BackupRepository, keys: &Keys) -> Result<String, String> {
        let folder = of.path.rsplit_once('.').map_or(of.path.as_str(), |(folder, _)| folder);
        let none = || format!("no key of folder {folder} is sealed to this private key");
        let keys = keys.get(folder).ok_or_else(none)?;
        let (key, id) = self.opens(&of.path, keys).await.map_err(|failure| failure.message)?;
        if id != of.id {
            return Err(format!("another repository is in the place of {}: it has id {id}, not {}", of.path, of.id));
        }
        Ok(key.to_owned())
    }

    /// A file of a snapshot.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn file(&self, path: &str, key: &str, snapshot: &str, file: &str) -> Result<Vec<u8>, Failure> {
        Ok(self::file(&self.at(path, key), snapshot, file, MOST, ANSWER).await?)
    }
}

/// Whether it is the name of a target of the Platform, and no URL.
pub(crate) fn is_name(given: &str) -> bool {
    !given.contains([':', '/'])
}

/// Whether it can be a folder of a target: whoever can add to it can add a tag that says anything, to a terminal too.
fn is_folder(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// The URL of a target of the cluster's Platform.
async fn of_platform(client: &Client, name: &str) -> Result<String, Failure> {
    let platform = Api::<Platform>::all(client.clone()).get_opt("default").await?;
    let backup = platform.and_then(|platform| platform.spec.backup);
    let target = backup.as_ref().and_then(|backup| backup.targets.iter().find(|target| target.name == name));
    let target = target.ok_or_else(|| {
        format!(
            "--target: Platform default has no target {name}; write its URL, such as s3:https://s3.example.org/bucket"
        )
    })?;
    if target.volume.is_some() {
        let server = target.server_name();
        return Err(format!(
            "--target: {name} is a volume of the cluster, which nobody reaches from outside; open a way with: kubectl port-forward --namespace NAMESPACE service/{server} 8000 (the operator's namespace), then write --target rest:http://127.0.0.1:8000"
        )
        .into());
    }
    // Only a volume is served in a namespace.
    Ok(base(&repository("", target, ESCROW, "", Purpose::Run).url))
}

/// The target's URL of that of its repository of keys, which is escaped for a pod.
fn base(url: &str) -> String {
    url.replace("$$", "$").trim_end_matches(ESCROW).trim_end_matches('/').to_owned()
}

/// How an id begins.
pub(crate) fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

/// The text of a file with private keys, as age-keygen writes it.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn identity(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| format!("--identity {}: {error}", file.display()).into())
}

#[cfg(test)]
mod tests {
    use commonscloud_operator::api::BackupTarget;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_stranger_tagged_is_no_folder() {
        assert!(is_folder("hort-0a1b2c3d") && is_folder("platform"));
        for other in ["", "../x", "hort\n\u{1b}[2J", "Hort"] {
            assert!(!is_folder(other), "{other:?}");
        }
    }

    #[test]
    fn a_targets_url_is_that_of_its_repositories_without_their_folder() {
        for (target, url) in [
            (
                json!({"s3": {"endpoint": "https://s3.example.org", "bucket": "b", "prefix": "c/d", "secretName": "s"}}),
                "s3:https://s3.example.org/b/c/d",
            ),
            (
                json!({"rest": {"url": "https://r.example.org/a$b", "secretName": "s"}}),
                "rest:https://r.example.org/a$b",
            ),
            (
                json!({"sftp": {"host": "h", "user": "u", "path": "/srv/escrow", "secretName": "s"}}),
                "sftp://u@h:22//srv/escrow",
            ),
        ] {
            let mut target = target;
            target["name"] = json!("offsite");
            let target: BackupTarget = serde_json::from_value(target).unwrap();
            assert_eq!(base(&repository("", &target, ESCROW, "", Purpose::Run).url), url);
        }
    }
}
