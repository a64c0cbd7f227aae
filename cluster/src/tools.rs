//! The Go programs a cluster is made of, each built once from its pinned module and kept by digest.
//!
//! `e2e/kubernetes/TOOL/` holds `go.mod` and `go.sum` (of a program in Python `requirements.txt`, in Java `pom.xml`, of one
//! that is Debian's `packages.txt`) and an executable `build`, which fills the folder it is given with `bin/` and `share/`. The digest covers that
//! folder and the compiler's version, so a finished build is never looked at again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::folders;
use crate::progress::Progress;

/// Names a folder that is used as it is (`DIR/TOOL/bin`): for work on the tools themselves.
pub const TOOLS_DIR: &str = "COMMONSCLOUD_TOOLS_DIR";

/// Where the source tree has a folder for each tool.
const RECIPES: &str = "e2e/kubernetes";

/// Tools that no cluster is made of: built when an image, a test or the benchmark asks for them by name. They keep
/// the versions of their own releases, as they are to be what their authors publish.
const APART: [&str; 10] = [
    "argocd-health",
    "checkov",
    "keycloak",
    "kro",
    "kubeconform",
    "mailpit",
    "promtool",
    "rest-server",
    "restic",
    "versitygw",
];

/// Why a tool is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The cache folder is not known.
    #[error(transparent)]
    Folder(#[from] folders::Error),
    /// The tool has no folder in the source tree.
    #[error("no tool {tool}: {folder} has no build, or none of go.mod, requirements.txt, pom.xml and packages.txt")]
    Unknown {
        /// Name of the tool.
        tool: String,
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// Go is missing.
    #[error("go cannot be run ({0}): install Go 1.26 or newer and put it on the PATH")]
    NoGo(io::Error),
    /// This is no Debian.
    #[error("dpkg cannot be run ({0}): what is of a Debian package needs Debian")]
    NoDebian(io::Error),
    /// Python is missing.
    #[error("python3 cannot be run ({0}): install Debian's python3 and python3-pip")]
    NoPython(io::Error),
    /// Maven is missing.
    #[error("mvn cannot be run ({0}): install Debian's maven")]
    NoMaven(io::Error),
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The build script failed.
    #[error("building {tool} failed ({status}); the end of {log}:\n{tail}")]
    Build {
        /// Name of the tool.
        tool: String,
        /// How the script ended.
        status: String,
        /// The whole output.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
}

/// A tool that is built: programs in `bin`, other files in `share`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    folder: PathBuf,
}

impl Tool {
    /// Path of one of its programs.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join("bin").join(name)
    }

    /// Path of one of its other files.
    pub fn share(&self, name: &str) -> PathBuf {
        self.folder.join("share").join(name)
    }
}

/// The names of all tools of clusters that `source` describes, sorted; those that stand apart are left out.
///
/// # Errors
/// When `source` has no readable folder of tools.
pub fn names(source: &Path) -> Result<Vec<String>, Error> {
    let folder = source.join(RECIPES);
    let failed = |source| Error::File { path: folder.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if let (true, Some(name)) = (path.join("build").is_file(), path.file_name()) {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.retain(|name| !APART.contains(&name.as_str()));
    names.sort();
    Ok(names)
}

/// Finds the tool built, or builds it.
///
/// One tool is built at a time, whichever process wants it: the compiler keeps all cores busy by itself,
/// and what tools share (docs/decisions, 2026-11-28) is compiled by the first of them only.
///
/// # Errors
/// When the tool is unknown, Go is missing, or its build fails: with the last lines of output.
pub async fn ensure(tool: &str, source: &Path, progress: &Progress) -> Result<Tool, Error> {
    if let Some(folder) = std::env::var_os(TOOLS_DIR) {
        return Ok(Tool { folder: PathBuf::from(folder).join(tool) });
    }
    let recipe = source.join(RECIPES).join(tool);
    let digest = digest(tool, &recipe).await?;
    let tools = folders::cache()?.join("tools");
    let folder = tools.join(format!("{tool}-{digest}"));
    if folder.is_dir() {
        return Ok(Tool { folder });
    }
    std::fs::create_dir_all(&tools).map_err(|source| Error::File { path: tools.clone(), source })?;
    let lock = lock(&tools.join(".lock")).await?;
    if !folder.is_dir() {
        let phase = progress.phase(format!("build {tool}"));
        build(tool, &recipe, &folder, lock).await?;
        phase.done();
    }
    Ok(Tool { folder })
}

async fn lock(path: &Path) -> Result<File, Error> {
    let path = path.to_path_buf();
    let failed = |source| Error::File { path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    tokio::task::spawn_blocking(move || file.lock().map(|()| file))
        .await
        .map_err(|error| failed(io::Error::other(error)))?
        .map_err(failed)
}

/// The script inherits the lock as its standard input: should this process be killed, the next one
/// waits until the script that was left behind has ended, and then begins afresh.
async fn build(tool: &str, recipe: &Path, folder: &Path, lock: File) -> Result<(), Error> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| Error::File { path, source }
    };
    let unfinished = folder.with_extension("unfinished");
    // A build that was killed leaves this behind; the lock says that nobody is at it now.
    let _ = std::fs::remove_dir_all(&unfinished);
    std::fs::create_dir_all(&unfinished).map_err(failed(&unfinished))?;
    let log = folder.with_extension("log");
    let output = File::create(&log).map_err(failed(&log))?;
    let status = Command::new("./build")
        .arg(&unfinished)
        .current_dir(recipe)
        .stdin(lock.try_clone().map_err(failed(&log))?)
        .stdout(output.try_clone().map_err(failed(&log))?)
        .stderr(output)
        .kill_on_drop(true)
        .status()
        .await
        .map_err(failed(&recipe.join("build")))?;
    if !status.success() {
        let tail = last_lines(&std::fs::read_to_string(&log).unwrap_or_default(), 15);
        return Err(Error::Build { tool: tool.to_owned(), status: status.to_string(), log, tail });
    }
    std::fs::rename(&unfinished, folder).map_err(failed(&unfinished))
}

/// The last `count` lines of `text`.
pub(crate) fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

async fn digest(tool: &str, recipe: &Path) -> Result<String, Error> {
    let has = |name: &str| recipe.join(name).is_file();
    let version = match (has("build"), has("go.mod"), has("requirements.txt")) {
        (true, true, _) => Command::new("go").arg("version").output().await.map_err(Error::NoGo)?,
        (true, false, true) => Command::new("python3").arg("--version").output().await.map_err(Error::NoPython)?,
        (true, false, false) if has("pom.xml") => {
            Command::new("mvn").args(["--batch-mode", "--version"]).output().await.map_err(Error::NoMaven)?
        }
        (true, false, false) if has("packages.txt") => {
            Command::new("dpkg").arg("--print-architecture").output().await.map_err(Error::NoDebian)?
        }
        _ => return Err(Error::Unknown { tool: tool.to_owned(), folder: recipe.to_path_buf() }),
    };
    let mut hash = Sha256::new();
    hash.update(&version.stdout);
    for (name, path) in files_below(recipe)? {
        let content = std::fs::read(&path).map_err(|source| Error::File { path, source })?;
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(&content);
    }
    let digest = hash.finalize();
    Ok(digest.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}")))
}

/// Names below `folder`, with their paths, sorted.
fn files_below(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(current) = folders.pop() {
        let failed = |source| Error::File { path: current.clone(), source };
        for entry in std::fs::read_dir(&current).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap_or(&path).to_string_lossy().into_owned();
                files.push((name, path));
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn recipe(build: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("go.mod"), "module x\n").unwrap();
        std::fs::write(folder.path().join("build"), build).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path().join("build"), mode).unwrap();
        folder
    }

    /// Kubernetes is what is under test: it keeps the versions of its release.
    #[test]
    fn what_the_other_tools_share_has_one_version() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut asked: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for tool in names(&source).unwrap().into_iter().filter(|tool| tool != "kubernetes") {
            let modules = std::fs::read_to_string(source.join(RECIPES).join(&tool).join("go.mod")).unwrap();
            let required = modules.lines().take_while(|line| !line.starts_with("replace"));
            for words in required.map(|line| line.split_whitespace().collect::<Vec<_>>()) {
                if let [module, version, "//", "indirect"] = words[..] {
                    asked.entry(module.to_owned()).or_default().insert(tool.clone(), version.to_owned());
                }
            }
        }
        assert!(asked["k8s.io/client-go"].len() > 5, "the files were not read: {asked:?}");
        asked.retain(|_, versions| versions.values().any(|version| Some(version) != versions.values().next()));
        assert!(asked.is_empty(), "`go get` the newest of each in the others' folders: {asked:#?}");
    }

    #[test]
    fn what_no_cluster_runs_is_not_built_for_clusters() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let names = names(&source).unwrap();
        for tool in APART {
            assert!(source.join(RECIPES).join(tool).join("build").is_file(), "{tool} has no recipe");
            assert!(!names.iter().any(|name| name == tool), "{names:?}");
        }
    }

    #[tokio::test]
    async fn the_digest_changes_with_any_file() {
        let folder = recipe("#!/bin/sh\n");
        let before = digest("x", folder.path()).await.unwrap();
        assert_eq!(before, digest("x", folder.path()).await.unwrap());
        std::fs::write(folder.path().join("go.sum"), "").unwrap();
        assert_ne!(before, digest("x", folder.path()).await.unwrap());
    }

    #[tokio::test]
    async fn a_failed_build_shows_its_last_lines_and_leaves_no_tool() {
        let folder = recipe("#!/bin/sh\necho no such module\nexit 3\n");
        let out = tempfile::tempdir().unwrap();
        let target = out.path().join("x-1");
        let error = build("x", folder.path(), &target, tempfile::tempfile().unwrap()).await.unwrap_err().to_string();
        assert!(error.contains("no such module") && error.contains('3'), "{error}");
        assert!(!target.exists());
    }

    #[tokio::test]
    async fn what_a_killed_build_left_is_not_taken_for_a_tool() {
        let folder = recipe("#!/bin/sh\nmkdir -p $1/bin && echo new > $1/bin/x\n");
        let out = tempfile::tempdir().unwrap();
        let target = out.path().join("x-1");
        std::fs::create_dir_all(target.with_extension("unfinished").join("bin/stale")).unwrap();
        build("x", folder.path(), &target, tempfile::tempfile().unwrap()).await.unwrap();
        assert!(target.join("bin/x").is_file() && !target.join("bin/stale").exists());
    }
}
