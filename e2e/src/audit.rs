//! What the API server was asked for, from its audit log.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use serde::Deserialize;

use crate::failure::Outcome;

/// The API server's audit log (level `Metadata`, one JSON object a line).
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

/// A place in the log; what was written before it is not looked at.
#[derive(Debug, Clone, Copy)]
pub struct Mark(u64);

/// One answered request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `create`, `patch`, …
    pub verb: String,
    stage: String,
    user: User,
    /// What it was about.
    #[serde(default)]
    pub object_ref: ObjectReference,
    #[serde(default)]
    response_status: ResponseStatus,
}

/// What a request was about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ObjectReference {
    /// Plural, lower case.
    pub resource: String,
    /// For example `status`.
    pub subresource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Of POST too, from the object that was sent.
    pub name: String,
}

#[derive(Debug, Clone, Deserialize)]
struct User {
    username: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl Request {
    /// Whether this request changed something other than leases and events.
    pub fn is_write(&self) -> bool {
        is_write(&self.verb, &self.object_ref.resource) && (200..300).contains(&self.response_status.code)
    }

    /// `patch deployments/status ns/name`.
    pub fn shown(&self) -> String {
        let ObjectReference { resource, subresource, namespace, name } = &self.object_ref;
        format!("{} {resource}/{subresource} {namespace}/{name}", self.verb)
    }
}

/// Whether a verb on a resource counts as a write: leases, events and reviews do not.
pub fn is_write(verb: &str, resource: &str) -> bool {
    let changes = matches!(verb, "create" | "update" | "patch" | "delete" | "deletecollection");
    let counts = !matches!(
        resource,
        "leases"
            | "events"
            | "selfsubjectaccessreviews"
            | "selfsubjectrulesreviews"
            | "tokenreviews"
            | "subjectaccessreviews"
    );
    changes && counts
}

impl AuditLog {
    /// The log in this file.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The end of the log as it is now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn mark(&self) -> Outcome<Mark> {
        Ok(Mark(std::fs::metadata(&self.path)?.len()))
    }

    /// The writes of `user` after `mark`, leases and events left out.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn writes(&self, mark: Mark, user: &str) -> Outcome<Vec<Request>> {
        let mut file = std::fs::File::open(&self.path)?;
        file.seek(SeekFrom::Start(mark.0))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text
            .lines()
            // The last line may be half-written.
            .filter_map(|line| serde_json::from_str::<Request>(line).ok())
            .filter(|request| request.stage == "ResponseComplete" && request.user.username == user)
            .filter(Request::is_write)
            .collect())
    }
}
