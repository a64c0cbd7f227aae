//! Where a live object differs from the desired one, on the desired one's own paths.

use std::fmt;

use serde_json::{Map, Value};

use super::doors::Doors;
use crate::canonical::digest::same_text;

/// What is wrong at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The field or item is not there.
    Missing,
    /// It has another value.
    Changed,
    /// Somebody added it where an addition opens a door.
    Extra,
}

/// One place where the live object is not as desired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// JSON pointer into the live object (for [`Fault::Missing`], into the desired one).
    pub path: String,
    /// What is wrong there.
    pub fault: Fault,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.fault {
            Fault::Missing => "missing",
            Fault::Changed => "changed",
            Fault::Extra => "added by somebody else",
        };
        write!(f, "{} {what}", self.path)
    }
}

/// Where `live` differs from `desired`. Both are canonical (see [`crate::canonical`]).
///
/// Server defaults and other managers' fields are no difference, but where an addition beside
/// ours opens a door (a network policy's rules, a pod's containers, volumes and variables, ...).
pub fn differences(kind: &str, desired: &Value, live: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    let mut walk = Walk { doors: Doors::of(kind), found: &mut found };
    walk.value(&mut Vec::new(), &mut String::new(), desired, live);
    found
}

struct Walk<'a> {
    doors: Doors,
    found: &'a mut Vec<Difference>,
}

impl Walk<'_> {
    fn note(&mut self, pointer: &str, fault: Fault) {
        self.found.push(Difference { path: pointer.to_owned(), fault });
    }

    fn value(&mut self, path: &mut Vec<String>, pointer: &mut String, desired: &Value, live: &Value) {
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) => self.object(path, pointer, desired, live),
            (Value::Array(desired), Value::Array(live)) => match merge_key(path) {
                Some(keys) => self.keyed(path, pointer, keys, desired, live),
                None => self.atomic(path, pointer, desired, live),
            },
            (Value::String(desired), Value::String(live)) if same_text(desired, live) => {}
            (desired, live) if desired == live || (is_empty(desired) && is_empty(live)) => {}
            _ => self.note(pointer, Fault::Changed),
        }
    }

    fn object(
        &mut self,
        path: &mut Vec<String>,
        pointer: &mut String,
        desired: &Map<String, Value>,
        live: &Map<String, Value>,
    ) {
        for (key, wanted) in desired {
            let length = push(path, pointer, key);
            match live.get(key) {
                Some(found) => self.value(path, pointer, wanted, found),
                None if is_empty(wanted) => {}
                None => self.note(pointer, Fault::Missing),
            }
            pop(path, pointer, length);
        }
        for (key, found) in live {
            // `runAsUser: 0` says something.
            let says_nothing = is_empty(found) && !found.is_number();
            if !desired.contains_key(key) && !says_nothing && self.doors.opened_by_key(path, key, found) {
                let length = push(path, pointer, key);
                self.note(pointer, Fault::Extra);
                pop(path, pointer, length);
            }
        }
    }

    /// A list whose items are told apart by keys: order and other managers' items are no difference.
    fn keyed(
        &mut self,
        path: &mut Vec<String>,
        pointer: &mut String,
        keys: &[&str],
        desired: &[Value],
        live: &[Value],
    ) {
        let same = |a: &Value, b: &Value| keys.iter().all(|key| same_key(key, a.get(*key), b.get(*key)));
        for (index, wanted) in desired.iter().enumerate() {
            let at = live.iter().position(|found| same(wanted, found));
            let length = push(path, pointer, &at.unwrap_or(index).to_string());
            match at.and_then(|at| live.get(at)) {
                Some(found) => self.value(path, pointer, wanted, found),
                None => self.note(pointer, Fault::Missing),
            }
            pop(path, pointer, length);
        }
        if !self.doors.opened_by_item(path) {
            return;
        }
        for (index, found) in live.iter().enumerate() {
            if !desired.iter().any(|wanted| same(wanted, found)) {
                let length = push(path, pointer, &index.to_string());
                self.note(pointer, Fault::Extra);
                pop(path, pointer, length);
            }
        }
    }

    /// A list that belongs to one manager as a whole.
    fn atomic(&mut self, path: &mut Vec<String>, pointer: &mut String, desired: &[Value], live: &[Value]) {
        if desired.len() != live.len() {
            self.note(pointer, Fault::Changed);
            return;
        }
        for (index, (wanted, found)) in desired.iter().zip(live).enumerate() {
            let length = push(path, pointer, &index.to_string());
            self.value(path, pointer, wanted, found);
            pop(path, pointer, length);
        }
    }
}

/// The API server leaves such values out of what it stores, so that absent means the same.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_i64() == Some(0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}

/// Ports differ in their protocol too, which defaults to TCP.
fn same_key(key: &str, a: Option<&Value>, b: Option<&Value>) -> bool {
    if key == "protocol" {
        let protocol = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or("TCP").to_owned();
        return protocol(a) == protocol(b);
    }
    a == b
}

/// The keys by which the API server tells the items of a list apart; none: the list is atomic.
fn merge_key(path: &[String]) -> Option<&'static [&'static str]> {
    let name = path.last()?.as_str();
    let parent = path.len().checked_sub(3).and_then(|at| path.get(at)).map(String::as_str);
    match name {
        "containers" | "initContainers" | "env" | "imagePullSecrets" | "volumes" | "managers" | "others" => {
            Some(&["name"])
        }
        "volumeMounts" => Some(&["mountPath"]),
        "volumeDevices" => Some(&["devicePath"]),
        "ownerReferences" => Some(&["uid"]),
        "topologySpreadConstraints" => Some(&["topologyKey", "whenUnsatisfiable"]),
        "hostAliases" => Some(&["ip"]),
        "ports" if matches!(parent, Some("containers" | "initContainers")) => Some(&["containerPort", "protocol"]),
        "ports" if path.len() == 2 => Some(&["port", "protocol"]),
        _ => None,
    }
}

fn push(path: &mut Vec<String>, pointer: &mut String, key: &str) -> usize {
    let length = pointer.len();
    pointer.push('/');
    pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
    path.push(key.to_owned());
    length
}

fn pop(path: &mut Vec<String>, pointer: &mut String, length: usize) {
    pointer.truncate(length);
    path.pop();
}
