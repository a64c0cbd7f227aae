//! Where a live object differs from the desired one, on the desired one's own paths.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value};

use super::exclusive::ExclusiveFields;
use super::removal::Removal;
use crate::canonical::digest::same_text;
use crate::canonical::{is_quantity, is_same_quantity};

/// What is wrong at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The field or item is not there.
    Missing,
    /// It has another value.
    Changed,
    /// Somebody added it to what is exclusively ours.
    Extra,
}

/// One place where the live object is not as desired.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Difference {
    /// JSON pointer into the live object (for [`Fault::Missing`], into the desired one).
    pub path: String,
    /// What is wrong there.
    pub fault: Fault,
    /// A digest of what was found there, by which a later change of it is told; 0: nothing.
    pub found: u64,
}

impl Difference {
    pub(super) fn new(path: String, fault: Fault, found: Option<&Value>) -> Self {
        Self { path, fault, found: found.map_or(0, digest) }
    }
}

fn digest(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
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
/// Server defaults and other managers' fields are no difference, but in what is exclusively ours (a
/// network policy's rules, a pod's containers, volumes and variables, ...).
pub fn differences(kind: &str, desired: &Value, live: &Value) -> Vec<Difference> {
    compare(kind, desired, live).differences
}

/// What is found in one object.
#[derive(Default)]
pub(super) struct Comparison<'d> {
    /// Where it differs.
    pub(super) differences: Vec<Difference>,
    /// How the additions among the differences are taken away.
    pub(super) removals: Vec<Removal<'d>>,
}

pub(super) fn compare<'d>(kind: &str, desired: &'d Value, live: &Value) -> Comparison<'d> {
    let mut walk = Walk { kind, exclusive: ExclusiveFields::of(kind), in_atomic: false, found: Comparison::default() };
    walk.value(&mut Vec::new(), &mut String::new(), desired, live);
    walk.found
}

struct Walk<'k, 'd> {
    kind: &'k str,
    exclusive: ExclusiveFields,
    /// Inside a list that belongs to one manager as a whole: a forced apply replaces it, additions
    /// included.
    in_atomic: bool,
    found: Comparison<'d>,
}

impl<'d> Walk<'_, 'd> {
    fn note(&mut self, pointer: &str, fault: Fault, found: Option<&Value>) {
        self.found.differences.push(Difference::new(pointer.to_owned(), fault, found));
    }

    fn note_addition(&mut self, pointer: &str, found: &Value) {
        if self.in_atomic {
            return self.note(pointer, Fault::Changed, Some(found));
        }
        self.note(pointer, Fault::Extra, Some(found));
        self.found.removals.push(Removal { path: pointer.to_owned(), put_back: None });
    }

    fn value(&mut self, path: &mut Vec<String>, pointer: &mut String, desired: &'d Value, live: &Value) {
        match (desired, live) {
            (Value::Object(desired), Value::Object(live)) => self.object(path, pointer, desired, live),
            (Value::Array(desired), Value::Array(live)) => match merge_key(path) {
                Some(keys) => self.keyed(path, pointer, keys, desired, live),
                None => self.atomic(path, pointer, desired, live),
            },
            (desired, live) if is_same(desired, live) => {}
            (desired, live) if is_quantity(self.kind, path) && is_same_quantity(desired, live) => {}
            (_, live) => self.note(pointer, Fault::Changed, Some(live)),
        }
    }

    fn object(
        &mut self,
        path: &mut Vec<String>,
        pointer: &mut String,
        desired: &'d Map<String, Value>,
        live: &Map<String, Value>,
    ) {
        for (key, wanted) in desired {
            // A finalizer comes with the object; who puts it back, and takes it off, is its controller.
            if key == "finalizers" && *path == ["metadata"] {
                continue;
            }
            let length = push(path, pointer, key);
            match live.get(key) {
                Some(found) => self.value(path, pointer, wanted, found),
                None if is_empty(wanted) => {}
                None => self.note(pointer, Fault::Missing, None),
            }
            pop(path, pointer, length);
        }
        for (key, found) in live {
            // `runAsUser: 0` says something.
            let says_nothing = is_empty(found) && !found.is_number();
            if !desired.contains_key(key) && !says_nothing && self.exclusive.has_key(path, key, found) {
                let length = push(path, pointer, key);
                self.note_addition(pointer, found);
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
        desired: &'d [Value],
        live: &[Value],
    ) {
        let before = self.found.removals.len();
        let places = self.places(path, keys, desired, live);
        for (index, (wanted, at)) in desired.iter().zip(&places).enumerate() {
            let length = push(path, pointer, &at.unwrap_or(index).to_string());
            match at.and_then(|at| live.get(at)) {
                Some(found) => self.value(path, pointer, wanted, found),
                None => self.note(pointer, Fault::Missing, None),
            }
            pop(path, pointer, length);
        }
        let is_exclusive = self.exclusive.has_item(path);
        let beside = live.iter().enumerate().filter(|(index, _)| !places.contains(&Some(*index)));
        // A second item with the key of ours takes its place: the last variable of a name counts.
        let added: Vec<(usize, &Value)> = beside
            .filter(|(_, found)| is_exclusive || desired.iter().any(|wanted| has_same_keys(keys, wanted, found)))
            .collect();
        for (index, found) in &added {
            let length = push(path, pointer, &index.to_string());
            self.note_addition(pointer, found);
            pop(path, pointer, length);
        }
        // Without its items the list could be refused: where one of ours is missing, it is put back whole.
        if !added.is_empty() && !self.in_atomic && places.contains(&None) {
            self.found.removals.truncate(before);
            self.found.removals.push(Removal { path: pointer.clone(), put_back: Some(desired) });
        }
    }

    /// Where the items of ours are in a live list. Of several with the same keys ours is the one that
    /// is as desired, if one is.
    fn places(&self, path: &[String], keys: &[&str], desired: &'d [Value], live: &[Value]) -> Vec<Option<usize>> {
        let place = |wanted: &'d Value| {
            let mut same = live.iter().enumerate().filter(|(_, found)| has_same_keys(keys, wanted, found));
            let (first, found) = same.next()?;
            let others: Vec<_> = same.collect();
            if others.is_empty() || self.is_as_desired(path, wanted, found) {
                return Some(first);
            }
            let better = others.into_iter().find(|(_, found)| self.is_as_desired(path, wanted, found));
            Some(better.map_or(first, |(index, _)| index))
        };
        desired.iter().map(place).collect()
    }

    fn is_as_desired(&self, list: &[String], wanted: &'d Value, found: &Value) -> bool {
        let mut walk = Walk { found: Comparison::default(), ..*self };
        let mut path = list.to_vec();
        path.push("0".to_owned());
        walk.value(&mut path, &mut String::new(), wanted, found);
        walk.found.differences.is_empty()
    }

    /// A list that belongs to one manager as a whole.
    fn atomic(&mut self, path: &mut Vec<String>, pointer: &mut String, desired: &'d [Value], live: &[Value]) {
        if desired.len() != live.len() {
            let found = Value::from(live);
            self.note(pointer, Fault::Changed, Some(&found));
            return;
        }
        let outer = std::mem::replace(&mut self.in_atomic, true);
        for (index, (wanted, found)) in desired.iter().zip(live).enumerate() {
            let length = push(path, pointer, &index.to_string());
            self.value(path, pointer, wanted, found);
            pop(path, pointer, length);
        }
        self.in_atomic = outer;
    }
}

/// The one place where values are compared that are neither maps nor lists.
fn is_same(desired: &Value, live: &Value) -> bool {
    if let (Value::String(desired), Value::String(live)) = (desired, live)
        && same_text(desired, live)
    {
        return true;
    }
    desired == live || (is_empty(desired) && is_empty(live))
}

fn has_same_keys(keys: &[&str], a: &Value, b: &Value) -> bool {
    keys.iter().all(|key| same_key(key, a.get(*key), b.get(*key)))
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
pub(super) fn merge_key(path: &[String]) -> Option<&'static [&'static str]> {
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
