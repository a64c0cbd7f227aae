//! The service that something moves into, as the cluster and the target have it.

use commonscloud_backup::manifest::Manifest;
use commonscloud_backup::report::Failure as ResticFailure;
use commonscloud_backup::restic::{self, Restic, repository_id};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{BackupRepository, Operations, ServiceBackup, ServiceData, ServiceTemplateRevision};
use commonscloud_operator::backup::key_name;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};

use crate::asked;
use crate::target::{ANSWER, PROBE, Target, is_name, short};

/// The service, and how its repository is opened.
pub(super) struct Service {
    /// What what moves in is judged by.
    pub(super) known: Known,
    /// The name of the target.
    pub(super) target: String,
    pub(super) restic: Restic,
    /// What is in the Secret of the database's account. None: the package has none.
    pub(super) account: Option<Account>,
}

/// What what moves in is judged by.
pub(super) struct Known {
    /// That of its last backup: whose it is, versions, volumes.
    pub(super) manifest: Manifest,
    /// What its package restores from.
    pub(super) operations: Operations,
}

/// The account that the application has at its database.
#[derive(Clone)]
pub(super) struct Account {
    pub(super) user: String,
    pub(super) password: String,
}

/// A run that is there.
struct Run<'r> {
    repository: &'r BackupRepository,
    snapshot: &'r str,
}

/// Finds it by its newest complete backup at this target.
///
/// # Errors
/// When it has none there, or its key does not open it.
pub(super) async fn find(
    client: &Client,
    target: &Target,
    home: &str,
    entity: &str,
    name: &str,
    given: &str,
) -> Result<Service, Failure> {
    let records: Api<ServiceData> = Api::namespaced(client.clone(), entity);
    let record = records.get_opt(name).await?.ok_or_else(|| {
        format!("{entity}/{name} holds no data yet: name it in the Entity first, and wait until it is Ready")
    })?;
    let runs = asked::runs(client, entity, Some(name)).await?;
    let wanted = is_name(given).then_some(given);
    let candidates = candidates(&runs, wanted);
    let mut whys = Vec::new();
    for run in &candidates {
        let key = key(client, home, &run.repository.path).await?;
        match opened(target, run.repository, &key).await {
            Ok(restic) => {
                let manifest = restic::manifest(&restic, run.snapshot, ANSWER).await?;
                has_arrived(&record, &manifest)?;
                let operations = operations(client, &manifest.versions.operations).await?;
                let account = account(client, entity, &record).await?;
                let known = Known { manifest, operations };
                return Ok(Service { known, target: run.repository.target.clone(), restic, account });
            }
            Err(why) => whys.push(format!("target {}: {why}", run.repository.target)),
        }
    }
    if whys.is_empty() {
        let at = wanted.map_or_else(String::new, |name| format!(" at target {name}"));
        return Err(format!(
            "{entity}/{name} has no complete backup{at}, and its first one makes the repository and the key: \
             commonscloud backup {entity}/{name} --wait"
        )
        .into());
    }
    Err(format!("no repository of {entity}/{name} is at {}: {}", target.shown(), whys.join("; ")).into())
}

/// The newest run of each repository.
fn candidates<'r>(runs: &'r [ServiceBackup], target: Option<&str>) -> Vec<Run<'r>> {
    let mut found: Vec<Run<'r>> = Vec::new();
    for run in runs {
        let repository = run.status.as_ref().and_then(|status| status.repository.as_ref());
        let (Some((snapshot, _)), Some(repository)) = (asked::snapshot(run), repository) else { continue };
        let is_wanted = target.is_none_or(|name| repository.target == name);
        if is_wanted && !found.iter().any(|known| known.repository == repository) {
            found.push(Run { repository, snapshot });
        }
    }
    found
}

async fn opened(target: &Target, repository: &BackupRepository, key: &str) -> Result<Restic, String> {
    let restic = target.at(&repository.path, key);
    let told = |failure: ResticFailure| failure.to_string();
    let id = repository_id(&restic, PROBE).await.map_err(told)?;
    if id == repository.id {
        return Ok(restic);
    }
    Err(format!(
        "{} is repository {} there, and backups are recorded in {}",
        repository.path,
        short(&id),
        short(&repository.id)
    ))
}

/// The key of the Entity's repositories.
async fn key(client: &Client, home: &str, path: &str) -> Result<String, Failure> {
    let folder = path.rsplit_once('.').map_or(path, |(folder, _)| folder);
    let name = key_name(folder);
    let secrets: Api<Secret> = Api::namespaced(client.clone(), home);
    let secret =
        secrets.get(&name).await.map_err(|error| format!("Secret {home}/{name}, the key of the backups: {error}"))?;
    text(&secret, "password").ok_or_else(|| format!("Secret {home}/{name} has no key password").into())
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    let value = &secret.data.as_ref()?.get(key)?.0;
    Some(String::from_utf8_lossy(value).trim().to_owned())
}

/// What is restored takes the versions of the last backup: those that the service has.
fn has_arrived(record: &ServiceData, manifest: &Manifest) -> Result<(), String> {
    let (versions, spec) = (&manifest.versions, &record.spec);
    if (spec.version.as_deref(), spec.revision.as_deref()) == (Some(&versions.application), Some(&versions.revision)) {
        return Ok(());
    }
    let (entity, service) = (&manifest.entity.name, &manifest.instance.name);
    Err(format!(
        "the service has another version or revision than its last backup ({}, {}): back it up as it is now, \
         commonscloud backup {entity}/{service} --wait",
        versions.application, versions.revision
    ))
}

/// The operations of a revision.
async fn operations(client: &Client, revision: &str) -> Result<Operations, Failure> {
    let revisions: Api<ServiceTemplateRevision> = Api::all(client.clone());
    let content = revisions.get(revision).await?.spec.content;
    let of = content.get("operations").cloned().unwrap_or_default();
    serde_json::from_value(of)
        .map_err(|error| format!("ServiceTemplateRevision {revision}: spec.content.operations: {error}").into())
}

/// What packages call the Secret of the application's account at its database.
const ACCOUNT: &str = "db";

async fn account(client: &Client, entity: &str, record: &ServiceData) -> Result<Option<Account>, Failure> {
    let Some(named) = record.spec.secrets.iter().find(|secret| secret.name == ACCOUNT) else { return Ok(None) };
    let secrets: Api<Secret> = Api::namespaced(client.clone(), entity);
    let secret = secrets.get(&named.secret).await?;
    Ok(text(&secret, "username").zip(text(&secret, "password")).map(|(user, password)| Account { user, password }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(target: &str, snapshot: &str, ready: &str) -> ServiceBackup {
        let conditions = json!([{"type": "Ready", "status": ready, "reason": "R", "message": "",
            "lastTransitionTime": "2026-11-30T00:00:00Z"}]);
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceBackup", "metadata": {"name": snapshot},
            "spec": {"service": "wiki", "requestedBy": "anna"},
            "status": {"phase": "Succeeded", "takenAt": "2026-11-29T00:00:00Z", "snapshot": snapshot,
                "conditions": conditions, "repository": {"target": target, "path": "hort-1.wiki", "id": target}},
        }))
        .unwrap()
    }

    #[test]
    fn the_newest_run_of_each_repository_may_be_it() {
        let runs =
            [run("far", "4", "False"), run("near", "3", "True"), run("far", "2", "True"), run("near", "1", "True")];
        let found = |target| candidates(&runs, target).iter().map(|run| run.snapshot.to_owned()).collect::<Vec<_>>();
        assert_eq!(found(None), ["3", "2"]);
        assert_eq!(found(Some("far")), ["2"]);
        assert!(found(Some("nowhere")).is_empty());
    }
}
