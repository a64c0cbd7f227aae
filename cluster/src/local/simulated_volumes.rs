//! Stands in for the storage driver on a simulated cluster: gives each claim a volume of exactly
//! the size asked for, grows it on request, and removes it with its claim. No byte is stored.

use std::collections::BTreeMap;
use std::path::Path;

use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::json;

/// Name of the driver, as in the real node's storage class.
const DRIVER: &str = "xfs.csi.commonscloud.coop";
/// Set by the scheduler on a claim whose pod has a node.
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Set by the controller manager on a claim that a driver is to serve.
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";

/// Serves claims until the connection ends.
///
/// # Errors
/// When the kubeconfig is unusable or a watch fails for good.
pub async fn serve(kubeconfig: &Path) -> Result<(), kube::Error> {
    let client = super::client(kubeconfig).await?;
    let claims = watcher(Api::<PersistentVolumeClaim>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let volumes = watcher(Api::<PersistentVolume>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let claims = claims.for_each_concurrent(16, |claim| {
        let client = client.clone();
        async move {
            let Ok(claim) = claim.inspect_err(|error| tracing::warn!(%error, "watching claims")) else { return };
            if let Err(error) = serve_claim(&client, &claim).await {
                tracing::warn!(claim = claim.name_any(), %error, "claim not served");
            }
        }
    });
    let volumes = volumes.try_for_each_concurrent(16, |volume| remove_released(client.clone(), volume));
    let (ended, ()) = futures::join!(volumes, claims);
    if let Err(error) = ended {
        tracing::warn!(%error, "watching volumes");
    }
    Ok(())
}

async fn serve_claim(client: &Client, claim: &PersistentVolumeClaim) -> Result<(), kube::Error> {
    let annotations = claim.annotations();
    if annotations.get(PROVISIONER).map(String::as_str) != Some(DRIVER) || claim.metadata.deletion_timestamp.is_some() {
        return Ok(());
    }
    let spec = claim.spec.clone().unwrap_or_default();
    let requests = spec.resources.and_then(|resources| resources.requests).unwrap_or_default();
    let Some(wanted) = requests.get("storage") else { return Ok(()) };
    match spec.volume_name.filter(|name| !name.is_empty()) {
        None if annotations.contains_key(SELECTED_NODE) => create(client, claim, wanted).await,
        None => Ok(()),
        Some(volume) => grow(client, claim, &volume, wanted).await,
    }
}

async fn create(client: &Client, claim: &PersistentVolumeClaim, size: &Quantity) -> Result<(), kube::Error> {
    let name = format!("pvc-{}", claim.uid().unwrap_or_default());
    let spec = claim.spec.clone().unwrap_or_default();
    let volume = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}},
        "spec": {
            "capacity": {"storage": size},
            "accessModes": spec.access_modes,
            "storageClassName": spec.storage_class_name,
            "persistentVolumeReclaimPolicy": "Delete",
            "claimRef": {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "namespace": claim.namespace(),
                "name": claim.name_any(),
                "uid": claim.uid(),
            },
            "csi": {"driver": DRIVER, "volumeHandle": name, "fsType": "xfs"},
        },
    });
    let volume: PersistentVolume = serde_json::from_value(volume).map_err(kube::Error::SerdeError)?;
    match Api::all(client.clone()).create(&PostParams::default(), &volume).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(drop),
    }
}

/// Grows the volume first and then says so on the claim, as the resizer and the kubelet do.
async fn grow(
    client: &Client,
    claim: &PersistentVolumeClaim,
    volume: &str,
    wanted: &Quantity,
) -> Result<(), kube::Error> {
    let capacity = |map: Option<BTreeMap<String, Quantity>>| map.and_then(|map| map.get("storage").cloned());
    let status = claim.status.clone().unwrap_or_default();
    let bound = status.phase.as_deref() == Some("Bound");
    if !bound || capacity(status.capacity).as_ref() == Some(wanted) {
        return Ok(());
    }
    let parameters = PatchParams::default();
    let sized = json!({"spec": {"capacity": {"storage": wanted}}});
    Api::<PersistentVolume>::all(client.clone()).patch(volume, &parameters, &Patch::Merge(sized)).await?;
    let told = json!({"status": {"capacity": {"storage": wanted}}});
    let claims = Api::<PersistentVolumeClaim>::namespaced(client.clone(), &claim.namespace().unwrap_or_default());
    claims.patch_status(&claim.name_any(), &parameters, &Patch::Merge(told)).await.map(drop)
}

/// Removes a volume whose claim is gone. A refusal is logged: the next event brings it up again.
async fn remove_released(client: Client, volume: PersistentVolume) -> Result<(), watcher::Error> {
    let spec = volume.spec.clone().unwrap_or_default();
    let ours = spec.csi.is_some_and(|csi| csi.driver == DRIVER);
    let kept = spec.persistent_volume_reclaim_policy.as_deref() != Some("Delete");
    let released = volume.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Released");
    if !ours || kept || !released {
        return Ok(());
    }
    let volumes = Api::<PersistentVolume>::all(client);
    if let Err(error) = volumes.delete(&volume.name_any(), &DeleteParams::default()).await {
        tracing::warn!(volume = volume.name_any(), %error, "volume not removed");
    }
    Ok(())
}
