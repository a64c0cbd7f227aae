//! The storage classes that the Platform names.

use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt as _;

use super::there_are;
use crate::api::{PlatformSpec, Reason};
use crate::cache::Caches;
use crate::report::Problem;

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// The classes that are named and not there; or that none is named, and the cluster has no default.
pub(super) fn missing(caches: &Caches, spec: &PlatformSpec) -> Option<Problem> {
    let classes = caches.storage_classes.all();
    let is_default = |class: &StorageClass| class.annotations().get(DEFAULT).is_some_and(|value| value == "true");
    let facts = spec.storage_classes.iter().enumerate();
    let facts = facts.map(|(at, facts)| (format!("spec.storageClasses[{at}].name"), facts.name.as_str()));
    let named = facts.chain(spec.storage_class.as_deref().map(|name| ("spec.storageClass".to_owned(), name)));
    let unknown: Vec<String> = named
        .filter(|(_, name)| !caches.storage_classes.holds("", name))
        .map(|(field, name)| format!("{field}: StorageClass {name} does not exist (yet)"))
        .collect();
    let is_named = spec.storage_class.is_some() || !spec.storage_classes.is_empty();
    let message = match unknown.as_slice() {
        [] if is_named || classes.iter().any(|class| is_default(class)) => return None,
        [] => "spec.storageClass: names none, and no StorageClass is the cluster's default".to_owned(),
        unknown => unknown.join("; "),
    };
    let mark = |class: &StorageClass| if is_default(class) { " (the default)" } else { "" };
    let known = there_are(classes.iter().map(|class| format!("{}{}", class.name_any(), mark(class))));
    Some(Problem::new(Reason::StorageClassNotFound, format!("{message}; {known}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::Identity;

    fn told(classes: &[(&str, bool)], spec: &str) -> Option<String> {
        let caches = Caches::new();
        for (name, is_default) in classes {
            let metadata = json!({"name": name, "annotations": {DEFAULT: is_default.to_string()}});
            let class = json!({"metadata": metadata, "provisioner": "csi.example.org"});
            let class: StorageClass = serde_json::from_value(class).unwrap();
            caches.storage_classes.put(&Identity::of(&class.metadata), class);
        }
        let spec: PlatformSpec = serde_yaml::from_str(&format!("baseDomain: example.org\n{spec}")).unwrap();
        missing(&caches, &spec).map(|problem| problem.message)
    }

    #[test]
    fn each_class_that_is_not_there_is_named_by_its_field_with_what_there_is() {
        let classes = [("xfs", false), ("standard", true)];
        assert_eq!(told(&classes, ""), None, "the cluster's default");
        assert_eq!(told(&classes, "storageClasses: [{name: xfs}]"), None);
        let both = told(&classes, "storageClass: fast\nstorageClasses: [{name: xfs}, {name: zfs}]").unwrap();
        assert_eq!(
            both,
            "spec.storageClasses[1].name: StorageClass zfs does not exist (yet); spec.storageClass: StorageClass fast does not exist (yet); there are: standard (the default), xfs"
        );
        assert!(
            told(&[("xfs", false)], "").unwrap().contains("no StorageClass is the cluster's default; there are: xfs")
        );
    }
}
