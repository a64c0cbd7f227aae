//! One request to Keycloak, bounded in time and size, with failures in words that do not vary.

use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, LOCATION, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::Door;
use crate::https::{Exchange, authorities, public_authorities, send};
use crate::identity::ProviderError;
use crate::redact::by_form;

/// How long a request may take, to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for one that sends a mail before it answers.
const PATIENCE_FOR_MAIL: Duration = Duration::from_secs(40);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 8 << 20;
/// The longest explanation of a refusal that is passed on.
const LONGEST_WORDS: usize = 200;
/// How the operator calls itself.
const AGENT: &str = concat!("commonscloud-operator/", env!("CARGO_PKG_VERSION"));

/// What is asked. It is never printed whole: a query or a body can hold a secret or a mail address.
pub(super) struct Ask {
    method: Method,
    path: String,
    query: String,
    body: Body,
    patience: Duration,
}

enum Body {
    None,
    Json(String),
    Form(String),
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The last part of the address of what was made.
    pub(super) made: Option<String>,
    body: Bytes,
}

impl Ask {
    /// A path of parts, each of them any text.
    pub(super) fn of(method: Method, parts: &[&str]) -> Self {
        let path = parts.iter().map(|part| format!("/{}", encoded(part))).collect();
        Self { method, path, query: String::new(), body: Body::None, patience: PATIENCE }
    }

    pub(super) fn get(parts: &[&str]) -> Self {
        Self::of(Method::GET, parts)
    }

    pub(super) fn post(parts: &[&str]) -> Self {
        Self::of(Method::POST, parts)
    }

    pub(super) fn put(parts: &[&str]) -> Self {
        Self::of(Method::PUT, parts)
    }

    pub(super) fn delete(parts: &[&str]) -> Self {
        Self::of(Method::DELETE, parts)
    }

    pub(super) fn query(mut self, name: &str, value: &str) -> Self {
        let before = if self.query.is_empty() { '?' } else { '&' };
        self.query.push_str(&format!("{before}{name}={}", encoded(value)));
        self
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = Body::Json(body.to_string());
        self
    }

    pub(super) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let fields: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value))).collect();
        self.body = Body::Form(fields.join("&"));
        self
    }

    /// It sends a mail before it answers.
    pub(super) fn mails(mut self) -> Self {
        self.patience = PATIENCE_FOR_MAIL;
        self
    }

    /// What is told of it: the method and the path, with dots in the place of ids.
    pub(super) fn told(&self) -> String {
        let path: Vec<&str> = self.path.split('/').map(|part| if is_id(part) { "..." } else { part }).collect();
        format!("{} {}", self.method, path.join("/"))
    }

    /// The error of it.
    pub(super) fn failed(&self, problem: impl Into<String>) -> ProviderError {
        ProviderError::new(self.told(), problem)
    }

    /// Asks once. `authorization` goes with it.
    pub(super) async fn send(
        &self,
        door: &Door,
        port: u16,
        authorization: Option<&str>,
    ) -> Result<Answer, ProviderError> {
        let slow = || self.failed(format!("no answer within {} seconds", self.patience.as_secs()));
        let answer = timeout(self.patience, self.exchange(door, port, authorization)).await.map_err(|_| slow())?;
        answer.map_err(|problem| self.failed(problem))
    }

    async fn exchange(&self, door: &Door, port: u16, authorization: Option<&str>) -> Result<Answer, String> {
        let address =
            door.address.resolve(port).await.ok_or_else(|| format!("{} leads to no address", door.address))?;
        let roots = match &door.ca_bundle {
            Some(pem) => authorities(pem).map_err(|error| error.to_string())?,
            None => public_authorities(),
        };
        let name = ServerName::try_from(door.host.to_string()).map_err(|_| "this is no name of a server".to_owned())?;
        let request = self.request(door, authorization)?;
        let exchange = send(address, name, roots, request).await.map_err(|error| error.to_string())?;
        Answer::read(exchange).await
    }

    fn request(&self, door: &Door, authorization: Option<&str>) -> Result<Request<Full<Bytes>>, String> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(format!("{}{}", self.path, self.query))
            .header(HOST, door.host.as_str())
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json")
            .header(CONNECTION, "close");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let (kind, body) = match &self.body {
            Body::None => (None, String::new()),
            Body::Json(text) => (Some("application/json"), text.clone()),
            Body::Form(text) => (Some("application/x-www-form-urlencoded"), text.clone()),
        };
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        request.body(Full::from(body)).map_err(|_| "this is no request".to_owned())
    }
}

impl Answer {
    async fn read(mut exchange: Exchange) -> Result<Self, String> {
        let status = exchange.response.status();
        let location = exchange.response.headers().get(LOCATION).and_then(|location| location.to_str().ok());
        let made = location.and_then(|location| location.rsplit('/').next()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(frame) = exchange.response.body_mut().frame().await {
            let Ok(piece) = frame.map_err(|_| "the answer broke off".to_owned())?.into_data() else { continue };
            body.extend_from_slice(&piece);
            if body.len() > LONGEST {
                return Err(format!("the answer is longer than {} MiB", LONGEST >> 20));
            }
        }
        Ok(Self { status, made, body: body.into() })
    }

    /// The body of a success.
    pub(super) fn json<T: DeserializeOwned>(&self, of: &Ask) -> Result<T, ProviderError> {
        // The parser's own words can quote what it read.
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            of.failed(format!("the answer is not what Keycloak 26 says (line {line}, column {column})"))
        })
    }

    /// Why it was refused, in words.
    pub(super) fn refusal(&self, of: &Ask) -> ProviderError {
        let mut words = format!("answered {}", self.status);
        if let Some(said) = self.said() {
            words.push_str(&format!(": {said}"));
        }
        let helps = match self.status {
            StatusCode::UNAUTHORIZED => {
                "; the Secret that the operator signs in with is another than the provider's client has"
            }
            StatusCode::FORBIDDEN => "; the operator's client lacks a role of realm-management there",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => {
                "; it is not ready, or overloaded"
            }
            _ => "",
        };
        of.failed(words + helps)
    }

    /// What Keycloak says of it, unless a person or a secret can be in it.
    pub(super) fn said(&self) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let keys = ["errorMessage", "error_description", "error"];
        let text = keys.iter().find_map(|key| body.get(key)?.as_str())?;
        let is_fit = !text.contains('@') && text.len() <= LONGEST_WORDS && !text.contains(char::is_control);
        is_fit.then(|| by_form(text).into_owned())
    }
}

/// A text as part of a path, of a query or of a form.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// Whether a part of a path is an id, as Keycloak makes them.
fn is_id(part: &str) -> bool {
    part.len() == 36 && part.split('-').count() == 5 && part.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_has_no_ids_and_no_query() {
        let ask =
            Ask::get(&["admin", "realms", "commons", "users", "6f7b2c1e-0000-4000-8000-000000000000", "sessions"])
                .query("email", "anna@example.org");
        assert_eq!(ask.told(), "GET /admin/realms/commons/users/.../sessions");
    }

    #[test]
    fn texts_of_people_do_not_leave_their_place() {
        let ask = Ask::post(&["a", "../x?y#z"]).query("q", "a&b=c d+é").form(&[("mail", "anna+x@example.org")]);
        assert_eq!(ask.path, "/a/..%2Fx%3Fy%23z");
        assert_eq!(ask.query, "?q=a%26b%3Dc%20d%2B%C3%A9");
        assert!(matches!(&ask.body, Body::Form(form) if form == "mail=anna%2Bx%40example.org"));
    }

    #[test]
    fn a_refusal_says_what_helps_and_quotes_nobody() {
        let ask = Ask::get(&["admin", "realms", "commons"]);
        let answer = |status: u16, body: &str| Answer {
            status: StatusCode::from_u16(status).unwrap(),
            made: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        let words = answer(403, r#"{"error":"HTTP 403 Forbidden"}"#).refusal(&ask).to_string();
        assert!(
            words.starts_with("GET /admin/realms/commons: answered 403 Forbidden: HTTP 403 Forbidden; "),
            "{words}"
        );
        assert_eq!(answer(409, r#"{"errorMessage":"anna@example.org is there"}"#).said(), None);
        assert_eq!(answer(500, "<html>").said(), None);
    }
}
