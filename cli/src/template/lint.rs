//! `commonscloud template lint`: every rule of the format, with file and line.

use std::path::{Path, PathBuf};

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::ServiceTemplate;
use commonscloud_operator::template::{self, Package, Rule, allowed_kinds, load_directory};
use kube::ResourceExt as _;

use super::print;

/// Check a package against every rule, and render it for each version with sample values.
#[derive(Debug, clap::Args)]
#[command(after_help = kinds_help())]
pub(crate) struct Arguments {
    /// A folder with `package.yaml`, or one YAML file.
    #[arg(required_unless_present = "rules")]
    path: Option<PathBuf>,
    /// Print the rules, as a table in Markdown, and check nothing.
    #[arg(long)]
    rules: bool,
}

/// Said where there is no package.
const WHAT_IS_ONE: &str =
    "a package is a folder with package.yaml, or one YAML file: `commonscloud template new FOLDER` makes one";

fn kinds_help() -> String {
    let kinds: Vec<&str> = allowed_kinds().iter().map(|kind| kind.kind).collect();
    format!("Kinds that a package may render: {}", kinds.join(", "))
}

/// Runs the command.
///
/// # Errors
/// Every fault of the package, with file and line.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.rules {
        print(&rules());
        return Ok(());
    }
    let (_, package) = good(arguments.path.as_deref().unwrap_or(Path::new(".")))?;
    let versions: Vec<&str> = package.versions().iter().map(|version| version.name.as_str()).collect();
    let (name, revision) = (package.name(), package.revision_name());
    print(&format!("{name}: good; versions {}, revision {revision}\n", versions.join(", ")));
    Ok(())
}

/// The package in this folder or file.
///
/// # Errors
/// Every fault of the package, with file and line.
pub(super) fn good(path: &Path) -> Result<(ServiceTemplate, Package), Failure> {
    let findings = template::lint(path).map_err(|error| format!("{error}; {WHAT_IS_ONE}"))?;
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    if !findings.is_empty() {
        let count = if findings.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", findings.len()) };
        return Err(format!("{}: {count}\n{}", path.display(), findings.join("\n")).into());
    }
    let template = load_directory(path)?;
    let package = Package::compile(&template.name_any(), &template.spec)?;
    Ok((template, package))
}

/// The rules of the format as docs/writing-a-package.md lists them.
fn rules() -> String {
    let rows = Rule::ALL.iter().map(|rule| format!("| `{rule}` | {} |\n", rule.asks()));
    format!("| rule | what it asks for |\n|---|---|\n{}", rows.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_there_is_no_package_it_is_said_how_to_make_one() {
        let nowhere = good(Path::new("no/such/folder")).unwrap_err().to_string();
        assert!(nowhere.contains("no/such/folder/package.yaml") && nowhere.contains("template new"), "{nowhere}");
    }

    #[test]
    fn the_page_on_packages_lists_every_rule_as_it_is() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-a-package.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&rules()), "put into the page what `commonscloud template lint --rules` prints");
    }
}
