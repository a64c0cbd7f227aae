//! What the driver does not do, and the code that it says so with.

use commonscloud_cluster::csi::proto::v1::volume_capability::access_mode::Mode;
use commonscloud_cluster::csi::proto::v1::volume_capability::{AccessMode, AccessType, BlockVolume};
use commonscloud_cluster::csi::proto::v1::{CapacityRange, Topology, TopologyRequirement};
use tonic::Code;

use super::fixture::{MIB, Node, creation, isolated, refused};

const EXABYTE: u64 = 1 << 60;

#[tokio::test]
async fn requests_that_no_volume_meets_are_refused_and_leave_nothing() {
    if !isolated("refusals::requests_that_no_volume_meets_are_refused_and_leave_nothing") {
        return;
    }
    let node = Node::start().await;
    let ask = async |change: &dyn Fn(&mut _)| {
        let mut request = creation("v", 300 * MIB);
        change(&mut request);
        refused(node.controller().create_volume(request).await)
    };
    let shared = AccessMode { mode: Mode::MultiNodeMultiWriter.into() };
    let block = AccessType::Block(BlockVolume {});
    let elsewhere =
        Topology { segments: [("topology.xfs.csi.commonscloud.coop/node".to_owned(), "node-2".to_owned())].into() };
    let only_there = TopologyRequirement { requisite: vec![elsewhere], preferred: vec![] };
    let narrow = CapacityRange { required_bytes: 1, limit_bytes: 2 };

    assert_eq!(ask(&|r| r.name = String::new()).await, Code::InvalidArgument);
    assert_eq!(ask(&|r| r.name = "../v".to_owned()).await, Code::InvalidArgument);
    assert_eq!(ask(&|r| r.volume_capabilities.clear()).await, Code::InvalidArgument);
    assert_eq!(ask(&|r| r.volume_capabilities[0].access_mode = Some(shared)).await, Code::InvalidArgument);
    assert_eq!(ask(&|r| r.volume_capabilities[0].access_type = Some(block.clone())).await, Code::InvalidArgument);
    assert_eq!(ask(&|r| r.parameters = [("a".to_owned(), "b".to_owned())].into()).await, Code::InvalidArgument);
    assert_eq!(ask(&|r| r.accessibility_requirements = Some(only_there.clone())).await, Code::ResourceExhausted);
    assert_eq!(ask(&|r| r.capacity_range = Some(narrow)).await, Code::OutOfRange);
    assert_eq!(refused(node.create("v", EXABYTE).await), Code::ResourceExhausted);
    assert_eq!(node.images(), [""; 0]);
}

#[tokio::test]
async fn a_growth_beyond_the_disk_is_refused_and_a_smaller_one_goes_on() {
    if !isolated("refusals::a_growth_beyond_the_disk_is_refused_and_a_smaller_one_goes_on") {
        return;
    }
    let node = Node::start().await;
    node.mounted("v", 300 * MIB).await;
    assert_eq!(refused(node.expand_image("v", EXABYTE).await), Code::OutOfRange);
    assert_eq!(node.expand_image("v", 310 * MIB).await.unwrap(), 310 * MIB);
    assert_eq!(node.expand_file_system("v").await.unwrap(), 310 * MIB);
    node.remove("v").await;
}

#[tokio::test]
async fn unknown_volumes_are_not_found_and_as_good_as_deleted() {
    if !isolated("refusals::unknown_volumes_are_not_found_and_as_good_as_deleted") {
        return;
    }
    let node = Node::start().await;
    assert_eq!(refused(node.stage("v").await), Code::NotFound);
    assert_eq!(refused(node.publish("v", false).await), Code::NotFound);
    assert_eq!(refused(node.expand_image("v", 300 * MIB).await), Code::NotFound);
    assert_eq!(refused(node.expand_file_system("v").await), Code::NotFound);
    assert_eq!(refused(node.usage("v").await), Code::NotFound);
    node.delete("v").await.unwrap();
    node.unpublish("v").await.unwrap();
    node.unstage("v").await.unwrap();
    assert_eq!(refused(node.delete("../images/v").await), Code::InvalidArgument);
}

#[tokio::test]
async fn nothing_is_mounted_outside_of_kubelets_root_or_over_something_else() {
    if !isolated("refusals::nothing_is_mounted_outside_of_kubelets_root_or_over_something_else") {
        return;
    }
    let node = Node::start().await;
    node.create("v", 300 * MIB).await.unwrap();
    node.create("w", 300 * MIB).await.unwrap();
    let outside = node.options().images_dir.join("mount");
    assert_eq!(refused(node.stage_at("v", &outside).await), Code::InvalidArgument);
    let climbing = node.kubelet("../images/mount");
    assert_eq!(refused(node.stage_at("v", &climbing).await), Code::InvalidArgument);
    assert_eq!(node.loop_devices(), 0);
    node.stage("v").await.unwrap();
    assert_eq!(refused(node.stage_at("w", &node.staging("v")).await), Code::FailedPrecondition);
    assert_eq!(node.loop_devices(), 1);
    node.unstage("v").await.unwrap();
}

#[tokio::test]
async fn promised_room_is_not_offered_again() {
    if !isolated("refusals::promised_room_is_not_offered_again") {
        return;
    }
    let node = Node::start().await;
    let before = node.capacity().await;
    // Others use the same disk meanwhile, so the sizes are only compared roughly.
    let large = (before / 2).next_multiple_of(4096);
    node.create("v", large).await.unwrap();
    assert!(node.capacity().await < before - large / 2);
    assert_eq!(refused(node.create("w", large + large / 2).await), Code::ResourceExhausted);
    node.delete("v").await.unwrap();
    assert!(node.capacity().await > before - large / 2);
}
