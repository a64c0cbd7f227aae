//! `commonscloud render`: the objects that manifests would become, without a cluster.

use std::io::Write as _;
use std::path::PathBuf;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::cache::Caches;
use commonscloud_operator::compare::Action;
use commonscloud_operator::template::builtin;

use crate::outlook;

/// Print the objects that manifests become. No cluster is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or folders with a Platform, a Tariff, Entities, and packages that are not compiled in.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// What keeps the operator from making something of a resource.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let caches = Caches::new();
    for template in builtin() {
        outlook::register(&caches, template)?;
    }
    for path in &arguments.paths {
        outlook::lay_over(&caches, path)?;
    }
    outlook::platform_secrets(&caches);
    let outlook = outlook::of(&caches, &outlook::account())?;
    let mut out = std::io::stdout().lock();
    for change in &outlook.changes {
        let (object, comment) = match &change.action {
            Action::Create(object) | Action::Apply { object, .. } => (object, String::new()),
            Action::Copy { secret, .. } => {
                (secret, format!("# copied from namespace {}\n", outlook::account().namespace))
            }
            Action::Generate { secret, keys } => {
                let names: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
                (secret, format!("# generated once: {}\n", names.join(", ")))
            }
            Action::Merge { .. } | Action::Remove { .. } | Action::Delete { .. } | Action::Discard { .. } => continue,
        };
        if write!(out, "---\n{comment}{}", serde_yaml::to_string(object)?).is_err() {
            return Ok(());
        }
    }
    if outlook.obstacles.is_empty() { Ok(()) } else { Err(outlook.obstacles.join("\n").into()) }
}
