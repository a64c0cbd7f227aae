//! The size is exact: one file of the quota fits, one of 1 % more does not, however the volume came to its size.

use std::fs;
use std::path::Path;

use commonscloud_cluster::csi::OVERHEAD;

use super::fixture::{GIB, MIB, Node, allocate, isolated};

/// Quotas in bytes: the first is the volume's at creation, the others are reached by growth.
const HISTORIES: [&[u64]; 3] =
    [&[300 * MIB - OVERHEAD, GIB], &[GIB, 6 * GIB, 11 * GIB, 16 * GIB], &[10 * GIB, 15 * GIB, 25 * GIB]];

#[tokio::test]
async fn a_quota_fits_exactly_however_it_was_reached() {
    if !isolated("sizes::a_quota_fits_exactly_however_it_was_reached") {
        return;
    }
    let node = Node::start().await;
    let largest = HISTORIES.iter().filter_map(|history| history.last()).max().unwrap() + OVERHEAD;
    let free = node.capacity().await;
    if free < largest {
        eprintln!("SKIPPED: the disk has {free} bytes free, {largest} are needed");
        return;
    }
    for (number, history) in HISTORIES.iter().enumerate() {
        let id = format!("v{number}");
        let target = node.mounted(&id, history[0] + OVERHEAD).await;
        fits_exactly(&target, history[0]);
        for quota in &history[1..] {
            node.expand_image(&id, quota + OVERHEAD).await.unwrap();
            node.expand_file_system(&id).await.unwrap();
            fits_exactly(&target, *quota);
        }
        node.unpublish(&id).await.unwrap();
        node.unstage(&id).await.unwrap();
        node.stage(&id).await.unwrap();
        fits_exactly(&node.staging(&id), history[history.len() - 1]);
        node.remove(&id).await;
    }
}

fn fits_exactly(volume: &Path, quota: u64) {
    let file = volume.join("file");
    let most = largest_file(&file, quota);
    eprintln!("quota {quota}: image {}, largest file {most}, lost {}", quota + OVERHEAD, quota + OVERHEAD - most);
    assert!(most >= quota, "a file of {quota} bytes does not fit, only {most}");
    assert!(most - quota <= 256 * 1024, "{most} bytes fit, the quota is {quota}");
}

/// The largest file in bytes that fits, to the block, found by bisection between nothing and 2 % over the quota.
fn largest_file(file: &Path, quota: u64) -> u64 {
    let (mut fits, mut fails) = (0, quota / 50 * 51 / 4096);
    while fails - fits > 1 {
        let middle = fits.midpoint(fails);
        if allocate(file, middle * 4096).is_ok() {
            fits = middle;
        } else {
            fails = middle;
        }
        fs::remove_file(file).unwrap();
    }
    fits * 4096
}
