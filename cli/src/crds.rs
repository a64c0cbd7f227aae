//! `commonscloud crds`: writes what is generated from the Rust types.

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{CrdFile, crd_files};
use commonscloud_operator::rbac;

/// Write the CRDs, one YAML file per kind.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The folder to write to; files of kinds that are no more are removed.
    dir: PathBuf,
    /// A folder with the Helm chart: its copy of the CRDs and its roles are written too.
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let files = crd_files()?;
    write(&arguments.dir, &files)?;
    if let Some(chart) = &arguments.chart {
        write(&chart.join("files/crds"), &files)?;
        fs::write(chart.join("files/rbac.yaml"), serde_yaml::to_string_multiple(&rbac::roles())?)?;
    }
    Ok(())
}

fn write(folder: &Path, files: &[CrdFile]) -> Result<(), Failure> {
    fs::create_dir_all(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let known = files.iter().any(|file| path.ends_with(&file.name));
        if !known && path.extension().is_some_and(|end| end == "yaml") {
            fs::remove_file(path)?;
        }
    }
    for file in files {
        fs::write(folder.join(&file.name), &file.text)?;
    }
    Ok(())
}
