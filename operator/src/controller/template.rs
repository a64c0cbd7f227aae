//! The controller of ServiceTemplates: each content becomes an immutable revision.

use kube::ResourceExt as _;
use serde_json::json;

use super::context::Context;
use super::queue::Next;
use crate::api::{GROUP, Reason, ServiceTemplate, ServiceTemplateSpec, ServiceTemplateStatus, VERSION, marks};
use crate::apply::{ErrorKind, Target, WriteError};
use crate::cache::{Caches, Key, Kind};
use crate::report::{Problem, Verdict, conditions};
use crate::template::{Package, builtin};

const REVISION: &str = "ServiceTemplateRevision";

/// Registers the packages that are compiled in, where the cluster has others or none.
///
/// # Errors
/// When the API server does not take one.
pub async fn register_builtin(context: &Context) -> Result<(), WriteError> {
    for template in builtin() {
        let name = template.name_any();
        if is_registered(context.caches(), &name, &template.spec) {
            continue;
        }
        tracing::info!(template = name, "registering a package that is compiled in");
        let object = json!({
            "apiVersion": format!("{GROUP}/{VERSION}"),
            "kind": "ServiceTemplate",
            "metadata": {"name": name, "labels": {marks::MANAGED_BY: marks::OPERATOR}},
            "spec": template.spec,
        });
        let target = Target { kind: "ServiceTemplate", namespace: "", name: &name };
        let answer = context.server.apply(target, &object).await?;
        let nobody = Key::cluster(Kind::Platform, "");
        context.known.take_in(&nobody, "ServiceTemplate", answer);
    }
    Ok(())
}

fn is_registered(caches: &Caches, name: &str, spec: &ServiceTemplateSpec) -> bool {
    let found = caches.templates.get("", name);
    found.is_some_and(|found| Package::digest_of(&found.spec) == Package::digest_of(spec))
}

/// One pass over a ServiceTemplate.
///
/// # Errors
/// When a write fails.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(template) = context.caches().templates.get("", &key.name) else { return Ok(Next::Wait) };
    let (revision, verdict) = match Package::compile(&key.name, &template.spec) {
        Ok(package) => {
            let revision = package.revision_name();
            keep_revision(context, key, &template, &revision).await?;
            let message = format!("revision {revision}");
            (Some(revision), Verdict::Ready(message))
        }
        Err(error) => (None, Verdict::Stalled(Problem::new(Reason::PackageInvalid, error.to_string()))),
    };
    let before = template.status.clone().unwrap_or_default();
    let generation = template.metadata.generation.unwrap_or_default();
    let status = ServiceTemplateStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, verdict.shown(), generation, context.now()),
        revision: revision.or_else(|| before.revision.clone()),
    };
    context.report(key, &template.uid().unwrap_or_default(), template.status.as_ref(), &status).await?;
    Ok(Next::Wait)
}

/// Revisions are only ever made: their name is their content's digest.
async fn keep_revision(
    context: &Context,
    key: &Key,
    template: &ServiceTemplate,
    revision: &str,
) -> Result<(), WriteError> {
    if context.caches().revisions.get("", revision).is_some() {
        return Ok(());
    }
    let object = json!({
        "apiVersion": format!("{GROUP}/{VERSION}"),
        "kind": REVISION,
        "metadata": {"name": revision, "labels": {marks::MANAGED_BY: marks::OPERATOR}},
        "spec": {"template": key.name, "content": template.spec},
    });
    let target = Target { kind: REVISION, namespace: "", name: revision };
    match context.server.create(target, &object).await {
        Ok(answer) => {
            context.known.take_in(key, REVISION, answer);
            Ok(())
        }
        // The watch is about to bring it.
        Err(error) if error.kind == ErrorKind::Exists => Ok(()),
        Err(error) => Err(error),
    }
}
