//! Backups in a cluster on this machine: to a volume of it, readable with a key of its own.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use commonscloud_backup::escrow::KeyPair;
use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::{Cluster, NodeKind};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::tz::TimeZone;
use kube::api::DynamicObject;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::NAMESPACE;
use super::waiting::Look;

/// The target that [`fill_in`] names: a volume of the cluster, lost with it.
pub(crate) const TARGET: &str = "demo";
/// Names of the images of its Jobs and of its server.
pub(crate) const IMAGES: [&str; 2] = ["backup", "rest-server"];
/// Below the cluster's folder: the private half of its recipient.
const KEY: &str = "backup-recovery.key";

/// The cluster's own pair of keys.
pub(crate) struct Key {
    /// The file with the private half.
    pub(crate) file: PathBuf,
    /// The public half.
    pub(crate) recipient: String,
}

/// The cluster's keys, made once for each. None: nothing runs here that could be backed up.
///
/// # Errors
/// When they cannot be kept.
pub(crate) fn key(cluster: &Cluster) -> Result<Option<Key>, Failure> {
    if cluster.node == NodeKind::Simulated {
        return Ok(None);
    }
    kept(&cluster.folder.join(KEY)).map(Some)
}

fn kept(file: &Path) -> Result<Key, Failure> {
    let told = |error: &dyn std::fmt::Display| Failure::from(format!("{}: {error}", file.display()));
    let pair = if file.exists() {
        KeyPair::read(&std::fs::read_to_string(file).map_err(|error| told(&error))?).map_err(|error| told(&error))?
    } else {
        let pair = KeyPair::generate();
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file);
        made.and_then(|mut made| made.write_all(pair.identity.as_bytes())).map_err(|error| told(&error))?;
        pair
    };
    Ok(Key { file: file.to_owned(), recipient: pair.recipient })
}

fn target() -> Value {
    json!({"name": TARGET, "volume": {"size": "2Gi"}})
}

/// Lets the Platforms among the objects have backups, with drills where they are wanted. By itself nothing else runs
/// within half a day.
pub(crate) fn fill_in(objects: &mut [DynamicObject], key: &Key, with_drills: bool) {
    let hour = (Timestamp::now().to_zoned(TimeZone::UTC).hour() + 12) % 24;
    let is_platform = |object: &&mut DynamicObject| object.types.as_ref().is_some_and(|types| types.kind == "Platform");
    for platform in objects.iter_mut().filter(is_platform) {
        platform.data["spec"]["backup"] = json!({
            "targets": [target()],
            "recipients": [key.recipient],
            "schedule": {"cron": format!("0 {hour} * * *"), "windowMinutes": 60},
            "drills": {"enabled": with_drills, "largest": "2Gi"},
            "resources": {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}},
        });
    }
}

/// Whether a target that is a volume answers: a key that could not be left there is only tried again ten minutes later.
///
/// # Errors
/// When the cluster does not say.
pub(crate) async fn is_served(client: &Client, target: &str) -> Result<Look<()>, Failure> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), NAMESPACE);
    let name = format!("backup-server-{target}");
    let found = deployments.get_opt(&name).await?.and_then(|found| found.status);
    let pods = found.and_then(|status| status.available_replicas).unwrap_or_default();
    let none = || Look::NotYet(format!("Deployment {NAMESPACE}/{name} has no pod that answers"));
    Ok(if pods > 0 { Look::Found(()) } else { none() })
}

#[cfg(test)]
mod tests {
    use commonscloud_operator::api::PlatformBackup;

    use super::*;

    #[test]
    fn the_platform_gets_a_target_a_recipient_and_drills_and_nothing_else_changes() {
        let of = |kind: &str| -> DynamicObject {
            let object = json!({"apiVersion": "commonscloud.coop/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": {"a": 1}});
            serde_json::from_value(object).unwrap()
        };
        let key = Key { file: PathBuf::from("/demo/key"), recipient: KeyPair::generate().recipient };
        for with_drills in [true, false] {
            let mut objects = [of("Platform"), of("Tariff")];
            fill_in(&mut objects, &key, with_drills);
            let backup: PlatformBackup = serde_json::from_value(objects[0].data["spec"]["backup"].clone()).unwrap();
            let named = (backup.targets[0].name.as_str(), backup.targets[0].volume.is_some(), backup.recipients);
            assert_eq!(named, (TARGET, true, vec![key.recipient.clone()]));
            assert_eq!(backup.drills.enabled, with_drills);
            assert_eq!(objects[1].data["spec"], json!({"a": 1}));
        }
    }

    #[test]
    fn the_key_is_made_once_and_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(KEY);
        let first = kept(&file).unwrap();
        assert_eq!(kept(&file).unwrap().recipient, first.recipient);
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&file, "# nothing\n").unwrap();
        assert!(kept(&file).err().unwrap().to_string().contains(KEY));
    }
}
