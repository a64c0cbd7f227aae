//! Leaves whose effect needs no API server: what the operator's own steps make of the manifests.
//!
//! A package is compiled, an instance of it resolved and rendered, with the functions that the
//! controller calls; nothing is written. So are the questions that the operator asks of a service,
//! which no simulated pod answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonscloud_e2e::manifests::{entity, namespaced, tariff};
use commonscloud_e2e::{Failure, Outcome, ensure};
use commonscloud_operator::api::{DedicatedOffice, Entity, ServiceTemplate};
use commonscloud_operator::cache::Live;
use commonscloud_operator::compare::{Action, KnownData, compare_data};
use commonscloud_operator::core::Bytes;
use commonscloud_operator::plan::{GrowthDecision, PlannedVolume};
use commonscloud_operator::reachability::target;
use commonscloud_operator::resolve::{Facts, Instance, NamespaceFacts, VolumeFacts, resolve};
use commonscloud_operator::template::{Package, builtin, render};
use commonscloud_operator::usage::{Measurement, Usage};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::case::{Case, Proof, see, shows};
use super::{backup, operations};
use crate::tier::platform;

/// The manifests around one office, whose package and Platform are changed.
pub struct World {
    package: Value,
    platform: Value,
}

impl World {
    /// An office of the package that is compiled in.
    pub fn new() -> Outcome<Self> {
        Ok(Self { package: package("office")?, platform: platform() })
    }

    /// Plays the cases, and gives the faults of all.
    pub fn play(&self, cases: &[Case]) -> Vec<String> {
        let fault = |case: &Case| {
            let failure = self.case(case).err()?;
            Some(format!("{} = {}: {failure}", case.leaf(), case.value))
        };
        cases.iter().filter_map(fault).collect()
    }

    fn case(&self, case: &Case) -> Outcome {
        let of_package = case.kind == "ServiceTemplate";
        let planned = |changed: fn(&Case, &Value) -> Value| {
            let mut package = self.package.clone();
            let mut platform = self.platform.clone();
            let subject = if of_package { &mut package } else { &mut platform };
            *subject = changed(case, subject);
            written(package, platform)
        };
        match &case.proof {
            Proof::Refused(words) => {
                let message = planned(Case::after).err().ok_or_else(|| Failure::new("not refused"))?.to_string();
                let missing: Vec<_> = words.iter().filter(|words| !message.contains(**words)).collect();
                ensure!(missing.is_empty(), "the refusal is without {missing:?}: {message}");
            }
            Proof::Shows(sees) => {
                let (before, after) = (planned(Case::before)?, planned(Case::after)?);
                for see in sees {
                    let (without, with) = (before.get(&see.object), after.get(&see.object));
                    ensure!(
                        !without.is_some_and(|object| see.is_in(object)),
                        "seen without the change: {}",
                        see.told(without)
                    );
                    ensure!(with.is_some_and(|object| see.is_in(object)), "{}", see.told(with));
                }
            }
        }
        Ok(())
    }
}

/// A package that is compiled in, as a manifest.
pub fn package(name: &str) -> Outcome<Value> {
    let found = builtin().into_iter().find(|template| template.metadata.name.as_deref() == Some(name));
    Ok(json!(found.ok_or_else(|| Failure::new(format!("no package {name}")))?))
}

fn read<T: DeserializeOwned>(value: Value) -> Outcome<Arc<T>> {
    Ok(Arc::new(serde_json::from_value(value)?))
}

/// What would be written for an office, and the question that it would be asked, by `Kind/name`.
fn written(package: Value, platform: Value) -> Outcome<BTreeMap<String, Value>> {
    let template: Arc<ServiceTemplate> = read(package)?;
    let package = Arc::new(Package::compile("office", &template.spec)?);
    let revision = package.revision_name();
    let mut office = namespaced("DedicatedOffice", "coop", "office", json!({"tier": "1gb"}));
    // It ran a version that the package knows only as one that may be upgraded.
    office["status"] = json!({"version": "34.0.0"});
    let office: Arc<DedicatedOffice> = read(office)?;
    let of: Arc<Entity> = read(entity("coop", json!({})))?;
    let facts = Facts {
        platform: Some(read(platform.clone())?),
        namespace: NamespaceFacts { exists: true, entity: Some("coop".to_owned()), writable: true },
        entity: Some(Arc::clone(&of)),
        tariff: Some(read(tariff("e2e"))?),
        newest_revision: Some(revision.clone()),
        packages: [(revision, Ok(package))].into(),
        volumes: [("office-db".to_owned(), a_quarter_free())].into(),
        ..Facts::default()
    };
    let plan = resolve(&Instance::of(office.as_ref()), &facts)?.plan;
    let mut objects = BTreeMap::new();
    let rendered = render(&plan)?.objects;
    objects.extend(operations::made(&plan, &rendered)?);
    objects.extend(backup::made(&plan, &rendered, &platform, &of)?);
    for object in rendered {
        objects.insert(format!("{}/{}", object.kind, object.name), object.value);
    }
    for change in compare_data(&plan, &KnownData::default(), false)? {
        let object = match change.action {
            Action::Create(object) => object,
            Action::Generate { secret, keys } => json!({"metadata": secret["metadata"], "keys": keys}),
            _ => continue,
        };
        objects.insert(format!("{}/{}", change.kind, change.name), object);
    }
    objects.extend(plan.volumes.iter().filter_map(growth));
    if let Some(health) = plan.package.health() {
        let ingresses = objects.values().filter(|object| object["kind"] == "Ingress");
        let live = ingresses.map(|object| Ok(Arc::new(Live::of("Ingress", serde_json::from_value(object.clone())?))));
        let live: Vec<Arc<Live>> = live.collect::<Outcome<_>>()?;
        let asked = target(&plan, health, &live).ok_or_else(|| Failure::new("the office has no host name to ask"))?;
        let question = json!({
            "address": asked.address.to_string(), "path": asked.path, "statuses": asked.statuses,
            "authority": asked.ca_bundle,
        });
        objects.insert("Question/office".to_owned(), question);
    }
    Ok(objects)
}

/// The database's volume as the kubelet may measure it: of 4 GiB one is free.
fn a_quarter_free() -> VolumeFacts {
    let size = Some(Bytes::new(4193 << 20));
    let usage = Usage { used: Bytes::new(3 << 30), available: Bytes::new(1 << 30), inodes: None };
    VolumeFacts {
        storage_class: Some("commonscloud-xfs".to_owned()),
        expandable: true,
        requested: size,
        capacity: size,
        usage: Measurement::Measured(usage),
    }
}

/// How a volume is to grow.
fn growth(volume: &PlannedVolume) -> Option<(String, Value)> {
    let growth = volume.growth?;
    let next = match volume.filling {
        GrowthDecision::Grow(size) => size.to_string(),
        other => format!("{other:?}"),
    };
    Some((format!("Growth/{}", volume.claim), json!({"maximum": growth.maximum.to_string(), "next": next})))
}

/// The leaves of the Platform that only the operator's own question uses; the tests of
/// `reachability` and the scenarios on the real node ask it.
pub fn of_platform() -> Vec<Case> {
    let asked = |leaf: &str, value: &str, at: &str| {
        shows("Platform", format!("spec.exposure.{leaf}"), json!(value), vec![see("Question/office", at, value)])
    };
    vec![asked("address", "192.0.2.7", "/address"), asked("caBundle", "-----BEGIN CERTIFICATE-----", "/authority")]
}
