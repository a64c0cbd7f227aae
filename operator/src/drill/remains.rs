//! What is in the namespace of drills, and its end.

use std::sync::Arc;

use crate::api::marks;
use crate::cache::{Live, Sealed};
use crate::compare::{Action, Change};
use crate::kinds;

/// What is there of a drill, or of others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remains {
    /// What removes it.
    pub removals: Vec<Change>,
    /// What is there, on its way out or not, as `KIND NAME`.
    pub left: Vec<String>,
}

impl Remains {
    /// What these objects, Secrets and pods are.
    pub fn of<'a>(
        objects: impl IntoIterator<Item = &'a Arc<Live>>,
        secrets: impl IntoIterator<Item = &'a Arc<Sealed>>,
        pods: impl IntoIterator<Item = String>,
    ) -> Self {
        let mut remains = Self::default();
        for object in objects {
            let is_going = object.metadata.deletion_timestamp.is_some();
            remains.take(&object.kind, object.name(), object.metadata.uid.clone().filter(|_| !is_going));
        }
        for secret in secrets {
            remains.take(kinds::SECRET.kind, &secret.name, Some(secret.uid.clone()).filter(|_| !secret.deleting));
        }
        // They go with their workloads.
        remains.left.extend(pods.into_iter().map(|pod| format!("{} {pod}", kinds::POD.kind)));
        remains
    }

    fn take(&mut self, kind: &str, name: &str, uid: Option<String>) {
        self.left.push(format!("{kind} {name}"));
        self.removals.extend(uid.map(|uid| Change {
            kind: kind.to_owned(),
            namespace: marks::DRILLS.to_owned(),
            name: name.to_owned(),
            action: Action::Delete { uid },
        }));
    }

    /// Whether nothing is left.
    pub fn are_gone(&self) -> bool {
        self.left.is_empty()
    }

    /// What is left, for people: the first ones.
    pub fn shown(&self) -> String {
        const SHOWN: usize = 3;
        let first = self.left.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
        match self.left.len().saturating_sub(SHOWN) {
            0 => first,
            more => format!("{first} and {more} more"),
        }
    }
}
