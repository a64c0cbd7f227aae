//! Packages from files: one YAML file, or a folder with `package.yaml` and the manifests it names.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::engine::documents;
use crate::engine::shape;
use crate::engine::typed;
use crate::fault::{Fault, Problem};
use crate::format::lines::Lines;
use crate::format::schema;
use crate::rule::Rule;
use commonscloud_api::{GROUP, ServiceTemplate, VERSION};

/// Why files are no package.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file holds no ServiceTemplate.
    #[error("{file}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Content {
        /// The file as the package names it.
        file: String,
        /// The line, counted from 1, where known.
        line: Option<usize>,
        /// What is wrong and what to do.
        message: String,
    },
}

/// Reads a package from a YAML file, or from a folder with `package.yaml`: a ServiceTemplate whose
/// manifests may say `file: manifests/app.yaml` in the place of `template`, and whose files may say
/// `file:` in the place of `content`.
///
/// # Errors
/// When a file cannot be read, lies outside the folder, or is no ServiceTemplate.
pub fn load_directory(path: &Path) -> Result<ServiceTemplate, DirectoryError> {
    let (folder, package) = places(path);
    read_package(&read(&package)?, |name| read(&folder.join(name)))
}

/// The folder that a package's files are relative to, and its `package.yaml` or only file.
pub(crate) fn places(path: &Path) -> (PathBuf, PathBuf) {
    if path.is_file() {
        (path.parent().map(Path::to_owned).unwrap_or_default(), path.to_owned())
    } else {
        (path.to_owned(), path.join("package.yaml"))
    }
}

/// The text of a file.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn read(path: &Path) -> Result<String, DirectoryError> {
    fs::read_to_string(path).map_err(|source| DirectoryError::Read { path: path.to_owned(), source })
}

/// Reads a package from the text of its `package.yaml`, asking for each file that it names.
///
/// # Errors
/// As [`load_directory`]: the first fault.
pub(crate) fn read_package(
    text: &str,
    file: impl Fn(&str) -> Result<String, DirectoryError>,
) -> Result<ServiceTemplate, DirectoryError> {
    parse(text, file).map_err(|faults| {
        let fault = faults.into_iter().next();
        let (field, message) = fault.map(|fault| (fault.field, fault.message)).unwrap_or_default();
        DirectoryError::Content { file: "package.yaml".to_owned(), line: line_of(text, &field), message }
    })
}

/// The line of a field of `package.yaml`, or of the number of a line that is no YAML.
pub(crate) fn line_of(text: &str, field: &str) -> Option<usize> {
    field.strip_prefix(LINE).and_then(|line| line.parse().ok()).or_else(|| Lines::of(text).of_field(field))
}

/// In the place of a field, where the text cannot be read: `line 7`.
const LINE: &str = "line ";

/// Reads a package from the text of its `package.yaml`, asking for each file that it names.
///
/// # Errors
/// What keeps it from being a ServiceTemplate, by field; at least one.
pub(crate) fn parse(
    text: &str,
    file: impl Fn(&str) -> Result<String, DirectoryError>,
) -> Result<ServiceTemplate, Vec<Fault>> {
    let mut documents = documents::read(text).map_err(|error| {
        let field = error.line.map(|line| format!("{LINE}{line}")).unwrap_or_default();
        vec![Fault::package(Rule::Yaml, field, error.message)]
    })?;
    let document = |field: &str, message: &str| vec![Fault::package(Rule::Document, field, message)];
    let package = documents.pop().filter(|_| documents.is_empty());
    let mut package = package.ok_or_else(|| document("apiVersion", "must hold one document"))?;
    let api_version = format!("{GROUP}/{VERSION}");
    for (field, expected) in [("kind", "ServiceTemplate"), ("apiVersion", &api_version)] {
        if package.get(field).and_then(Value::as_str) != Some(expected) {
            return Err(document(field, &format!("{field} must be {expected}")));
        }
    }
    let faults = fill_in(&mut package, file);
    if !faults.is_empty() {
        return Err(faults);
    }
    let reading = shape::read::<ServiceTemplate>(&package);
    let mut faults: Vec<Fault> = reading.unknown.into_iter().map(typed::unknown_field).map(of_package).collect();
    faults.extend(schema::faults(&package));
    if !faults.is_empty() {
        return Err(faults);
    }
    reading.typed.map_err(|misfit| vec![of_package(typed::wrong_type(misfit))])
}

fn of_package(problem: Problem) -> Fault {
    let message = format!("{}: {}", problem.field, problem.message);
    Fault::package(problem.rule, problem.field, message)
}

/// Puts the text of each named file in the place of its name.
fn fill_in(package: &mut Value, file: impl Fn(&str) -> Result<String, DirectoryError>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (list, target) in [("manifests", "template"), ("files", "content")] {
        let entries = package.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for (at, entry) in entries.into_iter().flatten().enumerate() {
            let Some(entry) = entry.as_object_mut() else { continue };
            let Some(name) = entry.remove("file") else { continue };
            let name = name.as_str().unwrap_or_default().to_owned();
            let field = format!("spec.{list}[{at}].file");
            if name.is_empty() || !Path::new(&name).components().all(|part| matches!(part, Component::Normal(_))) {
                let message = format!("{list}: file {name:?} must lie in the package's folder");
                faults.push(Fault::package(Rule::File, field, message));
                continue;
            }
            match file(&name) {
                Ok(text) => _ = entry.insert(target.to_owned(), Value::from(text)),
                Err(error) => faults.push(Fault::package(Rule::File, field, format!("{list}: file {name:?}: {error}"))),
            }
        }
    }
    faults
}
