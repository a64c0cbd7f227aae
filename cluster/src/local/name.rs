//! What a cluster may be called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A cluster's name: lower-case letters, digits and hyphens, beginning with a letter, at most 30.
///
/// It becomes part of file names, a cgroup and a DNS name, so nothing else is let through.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClusterName(String);

/// A name that no cluster can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot name a cluster: use at most 30 of a-z, 0-9 and hyphens, beginning with a letter and not ending in a hyphen"
)]
pub struct InvalidName(String);

/// The name used when none is given; its services lie directly below `commonscloud.test`.
pub const DEFAULT_NAME: &str = "demo";

impl ClusterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain below which this cluster's services answer.
    pub fn base_domain(&self) -> String {
        if self.0 == DEFAULT_NAME { "commonscloud.test".to_owned() } else { format!("{}.commonscloud.test", self.0) }
    }
}

impl FromStr for ClusterName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fits = text.len() <= 30
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(allowed);
        if fits { Ok(Self(text.to_owned())) } else { Err(InvalidName(text.to_owned())) }
    }
}

impl TryFrom<String> for ClusterName {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> Self {
        name.0
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_their_folder_are_refused() {
        for text in ["", "..", "a/b", "A", "1a", "a-", "a b", &"a".repeat(31)] {
            assert!(text.parse::<ClusterName>().is_err(), "{text:?} was accepted");
        }
        assert!("a".repeat(30).parse::<ClusterName>().is_ok());
    }

    #[test]
    fn only_the_default_cluster_has_the_bare_domain() {
        let domain = |text: &str| text.parse::<ClusterName>().unwrap().base_domain();
        assert_eq!(domain("demo"), "commonscloud.test");
        assert_eq!(domain("dev"), "dev.commonscloud.test");
    }
}
