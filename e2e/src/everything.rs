//! A package with an object of every kind that packages may render: `everything.yaml`.

use commonscloud_operator::api::ServiceTemplate;

use crate::failure::Outcome;

/// Its name.
pub const EVERYTHING: &str = "everything";

/// The package.
///
/// # Errors
/// When its file is no ServiceTemplate.
pub fn package() -> Outcome<ServiceTemplate> {
    Ok(serde_yaml::from_str(include_str!("everything.yaml"))?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use commonscloud_operator::template::{Package, allowed_kinds};

    use super::*;

    #[test]
    fn it_keeps_to_the_format_and_declares_every_kind() {
        let package = Package::compile(EVERYTHING, &package().unwrap().spec).unwrap();
        let declared: BTreeSet<&str> =
            package.declared_objects("site").into_iter().map(|child| child.kind.kind).collect();
        assert_eq!(declared, allowed_kinds().iter().map(|kind| kind.kind).collect());
    }
}
