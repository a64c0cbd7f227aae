//! How many inotify instances a node takes, and whether this machine has them.

use std::path::Path;

/// What a node's components and its pods' shims take, measured, with as much again for pods to come.
const NEEDED: usize = 40;

/// Too few instances are left for another node.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a real node needs about {NEEDED} inotify instances, and {used} of {limit} are in use: take another real cluster down (`commonscloud cluster status` lists them), or raise the limit (`sysctl fs.inotify.max_user_instances=512`)"
)]
pub struct TooFewInstances {
    used: usize,
    limit: usize,
}

/// Checks before a node starts: without one, the kubelet ends with "too many open files".
///
/// # Errors
/// When too few are left. A machine that does not tell is taken to have enough.
pub(in crate::local) fn check() -> Result<(), TooFewInstances> {
    let limit = std::fs::read_to_string("/proc/sys/fs/inotify/max_user_instances").ok();
    let Some(limit) = limit.and_then(|limit| limit.trim().parse().ok()) else { return Ok(()) };
    enough(in_use(Path::new("/proc")), limit)
}

fn enough(used: usize, limit: usize) -> Result<(), TooFewInstances> {
    if used + NEEDED > limit { Err(TooFewInstances { used, limit }) } else { Ok(()) }
}

/// The instances of all processes that can be seen; for root that is all.
fn in_use(proc: &Path) -> usize {
    std::fs::read_dir(proc).into_iter().flatten().flatten().map(|process| held_by(&process.path())).sum()
}

/// The instances of the process with this folder in `/proc`.
fn held_by(process: &Path) -> usize {
    let descriptors = std::fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    descriptors
        .filter_map(|descriptor| std::fs::read_link(descriptor.path()).ok())
        .filter(|link| is_inotify(link))
        .count()
}

fn is_inotify(link: &Path) -> bool {
    link.as_os_str() == "anon_inode:inotify"
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_machine_with_too_few_left_is_told_what_to_do() {
        assert_eq!(enough(88, 128), Ok(()));
        let refusal = enough(89, 128).unwrap_err().to_string();
        assert!(refusal.contains("89 of 128") && refusal.contains("max_user_instances"), "{refusal}");
    }

    #[test]
    fn an_instance_of_a_running_process_is_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut child = std::process::Command::new("tail").arg("-f").arg(file.path()).spawn().unwrap();
        let folder = PathBuf::from(format!("/proc/{}", child.id()));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while held_by(&folder) == 0 && std::time::Instant::now() < deadline {
            std::thread::yield_now();
        }
        let (own, all) = (held_by(&folder), in_use(Path::new("/proc")));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(own == 1 && all >= own, "{own} of {all}");
    }
}
