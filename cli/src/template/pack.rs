//! `commonscloud template pack`: one file of a folder.

use std::path::PathBuf;

use commonscloud_cluster::command::Failure;

use super::{lint, print};

/// Print the package as one ServiceTemplate, for `kubectl apply --server-side -f -`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A folder with `package.yaml`, or one YAML file.
    path: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// Every fault of the package, with file and line.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (template, _) = lint::good(&arguments.path)?;
    print(&serde_yaml::to_string(&template)?);
    Ok(())
}
