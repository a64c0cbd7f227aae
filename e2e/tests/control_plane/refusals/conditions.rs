//! Faults that admission cannot see: each becomes a condition of the object at fault, and what runs
//! runs on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::{entity, entity_with, namespaced, tariff};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually, gone, ready};
use commonscloud_e2e::{Failure, Outcome, ensure, resources};
use kube::Api;
use kube::core::DynamicObject;
use serde_json::{Value, json};

use super::packages;
use super::watch::{BYSTANDER_DOMAIN, Running, Watch};
use super::with;
use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new("a service that cannot be made says why, and what runs under its name runs on", services),
        Scenario::new("a tier that its tariff lost is named, and what runs keeps its size", lost_tier),
        Scenario::new("a namespace that is not the entity's is named, and not touched", foreign_namespace),
        Scenario::new("an entity's service that another one stands in the way of says so", in_the_way),
    ]
}

/// The Entity in whose namespace the services are, and a domain of its own.
const NAMESPACE: &str = "faulty-services";
const DOMAIN: &str = "faulty.example";

/// A fault, and the object with and without it.
struct Row {
    fault: &'static str,
    sound: Value,
    faulty: Value,
    /// `Stalled`: somebody must change something. `Reconciling`: what is missing may still come.
    kind: &'static str,
    reason: &'static str,
    says: &'static [&'static str],
}

impl Row {
    /// Whether the fault is a change of the sound object; else it is another object.
    fn is_a_change(&self) -> bool {
        let same = |pointer: &str| self.sound.pointer(pointer) == self.faulty.pointer(pointer);
        same("/kind") && same("/metadata/name")
    }
}

/// A service of Radicale's with some fields of its spec more.
fn service(name: &str, more: &[(&str, Value)]) -> Value {
    let base = namespaced("DedicatedService", NAMESPACE, name, json!({"template": "radicale", "tier": "1gb"}));
    more.iter().fold(base, |object, (field, value)| with(object, &format!("/spec/{field}"), value.clone()))
}

/// A service, and the same with another value of one field.
fn changed(name: &str, field: &str, sound: Value, faulty: Value) -> (Value, Value) {
    (service(name, &[(field, sound)]), service(name, &[(field, faulty)]))
}

fn stalled(
    fault: &'static str,
    (sound, faulty): (Value, Value),
    reason: &'static str,
    says: &'static [&'static str],
) -> Row {
    Row { fault, sound, faulty, kind: "Stalled", reason, says }
}

fn hostnames() -> Vec<Row> {
    let host = |name: &str, faulty: &str| changed(name, "hostname", json!(format!("{name}.{DOMAIN}")), json!(faulty));
    let foreign = &["spec.hostname: foreign.elsewhere.example", "allowed: faulty.example"];
    let made = &["spec.hostname: bystander-site.test-cp.commonscloud.test", "allowed: faulty.example"];
    let taken = &["spec.hostname: site.bystander.example is held by DedicatedService bystander/site", "choose another"];
    let left = &["spec.hostname: foreign.faulty.example is held by DedicatedService faulty-services/foreign"];
    vec![
        stalled("foreign host name", host("foreign", "foreign.elsewhere.example"), "HostnameForeign", foreign),
        stalled(
            "host name that the platform makes for another",
            host("made", "bystander-site.test-cp.commonscloud.test"),
            "HostnameForeign",
            made,
        ),
        stalled("host name of another entity", host("taken", "site.bystander.example"), "HostnameTaken", taken),
        // The first row's service asks for another one by now, and still serves there.
        stalled("host name that is still served at", host("left", "foreign.faulty.example"), "HostnameTaken", left),
    ]
}

fn parameters() -> Vec<Row> {
    let plain = json!({"realm": "Plain"});
    let invalid = "ParametersInvalid";
    let change = |name: &str, faulty: Value| changed(name, "parameters", plain.clone(), faulty);
    let surprising = |realm: &str| {
        service("surprised", &[("template", json!("surprising")), ("parameters", json!({"realm": realm}))])
    };
    vec![
        stalled(
            "newline in a parameter",
            change("newline", json!({"realm": "a\nb"})),
            invalid,
            &["spec.parameters: realm: "],
        ),
        stalled(
            "unknown parameter",
            change("unknown-field", json!({"colour": "red"})),
            invalid,
            &["spec.parameters: there is no colour; allowed: realm"],
        ),
        stalled(
            "parameter of another type",
            change("another-type", json!({"realm": 5})),
            invalid,
            &["spec.parameters: realm: ", "string"],
        ),
        stalled(
            "object that only some parameters render",
            (surprising("Plain"), surprising("surprise")),
            "RenderFailed",
            &["surprising cannot be rendered for faulty-services/surprised", "app.yaml", "renders ConfigMap more"],
        ),
    ]
}

fn references(foreign_revision: &str) -> Vec<Row> {
    let nothing = json!("radicale-0000000000");
    let another = &["spec.revision: office-", "is a revision of template office, not of radicale"];
    let unknown = (service("known", &[]), service("unknown", &[("template", json!("no-such-package"))]));
    let revision = |faulty: Value| (service("revised", &[]), service("revised", &[("revision", faulty)]));
    let other_kind = |name: &str| namespaced("DedicatedProjects", NAMESPACE, name, json!({"tier": "1gb"}));
    let waits = |fault, objects, reason, says| Row { kind: "Reconciling", ..stalled(fault, objects, reason, says) };
    vec![
        stalled(
            "unknown version",
            changed("version", "version", json!("3"), json!("9")),
            "VersionUnknown",
            &["spec.version: 9 is not in radicale-", "allowed: 3"],
        ),
        stalled("revision of another template", revision(json!(foreign_revision)), "RevisionForeign", another),
        waits(
            "unknown revision",
            changed("unrevised", "revision", Value::Null, nothing),
            "RevisionNotFound",
            &["ServiceTemplateRevision radicale-0000000000 does not exist", "there are of radicale: radicale-"],
        ),
        waits(
            "unknown template",
            unknown,
            "TemplateNotFound",
            &[
                "ServiceTemplate no-such-package does not exist",
                "there are: ",
                "radicale",
                "kubectl get servicetemplates",
            ],
        ),
        stalled(
            "two resources of one name",
            (other_kind("another-name"), other_kind("known")),
            "NameTaken",
            &["the name known belongs to the data of DedicatedService known", "choose another"],
        ),
    ]
}

/// A copy of Radicale's package with an object too much for one value of a parameter.
fn surprising(tier: &ControlPlane) -> Outcome<Value> {
    let package = packages::copy(tier, "surprising")?;
    let at = "/spec/manifests/1/template";
    let template = package.pointer(at).and_then(Value::as_str).unwrap_or_default();
    let more = "{% if parameters.realm == \"surprise\" %}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ \
                instance.name ~ \"-more\" }}}\n{% endif %}\n";
    let surprising = json!(format!("{template}\n{more}"));
    Ok(with(package, at, surprising))
}

fn api(tier: &ControlPlane, object: &Value) -> Api<DynamicObject> {
    let kind = object["kind"].as_str().unwrap_or_default();
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => resources::ours_in(&tier.cluster.client, kind, namespace),
        None => resources::ours(&tier.cluster.client, kind),
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Waits until the faulty object says what is wrong, of its spec as it is now.
async fn says(tier: &ControlPlane, row: &Row) -> Outcome {
    let api = api(tier, &row.faulty);
    eventually(row.fault, Duration::from_secs(30), async || {
        let object = serde_json::to_value(api.get(name(&row.faulty)).await?)?;
        let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        ensure!(current, "its status is about an older generation");
        for kind in ["Ready", row.kind] {
            let said = condition(&object, kind).ok_or_else(|| Failure::new(conditions(&object)))?;
            let status = if kind == "Ready" { "False" } else { "True" };
            ensure!(said["status"] == status && said["reason"] == row.reason, "{}", conditions(&object));
            let message = said["message"].as_str().unwrap_or_default();
            let missing: Vec<_> = row.says.iter().filter(|words| !message.contains(**words)).collect();
            ensure!(missing.is_empty(), "no {missing:?} in {message}");
        }
        Ok(())
    })
    .await
}

/// Applies objects of this Entity, and waits until all run.
async fn all_run(tier: &ControlPlane, objects: &[Value]) -> Outcome {
    tier.cluster.applied(objects).await?;
    let each = objects.iter().map(|object| async { ready(&api(tier, object), name(object), READY).await });
    futures::future::try_join_all(each).await.map(drop)
}

/// All rows at once: sound, then faulty, then sound again; what runs is never touched.
async fn services(tier: Arc<ControlPlane>) -> Outcome {
    let entity = with(entity(NAMESPACE, json!({})), "/spec/domains", json!([DOMAIN, BYSTANDER_DOMAIN]));
    tier.cluster.applied(&[surprising(&tier)?]).await?;
    tier.running(&entity).await?;
    let revision = ready(&resources::ours(&tier.cluster.client, "ServiceTemplate"), "office", READY).await?;
    let revision = revision["status"]["revision"].as_str().unwrap_or_default();
    let rows: Vec<Row> = [hostnames(), parameters(), references(revision)].into_iter().flatten().collect();
    let (changes, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.is_a_change());
    let running: Vec<Value> = changes.iter().map(|row| row.sound.clone()).chain([service("known", &[])]).collect();
    all_run(&tier, &running).await?;
    let names: BTreeSet<&str> = running.iter().map(name).collect();
    let children = names.iter().map(|name| Running::Children(NAMESPACE.to_owned(), (*name).to_owned()));
    let watch = Watch::over(&tier, children.collect()).await?;

    let all: Vec<Value> = rows.iter().map(|row| row.faulty.clone()).collect();
    tier.cluster.applied(&all).await?;
    let said = futures::future::join_all(rows.iter().map(|row| says(&tier, row))).await;
    let mut faults: Vec<String> = said.into_iter().filter_map(Result::err).map(|failure| failure.to_string()).collect();
    faults.extend(watch.touched(&tier).await?);
    let sound: Vec<Value> = changes.iter().chain(&others).map(|row| row.sound.clone()).collect();
    all_run(&tier, &sound).await?;
    faults.extend(watch.touched(&tier).await?.into_iter().map(|line| format!("once all is sound again: {line}")));
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    given_up(&tier, &rows).await
}

/// Whoever waits for a host name gets it, unasked, once its holder serves at another one.
async fn given_up(tier: &ControlPlane, rows: &[Row]) -> Outcome {
    let waits = rows.iter().find(|row| name(&row.faulty) == "left").ok_or_else(|| Failure::new("nobody waits"))?;
    tier.cluster.applied(std::slice::from_ref(&waits.faulty)).await?;
    says(tier, waits).await?;
    all_run(tier, &[service("foreign", &[("hostname", json!(format!("moved.{DOMAIN}")))])]).await?;
    ready(&api(tier, &waits.faulty), "left", READY).await.map(drop)
}

/// A Tariff cannot lose a tier; but it can be deleted, and made anew without it.
async fn lost_tier(tier: Arc<ControlPlane>) -> Outcome {
    let name = "lost-tier";
    let whole = tariff(name);
    let less = with(whole.clone(), "/spec/tiers", json!([{"name": "1gb", "storage": "1Gi", "price": "5.00"}]));
    let fewer = with(whole.clone(), "/spec/extraBlock/maximum", json!(1));
    let site = json!({"name": "site", "template": "radicale", "tier": "5gb", "extraBlocks": 2});
    let entity = with(entity(name, json!({"others": [site]})), "/spec/tariff", json!(name));
    tier.cluster.applied(std::slice::from_ref(&whole)).await?;
    tier.running(&entity).await?;
    let watch = Watch::over(&tier, vec![Running::Children(name.to_owned(), "site".to_owned())]).await?;
    let service = namespaced("DedicatedService", name, "site", json!({}));
    let row = |fault, reason, says| stalled(fault, (service.clone(), service.clone()), reason, says);
    let lost = row(
        "lost tier",
        "TierUnknown",
        &["spec.services.others[site].tier: 5gb is not in Tariff lost-tier", "allowed: 1gb"],
    );
    let blocks = &["spec.services.others[site].extraBlocks: 2 is more than the 1 that Tariff lost-tier sells"];
    let fewer_blocks = row("fewer blocks", "ExtraBlocksTooMany", blocks);
    let tariffs = resources::ours(&tier.cluster.client, "Tariff");
    for (tariff, row) in [(less, lost), (fewer, fewer_blocks)] {
        delete_in_use(&tier, name).await?;
        gone(&tariffs, name, READY).await?;
        tier.cluster.applied(&[tariff]).await?;
        says(&tier, &row).await?;
        let touched = watch.touched(&tier).await?;
        ensure!(touched.is_empty(), "{}: {}", row.fault, touched.join("\n"));
    }
    delete_in_use(&tier, name).await?;
    tier.cluster.applied(&[whole]).await?;
    ready(&tier.entities(), name, READY).await?;
    let touched = watch.touched(&tier).await?;
    ensure!(touched.is_empty(), "once the tier is back: {}", touched.join("\n"));
    Ok(())
}

/// Deletes a Tariff that an Entity names, which takes somebody's word.
pub async fn delete_in_use(tier: &ControlPlane, name: &str) -> Outcome {
    let kubectl = &tier.cluster.kubectl;
    kubectl.ok(&["annotate", "tariff", name, "commonscloud.coop/allow-deletion=true"]).await?;
    kubectl.ok(&["delete", "tariff", name]).await.map(drop)
}

async fn foreign_namespace(tier: Arc<ControlPlane>) -> Outcome {
    let name = "somebody-elses";
    let kubectl = &tier.cluster.kubectl;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let metadata = json!({"name": "theirs", "namespace": name});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"of": "them"}});
    tier.cluster.applied(&[namespace, map]).await?;
    let watch = Watch::over(&tier, vec![Running::Namespace(name.to_owned())]).await?;
    let entity = entity_with(name, "radicale");
    tier.cluster.applied(std::slice::from_ref(&entity)).await?;
    let told = &["namespace somebody-elses exists and is not this Entity's", "commonscloud.coop/entity=somebody-elses"];
    says(&tier, &stalled("foreign namespace", (entity.clone(), entity), "NamespaceForeign", told)).await?;
    let touched = watch.touched(&tier).await?;
    ensure!(touched.is_empty(), "{}", touched.join("\n"));
    // What the message names makes it the Entity's.
    kubectl.ok(&["label", "namespace", name, &format!("commonscloud.coop/entity={name}")]).await?;
    ready(&tier.entities(), name, READY).await.map(drop)
}

/// Rows of Entities: the service at fault is told, and the Entity repeats it.
async fn in_the_way(tier: Arc<ControlPlane>) -> Outcome {
    let name = "in-the-way";
    let site = |hostname: &str| json!({"name": "site", "template": "radicale", "tier": "1gb", "hostname": hostname});
    let with_services =
        |others: Value| with(entity(name, json!({"others": others})), "/spec/domains", json!([BYSTANDER_DOMAIN]));
    let sound = with_services(json!([site("in-the-way.bystander.example")]));
    tier.running(&sound).await?;
    let by_hand = namespaced("DedicatedService", name, "wiki", json!({"template": "radicale", "tier": "1gb"}));
    all_run(&tier, std::slice::from_ref(&by_hand)).await?;
    let children = ["site", "wiki"].map(|instance| Running::Children(name.to_owned(), instance.to_owned()));
    let watch = Watch::over(&tier, children.to_vec()).await?;

    tier.cluster.applied(&[with_services(json!([site("site.bystander.example")]))]).await?;
    let service = namespaced("DedicatedService", name, "site", json!({}));
    let taken =
        &["spec.services.others[site].hostname: site.bystander.example is held by DedicatedService bystander/site"];
    says(&tier, &stalled("host name of another", (service.clone(), service), "HostnameTaken", taken)).await?;
    let repeated =
        &["DedicatedService site: HostnameTaken: spec.services.others[site].hostname: site.bystander.example"];
    let row = stalled(
        "host name of another, told by the entity",
        (sound.clone(), sound.clone()),
        "ServicesNotReady",
        repeated,
    );
    says(&tier, &row).await?;

    let wiki = json!({"name": "wiki", "template": "other-package", "tier": "1gb"});
    tier.cluster.applied(&[with_services(json!([site("in-the-way.bystander.example"), wiki]))]).await?;
    let refused = &["DedicatedService/wiki", "template: cannot be changed"];
    says(&tier, &stalled("name of a service by hand", (sound.clone(), sound.clone()), "Refused", refused)).await?;
    tier.cluster.applied(&[sound]).await?;
    ready(&tier.entities(), name, READY).await?;
    let touched = watch.touched(&tier).await?;
    ensure!(touched.is_empty(), "{}", touched.join("\n"));
    Ok(())
}
