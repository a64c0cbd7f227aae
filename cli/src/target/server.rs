//! What opens the server of a target, as its user gives it: never in an argument, which everybody on the machine reads.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use commonscloud_backup::restic::Server;
use commonscloud_cluster::command::Failure;

/// What a server asks for, called as restic reads it.
const CREDENTIALS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_DEFAULT_REGION",
    "RESTIC_REST_USERNAME",
    "RESTIC_REST_PASSWORD",
];

/// What opens the server of a target.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct ServerArguments {
    /// File with what the server asks for, a line each: AWS_ACCESS_KEY_ID=… and AWS_SECRET_ACCESS_KEY=… for S3,
    /// RESTIC_REST_USERNAME=… and RESTIC_REST_PASSWORD=… for a REST server. Absent: from the environment.
    #[arg(long, value_name = "FILE")]
    credentials: Option<PathBuf>,
    /// File with the certificates (PEM) of the private authority that signed the server's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// File with the private key of the account of an SSH server. Absent: as `ssh` itself finds it.
    #[arg(long, value_name = "FILE", requires = "known_hosts", value_parser = plain_path)]
    ssh_key: Option<String>,
    /// File with the keys of the SSH server, as `known_hosts`; no other server is believed.
    #[arg(long, value_name = "FILE", requires = "ssh_key", value_parser = plain_path)]
    known_hosts: Option<String>,
    /// restic 0.18.1 or newer.
    #[arg(long, value_name = "PROGRAM", default_value = "restic")]
    restic: PathBuf,
}

/// `s3:`, `rest:`, `sftp:` or a folder, and no password in it: everybody on the machine reads arguments.
pub(crate) fn address(text: &str) -> Result<String, String> {
    let is_known = ["s3:http://", "s3:https://", "rest:http://", "rest:https://", "sftp:", "/"];
    if !is_known.iter().any(|begin| text.starts_with(begin)) {
        let allowed = "s3:https://…, rest:https://…, sftp://USER@HOST:22//FOLDER or /FOLDER";
        return Err(format!("write one of {allowed}"));
    }
    let authority = text.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    let has_user = authority.contains('@') && !text.starts_with("sftp:");
    if has_password || has_user {
        return Err("leave user and password out: they go into the environment, or into --credentials FILE".to_owned());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The name of a target of the Platform, or an [`address`].
pub(crate) fn url_or_name(text: &str) -> Result<String, String> {
    if super::is_name(text) && !text.is_empty() { Ok(text.to_owned()) } else { address(text) }
}

/// restic splits the arguments of ssh at spaces.
fn plain_path(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\\')) {
        return Err("give a path without spaces, quotes and backslashes".to_owned());
    }
    Ok(text.to_owned())
}

impl ServerArguments {
    /// Reads the files that are named. Paths become absolute: restic may run in another folder than this program.
    ///
    /// # Errors
    /// When one cannot be read, or holds something else.
    pub(crate) fn read(&self) -> Result<Server, Failure> {
        let environment = match &self.credentials {
            Some(file) => credentials(&text(file)?).map_err(|why| format!("{}: {why}", file.display()))?,
            None => given(|name| std::env::var(name).ok()),
        };
        // A bare name is looked for in PATH.
        let is_path = self.restic.parent().is_some_and(|parent| !parent.as_os_str().is_empty());
        let restic = if is_path { std::path::absolute(&self.restic)? } else { self.restic.clone() };
        let program = (!restic.as_os_str().is_empty()).then_some(restic);
        let mut server = Server { program, environment, ..Server::default() };
        if let Some(authority) = &self.ca {
            // restic says of a file that is not there that the server is unknown.
            text(authority)?;
            server = server.trusting(&std::path::absolute(authority)?.display().to_string());
        }
        if let (Some(key), Some(hosts)) = (&self.ssh_key, &self.known_hosts) {
            let absolute = |path: &str| {
                let path = std::path::absolute(path)?.display().to_string();
                plain_path(&path).map_err(|why| Failure::from(format!("{path}: {why}")))
            };
            server = server.by_ssh(&absolute(key)?, &absolute(hosts)?);
        }
        Ok(server)
    }
}

fn text(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()).into())
}

fn given(variable: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    CREDENTIALS.iter().filter_map(|name| Some(((*name).to_owned(), variable(name)?))).collect()
}

/// Lines `NAME=VALUE`. What a line holds is never told: it may be a password.
fn credentials(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let named = line.split_once('=').filter(|(name, _)| CREDENTIALS.contains(name));
        let Some((name, value)) = named else {
            return Err(format!("line {}: write NAME=VALUE, the name one of {}", at + 1, CREDENTIALS.join(", ")));
        };
        found.insert(name.to_owned(), value.to_owned());
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_of_a_known_kind_and_without_a_password() {
        for known in ["s3:https://s3.example.org/b/p", "rest:http://h:8000", "sftp://me@h:22//srv/b", "/srv/b"] {
            assert_eq!(address(&format!("{known}/")), Ok(known.to_owned()));
        }
        assert!(address("backups").unwrap_err().contains("sftp://"));
        for with in ["rest:https://me:hunter2@h/x", "rest:https://me@h/x", "sftp://me:hunter2@h//x"] {
            let error = address(with).unwrap_err();
            assert!(error.contains("--credentials") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn credentials_are_lines_of_known_names_and_never_told() {
        let read = credentials("# of the bucket\nAWS_ACCESS_KEY_ID=me\nAWS_SECRET_ACCESS_KEY=a=b c\n\n").unwrap();
        assert_eq!(read["AWS_SECRET_ACCESS_KEY"], "a=b c");
        for wrong in ["hunter2", "PATH=hunter2", "export AWS_SECRET_ACCESS_KEY=hunter2"] {
            let error = credentials(wrong).unwrap_err();
            assert!(error.contains("line 1") && error.contains("AWS_ACCESS_KEY_ID") && !error.contains("hunter2"));
        }
        assert_eq!(given(|name| (name == "RESTIC_REST_USERNAME").then(|| "me".to_owned())).len(), 1);
    }
}
