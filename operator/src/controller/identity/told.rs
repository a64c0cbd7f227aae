//! What the Platform says of the identity provider, and who has it looked at.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::realm::summary;
use crate::api::{Condition, ConditionType, PlatformIdentity, Reason};
use crate::gather::ObservedIdentity;
use crate::identity::{RealmWanted, Seen, problems};
use crate::report::{ConditionUpdate, Problem};

/// How long it is waited for more of the same once somebody has said that something may be news.
const SETTLING: Duration = Duration::from_millis(250);

/// What is told of the identity provider, and who has it looked at.
#[derive(Default)]
pub struct IdentityTold {
    told: Mutex<Option<Told>>,
    poked: Notify,
    is_news: AtomicBool,
    versions: Mutex<BTreeMap<String, u64>>,
}

/// What is told of a provider that is driven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It has all that it is to have: how much that is.
    InStep(String),
    /// It has not.
    Problem(Problem),
}

impl Told {
    /// What is to be told once nothing is left to do.
    pub(super) fn of(observed: &ObservedIdentity, wanted: &RealmWanted, seen: &Seen) -> Self {
        if let Some(first) = observed.unreadable.first() {
            let more = match observed.unreadable.len() {
                1 => String::new(),
                many => format!(", and {} more", many - 1),
            };
            let message = format!("{first}{more}; what it is about stays at the identity provider as it is");
            return Self::Problem(Problem::new(Reason::Undecodable, message));
        }
        let all = problems(wanted, seen);
        // What is about one person is told where they stand.
        let words: Vec<String> = all
            .iter()
            .filter(|problem| problem.id.is_none())
            .map(|problem| match &problem.service {
                Some(service) => format!("{}/{service} {problem}", problem.entity),
                None => format!("{}: {problem}", problem.entity),
            })
            .collect();
        if words.is_empty() {
            return Self::InStep(summary(wanted));
        }
        Self::Problem(Problem::new(Reason::IdentityIncomplete, words.join("; ")))
    }
}

impl IdentityTold {
    /// Says that something may be news for the provider.
    pub fn poke(&self) {
        self.is_news.store(true, Ordering::SeqCst);
        self.poked.notify_one();
    }

    /// Says what was looked at under a name: another version of it than the last time may be news.
    pub fn looked_at(&self, name: &str, version: impl Hash) {
        let mut hasher = DefaultHasher::new();
        version.hash(&mut hasher);
        let version = hasher.finish();
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        if versions.insert(name.to_owned(), version) != Some(version) {
            self.poke();
        }
    }

    /// Whether somebody said so since this was asked last.
    pub(super) fn take_news(&self) -> bool {
        self.is_news.swap(false, Ordering::SeqCst)
    }

    /// Waits for that, `least` at least and `most` at most.
    pub(super) async fn news(&self, least: Duration, most: Duration) {
        tokio::time::sleep(least).await;
        tokio::select! {
            () = self.poked.notified() => tokio::time::sleep(SETTLING).await,
            () = tokio::time::sleep(most.saturating_sub(least)) => {}
        }
    }

    /// Takes in what is told, none: no provider is driven. Whether that is another than before.
    pub(super) fn tell(&self, told: Option<Told>) -> bool {
        let mut before = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_other = *before != told;
        *before = told;
        is_other
    }
}

/// What the Platform says of it; what it said before, until somebody has looked.
pub(in super::super) fn condition(
    told: &IdentityTold,
    identity: Option<&PlatformIdentity>,
    before: &[Condition],
) -> Option<ConditionUpdate> {
    let kind = ConditionType::IdentityReady;
    identity.filter(|identity| identity.keycloak.is_some())?;
    let told = told.told.lock().unwrap_or_else(PoisonError::into_inner);
    match told.as_ref() {
        Some(Told::InStep(message)) => Some(ConditionUpdate::new(kind, true, Reason::Ready, message.clone())),
        Some(Told::Problem(problem)) => Some(ConditionUpdate::problem(kind, false, problem)),
        None => {
            let said = before.iter().find(|condition| condition.type_ == kind.as_str())?;
            let problem = Problem::quoted(&said.reason, said.message.clone());
            Some(ConditionUpdate::problem(kind, said.status == "True", &problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::report::conditions;

    fn identity(driven: bool) -> PlatformIdentity {
        let mut identity = json!({"issuer": "https://id.example.org/realms/commons"});
        if driven {
            identity["keycloak"] = json!({"entity": "cloud", "service": "identity"});
        }
        serde_json::from_value(identity).unwrap()
    }

    fn shown(told: &IdentityTold, driven: bool, before: &[Condition]) -> Vec<Condition> {
        let shown = condition(told, Some(&identity(driven)), before).into_iter().collect();
        conditions(before, shown, 1, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_start_changes_nothing_of_what_was_told_before_somebody_has_looked() {
        let told = IdentityTold::default();
        assert_eq!(shown(&told, true, &[]), []);
        assert!(told.tell(Some(Told::Problem(Problem::new(Reason::IdentityProviderFailing, "it is away")))));
        let failing = shown(&told, true, &[]);
        let words = (failing[0].status.as_str(), failing[0].reason.as_str());
        assert_eq!(words, ("False", "IdentityProviderFailing"));
        assert_eq!(shown(&IdentityTold::default(), true, &failing), failing);
        assert_eq!(shown(&told, false, &failing), [], "nobody is driven any more");
        assert!(told.tell(Some(Told::InStep("all".to_owned()))) && !told.tell(Some(Told::InStep("all".to_owned()))));
        assert_eq!(shown(&told, true, &failing)[0].status, "True");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_says_that_something_is_news_is_heard_and_others_with_them() {
        let told = IdentityTold::default();
        let began = tokio::time::Instant::now();
        told.news(Duration::ZERO, Duration::from_secs(15)).await;
        assert_eq!((began.elapsed().as_secs(), told.take_news()), (15, false));
        told.poke();
        told.poke();
        let began = tokio::time::Instant::now();
        told.news(Duration::ZERO, Duration::from_secs(15)).await;
        assert!(began.elapsed() < Duration::from_secs(1) && told.take_news() && !told.take_news());
        told.looked_at("coop", Some(7));
        assert!(told.take_news());
        told.looked_at("coop", Some(7));
        assert!(!told.take_news(), "a pass of which nobody hears anything new");
        told.poke();
        let began = tokio::time::Instant::now();
        told.news(Duration::from_secs(5), Duration::from_secs(15)).await;
        assert_eq!(began.elapsed().as_secs(), 5, "nobody hurries a provider that fails");
    }
}
