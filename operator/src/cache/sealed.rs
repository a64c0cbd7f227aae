//! A Secret without what it holds.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::api::marks;
use crate::redact::Fingerprints;
use crate::template::hexadecimal;

/// How many digits of a digest a revision has.
const DIGITS: usize = 16;

/// A Secret without what it holds: whose it is, and a digest that tells two contents apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its resourceVersion.
    pub resource_version: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The names of its keys, in order.
    pub keys: Vec<String>,
    /// On a copy: the revision of the Secret that it was copied from.
    pub source: Option<String>,
    /// SHA-256 of type and data, in hexadecimal. Kept in memory, never shown: a short password
    /// could be guessed from it.
    pub digest: String,
    /// By which what it holds is taken out of a text.
    pub fingerprints: Fingerprints,
}

impl Sealed {
    /// What may be known of a Secret.
    pub fn of(secret: &Secret) -> Self {
        let metadata = secret.metadata.clone();
        Self {
            created: metadata.creation_timestamp.as_ref().map(|time| time.0),
            deleting: metadata.deletion_timestamp.is_some(),
            keys: secret.data.iter().flatten().map(|(key, _)| key.clone()).collect(),
            name: metadata.name.unwrap_or_default(),
            uid: metadata.uid.unwrap_or_default(),
            resource_version: metadata.resource_version.unwrap_or_default(),
            labels: metadata.labels.unwrap_or_default(),
            source: metadata.annotations.and_then(|mut all| all.remove(marks::SOURCE)),
            digest: digest(secret),
            fingerprints: Fingerprints::of(secret),
        }
    }

    /// Whether it is a copy of one that the Platform names, or did once.
    pub fn is_copy(&self) -> bool {
        self.source.is_some() && ![marks::INSTANCE, marks::DATA].iter().any(|key| self.labels.contains_key(*key))
    }

    /// A name for what it holds, 16 hexadecimal digits, that may be shown: the uid in it, which
    /// nobody knows who may not read the Secret, keeps the content from being guessed.
    pub fn revision(&self) -> String {
        let mut revision = hexadecimal(&Sha256::digest(format!("{}/{}", self.uid, self.digest)));
        revision.truncate(DIGITS);
        revision
    }
}

/// Lengths go in too, so that no two contents run together to the same bytes.
fn digest(secret: &Secret) -> String {
    let mut hash = Sha256::new();
    let mut take = |bytes: &[u8]| {
        hash.update(bytes.len().to_be_bytes());
        hash.update(bytes);
    };
    take(secret.type_.as_deref().unwrap_or("Opaque").as_bytes());
    for (key, value) in secret.data.iter().flatten() {
        take(key.as_bytes());
        take(&value.0);
    }
    hexadecimal(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn sealed(uid: &str, data: &[(&str, &str)]) -> Sealed {
        let mut secret = Secret {
            data: Some(data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect()),
            ..Secret::default()
        };
        secret.metadata.uid = Some(uid.to_owned());
        Sealed::of(&secret)
    }

    #[test]
    fn a_revision_changes_with_what_the_secret_holds_and_gives_none_of_it_away() {
        let first = sealed("u", &[("username", "cloud"), ("password", "a")]);
        assert_eq!(first.revision(), sealed("u", &[("username", "cloud"), ("password", "a")]).revision());
        assert_ne!(first.revision(), sealed("u", &[("username", "cloud"), ("password", "b")]).revision());
        assert_ne!(first.revision(), sealed("v", &[("username", "cloud"), ("password", "a")]).revision(), "guessable");
        assert_eq!(first.revision().len(), DIGITS);
        assert!(!format!("{first:?}").contains("cloud"));
    }

    #[test]
    fn keys_and_values_do_not_run_together() {
        assert_ne!(sealed("u", &[("a", "bc")]).digest, sealed("u", &[("ab", "c")]).digest);
        assert_ne!(sealed("u", &[("a", ""), ("b", "")]).digest, sealed("u", &[("a", "b")]).digest);
    }
}
