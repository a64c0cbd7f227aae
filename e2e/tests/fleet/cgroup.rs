//! A control group that holds a process to a memory limit as a kubelet does.

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_e2e::{Failure, Outcome};

/// Where version 1 has its memory controller, and where version 2 has everything.
const V1: &str = "/sys/fs/cgroup/memory";
const V2: &str = "/sys/fs/cgroup";

/// A control group with a limit. Dropped, it is removed.
pub struct Cgroup {
    folder: PathBuf,
    peak: &'static str,
}

impl Cgroup {
    /// Makes one; needs root and a memory controller.
    pub fn new(name: &str, mebibytes: u64) -> Outcome<Self> {
        let v1 = Path::new(V1).join("memory.limit_in_bytes").exists();
        let (root, file, peak) = if v1 {
            (V1, "memory.limit_in_bytes", "memory.max_usage_in_bytes")
        } else {
            (V2, "memory.max", "memory.peak")
        };
        let folder = Path::new(root).join(name);
        let failed = |error| Failure::new(format!("no control group {}: {error}", folder.display()));
        fs::create_dir_all(&folder).map_err(failed)?;
        let group = Self { folder: folder.clone(), peak };
        fs::write(group.folder.join(file), (mebibytes << 20).to_string()).map_err(failed)?;
        // No limit holds a process that can go to a disk instead.
        let _ = fs::write(group.folder.join("memory.swap.max"), "0");
        Ok(group)
    }

    /// Puts a process into it.
    pub fn take_in(&self, pid: i32) -> Outcome {
        Ok(fs::write(self.folder.join("cgroup.procs"), pid.to_string())?)
    }

    /// The most it ever held, in MiB: the files that it wrote are in it too.
    pub fn peak(&self) -> Option<u64> {
        let text = fs::read_to_string(self.folder.join(self.peak)).ok()?;
        Some(text.trim().parse::<u64>().ok()? >> 20)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // One that a process is still in stays until it has ended and the machine restarts.
        let _ = fs::remove_dir(&self.folder);
    }
}
