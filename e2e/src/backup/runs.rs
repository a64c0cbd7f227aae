//! Backups and restores of an Entity's services, asked for as its managers do, and waited for.

use std::fmt::Debug;
use std::time::Duration;

use commonscloud_operator::api::{
    BackupPhase, RestorePhase, ServiceBackup, ServiceBackupStatus, ServiceRestore, ServiceRestoreStatus,
};
use jiff::Timestamp;
use kube::api::{Api, DeleteParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::failure::{Failure, Outcome};
use crate::wait::{condition, conditions, eventually};
use crate::{ensure, manifests};

/// A run of a small service has ended by then, others running beside it.
pub const ENDS: Duration = Duration::from_mins(5);
/// What is wrong with a target or an object is told by then: the probe of a target takes 20 seconds of it.
pub const TOLD: Duration = Duration::from_secs(90);

/// The runs of one Entity.
pub struct Runs<'c> {
    cluster: &'c Cluster,
    entity: &'c str,
    /// Who asks for them.
    user: String,
}

impl<'c> Runs<'c> {
    /// As the cluster's administrator.
    ///
    /// # Errors
    /// When the API server does not say who that is.
    pub async fn of(cluster: &'c Cluster, entity: &'c str) -> Outcome<Self> {
        let user = cluster.kubectl.ok(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"]).await?;
        Ok(Self { cluster, entity, user: user.trim().to_owned() })
    }

    fn client(&self) -> Client {
        self.cluster.client.clone()
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client(), self.entity)
    }

    /// Asks for a backup.
    ///
    /// # Errors
    /// The refusal.
    pub async fn begin(&self, name: &str, service: &str, target: &str) -> Outcome {
        let spec = json!({"service": service, "target": target, "requestedBy": self.user});
        self.cluster.applied(&[manifests::namespaced("ServiceBackup", self.entity, name, spec)]).await
    }

    /// Asks for a package to leave with, sealed to this public key, and waits until it is there.
    ///
    /// # Errors
    /// Its conditions, when it fails or does not end.
    pub async fn packed(
        &self,
        name: &str,
        service: &str,
        target: &str,
        recipient: &str,
    ) -> Outcome<ServiceBackupStatus> {
        let spec = json!({
            "service": service, "target": target, "format": "Exit", "recipient": recipient, "requestedBy": self.user,
        });
        self.cluster.applied(&[manifests::namespaced("ServiceBackup", self.entity, name, spec)]).await?;
        self.complete(name).await
    }

    /// Asks for a restore in place.
    ///
    /// # Errors
    /// The refusal.
    pub async fn begin_restore(&self, name: &str, service: &str, snapshot: &str) -> Outcome {
        self.asked(name, json!({"from": {"service": service, "snapshot": snapshot}})).await
    }

    /// Asks for a restore into a service that has no data yet.
    ///
    /// # Errors
    /// The refusal.
    pub async fn begin_new(&self, name: &str, (from, snapshot): (&str, &str), into: &str) -> Outcome {
        let into = json!({"kind": "NewService", "service": into});
        self.asked(name, json!({"from": {"service": from, "snapshot": snapshot}, "into": into})).await
    }

    /// Asks for a part beside what is there, and waits until it has succeeded.
    ///
    /// # Errors
    /// Its conditions, when it fails or does not end.
    pub async fn restored_part(
        &self,
        name: &str,
        (from, snapshot): (&str, &str),
        (volume, path): (&str, &str),
    ) -> Outcome<ServiceRestoreStatus> {
        let only = json!({"volume": volume, "path": path});
        self.asked(name, json!({"from": {"service": from, "snapshot": snapshot}, "only": only})).await?;
        self.succeeded(name).await
    }

    async fn asked(&self, name: &str, mut spec: Value) -> Outcome {
        spec["requestedBy"] = json!(self.user);
        self.cluster.applied(&[manifests::namespaced("ServiceRestore", self.entity, name, spec)]).await
    }

    /// A run as it is now.
    ///
    /// # Errors
    /// When it is not there.
    pub async fn backup(&self, name: &str) -> Outcome<ServiceBackup> {
        Ok(self.api().get(name).await?)
    }

    /// A run that has ended, how ever.
    ///
    /// # Errors
    /// Its conditions, when it does not end in time.
    pub async fn ended(&self, name: &str) -> Outcome<ServiceBackup> {
        let over = |run: &ServiceBackup| matches!(phase(run), Some(BackupPhase::Succeeded | BackupPhase::Failed));
        self.seen(name, ENDS, over).await
    }

    /// A restore that has ended, how ever.
    ///
    /// # Errors
    /// Its conditions, when it does not end in time.
    pub async fn restore_ended(&self, name: &str) -> Outcome<ServiceRestore> {
        let over = |restore: &ServiceRestore| {
            let phase = restore.status.as_ref().and_then(|status| status.phase);
            matches!(phase, Some(RestorePhase::Succeeded | RestorePhase::Failed))
        };
        self.seen(name, ENDS, over).await
    }

    async fn seen<K>(&self, name: &str, limit: Duration, is_so: impl Fn(&K) -> bool) -> Outcome<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let api: Api<K> = self.api();
        eventually(&format!("{name} of {} ends", self.entity), limit, async || {
            let object = api.get(name).await?;
            ensure!(is_so(&object), "{}", shown(&serde_json::to_value(&object)?));
            Ok(object)
        })
        .await
    }

    /// Asks for a backup, and waits until it is complete.
    ///
    /// # Errors
    /// Its conditions, when it fails or does not end.
    pub async fn backed_up(&self, name: &str, service: &str, target: &str) -> Outcome<ServiceBackupStatus> {
        self.begin(name, service, target).await?;
        self.complete(name).await
    }

    async fn complete(&self, name: &str) -> Outcome<ServiceBackupStatus> {
        let run = self.ended(name).await?;
        ensure!(phase(&run) == Some(BackupPhase::Succeeded), "{}", shown(&serde_json::to_value(&run)?));
        run.status.ok_or_else(|| Failure::new("no status"))
    }

    /// Asks for a restore in place, and waits until it has succeeded.
    ///
    /// # Errors
    /// Its conditions, when it fails or does not end.
    pub async fn restored(&self, name: &str, service: &str, snapshot: &str) -> Outcome<ServiceRestoreStatus> {
        self.begin_restore(name, service, snapshot).await?;
        self.succeeded(name).await
    }

    /// A restore that has succeeded.
    ///
    /// # Errors
    /// Its conditions, when it fails or does not end.
    pub async fn succeeded(&self, name: &str) -> Outcome<ServiceRestoreStatus> {
        let restore = self.restore_ended(name).await?;
        let status = restore.status.clone().unwrap_or_default();
        let has_succeeded = status.phase == Some(RestorePhase::Succeeded);
        ensure!(has_succeeded, "{}; {:?}", shown(&serde_json::to_value(&restore)?), status.differences);
        Ok(status)
    }

    /// Waits until a run says why it cannot be, for one of these reasons, and gives its words.
    ///
    /// # Errors
    /// What it says instead.
    pub async fn told(&self, kind: &str, name: &str, reasons: &[&str]) -> Outcome<String> {
        let api = crate::resources::ours_in(&self.cluster.client, kind, self.entity);
        eventually(&format!("{kind} {name} says one of {reasons:?}"), TOLD, async || {
            let object = serde_json::to_value(api.get(name).await?)?;
            let ready = condition(&object, "Ready").ok_or_else(|| Failure::new("no condition Ready"))?;
            let reason = ready["reason"].as_str().unwrap_or_default();
            ensure!(ready["status"] == "False" && reasons.contains(&reason), "{}", shown(&object));
            Ok(ready["message"].as_str().unwrap_or_default().to_owned())
        })
        .await
    }

    /// Takes back what was asked for, and waits until it is gone.
    ///
    /// # Errors
    /// When it is refused, or the run stays.
    pub async fn take_back(&self, name: &str) -> Outcome {
        let api: Api<ServiceBackup> = self.api();
        api.delete(name, &DeleteParams::default()).await?;
        eventually(&format!("ServiceBackup {name} is gone"), TOLD, async || {
            ensure!(api.get_opt(name).await?.is_none(), "it is there");
            Ok(())
        })
        .await
    }
}

/// Where a run is.
pub fn phase(run: &ServiceBackup) -> Option<BackupPhase> {
    run.status.as_ref().and_then(|status| status.phase)
}

/// The snapshot of a complete run.
///
/// # Errors
/// When it has none.
pub fn snapshot(run: &ServiceBackupStatus) -> Outcome<&str> {
    run.snapshot.as_deref().ok_or_else(|| Failure::new("a run without a snapshot"))
}

/// When the data was as a run has it.
///
/// # Errors
/// When it does not say so.
pub fn taken_at(run: &ServiceBackupStatus) -> Outcome<Timestamp> {
    run.taken_at.as_ref().map(|time| time.0).ok_or_else(|| Failure::new("a run without takenAt"))
}

fn shown(object: &Value) -> String {
    format!("{}: {}", object["status"]["phase"], conditions(object))
}
