//! The rules of `operations`: what can be checked of the package's own fields, and against what it renders.

use std::collections::BTreeSet;

use crate::engine::object::RenderedObject;
use crate::fault::Fault;
use crate::operation::{OperationError, claim, config_maps, file_places, has_pods, mounting, mounts, place};
use crate::package::Package;
use crate::plan::Plan;
use crate::rule::Rule;
use commonscloud_api::{Operation, OperationKind, Operations, ServiceTemplateSpec};

/// What is mounted into each operation anyway, and what the rest of an image needs.
const TAKEN: [&str; 3] = ["/tmp", "/stream", "/volumes"];
/// What parts of a backup are called beside the volumes.
const PARTS: [&str; 3] = ["dump", "state", "secrets"];
/// Operations that come together, and why.
const PAIRS: [(OperationKind, OperationKind, &str); 3] = [
    (OperationKind::Quiesce, OperationKind::Unquiesce, "or people could not write again"),
    (OperationKind::Dump, OperationKind::Load, "or nothing could be restored"),
    (OperationKind::Dump, OperationKind::Verify, "or no restore could be proven"),
];

/// The rules of the package's own fields.
pub(crate) fn faults(package: &str, spec: &ServiceTemplateSpec) -> Vec<Fault> {
    let Some(operations) = &spec.operations else { return Vec::new() };
    let mut faults = volume_rules(spec, operations);
    for (at, revision) in operations.compatible_revisions.iter().enumerate() {
        // Of whatever name: a copy of the package under another one keeps the list, and nothing is found by it.
        if !is_revision_name(revision) {
            let message =
                format!("operations: {revision:?} is not the name of a revision, such as {package}-23db678cef");
            let field = format!("spec.operations.compatibleRevisions[{at}]");
            faults.push(Fault::package(Rule::OperationPart, field, message));
        }
    }
    faults.extend(pair_rules(operations));
    for (kind, operation) in operations.all() {
        let at = Place { kind, operation };
        faults.extend(at.parts(spec));
        faults.extend(at.paths());
        if operation.marks_begin && !matches!(kind, OperationKind::Dump | OperationKind::Verify) {
            let message = "is of `dump` and `verify`: what they read is of one moment";
            faults.push(at.fault(Rule::OperationPair, ".marksBegin", message));
        }
    }
    faults
}

/// As [`Package::revision_name`] makes it.
fn is_revision_name(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    name.rsplit_once('-').is_some_and(|(_, digits)| digits.len() == 10 && digits.bytes().all(is_digit))
}

/// Each volume once, and none that there is not.
fn volume_rules(spec: &ServiceTemplateSpec, operations: &Operations) -> Vec<Fault> {
    let list = |list: &'static str, names: Vec<&String>| {
        let names = names.into_iter().cloned().enumerate().collect::<Vec<_>>();
        names.into_iter().map(move |(at, name)| (format!("spec.operations.{list}[{at}]"), name))
    };
    let named: Vec<(String, String)> = list("files", operations.files.iter().map(|tree| &tree.volume).collect())
        .chain(list("dumped", operations.dumped.iter().collect()))
        .chain(list("leftOut", operations.left_out.iter().map(|volume| &volume.volume).collect()))
        .collect();
    let mut faults = Vec::new();
    let mut fault = |field: String, message: String| {
        faults.push(Fault::package(Rule::OperationVolume, field, format!("operations: {message}")));
    };
    let mut seen = BTreeSet::new();
    for (field, name) in &named {
        if !spec.volumes.iter().any(|volume| volume.name == *name) {
            fault(field.clone(), format!("{name:?} is no volume of the package"));
        } else if !seen.insert(name) {
            fault(field.clone(), format!("the volume {name:?} is there twice, in files, dumped or leftOut"));
        }
    }
    for volume in spec.volumes.iter().filter(|volume| !named.iter().any(|(_, name)| *name == volume.name)) {
        let message = format!(
            "what becomes of the volume {:?}? Name it in files, in dumped, or in leftOut with the reason",
            volume.name
        );
        fault("spec.operations".to_owned(), message);
    }
    for (at, volume) in spec.volumes.iter().enumerate().filter(|(_, volume)| PARTS.contains(&volume.name.as_str())) {
        let message =
            format!("the volume {:?} is called as another part of a backup is: give it another name", volume.name);
        fault(format!("spec.volumes[{at}].name"), message);
    }
    if !operations.dumped.is_empty() && operations.dump.is_none() {
        fault("spec.operations.dumped".to_owned(), "there is no `dump` that writes what is in them".to_owned());
    }
    faults
}

/// What comes together.
fn pair_rules(operations: &Operations) -> Vec<Fault> {
    let lone = PAIRS.iter().filter_map(|(one, other, why)| {
        let (has, lacks) = match (operations.get(*one).is_some(), operations.get(*other).is_some()) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => return None,
        };
        let message = format!("operations: `{has}` needs `{lacks}` beside it, {why}");
        Some(Fault::package(Rule::OperationPair, format!("spec.operations.{has}"), message))
    });
    let mut faults: Vec<Fault> = lone.collect();
    let components = [&operations.dump, &operations.verify].map(|one| one.as_ref().map(|one| one.component.as_str()));
    if let [Some(dump), Some(verify)] = components
        && dump != verify
    {
        let message =
            format!("operations: verify: runs in one pod with `dump`, of one moment: its component is {dump:?}, too");
        faults.push(Fault::package(Rule::OperationPair, "spec.operations.verify.component", message));
    }
    faults
}

struct Place<'o> {
    kind: OperationKind,
    operation: &'o Operation,
}

impl Place<'_> {
    fn fault(&self, rule: Rule, field: &str, message: impl std::fmt::Display) -> Fault {
        let field = format!("spec.operations.{}{field}", self.kind);
        Fault::package(rule, field, format!("operations: {}: {message}", self.kind))
    }

    /// What it names is there.
    fn parts(&self, spec: &ServiceTemplateSpec) -> Vec<Fault> {
        let operation = self.operation;
        let mut faults = Vec::new();
        let mut need = |has: bool, field: String, what: &str, name: &str| {
            if !has {
                let message = format!("{name:?} is no {what} of the package");
                faults.push(self.fault(Rule::OperationPart, &field, message));
            }
        };
        let component = |name: &str| spec.components.iter().any(|known| known.name == name);
        let image = spec
            .versions
            .first()
            .is_some_and(|version| version.images.iter().any(|image| image.name == operation.image));
        let text = spec.files.iter().any(|file| file.name == operation.script);
        need(component(&operation.component), ".component".to_owned(), "component", &operation.component);
        need(image, ".image".to_owned(), "image", &operation.image);
        need(text, ".script".to_owned(), "text in `files`", &operation.script);
        for (at, mount) in operation.volumes.iter().enumerate() {
            let has = spec.volumes.iter().any(|volume| volume.name == mount.name);
            need(has, format!(".volumes[{at}].name"), "volume", &mount.name);
        }
        for (at, mount) in operation.secrets.iter().enumerate() {
            let secret = spec.secrets.iter().find(|secret| secret.name == mount.name);
            need(secret.is_some(), format!(".secrets[{at}].name"), "generated Secret", &mount.name);
            let keys = secret.map(|secret| &secret.keys);
            for key in
                keys.into_iter().flat_map(|keys| mount.keys.iter().filter(|key| keys.iter().all(|k| k.name != **key)))
            {
                need(false, format!(".secrets[{at}].keys"), "key of that Secret", key);
            }
        }
        faults
    }

    /// A pod with another group would have all files of a volume handed to that group, under the application.
    fn groups(&self, plan: &Plan, objects: &[RenderedObject]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (at, volume) in self.operation.volumes.iter().enumerate() {
            let owner = claim(plan, &volume.name).ok().and_then(|claim| mounting(objects, claim));
            if owner.as_ref() != Some(&self.operation.component) {
                let owner = owner.map_or("no pods".to_owned(), |owner| format!("pods of component {owner:?}"));
                let message = format!(
                    "the volume {:?} is mounted by {owner}, whose group its files have: an operation with it is of the same component",
                    volume.name
                );
                faults.push(self.fault(Rule::OperationPart, &format!(".volumes[{at}].name"), message));
            }
        }
        faults
    }

    /// Nothing hides what is mounted anyway, or what another one mounts.
    fn paths(&self) -> Vec<Fault> {
        let mounts = mounts(self.operation);
        let covers = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut faults = Vec::new();
        for (at, (field, path)) in mounts.iter().enumerate() {
            let before = mounts.iter().take(at).map(|(_, path)| *path);
            let hidden = TAKEN.into_iter().find(|taken| covers(taken, path) || covers(path, taken));
            let other = hidden.or_else(|| before.into_iter().find(|other| *other == *path));
            if let Some(other) = other {
                let message = format!("{path:?} meets {other:?}, where something else is mounted; choose another");
                faults.push(self.fault(Rule::OperationPath, &format!(".{field}.path"), message));
            }
        }
        faults
    }
}

/// The rules of what a package renders: that each operation has pods to run beside, ConfigMaps to read, components
/// to talk to, and a user.
pub(crate) fn rendered(package: &Package, plan: &Plan, objects: &[RenderedObject]) -> Vec<Fault> {
    let Some(source) = package.operations() else { return Vec::new() };
    let mut faults = Vec::new();
    let maps = config_maps(plan, objects);
    for (kind, operation) in source.operations.all() {
        let at = Place { kind, operation };
        if let Err(error) = place(plan, objects, &operation.component, operation.user) {
            faults.push(at.fault(Rule::OperationPart, ".component", error));
        }
        faults.extend(at.groups(plan, objects));
        for (map_at, map) in operation.config_maps.iter().enumerate().filter(|(_, map)| !maps.contains(&map.name)) {
            let message = format!("{:?} is no ConfigMap that is always rendered", map.name);
            faults.push(at.fault(Rule::OperationPart, &format!(".configMaps[{map_at}].name"), message));
        }
        let silent = |peer: &&commonscloud_api::OperationPeer| !has_pods(plan, objects, &peer.component);
        if let Some(peer) = operation.connects_to.iter().find(silent) {
            let error = OperationError::NoWorkload(peer.component.clone());
            faults.push(at.fault(Rule::OperationPart, ".connectsTo", error));
        }
    }
    if let Err(error) = file_places(plan, objects, &source) {
        faults.push(Fault::package(
            Rule::OperationPart,
            "spec.operations.files",
            format!("operations: files: {error}"),
        ));
    }
    faults
}
