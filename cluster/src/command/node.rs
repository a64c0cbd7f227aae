//! `commonscloud node …`: what this program does as one of a cluster's own processes. Nobody calls
//! it by hand.

use std::path::PathBuf;

use super::Failure;
use crate::{csi, local};

/// Processes of a cluster.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Furnish a node's namespaces and start its supervisor, as their first process.
    Init {
        /// The plan, as `up` wrote it.
        #[arg(long)]
        plan: PathBuf,
    },
    /// Serve volumes to the kubelet and the sidecars.
    CsiDriver(csi::Options),
    /// Start the processes of a plan, and start again what ends.
    Supervise {
        /// The plan, as `up` wrote it.
        #[arg(long)]
        plan: PathBuf,
    },
    /// Stand in for the storage driver on a simulated cluster.
    SimulatedVolumes {
        /// Whose cluster.
        #[arg(long)]
        kubeconfig: PathBuf,
    },
}

/// Runs the command; most come to no end by themselves.
///
/// # Errors
/// What the process failed with, to be shown.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Init { plan } => Ok(local::init(&plan)?),
        Command::CsiDriver(options) => Ok(csi::serve(options).await?),
        Command::Supervise { plan } => Ok(local::supervise(&plan).await?),
        Command::SimulatedVolumes { kubeconfig } => Ok(local::serve_simulated_volumes(&kubeconfig).await?),
    }
}
