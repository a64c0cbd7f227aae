//! `commonscloud cluster …`

use std::path::PathBuf;
use std::time::Duration;

use kube::api::DynamicObject;
use serde::Serialize;

use super::{CLUSTER_VARIABLE, Failure, Output, duration, print, print_json};
use crate::local::{self, Cluster, ClusterName, DEFAULT_NAME, NodeKind, Parts, Status, UpOptions};
use crate::progress::{Progress, Timing};
use crate::readiness::Readiness;
use crate::ready::{self, Outcome};
use crate::{apply, folders, junit, tools};

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
    /// Build all that clusters and their pods are made of, and start nothing: for a machine that is to start many.
    Build(Build),
    /// Remove a cluster and everything that belongs to it.
    Down(Named),
    /// How a cluster is doing; all clusters without --name. Fails when one is not healthy.
    Status(Shown),
    /// Print the path of the administrator's kubeconfig.
    Kubeconfig(Named),
    /// Print the line by which a shell takes a cluster and its kubectl: `eval "$(commonscloud cluster env)"`.
    Env(Named),
}

#[derive(Debug, clap::Args)]
struct Named {
    /// Name of the cluster.
    #[arg(long, env = CLUSTER_VARIABLE, default_value = DEFAULT_NAME)]
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
    /// What the nodes are; absent: as they are, and in a new cluster real when root, else simulated.
    #[arg(long, value_enum)]
    node: Option<NodeKind>,
    /// An OCI image, as a tar, that the node is to have; may be repeated.
    #[arg(long = "image", value_name = "TAR")]
    images: Vec<PathBuf>,
    /// Then apply the manifests of this folder or file, and wait until all of them are Ready.
    #[arg(long, value_name = "DIR")]
    apply: Option<PathBuf>,
    /// How long to wait for that, such as 90s, 10m or 1h.
    #[arg(long, value_parser = duration, default_value = "10m", requires = "apply")]
    wait: Duration,
    /// Write what became of each manifest to this file, as `JUnit` XML.
    #[arg(long, value_name = "FILE", requires = "apply")]
    junit: Option<PathBuf>,
    /// The checkout that tools and images are built from; found from the current folder by default.
    #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
    source: Option<PathBuf>,
    /// Form of the result.
    #[arg(long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Debug, clap::Args)]
struct Build {
    /// For which nodes; absent: real ones when root, else simulated ones.
    #[arg(long, value_enum)]
    node: Option<NodeKind>,
    /// The checkout that tools and images are built from; found from the current folder by default.
    #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
    source: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What the command failed with, to be shown.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Up(arguments) => up(arguments).await,
        Command::Build(arguments) => build(&arguments).await,
        Command::Down(arguments) => Ok(local::down(&arguments.name).await?),
        Command::Status(arguments) => status(arguments).await,
        Command::Kubeconfig(arguments) => print_of(&arguments.name, |cluster| cluster.kubeconfig.display().to_string()),
        Command::Env(arguments) => print_of(&arguments.name, Cluster::shell_line),
    }
}

async fn build(arguments: &Build) -> Result<(), Failure> {
    let node = arguments.node.unwrap_or_else(local::permitted);
    let (source, progress) = (folders::source(arguments.source.as_deref())?, Progress::shown());
    if node == NodeKind::Simulated {
        return Ok(local::build_simulated(&source, &progress).await?);
    }
    let tools = tools::names(&source)?;
    let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
    local::build(Parts { tools: &tools, images: &[], tars: &[] }, &source, &progress).await?;
    Ok(())
}

/// What `up --output json` prints.
#[derive(Serialize)]
struct UpResult {
    #[serde(flatten)]
    cluster: Cluster,
    timings: Vec<Timing>,
    /// What was applied and is not ready, each with its reason.
    not_ready: Vec<String>,
}

async fn up(arguments: Up) -> Result<(), Failure> {
    let node = local::node_kind(&arguments.named.name, arguments.node)?;
    let options = UpOptions {
        name: arguments.named.name,
        node,
        images: arguments.images,
        source: folders::source(arguments.source.as_deref())?,
    };
    let progress = Progress::shown();
    if arguments.node.is_none() && node == NodeKind::Simulated {
        progress.say("Not root: the nodes are simulated. Pods are said to run, and nothing runs in them.");
    }
    // Manifests that cannot be read are told before minutes are spent.
    let objects = arguments.apply.as_deref().map(apply::read).transpose()?;
    let cluster = local::up(&options, &progress).await?;
    let outcomes = match objects {
        Some(objects) => apply_and_wait(&cluster, objects, arguments.wait, &progress).await?,
        None => Vec::new(),
    };
    if let Some(file) = &arguments.junit {
        std::fs::write(file, junit::report(cluster.name.as_str(), &outcomes))
            .map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let not_ready: Vec<String> = outcomes.iter().filter_map(unready).collect();
    print_up(&cluster, &progress, arguments.output, &not_ready)?;
    if not_ready.is_empty() {
        return Ok(());
    }
    Err(format!("not everything is Ready:\n{}", not_ready.join("\n")).into())
}

async fn apply_and_wait(
    cluster: &Cluster,
    objects: Vec<DynamicObject>,
    limit: Duration,
    progress: &Progress,
) -> Result<Vec<Outcome>, Failure> {
    let client = local::client(&cluster.kubeconfig).await?;
    let phase = progress.phase(format!("apply {} objects", objects.len()));
    let applied = apply::apply(&client, objects).await?;
    phase.done();
    let phase = progress.phase("all of them Ready");
    let outcomes = ready::wait(&client, &applied, limit, |step| phase.at(step)).await;
    if outcomes.iter().all(|outcome| outcome.readiness == Readiness::Ready) {
        phase.done();
    }
    Ok(outcomes)
}

fn unready(outcome: &Outcome) -> Option<String> {
    match &outcome.readiness {
        Readiness::Ready => None,
        Readiness::Waiting(why) => Some(format!("{}: {why}", outcome.title)),
        Readiness::Failed(why) => Some(format!("{}: failed: {why}", outcome.title)),
    }
}

fn print_up(cluster: &Cluster, progress: &Progress, output: Output, not_ready: &[String]) -> Result<(), Failure> {
    match output {
        Output::Json => print_json(&UpResult {
            cluster: cluster.clone(),
            timings: progress.timings(),
            not_ready: not_ready.to_vec(),
        }),
        Output::Text => {
            print(&format!("Cluster {} is up. Use it with\n", cluster.name));
            print(&format!("    {}", cluster.shell_line()));
            print("    kubectl get nodes");
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

/// Prints one line about a cluster that is there.
fn print_of(name: &ClusterName, line: impl Fn(&Cluster) -> String) -> Result<(), Failure> {
    let cluster = local::find(name)?
        .ok_or_else(|| format!("there is no cluster {name}: `commonscloud cluster up --name {name}` makes it"))?;
    print(&line(&cluster));
    Ok(())
}
