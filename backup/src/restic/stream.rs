//! What a call writes, read as it comes.

use std::fs::File;
use std::io::{PipeReader, Read as _};
use std::os::fd::OwnedFd;
use std::time::Duration;

use super::{Call, Output, Restic};
use crate::report::Failure;

/// Runs a call, and has `read` read what it writes, to its end, in a thread of its own. What restic says of a failure
/// counts before what `read` says of a stream that it could not read to its end; but where `read` stopped, it counts.
///
/// # Errors
/// That of restic, or that of `read`.
pub async fn streamed<T: Send + 'static>(
    restic: &Restic,
    call: Call,
    deadline: Duration,
    read: impl FnOnce(PipeReader) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let told = |error: std::io::Error| Failure::other(format!("no pipe: {error}"));
    let (reader, writer) = std::io::pipe().map_err(told)?;
    let reading = tokio::task::spawn_blocking(move || read(reader));
    let ran = restic.run(call.output(Output::File(File::from(OwnedFd::from(writer)))), deadline).await;
    let read = reading.await.unwrap_or_else(|error| Err(Failure::other(format!("reading was broken off: {error}"))));
    match (ran, read) {
        (Ok(_), read) => read,
        (Err(failure), Err(read)) if is_unread(&failure.message) => Err(read),
        (Err(failure), _) => Err(failure),
    }
}

/// Whether a call failed since nobody read what it wrote.
pub fn is_unread(message: &str) -> bool {
    message.contains("signal 13") || message.contains("broken pipe")
}

/// A file of a snapshot, of at most so many bytes.
///
/// # Errors
/// When it cannot be read, or is longer.
pub async fn file(
    restic: &Restic,
    snapshot: &str,
    path: &str,
    most: u64,
    deadline: Duration,
) -> Result<Vec<u8>, Failure> {
    let call = Call::reading("dump").arg(snapshot).arg(path);
    let what = format!("snapshot {snapshot}: {path}");
    let read = move |reader: PipeReader| {
        let mut bytes = Vec::new();
        reader.take(most + 1).read_to_end(&mut bytes).map_err(|error| Failure::other(format!("{what}: {error}")))?;
        if bytes.len() as u64 > most {
            return Err(Failure::other(format!("{what} has more than {most} bytes")));
        }
        Ok(bytes)
    };
    streamed(restic, call, deadline, read).await
}
