//! What is wrong with a package, and where.

use std::collections::BTreeSet;
use std::fmt;

use crate::rule::Rule;

/// One thing that is wrong with a package, where it is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// The manifest's name; absent: the package's own fields.
    pub manifest: Option<String>,
    /// The line in the manifest's template, counted from 1, where known.
    pub line: Option<usize>,
    /// The field of the package that is at fault, for example `spec.volumes[1].size`; empty: the
    /// manifest's template is.
    pub field: String,
    /// The rule that is broken.
    pub rule: Rule,
    /// What is wrong and what to do, without the place.
    pub message: String,
}

impl Fault {
    /// A fault of one of the package's own fields.
    pub(crate) fn package(rule: Rule, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { manifest: None, line: None, field: field.into(), rule, message: message.into() }
    }

    /// A fault of a manifest's template.
    pub(crate) fn manifest(rule: Rule, name: &str, line: Option<usize>, message: impl Into<String>) -> Self {
        Self { manifest: Some(name.to_owned()), line, field: String::new(), rule, message: message.into() }
    }

    /// A fault of what the package declares of a manifest, in this field.
    pub(crate) fn declared(rule: Rule, name: &str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { manifest: Some(name.to_owned()), ..Self::package(rule, field, message) }
    }
}

/// `app.yaml:12: what is wrong`; `package` stands for the package's own fields.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.manifest.as_deref().unwrap_or("package"))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// A rule that an object breaks: the field's path, and what is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) rule: Rule,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn new(rule: Rule, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { rule, field: field.into(), message: message.into() }
    }
}

/// Why a package is refused: every fault that was found, at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("package {package} is refused: {}", listed(.faults))]
pub struct PackageError {
    /// The package's name.
    pub package: String,
    /// What is wrong, by manifest and line.
    pub faults: Vec<Fault>,
}

/// Why a plan cannot be rendered: the package's manifests do not fit it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("package {package} cannot be rendered for {instance}: {}", listed(.faults))]
pub struct RenderError {
    /// The package's name.
    pub package: String,
    /// The instance, `namespace/name`.
    pub instance: String,
    /// What is wrong, by manifest and line.
    pub faults: Vec<Fault>,
}

/// The faults in order, each once.
pub(crate) fn once_each(faults: Vec<Fault>) -> Vec<Fault> {
    faults.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

fn listed(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// `/versions/0/name` as `.versions[0].name`.
pub(crate) fn field_path(pointer: &str) -> String {
    let parts = pointer.split('/').skip(1);
    parts.map(|part| if part.parse::<usize>().is_ok() { format!("[{part}]") } else { format!(".{part}") }).collect()
}
