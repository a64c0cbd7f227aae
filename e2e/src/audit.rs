//! What the API server was asked for, from its audit log: every request, whatever came of it.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::failure::{Failure, Outcome};

/// The API server's audit log (level `Metadata`, one JSON object a line).
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

/// A place in the log; what was written before it is not looked at.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    offset: u64,
    made: Instant,
}

/// One answered request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// `get`, `watch`, `create`, `patch`, …
    pub verb: String,
    stage: String,
    user: User,
    #[serde(rename = "requestURI", default)]
    uri: String,
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
    reason: String,
}

/// The requests of one user since a mark.
#[derive(Debug, Clone)]
pub struct Requests {
    /// All of them, in the order of the log.
    pub all: Vec<Request>,
    /// How long after the mark the log was read.
    pub lasted: Duration,
}

impl Request {
    /// A request as the log has one that was answered with `code`.
    #[cfg(test)]
    pub(crate) fn answered(verb: &str, resource: &str, name: &str, code: u16) -> Self {
        let object_ref = ObjectReference {
            resource: resource.to_owned(),
            name: name.to_owned(),
            namespace: "ns".to_owned(),
            ..ObjectReference::default()
        };
        Self {
            verb: verb.to_owned(),
            stage: "ResponseComplete".to_owned(),
            user: User { username: String::new() },
            uri: String::new(),
            object_ref,
            response_status: ResponseStatus { code, reason: String::new() },
        }
    }

    /// Whether this request was to change something other than leases and events, taken or not.
    pub fn is_write(&self) -> bool {
        is_write(&self.verb, &self.object_ref.resource)
    }

    /// Whether it only asks.
    pub fn is_read(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list" | "watch")
    }

    /// The status of the answer.
    pub fn code(&self) -> u16 {
        self.response_status.code
    }

    /// Why the API server did not do it, in one word such as `Conflict`; empty where it did.
    pub fn reason(&self) -> &str {
        &self.response_status.reason
    }

    /// Whether the API server did what was asked for.
    pub fn succeeded(&self) -> bool {
        (200..300).contains(&self.code())
    }

    /// Whether it is about an Entity of this name, its namespace, or anything in that.
    pub fn is_about(&self, entity: &str) -> bool {
        let object = &self.object_ref;
        let itself = matches!(object.resource.as_str(), "entities" | "namespaces") && object.name == entity;
        itself || object.namespace == entity
    }

    /// The path of a request that is about no resource, such as `/healthz`.
    pub fn path(&self) -> &str {
        self.uri.split('?').next().unwrap_or_default()
    }

    /// `patch deployments/status ns/name 409`.
    pub fn shown(&self) -> String {
        let ObjectReference { resource, subresource, namespace, name } = &self.object_ref;
        if resource.is_empty() {
            return format!("{} {} {}", self.verb, self.path(), self.code());
        }
        let slash = if subresource.is_empty() { "" } else { "/" };
        format!("{} {resource}{slash}{subresource} {namespace}/{name} {}", self.verb, self.code())
    }

    /// Whether this entry is the one by which its request is counted. A watch has one when it is
    /// answered and one when it ends; everything else, a refused watch too, has one.
    fn counts(&self) -> bool {
        if self.verb == "watch" && self.succeeded() {
            self.stage == "ResponseStarted"
        } else {
            self.stage != "ResponseStarted"
        }
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

impl Requests {
    /// Those that `keep` is true of.
    #[must_use]
    pub fn only(&self, keep: impl Fn(&Request) -> bool) -> Self {
        Self { all: self.all.iter().filter(|request| keep(request)).cloned().collect(), lasted: self.lasted }
    }
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
        Ok(Mark { offset: std::fs::metadata(&self.path)?.len(), made: Instant::now() })
    }

    /// All requests of `user` after `mark`.
    ///
    /// # Errors
    /// When the file cannot be read, or was begun anew since.
    pub fn requests(&self, mark: Mark, user: &str) -> Outcome<Requests> {
        let mut file = std::fs::File::open(&self.path)?;
        if file.metadata()?.len() < mark.offset {
            return Err(Failure::new("the audit log was begun anew since the mark"));
        }
        file.seek(SeekFrom::Start(mark.offset))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(Requests { all: of_user(&text, user), lasted: mark.made.elapsed() })
    }

    /// The writes of `user` after `mark`, those that were refused too; leases and events left out.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn writes(&self, mark: Mark, user: &str) -> Outcome<Vec<Request>> {
        Ok(self.requests(mark, user)?.only(Request::is_write).all)
    }
}

/// The requests of a user; the last line may be half-written.
fn of_user(text: &str, user: &str) -> Vec<Request> {
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Request>(line).ok());
    entries.filter(|request| request.user.username == user && request.counts()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(verb: &str, stage: &str, user: &str, code: u16) -> String {
        format!(
            r#"{{"auditID":"a","verb":"{verb}","stage":"{stage}","user":{{"username":"{user}"}},"requestURI":"/api/v1/secrets?x=y","objectRef":{{"resource":"secrets"}},"responseStatus":{{"code":{code}}}}}"#
        )
    }

    fn counted(entries: &[String]) -> Vec<String> {
        of_user(&entries.join("\n"), "op").iter().map(Request::shown).collect()
    }

    #[test]
    fn refused_requests_and_reads_are_counted_and_other_users_are_not() {
        let entries = [
            entry("get", "ResponseComplete", "op", 404),
            entry("patch", "ResponseComplete", "op", 409),
            entry("get", "ResponseComplete", "somebody", 200),
            entry("list", "Panic", "op", 500),
        ];
        assert_eq!(counted(&entries), ["get secrets / 404", "patch secrets / 409", "list secrets / 500"]);
    }

    #[test]
    fn a_watch_is_counted_when_it_begins_and_not_when_it_ends() {
        let entries = [
            // Begun before the mark.
            entry("watch", "ResponseComplete", "op", 200),
            entry("watch", "ResponseStarted", "op", 200),
            entry("watch", "ResponseComplete", "op", 200),
            entry("watch", "ResponseComplete", "op", 403),
        ];
        assert_eq!(counted(&entries), ["watch secrets / 200", "watch secrets / 403"]);
    }

    #[test]
    fn a_half_written_line_is_left_out() {
        let whole = entry("get", "ResponseComplete", "op", 200);
        assert_eq!(counted(&[whole.clone(), whole[..40].to_owned()]).len(), 1);
    }
}
