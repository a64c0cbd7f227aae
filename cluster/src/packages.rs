//! Debian packages that a real node needs: looked for by what they bring, installed when root.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::process::Command;

use crate::progress::Progress;
use crate::tools::last_lines;

/// Programs by name, or files by absolute path, with the package that brings them.
const NEEDED: [(&str, &str); 17] = [
    ("/usr/lib/cni/loopback", "containernetworking-plugins"),
    ("clang", "clang"),
    ("conntrack", "conntrack"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("debootstrap", "debootstrap"),
    ("ip", "iproute2"),
    ("ipset", "ipset"),
    ("iptables", "iptables"),
    ("losetup", "mount"),
    ("mkfs.xfs", "xfsprogs"),
    ("mount", "mount"),
    ("nsenter", "util-linux"),
    ("runc", "runc"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("xfs_growfs", "xfsprogs"),
];

/// Where programs lie besides the PATH: a user's PATH often lacks the last two.
const SYSTEM_PATH: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Packages that are missing and could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Not root.
    #[error("Debian packages are missing: run `apt-get install --no-install-recommends {}` as root", .0.join(" "))]
    Missing(Vec<&'static str>),
    /// apt failed.
    #[error("installing {} failed:\n{tail}\nInstall them by hand, then try again", .packages.join(" "))]
    Install {
        /// What was to be installed.
        packages: Vec<&'static str>,
        /// The last lines of apt's output.
        tail: String,
    },
}

/// Path of a program on this machine.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(SYSTEM_PATH.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Packages that a real node needs and this machine lacks, sorted.
pub fn missing() -> Vec<&'static str> {
    let absent =
        |needed: &str| !(if needed.starts_with('/') { Path::new(needed).is_file() } else { find(needed).is_some() });
    let mut packages: Vec<&str> =
        NEEDED.iter().filter(|(needed, _)| absent(needed)).map(|(_, package)| *package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Installs what is missing.
///
/// # Errors
/// When not root, with the exact command; when apt fails, with its last lines.
pub async fn ensure(progress: &Progress) -> Result<(), PackageError> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    if !nix::unistd::geteuid().is_root() {
        return Err(PackageError::Missing(packages));
    }
    let phase = progress.phase(format!("Debian packages: {}", packages.join(" ")));
    // The lists may be absent or old: the first failure is answered by fetching them.
    let mut output = install(&packages).await;
    if !output.as_ref().is_ok_and(|output| output.status.success()) {
        let _ = apt(&["update"]).await;
        output = install(&packages).await;
    }
    match output {
        Ok(output) if output.status.success() => {
            phase.done();
            Ok(())
        }
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            Err(PackageError::Install { packages, tail: last_lines(&String::from_utf8_lossy(&text), 10) })
        }
        Err(error) => Err(PackageError::Install { packages, tail: format!("apt-get: {error}") }),
    }
}

async fn install(packages: &[&str]) -> std::io::Result<Output> {
    let arguments = ["install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=600"];
    apt(&[&arguments, packages].concat()).await
}

async fn apt(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // In this run level, init scripts of packages start nothing.
        .env("RUNLEVEL", "1")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_though_the_path_lacks_the_system_folders() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-here").is_none());
    }

    #[test]
    fn without_root_the_whole_command_is_told() {
        let text = PackageError::Missing(vec!["ipset", "runc"]).to_string();
        assert!(text.contains("apt-get install --no-install-recommends ipset runc"), "{text}");
    }
}
