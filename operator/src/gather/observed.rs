//! What one pass sees. Every step of it reads this and no cache, so that no two of them see the world
//! at different moments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt as _;

use super::{Packages, claims, facts_in, measure, revisions, sources, undecodable};
use crate::api::marks;
use crate::apply::Written;
use crate::cache::{Caches, Live, Sealed, Undecodable};
use crate::compare::KnownData;
use crate::kinds;
use crate::plan::Plan;
use crate::report::{Children, SettingsContainer};
use crate::resolve::{Facts, Instance, recorded_entity};
use crate::usage::Measurement;

/// The label that a component's pods are told by.
pub(super) const COMPONENT: &str = "app.kubernetes.io/component";

/// The inside of a namespace: what the operator writes there.
#[derive(Clone, Debug, Default)]
pub struct Inside {
    /// The written objects, of all kinds but Secrets.
    pub objects: Vec<Arc<Live>>,
    /// The managed Secrets by name; none while they are not known.
    pub secrets: Option<BTreeMap<String, Arc<Sealed>>>,
    /// The Secrets that somebody made for a service: name, and the service's.
    pub made_secrets: BTreeMap<String, String>,
    /// Whether not all of it is taken in yet.
    pub lacks: bool,
}

impl Inside {
    pub(super) fn of(caches: &Caches, namespace: &str) -> Self {
        // First: what is taken in meanwhile is not in the objects.
        let lacks = caches.door.lacks(namespace);
        let objects = caches.objects_in(namespace);
        let (secrets, made_secrets) = (caches.secrets.of(namespace), caches.secrets.made_in(namespace));
        Self { objects, secrets, made_secrets, lacks }
    }

    /// One of the objects.
    pub fn object(&self, kind: &str, name: &str) -> Option<Arc<Live>> {
        self.objects.iter().find(|object| object.kind == kind && object.name() == name).cloned()
    }

    /// The claims to volumes.
    pub(super) fn claims(&self) -> impl Iterator<Item = &Arc<Live>> {
        self.objects.iter().filter(|object| object.kind == kinds::VOLUME.kind)
    }
}

/// What a pass over one instance sees.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The first object that the instance depends on and that does not decode.
    pub undecodable: Option<Arc<Undecodable>>,
    /// What its plan depends on.
    pub facts: Facts,
    /// What is known of its data; none while the Secrets of its namespace are not known.
    pub data: Option<KnownData>,
    /// The inside of its namespace.
    pub inside: Inside,
    /// Those of the objects that the instance owns.
    pub owned: Vec<Arc<Live>>,
    /// Its pods.
    pub pods: Vec<Arc<Pod>>,
    /// Warnings in its namespace.
    pub events: Vec<Arc<Event>>,
}

/// What the caches know of one instance. `usage`: how full a claim's volume is.
pub fn observe(
    caches: &Caches,
    packages: &Packages,
    instance: &Instance,
    usage: impl Fn(&str) -> Measurement,
) -> Observed {
    let reference = &instance.reference;
    // Before and after: what becomes readable meanwhile, or no longer is, stops the pass.
    let before = undecodable(caches, instance);
    let inside = Inside::of(caches, &reference.namespace);
    let mut facts = facts_in(caches, packages, instance, &inside);
    if let Some(platform) = &facts.platform {
        facts.claims = claims(caches, &platform.spec, instance);
        facts.platform_secrets = revisions(caches, &platform.spec, inside.secrets.as_ref());
    }
    measure(&mut facts, instance, usage);
    let data = inside.secrets.clone().map(|secrets| KnownData {
        secrets,
        sources: sources(caches, facts.platform.as_deref()),
        record: facts.record.clone(),
        entity: facts.entity.as_deref().map(recorded_entity),
        volumes: inside.claims().cloned().collect(),
    });
    let is_owned =
        |object: &&Arc<Live>| object.label(marks::INSTANCE) == reference.name && object.is_owned_by(&reference.uid);
    let owned = inside.objects.iter().filter(is_owned).cloned().collect();
    Observed {
        undecodable: before.or_else(|| undecodable(caches, instance)),
        facts,
        data,
        owned,
        pods: pods(caches, instance),
        events: caches.events.in_namespace(&reference.namespace),
        inside,
    }
}

fn pods(caches: &Caches, instance: &Instance) -> Vec<Arc<Pod>> {
    let reference = &instance.reference;
    let is_mine = |pod: &Arc<Pod>| {
        let label = |key: &str| pod.labels().get(key).map(String::as_str);
        label(marks::INSTANCE) == Some(&reference.name) && label(marks::INSTANCE_KIND) == Some(&reference.kind)
    };
    caches.pods.in_namespace(&reference.namespace).into_iter().filter(is_mine).collect()
}

impl Observed {
    /// The components that have a pod on a node, ready or not.
    pub fn on_nodes(&self) -> BTreeSet<String> {
        let component = |pod: &Arc<Pod>| {
            let status = pod.status.as_ref()?;
            let has_ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
            (status.host_ip.is_some() && !has_ended).then(|| pod.labels().get(COMPONENT).cloned())?
        };
        self.pods.iter().filter_map(component).collect()
    }

    /// The instance's children, as the API server answered where they were written.
    pub fn children(&self, plan: &Plan, written: &[Written]) -> Children {
        let mut objects = self.owned.clone();
        let mut volumes: Vec<_> = self.inside.claims().cloned().collect();
        for live in written.iter().filter_map(|written| written.live.as_ref()) {
            let into = if live.kind == kinds::VOLUME.kind { &mut volumes } else { &mut objects };
            match into.iter_mut().find(|known| known.kind == live.kind && known.name() == live.name()) {
                Some(known) => known.clone_from(live),
                None => into.push(Arc::clone(live)),
            }
        }
        volumes.retain(|claim| plan.volumes.iter().any(|volume| volume.claim == claim.name()));
        let settings = settings(plan);
        Children { objects, volumes, pods: self.pods.clone(), events: self.events.clone(), settings }
    }
}

/// The containers of a plan that apply settings.
pub(super) fn settings(plan: &Plan) -> Vec<SettingsContainer> {
    let listed = plan.package.spec().configured_by.iter().filter_map(|listed| listed.split_once('/'));
    listed
        .map(|(workload, container)| SettingsContainer {
            workload: format!("{}-{workload}", plan.instance.name),
            container: container.to_owned(),
        })
        .collect()
}
