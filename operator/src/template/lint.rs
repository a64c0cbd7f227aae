//! The faults of a package by file and line, for its author.

use std::fmt;
use std::path::Path;

use super::directory::{self, DirectoryError, read_package};
use super::fault::Fault;
use super::package::Package;
use super::place::line_of;
use crate::api::{Manifest, ServiceTemplate};

/// One fault of a package and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the package's folder.
    pub file: String,
    /// The line, counted from 1, where known.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

/// `manifests/app.yaml:12: what is wrong`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Every fault of the package in this folder, or in this one file. None: the package is good.
///
/// # Errors
/// When a file cannot be read.
pub fn lint(path: &Path) -> Result<Vec<Finding>, DirectoryError> {
    let (folder, package) = directory::places(path);
    let name = package.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    lint_text(&name, &directory::read(&package)?, |file| directory::read(&folder.join(file)))
}

/// [`lint`] for the text of a package file of this name.
///
/// # Errors
/// When a file that it names cannot be read.
pub(super) fn lint_text(
    name: &str,
    text: &str,
    file: impl Fn(&str) -> Result<String, DirectoryError>,
) -> Result<Vec<Finding>, DirectoryError> {
    let template = match read_package(text, file) {
        Ok(template) => template,
        Err(DirectoryError::Content { line, message, .. }) => {
            return Ok(vec![Finding { file: name.to_owned(), line, message }]);
        }
        Err(error) => return Err(error),
    };
    let package = template.metadata.name.clone().unwrap_or_default();
    let faults = Package::compile(&package, &template.spec).err().map(|error| error.faults).unwrap_or_default();
    let mut findings: Vec<_> = faults.into_iter().map(|fault| locate(name, text, &template, fault)).collect();
    findings.sort();
    findings.dedup();
    Ok(findings)
}

fn locate(name: &str, text: &str, template: &ServiceTemplate, fault: Fault) -> Finding {
    let manifest = template.spec.manifests.iter().find(|manifest| fault.manifest.as_ref() == Some(&manifest.name));
    let (file, line) = match manifest {
        None => (name.to_owned(), package_line(text, &fault.message)),
        Some(manifest) => match (file_of(text, manifest), fault.line) {
            (Some(file), Some(line)) => (file, Some(line)),
            (Some(file), None) => {
                declared_line(text, manifest, &fault.message).map_or((file, None), |line| (name.to_owned(), Some(line)))
            }
            (None, Some(line)) => (name.to_owned(), template_line(text, manifest).map(|start| start + line)),
            (None, None) => (name.to_owned(), declared_line(text, manifest, &fault.message)),
        },
    };
    Finding { file, line, message: fault.message }
}

/// The line of the section that a message begins with, or of the first name that it quotes there.
fn package_line(text: &str, message: &str) -> Option<usize> {
    let section = message.split([':', ' ']).next().unwrap_or_default();
    let section = section.rsplit('.').next().unwrap_or_default();
    let quoted = message.split('"').nth(1).unwrap_or_default();
    line_of(text, &[&format!("{section}:"), quoted])
}

/// The line after which a manifest's own text begins in a package of one file.
fn template_line(text: &str, manifest: &Manifest) -> Option<usize> {
    line_of(text, &["manifests:", &format!("name: {}", manifest.name), "template:"])
}

/// The line where the package declares the object that a message is about.
fn declared_line(text: &str, manifest: &Manifest, message: &str) -> Option<usize> {
    let quoted = message.split('"').nth(1).unwrap_or_default();
    line_of(text, &["manifests:", &format!("name: {}", manifest.name), quoted])
}

/// The file that a manifest comes from, where it has one of its own.
fn file_of(text: &str, manifest: &Manifest) -> Option<String> {
    let at = template_line_or_file(text, manifest)?;
    let line = text.lines().nth(at - 1)?;
    let (_, file) = line.split_once("file:")?;
    Some(file.trim().trim_matches(['"', '\'', '}', ' ']).to_owned())
}

fn template_line_or_file(text: &str, manifest: &Manifest) -> Option<usize> {
    let start = line_of(text, &["manifests:", &format!("name: {}", manifest.name)])?;
    let position =
        text.lines().skip(start - 1).position(|line| line.contains("file:") || line.contains("template:"))?;
    Some(start + position)
}
