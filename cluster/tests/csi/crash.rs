//! What a killed driver leaves is taken up, and no image ever gets a second loop device.

use std::fs;
use std::process::Command;

use commonscloud_cluster::csi::OVERHEAD;
use futures::future::join_all;

use super::fixture::{GIB, MIB, Node, allocate, isolated};

#[tokio::test]
async fn a_volume_outlives_every_death_of_the_driver() {
    if !isolated("crash::a_volume_outlives_every_death_of_the_driver") {
        return;
    }
    let mut node = Node::start().await;
    node.create("v", GIB + OVERHEAD).await.unwrap();
    node.kill_and_restart().await;
    node.create("v", GIB + OVERHEAD).await.unwrap();
    node.stage("v").await.unwrap();
    node.kill_and_restart().await;
    node.stage("v").await.unwrap();
    node.publish("v", false).await.unwrap();
    fs::write(node.target("v").join("kept"), "data").unwrap();
    node.kill_and_restart().await;
    node.publish("v", false).await.unwrap();
    node.expand_image("v", 2 * GIB + OVERHEAD).await.unwrap();
    node.kill_and_restart().await;
    node.expand_file_system("v").await.unwrap();
    assert_eq!(node.loop_devices(), 1);
    assert_eq!(fs::read_to_string(node.target("v").join("kept")).unwrap(), "data");
    allocate(&node.target("v").join("file"), 2 * GIB - MIB).unwrap();
    node.unpublish("v").await.unwrap();
    node.kill_and_restart().await;
    node.unpublish("v").await.unwrap();
    node.unstage("v").await.unwrap();
    node.kill_and_restart().await;
    node.unstage("v").await.unwrap();
    node.delete("v").await.unwrap();
    node.no_loop_devices().await;
    assert_eq!(node.images(), [""; 0]);
}

#[tokio::test]
async fn a_device_left_without_its_mount_is_used_or_detached() {
    if !isolated("crash::a_device_left_without_its_mount_is_used_or_detached") {
        return;
    }
    let node = Node::start().await;
    let attach = |id: &str| {
        let image = node.options().images_dir.join(format!("{id}.img"));
        assert!(Command::new("losetup").arg("--find").arg(image).status().unwrap().success());
        assert_eq!(node.loop_devices(), 1);
    };
    node.create("v", 300 * MIB).await.unwrap();

    attach("v");
    node.stage("v").await.unwrap();
    assert_eq!(node.loop_devices(), 1, "the mount uses the device that was there");
    node.unstage("v").await.unwrap();
    node.no_loop_devices().await;

    attach("v");
    node.unstage("v").await.unwrap();
    node.no_loop_devices().await;

    attach("v");
    node.delete("v").await.unwrap();
    node.no_loop_devices().await;
}

#[tokio::test]
async fn an_unfinished_image_is_no_volume_and_is_replaced() {
    if !isolated("crash::an_unfinished_image_is_no_volume_and_is_replaced") {
        return;
    }
    let node = Node::start().await;
    let unfinished = node.options().images_dir.join("v.img.unfinished");
    fs::write(&unfinished, "half a file system").unwrap();
    assert!(node.stage("v").await.is_err());
    node.mounted("v", 300 * MIB).await;
    assert_eq!(node.images(), ["v.img"]);
    node.remove("v").await;
}

#[tokio::test]
async fn calls_at_the_same_time_make_one_device_each() {
    if !isolated("crash::calls_at_the_same_time_make_one_device_each") {
        return;
    }
    let node = Node::start().await;
    let names: Vec<String> = (0..4).map(|number| format!("v{number}")).collect();
    let thrice = || names.iter().cycle().take(3 * names.len());
    for created in join_all(thrice().map(|id| node.create(id, 300 * MIB))).await {
        created.unwrap();
    }
    for staged in join_all(thrice().map(|id| node.stage(id))).await {
        staged.unwrap();
    }
    for published in join_all(thrice().map(|id| node.publish(id, false))).await {
        published.unwrap();
    }
    assert_eq!(node.loop_devices(), names.len());
    for id in &names {
        fs::write(node.target(id).join("name"), id).unwrap();
    }
    for id in &names {
        assert_eq!(fs::read_to_string(node.staging(id).join("name")).unwrap(), *id);
    }
    join_all(names.iter().map(|id| node.remove(id))).await;
    node.no_loop_devices().await;
    assert_eq!(node.images(), [""; 0]);
}
