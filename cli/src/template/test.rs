//! `commonscloud template test`: golden files, and an instance on a local cluster.

use std::path::PathBuf;

use commonscloud_cluster::command::Failure;
use commonscloud_cluster::local::{ClusterName, DEFAULT_NAME, NodeKind};
use commonscloud_operator::template;

use super::{golden, lint, print};

/// Compare what a package renders with its golden files; with --run, bring an instance of it up.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A folder with `package.yaml`, or one YAML file.
    pub(super) path: PathBuf,
    /// Accept what is rendered: write the golden files.
    #[arg(long)]
    update: bool,
    /// Make an instance on a local cluster, wait until it is Ready, and remove it again.
    #[arg(long)]
    run: bool,
    /// Name of the cluster, brought up where there is none.
    #[arg(long, default_value = DEFAULT_NAME, requires = "run")]
    pub(super) cluster: ClusterName,
    /// What the cluster's nodes are; real when root, else simulated.
    #[arg(long, value_enum, requires = "run")]
    pub(super) node: Option<NodeKind>,
    /// The checkout with images/, charts/ and examples/; found from the current folder by default.
    #[arg(long, env = "COMMONSCLOUD_SOURCE", value_name = "DIR")]
    pub(super) source: Option<PathBuf>,
    /// Seconds that the instance may take to become Ready.
    #[arg(long, default_value_t = 300, requires = "run")]
    pub(super) wait: u64,
    /// Leave the instance there, to be looked at.
    #[arg(long, requires = "run")]
    pub(super) keep: bool,
}

/// Runs the command.
///
/// # Errors
/// Every fault of the package, what differs from the golden files, or what the instance waits for.
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.path;
    let (template, package) = lint::good(path)?;
    let folder = golden::folder(path);
    let rendered = template::golden(&package)?;
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    if arguments.update {
        golden::write(&folder, &rendered).map_err(failed)?;
    } else {
        let differs = golden::compare(&folder, &rendered).map_err(failed)?;
        if !differs.is_empty() {
            let accept = format!("commonscloud template test {} --update", path.display());
            let what = if folder.is_dir() {
                "renders something else than its golden files"
            } else {
                "has no golden files yet"
            };
            return Err(format!("{differs}{}: {what}; to accept this: {accept}", path.display()).into());
        }
    }
    let names: Vec<&str> = rendered.iter().map(|golden| golden.name.as_str()).collect();
    print(&format!("{}: as in {} ({})\n", package.name(), folder.display(), names.join(", ")));
    if arguments.run { super::run::run(arguments, template, &package).await } else { Ok(()) }
}
