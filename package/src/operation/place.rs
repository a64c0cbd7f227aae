//! Beside which pods an operation runs, as which user, with which group.

use serde_json::{Map, Value, json};

use super::{OperationError, OperationSource};
use crate::engine::labels::{COMPONENT, selector};
use crate::engine::lookup::items;
use crate::engine::object::RenderedObject;
use crate::plan::Plan;
use commonscloud_api::VolumeAccess;

/// Where an operation runs.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) component: String,
    /// The pod's: its volumes are handed to the group that its component's pods hand them to.
    pub(crate) security_context: Value,
    /// Whether the pod's group may read what Kubernetes mounts into it.
    pub(crate) has_group: bool,
    /// What else decides on which nodes the component's pods may run.
    pub(crate) node: Map<String, Value>,
}

impl Place {
    /// Beside no pods.
    pub(super) fn alone(user: u32) -> Self {
        let security_context = json!({
            "runAsNonRoot": true, "runAsUser": user, "runAsGroup": user, "fsGroup": user,
            "seccompProfile": {"type": "RuntimeDefault"},
        });
        Self { component: String::new(), security_context, has_group: true, node: Map::new() }
    }

    /// For volumes that are new and root's, where the component's pods run as root and have no group of their own: it
    /// is the user's, or nobody could fill them. Of what is there already all would change its group.
    pub(crate) fn own_volumes(&mut self) {
        if !self.has_group {
            self.security_context["fsGroup"] = self.security_context["runAsGroup"].clone();
            self.security_context["fsGroupChangePolicy"] = json!("OnRootMismatch");
            self.has_group = true;
        }
    }
}

/// A volume whose files are backed up, of one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePlace {
    /// The volume's name in the package.
    pub volume: String,
    /// The claim.
    pub claim: String,
    /// The component whose pods mount it.
    pub component: String,
    /// The user who may read all of it.
    pub user: u32,
    /// What is left out, as patterns of restic below the volume.
    pub exclude: Vec<String>,
}

/// The volumes whose files are backed up, in the order of the package.
///
/// # Errors
/// When no pods mount one of them, or nothing says who may read it.
pub fn file_places(
    plan: &Plan,
    objects: &[RenderedObject],
    source: &OperationSource<'_>,
) -> Result<Vec<FilePlace>, OperationError> {
    let one = |tree: &commonscloud_api::FileTree| {
        let claim = claim(plan, &tree.volume)?.to_owned();
        let component = mounting(objects, &claim).ok_or_else(|| OperationError::NotMounted(tree.volume.clone()))?;
        let place = place(plan, objects, &component, tree.user)?;
        let user = place.security_context["runAsUser"].as_u64().and_then(|user| user.try_into().ok());
        let user = user.ok_or_else(|| OperationError::NoUser(component.clone()))?;
        Ok(FilePlace { volume: tree.volume.clone(), claim, component, user, exclude: tree.exclude.clone() })
    };
    source.operations.files.iter().map(one).collect()
}

/// The claim of a volume of the package.
pub(crate) fn claim<'p>(plan: &'p Plan, volume: &str) -> Result<&'p str, OperationError> {
    let found = plan.volumes.iter().find(|known| known.name == volume);
    found.map(|known| known.claim.as_str()).ok_or_else(|| OperationError::Unknown(format!("the volume {volume:?}")))
}

/// Whether one node at a time mounts this volume.
pub(crate) fn is_on_one_node(plan: &Plan, volume: &str) -> bool {
    plan.volumes.iter().any(|known| known.name == volume && known.access == VolumeAccess::ReadWriteOnce)
}

/// The component whose pods mount this claim.
pub(crate) fn mounting(objects: &[RenderedObject], claim: &str) -> Option<String> {
    let mounts = |object: &&RenderedObject| {
        let volumes = items(&object.value, "/spec/template/spec/volumes").iter();
        let mut claims = volumes.filter_map(|volume| volume.pointer("/persistentVolumeClaim/claimName"));
        claims.any(|known| known == claim)
    };
    let found = workloads(objects).find(mounts)?;
    component_of(found).map(str::to_owned)
}

fn workloads(objects: &[RenderedObject]) -> impl Iterator<Item = &RenderedObject> {
    objects.iter().filter(|object| matches!(object.kind.as_str(), "Deployment" | "StatefulSet"))
}

fn component_of(object: &RenderedObject) -> Option<&str> {
    object.value.pointer("/spec/selector/matchLabels")?.get(COMPONENT)?.as_str()
}

/// Where an operation of this component runs.
///
/// # Errors
/// When the component has no pods, or nothing says as which user.
pub(crate) fn place(
    plan: &Plan,
    objects: &[RenderedObject],
    component: &str,
    user: Option<u32>,
) -> Result<Place, OperationError> {
    let workload = workloads(objects).find(|object| component_of(object) == Some(component));
    let pod = workload.and_then(|object| object.value.pointer("/spec/template/spec"));
    let pod = pod.ok_or_else(|| OperationError::NoWorkload(component.to_owned()))?;
    debug_assert_eq!(workload.map(|object| object.namespace.as_str()), Some(plan.instance.namespace.as_str()));
    let of_pod = |field: &str| pod.pointer(&format!("/securityContext/{field}")).cloned();
    let user = user.map(Value::from).or_else(|| of_pod("runAsUser").filter(|user| *user != json!(0)));
    let user = user.ok_or_else(|| OperationError::NoUser(component.to_owned()))?;
    let group = of_pod("runAsGroup").filter(|group| *group != json!(0)).unwrap_or_else(|| user.clone());
    let mut context = json!({
        "runAsNonRoot": true, "runAsUser": user, "runAsGroup": group, "seccompProfile": {"type": "RuntimeDefault"},
    });
    let fs_group = of_pod("fsGroup");
    if let Some(fs_group) = &fs_group {
        context["fsGroup"] = fs_group.clone();
        // What the component's pods have handed over is not walked through again.
        context["fsGroupChangePolicy"] = json!("OnRootMismatch");
    }
    for field in ["supplementalGroups", "seLinuxOptions"] {
        if let Some(own) = of_pod(field) {
            context[field] = own;
        }
    }
    let node = ["nodeSelector", "tolerations"].into_iter();
    let node = node.filter_map(|field| Some((field.to_owned(), pod.get(field)?.clone()))).collect();
    Ok(Place { component: component.to_owned(), security_context: context, has_group: fs_group.is_some(), node })
}

/// What puts a pod on the node of the component's pods.
pub(crate) fn beside(plan: &Plan, component: &str) -> Value {
    json!({"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{
        "labelSelector": {"matchLabels": of_component(plan, component)},
        "topologyKey": "kubernetes.io/hostname",
    }]}})
}

/// The labels that select a component's pods.
pub(crate) fn of_component(plan: &Plan, component: &str) -> Value {
    let mut labels = selector(plan);
    labels.insert(COMPONENT.to_owned(), Value::from(component));
    Value::Object(labels)
}

/// Every path that an operation's container has something mounted at, with the field that says so.
pub(crate) fn mounts(operation: &commonscloud_api::Operation) -> Vec<(String, &str)> {
    let volumes = operation.volumes.iter().enumerate().map(|(at, mount)| (format!("volumes[{at}]"), &mount.path));
    let secrets = operation.secrets.iter().enumerate().map(|(at, mount)| (format!("secrets[{at}]"), &mount.path));
    let maps = operation.config_maps.iter().enumerate().map(|(at, mount)| (format!("configMaps[{at}]"), &mount.path));
    let scratch = operation.scratch.iter().enumerate().map(|(at, mount)| (format!("scratch[{at}]"), &mount.path));
    volumes.chain(secrets).chain(maps).chain(scratch).map(|(field, path)| (field, path.as_str())).collect()
}
