//! Requests with a token, which is renewed before it ends, and once where it is refused.

use std::time::Duration;

use hyper::StatusCode;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::Keycloak;
use super::request::{Answer, Ask};
use super::wire::TokenAnswer;
use crate::identity::ProviderError;

/// How long before its end a token is renewed.
const MARGIN: Duration = Duration::from_secs(20);
/// For how long a token is used, whatever it says.
const LONGEST: Duration = Duration::from_hours(1);
/// How many pages are read of anything.
const MOST_PAGES: usize = 400;

/// What requests are made with.
pub(super) struct Token {
    bearer: String,
    ends: Instant,
}

impl Keycloak {
    /// A path below the realm's part of the admin API.
    pub(super) fn at<'a>(&'a self, parts: &[&'a str]) -> Vec<&'a str> {
        ["admin", "realms", self.door.realm.as_str()].into_iter().chain(parts.iter().copied()).collect()
    }

    /// Asks with a token, whatever comes back.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Answer, ProviderError> {
        let answer = ask.send(&self.door, self.port, Some(&self.bearer().await?)).await?;
        if answer.status != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        // Nothing was done. The realm's keys can be others by now.
        *self.token.lock().await = None;
        ask.send(&self.door, self.port, Some(&self.bearer().await?)).await
    }

    /// Asks, and takes success alone.
    pub(super) async fn done(&self, ask: &Ask) -> Result<Answer, ProviderError> {
        let answer = self.ask(ask).await?;
        if answer.status.is_success() { Ok(answer) } else { Err(answer.refusal(ask)) }
    }

    /// Asks for something that may be gone or there already: success, or one of these.
    pub(super) async fn done_or(&self, ask: &Ask, others: &[StatusCode]) -> Result<Answer, ProviderError> {
        let answer = self.ask(ask).await?;
        let is_fine = answer.status.is_success() || others.contains(&answer.status);
        if is_fine { Ok(answer) } else { Err(answer.refusal(ask)) }
    }

    /// The id of what a request made.
    pub(super) async fn made(&self, ask: &Ask) -> Result<String, ProviderError> {
        let made = self.done(ask).await?.made;
        made.ok_or_else(|| ask.failed("the answer does not say what was made"))
    }

    /// Reads something.
    pub(super) async fn read<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, ProviderError> {
        self.done(ask).await?.json(ask)
    }

    /// Reads something that may not be there.
    pub(super) async fn find<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Option<T>, ProviderError> {
        let answer = self.done_or(ask, &[StatusCode::NOT_FOUND]).await?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { answer.json(ask).map(Some) }
    }

    /// Reads a list to its end, so many at a time. `ask` makes the request for those from a number on.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        size: usize,
        ask: impl Fn() -> Ask + Send + Sync,
    ) -> Result<Vec<T>, ProviderError> {
        let mut all = Vec::new();
        for page in 0..MOST_PAGES {
            let first = (page * size).to_string();
            let ask = ask().query("first", &first).query("max", &size.to_string());
            let some: Vec<T> = self.read(&ask).await?;
            let is_last = some.len() < size;
            all.extend(some);
            if is_last {
                return Ok(all);
            }
        }
        Err(ask().failed(format!("there are more than {} of them", MOST_PAGES * size)))
    }

    async fn bearer(&self) -> Result<String, ProviderError> {
        let mut token = self.token.lock().await;
        let now = Instant::now();
        if let Some(token) = token.as_ref().filter(|token| token.ends > now + MARGIN) {
            return Ok(token.bearer.clone());
        }
        let realm = self.door.realm.as_str();
        let ask = Ask::post(&["realms", realm, "protocol", "openid-connect", "token"]).form(&[
            ("grant_type", "client_credentials"),
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.client_secret.expose()),
        ]);
        let answer = ask.send(&self.door, self.port, None).await?;
        if !answer.status.is_success() {
            return Err(answer.refusal(&ask));
        }
        let answer: TokenAnswer = answer.json(&ask)?;
        let bearer = format!("Bearer {}", answer.access_token);
        let lasts = Duration::from_secs(answer.expires_in).min(LONGEST);
        *token = Some(Token { bearer: bearer.clone(), ends: now + lasts });
        Ok(bearer)
    }
}
