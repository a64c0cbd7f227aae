//! What an application holds, as it tells whoever asks.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::failure::Outcome;

/// An application as its people use it: nothing is asked behind its back.
pub trait Application {
    /// Writes a thing of this name, or writes over it.
    ///
    /// # Errors
    /// When the application does not say that it took it.
    fn write(&self, name: &str, text: &str) -> impl Future<Output = Outcome>;

    /// Removes a thing.
    ///
    /// # Errors
    /// When the application does not say that it did.
    fn remove(&self, name: &str) -> impl Future<Output = Outcome>;

    /// All that it holds.
    ///
    /// # Errors
    /// When it does not tell all of it.
    fn content(&self) -> impl Future<Output = Outcome<Content>>;
}

/// Pages, events or files by their names, each as a hash of what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content(BTreeMap<String, String>);

impl Content {
    /// Notes one thing.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        self.0.insert(name.to_owned(), hash(bytes));
    }

    /// The hash of a thing, where it is there.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and hashes.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, hash)| (name.as_str(), hash.as_str()))
    }

    /// How many things there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// SHA-256 in hex.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
