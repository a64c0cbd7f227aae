//! The subcommands that this crate brings to `commonscloud`: arguments, and what is printed.

pub mod cluster;
pub mod images;
pub mod node;

use std::io::Write;

use serde::Serialize;

/// In which form a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document, for programs.
    Json,
}

/// What a command may end with, to be shown as it is.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Writes to standard output. A reader that went away is no error.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}
