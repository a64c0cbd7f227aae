//! A plan's objects against the live ones: rendered and compared only when one of them is another.

use std::fmt::Write as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::cache::{Key, Kind, Live, Referred, Settled, State};
use crate::compare::{Change, compare_objects};
use crate::gather::Observed;
use crate::plan::Plan;
use crate::report::Obstacle;
use crate::template::render;

/// What a plan's objects need.
pub(super) struct Rendered {
    /// The writes.
    pub(super) changes: Vec<Change>,
    /// The Secrets that the objects refer to.
    pub(super) referred: Arc<Referred>,
}

/// The writes that a plan's objects need. `settled`: which plans were found applied before.
///
/// # Errors
/// When the package does not render, or an object is another instance's.
pub(super) fn changes(settled: &Settled, plan: &Plan, observed: &Observed) -> Result<Rendered, Obstacle> {
    let state = state(plan, &observed.owned);
    let reference = &plan.instance;
    let key = Kind::dedicated(&reference.kind).map(|kind| Key::new(kind, &reference.namespace, &reference.name));
    if let Some(referred) = key.as_ref().and_then(|key| settled.referred(key, &state)) {
        return Ok(Rendered { changes: Vec::new(), referred });
    }
    let rendered = render(plan)?;
    let live = |kind: &str, name: &str| observed.inside.object(kind, name);
    let changes = compare_objects(&rendered.objects, live, &observed.owned)?;
    let (of_platform, by_parameters) = (rendered.platform_secrets, rendered.named_secrets);
    let referred = Arc::new(Referred { of_platform, by_parameters });
    if let (true, Some(key)) = (changes.is_empty(), key) {
        settled.put(key, state, Arc::clone(&referred));
    }
    Ok(Rendered { changes, referred })
}

/// Everything that rendering reads, and what was compared with it.
fn state(plan: &Plan, owned: &[Arc<Live>]) -> State {
    let mut digest = Text(Sha256::new());
    // Taken apart, so that a field that is added cannot be forgotten here. The package is its revision.
    let Plan {
        instance,
        entity,
        package,
        revision,
        version,
        images,
        image_pull_secrets,
        resources,
        quota,
        volumes,
        secrets,
        hostname,
        parameters,
        exposure,
        network,
        smtp,
        platform_secrets,
        editor,
        stage,
        identity,
    } = plan;
    let names = (package.name(), package.revision_name());
    let of_instance = (instance, entity, revision, version, quota, volumes, secrets, hostname, stage);
    let of_platform =
        (images, image_pull_secrets, resources, exposure, network, smtp, platform_secrets, editor, identity);
    // Writing to a digest does not fail.
    let _ = write!(digest, "{names:?}{of_instance:?}{of_platform:?}{parameters}");
    let mut objects: Vec<_> = owned.iter().map(|live| (&live.kind, live.name(), live.content())).collect();
    objects.sort_unstable();
    let _ = write!(digest, "{objects:?}");
    digest.0.finalize().into()
}

struct Text(Sha256);

impl std::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.update(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::gather::Inside;
    use crate::resolve::{fixtures, resolve};

    fn plan(spec: &str) -> Plan {
        resolve(&fixtures::instance(spec), &fixtures::facts()).unwrap().plan
    }

    /// The plan's objects as the API server has them.
    fn applied(plan: &Plan) -> Vec<Value> {
        let objects = render(plan).unwrap().objects;
        let made = objects.into_iter().enumerate().map(|(at, object)| {
            let mut value = object.value;
            value["metadata"]["uid"] = json!(format!("o{at}"));
            value["metadata"]["resourceVersion"] = json!("1");
            value
        });
        made.collect()
    }

    fn seen(objects: &[Value]) -> Observed {
        let live = |object: &Value| {
            let kind = object["kind"].as_str().unwrap();
            Arc::new(Live::of(kind, serde_json::from_value(object.clone()).unwrap()))
        };
        let owned: Vec<_> = objects.iter().map(live).collect();
        let inside = Inside { objects: owned.clone(), ..Inside::default() };
        Observed { inside, owned, ..Observed::default() }
    }

    #[test]
    fn a_plan_that_is_applied_is_not_rendered_again_until_an_object_is_another() {
        let (settled, plan) = (Settled::default(), plan("tier: 1gb"));
        let mut objects = applied(&plan);
        let as_applied = seen(&objects);
        let key = Key::new(Kind::DedicatedService, "coop", "calendar");
        assert!(changes(&settled, &plan, &as_applied).unwrap().changes.is_empty());
        assert!(settled.referred(&key, &state(&plan, &as_applied.owned)).is_some());
        // A status is no other object.
        let at = objects.iter().position(|object| object["kind"] == "Deployment").unwrap();
        objects[at]["status"] = json!({"replicas": 1});
        objects[at]["metadata"]["resourceVersion"] = json!("2");
        let reported = seen(&objects);
        assert!(settled.referred(&key, &state(&plan, &reported.owned)).is_some());
        objects[at]["spec"]["replicas"] = json!(0);
        let drifted = seen(&objects);
        assert_eq!(changes(&settled, &plan, &drifted).unwrap().changes.len(), 1);
        let gone: Vec<_> = as_applied.owned.iter().filter(|live| live.kind != "Service").cloned().collect();
        assert!(settled.referred(&key, &state(&plan, &gone)).is_none());
    }

    #[test]
    fn everything_that_rendering_reads_is_in_the_state_of_a_plan() {
        type Change = fn(&mut Plan);
        let changes: [(&str, Change); 16] = [
            ("instance", |plan| plan.instance.uid.push('x')),
            ("entity", |plan| plan.entity.display_name.push('x')),
            ("revision", |plan| plan.revision.push('x')),
            ("version", |plan| plan.version.push('x')),
            ("images", |plan| drop(plan.images.insert("x".into(), "x".into()))),
            ("resources", |plan| plan.resources.clear()),
            ("quota", |plan| plan.quota = crate::core::Bytes::new(7)),
            ("volumes", |plan| plan.volumes.clear()),
            ("hostname", |plan| plan.hostname = "other.coop.cat".parse().unwrap()),
            ("parameters", |plan| plan.parameters = json!({"x": 1})),
            ("exposure", |plan| plan.exposure.ingress_class = Some("x".into())),
            ("platform Secrets", |plan| drop(plan.platform_secrets.insert("x".into(), "x".into()))),
            ("editor", |plan| plan.editor = Some(crate::api::SharedEditor { url: "x".into() })),
            ("identity", |plan| {
                let (issuer, client_id, groups_claim) = ("x".into(), "x".into(), "x".into());
                plan.identity = Some(crate::plan::PlannedIdentity { issuer, client_id, groups_claim });
            }),
            ("stage", |plan| plan.stage = crate::plan::Stage::Stopped { but: ["db".to_owned()].into() }),
            ("package", |plan| {
                let (_, other) = fixtures::growing_package();
                plan.package = other;
            }),
        ];
        let before = state(&plan("tier: 1gb"), &[]);
        assert_eq!(before, state(&plan("tier: 1gb"), &[]));
        for (what, change) in changes {
            let mut plan = plan("tier: 1gb");
            change(&mut plan);
            assert_ne!(before, state(&plan, &[]), "{what}");
        }
    }
}
