//! Volumes: the driver, and Kubernetes' own provisioner and resizer beside it.

use std::path::Path;

use super::containers::kubelet_root;
use crate::csi;
use crate::local::control_plane::API_SERVER;
use crate::local::name::ClusterName;
use crate::local::plan::{Process, Ready};
use crate::tools::Tool;

const DRIVER: &str = "csi-driver";
/// The volumes of demos and tests are large and stay almost empty; a laptop's disk is small.
const OVER_PROVISIONING: u64 = 20;

/// Kubeconfigs of the two sidecars.
pub(in crate::local) struct Access<'a> {
    pub(in crate::local) provisioner: &'a Path,
    pub(in crate::local) resizer: &'a Path,
}

/// The driver keeps volumes in `images`, a path that this machine and the node see alike: loop
/// devices are told apart by it.
pub(in crate::local) fn processes(
    this: &Path,
    provisioner: &Tool,
    resizer: &Tool,
    cluster: &ClusterName,
    images: &Path,
    access: &Access<'_>,
) -> [Process; 3] {
    let options = csi::Options {
        node_id: cluster.to_string(),
        images_dir: images.to_path_buf(),
        kubelet_root: kubelet_root(),
        csi_socket: None,
        registration_socket: None,
        over_provisioning: OVER_PROVISIONING,
        driver_name: csi::DRIVER_NAME.to_owned(),
    };
    let socket = options.csi_socket();
    let sidecar = |name: &str, tool: &Tool, kubeconfig: &Path| {
        Process::new(name, tool.program(name))
            .after(API_SERVER)
            .after(DRIVER)
            .file("csi-address", &socket)
            .file("kubeconfig", kubeconfig)
            .flag("kube-api-qps", 100)
            .flag("kube-api-burst", 200)
    };
    [
        Process::new(DRIVER, this)
            .argument("node")
            .argument(DRIVER)
            .flag("node-id", cluster)
            .file("images-dir", images)
            .flag("over-provisioning", OVER_PROVISIONING)
            .file("kubelet-root", &kubelet_root())
            .ready(Ready::Socket(socket.clone())),
        sidecar("csi-provisioner", provisioner, access.provisioner)
            .flag("feature-gates", "Topology=true")
            .flag("default-fstype", "xfs")
            .argument("--extra-create-metadata"),
        sidecar("csi-resizer", resizer, access.resizer),
    ]
}
