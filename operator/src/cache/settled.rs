//! Which plans were found applied as a whole: for those, nothing is rendered and compared again until
//! the plan or one of the objects is another.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::key::Key;

/// A digest of a plan and of the objects that it was found applied in.
pub type State = [u8; 32];

/// The Secrets that a plan's objects refer to, beside those that are generated for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Referred {
    /// Secrets of the operator's namespace.
    pub of_platform: BTreeSet<String>,
    /// Secrets of the instance's namespace that parameters name.
    pub by_parameters: BTreeSet<String>,
}

/// What is known of a plan that is applied.
#[derive(Clone, Debug, PartialEq)]
struct Applied {
    state: State,
    referred: Arc<Referred>,
}

/// The plans that were found applied, by instance. Cloning shares it.
#[derive(Clone, Default)]
pub struct Settled {
    plans: Arc<Mutex<HashMap<Key, Applied>>>,
}

impl Settled {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Applied>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Secrets that an instance refers to whose plan is applied in this very state.
    pub fn referred(&self, key: &Key, state: &State) -> Option<Arc<Referred>> {
        self.lock().get(key).filter(|applied| applied.state == *state).map(|applied| Arc::clone(&applied.referred))
    }

    /// An instance's plan is applied.
    pub fn put(&self, key: Key, state: State, referred: Arc<Referred>) {
        self.lock().insert(key, Applied { state, referred });
    }

    /// An instance is gone.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }
}
