//! `commonscloud template`: service packages, from the first line to a running instance.
//!
//! ```text
//! new ─► lint ─► test (golden files) ─► test --run (an instance on a local cluster, its backup restored) ─► pack
//! ```

mod golden;
mod lint;
mod manifests;
mod new;
mod pack;
mod proof;
mod run;
mod test;

use commonscloud_cluster::command::Failure;

/// Begin, check, try and pack a service package.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    New(new::Arguments),
    Lint(lint::Arguments),
    Test(test::Arguments),
    Pack(pack::Arguments),
}

/// Runs the command.
///
/// # Errors
/// What is wrong with the package, with file and line, or what an instance of it waits for.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::New(arguments) => new::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments).await,
        Command::Test(arguments) => test::run(&arguments).await,
        Command::Pack(arguments) => pack::run(&arguments),
    }
}

fn print(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
