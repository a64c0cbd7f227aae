//! The programs that scenarios run: the project's own, freshly built, and helm.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::{cargo, folders, tools};
use tokio::sync::OnceCell;

use crate::failure::{Failure, Outcome};

/// Where the programs are.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The source tree.
    pub source: PathBuf,
    /// The administrator's tool.
    pub commonscloud: PathBuf,
    /// The operator, built for release as the one in its image, as a program of this machine.
    pub operator: PathBuf,
    /// Helm.
    pub helm: PathBuf,
}

/// Built once in a run.
static BUILT: OnceCell<Programs> = OnceCell::const_new();

impl Programs {
    /// Builds what is not built yet.
    ///
    /// The programs that run are links of this run's own, so that a build in the same checkout
    /// meanwhile takes nothing away from a cluster that runs.
    ///
    /// # Errors
    /// When a build fails: its last lines.
    pub async fn build() -> Outcome<&'static Self> {
        BUILT.get_or_try_init(build).await
    }

    /// Removes this run's links, after the last use.
    pub fn forget() {
        if let Some(folder) = BUILT.get().and_then(|programs| programs.operator.parent()) {
            // A link that stays costs a little room until the next `cargo clean`.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

async fn build() -> Outcome<Programs> {
    let source = folders::source(None)?;
    let here = target_folder()?;
    let mut cargo = cargo::command();
    cargo.args(["build", "--quiet", "--bins", "-p", "commonscloud-cli"]);
    if let Some(profile) = here.file_name().filter(|name| *name != "debug") {
        cargo.arg("--profile").arg(profile);
    }
    if let Some(target) = here.parent() {
        cargo.arg("--target-dir").arg(target);
    }
    cargo.arg("--manifest-path").arg(source.join("Cargo.toml")).stdin(Stdio::null());
    let built = tokio::process::Command::from(cargo).output().await?;
    crate::ensure!(built.status.success(), "cargo build: {}", String::from_utf8_lossy(&built.stderr));
    let own = here.join(format!("e2e-{}", std::process::id()));
    std::fs::create_dir_all(&own)?;
    let linked = |program: &Path| -> Outcome<PathBuf> {
        let link = own.join(program.file_name().unwrap_or_default());
        std::fs::hard_link(program, &link)?;
        Ok(link)
    };
    let helm = tools::ensure("helm", &source, &Progress::shown()).await?.program("helm");
    // Another operator may be put to the test: an older one, or one with a fault.
    let operator = match std::env::var_os("COMMONSCLOUD_OPERATOR") {
        Some(given) => PathBuf::from(given),
        None => linked(&cargo::release("commonscloud-operator", &source)?)?,
    };
    Ok(Programs { commonscloud: linked(&here.join("commonscloud"))?, operator, helm, source })
}

/// The folder of this build's profile: this very program is in its `deps`.
fn target_folder() -> Outcome<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().and_then(Path::parent);
    folder.map(Path::to_path_buf).ok_or_else(|| Failure::new("this test is not run by cargo"))
}
