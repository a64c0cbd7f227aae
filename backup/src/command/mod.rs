//! One module for each subcommand, and what all of them share.

mod check;
mod compare;
mod copy;
mod document;
mod escrow;
mod exit;
mod feed;
mod files;
mod forget;
mod manifest;
mod pipes;
mod prepare;
mod prune;
mod quiet;
mod receive;
mod record;
mod records;
mod restore;
mod secrets;
mod stream;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use commonscloud_api::SnapshotPartKind;
use commonscloud_backup::manifest::is_snapshot_id;
use commonscloud_backup::report::{Failure, FailureReason, Outcome, Report};
use commonscloud_backup::restic::{
    Answer, Call, HOST, MOST_OF_A_DOCUMENT, OF_THE_FILE_SYSTEM, Restic, backup, stored, without_credentials,
};

/// Where a container's last words go.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// What the Jobs of backups and restores run. The repository and its key are in the environment, as restic reads it.
#[derive(Debug, Parser)]
#[command(name = "commonscloud-backup", version)]
struct Arguments {
    /// How many seconds it may take in all.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    deadline: u64,
    #[command(flatten)]
    places: Places,
    #[command(subcommand)]
    command: Command,
}

/// Where the pod has what is read and written.
#[derive(Debug, Clone, clap::Args)]
struct Places {
    /// Below it a folder for each volume.
    #[arg(long, global = true, default_value = "/volumes", value_name = "DIR")]
    volumes: PathBuf,
    /// The named pipes.
    #[arg(long, global = true, default_value = "/stream", value_name = "DIR")]
    stream: PathBuf,
    /// Below it a folder for each Secret.
    #[arg(long, global = true, default_value = "/secrets", value_name = "DIR")]
    secrets: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tries the target, makes the repository where there is none, and says which one it is.
    Prepare(prepare::Prepare),
    /// Makes the named pipes.
    Pipes(Pipes),
    /// Makes a snapshot of each volume's files.
    Files(files::Files),
    /// Below restic: a pipe to the standard output, whole or not at all.
    Receive { kind: Stream },
    /// Makes a snapshot of each pipe, side by side.
    Stream(stream::Streams),
    /// Waits until what each pipe brings is of one moment.
    Quiet(Pipes),
    /// Makes a snapshot of the generated Secrets.
    Secrets {
        /// The uid of the ServiceBackup.
        #[arg(long, value_parser = run_uid)]
        run: String,
    },
    /// Makes a snapshot of the manifest, and looks that all is there that it names.
    Record {
        /// The manifest.
        #[arg(long, value_name = "FILE")]
        manifest_file: PathBuf,
    },
    /// Keeps the platform's own records at the target, and reads them back.
    Records(records::Keep),
    /// Brings the files of a volume back.
    Restore(restore::Restore),
    /// Brings a dump to the pipe that `load` reads.
    Feed {
        /// The snapshot of the dump.
        #[arg(long, value_parser = snapshot_id)]
        snapshot: String,
    },
    /// Compares what was restored with what was backed up.
    Compare {
        /// The snapshot of the manifest.
        #[arg(long, value_parser = snapshot_id)]
        snapshot: String,
    },
    /// Reads a manifest.
    Manifest {
        /// Its snapshot.
        #[arg(long, value_parser = snapshot_id)]
        snapshot: String,
    },
    /// Forgets snapshots, and says which are there nevertheless.
    Forget(forget::Forget),
    /// Removes what no snapshot needs.
    Prune {
        /// Remove only what is not needed as a whole, and write nothing anew: for a target that locks what is written.
        #[arg(long)]
        keep_packs: bool,
    },
    /// Reads a part of the repository.
    Check(check::Reading),
    /// Copies a backup out of another repository at the same target, and says how its manifest is called here.
    Copy(copy::Copy),
    /// Seals the key of a folder to people, and keeps it at the target.
    Escrow(escrow::Escrow),
    /// Makes a package to leave with out of a backup, sealed to its recipient, and keeps it beside the repository.
    Exit(exit::Exit),
    /// Below restic: the sealed package to the standard output, whole or not at all.
    Seal(exit::Seal),
}

#[derive(Debug, clap::Args)]
struct Pipes {
    /// What they bring.
    #[arg(required = true)]
    kinds: Vec<Stream>,
}

/// What a named pipe brings: called like the operation at its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Stream {
    Dump,
    Verify,
    Load,
}

impl Stream {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Dump => "dump",
            Self::Verify => "verify",
            Self::Load => "load",
        }
    }

    /// The part of a backup that comes of it; also the file's name in its snapshot.
    const fn part(self) -> (&'static str, SnapshotPartKind) {
        match self {
            Self::Verify => ("state", SnapshotPartKind::State),
            Self::Dump | Self::Load => ("dump", SnapshotPartKind::Dump),
        }
    }

    fn pipe(self, folder: &Path) -> PathBuf {
        folder.join(self.as_str())
    }

    /// The most bytes that it may bring; a dump is never kept in memory.
    const fn most(self) -> u64 {
        match self {
            Self::Verify => MOST_OF_A_DOCUMENT as u64,
            Self::Dump | Self::Load => u64::MAX,
        }
    }

    /// A file beside the pipe: `done`, `begun`, `failed`.
    fn mark(self, folder: &Path, mark: &str) -> PathBuf {
        folder.join(format!("{}.{mark}", self.as_str()))
    }
}

/// What a subcommand works with.
#[derive(Clone)]
struct Setting {
    restic: Restic,
    ends: Instant,
    places: Places,
}

impl Setting {
    fn left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    async fn run(&self, call: Call) -> Result<Answer, Failure> {
        self.restic.run(call, self.left()).await
    }

    /// The same in the repository of exit packages beside its own.
    fn packages(&self) -> Self {
        Self { restic: self.restic.clone().packages(), ..self.clone() }
    }

    /// Waits at most until the deadline, or until this program is asked to end.
    async fn wait<T>(&self, what: &str, awaited: impl Future<Output = T>) -> Result<T, Failure> {
        tokio::select! {
            value = awaited => Ok(value),
            () = tokio::time::sleep(self.left()) => Err(Failure::new(FailureReason::TimedOut, format!("waited too long for {what}"))),
            () = self.restic.stopped() => Err(Failure::new(FailureReason::Interrupted, format!("asked to end while waiting for {what}"))),
        }
    }
}

fn snapshot_id(text: &str) -> Result<String, String> {
    if is_snapshot_id(text) { Ok(text.to_owned()) } else { Err("give the whole id: 64 of 0-9 and a-f".to_owned()) }
}

fn run_uid(text: &str) -> Result<String, String> {
    let is_uid = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if is_uid { Ok(text.to_owned()) } else { Err("give the uid of the ServiceBackup: a-z, 0-9 and -".to_owned()) }
}

/// Runs the subcommand of the command line.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() => return ended(Err(Failure::other(error.to_string()))),
        Err(help) => {
            let _ = help.print();
            return ExitCode::SUCCESS;
        }
    };
    if let Command::Receive { kind } = arguments.command {
        return receive::receive(&arguments.places.stream, kind);
    }
    match Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => ended(until_stopped(runtime, arguments)),
        Err(error) => ended(Err(Failure::other(format!("no runtime: {error}")))),
    }
}

fn until_stopped(runtime: Runtime, arguments: Arguments) -> Result<Outcome, Failure> {
    let outcome = runtime.block_on(async {
        let (asked, stop) = watch::channel(false);
        let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            return Err(Failure::other("signals cannot be received"));
        };
        tokio::spawn(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            let _ = asked.send(true);
        });
        let ends = Instant::now() + Duration::from_secs(arguments.deadline);
        let setting = Setting { restic: Restic::new(stop), ends, places: arguments.places };
        run(&setting, arguments.command).await
    });
    // A thread may still wait at a pipe where nobody comes.
    runtime.shutdown_background();
    outcome
}

async fn run(setting: &Setting, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Prepare(wanted) => prepare::prepare(setting, wanted).await,
        Command::Pipes(Pipes { kinds }) => pipes::make(&setting.places.stream, &kinds),
        Command::Files(wanted) => files::files(setting, wanted).await,
        Command::Receive { .. } => Err(Failure::other("receive: restic alone calls it")),
        Command::Stream(wanted) => stream::stream(setting, wanted).await,
        Command::Quiet(Pipes { kinds }) => quiet::quiet(setting, &kinds).await,
        Command::Secrets { run } => secrets::secrets(setting, &run).await,
        Command::Record { manifest_file } => record::record(setting, &manifest_file).await,
        Command::Records(wanted) => records::keep(setting, wanted).await,
        Command::Restore(wanted) => restore::restore(setting, wanted).await,
        Command::Feed { snapshot } => feed::feed(setting, &snapshot).await,
        Command::Compare { snapshot } => compare::compare(setting, &snapshot).await,
        Command::Manifest { snapshot } => {
            manifest::read(setting, &snapshot).await.map(|manifest| Outcome::Manifest { manifest: Box::new(manifest) })
        }
        Command::Forget(wanted) => forget::forget(setting, wanted).await,
        Command::Prune { keep_packs } => prune::prune(setting, keep_packs).await,
        Command::Check(wanted) => check::check(setting, wanted).await,
        Command::Copy(wanted) => copy::copy(setting, wanted).await,
        Command::Escrow(wanted) => escrow::escrow(setting, wanted).await,
        Command::Exit(wanted) => exit::exit(setting, wanted).await,
        Command::Seal(wanted) => exit::sealed(setting, wanted).await,
    }
}

/// What works with a repository by itself waits for every lock; one that nobody has renewed for half an hour is of
/// somebody who died, and restic never takes it for that by itself.
async fn without_stale_locks(setting: &Setting) -> Result<(), Failure> {
    setting.run(Call::new("unlock")).await.map(drop)
}

/// Says what came of it, in the report and in the log.
fn ended(outcome: Result<Outcome, Failure>) -> ExitCode {
    let shown = |failure: Failure| Failure::new(failure.reason, without_credentials(&failure.message));
    let outcome = match outcome {
        Ok(Outcome::Half { parts, failure }) => Outcome::half(parts, shown(failure)),
        Ok(outcome) => outcome,
        Err(failure) => Outcome::Failed(shown(failure)),
    };
    let has_failed = outcome.failure().is_some();
    if let Some(failure) = outcome.failure() {
        eprintln!("{failure}");
    }
    let path = std::env::var_os("COMMONSCLOUD_REPORT").map_or_else(|| PathBuf::from(TERMINATION_LOG), PathBuf::from);
    if let Err(error) = std::fs::write(&path, Report::new(outcome).write()) {
        eprintln!("{}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
