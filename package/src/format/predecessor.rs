//! A package beside the one that it follows: what instances that exist cannot follow, since their volumes
//! and Secrets are never replaced.

use std::fmt;

use commonscloud_api::{GeneratedSecret, SecretKey, ServiceTemplateSpec};

/// Something that an instance of the earlier package does not get, or keeps, when it moves to the later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incompatibility {
    /// The field, for example `spec.volumes[data].access`.
    pub field: String,
    /// What becomes of instances that exist.
    pub message: String,
}

/// `spec.volumes[data]: what becomes of instances that exist`.
impl fmt::Display for Incompatibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// What instances of `before` cannot follow when they move to `after`. What is only added reaches them.
pub fn incompatibilities(before: &ServiceTemplateSpec, after: &ServiceTemplateSpec) -> Vec<Incompatibility> {
    let mut found = volumes(before, after);
    for secret in &before.secrets {
        match after.secrets.iter().find(|known| known.name == secret.name) {
            Some(known) => found.extend(keys(secret, known)),
            None => found.push(told(
                format!("spec.secrets[{}]", secret.name),
                "is gone; instances that exist keep the Secret, and nothing uses it any more",
            )),
        }
    }
    found
}

fn told(field: String, message: &str) -> Incompatibility {
    Incompatibility { field, message: message.to_owned() }
}

fn volumes(before: &ServiceTemplateSpec, after: &ServiceTemplateSpec) -> Vec<Incompatibility> {
    let mut found = Vec::new();
    for volume in &before.volumes {
        let field = format!("spec.volumes[{}]", volume.name);
        let Some(known) = after.volumes.iter().find(|known| known.name == volume.name) else {
            let message = "is gone; instances that exist keep the volume, and nothing uses its data any more";
            found.push(told(field, message));
            continue;
        };
        if known.access != volume.access {
            let message = "a claim's access mode cannot be changed; instances that exist keep the old one: make a volume of another name";
            found.push(told(format!("{field}.access"), message));
        }
        if known.carries_quota != volume.carries_quota {
            let message =
                "the files of instances that exist lie on the volume that carried the quota: it must stay the same one";
            found.push(told(format!("{field}.carriesQuota"), message));
        }
    }
    found
}

fn keys(before: &GeneratedSecret, after: &GeneratedSecret) -> Vec<Incompatibility> {
    let field = |key: &SecretKey| format!("spec.secrets[{}].keys[{}]", before.name, key.name);
    let changed = |key: &SecretKey| {
        let known = after.keys.iter().find(|known| known.name == key.name);
        match known {
            None => Some(told(field(key), "is gone; instances that exist keep it, and nothing uses it any more")),
            Some(known) if known.value != key.value => Some(told(
                format!("{}.value", field(key)),
                "a generated Secret is never changed; instances that exist keep the old value: make a key of another name",
            )),
            Some(_) => None,
        }
    };
    before.keys.iter().filter_map(changed).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use commonscloud_api::{VolumeAccess, VolumeTemplate};

    use super::*;
    use crate::format::directory::load_directory;

    fn found(edit: impl FnOnce(&mut ServiceTemplateSpec)) -> Vec<String> {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/templates/radicale.yaml");
        let mut before = load_directory(&example).unwrap().spec;
        before.volumes.push(VolumeTemplate { name: "db".into(), size: "2Gi".into(), ..VolumeTemplate::default() });
        let mut after = before.clone();
        edit(&mut after);
        incompatibilities(&before, &after).into_iter().map(|found| found.field).collect()
    }

    #[test]
    fn what_a_revision_only_adds_reaches_instances_that_exist() {
        let added = found(|spec| {
            spec.secrets.push(GeneratedSecret { name: "jwt".into(), ..GeneratedSecret::default() });
            spec.secrets[0].keys.push(SecretKey { name: "token".into(), length: Some(32), value: None });
            spec.secrets[0].keys[1].length = Some(64);
        });
        assert_eq!(added, [""; 0]);
    }

    #[test]
    fn what_instances_that_exist_cannot_follow_is_told() {
        assert_eq!(found(|spec| spec.volumes.truncate(1)), ["spec.volumes[db]"]);
        assert_eq!(found(|spec| spec.volumes[1].access = VolumeAccess::ReadWriteMany), ["spec.volumes[db].access"]);
        let moved = found(|spec| spec.volumes.iter_mut().for_each(|v| v.carries_quota = !v.carries_quota));
        assert_eq!(moved, ["spec.volumes[data].carriesQuota", "spec.volumes[db].carriesQuota"]);
        assert_eq!(found(|spec| spec.secrets.clear()), ["spec.secrets[admin]"]);
        let value = found(|spec| spec.secrets[0].keys[0].value = Some("root".into()));
        assert_eq!(value, ["spec.secrets[admin].keys[username].value"]);
        assert_eq!(found(|spec| drop(spec.secrets[0].keys.remove(0))), ["spec.secrets[admin].keys[username]"]);
    }
}
