//! What the identity provider that is driven has of each Entity's people. No watch brings it: whoever leads asks it,
//! and puts it here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::conditions::Problem;

/// What it has of one Entity's people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The subjects that belong to the Entity's organisation there.
    pub members: BTreeSet<String>,
    /// The mail addresses, in lower case, with an invitation under way.
    pub invited: BTreeSet<String>,
    /// By service, the subjects that enter it or are just being let in.
    pub services: BTreeMap<String, BTreeSet<String>>,
    /// Whether something there is not as it is to be.
    pub waits: bool,
    /// By id, why the account of somebody who accepted is not bound.
    pub unbound: BTreeMap<String, String>,
}

impl Held {
    /// Whether a subject is anywhere in it.
    pub fn has(&self, subject: &str) -> bool {
        self.members.contains(subject) || self.services.values().any(|subjects| subjects.contains(subject))
    }
}

/// What is known of the provider for one Entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provided {
    /// What it has; none: nobody has looked yet.
    pub held: Option<Arc<Held>>,
    /// Why nothing is brought there just now.
    pub problem: Option<Problem>,
}

#[derive(Debug, Default)]
struct Known {
    issuer: String,
    held: Option<BTreeMap<String, Arc<Held>>>,
    problem: Option<Problem>,
}

/// What is known of the provider, by Entity. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    known: Arc<RwLock<Known>>,
}

impl Providers {
    /// What is known of this issuer for an Entity.
    pub fn of(&self, issuer: &str, entity: &str) -> Provided {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.issuer != issuer {
            return Provided::default();
        }
        let held = known.held.as_ref().map(|held| held.get(entity).cloned().unwrap_or_default());
        Provided { held, problem: known.problem.clone() }
    }

    /// Takes in what was found, none: nobody has looked. Gives the Entities for which that is another than before.
    pub fn put(
        &self,
        issuer: &str,
        held: Option<BTreeMap<String, Held>>,
        problem: Option<Problem>,
    ) -> BTreeSet<String> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *known);
        let mut after = BTreeMap::new();
        let mut changed = BTreeSet::new();
        let was = |entity: &String| before.held.as_ref().and_then(|held| held.get(entity));
        for (entity, held) in held.iter().flatten() {
            match was(entity).filter(|was| ***was == *held) {
                Some(same) => drop(after.insert(entity.clone(), Arc::clone(same))),
                None => {
                    after.insert(entity.clone(), Arc::new(held.clone()));
                    changed.insert(entity.clone());
                }
            }
        }
        let is_other = before.problem != problem || before.issuer != issuer || before.held.is_some() != held.is_some();
        let gone = before.held.iter().flat_map(BTreeMap::keys).filter(|entity| !after.contains_key(*entity));
        changed.extend(gone.cloned());
        if is_other {
            changed.extend(after.keys().cloned());
        }
        *known = Known { issuer: issuer.to_owned(), held: held.is_some().then_some(after), problem };
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Reason;

    const ISSUER: &str = "https://id.example.org/realms/commons";

    fn held(subject: &str) -> Held {
        Held { members: [subject.to_owned()].into(), ..Held::default() }
    }

    #[test]
    fn nothing_is_known_until_somebody_has_looked_and_nothing_of_another_issuer() {
        let providers = Providers::default();
        assert_eq!(providers.of(ISSUER, "hort"), Provided::default());
        let changed = providers.put(ISSUER, Some([("hort".to_owned(), held("anna"))].into()), None);
        assert_eq!(changed, ["hort".to_owned()].into());
        assert!(providers.of(ISSUER, "hort").held.is_some_and(|held| held.has("anna")));
        assert_eq!(providers.of(ISSUER, "llum").held, Some(Arc::default()), "it has nobody of it");
        assert_eq!(providers.of("https://other.example.org", "hort"), Provided::default());
    }

    #[test]
    fn those_hear_of_it_for_whom_something_is_another() {
        let providers = Providers::default();
        let both = |llum: &str| [("hort".to_owned(), held("anna")), ("llum".to_owned(), held(llum))].into();
        providers.put(ISSUER, Some(both("bernd")), None);
        assert_eq!(providers.put(ISSUER, Some(both("bernd")), None), BTreeSet::new());
        assert_eq!(providers.put(ISSUER, Some(both("carla")), None), ["llum".to_owned()].into());
        let away = Some(Problem::new(Reason::IdentityProviderFailing, "it is away"));
        assert_eq!(providers.put(ISSUER, Some(both("carla")), away.clone()).len(), 2);
        assert_eq!(providers.put(ISSUER, None, away).len(), 2, "what was known is not known any more");
    }
}
