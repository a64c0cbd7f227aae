//! Keeps a store filled from a watch.

use std::fmt::Debug;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::store::{Identity, Outcome, Store};

/// What changed in a store: the object before, and the one after.
pub type Changed<'a, T> = (Option<&'a Arc<T>>, Option<&'a Arc<T>>);

/// Keeps `store` filled until the task is dropped. `keep` turns an object into what is stored, or
/// nothing; `changed` hears of every change but of the echo of our own writes.
pub async fn feed<K, T>(
    api: Api<K>,
    config: watcher::Config,
    store: Store<T>,
    keep: impl Fn(K) -> Option<T>,
    changed: impl Fn(Changed<'_, T>),
) where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut events = watcher(api, config).default_backoff().boxed();
    loop {
        match events.try_next().await {
            Ok(Some(event)) => take(event, &store, &keep, &changed),
            Ok(None) => return,
            Err(error) => tracing::debug!(%error, "watch interrupted"),
        }
    }
}

fn take<K: Resource, T>(
    event: watcher::Event<K>,
    store: &Store<T>,
    keep: &impl Fn(K) -> Option<T>,
    changed: &impl Fn(Changed<'_, T>),
) {
    match event {
        watcher::Event::Init => store.begin_list(),
        watcher::Event::InitApply(object) | watcher::Event::Apply(object) => {
            let identity = Identity::of(object.meta());
            let Some(value) = keep(object) else { return };
            if let Outcome::Changed(before) = store.put(&identity, value) {
                let after = store.get(&identity.namespace, &identity.name);
                changed((before.as_ref(), after.as_ref()));
            }
        }
        watcher::Event::Delete(object) => {
            if let Some(before) = store.remove(&Identity::of(object.meta())) {
                changed((Some(&before), None));
            }
        }
        watcher::Event::InitDone => {
            for before in store.finish_list() {
                changed((Some(&before), None));
            }
            // That the list is complete is news too.
            changed((None, None));
        }
    }
}
