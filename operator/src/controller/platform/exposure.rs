//! The IngressClass by which services are reached.

use k8s_openapi::api::networking::v1::IngressClass;
use kube::ResourceExt as _;

use super::there_are;
use crate::api::{ConditionType, Reason};
use crate::cache::Caches;
use crate::report::ConditionUpdate;

const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
const FIELD: &str = "spec.exposure.ingressClass";

/// What is wrong with the class that the Platform names, or that the cluster takes where it names none.
pub(super) fn condition(caches: &Caches, named: Option<&str>) -> Option<ConditionUpdate> {
    let classes = caches.ingress_classes.all();
    let is_default = |class: &IngressClass| class.annotations().get(DEFAULT).is_some_and(|value| value == "true");
    let known = || {
        let mark = |class: &IngressClass| if is_default(class) { " (the default)" } else { "" };
        there_are(classes.iter().map(|class| format!("{}{}", class.name_any(), mark(class))))
    };
    let told = |reason, message| Some(ConditionUpdate::new(ConditionType::IngressClassFound, false, reason, message));
    match named {
        Some(name) if caches.ingress_classes.holds("", name) => None,
        Some(name) => told(
            Reason::IngressClassNotFound,
            format!("{FIELD}: IngressClass {name} does not exist (yet); {}", known()),
        ),
        None => match classes.iter().filter(|class| is_default(class)).count() {
            1 => None,
            0 => told(
                Reason::IngressClassNotFound,
                format!("{FIELD}: names none, and no IngressClass is the cluster's default; {}; name one", known()),
            ),
            _ => told(
                Reason::IngressClassAmbiguous,
                format!(
                    "{FIELD}: names none, and more than one IngressClass is the cluster's default; {}; name one",
                    known()
                ),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cache::Identity;

    fn with(classes: &[(&str, bool)]) -> Caches {
        let caches = Caches::new();
        for (name, is_default) in classes {
            let metadata = json!({"name": name, "annotations": {DEFAULT: is_default.to_string()}});
            let class: IngressClass = serde_json::from_value(json!({"metadata": metadata})).unwrap();
            caches.ingress_classes.put(&Identity::of(&class.metadata), class);
        }
        caches
    }

    #[test]
    fn a_class_that_is_not_there_or_not_clear_is_told_with_what_there_is() {
        let told = |classes: &[(&str, bool)], named| condition(&with(classes), named);
        let is_told = |reason, message: &str| {
            Some(ConditionUpdate::new(ConditionType::IngressClassFound, false, reason, message))
        };
        let (nginx, traefik) = (("nginx", false), ("traefik", true));
        assert_eq!(told(&[nginx, traefik], Some("nginx")), None);
        assert_eq!(told(&[nginx, traefik], None), None);
        let message = "spec.exposure.ingressClass: IngressClass trafik does not exist (yet); there are: nginx, traefik (the default)";
        assert_eq!(told(&[nginx, traefik], Some("trafik")), is_told(Reason::IngressClassNotFound, message));
        let message = "spec.exposure.ingressClass: names none, and no IngressClass is the cluster's default; there are: nginx; name one";
        assert_eq!(told(&[nginx], None), is_told(Reason::IngressClassNotFound, message));
        let both = format!("{:?}", told(&[("nginx", true), traefik], None));
        assert!(both.contains("IngressClassAmbiguous") && both.contains("nginx (the default), traefik"), "{both}");
        let none = format!("{:?}", told(&[], Some("traefik")));
        assert!(none.contains("does not exist (yet); there are none"), "{none}");
    }
}
