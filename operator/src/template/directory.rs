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
    #[error("{file}: {message}")]
    Content {
        /// The file as the package names it.
        file: String,
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
    let is_file = path.is_file();
    let folder = if is_file { path.parent().unwrap_or(Path::new(".")) } else { path };
    let package = if is_file { path.to_owned() } else { path.join("package.yaml") };
    read_package(&read(&package)?, |name| read(&folder.join(name)))
}

fn read(path: &Path) -> Result<String, DirectoryError> {
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
    let content = |message: String| DirectoryError::Content { file: "package.yaml".to_owned(), message };
    let mut documents = documents::parse("package.yaml", text).map_err(|fault| content(fault.message))?;
    let mut package = documents.pop().filter(|_| documents.is_empty()).ok_or_else(|| content("must hold one document".to_owned()))?;
    if package.get("kind").and_then(Value::as_str) != Some("ServiceTemplate") {
        return Err(content("must be of kind ServiceTemplate".to_owned()));
    }
    for (list, field) in [("manifests", "template"), ("files", "content")] {
        let entries = package.pointer_mut(&format!("/spec/{list}")).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten().filter_map(Value::as_object_mut) {
            let Some(name) = entry.remove("file") else { continue };
            let name = name.as_str().unwrap_or_default().to_owned();
            if name.is_empty() || !Path::new(&name).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(content(format!("{list}: file {name:?} must lie in the package's folder")));
            }
            entry.insert(field.to_owned(), Value::from(file(&name)?));
        }
    }
    typed::read(&package).map_err(|problem| content(format!("{}: {}", problem.field, problem.message)))
}
