//! `commonscloud-backup`: what the containers of a backup's and a restore's Jobs run. Each subcommand drives restic
//! and ends with a report in the container's termination message.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::main()
}
