//! Whose operations an instance uses.

use commonscloud_api::{Operations, PackageFile};

use crate::Package;

/// Operations, and the package that they come from.
#[derive(Clone, Copy, Debug)]
pub struct OperationSource<'p> {
    /// The operations.
    pub operations: &'p Operations,
    package: &'p Package,
}

impl OperationSource<'_> {
    /// The revision that they come from.
    pub fn revision(&self) -> String {
        self.package.revision_name()
    }

    /// The text that is run, by the name that an operation gives it.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let files: &[PackageFile] = &self.package.spec().files;
        files.iter().find(|file| file.name == name).map(|file| file.content.as_str())
    }
}

impl Package {
    /// The package's own operations.
    pub fn operations(&self) -> Option<OperationSource<'_>> {
        let operations = self.spec().operations.as_ref()?;
        Some(OperationSource { operations, package: self })
    }
}

/// The operations of an instance that is pinned to `pinned`: its own, else those of the first of the template's
/// other packages, newest first, that declares them compatible. None: the instance cannot be backed up.
pub fn operations_for<'p>(
    pinned: &'p Package,
    newest_first: impl IntoIterator<Item = &'p Package>,
) -> Option<OperationSource<'p>> {
    let revision = pinned.revision_name();
    let fit = |package: &&Package| {
        let compatible = package.spec().operations.iter().flat_map(|operations| &operations.compatible_revisions);
        package.name() == pinned.name() && compatible.into_iter().any(|known| *known == revision)
    };
    pinned.operations().or_else(|| newest_first.into_iter().find(fit)?.operations())
}
