//! `commonscloud template test --run` on a node of its own: what packages say of backups is done, and not only read.

use std::path::Path;
use std::sync::Arc;

use commonscloud_e2e::cluster::{self, commonscloud};
use commonscloud_e2e::programs::Programs;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure};

use crate::package::MEDIAWIKI;
use crate::tier::Node;

/// The cluster's name.
pub const CLUSTER: &str = "test-node-tried";

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("packages are backed up and restored by template test --run", brought_back).apart().sampled()]
}

async fn brought_back(_: Arc<Node>) -> Outcome {
    all_brought_back().await.and(cluster::down(CLUSTER).await)
}

/// The package that `template new` makes, and one with a database.
async fn all_brought_back() -> Outcome {
    let programs = Programs::build().await?;
    let folder = tempfile::tempdir()?;
    let (calendar, wiki) = (folder.path().join("agenda"), folder.path().join("mediawiki.yaml"));
    let made = calendar.display().to_string();
    commonscloud(programs, &["template", "new", &made]).await?;
    std::fs::copy(programs.source.join(MEDIAWIKI), &wiki)?;
    let files = "its files by their hashes";
    for (package, compared) in [(&calendar, files.to_owned()), (&wiki, format!("{files}, its dump by verify"))] {
        let said = tried(programs, package).await?;
        let expected = format!("restored in place and equal: {compared}; down for ");
        ensure!(said.contains(&expected), "it does not say {expected:?}:\n{said}");
    }
    Ok(())
}

async fn tried(programs: &Programs, package: &Path) -> Outcome<String> {
    let (name, package) = (cluster::in_this_run(CLUSTER), package.display().to_string());
    let words = ["template", "test", &package, "--update", "--run", "--node", "real", "--cluster", &name];
    commonscloud(programs, &words).await
}
