//! One HTTP request over a plain connection.

use std::io::{Read, Write};
use std::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// A request to be sent to 127.0.0.1.
pub(crate) struct Request<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) host: &'a str,
    /// `user:password`
    pub(crate) login: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

impl Request<'_> {
    /// Nothing when the server does not answer.
    pub(crate) fn send(&self, port: u16) -> Option<Answer> {
        self.send_with(port, "")
    }

    /// The same with more headers, each ending in `\r\n`.
    pub(crate) fn send_with(&self, port: u16, headers: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        let login =
            self.login.map_or(String::new(), |login| format!("Authorization: Basic {}\r\n", base64(login.as_bytes())));
        let head = format!(
            "{} {} HTTP/1.0\r\nHost: {}\r\n{login}{headers}Content-Length: {}\r\n\r\n",
            self.method,
            self.path,
            self.host,
            self.body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(self.body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, body: answer.split_off(end + 4) })
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = bytes.chunks(3).flat_map(|chunk| {
        let group = chunk.iter().chain([0, 0].iter()).take(3).fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let used = chunk.len() + 1;
        (0..4).map(move |place| if place < used { DIGITS[group >> (18 - 6 * place) & 63] as char } else { '=' })
    });
    digits.collect()
}
