//! The control groups of a node: one group named after the cluster, in every hierarchy there is.

use std::io;
use std::path::{Path, PathBuf};

use crate::local::name::ClusterName;

const ROOT: &str = "/sys/fs/cgroup";

/// What the kubelet calls its root; the same below every hierarchy.
pub(in crate::local) fn name(cluster: &ClusterName) -> String {
    format!("commonscloud-{cluster}")
}

/// The group in each hierarchy: several under version 1, one under version 2.
fn groups(cluster: &ClusterName) -> Vec<PathBuf> {
    hierarchies().into_iter().map(|hierarchy| hierarchy.join(name(cluster))).collect()
}

fn hierarchies() -> Vec<PathBuf> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").is_file() {
        return vec![root.to_path_buf()];
    }
    let Ok(entries) = std::fs::read_dir(root) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        // `cpu,cpuacct` and its like appear a second and third time as links.
        .filter(|path| !path.is_symlink() && path.join("cgroup.procs").is_file())
        .collect();
    found.sort();
    found
}

/// Makes the groups, and below each a leaf `system` for the node's own processes.
///
/// # Errors
/// When the file system refuses, as it does without root.
pub(in crate::local) fn create(cluster: &ClusterName) -> io::Result<()> {
    for group in groups(cluster) {
        make(&group)?;
        make(&group.join("system"))?;
    }
    Ok(())
}

fn make(group: &Path) -> io::Result<()> {
    match std::fs::create_dir(group) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let Some(parent) = group.parent() else { return Ok(()) };
    // Version 1 starts a cpuset group empty, and nothing can run in it until it has both.
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let (from, to) = (parent.join(file), group.join(file));
        if from.is_file() && std::fs::read_to_string(&to).is_ok_and(|text| text.trim().is_empty()) {
            std::fs::write(&to, std::fs::read_to_string(&from)?.trim())?;
        }
    }
    Ok(())
}

/// Moves this process, and so its later children, into the leaf `system`.
///
/// # Errors
/// When a hierarchy refuses.
pub(in crate::local) fn join(cluster: &ClusterName) -> io::Result<()> {
    for group in groups(cluster) {
        std::fs::write(group.join("system/cgroup.procs"), "0")?;
    }
    Ok(())
}

/// Pids of all processes in the groups.
pub(in crate::local) fn members(cluster: &ClusterName) -> Vec<u32> {
    let mut pids: Vec<u32> = groups(cluster)
        .iter()
        .flat_map(|group| below(group))
        .filter_map(|group| std::fs::read_to_string(group.join("cgroup.procs")).ok())
        .flat_map(|text| text.lines().filter_map(|line| line.parse().ok()).collect::<Vec<u32>>())
        // A process of another pid namespace than ours reads as 0.
        .filter(|pid| *pid != 0)
        .collect();
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Removes the groups; tells which stay.
pub(in crate::local) fn remove(cluster: &ClusterName) -> Vec<PathBuf> {
    let all: Vec<PathBuf> = groups(cluster).iter().flat_map(|group| below(group)).collect();
    // Deepest first: `below` lists parents before children.
    all.into_iter().rev().filter(|group| std::fs::remove_dir(group).is_err() && group.exists()).collect()
}

/// `group` and all groups below it, parents first.
fn below(group: &Path) -> Vec<PathBuf> {
    if !group.is_dir() {
        return Vec::new();
    }
    let mut found = vec![group.to_path_buf()];
    let mut next = 0;
    while let Some(current) = found.get(next).cloned() {
        next += 1;
        let Ok(entries) = std::fs::read_dir(&current) else { continue };
        found.extend(entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_dir()));
    }
    found
}
