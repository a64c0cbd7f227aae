//! A pod's folders, a repository, and the program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::watch;

use commonscloud_backup::manifest::{Manifest, ManifestEntity, ManifestInstance};
use commonscloud_backup::report::{Failure, Outcome, Report, StoredPart};
use commonscloud_backup::restic::{Restic, Server};
use commonscloud_cluster::{Progress, tools};

pub use crate::noise::noise;

pub const RUN: &str = "00000000-0000-0000-0000-000000000001";

/// A tool of this repository, built once.
pub fn tool(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(tools::ensure(name, &source, &Progress::silent())).unwrap().program(name)
}

fn restic() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| tool("restic"))
}

/// What a pod of a run has.
pub struct Pod {
    folder: TempDir,
    repository: String,
    environment: Vec<(String, String)>,
    reports: AtomicU32,
    /// What the program is run by.
    before: Vec<&'static str>,
}

impl Pod {
    /// With a repository in a folder of its own.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["volumes", "stream", "secrets", "key", "cache"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("key/password"), "correct horse battery\n").unwrap();
        let repository = folder.path().join("repository").display().to_string();
        Self { folder, repository, environment: Vec::new(), reports: AtomicU32::new(0), before: Vec::new() }
    }

    /// With one elsewhere.
    pub fn at(repository: &str, environment: &[(&str, &str)]) -> Self {
        let mut pod = Self::new();
        repository.clone_into(&mut pod.repository);
        pod.environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        pod
    }

    /// Another pod of the same run: other folders, the same repository and key.
    pub fn next(&self) -> Self {
        let mut pod = Self::new();
        pod.repository.clone_from(&self.repository);
        pod.environment.clone_from(&self.environment);
        pod
    }

    /// As in a container that may have so much memory: what the program reads of its group.
    pub fn limited(mut self, bytes: u64) -> Self {
        self.environment.push(("GOMEMLIMIT".to_owned(), (bytes / 4 * 3).to_string()));
        self
    }

    /// As in a pod, where nobody may read what its file's mode keeps from him.
    pub fn without_privileges(mut self) -> Self {
        if rustix::process::geteuid().is_root() {
            self.before = vec!["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"];
        }
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders that it needs.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn with_environment(&self, mut command: Command) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", restic().parent().unwrap().display());
        command
            .env("PATH", path)
            .env("RESTIC_REPOSITORY", &self.repository)
            .env("RESTIC_PASSWORD_FILE", self.path("key/password"))
            .env("RESTIC_CACHE_DIR", self.path("cache"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// restic itself, as somebody with the key runs it.
    pub fn restic<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Output {
        self.with_environment(Command::new("restic")).args(arguments).current_dir(self.folder.path()).output().unwrap()
    }

    /// The repository, as somebody with its key opens it from a command line.
    pub fn opened(&self) -> Restic {
        let (_, stop) = watch::channel(false);
        let environment = BTreeMap::from([("RESTIC_CACHE_DIR".to_owned(), self.path("cache").display().to_string())]);
        let server = Server { program: Some(restic().to_owned()), environment, ..Server::default() };
        Restic::new(stop).at(&self.repository).with_password("correct horse battery").through(server)
    }

    /// Begins a subcommand.
    pub fn start<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Container {
        let report = self.path(&format!("report-{}", self.reports.fetch_add(1, Ordering::Relaxed)));
        let words = [&self.before[..], &[env!("CARGO_BIN_EXE_commonscloud-backup")]].concat();
        let mut command = self.with_environment(Command::new(words[0]));
        command.args(&words[1..]);
        command.env("COMMONSCLOUD_REPORT", &report);
        for place in ["volumes", "stream", "secrets"] {
            command.arg(format!("--{place}")).arg(self.path(place));
        }
        let child = command.args(arguments).spawn().unwrap();
        Container { child, report }
    }

    /// Runs a subcommand to its end.
    pub fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
        self.start(arguments).ended()
    }

    /// Makes the repository.
    pub fn prepared(&self) -> String {
        match self.run(["prepare"]) {
            Outcome::Prepared { repository, restic } => {
                assert_eq!(restic, "0.18.1", "the version of e2e/kubernetes/restic");
                repository
            }
            other => panic!("{other:?}"),
        }
    }

    /// The snapshots of a second pass.
    pub fn stored(&self) -> Vec<StoredPart> {
        parts(self.run(["files", "--run", RUN, "--tag", "files"]))
    }

    /// Records a backup of these parts.
    pub fn recorded(&self, parts: &[StoredPart]) -> Outcome {
        self.write("manifest.json", serde_json::to_string(&manifest(parts)).unwrap());
        let file = self.path("manifest.json").display().to_string();
        self.run(["record", "--manifest-file", &file])
    }

    /// A file at the target in this folder of the repository.
    pub fn stored_files(&self, folder: &str) -> Vec<PathBuf> {
        files_below(&Path::new(&self.repository).join(folder))
    }
}

/// All files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

/// Turns one bit of the largest pack in a repository's folder of data; gives the pack's name.
pub fn damage(data: &Path) -> String {
    let packs = files_below(data);
    let pack = packs.iter().max_by_key(|file| file.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(pack).unwrap();
    bytes[1000] ^= 1;
    std::fs::set_permissions(pack, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    std::fs::write(pack, bytes).unwrap();
    pack.file_name().unwrap().to_string_lossy().into_owned()
}

pub fn parts(outcome: Outcome) -> Vec<StoredPart> {
    match outcome {
        Outcome::Stored { parts } => parts,
        other => panic!("{other:?}"),
    }
}

pub fn failure(outcome: Outcome) -> Failure {
    outcome.failure().cloned().unwrap_or_else(|| panic!("{outcome:?}"))
}

pub fn manifest(parts: &[StoredPart]) -> Manifest {
    Manifest {
        version: 1,
        run: RUN.to_owned(),
        taken_at: "2026-11-30T01:02:03Z".parse().unwrap(),
        entity: ManifestEntity { name: "garden".to_owned(), uid: "u-1".to_owned() },
        instance: ManifestInstance {
            name: "wiki".to_owned(),
            kind: "DedicatedService".to_owned(),
            uid: "u-2".to_owned(),
        },
        versions: commonscloud_api::BackupVersions::default(),
        parts: parts.to_vec(),
        imported: false,
        volumes: std::collections::BTreeMap::new(),
    }
}

/// The program at work.
pub struct Container {
    child: Child,
    report: PathBuf,
}

impl Container {
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for its end, and reads its report.
    pub fn ended(mut self) -> Outcome {
        let status = self.child.wait().unwrap();
        let text = std::fs::read_to_string(&self.report).unwrap_or_default();
        let outcome = Report::read(&text).unwrap().outcome;
        let has_failed = outcome.failure().is_some();
        assert_eq!(status.code(), Some(i32::from(has_failed)), "{outcome:?}");
        outcome
    }

    /// The same, with the most memory that it and all that it started had at one time, in bytes.
    pub fn measured(mut self) -> (Outcome, u64) {
        let mut most = 0;
        while self.child.try_wait().unwrap().is_none() {
            let alive = descendants(self.id()).into_iter().chain([self.id()]);
            most = alive.filter_map(peak_of).sum::<u64>().max(most);
            std::thread::sleep(Duration::from_millis(20));
        }
        (self.ended(), most)
    }

    /// Whether it has a handler for this signal.
    pub fn listens_to(&self, signal: rustix::process::Signal) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
        u64::from_str_radix(caught, 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
    }

    /// Asks it to end, as a kubelet does.
    pub fn terminate(&self) {
        signal(self.id(), rustix::process::Signal::TERM);
    }

    /// Ends it and all that it started at once, as a kubelet does with a pod.
    pub fn kill(mut self) {
        let started = descendants(self.id());
        self.child.kill().unwrap();
        for id in started {
            signal(id, rustix::process::Signal::KILL);
        }
        self.child.wait().unwrap();
    }
}

pub fn signal(id: u32, signal: rustix::process::Signal) {
    let id = rustix::process::Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
    let _ = rustix::process::kill_process(id, signal);
}

/// The most memory that a process had, in bytes.
fn peak_of(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}

/// The children and theirs.
fn descendants(id: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|id| id.parse().ok()).collect();
    children.iter().flat_map(|id| descendants(*id)).chain(children.iter().copied()).collect()
}

/// Waits until it is so.
pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_mins(1), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
