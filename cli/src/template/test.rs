//! `commonscloud template test`: golden files, and an instance on a local cluster.

use std::io;
use std::path::{Path, PathBuf};

use commonscloud_cluster::command::Failure;
use commonscloud_operator::template::{self, Golden};

use super::run::Options;
use super::{golden, lint, print};

/// Compare what a package renders with its golden files; with --run, bring an instance of it up, back it up and
/// restore it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A folder with `package.yaml`, or one YAML file.
    path: PathBuf,
    /// Accept what is rendered: write the golden files.
    #[arg(long)]
    update: bool,
    /// Make an instance on a local cluster, wait until it is Ready, back it up and restore it where its package has
    /// operations, and remove it again.
    #[arg(long)]
    run: bool,
    #[command(flatten)]
    options: Options,
}

/// Runs the command.
///
/// # Errors
/// Every fault of the package, what differs from the golden files, what the instance waits for, or why its backup or
/// restore failed.
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (template, package) = lint::good(&arguments.path)?;
    let rendered = template::golden(&package)?;
    settle(&arguments.path, &rendered, arguments.update)?;
    let names: Vec<&str> = rendered.iter().map(|golden| golden.name.as_str()).collect();
    let folder = golden::folder(&arguments.path);
    print(&format!("{}: as in {} ({})\n", package.name(), folder.display(), names.join(", ")));
    if arguments.run { super::run::run(&arguments.options, template, &package).await } else { Ok(()) }
}

/// Writes the golden files, or compares with them.
fn settle(package: &Path, rendered: &[Golden], update: bool) -> Result<(), Failure> {
    let folder = golden::folder(package);
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    if update {
        return Ok(golden::write(&folder, rendered).map_err(failed)?);
    }
    let differs = golden::compare(&folder, rendered).map_err(failed)?;
    if differs.is_empty() {
        return Ok(());
    }
    let accept = format!("commonscloud template test {} --update", package.display());
    if folder.is_dir() {
        let what = "renders something else than its golden files";
        return Err(format!("{differs}{}: {what}; to accept this: {accept}", package.display()).into());
    }
    Err(format!("{}: has no golden files yet; to write them: {accept}", package.display()).into())
}
