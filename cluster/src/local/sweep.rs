//! Removes everything a cluster consists of, whether it runs, half came up, or was killed.
//!
//! Ending the first process of a node's pid namespace ends all others in it, and with the last of
//! them go its mounts, its network and its loop devices; what is left for us is to see that they
//! are gone, the cgroups and the folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::name::ClusterName;
use super::processes;
use super::real::{cgroups, network};
use super::state::{self, StateError};

/// How long the kernel may take to let go of what a killed node held.
const PATIENCE: Duration = Duration::from_secs(30);

/// Something stays though nothing should use it any more.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The folder cannot be removed.
    #[error("{path}: {source}: see what uses it (`fuser -vm {path}`), then try again")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Processes, links, loop devices or cgroups stay.
    #[error("{} s after all its processes were killed, cluster {name} still has {what}: end what holds them, then try again", PATIENCE.as_secs())]
    Stays {
        /// The cluster.
        name: ClusterName,
        /// What stays, in words.
        what: String,
    },
    /// The state cannot be read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Ends and removes the cluster in `folder`. Nothing there is no error.
pub(super) async fn sweep(name: &ClusterName, folder: &Path) -> Result<(), SweepError> {
    if let Some(supervisor) = state::read(folder).and_then(|state| state.supervisor) {
        supervisor.kill();
    }
    let began = Instant::now();
    loop {
        let left = left_over(name, folder);
        if left.is_empty() {
            break;
        }
        if began.elapsed() > PATIENCE {
            return Err(SweepError::Stays { name: name.clone(), what: left.join(", ") });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(SweepError::Folder { path: folder.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}

/// Kills and removes what can be, and tells what is still there.
fn left_over(name: &ClusterName, folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for process in processes::marked(folder) {
        process.kill();
        left.push(format!("process {}", process.pid));
    }
    for pid in cgroups::members(name) {
        if let Some(process) = processes::ProcessId::of(pid) {
            process.kill();
        }
        left.push(format!("process {pid}"));
    }
    if !left.is_empty() {
        return left;
    }
    if let Some(link) = state::read(folder).map(|state| network::link(state.index)).filter(|link| network::exists(link))
    {
        network::remove(&link);
        left.push(format!("link {link}"));
    }
    left.extend(loop_devices(folder).into_iter().map(|device| format!("loop device {device}")));
    left.extend(cgroups::remove(name).into_iter().map(|cgroup| format!("cgroup {}", cgroup.display())));
    left
}

/// Loop devices whose file lies below `folder`.
fn loop_devices(folder: &Path) -> Vec<String> {
    let Ok(devices) = std::fs::read_dir("/sys/block") else { return Vec::new() };
    devices
        .filter_map(|device| {
            let device = device.ok()?;
            let file = std::fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
            Path::new(file.trim_end()).starts_with(folder).then(|| device.file_name().to_string_lossy().into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[tokio::test]
    async fn a_process_that_was_never_written_down_is_found_and_the_folder_removed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("t-sweep");
        std::fs::create_dir_all(folder.join("pki")).unwrap();
        let mut child = Command::new("sleep").arg("600").env(processes::MARK, &folder).spawn().unwrap();
        sweep(&"t-sweep".parse().unwrap(), &folder).await.unwrap();
        assert!(!folder.exists());
        assert!(!child.wait().unwrap().success());
    }

    #[tokio::test]
    async fn a_cluster_that_is_not_there_is_fine() {
        let parent = tempfile::tempdir().unwrap();
        sweep(&"t-nothing".parse().unwrap(), &parent.path().join("t-nothing")).await.unwrap();
    }
}
