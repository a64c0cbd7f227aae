//! `commonscloud people`: who belongs to an Entity's collective, and who may enter its services.
//!
//! One file for each subcommand: what it would change is a function without requests, and `ask.rs` carries it out, as
//! one patch of the keys that change.

mod allow;
mod ask;
mod cells;
mod deny;
mod history;
mod ids;
mod invite;
mod known;
mod list;
mod manager;
mod remove;
mod table;
mod words;

use commonscloud_cluster::command::Failure;
use kube::Client;

/// Say who belongs to an Entity's collective, and who may enter its services.
///
/// Belonging gives no access by itself. Whom a command is about is named by id, by mail address, or by the name that
/// others see where nobody else has it. What is changed is carried out by the operator: `commonscloud people list` says
/// how far it is.
///
/// Needs the verbs get and patch on the Collective, as the collective's managers have them, or on the service's Access,
/// as the service's have them.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(list::Arguments),
    Invite(invite::Arguments),
    Remove(remove::Arguments),
    Allow(allow::Arguments),
    Deny(deny::Arguments),
    Manager(manager::Arguments),
    History(history::Arguments),
}

/// Runs the command.
///
/// # Errors
/// When what is asked for is not understood, or the API server refuses it.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::try_default().await?;
    match &arguments.command {
        Command::List(list) => list::run(&client, list).await,
        Command::Invite(invite) => invite::run(&client, invite).await,
        Command::Remove(remove) => remove::run(&client, remove).await,
        Command::Allow(allow) => allow::run(&client, allow).await,
        Command::Deny(deny) => deny::run(&client, deny).await,
        Command::Manager(manager) => manager::run(&client, manager).await,
        Command::History(history) => history::run(&client, history).await,
    }
}
