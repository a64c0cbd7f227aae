//! A volume from its creation to its deletion, every call made twice.

use std::fs;
use std::io::Write;

use commonscloud_cluster::csi::OVERHEAD;
use commonscloud_cluster::csi::proto::registration::InfoRequest;
use commonscloud_cluster::csi::proto::registration::registration_client::RegistrationClient;
use tonic::Code;
use tonic::transport::Endpoint;

use super::fixture::{GIB, MIB, Node, allocate, isolated, refused};

#[tokio::test]
async fn a_volume_lives_from_creation_to_deletion() {
    if !isolated("lifecycle::a_volume_lives_from_creation_to_deletion") {
        return;
    }
    let node = Node::start().await;
    let asked = GIB + OVERHEAD;

    let volume = node.create("v", asked).await.unwrap();
    assert_eq!(u64::try_from(volume.capacity_bytes).unwrap(), asked);
    assert_eq!(volume.accessible_topology[0].segments["topology.xfs.csi.commonscloud.coop/node"], "node-1");
    assert_eq!(node.create("v", asked).await.unwrap(), volume);
    assert_eq!(refused(node.create("v", 2 * asked).await), Code::AlreadyExists);
    assert_eq!(refused(node.publish("v", false).await), Code::FailedPrecondition);
    assert_eq!(refused(node.usage("v").await), Code::NotFound);

    for _ in 0..2 {
        node.stage("v").await.unwrap();
        assert_eq!(node.loop_devices(), 1);
    }
    for _ in 0..2 {
        node.publish("v", false).await.unwrap();
    }
    fs::write(node.target("v").join("kept"), "data").unwrap();
    assert_eq!(fs::read_to_string(node.staging("v").join("kept")).unwrap(), "data");
    assert_eq!(refused(node.delete("v").await), Code::FailedPrecondition);

    for _ in 0..2 {
        node.unpublish("v").await.unwrap();
        assert!(!node.target("v").exists());
    }
    for _ in 0..2 {
        node.unstage("v").await.unwrap();
        node.no_loop_devices().await;
    }
    node.stage("v").await.unwrap();
    assert_eq!(fs::read_to_string(node.staging("v").join("kept")).unwrap(), "data");
    node.unstage("v").await.unwrap();
    for _ in 0..2 {
        node.delete("v").await.unwrap();
        assert_eq!(node.images(), [""; 0]);
    }
}

#[tokio::test]
async fn a_full_volume_grows_under_its_writer() {
    if !isolated("lifecycle::a_full_volume_grows_under_its_writer") {
        return;
    }
    let node = Node::start().await;
    let target = node.mounted("v", 300 * MIB).await;

    let mut writer = fs::File::create(target.join("log")).unwrap();
    let (large, small) = (vec![7_u8; 4 * usize::try_from(MIB).unwrap()], [7_u8; 4096]);
    fill(&mut writer, &large);
    // What XFS sets aside for data in flight comes back when it is written.
    writer.sync_all().unwrap();
    fill(&mut writer, &small);
    writer.sync_all().unwrap();
    let [bytes, _] = node.usage("v").await.unwrap();
    assert!(bytes.available < 64 * 1024, "{bytes:?}");

    let asked = 400 * MIB;
    for _ in 0..2 {
        assert_eq!(node.expand_image("v", asked).await.unwrap(), asked);
    }
    assert!(writer.write_all(&large).is_err(), "the controller's part alone gives no room");
    for _ in 0..2 {
        assert_eq!(node.expand_file_system("v").await.unwrap(), asked);
    }
    for _ in 0..(100 / 4 - 1) {
        writer.write_all(&large).unwrap();
    }
    writer.sync_all().unwrap();
    assert_eq!(node.expand_image("v", 350 * MIB).await.unwrap(), asked, "a volume never shrinks");
    drop(writer);
    node.remove("v").await;
}

/// Writes until the volume is full.
fn fill(writer: &mut fs::File, block: &[u8]) {
    let full = loop {
        if let Err(error) = writer.write_all(block) {
            break error;
        }
    };
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}

#[tokio::test]
async fn a_volume_grown_without_a_pod_is_grown_when_it_is_staged() {
    if !isolated("lifecycle::a_volume_grown_without_a_pod_is_grown_when_it_is_staged") {
        return;
    }
    let node = Node::start().await;
    node.create("v", GIB + OVERHEAD).await.unwrap();
    assert_eq!(refused(node.expand_file_system("v").await), Code::NotFound);
    node.expand_image("v", 2 * GIB + OVERHEAD).await.unwrap();
    node.stage("v").await.unwrap();
    node.publish("v", false).await.unwrap();
    allocate(&node.target("v").join("file"), 2 * GIB).unwrap();
    node.remove("v").await;
}

#[tokio::test]
async fn usage_counts_what_the_owner_can_use() {
    if !isolated("lifecycle::usage_counts_what_the_owner_can_use") {
        return;
    }
    let node = Node::start().await;
    let quota = i64::try_from(GIB).unwrap();
    let (mib, block) = (i64::try_from(MIB).unwrap(), 4096);
    let target = node.mounted("v", GIB + OVERHEAD).await;

    let [bytes, inodes] = node.usage("v").await.unwrap();
    assert_eq!((bytes.unit, inodes.unit), (1, 2));
    assert_eq!((bytes.total, bytes.used, bytes.available), (quota, 0, quota));
    allocate(&target.join("file"), 100 * MIB).unwrap();
    let [bytes, after] = node.usage("v").await.unwrap();
    assert!((99 * mib..=100 * mib + 64 * block).contains(&bytes.used), "{bytes:?}");
    assert_eq!(bytes.used + bytes.available, bytes.total);
    assert_eq!(after.used, inodes.used + 1);
    node.remove("v").await;
}

#[tokio::test]
async fn a_volume_can_be_published_read_only() {
    if !isolated("lifecycle::a_volume_can_be_published_read_only") {
        return;
    }
    let node = Node::start().await;
    node.create("v", 300 * MIB).await.unwrap();
    node.stage("v").await.unwrap();
    for _ in 0..2 {
        node.publish("v", true).await.unwrap();
        let written = fs::write(node.target("v").join("file"), "x").unwrap_err();
        assert_eq!(written.kind(), std::io::ErrorKind::ReadOnlyFilesystem);
    }
    assert_eq!(refused(node.publish("v", false).await), Code::AlreadyExists);
    fs::write(node.staging("v").join("file"), "x").unwrap();
    node.remove("v").await;
}

#[tokio::test]
async fn kubelet_is_told_where_the_driver_is_and_a_stop_takes_the_sockets_away() {
    if !isolated("lifecycle::kubelet_is_told_where_the_driver_is_and_a_stop_takes_the_sockets_away") {
        return;
    }
    let mut node = Node::start().await;
    let options = node.options();
    let path = options.registration_socket().to_str().unwrap().to_owned();
    // Kubelet's client sends the percent-encoded path as the authority of its calls.
    let authority = format!("http://{}", path.replace('/', "%2F")).parse().unwrap();
    let endpoint = Endpoint::try_from(format!("unix://{path}")).unwrap().origin(authority);
    let channel = endpoint.connect().await.unwrap();
    let told = RegistrationClient::new(channel).get_info(InfoRequest {}).await.unwrap().into_inner();
    assert_eq!((told.r#type.as_str(), told.name.as_str()), ("CSIPlugin", "xfs.csi.commonscloud.coop"));
    assert_eq!(told.endpoint, options.csi_socket().to_str().unwrap());
    assert_eq!(told.supported_versions, ["1.0.0"]);

    assert!(node.terminate().await.success());
    assert!(!options.csi_socket().exists() && !options.registration_socket().exists());
}
