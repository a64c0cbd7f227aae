//! What the services share: the images, the locks and who this driver is.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::fault::Fault;
use super::image::{Image, Images};
use super::loop_device;
use super::mount::{Mount, Mounts};
use super::proto::v1::Topology;
use super::volume_id::VolumeId;
use super::volume_locks::VolumeLocks;

/// Whoever only looks at a device has closed it within this.
const CLOSED: Duration = Duration::from_secs(1);

/// One driver on one node.
#[derive(Debug)]
pub(crate) struct Driver {
    /// The name under which the cluster knows the driver.
    pub(crate) name: String,
    /// The Kubernetes node's name.
    pub(crate) node_id: String,
    /// Kubelet's root directory: nothing outside of it is mounted on.
    pub(crate) kubelet_root: PathBuf,
    /// The volumes.
    pub(crate) images: Images,
    /// One call per volume at a time.
    pub(crate) locks: VolumeLocks,
}

impl Driver {
    /// Where this node's volumes can be used: the label that kubelet gives to the node.
    pub(crate) fn topology(&self) -> Topology {
        Topology { segments: HashMap::from([(self.topology_key(), self.node_id.clone())]) }
    }

    /// Whether a topology of a request means (or leaves room for) this node.
    pub(crate) fn is_here(&self, topology: &Topology) -> bool {
        topology.segments.get(&self.topology_key()).is_none_or(|node| *node == self.node_id)
    }

    fn topology_key(&self) -> String {
        format!("topology.{}/node", self.name)
    }

    /// Checks a path that kubelet gave: absolute, plain, below kubelet's root.
    pub(crate) fn path(&self, text: &str) -> Result<PathBuf, Fault> {
        let path = Path::new(text);
        let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
        if text.is_empty() || !plain || !path.starts_with(&self.kubelet_root) || path == self.kubelet_root {
            return Err(Fault::Invalid(format!(
                "path {text:?} is not below kubelet's root {}: give the driver the kubelet's --root-dir",
                self.kubelet_root.display()
            )));
        }
        Ok(path.to_owned())
    }

    /// The mount at `path`, if there is one and it is this image's.
    ///
    /// Something else there is a failure: a volume's data must never go to another place.
    pub(crate) async fn mount_at(&self, path: &Path, image: &Image) -> Result<Option<Mount>, Fault> {
        let Some(mount) = Mounts::read()?.at(path).cloned() else { return Ok(None) };
        match loop_device::find(image).await? {
            Some(device) if device.number == mount.device => Ok(Some(mount)),
            _ => Err(Fault::Precondition(format!(
                "{} is a mount of {}, which is not {}: unmount it",
                path.display(),
                mount.source,
                image.path.display()
            ))),
        }
    }

    /// Detaches the image's loop device unless it is mounted; says whether none is left.
    pub(crate) async fn release_unused(&self, image: &Image) -> Result<bool, Fault> {
        let Some(device) = loop_device::find(image).await? else { return Ok(true) };
        if Mounts::read()?.has(&device.number) {
            return Ok(false);
        }
        loop_device::release(&device).await?;
        // Still there: another mount namespace uses it, and it goes with that one's last mount.
        Ok(loop_device::find(image).await?.is_none())
    }

    /// Whether nothing uses the image. The kernel detaches a device when the last who has it open closes
    /// it, and whoever looks at all devices (udev, blkid) has it open for a moment.
    async fn released(&self, image: &Image) -> Result<bool, Fault> {
        let begun = Instant::now();
        // Once: the number of a device that is free by now may be another volume's.
        let mut is_free = self.release_unused(image).await?;
        while !is_free && begun.elapsed() < CLOSED {
            match loop_device::find(image).await? {
                None => is_free = true,
                Some(device) if Mounts::read()?.has(&device.number) => break,
                Some(_) => sleep(CLOSED / 20).await,
            }
        }
        Ok(is_free)
    }

    /// Deletes a volume that nothing uses; an unknown one is as good as deleted.
    pub(crate) async fn delete(&self, id: &VolumeId) -> Result<(), Fault> {
        if let Some(image) = self.images.find(id)?
            && !self.released(&image).await?
        {
            return Err(Fault::Precondition(format!(
                "volume {id} is in use: delete the pods that use it, then it can be unmounted and deleted"
            )));
        }
        self.images.remove(id)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use super::Driver;
    use crate::csi::image::Images;
    use crate::csi::volume_locks::VolumeLocks;

    /// A driver on an empty directory.
    pub(crate) fn driver(directory: &Path) -> Driver {
        Driver {
            name: "xfs.csi.example.org".to_owned(),
            node_id: "node-1".to_owned(),
            kubelet_root: directory.join("kubelet"),
            images: Images::open(&directory.join("images"), 1).unwrap(),
            locks: VolumeLocks::default(),
        }
    }

    #[test]
    fn only_paths_below_kubelets_root_are_taken() {
        let directory = tempfile::tempdir().unwrap();
        let driver = driver(directory.path());
        let root = driver.kubelet_root.display().to_string();
        assert!(driver.path(&format!("{root}/plugins/x/globalmount")).is_ok());
        for text in ["", "/", "/etc", "relative", &root, &format!("{root}/../etc"), &format!("{root}-other/x")] {
            assert!(driver.path(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn another_nodes_topology_is_not_here() {
        let directory = tempfile::tempdir().unwrap();
        let driver = driver(directory.path());
        let mut topology = driver.topology();
        assert!(driver.is_here(&topology));
        topology.segments.insert("topology.xfs.csi.example.org/node".to_owned(), "node-2".to_owned());
        assert!(!driver.is_here(&topology));
    }
}
