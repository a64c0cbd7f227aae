//! What the care of repositories found. No watch brings it: whoever leads looks at the Jobs, and puts it here.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use k8s_openapi::jiff::Timestamp;

use crate::conditions::Problem;

/// How the repositories of one service are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RepositoryState {
    /// What is damaged in one of them.
    pub damaged: Option<Problem>,
    /// Why one of them is not pruned or checked.
    pub neglected: Option<Problem>,
    /// When the last part was read that was, of the one for which that is longest ago.
    pub checked: Option<Timestamp>,
    /// When the last prune ended, of the one for which that is longest ago.
    pub pruned: Option<Timestamp>,
}

impl RepositoryState {
    /// Of two repositories of one service.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let older =
            |one: Option<Timestamp>, other: Option<Timestamp>| one.zip(other).map(|(one, other)| one.min(other));
        Self {
            damaged: self.damaged.or(other.damaged),
            neglected: self.neglected.or(other.neglected),
            checked: older(self.checked, other.checked),
            pruned: older(self.pruned, other.pruned),
        }
    }
}

/// By Entity and service.
pub type RepositoryStates = BTreeMap<(String, String), RepositoryState>;

/// What somebody found who looked.
#[derive(Clone, Debug)]
struct Found {
    states: Arc<RepositoryStates>,
    has_all_own: bool,
}

/// How all repositories are; nothing until somebody has looked. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Repositories {
    found: Arc<RwLock<Option<Found>>>,
    records: Arc<RwLock<BTreeMap<String, Option<String>>>>,
}

impl Repositories {
    /// Of a service; of one without repositories the default. None: nobody has looked yet.
    pub fn of(&self, entity: &str, service: &str) -> Option<RepositoryState> {
        let states = self.all()?;
        Some(states.get(&(entity.to_owned(), service.to_owned())).cloned().unwrap_or_default())
    }

    /// Of all in a namespace together. None: nobody has looked yet.
    pub fn all_in(&self, namespace: &str) -> Option<RepositoryState> {
        let states = self.all()?;
        let own = states.iter().filter(|((entity, _), _)| entity == namespace);
        Some(own.map(|(_, state)| state.clone()).reduce(RepositoryState::and).unwrap_or_default())
    }

    /// Of all services. None: nobody has looked yet.
    pub fn all(&self) -> Option<Arc<RepositoryStates>> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(|found| Arc::clone(&found.states))
    }

    /// Whether all of the platform's own are among them that there are.
    pub fn has_all_own(&self) -> bool {
        self.found.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|found| found.has_all_own)
    }

    /// Takes in what was found. `has_all_own`: it was known then which repositories are the platform's own.
    pub fn put(&self, states: RepositoryStates, has_all_own: bool) {
        let found = Found { states: Arc::new(states), has_all_own };
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// The targets at which somebody has looked for the platform's own records, with the id of their repository where
    /// there is one.
    pub fn of_records(&self) -> BTreeMap<String, Option<String>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in the same.
    pub fn put_records(&self, ids: BTreeMap<String, Option<String>>) {
        *self.records.write().unwrap_or_else(PoisonError::into_inner) = ids;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;

    #[test]
    fn of_two_repositories_the_worse_is_told() {
        let at = |second| Timestamp::from_second(second).ok();
        let well = RepositoryState { checked: at(200), pruned: at(100), ..RepositoryState::default() };
        let damaged = Some(Problem::new(Reason::RepositoryDamaged, "pack 1"));
        let bad = RepositoryState { damaged: damaged.clone(), checked: at(100), ..RepositoryState::default() };
        let both = RepositoryState { damaged, checked: at(100), ..RepositoryState::default() };
        assert_eq!((well.clone().and(bad.clone()), bad.and(well)), (both.clone(), both));
    }

    #[test]
    fn what_is_wrong_with_any_in_a_namespace_is_told() {
        let repositories = Repositories::default();
        assert_eq!(repositories.all_in("cloud"), None);
        let named = |service: &str| ("cloud".to_owned(), service.to_owned());
        let damaged = Problem::new(Reason::RepositoryDamaged, "pack 1");
        let neglected = Problem::new(Reason::TargetUnreachable, "it is away");
        let states = [
            (named("escrow"), RepositoryState { neglected: Some(neglected.clone()), ..RepositoryState::default() }),
            (named("platform"), RepositoryState { damaged: Some(damaged.clone()), ..RepositoryState::default() }),
        ];
        repositories.put(states.into(), true);
        let both = repositories.all_in("cloud").unwrap();
        assert_eq!((both.damaged, both.neglected), (Some(damaged), Some(neglected)));
        assert_eq!(repositories.all_in("hort"), Some(RepositoryState::default()));
    }

    #[test]
    fn nothing_is_known_until_somebody_has_looked() {
        let repositories = Repositories::default();
        assert_eq!(repositories.of("hort", "office"), None);
        repositories.put(RepositoryStates::new(), false);
        assert_eq!(repositories.clone().of("hort", "office"), Some(RepositoryState::default()));
        assert!(!repositories.has_all_own());
        repositories.put(RepositoryStates::new(), true);
        assert!(repositories.clone().has_all_own());
    }
}
