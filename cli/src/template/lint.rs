//! `commonscloud template lint`: every rule of the format, with file and line.

use std::path::{Path, PathBuf};

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{ServiceTemplate, ServiceTemplateRevision, ServiceTemplateSpec};
use commonscloud_operator::template::{self, Package, Rule, allowed_kinds, incompatibilities, load_directory};
use kube::{Api, Client, ResourceExt as _};

use super::print;

/// Check a package against every rule, and render it for each version with sample values.
#[derive(Debug, clap::Args)]
#[command(after_help = kinds_help())]
pub(crate) struct Arguments {
    /// A folder with `package.yaml`, or one YAML file.
    #[arg(required_unless_present = "rules")]
    path: Option<PathBuf>,
    /// The package that this one follows: a folder, a file, or the name of a `ServiceTemplateRevision` of
    /// the cluster of your kubeconfig. What instances that exist cannot follow is a fault then.
    #[arg(long, value_name = "FILE|REVISION")]
    against: Option<String>,
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
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.rules {
        print(&rules());
        return Ok(());
    }
    let (template, package) = good(arguments.path.as_deref().unwrap_or(Path::new(".")))?;
    if let Some(before) = &arguments.against {
        follows(&predecessor(before).await?, &template.spec).map_err(|faults| format!("against {before}: {faults}"))?;
    }
    let versions: Vec<&str> = package.versions().iter().map(|version| version.name.as_str()).collect();
    let (name, revision) = (package.name(), package.revision_name());
    print(&format!("{name}: good; versions {}, revision {revision}\n", versions.join(", ")));
    Ok(())
}

/// The package in this folder or file, or in a revision of this name.
async fn predecessor(name: &str) -> Result<ServiceTemplateSpec, Failure> {
    let path = Path::new(name);
    if path.exists() {
        return Ok(load_directory(path)?.spec);
    }
    let revisions: Api<ServiceTemplateRevision> = Api::all(Client::try_default().await?);
    let revision = revisions.get(name).await.map_err(|error| format!("{name} is no file, and no revision: {error}"))?;
    Ok(serde_json::from_value(revision.spec.content)?)
}

/// Whether instances that exist can follow.
fn follows(before: &ServiceTemplateSpec, after: &ServiceTemplateSpec) -> Result<(), String> {
    let found: Vec<String> = incompatibilities(before, after).iter().map(ToString::to_string).collect();
    if found.is_empty() { Ok(()) } else { Err(format!("instances that exist cannot follow\n{}", found.join("\n"))) }
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
    fn a_package_is_held_against_the_one_that_it_follows() {
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/templates/radicale.yaml");
        let before = load_directory(&examples).unwrap().spec;
        let mut after = before.clone();
        assert_eq!(follows(&before, &after), Ok(()));
        after.secrets.clear();
        assert!(follows(&before, &after).unwrap_err().contains("spec.secrets[admin]: is gone"));
    }

    #[test]
    fn the_page_on_packages_lists_every_rule_as_it_is() {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/writing-a-package.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&rules()), "put into the page what `commonscloud template lint --rules` prints");
    }
}
