//! A CSI driver for tests and demos: one volume is one XFS in a sparse file on this node.
//!
//! It behaves as the operator meets storage in production: a volume has an exact usable size that is enforced, it
//! grows while it is mounted and full, and its usage shows in kubelet's metrics. It is **not** for production: the
//! data is on one node, without copies.
//!
//! ```text
//!  provisioner, resizer ──▶ csi_socket ──▶ controller ──▶ image        <images_dir>/<id>.img
//!  kubelet ───────────────▶ csi_socket ──▶ node ────────▶ loop_device, mount, file_system
//!  kubelet ──▶ registration_socket: "the driver is at csi_socket"
//! ```
//!
//! - Every call can be repeated, also after the driver, kubelet or both were killed: each looks at what is there
//!   (image, loop device, mounts) and does what is missing. The driver keeps no state of its own.
//! - A volume of S bytes (the request, at least 300 MiB) takes a file of S − [`OVERHEAD`] bytes; see `file_system`
//!   for how, and for the measured figures. So for a quota of Q bytes ask for Q + [`OVERHEAD`].
//! - Volume statistics count the same way: the total is S − [`OVERHEAD`], and an empty volume uses nothing.
//! - A loop device is detached by the kernel with its last mount, so that killing a mount namespace leaves nothing.
//! - Images are sparse, and yet never promise more than the disk has: what does not fit is refused
//!   (`RESOURCE_EXHAUSTED` on creation, `OUT_OF_RANGE` on growth).

mod capability;
mod command;
mod controller;
mod driver;
mod fault;
mod file_system;
mod identity;
mod image;
mod loop_device;
mod mount;
mod node;
pub mod proto;
mod registration;
mod server;
mod size;
mod volume_id;
mod volume_locks;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use driver::Driver;
use image::Images;
use server::Socket;
use volume_locks::VolumeLocks;

pub use file_system::OVERHEAD;

/// The name under which the demo cluster's `StorageClass` asks for this driver.
pub const DRIVER_NAME: &str = "xfs.csi.commonscloud.coop";

/// How the driver is started, also as arguments of a command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// The Kubernetes node's name
    #[arg(long)]
    pub node_id: String,
    /// Directory of the volumes' sparse images, made when missing
    #[arg(long)]
    pub images_dir: PathBuf,
    /// Kubelet's --root-dir: nothing outside of it is mounted on
    #[arg(long, default_value = "/var/lib/kubelet")]
    pub kubelet_root: PathBuf,
    /// Socket for kubelet and the sidecars; by default csi.sock in the driver's own directory of kubelet's plugins
    #[arg(long)]
    pub csi_socket: Option<PathBuf>,
    /// Socket for kubelet's plugin registration, with an @ in its file name; by default in kubelet's registry
    #[arg(long)]
    pub registration_socket: Option<PathBuf>,
    /// How many times the disk's free space may be promised to volumes; images are sparse. Beyond 1, volumes that do
    /// fill up meet I/O errors on a full disk
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub over_provisioning: u64,
    /// The driver's name, as a storage class names it
    #[arg(long, default_value = DRIVER_NAME)]
    pub driver_name: String,
}

impl Options {
    /// Where kubelet and the sidecars reach the driver.
    pub fn csi_socket(&self) -> PathBuf {
        let own = || self.kubelet_root.join("plugins").join(&self.driver_name).join("csi.sock");
        self.csi_socket.clone().unwrap_or_else(own)
    }

    /// Where kubelet learns of the driver.
    ///
    /// Kubelet sends the percent-encoded path as the call's authority, and Rust's HTTP refuses `%2F` there unless it
    /// is before an `@`; hence the file name.
    pub fn registration_socket(&self) -> PathBuf {
        let own = || self.kubelet_root.join("plugins_registry").join(format!("registration@{}.sock", self.driver_name));
        self.registration_socket.clone().unwrap_or_else(own)
    }
}

/// Why the driver does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Loop devices and mounts are root's.
    #[error("the CSI driver mounts volumes and must run as root")]
    NotRoot,
    /// A program is missing.
    #[error("{program} is not in PATH: install the Debian package {package}")]
    ProgramMissing {
        /// The program.
        program: &'static str,
        /// The package that brings it.
        package: &'static str,
    },
    /// A path of the options is relative.
    #[error("{path} must be an absolute path: kubelet is given the same one")]
    RelativePath {
        /// The path.
        path: PathBuf,
    },
    /// The name cannot be a driver's.
    #[error("driver name {0:?} must be a DNS name of at most 63 letters, such as {DRIVER_NAME}")]
    Name(String),
    /// The directory of images cannot be used.
    #[error("{0}")]
    Images(String),
    /// The socket's path does not fit into an address.
    #[error("socket path {path} has more than the {longest} bytes that the kernel takes: use a shorter directory")]
    SocketPath {
        /// The path.
        path: PathBuf,
        /// The most bytes.
        longest: usize,
    },
    /// Kubelet could not speak to the registration socket.
    #[error(
        "the file name of {path} needs an @ before other letters, as in registration@NAME.sock, or kubelet's calls fail"
    )]
    RegistrationName {
        /// The path.
        path: PathBuf,
    },
    /// Something else is where the socket should be.
    #[error("{path} exists and is no socket: remove it or choose another path")]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// Another driver answers there.
    #[error("another driver answers on {path}: stop it first")]
    AlreadyServed {
        /// The path.
        path: PathBuf,
    },
    /// The socket cannot be made.
    #[error("cannot listen on {path}: {source}")]
    Socket {
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signal(std::io::Error),
    /// The server broke off.
    #[error("the driver's server broke off: {0}")]
    Server(#[from] tonic::transport::Error),
    /// Calls did not end in time after the signal to stop.
    #[error("calls were still under way {seconds} s after the signal to stop; they are repeated after the next start")]
    StillBusy {
        /// How long they were given.
        seconds: u64,
    },
}

/// Serves the driver until SIGTERM or SIGINT, then ends the calls under way and removes the sockets.
///
/// Volumes stay mounted: pods go on without the driver.
///
/// # Errors
/// When the process is not root, a program is missing, the options do not fit, a socket cannot be made or is
/// another driver's, the server breaks off, or calls do not end within 20 s of the signal.
pub async fn serve(options: Options) -> Result<(), Error> {
    check(&options)?;
    let images = Images::open(&options.images_dir, options.over_provisioning)
        .map_err(|fault| Error::Images(fault.to_string()))?;
    let csi = Socket::bind(&options.csi_socket()).await?;
    // Last, because kubelet calls the driver as soon as this file appears.
    let registration = Socket::bind(&options.registration_socket()).await?;
    tracing::info!(
        driver = options.driver_name,
        node = options.node_id,
        images = %options.images_dir.display(),
        socket = %options.csi_socket().display(),
        "the CSI driver serves"
    );
    let driver = Driver {
        name: options.driver_name,
        node_id: options.node_id,
        kubelet_root: options.kubelet_root,
        images,
        locks: VolumeLocks::default(),
    };
    server::serve(Arc::new(driver), csi, registration).await
}

fn check(options: &Options) -> Result<(), Error> {
    if !rustix::process::geteuid().is_root() {
        return Err(Error::NotRoot);
    }
    if !is_driver_name(&options.driver_name) {
        return Err(Error::Name(options.driver_name.clone()));
    }
    let sockets = [options.csi_socket(), options.registration_socket()];
    for path in [&options.images_dir, &options.kubelet_root].into_iter().chain(&sockets) {
        if !path.is_absolute() {
            return Err(Error::RelativePath { path: path.clone() });
        }
    }
    let [_, registration] = sockets;
    if !is_callable(&registration) {
        return Err(Error::RegistrationName { path: registration });
    }
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    match command::PROGRAMS.iter().find(|(program, _)| command::find(program, &path).is_none()) {
        Some((program, package)) => Err(Error::ProgramMissing { program, package }),
        None => Ok(()),
    }
}

/// By the standard: at most 63 letters, digits, `-` and `.`, a letter or digit first and last.
fn is_driver_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let edge = |c: char| c.is_ascii_alphanumeric();
    name.len() <= 63 && name.starts_with(edge) && name.ends_with(edge) && name.chars().all(inner)
}

/// Whether kubelet's calls to a registration socket are understood; see [`Options::registration_socket`].
fn is_callable(socket: &Path) -> bool {
    let host = socket.file_name().and_then(|name| name.to_str()).and_then(|name| name.rsplit_once('@'));
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    host.is_some_and(|(_, host)| !host.is_empty() && host.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use std::path::Path;

    use super::{DRIVER_NAME, Options, is_callable, is_driver_name};

    fn parse(arguments: &[&str]) -> Options {
        let line = ["driver", "--node-id", "node-1", "--images-dir", "/images"].iter().chain(arguments);
        let matches = Options::augment_args(Command::new("driver")).try_get_matches_from(line).unwrap();
        Options::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn sockets_lie_where_kubelet_looks() {
        let options = parse(&["--kubelet-root", "/kubelet"]);
        assert_eq!(options.csi_socket().to_str(), Some("/kubelet/plugins/xfs.csi.commonscloud.coop/csi.sock"));
        assert_eq!(
            options.registration_socket().to_str(),
            Some("/kubelet/plugins_registry/registration@xfs.csi.commonscloud.coop.sock")
        );
        assert_eq!(parse(&["--csi-socket", "/other.sock"]).csi_socket().to_str(), Some("/other.sock"));
    }

    #[test]
    fn kubelets_calls_need_a_name_with_an_at_sign() {
        assert!(is_callable(&parse(&[]).registration_socket()));
        for path in ["/r/name-reg.sock", "/r@x/name.sock", "/r/name@", "/r/name@a b"] {
            assert!(!is_callable(Path::new(path)), "{path}");
        }
    }

    #[test]
    fn driver_names_are_the_standards() {
        assert!(is_driver_name(DRIVER_NAME));
        for name in ["", "-a", "a-", "a/b", "a b", &"a".repeat(64)] {
            assert!(!is_driver_name(name), "{name:?}");
        }
    }
}
