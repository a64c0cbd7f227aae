//! Until when people must not write: until what is read is of one moment.

use std::time::Duration;

use super::{Setting, Stream};
use commonscloud_backup::report::{Failure, FailureReason, Outcome};

const PAUSE: Duration = Duration::from_millis(50);

pub async fn quiet(setting: &Setting, kinds: &[Stream]) -> Result<Outcome, Failure> {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    setting.wait(&format!("{} to begin or to be done", names.join(" and ")), all_begun(setting, kinds)).await?
}

async fn all_begun(setting: &Setting, kinds: &[Stream]) -> Result<Outcome, Failure> {
    let folder = &setting.places.stream;
    loop {
        if let Some(failed) = kinds.iter().find(|kind| kind.mark(folder, "failed").exists()) {
            return Err(Failure::new(FailureReason::HalfStream, format!("{} failed", failed.as_str())));
        }
        if kinds.iter().all(|kind| ["begun", "done"].iter().any(|mark| kind.mark(folder, mark).exists())) {
            return Ok(Outcome::Done);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
