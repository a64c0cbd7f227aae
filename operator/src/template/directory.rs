//! Packages from files: one YAML file, or a folder with `package.yaml` and the manifests it names.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::documents;
use super::typed;
use crate::api::ServiceTemplate;

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
pub(super) fn places(path: &Path) -> (PathBuf, PathBuf) {
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
pub(super) fn read(path: &Path) -> Result<String, DirectoryError> {
    fs::read_to_string(path).map_err(|source| DirectoryError::Read { path: path.to_owned(), source })
}

/// Reads a package from the text of its `package.yaml`, asking for each file that it names.
///
/// # Errors
/// As [`load_directory`].
pub(super) fn read_package(
    text: &str,
    file: impl Fn(&str) -> Result<String, DirectoryError>,
) -> Result<ServiceTemplate, DirectoryError> {
    let content = |line: Option<usize>, message: String| DirectoryError::Content {
        file: "package.yaml".to_owned(),
        line,
        message,
    };
    let mut documents = documents::read(text).map_err(|error| content(error.line, error.message))?;
    let mut package = documents
        .pop()
        .filter(|_| documents.is_empty())
        .ok_or_else(|| content(None, "must hold one document".to_owned()))?;
    if package.get("kind").and_then(Value::as_str) != Some("ServiceTemplate") {
        return Err(content(line_with(text, "kind:"), "must be of kind ServiceTemplate".to_owned()));
    }
    for (list, field) in [("manifests", "template"), ("files", "content")] {
        let entries = package.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
            let Some(name) = entry.remove("file") else { continue };
            let name = name.as_str().unwrap_or_default().to_owned();
            if name.is_empty() || !Path::new(&name).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(content(
                    line_with(text, &name),
                    format!("{list}: file {name:?} must lie in the package's folder"),
                ));
            }
            entry.insert(field.to_owned(), Value::from(file(&name)?));
        }
    }
    typed::read(&package).map_err(|problem| {
        let field = problem.field.rsplit(['.', ']']).find(|part| !part.is_empty()).unwrap_or_default();
        content(line_with(text, &format!("{field}:")), format!("{}: {}", problem.field, problem.message))
    })
}

fn line_with(text: &str, part: &str) -> Option<usize> {
    text.lines().position(|line| line.contains(part)).map(|at| at + 1)
}
