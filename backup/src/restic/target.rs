//! What restic needs for the kind of target that `RESTIC_REPOSITORY` names: a private authority, SSH keys.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;

use crate::report::Failure;

/// Where the certificates of a private authority are mounted.
const AUTHORITY: &str = "/ca/ca.crt";
/// Where the keys of an account are mounted, and those of its server.
const SSH_KEY: &str = "/ssh/privateKey";
const SSH_HOSTS: &str = "/ssh/knownHosts";
/// It gives a name to a user that `/etc/passwd` does not know: without, `ssh` refuses to run.
const NAMES: &str = "libnss_wrapper.so";

/// Options before the subcommand.
pub fn options() -> Vec<String> {
    let mut options = Vec::new();
    if Path::new(AUTHORITY).is_file() {
        options.extend(["--cacert".to_owned(), AUTHORITY.to_owned()]);
    }
    if is_sftp() {
        options.extend(["-o".to_owned(), format!("sftp.args={}", ssh_arguments(SSH_KEY, SSH_HOSTS))]);
    }
    options
}

/// Variables of the environment beside those that are there.
pub fn environment() -> Result<Vec<(String, String)>, Failure> {
    if !is_sftp() || is_known_user() {
        return Ok(Vec::new());
    }
    let folder = std::env::var("RESTIC_CACHE_DIR")
        .map_err(|_| Failure::other("RESTIC_CACHE_DIR is not set: ssh needs a folder for its user's name"))?;
    let write = |name: &str, line: String| {
        let path = format!("{folder}/{name}");
        place(&path, &line).map_err(|error| Failure::other(format!("{path}: {error}")))?;
        Ok::<String, Failure>(path)
    };
    let user = rustix::process::geteuid().as_raw();
    let group = rustix::process::getegid().as_raw();
    let users = write("passwd", format!("backup:x:{user}:{group}::{folder}:/bin/false\n"))?;
    let groups = write("group", format!("backup:x:{group}:\n"))?;
    let names = [("LD_PRELOAD", NAMES.to_owned()), ("NSS_WRAPPER_PASSWD", users), ("NSS_WRAPPER_GROUP", groups)];
    Ok(names.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Whole or not at all: others of the same pod read it, and write it.
fn place(path: &str, text: &str) -> io::Result<()> {
    let (unfinished, mut file) = loop {
        let unfinished = format!("{path}.{}", Timestamp::now().as_nanosecond());
        match File::create_new(&unfinished) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => break (unfinished, made?),
        }
    };
    file.write_all(text.as_bytes())?;
    std::fs::rename(unfinished, path)
}

fn is_sftp() -> bool {
    std::env::var("RESTIC_REPOSITORY").is_ok_and(|repository| repository.starts_with("sftp:"))
}

fn is_known_user() -> bool {
    let own = rustix::process::geteuid().as_raw().to_string();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().any(|line| line.split(':').nth(2) == Some(own.as_str()))
}

/// Nobody is asked, no other key is tried, and a server that is not known is none.
pub fn ssh_arguments(key: &str, hosts: &str) -> String {
    let settings = [
        "BatchMode=yes".to_owned(),
        "IdentitiesOnly=yes".to_owned(),
        "StrictHostKeyChecking=yes".to_owned(),
        format!("UserKnownHostsFile={hosts}"),
        "GlobalKnownHostsFile=/dev/null".to_owned(),
        "ConnectTimeout=15".to_owned(),
        "ServerAliveInterval=30".to_owned(),
    ];
    let settings: Vec<String> = settings.into_iter().map(|setting| format!("-o {setting}")).collect();
    format!("-F /dev/null -i {key} {}", settings.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_a_name_finds_all_of_it_whoever_writes_it_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd").display().to_string();
        let line = "backup:x:65532:65532::/cache:/bin/false\n".repeat(1000);
        place(&path, &line).unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| place(&path, &line).unwrap()));
            }
            for _ in 0..200 {
                assert!(std::fs::read_to_string(&path).unwrap() == line, "half of it");
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished is left");
    }
}
