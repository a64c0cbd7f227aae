use std::sync::Mutex;

use super::*;
use crate::identity::{Changes, Made};

#[test]
fn at_rest_it_is_one_question_each_quarter_of_a_minute_and_ever_fewer_where_it_fails() {
    assert_eq!(pause(0), (Duration::ZERO, POLL));
    assert_eq!(pause(1), (LEAST, POLL));
    assert_eq!(pause(2), (LEAST, Duration::from_secs(30)));
    assert_eq!(pause(u32::MAX), (LEAST, MOST));
}

/// A provider that says what it was asked, and is away for a while.
#[derive(Default)]
struct Fake {
    asked: Mutex<Vec<&'static str>>,
    is_away: Mutex<bool>,
}

impl Fake {
    fn answer<T>(&self, word: &'static str, answer: T) -> Result<T, ProviderError> {
        self.asked.lock().unwrap().push(word);
        if *self.is_away.lock().unwrap() { Err(ProviderError::new("GET /x", "no answer")) } else { Ok(answer) }
    }
}

impl Provider for Fake {
    async fn look(&self) -> Result<(Seen, Cursor), ProviderError> {
        self.answer("look", (Seen::default(), Cursor::default()))
    }

    async fn carry_out(&self, _: &Step, _: &Seen) -> Result<Made, ProviderError> {
        self.answer("step", Made::Done)
    }

    async fn changes(&self, _: &Cursor) -> Result<Changes, ProviderError> {
        self.answer("changes", Changes::default())
    }

    async fn look_again(&self, seen: &Seen, _: &Changes) -> Result<Seen, ProviderError> {
        self.answer("again", seen.clone())
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_a_provider_that_was_away_is_looked_at_since_it_may_be_restored() {
    let (fake, mut state) = (Fake::default(), State::default());
    assert!(look(&fake, &mut state).await.unwrap());
    assert!(!look(&fake, &mut state).await.unwrap(), "nobody changed anything");
    *fake.is_away.lock().unwrap() = true;
    assert!(look(&fake, &mut state).await.is_err());
    assert!(state.seen.is_some(), "what it had may be there still");
    *fake.is_away.lock().unwrap() = false;
    assert!(look(&fake, &mut state).await.unwrap());
    assert_eq!(*fake.asked.lock().unwrap(), ["look", "changes", "changes", "look"]);
    tokio::time::advance(LOOK).await;
    assert!(look(&fake, &mut state).await.unwrap(), "so often whatever it says");
}

#[test]
fn what_is_known_of_one_realm_is_not_known_of_another() {
    let identity = |issuer: &str| -> PlatformIdentity {
        let keycloak = serde_json::json!({"entity": "cloud", "service": "identity"});
        serde_json::from_value(serde_json::json!({"issuer": issuer, "keycloak": keycloak})).unwrap()
    };
    let place = ProviderPlace {
        host: "id.example.org".parse().unwrap(),
        address: "127.0.0.1".into(),
        ca_bundle: None,
        realm: "commons".to_owned(),
        secret: Arc::default(),
    };
    assert!(is_at(&place, &identity("https://id.example.org/realms/commons")));
    assert!(!is_at(&place, &identity("https://id.example.org/realms/other")));
    assert!(!is_at(&place, &identity("https://other.example.org/realms/commons")));
}
