//! One call of restic: with a deadline of ours, and an end when this program is asked to end.

use std::ffi::OsString;
use std::fs::File;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::de::DeserializeOwned;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::password::Password;
use super::said::{NOT_READ, last_words, lines};
use super::server::Server;
use super::{exit, json, memory, target};
use crate::report::{Failure, FailureReason};

/// How long restic has to take its lock away before it is killed.
const TO_END: Duration = Duration::from_secs(8);
/// Variables that restic reads for its repository, and those for the one that it copies from.
const SOURCE: [(&str, &str); 2] =
    [("RESTIC_REPOSITORY", "RESTIC_FROM_REPOSITORY"), ("RESTIC_PASSWORD_FILE", "RESTIC_FROM_PASSWORD_FILE")];
/// What the repository of a service's exit packages is called by, after its own. No name of a service has a dot, so no
/// repository of backups is called so.
pub const PACKAGES: &str = ".exit";
/// The password of such a repository: everybody's. What protects is that each package is sealed.
pub const PACKAGES_PASSWORD: &str = "commonscloud-exit";
/// So often a call is made once more to hear why ssh ended: restic may end before it has repeated it.
const TO_HEAR: usize = 3;
/// Of all that it says.
const MOST_KEPT: usize = 256 << 20;

/// The arguments of a call, and what surrounds it.
#[derive(Debug)]
pub struct Call {
    arguments: Vec<OsString>,
    folder: Option<PathBuf>,
    output: Output,
    most: usize,
    tolerated: Option<i32>,
    hands_on: bool,
}

/// Where what restic writes goes.
#[derive(Debug, Default)]
pub enum Output {
    /// Into the answer, line by line.
    #[default]
    Lines,
    /// To this file or pipe.
    File(File),
}

/// What restic answered.
#[derive(Debug)]
pub struct Answer {
    lines: Vec<String>,
    /// That of a call which tolerates it.
    pub failure: Option<Failure>,
}

impl Call {
    /// A call of this subcommand.
    pub fn new(subcommand: &str) -> Self {
        Self {
            arguments: vec![subcommand.into()],
            folder: None,
            output: Output::default(),
            most: MOST_KEPT,
            tolerated: None,
            hands_on: false,
        }
    }

    /// A call of this subcommand, which only reads: the lock of one that died does not stop it.
    pub fn reading(subcommand: &str) -> Self {
        Self::new(subcommand).arg("--no-lock")
    }

    /// One argument more.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Arguments more.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Where it runs: what is backed up by a relative path has this path in the snapshot.
    #[must_use]
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Where its output goes.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = output;
        self
    }

    /// At most so many bytes are an answer.
    #[must_use]
    pub fn most(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self
    }

    /// With this exit code there is an answer all the same.
    #[must_use]
    pub fn tolerates(mut self, code: i32) -> Self {
        self.tolerated = Some(code);
        self
    }

    /// What it starts finds the repository of the environment as the one that is copied from.
    #[must_use]
    pub fn hands_on(self) -> Self {
        Self { hands_on: true, ..self }
    }

    /// The same once more; none where its output went somewhere.
    fn again(&self) -> Option<Self> {
        let (arguments, folder) = (self.arguments.clone(), self.folder.clone());
        let (most, tolerated, hands_on) = (self.most, self.tolerated, self.hands_on);
        let Output::Lines = self.output else { return None };
        Some(Self { arguments, folder, output: Output::Lines, most, tolerated, hands_on })
    }

    fn name(&self) -> String {
        self.arguments.first().map(|first| first.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

impl Answer {
    /// An answer of these lines, for tests.
    pub fn of(lines: &[&str]) -> Self {
        Self { lines: lines.iter().map(|line| (*line).to_owned()).collect(), failure: None }
    }

    /// The last line of this type.
    ///
    /// # Errors
    /// When restic said nothing like it.
    pub fn last<T: DeserializeOwned>(&self, message_type: &str) -> Result<T, Failure> {
        json::last(&self.lines, message_type).ok_or_else(|| {
            Failure::other(format!(
                "restic ended well and wrote no {message_type:?}: not the version that is built in?"
            ))
        })
    }

    /// All lines of this type.
    pub fn all<T: DeserializeOwned>(&self, message_type: &str) -> impl Iterator<Item = T> {
        self.lines.iter().filter_map(move |line| json::of_type(line, message_type))
    }

    /// All of it as one document.
    ///
    /// # Errors
    /// When it is another one.
    pub fn document<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(&self.text())
            .map_err(|error| Failure::other(format!("restic answered something else than expected: {error}")))
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// restic, until somebody asks this program to end.
#[derive(Clone, Debug)]
pub struct Restic {
    stop: watch::Receiver<bool>,
    password: Option<Password>,
    repository: Option<String>,
    is_source: bool,
    is_of_packages: bool,
    server: Server,
}

/// How a wait ended.
enum End {
    Ended(std::io::Result<ExitStatus>),
    Deadline,
    Stopped,
}

impl Restic {
    /// As in a Job's container, whose environment names the repository. `stop` turns true when this program is asked
    /// to end.
    pub fn new(stop: watch::Receiver<bool>) -> Self {
        let server = Server::default();
        Self { stop, password: None, repository: None, is_source: false, is_of_packages: false, server }
    }

    /// The same, until somebody asks by this.
    #[must_use]
    pub fn until(self, stop: watch::Receiver<bool>) -> Self {
        Self { stop, ..self }
    }

    /// The same, with this password instead of the one in the environment.
    #[must_use]
    pub fn with_password(self, password: &str) -> Self {
        Self { password: Some(Password(password.to_owned())), ..self }
    }

    /// The same, for somebody outside of a Job: another repository than that of the environment, which is reached as
    /// [`Restic::through`] says, else as restic by itself reaches it.
    #[must_use]
    pub fn at(self, repository: &str) -> Self {
        Self { repository: Some(repository.to_owned()), ..self }
    }

    /// The same, with the repository that is copied from, as the Job's environment names it.
    #[must_use]
    pub fn source(self) -> Self {
        Self { is_source: true, ..self }
    }

    /// The same, with the repository of exit packages beside the one that the Job's environment names.
    #[must_use]
    pub fn packages(self) -> Self {
        Self { is_of_packages: true, ..self.with_password(PACKAGES_PASSWORD) }
    }

    /// The same, for somebody outside of a Job: with what reaches the server.
    #[must_use]
    pub fn through(self, server: Server) -> Self {
        Self { server, ..self }
    }

    /// Turns ready when this program is asked to end.
    pub async fn stopped(&self) {
        let mut stop = self.stop.clone();
        if stop.wait_for(|stop| *stop).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }

    /// Runs restic to its end, at most until the deadline.
    ///
    /// # Errors
    /// Whatever kept it from doing what it was called for.
    pub async fn run(&self, call: Call, deadline: Duration) -> Result<Answer, Failure> {
        let mut again = call.again();
        let mut ran = self.ran(call, deadline).await;
        for _ in 0..TO_HEAR {
            let is_unheard = ran.as_ref().is_err_and(exit::is_unheard);
            let Some(call) = again.take_if(|_| is_unheard) else { break };
            again = call.again();
            ran = self.ran(call, deadline).await;
        }
        let secrets: Vec<String> =
            self.password.iter().map(|Password(text)| text.clone()).chain(self.server.secrets()).collect();
        ran.map_err(|failure| Failure::new(failure.reason, exit::hidden(&failure.message, &secrets)))
    }

    async fn ran(&self, call: Call, deadline: Duration) -> Result<Answer, Failure> {
        let name = call.name();
        let (tolerated, most) = (call.tolerated, call.most);
        let mut child = self.start(call)?;
        let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let lines = child.stdout.take().map(|stdout| tokio::spawn(lines(stdout, most)));
        let words = child.stderr.take().map(|stderr| tokio::spawn(last_words(stderr)));
        let end = tokio::select! {
            status = child.wait() => End::Ended(status),
            () = tokio::time::sleep(deadline) => End::Deadline,
            () = self.stopped() => End::Stopped,
        };
        if !matches!(end, End::Ended(_)) {
            end_group(group, &mut child).await;
        }
        // What restic started may have outlived it.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        let lines = match lines {
            Some(reading) => collected(reading).await.unwrap_or_else(|| Err(NOT_READ.to_owned())),
            None => Ok(Vec::new()),
        };
        let words = match words {
            Some(reading) => collected(reading).await.unwrap_or_default(),
            None => String::new(),
        };
        let failure = match end {
            End::Stopped => {
                return Err(Failure::new(FailureReason::Interrupted, format!("restic {name}: asked to end")));
            }
            End::Deadline => return Err(exit::late(&name, deadline, &words)),
            End::Ended(Err(error)) => return Err(Failure::other(format!("restic {name}: {error}"))),
            End::Ended(Ok(status)) if status.success() => None,
            End::Ended(Ok(status)) => match exit::failure(&name, status, &words) {
                failure if tolerated.is_some() && status.code() == tolerated => Some(failure),
                failure => return Err(failure),
            },
        };
        let lines = lines.map_err(|flaw| Failure::other(format!("restic {name}: {flaw}")))?;
        Ok(Answer { lines, failure })
    }

    fn start(&self, call: Call) -> Result<Child, Failure> {
        let mut command = Command::new(self.server.program());
        command.arg("--json");
        match &self.repository {
            Some(repository) => {
                command.env_remove("RESTIC_REPOSITORY_FILE").env("RESTIC_REPOSITORY", repository);
                command.args(&self.server.options).envs(&self.server.environment);
            }
            None => {
                command.args(target::options()).envs(target::environment()?);
            }
        }
        self.elsewhere(&mut command, call.hands_on);
        command.args(&call.arguments);
        // Nobody looks at its progress.
        command.env("RESTIC_PROGRESS_FPS", "0.01");
        // What makes a package is a restic as well.
        let among = if self.is_of_packages { 2 } else { 1 };
        if let (None, Some(limit)) = (std::env::var_os("GOMEMLIMIT"), memory::limit(among)) {
            command.env("GOMEMLIMIT", limit);
        }
        // It collects what it sends in files, and the container may have nothing else that is writable.
        if let (None, Some(cache)) = (std::env::var_os("TMPDIR"), std::env::var_os("RESTIC_CACHE_DIR")) {
            command.env("TMPDIR", cache);
        }
        if let Some(Password(password)) = &self.password {
            for other in ["RESTIC_PASSWORD_FILE", "RESTIC_PASSWORD_COMMAND", "RESTIC_KEY_HINT"] {
                command.env_remove(other);
            }
            command.env("RESTIC_PASSWORD", password);
        }
        if let Some(folder) = &call.folder {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        match call.output {
            Output::Lines => command.stdout(Stdio::piped()),
            Output::File(file) => command.stdout(file),
        };
        command.spawn().map_err(|error| Failure::other(format!("restic cannot be started: {error}")))
    }
}

impl Restic {
    /// Another repository than that of the Job's environment.
    fn elsewhere(&self, command: &mut Command, hands_on: bool) {
        let given = |variable: &str| std::env::var_os(variable).unwrap_or_default();
        if self.is_source {
            command.envs(SOURCE.map(|(variable, source)| (variable, given(source)))).env_remove("RESTIC_PASSWORD");
        }
        if hands_on {
            // `init` takes none but to copy its chunker.
            command.envs(SOURCE.map(|(variable, source)| (source, given(variable))));
        }
        if self.is_of_packages {
            let mut packages = given("RESTIC_REPOSITORY");
            packages.push(PACKAGES);
            command.env("RESTIC_REPOSITORY", packages);
        }
    }
}

/// Asks restic and what it started to end, then makes it.
async fn end_group(group: Option<Pid>, child: &mut Child) {
    let ask = |signal: Signal| group.map(|group| kill_process_group(group, signal));
    let _ = ask(Signal::TERM);
    if timeout(TO_END, child.wait()).await.is_err() {
        let _ = ask(Signal::KILL);
        let _ = child.wait().await;
    }
}

/// What a reading task has, once restic is gone; nothing when it did not come to its end.
async fn collected<T>(reading: JoinHandle<T>) -> Option<T> {
    timeout(TO_END, reading).await.ok().and_then(Result::ok)
}
