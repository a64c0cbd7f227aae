//! `commonscloud`: the administrator's tool. One file per subcommand.

mod asked;
mod backup;
mod cluster;
mod crds;
mod data;
mod demo;
mod diff;
mod drill;
mod export;
mod images;
mod import;
mod node;
mod operated;
mod outlook;
#[cfg(test)]
mod parsed;
mod people;
mod recover;
mod render;
mod restore;
mod services;
mod status;
mod stop;
mod target;
mod template;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use commonscloud_cluster::command::Failure;
use tracing_subscriber::EnvFilter;

/// Dedicated services for entities, on Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "commonscloud", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Backup(backup::Arguments),
    Cluster(cluster::Arguments),
    Crds(crds::Arguments),
    Data(data::Arguments),
    Demo(demo::Arguments),
    Diff(diff::Arguments),
    Drill(drill::Arguments),
    Export(Box<export::Arguments>),
    Images(images::Arguments),
    Import(import::Arguments),
    People(people::Arguments),
    Recover(recover::Arguments),
    Render(render::Arguments),
    Restore(restore::Arguments),
    Status(status::Arguments),
    Template(template::Arguments),
    #[command(hide = true)]
    Node(node::Arguments),
}

// One thread: the supervisor's children die with the thread that started them.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // The client reports each question that an API server does not answer yet; we ask on purpose.
    let quiet = || EnvFilter::new("warn,kube_client::client::builder=off");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| quiet());
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr).init();
    match run(Arguments::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("commonscloud: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Backup(arguments) => backup::run(&arguments).await,
        Command::Cluster(arguments) => cluster::run(arguments).await,
        Command::Crds(arguments) => crds::run(&arguments),
        Command::Data(arguments) => data::run(&arguments).await,
        Command::Demo(arguments) => demo::run(arguments).await,
        Command::Diff(arguments) => diff::run(&arguments).await,
        Command::Drill(arguments) => drill::run(&arguments).await,
        Command::Export(arguments) => export::run(&arguments).await,
        Command::Images(arguments) => images::run(arguments).await,
        Command::Import(arguments) => import::run(&arguments).await,
        Command::People(arguments) => people::run(&arguments).await,
        Command::Recover(arguments) => recover::run(&arguments).await,
        Command::Render(arguments) => render::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments).await,
        Command::Status(arguments) => status::run(&arguments).await,
        Command::Template(arguments) => template::run(arguments).await,
        Command::Node(arguments) => node::run(arguments).await,
    }
}
