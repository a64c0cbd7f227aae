//! The programs that scenarios run: the project's own, freshly built for release, and helm.

use std::path::{Path, PathBuf};

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
    /// The operator, the one of its image, as a program of this machine.
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
        if let Some(folder) = BUILT.get().and_then(|programs| programs.commonscloud.parent()) {
            // A link that stays costs a little room until the next `cargo clean`.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

async fn build() -> Outcome<Programs> {
    let source = folders::source(None)?;
    let own = target_folder()?.join(format!("e2e-{}", std::process::id()));
    std::fs::create_dir_all(&own)?;
    let linked = |program: &Path| -> Outcome<PathBuf> {
        let link = own.join(program.file_name().unwrap_or_default());
        std::fs::hard_link(program, &link)?;
        Ok(link)
    };
    let commonscloud = linked(&cargo::release("commonscloud", &source)?)?;
    // Another operator may be put to the test: an older one, or one with a fault.
    let operator = match std::env::var_os("COMMONSCLOUD_OPERATOR") {
        Some(given) => PathBuf::from(given),
        None => linked(&cargo::release("commonscloud-operator", &source)?)?,
    };
    let helm = tools::ensure("helm", &source, &Progress::shown()).await?.program("helm");
    Ok(Programs { source, commonscloud, operator, helm })
}

/// The folder of this build's profile: this very program is in its `deps`.
fn target_folder() -> Outcome<PathBuf> {
    let program = std::env::current_exe()?;
    let folder = program.parent().and_then(Path::parent);
    folder.map(Path::to_path_buf).ok_or_else(|| Failure::new("this test is not run by cargo"))
}
