//! Caches that hold what a test puts into them.

use kube::Resource;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cache::{Caches, Identity, Live, Store};

pub fn put<K: Resource + DeserializeOwned>(store: &Store<K>, object: Value) {
    let object: K = serde_json::from_value(object).unwrap();
    store.put(&Identity::of(object.meta()), object);
}

pub fn put_live(caches: &Caches, kind: &'static str, object: Value) {
    let live = Live::of(kind, serde_json::from_value(object).unwrap());
    let identity = Identity::of(&live.metadata);
    caches.objects[kind].put(&identity, live);
}
