//! `commonscloud images …`

use std::path::PathBuf;

use super::{Failure, Output, print, print_json};
use crate::cargo::Profile;
use crate::progress::Progress;
use crate::{folders, images};

/// Build OCI images for offline use, without a container engine.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Build the named images, or all; what the cache holds is not built again.
    Build {
        /// Names of folders below `images/`.
        names: Vec<String>,
        /// How this workspace's programs in them are compiled: `release` is quick to build, as in the demo.
        #[arg(long, value_enum, default_value_t)]
        profile: Profile,
        /// The checkout that images are built from; found from the current folder by default.
        #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
        source: Option<PathBuf>,
        /// Form of the result.
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
}

/// Runs the command.
///
/// # Errors
/// What is missing, or the step that failed with its last lines.
pub async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Command::Build { names, profile, source, output } = arguments.command;
    let source = folders::source(source.as_deref())?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let progress = Progress::shown();
    let built = images::build(&names, profile, &source, &progress).await?;
    match output {
        Output::Json => print_json(&built),
        Output::Text => {
            for image in built {
                print(&format!("{}  {}", image.reference, image.tar.display()));
            }
            Ok(())
        }
    }
}
