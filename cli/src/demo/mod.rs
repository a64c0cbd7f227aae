//! `commonscloud demo`: a cluster on this machine with the operator and the services of `examples/`.
//!
//! ```text
//! images ─┐
//! cluster ┼─► install ─► manifests ─► waiting ─► services ─► volume, page ─► report
//! helm ───┘
//! ```

mod host_operator;
mod install;
mod manifests;
mod page;
mod report;
mod volume;
mod waiting;

use std::path::{Path, PathBuf};
use std::time::Duration;

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::images::BuiltImage;
use commonscloud_cluster::local::{self, Cluster, ClusterName, DEFAULT_NAME, NodeKind, UpOptions};
use commonscloud_cluster::{Progress, folders, images, tools};

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
        #[arg(long, default_value = DEFAULT_NAME)]
        name: ClusterName,
    },
}

#[derive(Debug, clap::Args)]
struct Up {
    /// Name of the cluster.
    #[arg(long, default_value = DEFAULT_NAME)]
    name: ClusterName,
    /// What the nodes are; real when root, else simulated.
    #[arg(long, value_enum)]
    node: Option<NodeKind>,
    /// The checkout with images/, charts/ and examples/; found from the current folder by default.
    #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
    source: Option<PathBuf>,
    /// Seconds that the services may take to become Ready.
    #[arg(long, default_value_t = 600)]
    wait: u64,
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
    let node = arguments.node.unwrap_or(if is_root() { NodeKind::Real } else { NodeKind::Simulated });
    let source = folders::source(arguments.source.as_deref())?;
    let progress = Progress::shown();
    if node == NodeKind::Simulated {
        progress.say(report::SIMULATED);
    }
    let (cluster, images, helm) = prepare(arguments, node, &source, &progress).await?;
    let client = local::client(&cluster.kubeconfig).await?;
    install::chart(&cluster, &images, &helm, &source, &progress).await?;
    if node == NodeKind::Simulated {
        host_operator::start(&cluster, &source, &progress).await?;
    }
    manifests::apply(&client, &cluster, &source, &progress).await?;
    waiting::until_ready(&client, Duration::from_secs(arguments.wait), &progress).await?;
    let services = services::all(&client).await?;
    let findings = report::look(&cluster, &services, &progress).await?;
    report::print(&cluster, &services, &findings);
    Ok(())
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Builds what is missing, side by side, and brings the cluster up with the images in it.
async fn prepare(
    arguments: &Up,
    node: NodeKind,
    source: &Path,
    progress: &Progress,
) -> Result<(Cluster, Vec<BuiltImage>, tools::Tool), Failure> {
    let mut options =
        UpOptions { name: arguments.name.clone(), node, images: Vec::new(), source: source.to_path_buf() };
    let build = async {
        match node {
            NodeKind::Real => images::build(&[], source, progress).await.map_err(Failure::from),
            // Nothing runs on simulated nodes.
            NodeKind::Simulated => Ok(Vec::new()),
        }
    };
    let cluster = async { local::up(&options, progress).await.map_err(Failure::from) };
    let helm = async { tools::ensure("helm", source, progress).await.map_err(Failure::from) };
    let (images, cluster, helm) = futures::try_join!(build, cluster, helm)?;
    if images.is_empty() {
        return Ok((cluster, images, helm));
    }
    let phase = progress.phase("images on the node");
    options.images = images.iter().map(|image| image.tar.clone()).collect();
    let cluster = local::up(&options, progress).await?;
    phase.done();
    Ok((cluster, images, helm))
}
