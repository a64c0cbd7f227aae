//! Snapshots of what operations write into pipes.

use futures::future::join_all;

use super::{Setting, Stream, backup, pipes, run_uid, stored};
use commonscloud_backup::report::{Failure, FailureReason, Outcome, StoredPart};

#[derive(Debug, clap::Args)]
pub struct Streams {
    /// The uid of the ServiceBackup.
    #[arg(long, value_parser = run_uid)]
    run: String,
    /// What the pipes bring.
    #[arg(required = true)]
    kinds: Vec<Stream>,
}

pub async fn stream(setting: &Setting, wanted: Streams) -> Result<Outcome, Failure> {
    let outcomes = join_all(wanted.kinds.iter().map(|kind| one(setting, &wanted.run, *kind))).await;
    let failure = outcomes.iter().find_map(|outcome| outcome.as_ref().err()).cloned();
    let parts: Vec<StoredPart> = outcomes.into_iter().filter_map(Result::ok).collect();
    Ok(match failure {
        Some(failure) => Outcome::half(parts, failure),
        None => Outcome::Stored { parts },
    })
}

async fn one(setting: &Setting, run: &str, kind: Stream) -> Result<StoredPart, Failure> {
    let folder = &setting.places.stream;
    let (name, part) = kind.part();
    let program = std::env::current_exe().map_err(|error| Failure::other(format!("no program of our own: {error}")))?;
    let call = backup(run, name, name)
        .args(["--stdin-filename", name, "--stdin-from-command", "--"])
        .arg(program)
        .arg("--stream")
        .arg(folder)
        .args(["receive", kind.as_str()]);
    let outcome = match setting.run(call).await {
        Ok(answer) => stored(name, part, &answer),
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(part) => Ok(part),
        Err(failure) => {
            let abandoned = folder.clone();
            // In a thread: the other stream is read meanwhile.
            let _ = tokio::task::spawn_blocking(move || pipes::abandon(&abandoned, kind)).await;
            let why = std::fs::read_to_string(kind.mark(folder, "failed")).unwrap_or_default();
            Err(match failure.reason {
                FailureReason::HalfStream => Failure::new(failure.reason, format!("{}: {why}", kind.as_str())),
                _ => failure,
            })
        }
    }
}
