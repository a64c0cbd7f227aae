//! The CRDs as files: what `crds/` and the chart hold.

use super::crds;

/// A generated file: its name and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrdFile {
    /// Its name, for example `entities.yaml`.
    pub name: String,
    /// YAML, the same for the same types.
    pub text: String,
}

/// One file per kind, named by its plural.
///
/// # Errors
/// When a schema cannot be written as YAML.
pub fn crd_files() -> Result<Vec<CrdFile>, serde_yaml::ser::Error> {
    crds()
        .iter()
        .map(|crd| {
            let text = serde_yaml::to_string(crd)?;
            Ok(CrdFile { name: format!("{}.yaml", crd.spec.names.plural), text })
        })
        .collect()
}
