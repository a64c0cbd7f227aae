//! A dump into the pipe that `load` reads.

use std::fs::{File, OpenOptions};

use super::{Setting, Stream, pipes};
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::{Call, Output, is_unread};

pub async fn feed(setting: &Setting, snapshot: &str) -> Result<Outcome, Failure> {
    let opened = open(setting).await;
    if opened.is_err() {
        // A `load` that comes later would wait there.
        pipes::abandon(&setting.places.stream, Stream::Load);
    }
    let pipe = opened?;
    let (dump, _) = Stream::Dump.part();
    let call = Call::reading("dump").arg(snapshot).arg(format!("/{dump}")).output(Output::File(pipe));
    match setting.run(call).await {
        Ok(_) => Ok(Outcome::Done),
        Err(failure) if is_unread(&failure.message) => {
            Err(Failure::new(FailureReason::HalfStream, "load ended before it had read all of the dump"))
        }
        Err(failure) => Err(failure),
    }
}

/// It opens when `load` does.
async fn open(setting: &Setting) -> Result<File, Failure> {
    let path = Stream::Load.pipe(&setting.places.stream);
    let name = path.display().to_string();
    let opening = tokio::task::spawn_blocking(move || OpenOptions::new().write(true).open(path));
    let opened = setting.wait("load to read its pipe", opening).await?;
    let opened = opened.map_err(|error| error.to_string()).and_then(|opened| opened.map_err(|error| error.to_string()));
    opened.map_err(|error| Failure::other(format!("{name}: {error}")))
}
