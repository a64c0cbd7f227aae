//! What reaches a server from a command line, where nothing is mounted as in a Job.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use super::target::ssh_arguments;

/// Of the variables those that nobody may read.
const SECRET: &[&str] = &["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "RESTIC_REST_PASSWORD"];

/// restic, and what opens a server to it.
#[derive(Clone, Default)]
pub struct Server {
    /// restic's path or name. Absent: `restic`.
    pub program: Option<PathBuf>,
    /// Options before the subcommand.
    pub options: Vec<String>,
    /// Variables of its environment, called as it reads them: the server's credentials.
    pub environment: BTreeMap<String, String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.environment.keys().collect();
        formatter
            .debug_struct("Server")
            .field("program", &self.program)
            .field("options", &self.options)
            .field("environment", &names)
            .finish()
    }
}

impl Server {
    /// Trusts the certificates of a private authority, a file of PEM.
    #[must_use]
    pub fn trusting(mut self, authority: &str) -> Self {
        self.options.extend(["--cacert".to_owned(), authority.to_owned()]);
        self
    }

    /// Reaches an SSH server with this key alone, and only if its own is in `hosts` (as `known_hosts`).
    #[must_use]
    pub fn by_ssh(mut self, key: &str, hosts: &str) -> Self {
        self.options.extend(["-o".to_owned(), format!("sftp.args={}", ssh_arguments(key, hosts))]);
        self
    }

    pub(super) fn program(&self) -> &OsStr {
        self.program.as_ref().map_or(OsStr::new("restic"), |program| program.as_os_str())
    }

    /// What no message may show.
    pub(super) fn secrets(&self) -> impl Iterator<Item = String> {
        SECRET.iter().filter_map(|name| self.environment.get(*name).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_in_no_option_and_in_no_debug_text() {
        let environment = BTreeMap::from([("RESTIC_REST_PASSWORD".to_owned(), "hunter2".to_owned())]);
        let server = Server { environment, ..Server::default() }.trusting("/tmp/ca.pem").by_ssh("/k", "/h");
        assert!(!format!("{server:?}").contains("hunter2"));
        assert_eq!(server.secrets().collect::<Vec<_>>(), ["hunter2"]);
        assert!(server.options[3].contains("StrictHostKeyChecking=yes") && server.options[3].contains("-i /k"));
    }
}
