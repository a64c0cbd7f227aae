//! What is kept of a pod.

use k8s_openapi::api::core::v1::Pod;

/// Reasons come from the status, and from a few fields of each container in it; the rest would only
/// take memory.
pub(super) fn slim(pod: &mut Pod) {
    pod.metadata.annotations = None;
    pod.spec = None;
    let Some(status) = &mut pod.status else { return };
    (status.host_ips, status.pod_ips) = (None, None);
    let containers = status.init_container_statuses.iter_mut().chain(&mut status.container_statuses);
    for container in containers.flatten() {
        container.volume_mounts = None;
        (container.resources, container.allocated_resources) = (None, None);
        (container.container_id, container.user) = (None, None);
        container.image_id.clear();
    }
}
