//! The image of backups against each kind of target, as a user whom neither image's /etc/passwd knows.

use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use crate::container::{Container, Pod, until};
use crate::{can_run, image};

/// As some clusters give each namespace users of its own.
const ANYBODY: &str = "1000770000:1000770000";
const PASSWORD: &str = "hunter2hunter2";

const PREPARE: &[&str] = &["commonscloud-backup", "prepare"];

/// A Job's container with these files, where nothing but `/cache` may be written.
fn client<'a>(pod: &'a Pod, repository: &str, environment: &[(&str, &str)], files: &[(&str, &str)]) -> Container<'a> {
    let container = Container::new(pod, image("backup"), ANYBODY)
        .with("RESTIC_REPOSITORY", repository)
        .with("RESTIC_PASSWORD_FILE", "/key/password")
        .with("COMMONSCLOUD_REPORT", "/cache/report");
    let container = environment.iter().fold(container, |container, (name, value)| container.with(name, value));
    let every = [("/cache/none", ""), ("/key/password", "correct horse battery\n"), ("/volumes/uploads/a", "a text")];
    for (path, content) in every.iter().chain(files) {
        container.write(path, content);
    }
    container.volume("/cache", "64m").read_only()
}

/// Runs a command: its exit code, what it said, and its report.
fn reported(container: &Container<'_>, command: &[&str]) -> (i32, String) {
    let (code, said) = container.run(command);
    (code, said + &fs::read_to_string(container.path("/cache/report")).unwrap_or_default())
}

/// Makes a repository, finds it again, and backs a volume up to it.
fn backs_up(client: &Container<'_>) {
    let files = ["commonscloud-backup", "files", "--run", "uid", "--tag", "files"];
    for (command, outcome) in [(PREPARE, "Prepared"), (PREPARE, "Prepared"), (&files[..], "Stored")] {
        let (code, said) = reported(client, command);
        assert!(code == 0 && said.contains(outcome), "{said}");
    }
}

fn listens(pod: &Pod, port: u16) {
    let is_open = || pod.inside(|| TcpStream::connect(("10.89.250.1", port)).is_ok());
    until(&format!("something listens at port {port}"), is_open);
}

/// A server with a folder that everybody may write.
fn server<'a>(pod: &'a Pod, user: &'static str) -> Container<'a> {
    let server = Container::new(pod, image("backup-server"), user)
        .with("ROOT_ACCESS_KEY", "cloud")
        .with("ROOT_SECRET_KEY", PASSWORD);
    fs::set_permissions(server.path("/data"), Permissions::from_mode(0o777)).unwrap();
    server
}

#[test]
fn anybody_backs_up_to_a_rest_server() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let server = server(&pod, ANYBODY);
    let (code, users) = server.run(&["htpasswd", "-nbB", "cloud", PASSWORD]);
    assert_eq!(code, 0, "{users}");
    server.write("/data/.htpasswd", &users);
    let program = ["rest-server", "--path", "/data", "--listen", ":8000", "--private-repos", "--append-only"];
    let _running = server.start(&program);
    listens(&pod, 8000);
    let account = [("RESTIC_REST_USERNAME", "cloud"), ("RESTIC_REST_PASSWORD", PASSWORD)];
    backs_up(&client(&pod, "rest:http://10.89.250.1:8000/cloud/garden.wiki", &account, &[]));
    assert!(server.path("/data/cloud/garden.wiki/config").is_file());
}

/// As the operator starts it on a volume of the cluster.
#[test]
fn anybody_serves_a_volume_by_accounts_in_a_file_of_their_own() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let server = Container::new(&pod, image("rest-server"), ANYBODY);
    server.write("/data/none", "");
    fs::set_permissions(server.path("/data"), Permissions::from_mode(0o777)).unwrap();
    server.write("/credentials/password", PASSWORD);
    let (code, account) = server.run(&["/bin/sh", "-ec", "htpasswd -niB run </credentials/password"]);
    assert!(code == 0 && account.starts_with("run:$2"), "{account}");
    server.write("/accounts/run", &account);
    let program = ["rest-server", "--path=/data", "--listen=:8000", "--htpasswd-file=/accounts/run", "--append-only"];
    let _running = server.start(&program);
    listens(&pod, 8000);
    let account = [("RESTIC_REST_USERNAME", "run"), ("RESTIC_REST_PASSWORD", PASSWORD)];
    backs_up(&client(&pod, "rest:http://10.89.250.1:8000/garden.wiki", &account, &[]));
    assert!(server.path("/data/garden.wiki/config").is_file());
    assert!(!server.path("/data/.htpasswd").exists());
}

#[test]
fn anybody_backs_up_to_a_bucket() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let server = server(&pod, ANYBODY);
    assert_eq!(server.run(&["mkdir", "-p", "/data/backups"]).0, 0);
    let _running = server.start(&["versitygw", "--port", ":7070", "posix", "/data"]);
    listens(&pod, 7070);
    let account = [("AWS_ACCESS_KEY_ID", "cloud"), ("AWS_SECRET_ACCESS_KEY", PASSWORD)];
    backs_up(&client(&pod, "s3:http://10.89.250.1:7070/backups/cloud/garden.wiki", &account, &[]));
    assert!(server.path("/data/backups/cloud/garden.wiki/config").is_file());
}

#[test]
fn anybody_backs_up_over_sftp() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let keys = Container::new(&pod, image("backup"), "0:0");
    keys.write("/keys/none", "");
    let made = |name: &str| {
        let path = format!("/keys/{name}");
        let (code, said) = keys.run(&["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &path]);
        assert_eq!(code, 0, "{said}");
        let text = |path: &str| fs::read_to_string(keys.path(path)).unwrap();
        (text(&path), text(&format!("{path}.pub")))
    };
    let ((host, host_public), (private, public)) = (made("host"), made("account"));
    let server = server(&pod, "65532:65532");
    server.write("/ssh/hostKey", &host);
    server.write("/ssh/authorizedKeys", &public);
    let running = server.start(&["/usr/sbin/sshd", "-D", "-e"]);
    listens(&pod, 2222);
    let known = format!("[10.89.250.1]:2222 {host_public}");
    let files = [("/ssh/privateKey", private.as_str()), ("/ssh/knownHosts", known.as_str())];
    backs_up(&client(&pod, "sftp://cloud@10.89.250.1:2222//data/garden.wiki", &[], &files));
    assert!(server.path("/data/garden.wiki/config").is_file(), "{}", running.printed());
    let another = [("/ssh/privateKey", host.as_str()), ("/ssh/knownHosts", known.as_str())];
    let (code, said) = reported(&client(&pod, "sftp://cloud@10.89.250.1:2222//data/x", &[], &another), PREPARE);
    assert!(code == 1 && said.contains("CredentialsRefused"), "a key that the server does not know: {said}");
}
