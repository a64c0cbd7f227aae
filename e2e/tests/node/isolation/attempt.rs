//! Attempts to reach addresses from a pod, with what its own image has and nothing else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commonscloud_e2e::{Failure, Outcome};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::tier::Node;

/// Run by the pod's own PHP.
const SCRIPT: &str = include_str!("attempts.php");
/// `ETIMEDOUT`: nobody said a word.
const TIMED_OUT: i64 = 110;

/// One attempt.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Name or address of whom is tried; TLS is begun with it too.
    pub host: String,
    port: u16,
    /// `tcp` or `tls`, as PHP calls them.
    transport: &'static str,
    /// What is sent.
    ask: Vec<u8>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// No answer to the first packet: what a closed network looks like.
    Silence,
    /// Somebody answered.
    Answer {
        /// Whether the awaited text is in it.
        holds: bool,
        /// Its begin.
        text: String,
    },
    /// Anything else: a name that is not known, a connection refused by whoever was reached.
    Other(String),
}

/// A line that the script prints.
#[derive(Deserialize)]
struct Line {
    number: usize,
    #[serde(default)]
    error: Option<i64>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    holds: bool,
    #[serde(default)]
    answer: String,
}

impl Attempt {
    /// Something sent to a port, without TLS.
    pub fn tcp(host: &str, port: u16, ask: &[u8]) -> Self {
        Self { host: host.to_owned(), port, transport: "tcp", ask: ask.to_vec() }
    }

    /// A page asked for over HTTP, under the host name `page`.
    pub fn http(host: &str, port: u16, page: &str, path: &str) -> Self {
        Self::tcp(host, port, &request(page, path))
    }

    /// A page asked for over HTTPS, under the host name `page`; whoever answers is taken at their word.
    pub fn https(host: &str, port: u16, page: &str, path: &str) -> Self {
        Self { transport: "tls", ..Self::http(host, port, page, path) }
    }
}

/// HTTP/1.0: the connection ends with the answer.
fn request(page: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.0\r\nHost: {page}\r\n\r\n").into_bytes()
}

/// Makes all attempts at once from a container with PHP, each with the text that its answer is read
/// up to, and gives what was seen in the same order. Two seconds of silence are a refusal.
///
/// # Errors
/// When the pod cannot run the attempts.
pub async fn attempts(
    node: &Node,
    entity: &str,
    pod: &str,
    container: &str,
    all: &[(&Attempt, &str)],
) -> Outcome<Vec<Seen>> {
    let asked: Vec<Value> = all.iter().map(|(attempt, until)| argument(attempt, until)).collect();
    let asked = Value::from(asked).to_string();
    let words = ["php", "-r", SCRIPT.trim_start_matches("<?php"), "--", &asked];
    let said = node.cluster.kubectl.exec(entity, pod, container, &words).await?.succeeded("the attempts")?;
    let mut seen: Vec<Option<Seen>> = vec![None; all.len()];
    for line in said.lines() {
        let line: Line = serde_json::from_str(line).map_err(|error| Failure::new(format!("{error}: {line}")))?;
        let number = line.number;
        let slot = seen.get_mut(number).ok_or_else(|| Failure::new(format!("no attempt has number {number}")))?;
        *slot = Some(line.seen());
    }
    let missing = || Failure::new(format!("an attempt said nothing: {said}"));
    seen.into_iter().collect::<Option<Vec<_>>>().ok_or_else(missing)
}

fn argument(attempt: &Attempt, until: &str) -> Value {
    let Attempt { host, port, transport, ask } = attempt;
    json!({
        "address": format!("{transport}://{host}:{port}"),
        "name": host,
        "ask": STANDARD.encode(ask),
        "until": until,
    })
}

impl Line {
    fn seen(self) -> Seen {
        match self.error {
            Some(TIMED_OUT) => Seen::Silence,
            Some(error) => Seen::Other(format!("error {error}: {}", self.reason)),
            None => Seen::Answer { holds: self.holds, text: self.answer },
        }
    }
}
