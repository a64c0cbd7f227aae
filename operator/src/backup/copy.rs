//! The Job that copies another Entity's backup into a repository of this one. It runs in the operator's namespace,
//! which the keys of both never leave for each other's. Both repositories are at one target: the Platform's Secret of
//! that target opens its server for either.

use sha2::{Digest as _, Sha256};

use super::companion::Command;
use super::home_job::HomeJob;
use super::maintenance::REPOSITORY;
use super::target::{Purpose, repository};
use super::{Place, Subject, key_name, label};
use crate::api::BackupRepository;
use crate::compare::{Action, Change};
use crate::template::hexadecimal;

/// Label of it: [`label`] of the repository that it reads, beside that of the one that it writes.
pub const COPIED_FROM: &str = "commonscloud.coop/backup-copied-from";
/// Its annotation: the ServiceRestore that it copies for, as `ENTITY/NAME`.
const COPIED_FOR: &str = "commonscloud.coop/copied-for";
/// How long it takes at most, in seconds.
const SECONDS: u32 = 43_200;
/// How long what it said stays to be read, in seconds.
const KEPT_SECONDS: u32 = 86_400;

/// What is copied, and where to.
#[derive(Clone, Debug)]
pub struct Copying<'a> {
    /// The service that it is for.
    pub subject: &'a Subject,
    /// Where the backup is.
    pub from: &'a BackupRepository,
    /// The snapshot with its manifest.
    pub snapshot: &'a str,
    /// The id of the repository that it goes to, where runs say it.
    pub expected: Option<&'a str>,
    /// The ServiceRestore's uid.
    pub uid: &'a str,
    /// The ServiceRestore, as `ENTITY/NAME`.
    pub restore: String,
}

/// The Job's name.
pub fn copy_name(uid: &str) -> String {
    let digest = hexadecimal(&Sha256::digest(uid));
    format!("copy-{}", &digest[..16])
}

/// Where a copy for a service goes to.
pub fn copy_place(subject: &Subject) -> BackupRepository {
    let (home, instance) = (&subject.own.namespace, &subject.plan.instance.name);
    let to = repository(home, &subject.target, &subject.folder, instance, Purpose::Run);
    BackupRepository { path: to.path(), target: to.target, id: String::new() }
}

impl Copying<'_> {
    /// The folder of the other Entity's repositories; none where the path is none of ours.
    pub fn folder(&self) -> Option<&str> {
        self.from.path.split_once('.').map(|(folder, _)| folder)
    }

    /// The Job; none where the path is none of ours.
    pub fn begin(&self) -> Option<Change> {
        let subject = self.subject;
        let (folder, instance) = self.from.path.split_once('.')?;
        let place = Place::of(subject);
        let access = place.access(Purpose::Run);
        let (home, own) = (&subject.own.namespace, &subject.plan.instance.name);
        let to = repository(home, &subject.target, &subject.folder, own, Purpose::Run);
        let from = repository(home, &subject.target, folder, instance, Purpose::Run);
        let command = Command::copy(self.snapshot, &from, &key_name(folder), self.expected).within(SECONDS);
        let (reads, writes) = (label(self.from), label(&copy_place(subject)));
        let name = copy_name(self.uid);
        let job = HomeJob {
            namespace: &place.own.namespace,
            name: name.clone(),
            labels: &[(REPOSITORY, &writes), (COPIED_FROM, &reads)],
            annotation: (COPIED_FOR, self.restore.clone()),
            seconds: SECONDS,
            image_pull_secrets: place.image_pull_secrets,
            made: place.restic(&to, &access).companion(&[], &[command]),
        };
        let mut object = job.object();
        // A restore that has gone on or failed removes it no more.
        object["spec"]["ttlSecondsAfterFinished"] = KEPT_SECONDS.into();
        let namespace = place.own.namespace.clone();
        Some(Change { kind: "Job".to_owned(), namespace, name, action: Action::Create(object) })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::backup::fixtures::{copy_begun, subject};

    fn job() -> Value {
        let change = copy_begun(&subject());
        assert_eq!((change.namespace.as_str(), change.name), ("commonscloud", copy_name("r-1")));
        let Action::Create(object) = change.action else { panic!("{:?}", change.action) };
        object
    }

    #[test]
    fn it_has_both_keys_in_the_namespace_of_the_operator() {
        let object = job();
        assert_eq!(object["metadata"]["namespace"], "commonscloud");
        let pod = &object["spec"]["template"]["spec"];
        let secrets: Vec<&str> =
            pod["volumes"].as_array().unwrap().iter().filter_map(|of| of["secret"]["secretName"].as_str()).collect();
        assert_eq!(secrets, ["backup-key-other-e2e2e2e2", "backup-key-coop-e1"]);
        let container = &pod["containers"][0];
        let variable = |name: &str| {
            let env = container["env"].as_array().unwrap();
            env.iter().find(|variable| variable["name"] == name).map(|variable| variable["value"].clone()).unwrap()
        };
        assert_eq!(variable("RESTIC_REPOSITORY"), "rest:https://backup.example.org/coop-e1.wiki");
        assert_eq!(variable("RESTIC_PASSWORD_FILE"), "/key/password");
        assert_eq!(variable("RESTIC_FROM_REPOSITORY"), "rest:https://backup.example.org/other-e2e2e2e2.calendar");
        assert_eq!(variable("RESTIC_FROM_PASSWORD_FILE"), "/from/password");
        let mounts: Vec<&str> = container["volumeMounts"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|mount| mount["mountPath"].as_str())
            .collect();
        assert!(mounts.contains(&"/key") && mounts.contains(&"/from"), "{mounts:?}");
    }

    #[test]
    fn it_ends_it_is_removed_and_who_cares_for_either_repository_sees_it() {
        let object = job();
        let labels = &object["metadata"]["labels"];
        let of = |path: &str| {
            label(&BackupRepository { target: "here".to_owned(), path: path.to_owned(), id: String::new() })
        };
        assert_eq!(labels[REPOSITORY], json!(of("coop-e1.wiki")));
        assert_eq!(labels[COPIED_FROM], json!(of("other-e2e2e2e2.calendar")));
        assert_eq!(object["spec"]["ttlSecondsAfterFinished"], KEPT_SECONDS);
        assert!(object["spec"]["activeDeadlineSeconds"].as_u64().unwrap() > u64::from(SECONDS));
        assert_eq!(object["spec"]["template"]["spec"]["automountServiceAccountToken"], false);
    }
}
