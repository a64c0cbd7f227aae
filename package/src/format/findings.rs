//! The faults of a package by file and line, for its author.

use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::engine::documents;
use crate::fault::Fault;
use crate::format::directory::{self, DirectoryError};
use crate::package::Package;
use crate::rule::Rule;

/// One fault of a package and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the package's folder.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The rule that is broken.
    pub rule: Rule,
    /// What is wrong and what to do.
    pub message: String,
}

/// `manifests/app.yaml:12: what is wrong [rule]`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {} [{}]", self.file, self.line, self.message, self.rule)
    }
}

/// Every fault of the package in this folder, or in this one file. None: the package is good.
///
/// # Errors
/// When its `package.yaml` or only file cannot be read.
pub fn lint(path: &Path) -> Result<Vec<Finding>, DirectoryError> {
    let (folder, package) = directory::places(path);
    let name = package.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(lint_text(&name, &directory::read(&package)?, |file| directory::read(&folder.join(file))))
}

/// [`lint`] for the text of a package file of this name.
pub(crate) fn lint_text(name: &str, text: &str, file: impl Fn(&str) -> Result<String, DirectoryError>) -> Vec<Finding> {
    let faults = match directory::parse(text, file) {
        Ok(template) => {
            let package = template.metadata.name.clone().unwrap_or_default();
            Package::compile(&package, &template.spec).err().map(|error| error.faults).unwrap_or_default()
        }
        Err(faults) => faults,
    };
    let raw = documents::read(text).ok().and_then(|mut documents| documents.pop()).unwrap_or_default();
    let mut findings: Vec<_> = faults.into_iter().map(|fault| locate(name, text, &raw, fault)).collect();
    findings.sort();
    findings.dedup();
    findings
}

/// `raw`: the package as it is written, with the names of its files.
fn locate(name: &str, text: &str, raw: &Value, fault: Fault) -> Finding {
    let Fault { manifest, line, field, rule, message } = fault;
    let of_package = |field: &str| directory::line_of(text, field).unwrap_or(1);
    let manifests = raw.pointer("/spec/manifests").and_then(Value::as_array);
    let named = |entry: &Value| manifest.is_some() && entry.get("name").and_then(Value::as_str) == manifest.as_deref();
    let at = manifests.and_then(|manifests| manifests.iter().position(named)).filter(|_| field.is_empty());
    let (file, line) = match at {
        None => (name.to_owned(), of_package(&field)),
        Some(at) => match raw.pointer(&format!("/spec/manifests/{at}/file")).and_then(Value::as_str) {
            Some(file) => (file.to_owned(), line.unwrap_or(1)),
            None => (name.to_owned(), of_package(&format!("spec.manifests[{at}].template")) + line.unwrap_or_default()),
        },
    };
    Finding { file, line, rule, message }
}
