//! containerd and the kubelet: their files and their processes.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{HERE, cgroups, here};
use crate::local::control_plane::API_SERVER;
use crate::local::name::ClusterName;
use crate::local::pki::Pair;
use crate::local::plan::{Process, Ready};
use crate::tools::Tool;

/// The image of the process that holds a pod's namespaces.
pub(in crate::local) const PAUSE: &str = "docker.io/local/pause:3.10";

/// containerd's socket as the node sees it.
pub(in crate::local) fn socket() -> PathBuf {
    here("containerd.sock")
}

/// containerd's root folder as this machine sees it.
pub(in crate::local) fn containerd_root(cluster: &Path) -> PathBuf {
    super::folder(cluster).join("containerd")
}

/// Where the kubelet keeps pods and plug-ins.
pub(in crate::local) fn kubelet_root() -> PathBuf {
    here("kubelet")
}

/// containerd, with Cilium as its only network.
///
/// # Errors
/// When its files cannot be written below `folder`.
pub(in crate::local) fn containerd(folder: &Path, cilium: &Tool) -> io::Result<Process> {
    let network = folder.join("cni/net.d");
    let plugins = folder.join("cni/bin");
    std::fs::create_dir_all(&network)?;
    std::fs::create_dir_all(&plugins)?;
    // containerd 1.6 does not see a file that arrives later by rename: it must be there first.
    let list = json!({"cniVersion": "1.0.0", "name": "cilium", "plugins": [{"type": "cilium-cni"}]});
    std::fs::write(network.join("05-cilium.conflist"), list.to_string())?;
    std::os::unix::fs::symlink(cilium.program("cilium-cni"), plugins.join("cilium-cni"))?;
    std::os::unix::fs::symlink("/usr/lib/cni/loopback", plugins.join("loopback"))?;
    std::fs::write(folder.join("containerd.toml"), containerd_config())?;
    Ok(Process::new("containerd", "containerd").file("config", &here("containerd.toml")).ready(Ready::Socket(socket())))
}

fn containerd_config() -> String {
    format!(
        r#"version = 2
root = "{HERE}/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt",
]
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{HERE}/cni/bin"
conf_dir = "{HERE}/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
"#,
        socket = socket().display()
    )
}

/// What the kubelet is told about itself.
pub(in crate::local) struct Kubelet<'a> {
    pub(in crate::local) cluster: &'a ClusterName,
    pub(in crate::local) address: IpAddr,
    pub(in crate::local) kubeconfig: &'a Path,
    /// Its serving certificate, signed by the cluster's authority.
    pub(in crate::local) serving: &'a Pair,
    pub(in crate::local) authority: &'a Path,
}

/// The kubelet.
///
/// # Errors
/// When its files cannot be written below `folder`.
pub(in crate::local) fn kubelet(folder: &Path, kubernetes: &Tool, options: &Kubelet<'_>) -> io::Result<Process> {
    std::fs::write(folder.join("resolv.conf"), "")?;
    std::fs::write(folder.join("kubelet.json"), kubelet_config(options).to_string())?;
    Ok(Process::new("kubelet", kubernetes.program("kubelet"))
        .after(API_SERVER)
        .after("containerd")
        .file("config", &here("kubelet.json"))
        .file("kubeconfig", options.kubeconfig)
        .file("root-dir", &kubelet_root())
        .file("cert-dir", &here("kubelet-pki"))
        .flag("hostname-override", options.cluster)
        .flag("node-ip", options.address)
        .ready(Ready::Port(([127, 0, 0, 1], 10248).into())))
}

fn kubelet_config(options: &Kubelet<'_>) -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": options.address,
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": options.authority},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": options.serving.certificate,
        "tlsPrivateKeyFile": options.serving.key,
        "containerRuntimeEndpoint": format!("unix://{}", socket().display()),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": format!("/{}", cgroups::name(options.cluster)),
        "failCgroupV1": false,
        "failSwapOn": false,
        "clusterDNS": [options.address],
        "clusterDomain": "cluster.local",
        "resolvConf": here("resolv.conf"),
        "volumePluginDir": here("volume-plugins"),
        "maxPods": 250,
        "serializeImagePulls": false,
        // The disk is the machine's: images cannot be pulled again, so none are removed for room.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        // A volume grows at the next look at its pod, and its use is read as often as this.
        "syncFrequency": "5s",
        "volumeStatsAggPeriod": "10s",
    })
}
