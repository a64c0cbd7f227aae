//! A request as the audit log names it, from method, path and body.

use hyper::body::Bytes;
use hyper::http::request::Parts;
use serde_json::Value;

use crate::audit;

/// A request to the API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: &'static str,
    /// Plural, lower case; empty where the path is about none.
    pub resource: String,
    /// For example `status`.
    pub subresource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Of POST too, from the object that is sent.
    pub name: String,
    /// What is sent.
    pub body: Bytes,
}

impl Call {
    pub(super) fn read(parts: &Parts, body: &Bytes) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let watches = query.split('&').any(|pair| pair == "watch=true" || pair == "watch=1");
        Self::new(parts.method.as_str(), parts.uri.path(), watches, body)
    }

    /// The call of a method on a path.
    pub(crate) fn new(method: &str, path: &str, watches: bool, body: &Bytes) -> Self {
        let words: Vec<&str> = path.trim_matches('/').split('/').collect();
        let rest = match words.first() {
            Some(&"api") => words.get(2..),
            Some(&"apis") => words.get(3..),
            _ => None,
        };
        let (namespace, [resource, name, subresource]) = match rest.unwrap_or_default() {
            // A namespace itself is no object within one.
            ["namespaces", name, sub @ ("status" | "finalize")] => ("", ["namespaces", *name, *sub]),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, three(rest)),
            rest => ("", three(rest)),
        };
        let called = || {
            let object: Value = serde_json::from_slice(body).unwrap_or_default();
            object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
        };
        let name = if method == "POST" && name.is_empty() { called() } else { name.to_owned() };
        let verb = match method {
            "POST" => "create",
            "PUT" => "update",
            "PATCH" => "patch",
            "DELETE" if name.is_empty() => "deletecollection",
            "DELETE" => "delete",
            _ if watches => "watch",
            _ if name.is_empty() => "list",
            _ => "get",
        };
        Self {
            verb,
            resource: resource.to_owned(),
            subresource: subresource.to_owned(),
            namespace: namespace.to_owned(),
            name,
            body: body.clone(),
        }
    }

    /// Whether it is to change something other than leases and events.
    pub fn is_write(&self) -> bool {
        audit::is_write(self.verb, &self.resource)
    }

    /// Whether it is about an object of that name, something in a namespace of that name, or a
    /// revision of a template of that name.
    pub fn concerns(&self, name: &str) -> bool {
        let revision = self.resource == "servicetemplaterevisions"
            && self.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        self.name == name || self.namespace == name || revision
    }

    /// `patch deployments/status ns/name`.
    pub fn shown(&self) -> String {
        let slash = if self.subresource.is_empty() { "" } else { "/" };
        format!("{} {}{slash}{} {}/{}", self.verb, self.resource, self.subresource, self.namespace, self.name)
    }
}

fn three<'a>(words: &[&'a str]) -> [&'a str; 3] {
    let word = |index: usize| words.get(index).copied().unwrap_or_default();
    [word(0), word(1), word(2)]
}
