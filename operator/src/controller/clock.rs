//! The clocks that must agree before a date counts as passed: the API server's, the operator's, and
//! the one that nobody sets.

use std::time::Instant;

use jiff::Timestamp;
use kube::Client;
use kube::client::Body;

use crate::core::lifecycle::Clocks;

/// When the operator started, by its own clock and by the one that nobody sets.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    own: Timestamp,
    steady: Instant,
}

impl Default for Start {
    fn default() -> Self {
        Self { own: Timestamp::now(), steady: Instant::now() }
    }
}

/// Reads all clocks; none where the API server does not say its time. This is a request: it is made
/// only where a date has passed by the operator's own clock.
pub(super) async fn read(start: Start, client: &Client, newest_seen: Option<Timestamp>) -> Option<Clocks> {
    let server = server_time(client).await?;
    let passed = start.steady.elapsed();
    Some(Clocks { server, own: Timestamp::now(), own_at_start: start.own, passed, newest_seen })
}

/// The `Date` of an answer of the API server.
async fn server_time(client: &Client) -> Option<Timestamp> {
    let request = hyper::Request::get("/version").body(Body::empty()).ok()?;
    let answer = client.send(request).await.ok()?;
    parse(answer.headers().get("date")?.to_str().ok()?)
}

fn parse(date: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(date).ok().map(|time| time.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read() {
        assert_eq!(parse("Sun, 29 Nov 2026 09:14:06 GMT"), "2026-11-29T09:14:06Z".parse().ok());
        assert_eq!(parse("yesterday"), None);
    }
}
