//! A pod and its containers, made of namespaces: one network, a mount and a pid namespace each.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use commonscloud_cluster::images::BuiltImage;
use nix::sched::{CloneFlags, setns};

use crate::unpack::{environment, unpacked};

/// What the runtime does before it starts a container. The shell stays, as process 1, so that its
/// death ends the container; the child has given up root, with which it would lose that tie.
const START: &str = r#"
root=$1 user=$2; shift 2
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:3 zero:5 random:8 urandom:9; do
    mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
ln -s /proc/self/fd "$root/dev/fd"; ln -s fd/1 "$root/dev/stdout"; ln -s fd/2 "$root/dev/stderr"
mkdir -m 1777 "$root/dev/shm"
trap 'kill -TERM $child' TERM
chroot --userspec="$user" "$root" sh -c 'cd "${WORKDIR:-/}" && exec "$@"' sh "$@" & child=$!
code=0; wait $child || code=$?
[ $code = 143 ] || exit $code
wait $child || exit $?
"#;

/// A network of its own, with loopback and the address 10.89.250.1. It ends with the value.
pub(crate) struct Pod {
    holder: Child,
}

impl Pod {
    pub(crate) fn new() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-ec"])
            .arg("ip link set lo up; ip address add 10.89.250.1/32 dev lo; echo up; read end")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Self { holder }
    }

    /// Does something inside the pod's network.
    pub(crate) fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let network = File::open(self.network()).unwrap();
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(network, CloneFlags::CLONE_NEWNET).unwrap();
                act()
            });
            inside.join().unwrap()
        })
    }

    fn network(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        // The holder reads until its input ends.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// An image with the container's own layer over it, visible in a mount namespace that ends with the
/// value, and the image's environment with what is added to it.
pub(crate) struct Container<'a> {
    pod: &'a Pod,
    folder: tempfile::TempDir,
    mounts: Child,
    environment: Vec<(String, String)>,
    user: &'static str,
}

const MOUNT: &str = r#"
mkdir upper work root
mount -t overlay overlay -o "lowerdir=$1,upperdir=$PWD/upper,workdir=$PWD/work" root
echo up; read end
"#;

impl Drop for Container<'_> {
    fn drop(&mut self) {
        drop(self.mounts.stdin.take());
        let _ = self.mounts.wait();
    }
}

impl<'a> Container<'a> {
    pub(crate) fn new(pod: &'a Pod, image: &BuiltImage, user: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut mounts = Command::new("unshare")
            .args(["--mount", "--propagation", "private", "sh", "-ec", MOUNT, "sh"])
            .arg(unpacked(image))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(mounts.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "up\n");
        Self { pod, folder, mounts, environment: environment(&image.tar), user }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A volume with so much space (such as `3m`).
    pub(crate) fn volume(self, path: &str, size: &str) -> Self {
        let place = self.folder.path().join("root").join(path.trim_start_matches('/'));
        let options = format!("size={size},mode=777");
        let mut mount = Command::new("nsenter");
        mount.arg(self.mount_namespace()).args(["mount", "-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place);
        assert!(mount.status().unwrap().success());
        self
    }

    /// A folder of this machine, which other containers may have as well.
    pub(crate) fn bind(self, path: &str, folder: &Path) -> Self {
        std::fs::create_dir_all(self.path(path)).unwrap();
        let place = self.folder.path().join("root").join(path.trim_start_matches('/'));
        let mut mount = Command::new("nsenter");
        mount.arg(self.mount_namespace()).args(["mount", "--bind"]).arg(folder).arg(place);
        assert!(mount.status().unwrap().success());
        self
    }

    /// Nothing but what the volumes hold may be written from here on.
    pub(crate) fn read_only(self) -> Self {
        let root = self.folder.path().join("root");
        let mut mount = Command::new("nsenter");
        mount.arg(self.mount_namespace()).args(["mount", "-o", "remount,ro"]).arg(root);
        assert!(mount.status().unwrap().success());
        self
    }

    /// The same files for another user.
    pub(crate) fn user(mut self, user: &'static str) -> Self {
        self.user = user;
        self
    }

    /// A path inside the container, as seen from outside.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        let root = format!("/proc/{}/root{}/root", self.mounts.id(), self.folder.path().display());
        Path::new(&root).join(path.trim_start_matches('/'))
    }

    fn mount_namespace(&self) -> String {
        format!("--mount=/proc/{}/ns/mnt", self.mounts.id())
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Starts a command and leaves it running; what it prints is kept.
    pub(crate) fn start(&self, command: &[&str]) -> Running {
        let log = self.folder.path().join(format!("{}.log", command[0].replace('/', "_")));
        let output = File::create(&log).unwrap();
        // The runtime gives its user the container's output.
        std::os::unix::fs::chown(&log, Some(uid(self.user)), None).unwrap();
        let error = output.try_clone().unwrap();
        let child = self.command(command).stdin(Stdio::null()).stdout(output).stderr(error).spawn().unwrap();
        Running { child, log }
    }

    /// Runs a command to its end: its exit code and what it printed.
    pub(crate) fn run(&self, command: &[&str]) -> (i32, String) {
        self.start(command).end()
    }

    fn command(&self, command: &[&str]) -> Command {
        let mut start = Command::new("setpriv");
        start.args([
            "--pdeathsig",
            "KILL",
            "nsenter",
            &format!("--net={}", self.pod.network()),
            &self.mount_namespace(),
        ]);
        start.args(["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child", "sh", "-ec"]);
        start.args([START, "sh"]).arg(self.folder.path().join("root")).arg(self.user).args(command);
        start.env_clear().envs(self.environment.iter().cloned());
        start
    }
}

fn uid(user: &str) -> u32 {
    user.split(':').next().unwrap().parse().unwrap()
}

/// A command that runs. It is killed with the value.
pub(crate) struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    pub(crate) fn printed(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }

    /// Waits until it ends by itself: its exit code and what it printed.
    pub(crate) fn end(mut self) -> (i32, String) {
        let status = self.child.wait().unwrap();
        (status.code().unwrap_or(-1), self.printed())
    }

    /// As a node does that loses its power.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `condition` holds.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(1);
    while !condition() {
        assert!(Instant::now() < end, "after 60 s still not: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
