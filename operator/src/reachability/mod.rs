//! Whether a service answers through the ingress, asked as its users ask: by host name, with TLS.
//!
//! ```text
//! want ─► probes ─► schedule (when to probe again, what counts) ─► listener, answer
//!          └─► probe ─► https
//! ```
//!
//! A task beside the controller [asks](Reachability::run), at most sixteen services at a time;
//! the controller says what it [wants](Reachability::want) to know and reads the
//! [answer](Reachability::answer) without a request.

mod feed;
#[cfg(test)]
pub(crate) mod loopback;
mod probe;
mod probes;
mod schedule;
mod target;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tokio::net::lookup_host;

use crate::core::Hostname;

pub use feed::Reachability;
pub use target::{place, target};

/// What is asked: `https://{url_host}{path}`, at the ingress's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The service's host name: asked for in the TLS handshake and in the request.
    pub url_host: Hostname,
    /// The ingress; connected to at port 443, whatever DNS says of the host name.
    pub address: Place,
    /// The path, with a leading `/`, for example `/status.php`.
    pub path: String,
    /// The status codes of a service that works. Redirects are not followed: one is its status.
    pub statuses: Vec<u16>,
    /// PEM certificates of the authority to trust. None: the public authorities.
    pub ca_bundle: Option<String>,
}

/// Where an ingress is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// At this address.
    Address(IpAddr),
    /// Where this name leads to when it is asked, as of a provider's load balancer.
    Name(String),
}

impl Place {
    /// Where to connect to.
    pub(crate) async fn resolve(&self, port: u16) -> Option<SocketAddr> {
        match self {
            Self::Address(address) => Some(SocketAddr::new(*address, port)),
            Self::Name(name) => lookup_host((name.as_str(), port)).await.ok()?.next(),
        }
    }
}

impl From<&str> for Place {
    fn from(text: &str) -> Self {
        text.parse().map_or_else(|_| Self::Name(text.to_owned()), Self::Address)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// What is known of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// It was not asked yet.
    #[default]
    Unknown,
    /// It answers.
    Reachable,
    /// It does not answer, or with something else.
    Unreachable {
        /// One sentence: what was asked, what came back.
        reason: String,
    },
}
