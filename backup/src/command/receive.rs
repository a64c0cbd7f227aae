//! What restic runs to read a pipe: half of a stream must never look like all of it.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use super::Stream;

/// The mark is made when the writer has ended well, after the pipe is closed.
const TO_MARK: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);

pub fn receive(folder: &Path, kind: Stream) -> ExitCode {
    match copy(folder, kind) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            let _ = std::fs::write(kind.mark(folder, "failed"), &reason);
            eprintln!("{}: {reason}", kind.as_str());
            ExitCode::FAILURE
        }
    }
}

fn copy(folder: &Path, kind: Stream) -> Result<(), String> {
    let told = |error: io::Error| error.to_string();
    let output = io::stdout().as_fd().try_clone_to_owned().map_err(told)?;
    let pipe = File::open(kind.pipe(folder)).map_err(told)?;
    let most = kind.most();
    let bytes = io::copy(&mut pipe.take(most.saturating_add(1)), &mut File::from(output)).map_err(told)?;
    if bytes > most {
        Err(too_long(most))
    } else if is_whole(folder, kind, TO_MARK) {
        Ok(())
    } else {
        Err(format!("ended after {bytes} bytes, before it was whole"))
    }
}

fn too_long(most: u64) -> String {
    format!("wrote more than the {most} bytes that are read of it")
}

/// Whether the writer ended well; it has a moment to say so.
pub fn is_whole(folder: &Path, kind: Stream, patience: Duration) -> bool {
    let (mark, begun) = (kind.mark(folder, "done"), Instant::now());
    loop {
        if mark.exists() {
            return true;
        }
        if begun.elapsed() >= patience {
            return false;
        }
        std::thread::sleep(PAUSE);
    }
}

/// All of the stream, for whoever reads it without restic.
pub fn read(folder: &Path, kind: Stream) -> Result<String, String> {
    let told = |error: io::Error| error.to_string();
    let (most, mut bytes) = (kind.most(), Vec::new());
    let pipe = File::open(kind.pipe(folder)).map_err(told)?;
    let read = pipe.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(told)?;
    if read as u64 > most {
        return Err(too_long(most));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if is_whole(folder, kind, TO_MARK) { Ok(text) } else { Err("ended before it was whole".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (kind, most) = (Stream::Verify, usize::try_from(Stream::Verify.most()).unwrap());
        std::fs::write(kind.mark(folder.path(), "done"), "").unwrap();
        std::fs::write(kind.pipe(folder.path()), "x".repeat(most)).unwrap();
        assert_eq!(read(folder.path(), kind).unwrap().len(), most);
        std::fs::write(kind.pipe(folder.path()), "x".repeat(most + 1)).unwrap();
        assert!(read(folder.path(), kind).unwrap_err().contains("more than"));
    }
}
