//! The generated Secrets, as files in an archive: a mounted Secret is links to a folder whose name changes.

use std::path::Path;

use super::{Setting, backup, stored};
use commonscloud_api::SnapshotPartKind;
use commonscloud_backup::report::{Failure, Outcome};

/// The archive's name in its snapshot; in it `./SECRET/KEY`.
const ARCHIVE: &str = "secrets.tar";
/// Links as what they lead to; nothing that differs where the Secrets do not.
const TAR: [&str; 10] = [
    "tar",
    "--create",
    "--file=-",
    "--dereference",
    "--exclude=..*",
    "--sort=name",
    "--mtime=@0",
    "--owner=0",
    "--group=0",
    "--numeric-owner",
];

pub async fn secrets(setting: &Setting, run: &str) -> Result<Outcome, Failure> {
    have_keys(&setting.places.secrets)?;
    let call = backup(run, "secrets", "secrets")
        .args(["--stdin-filename", ARCHIVE, "--stdin-from-command", "--"])
        .args(TAR)
        .arg("--directory")
        .arg(&setting.places.secrets)
        .arg(".");
    let part = stored("secrets", SnapshotPartKind::Secrets, &setting.run(call).await?)?;
    Ok(Outcome::Stored { parts: vec![part] })
}

/// Whether there are Secrets, and each has keys: one that was not there when it was mounted has none.
fn have_keys(folder: &Path) -> Result<(), Failure> {
    let told = |path: &Path, error: std::io::Error| Failure::other(format!("{}: {error}", path.display()));
    let mut count = 0;
    for secret in std::fs::read_dir(folder).map_err(|error| told(folder, error))? {
        let secret = secret.map_err(|error| told(folder, error))?.path();
        let mut names = std::fs::read_dir(&secret).map_err(|error| told(&secret, error))?;
        // What begins so is the kubelet's own.
        let is_key = |name: &std::ffi::OsStr| !name.to_string_lossy().starts_with("..");
        if !names.any(|entry| entry.is_ok_and(|entry| is_key(&entry.file_name()))) {
            let name = secret.file_name().unwrap_or_default().to_string_lossy().into_owned();
            return Err(Failure::other(format!("Secret {name:?} has no key: see whether it is there and whole")));
        }
        count += 1;
    }
    if count == 0 {
        return Err(Failure::other(format!("no Secret is mounted below {}", folder.display())));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_without_a_key_is_no_backup_of_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(have_keys(folder.path()).unwrap_err().message.contains("no Secret"));
        let (whole, empty) = (folder.path().join("sample-db"), folder.path().join("sample-admin"));
        std::fs::create_dir_all(whole.join("..data")).unwrap();
        std::fs::write(whole.join("password"), "x").unwrap();
        have_keys(folder.path()).unwrap();
        std::fs::create_dir_all(empty.join("..data")).unwrap();
        assert!(have_keys(folder.path()).unwrap_err().message.contains("sample-admin"));
    }
}
