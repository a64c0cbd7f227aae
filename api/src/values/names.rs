//! Names of Entities and instances.

/// Names that belong to the cluster itself.
const RESERVED: [&str; 7] = [
    "default",
    "commonscloud",
    "commonscloud-system",
    "cert-manager",
    "traefik",
    "ingress-nginx",
    "local-path-storage",
];

/// The longest name.
const LENGTH: usize = 30;

/// Whether an instance may be called so: a-z, 0-9 and -, beginning with a letter, not ending with -.
pub fn is_instance_name(name: &str) -> bool {
    let allowed = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    allowed && name.len() <= LENGTH && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-')
}

/// Whether an Entity may be called so: as an instance, and not like a namespace of the cluster.
pub fn is_entity_name(name: &str) -> bool {
    is_instance_name(name) && !name.starts_with("kube-") && !RESERVED.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_cluster_is_no_entity() {
        for name in ["kube-system", "default", "commonscloud-system", "", "a.b", "1a", "a-", "A", &"a".repeat(31)] {
            assert!(!is_entity_name(name), "{name}");
        }
        assert!(is_entity_name("kubernetes-friends"));
        assert!(is_instance_name("default"));
    }
}
