//! Server-side apply of manifests, in whatever order they stand.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::api::{DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiCapabilities, ApiResource, Scope, pinned_kind};
use kube::{Api, Client};
use tokio::time::Instant;

/// The field manager of what is applied here: that of `kubectl apply --server-side`, so that whoever
/// edits the same manifest and applies it meets no conflict.
const MANAGER: &str = "kubectl";
/// How long to retry what may become possible: a kind whose definition was just applied, an
/// admission policy that warms up, a namespace on its way.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(150);

/// A manifest that could not be read or applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A file or folder cannot be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not YAML, or not a Kubernetes object.
    #[error("{path}: {message}")]
    Manifest {
        /// Where it stands.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// The API server refused.
    #[error("{object}: {source}")]
    Refused {
        /// Kind and name.
        object: String,
        /// Its answer.
        source: Box<kube::Error>,
    },
}

/// An object as it was sent.
#[derive(Debug, Clone)]
pub struct Applied {
    /// The API server's answer.
    pub object: DynamicObject,
    /// The resource it belongs to.
    pub resource: ApiResource,
    /// Whether it lies in a namespace.
    pub namespaced: bool,
    /// Whether a controller is to report on it: a custom resource with a status.
    pub reported: bool,
}

impl Applied {
    /// Kind, namespace and name, as in `Deployment office/app`.
    pub fn title(&self) -> String {
        title(&self.object)
    }

    /// The object as it is now; none when it is gone.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn look(&self, client: &Client) -> Result<Option<DynamicObject>, kube::Error> {
        self.api(client).get_opt(self.object.metadata.name.as_deref().unwrap_or_default()).await
    }

    /// The API that this object is read with.
    pub fn api(&self, client: &Client) -> Api<DynamicObject> {
        api(client, &self.object, &self.resource, self.namespaced)
    }
}

fn title(object: &DynamicObject) -> String {
    let kind = object.types.as_ref().map_or("object", |types| types.kind.as_str());
    let name = object.metadata.name.as_deref().unwrap_or("without a name");
    match &object.metadata.namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}

fn api(client: &Client, object: &DynamicObject, resource: &ApiResource, namespaced: bool) -> Api<DynamicObject> {
    if namespaced {
        let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
        Api::namespaced_with(client.clone(), namespace, resource)
    } else {
        Api::all_with(client.clone(), resource)
    }
}

/// Reads the objects of a file, or of all `.yaml`, `.yml` and `.json` files of a folder by name.
///
/// # Errors
/// When a file cannot be read or holds something else than Kubernetes objects.
pub fn read(path: &Path) -> Result<Vec<DynamicObject>, ApplyError> {
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        move |source| ApplyError::File { path, source }
    };
    let mut files = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(failed(path))? {
            files.push(entry.map_err(failed(path))?.path());
        }
        files.retain(|file| {
            file.is_file() && file.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
        });
        files.sort();
    } else {
        files.push(path.to_path_buf());
    }
    let mut objects = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(failed(&file))?;
        objects.extend(parse(&file, &text)?);
    }
    Ok(objects)
}

/// Parses the objects in `text`; `path` is for errors.
///
/// # Errors
/// When it is not YAML or an object lacks its kind or name.
pub fn parse(path: &Path, text: &str) -> Result<Vec<DynamicObject>, ApplyError> {
    let failed = |message: String| ApplyError::Manifest { path: path.to_path_buf(), message };
    let documents: Vec<Option<serde_json::Value>> =
        serde_yaml::from_multiple_with_options(text, options()).map_err(|error| failed(error.to_string()))?;
    let mut objects = Vec::new();
    for document in documents.into_iter().flatten() {
        let items = match document.get("items").and_then(serde_json::Value::as_array) {
            Some(items) if document["kind"].as_str().is_some_and(|kind| kind.ends_with("List")) => items.clone(),
            _ => vec![document],
        };
        for item in items {
            let object: DynamicObject =
                serde_json::from_value(item).map_err(|error| failed(format!("not a Kubernetes object: {error}")))?;
            if object.types.is_none() || object.metadata.name.is_none() {
                return Err(failed(format!("{}: apiVersion, kind and metadata.name are needed", title(&object))));
            }
            objects.push(object);
        }
    }
    Ok(objects)
}

/// Reads numbers as Kubernetes does: `0440` is a file mode.
fn options() -> serde_yaml::Options {
    serde_yaml::options! { legacy_octal_numbers: true }
}

/// Applies all objects; one that is refused for what another of them may bring is tried again.
///
/// # Errors
/// The first refusal that stays one.
pub async fn apply(client: &Client, mut objects: Vec<DynamicObject>) -> Result<Vec<Applied>, ApplyError> {
    // What others need comes first; the rest keeps its order.
    objects.sort_by_key(|object| match object.types.as_ref().map(|types| types.kind.as_str()) {
        Some("Namespace") => 0,
        Some("CustomResourceDefinition") => 1,
        _ => 2,
    });
    let mut kinds = HashMap::new();
    let mut applied = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    for object in objects {
        applied.push(apply_one(client, object, &mut kinds, deadline).await?);
    }
    Ok(applied)
}

type Kinds = HashMap<GroupVersionKind, (ApiResource, ApiCapabilities)>;

async fn apply_one(
    client: &Client,
    object: DynamicObject,
    kinds: &mut Kinds,
    deadline: Instant,
) -> Result<Applied, ApplyError> {
    loop {
        match try_apply(client, &object, kinds).await {
            Ok(applied) => return Ok(applied),
            Err(error) if Instant::now() < deadline && may_pass(&error) => tokio::time::sleep(PAUSE).await,
            Err(error) => {
                return Err(ApplyError::Refused { object: title(&object), source: Box::new(error) });
            }
        }
    }
}

async fn try_apply(client: &Client, object: &DynamicObject, kinds: &mut Kinds) -> Result<Applied, kube::Error> {
    let types = object.types.clone().unwrap_or_default();
    let gvk = GroupVersionKind::try_from(&types).map_err(|error| kube::Error::Service(error.into()))?;
    let (resource, capabilities) = match kinds.get(&gvk) {
        Some(known) => known.clone(),
        None => kinds.entry(gvk.clone()).or_insert(pinned_kind(client, &gvk).await?).clone(),
    };
    let namespaced = capabilities.scope == Scope::Namespaced;
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let parameters = PatchParams::apply(MANAGER).force();
    let answer = api(client, object, &resource, namespaced).patch(name, &parameters, &Patch::Apply(object)).await?;
    let has_status = capabilities.subresources.iter().any(|(subresource, _)| subresource.plural.ends_with("status"));
    let reported = has_status && !is_built_in(&resource.group);
    Ok(Applied { object: answer, resource, namespaced, reported })
}

/// Whether Kubernetes itself brings the group.
fn is_built_in(group: &str) -> bool {
    matches!(group, "" | "apps" | "autoscaling" | "batch" | "policy") || group.ends_with(".k8s.io")
}

/// Whether the same request may be accepted a moment later.
fn may_pass(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => {
            let warming_up = status.message.contains("failed to configure") || status.message.contains("not yet ready");
            status.code == 404 || status.code == 409 || status.code == 429 || status.code >= 500 || warming_up
        }
        kube::Error::Discovery(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_documents_are_skipped_and_lists_opened() {
        let text = "# only a comment\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n---\n---\n{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: c}}\n";
        let objects = parse(Path::new("x.yaml"), text).unwrap();
        let titles: Vec<String> = objects.iter().map(title).collect();
        assert_eq!(titles, ["ConfigMap a", "Secret c/b"]);
    }

    #[test]
    fn a_number_with_a_leading_zero_is_octal() {
        let text = "{apiVersion: v1, kind: X, metadata: {name: a}, mode: 0440, text: 'no'}";
        let objects = parse(Path::new("x.yaml"), text).unwrap();
        assert_eq!(objects[0].data["mode"], 0o440);
        assert_eq!(objects[0].data["text"], "no");
    }

    #[test]
    fn an_object_without_a_name_is_refused_with_its_file() {
        let error = parse(Path::new("x.yaml"), "{apiVersion: v1, kind: Secret, metadata: {}}").unwrap_err();
        assert!(error.to_string().starts_with("x.yaml: Secret without a name"), "{error}");
    }
}
