//! An instance and what surrounds it, as YAML through the same door as production.

use std::sync::Arc;

use super::*;
use crate::api::{DedicatedService, ServiceTemplate};

const TEMPLATE: &str = include_str!("../../../examples/templates/radicale.yaml");

pub(crate) fn read<T: serde::de::DeserializeOwned>(text: &str) -> T {
    serde_yaml::from_str(text).unwrap()
}

pub(crate) fn package() -> (String, Arc<Package>) {
    let template: ServiceTemplate = read(TEMPLATE);
    let package = Package::compile("radicale", &template.spec).unwrap();
    (package.revision_name(), Arc::new(package))
}

pub(crate) fn instance(spec: &str) -> Instance {
    let head = "apiVersion: commonscloud.coop/v1alpha1\nkind: DedicatedService\nmetadata: {name: calendar, namespace: coop, uid: u1, generation: 1, creationTimestamp: '2026-01-02T00:00:00Z'}\n";
    let service: DedicatedService = read(&format!("{head}spec: {{template: radicale, {spec}}}"));
    Instance::of(&service)
}

pub(crate) fn facts() -> Facts {
    let head = "apiVersion: commonscloud.coop/v1alpha1\n";
    let (revision, package) = package();
    Facts {
        platform: Some(Arc::new(read(&format!(
            "{head}kind: Platform\nmetadata: {{name: default}}\nspec: {{baseDomain: example.org, storageClasses: [{{name: xfs, overhead: {{bytes: 1048576}}}}], images: [{{template: radicale, image: radicale, reference: 'mirror/radicale:3'}}]}}"
        )))),
        namespace: NamespaceFacts { exists: true, entity: Some("coop".into()), writable: true },
        entity: Some(Arc::new(read(&format!(
            "{head}kind: Entity\nmetadata: {{name: coop, uid: e1}}\nspec: {{displayName: Coop, tariff: t, domains: [coop.cat]}}"
        )))),
        tariff: Some(Arc::new(read(&format!(
            "{head}kind: Tariff\nmetadata: {{name: t}}\nspec: {{currency: EUR, tiers: [{{name: 1gb, storage: 1Gi, price: '5.00'}}], extraBlock: {{storage: 5Gi, price: '5.00', maximum: 4}}}}"
        )))),
        newest_revision: Some(revision.clone()),
        packages: [(revision, Ok(package))].into(),
        ..Facts::default()
    }
}
