//! Servers on loopback: restic's own protocol, and S3.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::fixture::{Pod, tool, until};

/// `password` of `garden`, as `htpasswd -s` writes it.
const USERS: &str = "garden:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nschool:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n";
/// A disk of so many bytes below `$0`, with what a server needs there.
const SMALL_DISK: &str =
    r#"mount -t tmpfs -o "size=$SIZE" none "$0"; mkdir "$0/cloud"; printf %s "$USERS" >"$0/.htpasswd"; exec "$@""#;

/// A server, until it is dropped.
pub struct Server {
    child: Child,
    pub address: String,
    /// Where it keeps all.
    folder: PathBuf,
    /// It goes with the server that it was made for.
    _made: Option<TempDir>,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Restic's own protocol: below the folder of a name only the user of that name.
    pub fn rest(options: &[&str]) -> Self {
        Self::started(|address, folder| rest(address, folder, options), None)
    }

    /// The same on a disk of so many bytes.
    pub fn rest_on(bytes: u64) -> Self {
        Self::started(|address, folder| rest(address, folder, &[]), Some(bytes))
    }

    /// A bucket called `cloud`.
    pub fn s3() -> Self {
        Self::started(s3, None)
    }

    /// The same on a disk of so many bytes.
    pub fn s3_on(bytes: u64) -> Self {
        Self::started(s3, Some(bytes))
    }

    /// Another one over the same folder, without the flags of this one.
    pub fn beside(&self) -> Self {
        let address = free_address();
        Self::listening(rest(&address, &self.folder, &[]), address, self.folder.clone(), None)
    }

    fn started(command: impl Fn(&str, &Path) -> Vec<PathBuf>, disk: Option<u64>) -> Self {
        let made = tempfile::tempdir().unwrap();
        let folder = made.path().to_owned();
        std::fs::write(folder.join(".htpasswd"), USERS).unwrap();
        std::fs::create_dir(folder.join("cloud")).unwrap();
        let address = free_address();
        let mut words = command(&address, &folder);
        if let Some(bytes) = disk {
            words = [on_a_disk(bytes, &folder), words].concat();
        }
        Self::listening(words, address, folder, Some(made))
    }

    fn listening(words: Vec<PathBuf>, address: String, folder: PathBuf, made: Option<TempDir>) -> Self {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env("USERS", USERS);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { child, address, folder, _made: made };
        until("the server", || TcpStream::connect(&server.address).is_ok());
        server
    }

    /// A pod with a repository below this folder.
    pub fn rest_pod(&self, folder: &str, password: &str) -> Pod {
        let url = format!("rest:http://{}/{folder}", self.address);
        Pod::at(&url, &[("RESTIC_REST_USERNAME", "garden"), ("RESTIC_REST_PASSWORD", password)])
    }

    /// A pod with a repository in the bucket.
    pub fn s3_pod(&self, secret: &str) -> Pod {
        let url = format!("s3:http://{}/cloud/backups/garden/wiki", self.address);
        Pod::at(&url, &[("AWS_ACCESS_KEY_ID", "cloud"), ("AWS_SECRET_ACCESS_KEY", secret)])
    }

    /// Where the server keeps this.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn rest(address: &str, folder: &Path, options: &[&str]) -> Vec<PathBuf> {
    let words =
        [&["--listen", address, "--private-repos", "--path"][..], &[folder.to_str().unwrap()], options].concat();
    [tool("rest-server")].into_iter().chain(words.into_iter().map(PathBuf::from)).collect()
}

fn s3(address: &str, folder: &Path) -> Vec<PathBuf> {
    let words =
        ["--access", "cloud", "--secret", "hunter2hunter2", "--port", address, "posix", folder.to_str().unwrap()];
    [tool("versitygw")].into_iter().chain(words.into_iter().map(PathBuf::from)).collect()
}

/// What starts a program that sees a small disk in the place of a folder. It goes with the program.
fn on_a_disk(bytes: u64, folder: &Path) -> Vec<PathBuf> {
    let size = format!("SIZE={bytes}");
    let mut words = vec!["env", &size, "unshare", "--mount"];
    if !rustix::process::geteuid().is_root() {
        words.push("--map-root-user");
    }
    words.extend(["sh", "-ec", SMALL_DISK]);
    words.into_iter().map(PathBuf::from).chain([folder.to_owned()]).collect()
}

/// Where nobody listens.
pub fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
