//! Host names.

use std::fmt;
use std::str::FromStr;

/// A DNS host name in lower case, with at least one dot (RFC 1123), at most 253 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hostname(String);

/// Why a text is not a host name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a host name; write labels of at most 63 of a-z, 0-9 and - joined by dots, at most 253 in all, for example office.example.org"
)]
pub struct HostnameError {
    text: String,
}

impl Hostname {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this name is `domain` or lies below it.
    pub fn lies_within(&self, domain: &Self) -> bool {
        self == domain || self.0.strip_suffix(domain.as_str()).is_some_and(|front| front.ends_with('.'))
    }
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let top = text.rsplit('.').next().unwrap_or_default();
        let top_is_alphabetic = top.len() >= 2 && top.bytes().all(|b| b.is_ascii_lowercase());
        if text.len() <= 253 && text.contains('.') && text.split('.').all(label) && top_is_alphabetic {
            Ok(Self(text.to_owned()))
        } else {
            Err(HostnameError { text: text.to_owned() })
        }
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(text: &str) -> Hostname {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_lies_within_its_domain_and_not_within_a_lookalike() {
        assert!(host("a.example.org").lies_within(&host("example.org")));
        assert!(host("example.org").lies_within(&host("example.org")));
        assert!(!host("badexample.org").lies_within(&host("example.org")));
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        let long = format!("{}.org", "a".repeat(64));
        for text in [
            "",
            "localhost",
            "A.example.org",
            "-a.org",
            "a-.org",
            "a..org",
            "a.org.",
            "*.a.org",
            "a_b.org",
            "a.org\n",
            &long,
            "10.0.0.1",
        ] {
            assert!(text.parse::<Hostname>().is_err(), "{text}");
        }
    }
}
