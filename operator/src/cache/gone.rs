//! The objects that left last, so that a late answer does not bring them back.

use std::collections::{HashMap, VecDeque};

use super::kept::Origin;
use super::store::Identity;

/// How many deleted objects are remembered.
const REMEMBERED: usize = 4096;

/// The objects that left last, by uid, with the version at which they did; none for what a list
/// had no more. A watch by label says of an object that lost the label that it was deleted: with a
/// later version it is back.
#[derive(Default)]
pub(super) struct Gone {
    versions: HashMap<String, Option<u64>>,
    order: VecDeque<String>,
}

impl Gone {
    pub(super) fn covers(&self, identity: &Identity, origin: Origin) -> bool {
        match (self.versions.get(&identity.uid), origin) {
            (None, _) | (Some(_), Origin::List) => false,
            (Some(Some(version)), _) => identity.version <= *version,
            (Some(None), origin) => origin == Origin::Answer,
        }
    }

    pub(super) fn remember(&mut self, uid: &str, version: Option<u64>) {
        if self.versions.insert(uid.to_owned(), version).is_none() {
            self.order.push_back(uid.to_owned());
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.versions.remove(&oldest);
        }
    }

    pub(super) fn forget(&mut self, uid: &str) {
        if self.versions.remove(uid).is_some() {
            self.order.retain(|known| known != uid);
        }
    }
}
