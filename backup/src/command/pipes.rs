//! Named pipes between an operation and restic.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::Stream;
use commonscloud_backup::report::{Failure, Outcome};

/// Other users are at the other ends.
const FOR_ALL: u32 = 0o666;
/// For somebody who waits at the pipe to go on.
const TO_GO_ON: Duration = Duration::from_millis(200);

pub fn make(folder: &Path, kinds: &[Stream]) -> Result<Outcome, Failure> {
    for kind in kinds {
        let path = kind.pipe(folder);
        let failed = |error: io::Error| Failure::other(format!("{}: {error}", path.display()));
        if !is_pipe(&path) {
            mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(FOR_ALL), 0)
                .map_err(|error| failed(error.into()))?;
        }
        // The umask took some of it.
        std::fs::set_permissions(&path, Permissions::from_mode(FOR_ALL)).map_err(failed)?;
    }
    Ok(Outcome::Done)
}

pub fn is_pipe(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.file_type().is_fifo())
}

/// Nobody reads this pipe any more: whoever writes, or is about to, must not wait.
pub fn abandon(folder: &Path, kind: Stream) {
    let path = kind.pipe(folder);
    // `receive` may have said why in it.
    let _ = File::options().append(true).create(true).open(kind.mark(folder, "failed"));
    if !is_pipe(&path) {
        return;
    }
    // Who waits for a reader goes on, and meets a closed pipe; who comes later meets a folder.
    let reader = OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(&path);
    if std::fs::rename(&path, kind.mark(folder, "gone")).is_ok() {
        let _ = std::fs::create_dir(&path);
    }
    std::thread::sleep(TO_GO_ON);
    drop(reader);
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_pipe_is_for_everybody_and_made_once() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            make(folder.path(), &[Stream::Dump, Stream::Verify]).unwrap();
        }
        let made = folder.path().join("dump");
        assert!(is_pipe(&made));
        assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, 0o666);
    }

    #[test]
    fn no_pipe_can_be_made_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("dump"), "x").unwrap();
        assert!(make(folder.path(), &[Stream::Dump]).unwrap_err().message.contains("dump"));
    }

    #[test]
    fn whoever_writes_into_an_abandoned_pipe_fails_at_once() {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path(), &[Stream::Dump]).unwrap();
        let write = || {
            let script = "exec >\"$1\" && while echo x; do :; done";
            Command::new("sh").args(["-c", script, "sh"]).arg(folder.path().join("dump")).spawn().unwrap()
        };
        let began = Instant::now();
        let mut waits = write();
        std::thread::sleep(TO_GO_ON);
        abandon(folder.path(), Stream::Dump);
        assert!(!waits.wait().unwrap().success());
        assert!(!write().wait().unwrap().success(), "one that comes later");
        assert!(began.elapsed() < Duration::from_secs(20));
        assert!(folder.path().join("dump.failed").is_file());
    }
}
