//! A driver as a process of its own, and the calls that a test makes.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Once;
use std::time::{Duration, Instant};

use commonscloud_cluster::csi::proto::v1::controller_client::ControllerClient;
use commonscloud_cluster::csi::proto::v1::identity_client::IdentityClient;
use commonscloud_cluster::csi::proto::v1::node_client::NodeClient;
use commonscloud_cluster::csi::proto::v1::volume_capability::access_mode::Mode;
use commonscloud_cluster::csi::proto::v1::volume_capability::{AccessMode, AccessType, MountVolume};
use commonscloud_cluster::csi::proto::v1::{
    CapacityRange, ControllerExpandVolumeRequest, CreateVolumeRequest, DeleteVolumeRequest, GetCapacityRequest,
    NodeExpandVolumeRequest, NodeGetVolumeStatsRequest, NodePublishVolumeRequest, NodeStageVolumeRequest,
    NodeUnpublishVolumeRequest, NodeUnstageVolumeRequest, ProbeRequest, Volume, VolumeCapability, VolumeUsage,
};
use commonscloud_cluster::csi::{Options, serve};
use commonscloud_cluster::{Progress, packages};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

pub(crate) const MIB: u64 = 1024 * 1024;
pub(crate) const GIB: u64 = 1024 * MIB;
const INSIDE: &str = "COMMONSCLOUD_CSI_TEST_INSIDE";
const DRIVER: &str = "COMMONSCLOUD_CSI_TEST_DRIVER";
const DEADLINE: Duration = Duration::from_secs(30);

/// Whether the test body is to run: yes in the private mount namespace, into which the first call starts the test
/// again and waits for its end.
pub(crate) fn isolated(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    if let Some(reason) = missing() {
        assert!(std::env::var_os("CI").is_none(), "in CI no test is left out: {reason}");
        eprintln!("SKIPPED {test}: {reason}");
        return false;
    }
    let status = unshare(&[std::env::current_exe().unwrap().to_str().unwrap(), test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        // Its own count of tests would be added to this one's; a panic is told on standard error.
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{test} failed in its mount namespace: {status}");
    false
}

fn missing() -> Option<&'static str> {
    let works = |mut command: Command| {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let program = |name: &str| {
        let mut command = Command::new(name);
        command.arg("-V");
        works(command)
    };
    if !rustix::process::geteuid().is_root() {
        return Some("it mounts volumes and needs root");
    }
    install();
    if !program("mkfs.xfs") || !program("xfs_io") {
        Some("xfsprogs is not installed")
    } else if !Path::new("/dev/loop-control").exists() {
        Some("there are no loop devices here (/dev/loop-control)")
    } else if !works(unshare(&["true"])) {
        Some("no mount namespace can be made here")
    } else {
        None
    }
}

/// What a cluster's node needs, the driver needs as well.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // A thread of its own: the test itself may run in a runtime.
        let installed = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(packages::ensure(&Progress::silent()))
        });
        installed.join().unwrap().unwrap();
    });
}

fn unshare(command: &[&str]) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "--propagation", "private"]).args(command);
    unshare
}

/// Not a test: the driver's own process, started by [`Node::start`].
#[tokio::test]
async fn driver_process() {
    let Some(directory) = std::env::var_os(DRIVER) else { return };
    serve(options(Path::new(&directory))).await.unwrap();
}

fn options(directory: &Path) -> Options {
    Options {
        node_id: "node-1".to_owned(),
        images_dir: directory.join("images"),
        kubelet_root: directory.join("kubelet"),
        csi_socket: None,
        registration_socket: None,
        over_provisioning: 1,
        driver_name: "xfs.csi.commonscloud.coop".to_owned(),
    }
}

/// A node with a running driver; dropping it takes everything away.
pub(crate) struct Node {
    directory: tempfile::TempDir,
    driver: Child,
    channel: Channel,
}

impl Node {
    /// A new node with a running driver.
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let driver = spawn(directory.path());
        let channel = connected(directory.path()).await;
        Self { directory, driver, channel }
    }

    /// Kills the driver in whatever it does, and starts it again on what it left.
    pub(crate) async fn kill_and_restart(&mut self) {
        self.driver.kill().unwrap();
        let status = self.driver.wait().unwrap();
        assert_eq!(status.signal(), Some(9));
        self.driver = spawn(self.directory.path());
        self.channel = connected(self.directory.path()).await;
    }

    /// Asks the driver to stop, and waits for its end.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.driver);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let end = Instant::now() + DEADLINE;
        // Not `wait`: the clients' side of the connections lives in this thread and has to answer.
        loop {
            if let Some(status) = self.driver.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the driver does not stop");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn options(&self) -> Options {
        options(self.directory.path())
    }

    /// A path of kubelet's.
    pub(crate) fn kubelet(&self, path: &str) -> PathBuf {
        self.directory.path().join("kubelet").join(path)
    }

    /// Where the tests stage the volume.
    pub(crate) fn staging(&self, id: &str) -> PathBuf {
        self.kubelet(&format!("plugins/driver/{id}/globalmount"))
    }

    /// Where the tests publish the volume.
    pub(crate) fn target(&self, id: &str) -> PathBuf {
        self.kubelet(&format!("pods/1/volumes/{id}/mount"))
    }

    /// The names of all files in the images' directory.
    pub(crate) fn images(&self) -> Vec<String> {
        let files = fs::read_dir(self.options().images_dir).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// How many loop devices the kernel has on this node's images.
    pub(crate) fn loop_devices(&self) -> usize {
        let images = fs::canonicalize(self.options().images_dir).unwrap();
        let devices = fs::read_dir("/sys/block").unwrap().map(|device| device.unwrap().path());
        let backing = devices.filter_map(|device| fs::read_to_string(device.join("loop/backing_file")).ok());
        backing.filter(|file| Path::new(file.trim_end()).starts_with(&images)).count()
    }

    /// Waits until the kernel has detached all of them, which it does just after the last unmount.
    pub(crate) async fn no_loop_devices(&self) {
        let end = Instant::now() + DEADLINE;
        while self.loop_devices() > 0 {
            assert!(Instant::now() < end, "loop devices are left");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub(crate) fn controller(&self) -> ControllerClient<Channel> {
        ControllerClient::new(self.channel())
    }

    pub(crate) fn node(&self) -> NodeClient<Channel> {
        NodeClient::new(self.channel())
    }

    pub(crate) async fn create(&self, id: &str, bytes: u64) -> Result<Volume, Status> {
        let answer = self.controller().create_volume(creation(id, bytes)).await?;
        Ok(answer.into_inner().volume.unwrap())
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), Status> {
        let request = DeleteVolumeRequest { volume_id: id.to_owned() };
        self.controller().delete_volume(request).await.map(drop)
    }

    /// How many bytes the driver still offers.
    pub(crate) async fn capacity(&self) -> u64 {
        let answer = self.controller().get_capacity(GetCapacityRequest::default()).await.unwrap().into_inner();
        assert_eq!(answer.maximum_volume_size, Some(answer.available_capacity));
        u64::try_from(answer.available_capacity).unwrap()
    }

    /// The controller's part of a growth; answers the new capacity.
    pub(crate) async fn expand_image(&self, id: &str, bytes: u64) -> Result<u64, Status> {
        let request = ControllerExpandVolumeRequest {
            volume_id: id.to_owned(),
            capacity_range: Some(range(bytes)),
            volume_capability: Some(writer()),
        };
        let answer = self.controller().controller_expand_volume(request).await?.into_inner();
        assert!(answer.node_expansion_required);
        Ok(u64::try_from(answer.capacity_bytes).unwrap())
    }

    /// The node's part of a growth; answers the new capacity.
    pub(crate) async fn expand_file_system(&self, id: &str) -> Result<u64, Status> {
        let request = NodeExpandVolumeRequest {
            volume_id: id.to_owned(),
            volume_path: text(&self.target(id)),
            ..NodeExpandVolumeRequest::default()
        };
        let answer = self.node().node_expand_volume(request).await?.into_inner();
        Ok(u64::try_from(answer.capacity_bytes).unwrap())
    }

    pub(crate) async fn stage(&self, id: &str) -> Result<(), Status> {
        self.stage_at(id, &self.staging(id)).await
    }

    pub(crate) async fn stage_at(&self, id: &str, path: &Path) -> Result<(), Status> {
        let request = NodeStageVolumeRequest {
            volume_id: id.to_owned(),
            staging_target_path: text(path),
            volume_capability: Some(writer()),
        };
        self.node().node_stage_volume(request).await.map(drop)
    }

    pub(crate) async fn publish(&self, id: &str, readonly: bool) -> Result<(), Status> {
        let request = NodePublishVolumeRequest {
            volume_id: id.to_owned(),
            staging_target_path: text(&self.staging(id)),
            target_path: text(&self.target(id)),
            volume_capability: Some(writer()),
            readonly,
        };
        self.node().node_publish_volume(request).await.map(drop)
    }

    pub(crate) async fn unpublish(&self, id: &str) -> Result<(), Status> {
        let request = NodeUnpublishVolumeRequest { volume_id: id.to_owned(), target_path: text(&self.target(id)) };
        self.node().node_unpublish_volume(request).await.map(drop)
    }

    pub(crate) async fn unstage(&self, id: &str) -> Result<(), Status> {
        let staging_target_path = text(&self.staging(id));
        let request = NodeUnstageVolumeRequest { volume_id: id.to_owned(), staging_target_path };
        self.node().node_unstage_volume(request).await.map(drop)
    }

    /// Creates, stages and publishes a volume, and returns where it is.
    pub(crate) async fn mounted(&self, id: &str, bytes: u64) -> PathBuf {
        self.create(id, bytes).await.unwrap();
        self.stage(id).await.unwrap();
        self.publish(id, false).await.unwrap();
        self.target(id)
    }

    /// Unmounts and deletes a volume.
    pub(crate) async fn remove(&self, id: &str) {
        self.unpublish(id).await.unwrap();
        self.unstage(id).await.unwrap();
        self.delete(id).await.unwrap();
    }

    /// Usage in bytes and in inodes.
    pub(crate) async fn usage(&self, id: &str) -> Result<[VolumeUsage; 2], Status> {
        let request = NodeGetVolumeStatsRequest {
            volume_id: id.to_owned(),
            volume_path: text(&self.target(id)),
            ..NodeGetVolumeStatsRequest::default()
        };
        let answer = self.node().node_get_volume_stats(request).await?;
        Ok(answer.into_inner().usage.try_into().unwrap())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // The newest mounts come last in the list and go first.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let paths = mounts.lines().rev().filter_map(|line| line.split(' ').nth(1));
        for path in paths.filter(|path| Path::new(path).starts_with(self.directory.path())) {
            let _ = Command::new("umount").args(["--lazy", path]).status();
        }
    }
}

fn spawn(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["fixture::driver_process", "--exact", "--nocapture"])
        .env(DRIVER, directory)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

async fn connected(directory: &Path) -> Channel {
    let endpoint = Endpoint::try_from(format!("unix://{}", options(directory).csi_socket().display())).unwrap();
    let end = Instant::now() + DEADLINE;
    loop {
        let channel = endpoint.connect().await;
        if let Ok(channel) = channel
            && IdentityClient::new(channel.clone()).probe(ProbeRequest {}).await.is_ok()
        {
            return channel;
        }
        assert!(Instant::now() < end, "the driver does not answer");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Such a volume as a `ReadWriteOnce` claim asks for.
pub(crate) fn writer() -> VolumeCapability {
    VolumeCapability {
        access_type: Some(AccessType::Mount(MountVolume::default())),
        access_mode: Some(AccessMode { mode: Mode::SingleNodeWriter.into() }),
    }
}

pub(crate) fn creation(id: &str, bytes: u64) -> CreateVolumeRequest {
    CreateVolumeRequest {
        name: id.to_owned(),
        capacity_range: Some(range(bytes)),
        volume_capabilities: vec![writer()],
        ..CreateVolumeRequest::default()
    }
}

fn range(bytes: u64) -> CapacityRange {
    CapacityRange { required_bytes: i64::try_from(bytes).unwrap(), limit_bytes: 0 }
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// Reserves room for a file of exactly `bytes`, as writing it would.
pub(crate) fn allocate(path: &Path, bytes: u64) -> Result<(), std::io::Error> {
    let file = fs::File::create(path)?;
    Ok(rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes)?)
}

/// The code of a call that must fail.
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> Code {
    answer.unwrap_err().code()
}
