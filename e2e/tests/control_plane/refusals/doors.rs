//! The ways into the API server, as raw requests: kubectl takes one of them, other tools others.

use std::fmt;

use commonscloud_e2e::{Failure, Outcome, resources};
use hyper::{Method, Request};
use kube::Client;
use serde_json::{Map, Value, json};

use super::with;

/// Who sends these requests, as field manager.
const MANAGER: &str = "refusals";

/// A way into the API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// POST of an object that is not there yet.
    Post,
    /// Server-side apply of an object that is not there yet.
    ApplyNew,
    /// A merge patch of one that is there.
    MergePatch,
    /// A JSON patch of one that is there.
    JsonPatch,
    /// PUT of one that is there.
    Put,
    /// Server-side apply of one that is there.
    Apply,
}

impl Door {
    /// The doors of an object that is not there yet.
    pub const NEW: [Self; 2] = [Self::Post, Self::ApplyNew];
    /// The doors of one that is there.
    pub const CHANGE: [Self; 4] = [Self::MergePatch, Self::JsonPatch, Self::Put, Self::Apply];
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Post => "POST",
            Self::ApplyNew => "server-side apply of a new object",
            Self::MergePatch => "merge PATCH",
            Self::JsonPatch => "JSON PATCH",
            Self::Put => "PUT",
            Self::Apply => "server-side apply",
        })
    }
}

/// An object as it is meant to become.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The manifest without the change.
    pub base: &'a Value,
    /// Where it is changed, as a JSON pointer.
    pub at: &'a str,
    /// What is to be there; null: nothing.
    pub value: &'a Value,
}

/// Whether what is accepted is also stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It is.
    Real,
    /// Everything is judged, nothing is stored.
    DryRun,
}

/// What the API server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It took the object.
    Taken,
    /// It refused it, in these words.
    Refused(String),
}

/// Where an object is, or would be: the path of its collection.
fn collection(client: &Client, object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    match object["metadata"]["namespace"].as_str() {
        Some(namespace) => resources::ours_in(client, kind, namespace).resource_url().to_owned(),
        None => resources::ours(client, kind).resource_url().to_owned(),
    }
}

/// Tries a door.
///
/// # Errors
/// When the API server gives no answer.
pub async fn knock(client: &Client, door: Door, wish: Wish<'_>, mode: Mode) -> Outcome<Answer> {
    let wanted = with(wish.base.clone(), wish.at, wish.value.clone());
    let path = collection(client, &wanted);
    let one = format!("{path}/{}", wanted["metadata"]["name"].as_str().unwrap_or_default());
    let merge = "application/merge-patch+json";
    let apply = "application/apply-patch+yaml";
    let (method, path, form, body) = match door {
        Door::Post => (Method::POST, path, "application/json", wanted),
        Door::ApplyNew | Door::Apply => (Method::PATCH, one, apply, wanted),
        Door::MergePatch => (Method::PATCH, one, merge, merge_patch(wish.base, &wanted)),
        Door::JsonPatch => (Method::PATCH, one, "application/json-patch+json", json_patch(wish)),
        Door::Put => {
            let live: Value = client.request(Request::get(&one).body(Vec::new())?).await?;
            (Method::PUT, one, "application/json", with(live, wish.at, wish.value.clone()))
        }
    };
    // Unknown fields are refused, as kubectl asks for; by default the API server drops them.
    let mut query = format!("fieldManager={MANAGER}&fieldValidation=Strict");
    if form == apply {
        query.push_str("&force=true");
    }
    if mode == Mode::DryRun {
        query.push_str("&dryRun=All");
    }
    let request = Request::builder().method(method).uri(format!("{path}?{query}")).header("content-type", form);
    match client.request::<Value>(request.body(body.to_string().into_bytes())?).await {
        Ok(_) => Ok(Answer::Taken),
        Err(kube::Error::Api(status)) => Ok(Answer::Refused(status.message)),
        Err(error) => Err(Failure::from(error).during(&door.to_string())),
    }
}

/// What makes one object of the other by RFC 7386: lists as a whole, null for what goes.
fn merge_patch(from: &Value, to: &Value) -> Value {
    let (Value::Object(from), Value::Object(to)) = (from, to) else { return to.clone() };
    let gone = from.keys().filter(|key| !to.contains_key(*key)).map(|key| (key.clone(), Value::Null));
    let mut patch: Map<String, Value> = gone.collect();
    for (key, value) in to {
        match from.get(key) {
            Some(before) if before == value => {}
            Some(before) => drop(patch.insert(key.clone(), merge_patch(before, value))),
            None => drop(patch.insert(key.clone(), value.clone())),
        }
    }
    Value::Object(patch)
}

fn json_patch(wish: Wish<'_>) -> Value {
    let operation = match (wish.base.pointer(wish.at).is_some(), wish.value.is_null()) {
        (true, true) => json!({"op": "remove", "path": wish.at}),
        (true, false) => json!({"op": "replace", "path": wish.at, "value": wish.value}),
        (false, true) => return json!([]),
        (false, false) => json!({"op": "add", "path": wish.at, "value": wish.value}),
    };
    json!([operation])
}
