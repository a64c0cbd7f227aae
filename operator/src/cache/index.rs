//! Objects found by something else than their name, kept as they come and go.

use std::collections::{BTreeSet, HashMap};

/// What an object is found by.
pub(super) type Keys<T> = fn(&T) -> Vec<String>;

/// The namespaces and names of objects by what they are found by.
pub(super) struct Index<T> {
    keys: Keys<T>,
    places: HashMap<String, BTreeSet<(String, String)>>,
}

impl<T> Index<T> {
    /// An index by these keys.
    pub(super) fn by(keys: Keys<T>) -> Self {
        Self { keys, places: HashMap::new() }
    }

    /// An object came in the place of another, or of nothing, or went.
    pub(super) fn replace(&mut self, namespace: &str, name: &str, before: Option<&T>, after: Option<&T>) {
        let place = (namespace.to_owned(), name.to_owned());
        for key in before.map(self.keys).into_iter().flatten() {
            if let Some(places) = self.places.get_mut(&key) {
                places.remove(&place);
                if places.is_empty() {
                    self.places.remove(&key);
                }
            }
        }
        for key in after.map(self.keys).into_iter().flatten() {
            self.places.entry(key).or_default().insert(place.clone());
        }
    }

    /// Where the objects are that are found by `key`.
    pub(super) fn places(&self, key: &str) -> impl Iterator<Item = &(String, String)> {
        self.places.get(key).into_iter().flatten()
    }
}
