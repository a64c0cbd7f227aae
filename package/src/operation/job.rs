//! The Job of an operation, or of file trees.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::place::{self, Place, beside, claim, is_on_one_node, place};
use super::{FilePlace, OPERATION_OF, OperationError, OperationSource, RUN, Run, STREAM, VOLUMES, Writing, network};
use crate::canonical::canonicalize;
use crate::engine::object::RenderedObject;
use crate::engine::secret_keys;
use crate::plan::Plan;
use commonscloud_api::{GROUP, Operation, OperationKind, OperationPeer, VERSION, marks};

/// What a Job gets beyond an operation's own time: to be scheduled, and to pull its images.
const START_SECONDS: u32 = 120;
/// Nobody needs a finished Job for longer; the operator removes it before.
const FORGOTTEN_SECONDS: u32 = 86_400;
/// What is there for whatever a program writes beside its work.
const TMP: &str = "64Mi";
/// Files of Secrets, for their owner and group; for everybody where the pod has no group of its own.
const FOR_GROUP: u32 = 0o440;
const FOR_ALL: u32 = 0o444;

/// The objects of one run of operations side by side, mostly of one, in the order in which they are made: its
/// policies, then its Job. Of several the pod is that of the first one's component.
///
/// # Errors
/// When the package has no such operation, or it needs what this instance does not have.
pub fn operation_objects(
    plan: &Plan,
    objects: &[RenderedObject],
    source: &OperationSource<'_>,
    kinds: &[OperationKind],
    run: &Run,
) -> Result<Vec<RenderedObject>, OperationError> {
    let mut parts = Parts::default();
    let mut peers: Vec<OperationPeer> = Vec::new();
    let mut pod: Option<Place> = None;
    for kind in kinds {
        let operation = source.operations.get(*kind).ok_or(OperationError::NotThere(*kind))?;
        let own = place(plan, objects, &operation.component, operation.user)?;
        let place = pod.get_or_insert_with(|| own.clone());
        for volume in volumes(plan, operation, place.has_group, *kind)? {
            // Two operations may read one volume.
            if !parts.volumes.contains(&volume) {
                parts.volumes.push(volume);
            }
        }
        parts.containers.push(container(plan, source, operation, *kind, run, &own)?);
        parts.timeout = parts.timeout.max(operation.timeout_seconds);
        parts.is_bound |= operation.volumes.iter().any(|volume| is_on_one_node(plan, &volume.name));
        peers.extend(operation.connects_to.iter().filter(|peer| !peers.contains(peer)).cloned().collect::<Vec<_>>());
    }
    let place = pod.ok_or_else(|| OperationError::Unknown("an operation without a name".to_owned()))?;
    let mut made = network::policies(plan, run, &peers);
    made.push(job(plan, &place, parts, run));
    Ok(made)
}

/// The objects of one run of companions over the files of volumes, each mounted at `/volumes/NAME`. `places`: of
/// one component, and of one user.
///
/// # Errors
/// When there is no place, or its component has no pods.
pub fn files_objects(
    plan: &Plan,
    objects: &[RenderedObject],
    places: &[FilePlace],
    writing: Writing,
    timeout_seconds: u32,
    run: &Run,
) -> Result<Vec<RenderedObject>, OperationError> {
    let first = places.first().ok_or_else(|| OperationError::NotMounted(String::new()))?;
    let mut place = place(plan, objects, &first.component, Some(first.user))?;
    if writing == Writing::Fills {
        place.own_volumes();
    }
    let volumes = places
        .iter()
        .map(|place| json!({"name": of_claim(&place.volume), "persistentVolumeClaim": {"claimName": place.claim}}));
    let volumes: Vec<Value> = volumes.collect();
    let mut run = run.clone();
    for container in &mut run.companion.containers {
        let mounts = container["volumeMounts"].as_array().cloned().unwrap_or_default();
        let own = places.iter().map(|place| {
            let path = format!("{VOLUMES}/{}", place.volume);
            json!({"name": of_claim(&place.volume), "mountPath": path, "readOnly": writing == Writing::Nothing})
        });
        container["volumeMounts"] = mounts.into_iter().chain(own).collect();
    }
    let is_bound = places.iter().any(|place| is_on_one_node(plan, &place.volume));
    let parts = Parts { volumes, containers: Vec::new(), timeout: timeout_seconds, is_bound };
    let mut made = network::policies(plan, &run, &[]);
    made.push(job(plan, &place, parts, &run));
    Ok(made)
}

/// The objects of one run of companions that need nothing of the instance but its namespace. `user`: none of the
/// package's, since it has none of its files.
pub fn companion_objects(plan: &Plan, user: u32, timeout_seconds: u32, run: &Run) -> Vec<RenderedObject> {
    let place = Place::alone(user);
    let mut made = network::policies(plan, run, &[]);
    made.push(job(plan, &place, Parts { timeout: timeout_seconds, ..Parts::default() }, run));
    made
}

#[derive(Default)]
struct Parts {
    volumes: Vec<Value>,
    containers: Vec<Value>,
    timeout: u32,
    /// Whether a volume of it is mounted by one node at a time.
    is_bound: bool,
}

/// The Job, which is tried once: whether and when again is the operator's to say.
fn job(plan: &Plan, place: &Place, parts: Parts, run: &Run) -> RenderedObject {
    let companion = &run.companion;
    let containers = [parts.containers, companion.containers.clone()].concat();
    let volumes = [parts.volumes, companion.volumes.clone()].concat();
    let mut pod = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": place.security_context,
        "containers": containers,
        "volumes": volumes,
    });
    if !companion.init_containers.is_empty() {
        pod["initContainers"] = Value::from(companion.init_containers.clone());
    }
    if !plan.image_pull_secrets.is_empty() {
        pod["imagePullSecrets"] = plan.image_pull_secrets.iter().map(|name| json!({"name": name})).collect();
    }
    for (field, value) in &place.node {
        pod[field] = value.clone();
    }
    if parts.is_bound && run.beside_pods {
        pod["affinity"] = beside(plan, &place.component);
    }
    let mut template = json!({"metadata": {"labels": labels(plan, run)}, "spec": pod});
    if !companion.annotations.is_empty() {
        template["metadata"]["annotations"] = json!(companion.annotations);
    }
    secret_keys::lead(plan, &mut template);
    let spec = json!({
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        // Never a second pod while the first one may still be at work.
        "podReplacementPolicy": "Failed",
        "activeDeadlineSeconds": parts.timeout.saturating_add(START_SECONDS),
        "ttlSecondsAfterFinished": FORGOTTEN_SECONDS,
        "template": template,
    });
    object(plan, run, Made { kind: "Job", api_version: "batch/v1", name: run.name.clone(), spec })
}

fn container(
    plan: &Plan,
    source: &OperationSource<'_>,
    operation: &Operation,
    kind: OperationKind,
    run: &Run,
    place: &Place,
) -> Result<Value, OperationError> {
    let unknown = |what: &str, name: &str| OperationError::Unknown(format!("the {what} {name:?}"));
    let text = source.text(&operation.script).ok_or_else(|| unknown("text", &operation.script))?;
    let image = plan.images.get(&operation.image).ok_or_else(|| unknown("image", &operation.image))?;
    let resources = plan.resources.get(&operation.component);
    let resources = resources.ok_or_else(|| unknown("component", &operation.component))?;
    Ok(json!({
        "name": kind.as_str(),
        "image": image,
        "command": command(operation, text, kind),
        "env": environment(plan, operation, kind, run),
        "resources": resources,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
            "runAsUser": place.security_context["runAsUser"], "runAsGroup": place.security_context["runAsGroup"],
        },
        "volumeMounts": volume_mounts(operation, kind),
    }))
}

/// Where the kubelet reads what a container says at its end.
const TERMINATION_LOG: &str = "/dev/termination-log";

/// What an operation with a stream writes to it or reads from it; of `quiesce` what it says is told when it succeeds,
/// too: what it did not wait for.
fn wrapper(kind: OperationKind) -> Option<String> {
    match kind {
        OperationKind::Unquiesce => None,
        OperationKind::Quiesce => {
            let told = format!("code=0; \"$@\" 2>{TERMINATION_LOG} || code=$?");
            Some(format!("{told}; cat {TERMINATION_LOG} >&2; exit $code"))
        }
        OperationKind::Dump | OperationKind::Verify => {
            Some(format!("\"$@\" >{STREAM}/{kind} && : >{STREAM}/{kind}.done"))
        }
        OperationKind::Load => Some(format!("\"$@\" <{STREAM}/{kind}")),
    }
}

fn has_stream(kind: OperationKind) -> bool {
    !matches!(kind, OperationKind::Quiesce | OperationKind::Unquiesce)
}

/// The text is an argument: nothing has to be there beside the Job. Kubernetes takes `$$` for `$`, and `$(NAME)`
/// for a variable, wherever they stand.
fn command(operation: &Operation, text: &str, kind: OperationKind) -> Vec<String> {
    let wrapper = wrapper(kind).map(|wrapper| ["/bin/sh".to_owned(), "-c".to_owned(), wrapper, kind.to_string()]);
    let all = wrapper.into_iter().flatten().chain(operation.interpreter.iter().cloned()).chain([text.to_owned()]);
    all.map(|argument| argument.replace('$', "$$")).collect()
}

fn environment(plan: &Plan, operation: &Operation, kind: OperationKind, run: &Run) -> Vec<Value> {
    let begun = operation.marks_begin.then(|| ("BEGUN", format!("{STREAM}/{kind}.begun")));
    let table = run.table.clone().filter(|_| kind == OperationKind::Load).map(|table| ("TABLE", table));
    let own = [("INSTANCE", plan.instance.name.clone()), ("VERSION", plan.version.clone())];
    let variable = |(name, value): (&str, String)| json!({"name": name, "value": value.replace('$', "$$")});
    own.into_iter().chain(begun).chain(table).map(variable).collect()
}

/// What a volume of the pod is called: names of packages hold no hyphen, so none of these meet.
fn of_claim(volume: &str) -> String {
    format!("volume-{volume}")
}

fn volume_mounts(operation: &Operation, kind: OperationKind) -> Vec<Value> {
    let volumes = operation
        .volumes
        .iter()
        .map(|volume| json!({"name": of_claim(&volume.name), "mountPath": volume.path, "readOnly": !volume.writable}));
    let read = |name: String, path: &str| json!({"name": name, "mountPath": path, "readOnly": true});
    let secrets = operation.secrets.iter().map(|secret| read(format!("{kind}-secret-{}", secret.name), &secret.path));
    let maps = operation.config_maps.iter().map(|map| read(format!("{kind}-config-{}", map.name), &map.path));
    let scratch = operation.scratch.iter().enumerate();
    let scratch = scratch.map(|(at, folder)| json!({"name": format!("{kind}-scratch-{at}"), "mountPath": folder.path}));
    let own = [json!({"name": format!("{kind}-tmp"), "mountPath": "/tmp"})];
    let stream = has_stream(kind).then(|| json!({"name": "stream", "mountPath": STREAM}));
    volumes.chain(secrets).chain(maps).chain(scratch).chain(own).chain(stream).collect()
}

fn volumes(
    plan: &Plan,
    operation: &Operation,
    has_group: bool,
    kind: OperationKind,
) -> Result<Vec<Value>, OperationError> {
    let mode = if has_group { FOR_GROUP } else { FOR_ALL };
    let mut volumes = Vec::new();
    for volume in &operation.volumes {
        let claim = claim(plan, &volume.name)?;
        volumes.push(json!({"name": of_claim(&volume.name), "persistentVolumeClaim": {"claimName": claim}}));
    }
    for mount in &operation.secrets {
        let secret = plan.secrets.iter().find(|known| known.name == mount.name);
        let secret = secret.ok_or_else(|| OperationError::Unknown(format!("the Secret {:?}", mount.name)))?;
        let keys: Vec<Value> = mount.keys.iter().map(|key| json!({"key": key, "path": key})).collect();
        let source = json!({"secretName": secret.secret, "defaultMode": mode, "items": keys});
        volumes.push(json!({"name": format!("{kind}-secret-{}", mount.name), "secret": source}));
    }
    for map in &operation.config_maps {
        let source = json!({"name": format!("{}-{}", plan.instance.name, map.name), "defaultMode": 0o555});
        volumes.push(json!({"name": format!("{kind}-config-{}", map.name), "configMap": source}));
    }
    for (at, folder) in operation.scratch.iter().enumerate() {
        volumes.push(json!({"name": format!("{kind}-scratch-{at}"), "emptyDir": {"sizeLimit": folder.size}}));
    }
    volumes.push(json!({"name": format!("{kind}-tmp"), "emptyDir": {"sizeLimit": TMP}}));
    if has_stream(kind) {
        volumes.push(json!({"name": "stream", "emptyDir": {"sizeLimit": "1Mi"}}));
    }
    Ok(volumes)
}

/// An object of a run.
pub(super) struct Made {
    pub(super) kind: &'static str,
    pub(super) api_version: &'static str,
    pub(super) name: String,
    pub(super) spec: Value,
}

/// Labelled, owned by the run's own object, canonical.
pub(super) fn object(plan: &Plan, run: &Run, made: Made) -> RenderedObject {
    let mut value = json!({
        "apiVersion": made.api_version,
        "kind": made.kind,
        "metadata": {
            "name": made.name,
            "namespace": plan.instance.namespace,
            "labels": labels(plan, run),
            "ownerReferences": [{
                "apiVersion": format!("{GROUP}/{VERSION}"),
                "kind": run.owner.kind, "name": run.owner.name, "uid": run.owner.uid,
                "controller": true, "blockOwnerDeletion": true,
            }],
        },
        "spec": made.spec,
    });
    canonicalize(&mut value);
    RenderedObject {
        kind: made.kind.to_owned(),
        api_version: made.api_version.to_owned(),
        namespace: plan.instance.namespace.clone(),
        name: made.name,
        value,
    }
}

/// None of these is what selects the instance's own pods: no Service leads to a run, no policy of the package's
/// opens it.
fn labels(plan: &Plan, run: &Run) -> Map<String, Value> {
    [
        ("app.kubernetes.io/name", "commonscloud-operation"),
        (marks::MANAGED_BY, marks::OPERATOR),
        (marks::ENTITY, plan.entity.name.as_str()),
        (OPERATION_OF, plan.instance.name.as_str()),
        (RUN, run.name.as_str()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), Value::from(value)))
    .collect()
}

/// The ConfigMaps that the objects have, by the names that manifests declare.
pub(crate) fn config_maps(plan: &Plan, objects: &[RenderedObject]) -> BTreeSet<String> {
    let front = format!("{}-", plan.instance.name);
    let maps = objects.iter().filter(|object| object.kind == "ConfigMap");
    maps.filter_map(|map| map.name.strip_prefix(&front)).map(str::to_owned).collect()
}

/// Whether the component has pods.
pub(crate) fn has_pods(plan: &Plan, objects: &[RenderedObject], component: &str) -> bool {
    place::place(plan, objects, component, Some(1)).is_ok()
}
