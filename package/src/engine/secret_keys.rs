//! Leads a pod's references to a generated Secret to the one that holds the key: manifests name the
//! secret and the key, and do not know which of them came in a later revision.

use serde_json::{Map, Value, json};

use crate::plan::{Plan, PlannedSecret};

/// Points each reference of this pod template to the Secret that holds its key. Nothing changes
/// where no key came later.
pub(crate) fn lead(plan: &Plan, template: &mut Value) {
    let secrets: Vec<&PlannedSecret> = plan.secrets.iter().filter(|secret| !secret.further.is_empty()).collect();
    if secrets.is_empty() {
        return;
    }
    for list in ["/spec/initContainers", "/spec/containers"] {
        for container in items(template, list) {
            items(container, "/env").for_each(|variable| variable_from(&secrets, variable));
            all_variables_from(&secrets, container);
        }
    }
    for volume in items(template, "/spec/volumes") {
        mounted(&secrets, volume);
    }
}

fn items<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    value.pointer_mut(pointer).and_then(Value::as_array_mut).into_iter().flatten()
}

/// The planned secret that this is the first Secret of.
fn called<'a>(secrets: &[&'a PlannedSecret], name: Option<&Value>) -> Option<&'a PlannedSecret> {
    let name = name?.as_str()?;
    secrets.iter().find(|secret| secret.secret == name).copied()
}

/// The further Secret that holds this key.
fn holder<'a>(secret: &'a PlannedSecret, key: &str) -> Option<&'a str> {
    let holds = |keys: &[String]| keys.iter().any(|held| held == key);
    secret.further.iter().find(|further| holds(&further.keys)).map(|further| further.secret.as_str())
}

fn variable_from(secrets: &[&PlannedSecret], variable: &mut Value) {
    let Some(reference) = variable.pointer_mut("/valueFrom/secretKeyRef") else { return };
    let Some(secret) = called(secrets, reference.get("name")) else { return };
    let key = reference.get("key").and_then(Value::as_str).unwrap_or_default();
    if let Some(name) = holder(secret, key) {
        reference["name"] = Value::from(name);
    }
}

/// `envFrom` of the whole secret: of each of its Secrets.
fn all_variables_from(secrets: &[&PlannedSecret], container: &mut Value) {
    let Some(sources) = container.pointer_mut("/envFrom").and_then(Value::as_array_mut) else { return };
    let mut all = Vec::new();
    for source in sources.drain(..) {
        let secret = called(secrets, source.pointer("/secretRef/name"));
        all.push(source.clone());
        for further in secret.into_iter().flat_map(|secret| &secret.further) {
            let mut more = source.clone();
            more["secretRef"]["name"] = Value::from(further.secret.as_str());
            all.push(more);
        }
    }
    *sources = all;
}

/// A volume of the secret becomes a projected one of all its Secrets.
fn mounted(secrets: &[&PlannedSecret], volume: &mut Value) {
    if let Some(source) = volume.get("secret").cloned()
        && let Some(secret) = called(secrets, source.get("secretName"))
    {
        let mut projected = Map::new();
        projected.insert("sources".to_owned(), Value::Array(sources(secret, &source)));
        if let Some(mode) = source.get("defaultMode") {
            projected.insert("defaultMode".to_owned(), mode.clone());
        }
        if let Some(fields) = volume.as_object_mut() {
            fields.remove("secret");
            fields.insert("projected".to_owned(), Value::Object(projected));
        }
        return;
    }
    let Some(all) = volume.pointer_mut("/projected/sources").and_then(Value::as_array_mut) else { return };
    let lead = |source: Value| match called(secrets, source.pointer("/secret/name")) {
        Some(secret) => sources(secret, &source["secret"]),
        None => vec![source],
    };
    *all = all.drain(..).flat_map(lead).collect();
}

/// The sources of a projected volume for what `source` takes of a secret: all keys, or its `items`.
fn sources(secret: &PlannedSecret, source: &Value) -> Vec<Value> {
    let items = source.get("items").and_then(Value::as_array);
    let of = |name: &str, keys: Option<Vec<Value>>| {
        let mut projection = json!({"name": name});
        if let Some(keys) = keys {
            projection["items"] = Value::Array(keys);
        }
        if let Some(optional) = source.get("optional") {
            projection["optional"] = optional.clone();
        }
        json!({"secret": projection})
    };
    let names = std::iter::once(secret.secret.as_str()).chain(secret.further.iter().map(|f| f.secret.as_str()));
    let Some(items) = items else { return names.map(|name| of(name, None)).collect() };
    let held = |name: &str| {
        let is_held = |item: &&Value| {
            let key = item.get("key").and_then(Value::as_str).unwrap_or_default();
            holder(secret, key).unwrap_or(&secret.secret) == name
        };
        items.iter().filter(is_held).cloned().collect::<Vec<Value>>()
    };
    names
        .map(|name| (name, held(name)))
        .filter(|(_, keys)| !keys.is_empty())
        .map(|(name, keys)| of(name, Some(keys)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::builtin::builtin;
    use crate::format::sample::{self, Surroundings};
    use crate::package::Package;
    use crate::plan::PlannedFurther;

    fn led(pod: &Value, further: &[(&str, &[&str])]) -> Value {
        let template = builtin().into_iter().next().unwrap();
        let package = Package::compile("office", &template.spec).unwrap();
        let mut plan = sample::plan(&package, &package.versions()[0], json!({}), Surroundings::Bare).unwrap();
        plan.secrets[0].secret = "calendar-admin".to_owned();
        let further = further.iter().map(|(secret, keys)| PlannedFurther {
            secret: (*secret).to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        });
        plan.secrets[0].further = further.collect();
        let mut template = json!({"spec": pod});
        lead(&plan, &mut template);
        template["spec"].clone()
    }

    const TOKEN: &[(&str, &[&str])] = &[("calendar-admin-2", &["token"])];

    #[test]
    fn a_variable_comes_from_the_secret_that_holds_its_key() {
        let variable = |secret: &str, key: &str| json!({"valueFrom": {"secretKeyRef": {"name": secret, "key": key}}});
        let pod = |token: &str| {
            let env = [variable("calendar-admin", "password"), variable(token, "token"), variable("other", "token")];
            json!({"initContainers": [{"env": env}], "containers": [{"env": env}]})
        };
        assert_eq!(led(&pod("calendar-admin"), TOKEN), pod("calendar-admin-2"));
        assert_eq!(led(&pod("calendar-admin"), &[]), pod("calendar-admin"), "nothing changes, no pod is restarted");
    }

    #[test]
    fn all_variables_of_a_secret_come_from_all_its_secrets() {
        let from = |name: &str| json!({"prefix": "A_", "secretRef": {"name": name}});
        let led = led(&json!({"containers": [{"envFrom": [from("calendar-admin"), from("other")]}]}), TOKEN);
        let expected = json!([from("calendar-admin"), from("calendar-admin-2"), from("other")]);
        assert_eq!(led["containers"][0]["envFrom"], expected);
    }

    #[test]
    fn a_mounted_secret_has_the_files_of_all_its_secrets() {
        let pod = json!({"volumes": [
            {"name": "all", "secret": {"secretName": "calendar-admin", "defaultMode": 288}},
            {"name": "one", "secret": {"secretName": "calendar-admin", "items": [{"key": "token", "path": "t"}]}},
            {"name": "mixed", "projected": {"sources": [{"secret": {"name": "calendar-admin"}}, {"configMap": {"name": "c"}}]}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "calendar-data"}},
        ]});
        let source = |name: &str| json!({"secret": {"name": name}});
        let both = [source("calendar-admin"), source("calendar-admin-2")];
        let token = json!({"secret": {"name": "calendar-admin-2", "items": [{"key": "token", "path": "t"}]}});
        let expected = json!([
            {"name": "all", "projected": {"sources": both, "defaultMode": 288}},
            {"name": "one", "projected": {"sources": [token]}},
            {"name": "mixed", "projected": {"sources": [both[0], both[1], {"configMap": {"name": "c"}}]}},
            {"name": "data", "persistentVolumeClaim": {"claimName": "calendar-data"}},
        ]);
        assert_eq!(led(&pod, TOKEN)["volumes"], expected);
    }
}
