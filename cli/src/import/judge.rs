//! Whether what is brought fits the service: judged before anything is touched.

use commonscloud_operator::api::FileTree;

use super::nextcloud::{Nextcloud, is_upgradable};
use super::service::Known;
use super::source::{Brought, Tree, TreeFrom};

/// What people are told of what moves in, a line each.
pub(super) fn told(brought: &Brought, known: &Known) -> Vec<String> {
    let (entity, service) = (&known.manifest.entity.name, &known.manifest.instance.name);
    let mut lines = vec![format!("{entity}/{service} is to hold {}", brought.shown)];
    let own = &known.manifest.versions;
    lines.push(format!("{} {} moves into {} {}", brought.template, brought.application, own.template, own.application));
    for Tree { volume, bytes, from } in &brought.trees {
        lines.push(match from {
            TreeFrom::LastBackup => format!("volume {volume}: as in the service's last backup, with other settings"),
            TreeFrom::Below(_) | TreeFrom::Archive(_) => format!("volume {volume}: {bytes} bytes"),
        });
    }
    lines.extend(brought.nextcloud.iter().flat_map(Nextcloud::told));
    if let Some(other) = brought.revisions.as_ref().filter(|of| of.service != own.revision) {
        lines.push(format!("it was made by revision {}, and the service has {}", other.service, own.revision));
    }
    if known.operations.verify.is_some() && !is_compared(brought, known) {
        lines.push(
            "nobody recorded what its database comes to in a way that this package compares: files are compared, and \
             the dump is loaded whole or not at all"
                .to_owned(),
        );
    }
    lines
}

/// Whether the state that was recorded is what this package's `verify` writes.
pub(super) fn is_compared(brought: &Brought, known: &Known) -> bool {
    let is_same = brought.revisions.as_ref().is_some_and(|of| of.operations == known.manifest.versions.operations);
    is_same && brought.state.is_some() && known.operations.verify.is_some()
}

/// Why it does not fit, a line each. None: it does.
pub(super) fn refused(brought: &Brought, known: &Known) -> Vec<String> {
    let own = &known.manifest.versions;
    if brought.template != own.template {
        return vec![format!("it is of template {}, and the service is of {}", brought.template, own.template)];
    }
    let mut whys = Vec::new();
    whys.extend(of_another_version(brought, &own.application));
    let has = |volume: &str| brought.trees.iter().any(|tree| tree.volume == volume);
    let lacks = known.operations.files.iter().filter(|FileTree { volume, .. }| !has(volume));
    whys.extend(
        lacks.map(|tree| format!("files of volume {} are missing, which the package restores from", tree.volume)),
    );
    for (at, tree) in brought.trees.iter().enumerate() {
        whys.extend(too_much(tree, known));
        if brought.trees[..at].iter().any(|before| before.volume == tree.volume) {
            whys.push(format!("it has files of volume {} twice", tree.volume));
        }
    }
    match (known.operations.load.is_some(), brought.dump.is_some()) {
        (true, false) => whys.push("the dump is missing, which the package restores from".to_owned()),
        (false, true) => whys.push("it has a dump, and the package loads none".to_owned()),
        _ => {}
    }
    whys
}

fn of_another_version(brought: &Brought, package: &str) -> Option<String> {
    let own = &brought.application;
    let (fits, what) = if brought.nextcloud.is_some() {
        let what =
            "Nextcloud goes up by one major version at a time and never down: upgrade it where it is, or the service";
        (is_upgradable(own, package), what)
    } else {
        (is_version(own, package), "bring it to that version where it is, or the service to it")
    };
    (!fits).then(|| format!("it is of version {own}, and the service has {package}: {what}"))
}

fn too_much(tree: &Tree, known: &Known) -> Option<String> {
    let Tree { volume, bytes, .. } = tree;
    if !known.operations.files.iter().any(|of| of.volume == *volume) {
        return Some(format!("it has files of volume {volume}, and the package restores none of such a volume"));
    }
    let room = known.manifest.volumes.get(volume).copied().filter(|room| room < bytes)?;
    Some(format!(
        "volume {volume} has room for {room} bytes, and {bytes} move in: raise tier or extraBlocks first, wait until it \
         has grown, and back it up"
    ))
}

/// Whether an application's version is that of the package, which may name its beginning alone: `1.39.13` is `1.39`.
fn is_version(own: &str, package: &str) -> bool {
    own.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::super::source::tests::brought;
    use super::*;

    /// A wiki with a volume and a database.
    pub fn known() -> Known {
        let versions = json!({"template": "mediawiki", "application": "1.39", "revision": "r-1", "operations": "r-1",
            "restic": "0.18.1", "operator": "0.1.0", "manifest": 1});
        let manifest = json!({"version": 1, "run": "u", "takenAt": "2026-11-30T00:00:00Z",
            "entity": {"name": "hort", "uid": "e"}, "instance": {"name": "wiki", "kind": "DedicatedService", "uid": "i"},
            "versions": versions, "parts": [], "volumes": {"data": 100, "db": 100}});
        let operation = json!({"component": "db", "image": "mariadb", "script": "x", "timeoutSeconds": 60});
        let operations = json!({"files": [{"volume": "data", "exclude": ["images/thumb"]}], "dumped": ["db"],
            "dump": operation, "load": operation, "verify": operation});
        Known {
            manifest: serde_json::from_value(manifest).unwrap(),
            operations: serde_json::from_value(operations).unwrap(),
        }
    }

    #[test]
    fn what_fits_is_not_refused_and_is_compared() {
        assert_eq!(refused(&brought(), &known()), Vec::<String>::new());
        assert!(is_compared(&brought(), &known()));
        assert!(told(&brought(), &known()).iter().any(|line| line.contains("volume data: 10 bytes")));
    }

    #[test_case(|it| it.template = "radicale".into(), "template radicale"; "another template")]
    #[test_case(|it| it.application = "1.43.1".into(), "version 1.43.1"; "another version")]
    #[test_case(|it| it.application = "1.3".into(), "version 1.3"; "half a version")]
    #[test_case(|it| it.trees.clear(), "files of volume data are missing"; "without files")]
    #[test_case(|it| it.trees[0].volume = "app".into(), "restores none of such a volume"; "files of another volume")]
    #[test_case(|it| it.trees[0].bytes = 101, "extraBlocks"; "more than there is room for")]
    #[test_case(|it| it.trees.push(it.trees[0].clone()), "twice"; "files of a volume twice")]
    #[test_case(|it| it.dump = None, "dump is missing"; "without a dump")]
    fn what_does_not_fit_is_refused_with_the_reason(edit: fn(&mut Brought), told: &str) {
        let mut brought = brought();
        edit(&mut brought);
        let whys = refused(&brought, &known());
        assert!(whys.iter().any(|why| why.contains(told)), "{whys:?}");
    }

    #[test]
    fn a_nextcloud_may_be_one_major_version_below() {
        let (mut brought, mut known) = (brought(), known());
        known.manifest.versions.application = "34.0.1".to_owned();
        brought.application = "33.0.8".to_owned();
        assert_eq!(refused(&brought, &known).len(), 1, "of an exit package it is the same");
        brought.nextcloud = Some(Nextcloud::default());
        assert_eq!(refused(&brought, &known), Vec::<String>::new());
        assert!(told(&brought, &known).iter().any(|line| line.contains("passwordsalt")));
        brought.application = "32.0.9".to_owned();
        let whys = refused(&brought, &known);
        assert!(whys[0].contains("32.0.9") && whys[0].contains("34.0.1"), "{whys:?}");
    }

    #[test]
    fn a_package_without_a_database_takes_no_dump() {
        let mut known = known();
        known.operations.load = None;
        assert!(refused(&brought(), &known)[0].contains("loads none"));
    }

    #[test]
    fn a_state_of_other_operations_is_not_compared_and_that_is_told() {
        let mut known = known();
        known.manifest.versions.operations = "r-2".to_owned();
        known.manifest.versions.revision = "r-2".to_owned();
        assert!(!is_compared(&brought(), &known));
        let lines = told(&brought(), &known);
        assert!(lines.iter().any(|line| line.contains("revision r-1")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("nobody recorded")), "{lines:?}");
        assert_eq!(refused(&brought(), &known), Vec::<String>::new());
    }

    #[test_case("1.39.13", "1.39", true; "a patch of it")]
    #[test_case("3.1.8", "3", true; "a release of it")]
    #[test_case("1.390", "1.39", false; "another number")]
    fn a_version_begins_as_the_packages(own: &str, package: &str, expected: bool) {
        assert_eq!(is_version(own, package), expected);
    }
}
