//! What the file system of a service's volume says, and what it does past the quota.

use std::process::Stdio;

use commonscloud_cluster::local::Cluster;
use serde_json::Value;
use tokio::process::Command;

use crate::services::Service;

/// Where a service's files lie: a container that mounts the volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pod: String,
    container: String,
    path: String,
}

/// What the file system says of itself, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileSystem {
    /// What can be written still.
    pub(super) available: u64,
    /// What files take.
    pub(super) used: u64,
}

/// Finds a running container that mounts the service's files.
pub(super) async fn mount(cluster: &Cluster, service: &Service) -> Result<Mount, String> {
    let text = kubectl(cluster, &["get", "pods", "--namespace", &service.entity, "--output", "json"]).await?;
    let pods: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let all = pods["items"].as_array().cloned().unwrap_or_default();
    all.iter()
        .filter(|pod| pod["status"]["phase"] == "Running")
        .find_map(|pod| mount_in(pod, &service.claim))
        .ok_or_else(|| format!("no running pod mounts {}", service.claim))
}

fn mount_in(pod: &Value, claim: &str) -> Option<Mount> {
    let volumes = pod["spec"]["volumes"].as_array()?;
    let volume = volumes.iter().find(|volume| volume["persistentVolumeClaim"]["claimName"] == claim)?;
    pod["spec"]["containers"].as_array()?.iter().find_map(|container| {
        let mounts = container["volumeMounts"].as_array()?;
        let mount = mounts.iter().find(|mount| mount["name"] == volume["name"] && mount["readOnly"] != true)?;
        Some(Mount {
            pod: pod["metadata"]["name"].as_str()?.to_owned(),
            container: container["name"].as_str()?.to_owned(),
            path: mount["mountPath"].as_str()?.to_owned(),
        })
    })
}

/// Asks the file system how large it is, from inside the container.
pub(super) async fn file_system(cluster: &Cluster, service: &Service, mount: &Mount) -> Result<FileSystem, String> {
    let text = exec(cluster, service, mount, &format!("stat -f -c '%S %b %f %a' {}", mount.path)).await?;
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [block, blocks, free, available] => {
            Ok(FileSystem { available: block * available, used: block * (blocks - free) })
        }
        _ => Err(format!("stat -f answered {text:?}")),
    }
}

/// Writes one file of 1 % more than the quota, takes it away, and says how the writing ended.
pub(super) async fn overfill(
    cluster: &Cluster,
    service: &Service,
    mount: &Mount,
    quota: u64,
) -> Result<String, String> {
    let mebibytes = (quota + quota / 100).div_ceil(1 << 20);
    let script = format!(
        "dd if=/dev/zero of={0}/.past-the-quota bs=1M count={mebibytes} 2>&1 | head -n 1; rm -f {0}/.past-the-quota",
        mount.path
    );
    Ok(exec(cluster, service, mount, &script).await?.trim().to_owned())
}

async fn exec(cluster: &Cluster, service: &Service, mount: &Mount, script: &str) -> Result<String, String> {
    let place = ["exec", "--namespace", &service.entity, &mount.pod, "--container", &mount.container, "--"];
    kubectl(cluster, &[&place[..], &["sh", "-c", script]].concat()).await
}

async fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(&cluster.kubectl)
        .env("KUBECONFIG", &cluster.kubeconfig)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|error| format!("{}: {error}", cluster.kubectl.display()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mount_is_that_of_the_claim_and_can_be_written() {
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "d", "persistentVolumeClaim": {"claimName": "office-data"}}],
            "containers": [
                {"name": "reader", "volumeMounts": [{"name": "d", "mountPath": "/r", "readOnly": true}]},
                {"name": "app", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "d", "mountPath": "/data"}]},
            ],
        }});
        let expected = Mount { pod: "p".into(), container: "app".into(), path: "/data".into() };
        assert_eq!(mount_in(&pod, "office-data"), Some(expected));
        assert_eq!(mount_in(&pod, "other-data"), None);
    }
}
