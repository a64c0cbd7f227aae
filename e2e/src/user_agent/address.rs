//! Where a page is, and where what it refers to is.

use std::fmt;

use crate::ensure;
use crate::failure::{Failure, Outcome};

/// An address below `https://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The host's name.
    pub host: String,
    /// The path, with its query.
    pub path: String,
}

impl Address {
    /// Reads an URL. What stands behind `#` is for pages themselves, and is left out.
    ///
    /// # Errors
    /// When it is none of HTTPS, or names a port: everything here is behind the ingress.
    pub fn read(url: &str) -> Outcome<Self> {
        let rest = url.strip_prefix("https://").ok_or_else(|| Failure::new(format!("{url} is no https:// address")))?;
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, path) = rest.split_at(end);
        let host = host.strip_suffix(":443").unwrap_or(host);
        ensure!(!host.is_empty() && !host.contains([':', '@']), "{url} has not the name of a host alone");
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { host: host.to_owned(), path })
    }

    /// What a page at this address means by a reference.
    ///
    /// # Errors
    /// As [`Address::read`].
    pub fn join(&self, reference: &str) -> Outcome<Self> {
        let reference = reference.trim().split('#').next().unwrap_or_default();
        if let Some(rest) = reference.strip_prefix("//") {
            return Self::read(&format!("https://{rest}"));
        }
        let scheme = reference.split(['/', '?']).next().unwrap_or_default();
        if scheme.contains(':') {
            return Self::read(reference);
        }
        let path = match reference.chars().next() {
            None => self.path.clone(),
            Some('/') => reference.to_owned(),
            Some('?') => format!("{}{reference}", self.file()),
            Some(_) => format!("{}{reference}", self.folder()),
        };
        Ok(Self { host: self.host.clone(), path })
    }

    /// The path without its query.
    pub fn file(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The path up to its last slash.
    fn folder(&self) -> &str {
        let file = self.file();
        file.rfind('/').and_then(|slash| file.get(..=slash)).unwrap_or("/")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_as_a_browser_reads_it() {
        let page = Address::read("https://id.example.org/realms/commons/login?a=1#top").unwrap();
        assert_eq!(page.to_string(), "https://id.example.org/realms/commons/login?a=1");
        let joined = |reference: &str| page.join(reference).unwrap().to_string();
        assert_eq!(joined("https://wiki.example.org?code=x:y"), "https://wiki.example.org/?code=x:y");
        assert_eq!(joined("https://wiki.example.org:443/a"), "https://wiki.example.org/a");
        assert_eq!(joined("//wiki.example.org/a"), "https://wiki.example.org/a");
        assert_eq!(joined("/a?to=https://b"), "https://id.example.org/a?to=https://b");
        assert_eq!(joined("?b=2"), "https://id.example.org/realms/commons/login?b=2");
        assert_eq!(joined("token?key=1"), "https://id.example.org/realms/commons/token?key=1");
        assert_eq!(joined("#below"), page.to_string());
    }

    #[test]
    fn what_is_not_behind_the_ingress_is_refused() {
        for url in ["http://wiki.example.org/", "https://wiki.example.org:8443/", "https://a@wiki.example.org/", "x"] {
            assert!(Address::read(url).is_err(), "{url}");
        }
        assert!(Address::read("https://a.example.org/").unwrap().join("http://a.example.org/").is_err());
    }
}
