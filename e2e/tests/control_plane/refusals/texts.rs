//! Tera syntax, YAML and newlines in every text of a spec: refused by the schema, or only a text.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonscloud_e2e::manifests::{client_secret, entity};
use commonscloud_e2e::objects::{Kinds, comparable};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use commonscloud_operator::api::crds;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::doors::{Answer, Door, Mode, Wish, knock};
use super::with;
use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new("Tera syntax, YAML and newlines in any text of an entity are refused or only a text", walked)]
}

/// What `{{ 7919 * 7907 }}` would become.
const PRODUCT: &str = "62615533";

/// Each means something to Tera, YAML or a configuration file; some have the shape that a field asks
/// for.
const TEXTS: [&str; 7] = [
    "a\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: slipped-in}\n",
    "a\r\nb",
    "{% include \"/etc/passwd\" %}{% for a in [1] %}{{ 7919 * 7907 }}{% endfor %}",
    "{{7919*7907}}@texts.example",
    "https://{{7919*7907}}.texts.example",
    "{{ 7919 * 7907 }}{# a #}\"'\\: &a *b !!c # d",
    "{{ instance.name }}",
];

/// The Secret of a service's client at the identity provider.
fn client(service: &str) -> String {
    format!("{service}-sign-in")
}

/// An Entity with a text in every field that can have one.
fn full(name: &str) -> Value {
    let manager =
        |kind: &str| json!([{"name": "anna", "mail": "anna@texts.example", "subject": {"kind": kind, "name": "anna"}}]);
    let oidc = |service: &str| {
        json!({
            "issuer": "https://id.texts.example", "clientSecretName": client(service), "groupsClaim": "groups",
            "allowedGroups": ["members"],
        })
    };
    let backup = || json!({"target": "offsite", "cron": "0 1 * * *", "timeZone": "Etc/UTC"});
    let service = |service: &str, parameters: Value| {
        json!({
            "backup": backup(),
            "tier": "1gb", "hostname": format!("{service}.{name}.example"), "version": "1", "revision": "office-1",
            "managers": manager("Group"), "parameters": parameters,
        })
    };
    let office = json!({"defaultUserQuota": "1Gi", "phoneRegion": "ES", "editor": "Shared", "oidc": oidc("office")});
    let agora =
        json!({"contactMail": "agora@texts.example", "oidc": with(oidc("agora"), "/allowedGroups", Value::Null)});
    let mut site = service("site", json!({"realm": "Plain"}));
    site["name"] = json!("site");
    site["template"] = json!("radicale");
    let services = json!({
        "office": service("office", office),
        "agora": service("agora", agora),
        "projects": service("projects", json!({"oidc": oidc("projects")})),
        "others": [site],
    });
    let mut entity = entity(name, services);
    entity["spec"]["language"] = json!("ca");
    entity["spec"]["backup"] = backup();
    entity["spec"]["domains"] = json!([format!("{name}.example")]);
    entity["spec"]["adopt"] = json!(["6f7b2c1e-0000-4000-8000-000000000000"]);
    entity["spec"]["managers"] = manager("User");
    entity
}

/// The JSON pointers of all texts below a schema, in lists those of the first item.
fn texts(schema: &Value, pointer: &str, found: &mut Vec<String>) {
    if schema["type"] == "string" {
        found.push(pointer.to_owned());
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        texts(property, &format!("{pointer}/{name}"), found);
    }
    if schema["items"].is_object() {
        texts(&schema["items"], &format!("{pointer}/0"), found);
    }
}

/// Every text of an Entity's spec, that of a package's own parameter included.
fn pointers() -> Outcome<Vec<String>> {
    let all = crds();
    let entity = all.iter().find(|crd| crd.spec.names.kind == "Entity");
    let schema = entity.and_then(|crd| crd.spec.versions.first()).map(|version| json!(version.schema));
    let schema = schema.ok_or_else(|| Failure::new("there is no schema of Entity"))?;
    let mut found = vec!["/spec/services/others/0/parameters/realm".to_owned()];
    texts(&schema["openAPIV3Schema"]["properties"]["spec"], "/spec", &mut found);
    Ok(found)
}

/// `/spec/managers/0/mail` as messages have it: `spec.managers[0].mail`.
fn field(pointer: &str) -> String {
    let mut field = String::new();
    for part in pointer.trim_start_matches('/').split('/') {
        match part.parse::<usize>() {
            Ok(index) => field.push_str(&format!("[{index}]")),
            Err(_) if field.is_empty() => field.push_str(part),
            Err(_) => field.push_str(&format!(".{part}")),
        }
    }
    field
}

/// The texts that each field accepts; a refusal that does not name the field is a fault.
async fn accepted(tier: &ControlPlane, pointers: &[String]) -> Outcome<BTreeMap<String, Vec<&'static str>>> {
    let base = full("texts-tried");
    let pairs = pointers.iter().flat_map(|pointer| TEXTS.iter().map(move |text| (pointer, *text)));
    let base = &base;
    let tried = futures::stream::iter(pairs).map(|(pointer, text)| async move {
        let value = json!(text);
        let wish = Wish { base, at: pointer, value: &value };
        Ok((pointer, text, knock(&tier.cluster.client, Door::Post, wish, Mode::DryRun).await?))
    });
    let answers: Vec<Outcome<_>> = tried.buffered(4).collect().await;
    let mut accepted: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    let mut faults = Vec::new();
    for answer in answers {
        match answer? {
            (pointer, text, Answer::Taken) => accepted.entry(pointer.clone()).or_default().push(text),
            (pointer, _, Answer::Refused(message)) if message.contains(&field(pointer)) => {}
            (pointer, text, Answer::Refused(message)) => {
                faults.push(format!("{pointer} = {text:?}: refused without the field's name: {message}"));
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(accepted)
}

/// The full Entity as it can run: without what names things that are not there.
fn runnable(name: &str) -> Value {
    let services = ["/office", "/agora", "/projects", "/others/0"];
    services.iter().fold(full(name), |entity, service| {
        let without = |entity, field: &str| with(entity, &format!("/spec/services{service}/{field}"), Value::Null);
        without(without(entity, "version"), "revision")
    })
}

async fn walked(tier: Arc<ControlPlane>) -> Outcome {
    let pointers = pointers()?;
    let sample = full("texts-tried");
    let without: Vec<_> = pointers.iter().filter(|pointer| sample.pointer(pointer).is_none()).collect();
    ensure!(pointers.len() > 50 && without.is_empty(), "{} texts, no sample of {without:?}", pointers.len());
    let accepted = accepted(&tier, &pointers).await?;
    // Newlines end what a configuration file says in a line: no field but a package's own, whose
    // schema answers for it, takes them.
    let lines = |texts: &Vec<&str>| texts.iter().any(|text| text.contains('\n'));
    let open: Vec<_> = accepted.iter().filter(|(_, texts)| lines(texts)).map(|(pointer, _)| pointer.as_str()).collect();
    ensure_eq!(open, ["/spec/services/others/0/parameters/realm"], "fields that take a newline");
    only_texts(&tier, &accepted).await
}

/// Applies an Entity and the Secrets that its parameters name, and waits until it is Ready.
async fn running(tier: &ControlPlane, entity: &Value) -> Outcome {
    tier.cluster.applied(std::slice::from_ref(entity)).await?;
    let namespace = entity["metadata"]["name"].as_str().unwrap_or_default();
    let secrets = ["office", "agora", "projects"].map(|service| client_secret(namespace, &client(service), service));
    eventually("the Entity's namespace is there", READY, async || tier.cluster.applied(&secrets).await).await?;
    tier.running(entity).await.map(drop)
}

/// Two Entities, one of them with a hostile text wherever the schema lets it: the same objects.
async fn only_texts(tier: &ControlPlane, accepted: &BTreeMap<String, Vec<&'static str>>) -> Outcome {
    let mut hostile = runnable("texts-hostile");
    for (pointer, texts) in accepted {
        // The package of the last refuses newlines and percent signs itself.
        let usable = |text: &&&str| !text.contains(['\n', '%']) || !pointer.ends_with("/realm");
        if let (Some(text), true) = (texts.iter().find(usable), hostile.pointer(pointer).is_some()) {
            hostile = with(hostile, pointer, json!(text));
        }
    }
    let plain = runnable("texts-plain");
    tokio::try_join!(running(tier, &hostile), running(tier, &plain))?;
    let kinds = Kinds::discover(&tier.cluster.client).await?;
    let objects = async |name: &str| comparable(&kinds.all(&tier.cluster.client, name).await?, name);
    let (hostile_objects, plain_objects) = (objects("texts-hostile").await?, objects("texts-plain").await?);
    let keys = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    ensure_eq!(keys(&hostile_objects), keys(&plain_objects), "the objects of an entity with hostile texts");
    let computed: Vec<_> =
        hostile_objects.iter().filter(|(_, object)| object.to_string().contains(PRODUCT)).map(|(key, _)| key).collect();
    ensure!(computed.is_empty(), "{PRODUCT} stands in {computed:?}");
    let roles = tier.cluster.kubectl.ok(&["get", "clusterroles", "-o", "name"]).await?;
    ensure!(!roles.contains("slipped-in"), "{roles}");
    literal(&hostile, &hostile_objects)
}

/// Where the texts end up, they stand as they were written.
fn literal(entity: &Value, objects: &BTreeMap<String, Value>) -> Outcome {
    let text = |pointer: &str| entity.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let object = |key: &str| objects.get(key).ok_or_else(|| Failure::new(format!("there is no {key}")));
    let subject = &object("RoleBinding/commonscloud-manager")?["subjects"][0]["name"];
    ensure_eq!(subject, text("/spec/managers/0/subject/name"), "the manager's name in the RoleBinding");
    let title = &object("ConfigMap/agora-settings")?["data"]["FIRST_TITLE"];
    ensure_eq!(title, text("/spec/displayName"), "the forum's title");
    let config = object("ConfigMap/site-app")?["data"]["config"].as_str().unwrap_or_default();
    let realm = text("/spec/services/others/0/parameters/realm");
    ensure!(realm.contains("{{") && config.contains(&format!("\nrealm = {realm}\n")), "no {realm:?} in {config}");
    Ok(())
}
