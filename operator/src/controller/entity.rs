//! The controller of Entities: gather, resolve, render, compare, apply, report.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;

use super::context::Context;
use super::queue::Next;
use super::{deletion, finalizer};
use crate::api::Entity;
use crate::apply::{WriteError, Written, apply};
use crate::cache::Key;
use crate::compare::{Change, KnownCopies, UnusedCopies, compare_namespace, compare_objects, compare_unused_copies};
use crate::entity::{self, OPERATOR_BINDING, ServiceAccount};
use crate::gather::{self, EntityObserved};
use crate::report::{EntityObstacle, Problem, Verdict, entity_problem, entity_status};
use crate::resolve::{resolve_entity, tariff_not_found};

/// Failures that usually pass within a second are reported after this many in a row.
const PATIENCE: u32 = 4;
/// When copies are looked at again that may go soon.
const UNUSED: Duration = Duration::from_mins(1);

/// One pass over an Entity.
///
/// # Errors
/// When a write outside of *apply* fails.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(entity) = context.caches().entities.get("", &key.name) else { return Ok(Next::Wait) };
    if entity.metadata.deletion_timestamp.is_some() {
        // A service that cannot be read cannot be dismissed, and is no service that is gone.
        if let Some(undecodable) = gather::undecodable_service(context.caches(), &entity) {
            let observed = gather::observe_entity(context.caches(), &context.packages, &entity);
            let verdict = EntityObstacle::Undecodable(undecodable).verdict();
            report(context, key, &entity, &observed, &[], Some(verdict)).await?;
            return Ok(Next::Wait);
        }
        return deletion::entity(context, key, &entity).await;
    }
    let observed = gather::observe_entity(context.caches(), &context.packages, &entity);
    if observed.object("RoleBinding", OPERATOR_BINDING).is_some() {
        context.secrets.watch(&key.name);
    }
    let Decided { changes, later } = match decide(&entity, &observed, &context.account, context.now()) {
        Ok(decided) => decided,
        Err(obstacle) => {
            report(context, key, &entity, &observed, &[], Some(obstacle.verdict())).await?;
            return Ok(Next::Wait);
        }
    };
    finalizer::ensure(context, key, entity.as_ref()).await?;
    let again = if later { Next::After(UNUSED) } else { Next::Wait };
    if changes.is_empty() {
        report(context, key, &entity, &observed, &[], None).await?;
        return Ok(again);
    }
    let applied = apply(&context.server, &context.known, key, &changes).await;
    let is_transient = applied.failures.iter().all(|failure| failure.kind.is_transient());
    let next = applied.next();
    // Rights that were just given take a moment: the first failures are no news.
    if is_transient && !applied.failures.is_empty() && context.queue.failures(key) < PATIENCE {
        return Ok(next);
    }
    report(context, key, &entity, &observed, &applied.written, entity_problem(&applied)).await?;
    Ok(if next == Next::Wait { again } else { next })
}

/// What a pass over an Entity does.
#[derive(Clone, Debug, Default)]
pub struct Decided {
    /// The writes.
    pub changes: Vec<Change>,
    /// Whether there may be more in a while, though nothing changes.
    pub later: bool,
}

/// The writes that an Entity needs. No request is made here: the CLI shows the same.
///
/// # Errors
/// Why nothing is written.
pub fn decide(
    entity: &Entity,
    observed: &EntityObserved,
    account: &ServiceAccount,
    now: Timestamp,
) -> Result<Decided, EntityObstacle> {
    if let Some(undecodable) = &observed.undecodable {
        return Err(EntityObstacle::Undecodable(Arc::clone(undecodable)));
    }
    let facts = &observed.facts;
    let plan = resolve_entity(entity, facts, account)?;
    let rendered = entity::render(&plan);
    let mut changes: Vec<Change> =
        compare_namespace(&rendered.namespace, facts.namespace.as_ref()).into_iter().collect();
    changes.extend(compare_objects(&rendered.objects, |kind, name| observed.object(kind, name), &observed.owned)?);
    let unused = unused_copies(entity, observed, now);
    changes.extend(unused.changes);
    Ok(Decided { changes, later: unused.later })
}

/// Without a Platform nobody knows what is used.
fn unused_copies(entity: &Entity, observed: &EntityObserved, now: Timestamp) -> UnusedCopies {
    let Some(named) = &observed.platform_secrets else { return UnusedCopies::default() };
    let instances = observed.facts.instances.iter().map(|(instance, _)| instance);
    let stay = instances.filter(|instance| !instance.is_being_deleted());
    let known = KnownCopies {
        entity: entity.metadata.name.as_deref().unwrap_or_default(),
        copies: &observed.copies,
        named,
        objects: &observed.objects,
        instances: &stay.map(|instance| instance.reference.name.as_str()).collect(),
        runs: &observed.needed_copies,
    };
    compare_unused_copies(&known, now)
}

async fn report(
    context: &Context,
    key: &Key,
    entity: &Entity,
    observed: &EntityObserved,
    written: &[Written],
    problem: Option<Verdict>,
) -> Result<(), WriteError> {
    let tariff = observed.tariff.as_ref();
    let missing = || {
        let refusal = tariff_not_found(&entity.spec.tariff, context.caches().platform().as_deref());
        Verdict::Reconciling(Problem::new(refusal.reason(), format!("spec.tariff: {refusal}")))
    };
    let problem = problem.or_else(|| tariff.is_none().then(missing));
    let services = observed.services_after(written);
    let currency = tariff.map(|tariff| tariff.spec.currency.as_str());
    let status = entity_status(entity, &services, currency, problem, context.now());
    context.report(key, &entity.uid().unwrap_or_default(), entity.status.as_ref(), &status).await
}

#[cfg(test)]
mod tests {
    use kube::Resource;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::{InstanceStatus, ServiceTemplate, marks};
    use crate::cache::{Caches, Identity, Live, Store};
    use crate::compare::Action;
    use crate::gather::Packages;
    use crate::resolve::fixtures;
    use crate::template::Package;

    fn put<K: Resource + serde::de::DeserializeOwned>(store: &Store<K>, object: Value) {
        let object: K = serde_json::from_value(object).unwrap();
        store.put(&Identity::of(object.meta()), object);
    }

    fn entity(services: &Value) -> Value {
        json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Entity", "metadata": {"name": "coop", "uid": "e1"},
            "spec": {"displayName": "Coop", "tariff": "t", "services": services},
        })
    }

    /// `coop` as it is with office and agora, the agora's volume and record beside it.
    fn running() -> Caches {
        let caches = Caches::new();
        let before: Entity =
            serde_json::from_value(entity(&json!({"office": {"tier": "1gb"}, "agora": {"tier": "1gb"}}))).unwrap();
        put(&caches.namespaces, entity::namespace(&before, ""));
        for object in entity::dedicated(&before) {
            let mut value = object.value;
            value["metadata"]["uid"] = json!(format!("of-{}", object.name));
            if object.kind == "DedicatedAgora" {
                put(&caches.agoras, value);
            } else {
                put(&caches.offices, value);
            }
        }
        let marks = json!({marks::INSTANCE: "agora", marks::ENTITY: "coop", marks::DATA: "true"});
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"namespace": "coop", "name": "agora-data", "uid": "p1", "labels": marks},
            "spec": {"resources": {"requests": {"storage": "1Gi"}}},
        });
        let claim: kube::core::DynamicObject = serde_json::from_value(claim).unwrap();
        caches.objects["PersistentVolumeClaim"]
            .put(&Identity::of(&claim.metadata), Live::of("PersistentVolumeClaim", claim));
        caches
    }

    fn seen(caches: &Caches, entity: &Entity) -> EntityObserved {
        gather::observe_entity(caches, &Packages::default(), entity)
    }

    fn deleted(caches: &Caches, services: &Value) -> Vec<String> {
        let entity: Entity = serde_json::from_value(entity(services)).unwrap();
        let account = ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() };
        let changes = decide(&entity, &seen(caches, &entity), &account, Timestamp::UNIX_EPOCH).unwrap().changes;
        let deletions = changes.iter().filter(|change| matches!(change.action, Action::Delete { .. }));
        deletions.map(|change| format!("{}/{}", change.kind, change.name)).collect()
    }

    /// `coop` with an instance of this package.
    fn with_package(template: &ServiceTemplate) -> (Caches, Entity) {
        let caches = Caches::new();
        let facts = fixtures::facts();
        let services = json!({"others": [{"name": "calendar", "template": "radicale", "tier": "1gb"}]});
        let entity: Entity = serde_json::from_value(entity(&services)).unwrap();
        let revision = Package::compile("radicale", &template.spec).unwrap().revision_name();
        let api_version = "commonscloud.coop/v1alpha1";
        put(&caches.platforms, json!(facts.platform.as_deref()));
        put(&caches.tariffs, json!(facts.tariff.as_deref()));
        let package = json!({
            "apiVersion": api_version, "kind": "ServiceTemplate", "metadata": {"name": "radicale"},
            "spec": template.spec, "status": {"revision": revision},
        });
        put(&caches.templates, package);
        let content = json!({
            "apiVersion": api_version, "kind": "ServiceTemplateRevision", "metadata": {"name": revision, "uid": "r1"},
            "spec": {"template": "radicale", "content": template.spec},
        });
        put(&caches.revisions, content);
        put(&caches.entities, json!(entity));
        (caches, entity)
    }

    /// The ResourceQuota that is to be written, if any is.
    fn quota(caches: &Caches, entity: &Entity) -> Option<Value> {
        let account = ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() };
        let changes = decide(entity, &seen(caches, entity), &account, Timestamp::UNIX_EPOCH).unwrap().changes;
        changes.into_iter().find_map(|change| match change.action {
            Action::Apply { object, .. } if change.kind == "ResourceQuota" => Some(object),
            _ => None,
        })
    }

    fn storage(template: &ServiceTemplate) -> Value {
        let (caches, entity) = with_package(template);
        quota(&caches, &entity).unwrap()["spec"]["hard"]["requests.storage"].clone()
    }

    #[test]
    fn the_quota_of_a_namespace_has_room_for_what_its_volumes_may_grow_to() {
        assert_eq!(storage(&fixtures::template()), "1025Mi");
        assert_eq!(storage(&fixtures::growing_template()), "9218Mi", "1025 for the data and 8193 for the database");
    }

    #[test]
    fn a_quota_keeps_its_room_while_nobody_knows_what_is_needed() {
        let (caches, entity) = with_package(&fixtures::growing_template());
        let written: kube::core::DynamicObject = serde_json::from_value(quota(&caches, &entity).unwrap()).unwrap();
        caches.objects["ResourceQuota"].put(&Identity::of(&written.metadata), Live::of("ResourceQuota", written));
        let storage = |caches: &Caches| seen(caches, &entity).facts.granted.to_string();
        assert_eq!((quota(&caches, &entity), storage(&caches)), (None, "9218Mi".to_owned()));
        let without_platform = Caches { platforms: Store::default(), ..caches };
        let kept = quota(&without_platform, &entity).map(|quota| quota["spec"]["hard"]["requests.storage"].clone());
        assert!(kept.is_none_or(|kept| kept == "9218Mi"), "without a Platform");
    }

    #[test]
    fn a_service_that_somebody_wrote_by_hand_counts_in_its_entity() {
        let (caches, entity) = with_package(&fixtures::template());
        let by_hand = json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "DedicatedService",
            "metadata": {"name": "byhand", "namespace": "coop", "uid": "u9", "generation": 1},
            "spec": {"template": "radicale", "tier": "gone"},
        });
        put(&caches.services, by_hand);
        let services = seen(&caches, &entity).services;
        let status = entity_status(&entity, &services, Some("EUR"), None, Timestamp::UNIX_EPOCH);
        assert_eq!(status.services_ready.as_deref(), Some("0/2"));
        assert_eq!(status.price.as_deref(), Some("5.00 EUR + 1 unknown (byhand)"));
        assert_eq!(status.storage.as_deref(), Some("1Gi + 1 unknown (byhand)"));
    }

    #[test]
    fn what_a_service_said_before_it_was_written_is_not_about_what_it_is_asked_now() {
        let caches = running();
        let office = caches.dedicated("DedicatedOffice", "coop", "office").unwrap().object().unwrap();
        let mut office = serde_json::to_value(office).unwrap();
        office["metadata"]["generation"] = json!(3);
        office["status"] = json!({"observedGeneration": 3});
        put(&caches.offices, office);
        let entity: Entity = serde_json::from_value(entity(&json!({"office": {"tier": "5gb"}}))).unwrap();
        let written = |generation, observed| Written {
            kind: "DedicatedOffice".to_owned(),
            name: "office".to_owned(),
            generation: Some(generation),
            status: Some(Box::new(InstanceStatus { observed_generation: Some(observed), ..InstanceStatus::default() })),
            live: None,
        };
        let is_current = |written: &[Written]| seen(&caches, &entity).services_after(written)[0].current;
        assert!(is_current(&[]) && is_current(&[written(3, 3)]) && !is_current(&[written(4, 3)]));
        assert!(is_current(&[written(4, 3), written(4, 4)]), "the last one counts, with what it reported meanwhile");
    }

    /// The policy for cert-manager's solvers that is to be written, on a Platform with this `exposure`.
    fn solver_policy(exposure: &Value, ingress: &Value) -> Option<Value> {
        let caches = Caches::new();
        let platform = json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "Platform", "metadata": {"name": "default"},
            "spec": {"baseDomain": "example.org", "exposure": exposure, "network": {"ingress": ingress}},
        });
        put(&caches.platforms, platform);
        let entity: Entity = serde_json::from_value(entity(&json!({}))).unwrap();
        let account = ServiceAccount { namespace: "system".to_owned(), name: "operator".to_owned() };
        let changes = decide(&entity, &seen(&caches, &entity), &account, Timestamp::UNIX_EPOCH).unwrap().changes;
        changes.into_iter().find_map(|change| match change.action {
            Action::Apply { object, .. } if change.name == "acme-http01-solver" => Some(object),
            _ => None,
        })
    }

    #[test]
    fn an_acme_server_reaches_the_solvers_through_the_ingress_where_an_issuer_is_named() {
        let ingress = json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}]);
        let issuer = json!({"tls": {"clusterIssuer": "letsencrypt"}});
        let policy = solver_policy(&issuer, &ingress).unwrap();
        let solvers = json!({"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}});
        assert_eq!(policy["spec"]["podSelector"], solvers);
        assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
        let ports = json!([{"port": 8089, "protocol": "TCP"}]);
        assert_eq!(policy["spec"]["ingress"], json!([{"from": ingress, "ports": ports}]));
        assert_eq!(solver_policy(&json!({"tls": {"secretName": "wildcard"}}), &ingress), None);
        assert_eq!(solver_policy(&json!({}), &ingress), None);
        assert_eq!(solver_policy(&issuer, &json!([])), None, "no peer would be everybody");
    }

    #[test]
    fn a_service_that_is_taken_away_leaves_its_data() {
        let caches = running();
        let (office, agora) = (json!({"tier": "1gb"}), json!({"tier": "1gb"}));
        assert!(deleted(&caches, &json!({"office": office, "agora": agora})).is_empty());
        assert_eq!(deleted(&caches, &json!({"office": office})), ["DedicatedAgora/agora"]);
        assert_eq!(deleted(&caches, &json!({"agora": agora})), ["DedicatedOffice/office"]);
    }
}
