//! From a plan to its objects: pure, and the same for the same plan.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::canonical::canonicalize;
use crate::engine::context;
use crate::engine::documents::{self, Unreadable};
use crate::engine::environment;
use crate::engine::labels;
use crate::engine::object::{ObjectSet, RenderedObject};
use crate::engine::secret_keys;
use crate::fault::{Fault, RenderError};
use crate::kinds;
use crate::plan::{Plan, Stage};
use crate::rule::Rule;
use crate::security::check::{self, Place};
use crate::security::secrets;
use commonscloud_api::{GROUP, Manifest, VERSION, marks};

/// Annotation on each rendered object: the application's version.
const APPLICATION_VERSION: &str = "commonscloud.coop/version";

/// Renders a plan: the objects that its package declares, each in the instance's namespace, owned
/// by the instance, labelled, canonical, and in the order in which they are applied.
///
/// # Errors
/// Every rule that a rendered object breaks; nothing is rendered then.
pub fn render(plan: &Plan) -> Result<ObjectSet, RenderError> {
    let refuse = |faults| RenderError {
        package: plan.package.name().to_owned(),
        instance: format!("{}/{}", plan.instance.namespace, plan.instance.name),
        faults,
    };
    let context = context::context(plan)
        .map_err(|message| refuse(vec![Fault::package(Rule::TeraValue, "spec.manifests", message)]))?;
    let mut objects = Vec::new();
    let mut faults = BTreeSet::new();
    for (at, manifest) in plan.package.spec().manifests.iter().enumerate() {
        match render_manifest(plan, manifest, &format!("spec.manifests[{at}]"), &context) {
            Ok(rendered) => objects.extend(rendered),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() {
        faults.extend(check::together(plan, &objects));
    }
    if !faults.is_empty() {
        return Err(refuse(faults.into_iter().collect()));
    }
    objects.sort_by_cached_key(|object| (kinds::find(&object.kind).map(|(order, _)| order), object.name.clone()));
    let platform_secrets = secrets::platform_secrets(plan, &objects);
    let named_secrets = secrets::named_secrets(plan, &objects);
    Ok(ObjectSet { objects, platform_secrets, named_secrets })
}

fn render_manifest(
    plan: &Plan,
    manifest: &Manifest,
    field: &str,
    context: &tera::Context,
) -> Result<Vec<RenderedObject>, Vec<Fault>> {
    let text =
        environment::render(&plan.package.compiled().tera, &manifest.name, context).map_err(|fault| vec![fault])?;
    let documents = documents::read(&text).map_err(|error| vec![unreadable(manifest, &text, &error)])?;
    let mut faults = Vec::new();
    let mut objects = Vec::new();
    for document in documents {
        match check::identify(plan, manifest, &document) {
            Ok(place) => objects.push(finish(plan, &place, document)),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        faults.extend(check::complete(plan, manifest, field, &objects));
    }
    if faults.is_empty() {
        for object in &objects {
            faults.extend(check::object(plan, manifest, object));
        }
    }
    if faults.is_empty() { Ok(objects) } else { Err(faults) }
}

/// Shows the rendered line, and finds the template's line that it most likely comes from.
fn unreadable(manifest: &Manifest, text: &str, error: &Unreadable) -> Fault {
    let line = error.line.and_then(|line| text.lines().nth(line.checked_sub(1)?)).map(str::trim).unwrap_or_default();
    let shown: String = line.chars().take(80).collect();
    let key = line.split_inclusive(':').next().unwrap_or_default();
    let found = [line, key].iter().find_map(|part| {
        let at = manifest.template.lines().position(|of_template| !part.is_empty() && of_template.contains(part))?;
        Some(at + 1)
    });
    let template = found.and_then(|at| manifest.template.lines().nth(at - 1)).unwrap_or_default();
    let hint = if glues(template) { "; a text made of parts is {{ value ~ \"-more\" }}" } else { "" };
    let message = format!("renders to text that is no YAML: {}: {shown:?}{hint}", error.message);
    Fault::manifest(Rule::RenderedYaml, &manifest.name, found, message)
}

/// Whether a line writes text right beside a value, which ends in a quotation mark when it is printed.
fn glues(line: &str) -> bool {
    let of_text = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    let before = line.match_indices("{{").any(|(at, _)| line[..at].ends_with(of_text));
    before || line.match_indices("}}").any(|(at, _)| line[at + 2..].starts_with(of_text))
}

/// Puts on what every object of the instance has, and makes it canonical.
fn finish(plan: &Plan, place: &Place, mut value: Value) -> RenderedObject {
    let metadata = &mut value["metadata"];
    metadata["namespace"] = json!(plan.instance.namespace);
    let mut own = taken_map(metadata, "labels");
    own.extend(labels::labels(plan));
    metadata["labels"] = Value::Object(own);
    let mut annotations = taken_map(metadata, "annotations");
    for (key, text) in [
        (marks::TEMPLATE, plan.package.name()),
        (marks::REVISION, &plan.revision),
        (APPLICATION_VERSION, &plan.version),
    ] {
        annotations.insert(key.to_owned(), Value::from(text));
    }
    metadata["annotations"] = Value::Object(annotations);
    metadata["ownerReferences"] = json!([{
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": plan.instance.kind,
        "name": plan.instance.name,
        "uid": plan.instance.uid,
        "controller": true,
        "blockOwnerDeletion": true,
    }]);
    for path in ["/spec/template", "/spec/jobTemplate/spec/template"] {
        if let Some(template) = value.pointer_mut(path).filter(|template| template.is_object()) {
            secret_keys::lead(plan, template);
            pull_with(plan, place, template);
            mark_pods(plan, place, template);
        }
    }
    run_in(&plan.stage, place, &mut value);
    canonicalize(&mut value);
    RenderedObject {
        kind: place.kind.kind.to_owned(),
        api_version: place.kind.api_version(),
        namespace: plan.instance.namespace.clone(),
        name: place.name.clone(),
        value,
    }
}

/// How much of a workload runs. Said of each: what was stopped and says nothing of it would stay so. What goes on is
/// not touched, so it is not restarted.
fn run_in(stage: &Stage, place: &Place, value: &mut Value) {
    let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let component = || spec.get("selector")?.get("matchLabels")?.get(labels::COMPONENT)?.as_str();
    let stops = match stage {
        Stage::Whole => false,
        Stage::Stopped { but } => component().is_none_or(|component| !but.contains(component)),
    };
    let (field, stopped, whole) = match place.kind.kind {
        "Deployment" | "StatefulSet" => ("replicas", json!(0), json!(1)),
        "CronJob" => ("suspend", json!(true), json!(false)),
        _ => return,
    };
    if stops {
        spec.insert(field.to_owned(), stopped);
    } else if spec.get(field).is_none_or(Value::is_null) {
        spec.insert(field.to_owned(), whole);
    }
}

/// Images are pulled with the Platform's Secrets beside the package's own. A Job's pods cannot be changed any more.
fn pull_with(plan: &Plan, place: &Place, template: &mut Value) {
    if plan.image_pull_secrets.is_empty() || place.kind.kind == "Job" {
        return;
    }
    if let Some(spec) = template.get_mut("spec").and_then(Value::as_object_mut) {
        let own = spec.get("imagePullSecrets").and_then(Value::as_array).cloned().unwrap_or_default();
        let named = plan.image_pull_secrets.iter().map(|name| json!({"name": name}));
        let mut all = own.clone();
        all.extend(named.filter(|named| !own.contains(named)));
        spec.insert("imagePullSecrets".to_owned(), Value::Array(all));
    }
}

/// Pods say whose they are too; these labels never change, so they restart nothing. A new revision
/// of a platform Secret that they use does: what was read as a variable stays until then. A Job's
/// pods cannot be changed any more.
fn mark_pods(plan: &Plan, place: &Place, template: &mut Value) {
    let revisions = secrets::revisions(plan, template).filter(|_| place.kind.kind != "Job");
    if template.get("metadata").is_none_or(Value::is_object) {
        let metadata = &mut template["metadata"];
        let mut own = taken_map(metadata, "labels");
        own.extend(labels::marks_of(plan));
        metadata["labels"] = Value::Object(own);
        if let Some(revisions) = revisions {
            let mut own = taken_map(metadata, "annotations");
            own.insert(marks::PLATFORM_SECRETS.to_owned(), Value::from(revisions));
            metadata["annotations"] = Value::Object(own);
        }
    }
}

fn taken_map(parent: &mut Value, key: &str) -> Map<String, Value> {
    match parent.get_mut(key).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}
