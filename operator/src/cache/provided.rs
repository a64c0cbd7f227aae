//! What the identity provider that is driven has of each Entity's people. No watch brings it: whoever leads asks it,
//! and puts it here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use crate::api::MemberStatus;
use crate::conditions::Problem;

/// What it has of one Entity's people, and what it is about to get.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// The subjects that belong to the Entity's organisation there, but those who are just accepting an invitation.
    pub members: BTreeSet<String>,
    /// The mail addresses, in lower case, with an invitation that can be accepted.
    pub invited: BTreeSet<String>,
    /// By service, the subjects that enter it.
    pub services: BTreeMap<String, BTreeSet<String>>,
    /// Whether something there is not as it is to be.
    pub waits: bool,
    /// By id, how far those are who have no account here yet.
    pub people: BTreeMap<String, MemberStatus>,
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
        // Of an Entity that was not known when it was looked at nobody knows what it has.
        let held = known.held.as_ref().and_then(|held| held.get(entity).cloned());
        Provided { held, problem: known.problem.clone() }
    }

    /// Takes in what was found, none: nobody has looked. Gives the Entities for which that is another than before; none:
    /// it is for all of them.
    pub fn put(
        &self,
        issuer: &str,
        held: Option<BTreeMap<String, Held>>,
        problem: Option<Problem>,
    ) -> Option<BTreeSet<String>> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *known);
        let is_other = before.problem != problem || before.issuer != issuer || before.held.is_some() != held.is_some();
        let mut was = before.held.unwrap_or_default();
        let mut changed = BTreeSet::new();
        let held = held.map(|held| {
            let mut shared = BTreeMap::new();
            for (entity, held) in held {
                let kept = was.remove(&entity).filter(|was| **was == held).unwrap_or_else(|| {
                    changed.insert(entity.clone());
                    Arc::new(held)
                });
                shared.insert(entity, kept);
            }
            shared
        });
        changed.extend(was.into_keys());
        *known = Known { issuer: issuer.to_owned(), held, problem };
        (!is_other).then_some(changed)
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
        assert_eq!(changed, None, "nobody knew anything before");
        assert!(providers.of(ISSUER, "hort").held.is_some_and(|held| held.has("anna")));
        assert_eq!(providers.of(ISSUER, "llum").held, None, "an Entity that was not known then");
        assert_eq!(providers.of("https://other.example.org", "hort"), Provided::default());
    }

    #[test]
    fn those_hear_of_it_for_whom_something_is_another() {
        let providers = Providers::default();
        let both = |llum: &str| [("hort".to_owned(), held("anna")), ("llum".to_owned(), held(llum))].into();
        providers.put(ISSUER, Some(both("bernd")), None);
        assert_eq!(providers.put(ISSUER, Some(both("bernd")), None), Some(BTreeSet::new()));
        assert_eq!(providers.put(ISSUER, Some(both("carla")), None), Some(["llum".to_owned()].into()));
        let without = Some([("llum".to_owned(), held("carla"))].into());
        assert_eq!(providers.put(ISSUER, without, None), Some(["hort".to_owned()].into()));
        let away = Some(Problem::new(Reason::IdentityProviderFailing, "it is away"));
        assert_eq!(providers.put(ISSUER, Some(both("carla")), away.clone()), None);
        assert_eq!(providers.put(ISSUER, None, away), None, "what was known is not known any more");
    }
}
