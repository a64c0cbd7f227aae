//! What is to be written, decided but not done.

use std::fmt;

use serde_json::Value;

use super::difference::Difference;

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The kind of the object.
    pub kind: String,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What is done to it.
    pub action: Action,
}

/// A Secret that is copied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What is done to an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Made if it does not exist, else left as it is: holds data.
    Create(Value),
    /// Made with random values if it does not exist, else left as it is.
    Generate {
        /// The Secret without its data.
        secret: Value,
        /// What to generate.
        keys: Vec<crate::api::SecretKey>,
    },
    /// A copy of another Secret: made if it does not exist, else written over the version that was seen.
    Copy {
        /// The Secret that is copied; none: the one of that name in the operator's own namespace.
        from: Option<Origin>,
        /// The Secret without its data; with uid and resourceVersion where one was seen.
        secret: Value,
        /// What differs; empty: it does not exist.
        because: Vec<Difference>,
    },
    /// Server-side apply.
    Apply {
        /// The whole object.
        object: Value,
        /// What differs; empty: it does not exist.
        because: Vec<Difference>,
    },
    /// A merge patch with uid and resourceVersion in it.
    Merge {
        /// The patch.
        patch: Value,
        /// Why, for people.
        because: String,
    },
    /// A JSON patch that removes what somebody added, tested against the resourceVersion.
    Remove {
        /// The operations.
        patch: Value,
        /// What is removed.
        because: Vec<Difference>,
    },
    /// Deleted, if it is still the object with this uid.
    Delete {
        /// The uid.
        uid: String,
    },
    /// Deleted, if it is still as it was seen: holds data that nobody needs any more.
    Discard {
        /// The uid.
        uid: String,
        /// The version that was seen.
        resource_version: String,
    },
}

impl Change {
    /// Whether it changes a claim that is there: what it requests, or what is said of it.
    pub fn is_of_claim(&self) -> bool {
        self.kind == crate::kinds::VOLUME.kind && matches!(self.action, Action::Merge { .. })
    }

    /// Whether it brings the record of the data up to date.
    pub fn records(&self) -> bool {
        self.kind == crate::kinds::SERVICE_DATA.kind && matches!(self.action, Action::Merge { .. })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let object = format!("{}/{}", self.kind, self.name);
        match &self.action {
            Action::Create(_) | Action::Generate { .. } => write!(f, "create {object}"),
            Action::Copy { because, .. } if because.is_empty() => write!(f, "copy {object}"),
            Action::Copy { because, .. } => write!(f, "copy {object}: {}", join(because)),
            Action::Apply { because, .. } if because.is_empty() => write!(f, "create {object}"),
            Action::Apply { because, .. } => write!(f, "apply {object}: {}", join(because)),
            Action::Merge { because, .. } => write!(f, "patch {object}: {because}"),
            Action::Remove { because, .. } => write!(f, "remove from {object}: {}", join(because)),
            Action::Delete { .. } | Action::Discard { .. } => write!(f, "delete {object}"),
        }
    }
}

fn join(because: &[Difference]) -> String {
    because.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
