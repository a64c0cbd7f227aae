//! `commonscloud cluster …`

use std::path::PathBuf;

use serde::Serialize;

use super::{Failure, Output, print, print_json};
use crate::folders;
use crate::local::{self, Cluster, ClusterName, DEFAULT_NAME, NodeKind, Status, UpOptions};
use crate::progress::{Progress, Timing};

/// Bring up a Kubernetes cluster on this machine, and take it away.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Bring a cluster up, or find it up.
    Up(Up),
    /// Remove a cluster and everything that belongs to it.
    Down(Named),
    /// How a cluster is doing; all clusters without --name. Fails when one is not healthy.
    Status(Shown),
    /// Print the path of the administrator's kubeconfig.
    Kubeconfig(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// Name of the cluster.
    #[arg(long, default_value = DEFAULT_NAME)]
    name: ClusterName,
}

#[derive(Debug, clap::Args)]
struct Shown {
    /// Name of the cluster.
    #[arg(long)]
    name: Option<ClusterName>,
    /// Form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct Up {
    /// On this machine; the only provider there is so far, and the default.
    #[arg(long)]
    local: bool,
    #[command(flatten)]
    named: Named,
    /// What the nodes are; real when root, else simulated.
    #[arg(long, value_enum)]
    node: Option<NodeKind>,
    /// An OCI image, as a tar, that the node is to have; may be repeated.
    #[arg(long = "image", value_name = "TAR")]
    images: Vec<PathBuf>,
    /// The checkout that tools and images are built from; found from the current folder by default.
    #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
    source: Option<PathBuf>,
    /// Form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

/// Runs the command.
///
/// # Errors
/// What the command failed with, to be shown.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Up(arguments) => up(arguments).await,
        Command::Down(arguments) => Ok(local::down(&arguments.name).await?),
        Command::Status(arguments) => status(arguments).await,
        Command::Kubeconfig(arguments) => kubeconfig(&arguments.name),
    }
}

/// What `up --output json` prints.
#[derive(Serialize)]
struct UpResult {
    #[serde(flatten)]
    cluster: Cluster,
    timings: Vec<Timing>,
}

async fn up(arguments: Up) -> Result<(), Failure> {
    let root = nix::unistd::geteuid().is_root();
    let node = arguments.node.unwrap_or(if root { NodeKind::Real } else { NodeKind::Simulated });
    let options = UpOptions {
        name: arguments.named.name,
        node,
        images: arguments.images,
        source: folders::source(arguments.source.as_deref())?,
    };
    let progress = Progress::shown();
    if arguments.node.is_none() && !root {
        progress.say("Not root: the nodes are simulated. Pods are said to run, and nothing runs in them.");
    }
    let cluster = local::up(&options, &progress).await?;
    match arguments.output {
        Output::Json => print_json(&UpResult { cluster, timings: progress.timings() }),
        Output::Text => {
            print(&format!("Cluster {} is up. Use it with\n", cluster.name));
            print(&format!("    export KUBECONFIG={}", cluster.kubeconfig.display()));
            print(&format!("    {} get nodes", cluster.kubectl.display()));
            Ok(())
        }
    }
}

async fn status(arguments: Shown) -> Result<(), Failure> {
    let names = match &arguments.name {
        Some(name) => vec![name.clone()],
        None => local::list()?,
    };
    let mut found = Vec::new();
    for name in &names {
        found.extend(local::status(name).await?);
    }
    match arguments.output {
        Output::Json => print_json(&found)?,
        Output::Text => found.iter().for_each(describe),
    }
    match (&arguments.name, found.iter().find(|status| !status.healthy)) {
        (Some(name), _) if found.is_empty() => Err(format!("there is no cluster {name}").into()),
        (_, Some(ill)) => Err(format!("cluster {} is not healthy", ill.cluster.name).into()),
        _ => Ok(()),
    }
}

fn describe(status: &Status) {
    let kind = match status.cluster.node {
        NodeKind::Real => "real",
        NodeKind::Simulated => "simulated",
    };
    let health = if status.healthy { "healthy" } else { "not healthy" };
    print(&format!("{}  {kind}  {health}  {}", status.cluster.name, status.cluster.kubeconfig.display()));
    for process in &status.processes.processes {
        let state = if process.ready { "ready" } else { "not ready" };
        let restarts = match (&process.last_exit, process.restarts) {
            (Some(exit), count) => format!("  restarted {count} times, last {exit}"),
            _ => String::new(),
        };
        print(&format!("    {:<24}{state}{restarts}", process.name));
    }
}

fn kubeconfig(name: &ClusterName) -> Result<(), Failure> {
    let cluster = local::find(name)?.ok_or_else(|| {
        format!("there is no cluster {name}: `commonscloud cluster up --name {name}` makes it")
    })?;
    print(&cluster.kubeconfig.display().to_string());
    Ok(())
}
