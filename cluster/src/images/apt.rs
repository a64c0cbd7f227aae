//! The machine's own Debian package sources: no mirror is written down in this repository.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::Error;
use super::namespace::checked;

/// Where packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sources {
    /// The release, such as `bookworm`.
    pub(super) suite: String,
    /// The archive that has the release itself.
    pub(super) mirror: String,
    /// Lines for `sources.list`: the release and its updates.
    pub(super) lines: Vec<String>,
    /// The proxy that apt uses here, if any.
    pub(super) proxy: String,
}

const FORMAT: &str = "$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)";

impl Sources {
    /// What apt says, asked once by this process: apt takes a second to answer.
    pub(super) fn of_this_machine() -> Result<Self, Error> {
        static KNOWN: Mutex<Option<Sources>> = Mutex::new(None);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sources) = &*known {
            return Ok(sources.clone());
        }
        Ok(known.insert(Self::ask()?).clone())
    }

    /// Asks apt. Refreshes its lists once when it has none yet.
    fn ask() -> Result<Self, Error> {
        let suite = codename(&std::fs::read_to_string("/etc/os-release").unwrap_or_default());
        let mut found = Self::parse(&suite, &index_targets()?);
        if found.is_none() {
            checked("apt-get update", Command::new("apt-get").arg("update"))?;
            found = Self::parse(&suite, &index_targets()?);
        }
        let mut sources = found.ok_or(Error::NoDebianSource { suite })?;
        sources.proxy = proxy()?;
        Ok(sources)
    }

    fn parse(suite: &str, targets: &str) -> Option<Self> {
        let mut mirror = None;
        let mut lines = Vec::new();
        for target in targets.lines() {
            let mut words = target.split_whitespace();
            let (Some("Debian"), Some(release), Some(component), Some(uri)) =
                (words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            if release != suite && !release.starts_with(&format!("{suite}-")) {
                continue;
            }
            if release == suite && component == "main" {
                mirror.get_or_insert_with(|| uri.to_owned());
            }
            let line = format!("deb {uri} {release} {component}");
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        Some(Self { suite: suite.to_owned(), mirror: mirror?, lines, proxy: String::new() })
    }
}

fn index_targets() -> Result<String, Error> {
    let output = checked(
        "apt-get indextargets",
        Command::new("apt-get").args(["indextargets", "--format", FORMAT, "Created-By: Packages"]),
    )?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn proxy() -> Result<String, Error> {
    let output =
        checked("apt-config", Command::new("apt-config").args(["--format", "%v", "dump", "Acquire::http::Proxy"]))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn codename(os_release: &str) -> String {
    let value = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    value.unwrap_or("stable").trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGETS: &str = "\
        Debian trixie main http://mirror.example/debian/\n\
        Debian trixie-security main http://security.example/debian-security/\n\
        Debian sid main http://mirror.example/debian/\n\
        Node\u{20}Source nodistro main https://other.example/\n";

    #[test]
    fn the_release_and_its_updates_are_taken_and_nothing_else() {
        let sources = Sources::parse("trixie", TARGETS).unwrap();
        assert_eq!(sources.mirror, "http://mirror.example/debian/");
        assert_eq!(
            sources.lines,
            [
                "deb http://mirror.example/debian/ trixie main",
                "deb http://security.example/debian-security/ trixie-security main",
            ]
        );
    }

    #[test]
    fn without_the_release_itself_there_is_no_source() {
        assert_eq!(Sources::parse("forky", TARGETS), None);
    }

    #[test]
    fn the_codename_is_read_from_os_release() {
        assert_eq!(codename("ID=debian\nVERSION_CODENAME=bookworm\n"), "bookworm");
    }
}
