//! `commonscloud demo`: a cluster on this machine with the operator and the services of `examples/`.
//!
//! ```text
//! operated (cluster, operator) ─► manifests ─► waiting, backup ─► services ─► volume, page ─► report
//! ```

mod backup;
mod manifests;
mod page;
mod report;
mod volume;

use std::path::PathBuf;
use std::time::Duration;

use commonscloud_cluster::command::{CLUSTER_VARIABLE, Failure, duration};
use commonscloud_cluster::local::{self, ClusterName, DEFAULT_NAME, NodeKind};
use commonscloud_cluster::{Progress, folders, images};

use crate::operated::{self, Wanted, backups, waiting};
use crate::services;

/// Show it all on this machine: a Kubernetes, the operator, and the services of examples/.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring the demo up, or find it up, and show what it made.
    Up(Up),
    /// Remove the demo and everything that belongs to it.
    Down {
        /// Name of the cluster.
        #[arg(long, env = CLUSTER_VARIABLE, default_value = DEFAULT_NAME)]
        name: ClusterName,
    },
}

#[derive(Debug, clap::Args)]
struct Up {
    /// Name of the cluster.
    #[arg(long, env = CLUSTER_VARIABLE, default_value = DEFAULT_NAME)]
    name: ClusterName,
    /// What the nodes are; absent: as they are, and in a new cluster real when root, else simulated.
    #[arg(long, value_enum)]
    node: Option<NodeKind>,
    /// The checkout with images/, charts/ and examples/; found from the current folder by default.
    #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
    source: Option<PathBuf>,
    /// How long the services may take to become Ready, such as 90s or 10m.
    #[arg(long, value_parser = duration, default_value = "10m")]
    wait: Duration,
}

/// Runs the command.
///
/// # Errors
/// What failed, with what to do.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Up(arguments) => up(&arguments).await,
        Command::Down { name } => Ok(local::down(&name).await?),
    }
}

async fn up(arguments: &Up) -> Result<(), Failure> {
    let node = local::node_kind(&arguments.name, arguments.node)?;
    let source = folders::source(arguments.source.as_deref())?;
    let progress = Progress::shown();
    if node == NodeKind::Simulated {
        progress.say(report::SIMULATED);
    }
    let images = images::beyond_tests(&source)?;
    let wanted = Wanted { name: &arguments.name, node, images, source: &source };
    let operated = operated::up(&wanted, &progress).await?;
    let key = backups::key(&operated.cluster)?;
    manifests::apply(&operated, &source, key.as_ref(), &progress).await?;
    // The smallest service is Ready long before the others.
    let prove = async {
        let key = key.as_ref()?;
        Some(backup::text(key, &backup::prove(&operated.client, arguments.wait, &progress).await))
    };
    let ready = waiting::until_ready(&operated.client, None, arguments.wait, &progress);
    let (ready, proven) = tokio::join!(ready, prove);
    ready?;
    let services = services::all(&operated.client).await?;
    let findings = report::look(&operated.cluster, &services, &progress).await?;
    report::print(&operated.cluster, &services, &findings, proven.as_deref());
    Ok(())
}
