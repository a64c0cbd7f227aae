//! Which processes make up a cluster, in which order they start, and how one knows they are ready.
//! `up` writes the plan, the supervisor carries it out and reports.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Everything the supervisor is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The cluster's folder.
    pub(super) folder: PathBuf,
    /// How the node's namespaces are furnished; none on a simulated cluster.
    pub(super) node: Option<super::real::Furnishing>,
    pub(super) processes: Vec<Process>,
}

/// One process, restarted whenever it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Process {
    /// Its name, in the log's file name and in errors.
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    /// Environment besides the supervisor's own.
    pub(super) environment: Vec<(String, String)>,
    /// Processes that must be ready before this one is started.
    pub(super) after: Vec<String>,
    pub(super) ready: Ready,
}

/// When a process counts as ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Ready {
    /// As soon as it runs.
    Started,
    /// When a TCP connection is accepted.
    Port(SocketAddr),
    /// When a connection to this Unix socket is accepted.
    Socket(PathBuf),
    /// When `/readyz` of the API server in this kubeconfig answers 200.
    ApiServer(PathBuf),
}

impl Process {
    /// A process that starts at once and is ready when it runs.
    pub(super) fn new(name: &str, program: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            after: Vec::new(),
            ready: Ready::Started,
        }
    }

    /// Adds `--name=value`.
    pub(super) fn flag(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.arguments.push(format!("--{name}={value}"));
        self
    }

    /// Adds `--name=path`.
    pub(super) fn file(self, name: &str, path: &Path) -> Self {
        self.flag(name, path.display())
    }

    /// Adds an argument as it is.
    pub(super) fn argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(super) fn environment(mut self, name: &str, value: impl Into<String>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn after(mut self, name: &str) -> Self {
        self.after.push(name.to_owned());
        self
    }

    pub(super) fn ready(mut self, ready: Ready) -> Self {
        self.ready = ready;
        self
    }
}

/// What the supervisor says about its processes, in `report.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Same order as in the plan.
    pub processes: Vec<ProcessReport>,
}

/// How one process is doing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessReport {
    /// Its name.
    pub name: String,
    /// Its pid, in the node's pid namespace if it has one; none while it does not run.
    pub pid: Option<u32>,
    /// Whether it was ready since it last started.
    pub ready: bool,
    /// How often it ended and was started again.
    pub restarts: u32,
    /// How it ended the last time.
    pub last_exit: Option<String>,
}

impl Report {
    /// Whether all processes run and were ready.
    pub fn is_ready(&self) -> bool {
        !self.processes.is_empty() && self.processes.iter().all(|process| process.ready)
    }
}

/// Where a process writes its output.
pub(super) fn log(folder: &Path, process: &str) -> PathBuf {
    folder.join("logs").join(format!("{process}.log"))
}
