//! `commonscloud template`: service packages, before they reach a cluster.

use std::io::Write as _;
use std::path::PathBuf;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::template::{Package, allowed_kinds, lint, load_directory};
use kube::ResourceExt as _;

/// Check a service package, or make one file of it.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check a package against every rule, and render it for each version with sample values.
    #[command(after_help = kinds_help())]
    Lint {
        /// A folder with `package.yaml`, or one YAML file.
        path: PathBuf,
    },
    /// Print the package as one ServiceTemplate, for `kubectl apply --server-side -f -`.
    Pack {
        /// A folder with `package.yaml`, or one YAML file.
        path: PathBuf,
    },
}

fn kinds_help() -> String {
    let kinds: Vec<&str> = allowed_kinds().iter().map(|kind| kind.kind).collect();
    format!("Kinds that a package may render: {}", kinds.join(", "))
}

/// Runs the command.
///
/// # Errors
/// Every fault of the package, with manifest and line.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    match arguments.command {
        Command::Lint { path } => {
            let findings: Vec<String> = lint(&path)?.iter().map(ToString::to_string).collect();
            if !findings.is_empty() {
                return Err(findings.join("\n").into());
            }
            let template = load_directory(&path)?;
            let package = Package::compile(&template.name_any(), &template.spec)?;
            let versions: Vec<&str> = package.versions().iter().map(|version| version.name.as_str()).collect();
            let text = format!(
                "{}: good; versions {}, revision {}\n",
                package.name(),
                versions.join(", "),
                package.revision_name()
            );
            print(&text);
        }
        Command::Pack { path } => {
            let template = load_directory(&path)?;
            Package::compile(&template.name_any(), &template.spec)?;
            print(&serde_yaml::to_string(&template)?);
        }
    }
    Ok(())
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}
