//! Everything that the operator asked for, from the audit log, however often that was rotated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use commonscloud_e2e::Outcome;
use commonscloud_e2e::chart::USER;
use serde_json::Value;

/// A place in the log.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    file: u64,
    offset: u64,
}

/// One request of the operator.
#[derive(Debug, Clone)]
pub struct Request {
    /// `get`, `list`, `watch`, `patch`, …
    pub verb: String,
    /// Plural, with the subresource after a slash.
    pub resource: String,
    /// Empty for what is in none.
    pub namespace: String,
    /// The answer.
    pub code: u64,
    /// Which token it came with.
    pub credential: String,
    /// When the API server received it, in RFC 3339.
    pub received: String,
}

/// The end of the log as it is now.
pub fn mark(log: &Path) -> Outcome<Mark> {
    let metadata = std::fs::metadata(log)?;
    Ok(Mark { file: metadata.ino(), offset: metadata.len() })
}

/// The operator's requests after `mark`, in the order of their answers; of a watch, its opening.
pub fn since(log: &Path, mark: Mark) -> Outcome<Vec<Request>> {
    let mut requests = Vec::new();
    for (path, offset) in files(log, mark)? {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        for line in BufReader::new(file).lines() {
            let line = line?;
            // The last line may be half-written.
            if line.contains(USER)
                && let Ok(event) = serde_json::from_str::<Value>(&line)
            {
                requests.extend(request(&event));
            }
        }
    }
    Ok(requests)
}

/// The file of the mark, and those begun after it.
fn files(log: &Path, mark: Mark) -> Outcome<Vec<(PathBuf, u64)>> {
    let folder = log.parent().unwrap_or(log);
    let stem = log.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&stem)));
    // `audit-DATE.log` sorts before `audit.log`, which is the newest.
    paths.sort();
    let mut chosen: Vec<(PathBuf, u64)> = Vec::new();
    for path in paths {
        if std::fs::metadata(&path)?.ino() == mark.file {
            chosen = vec![(path, mark.offset)];
        } else if !chosen.is_empty() {
            chosen.push((path, 0));
        }
    }
    Ok(chosen)
}

fn request(event: &Value) -> Option<Request> {
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let verb = text("/verb");
    let stage = if verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    if text("/user/username") != USER || text("/stage") != stage {
        return None;
    }
    let (resource, sub) = (text("/objectRef/resource"), text("/objectRef/subresource"));
    Some(Request {
        verb,
        resource: if sub.is_empty() { resource } else { format!("{resource}/{sub}") },
        namespace: text("/objectRef/namespace"),
        code: event.pointer("/responseStatus/code").and_then(Value::as_u64).unwrap_or_default(),
        credential: text("/user/extra/authentication.kubernetes.io~1credential-id/0"),
        received: text("/requestReceivedTimestamp"),
    })
}

impl Request {
    /// The Lease, and what is no object that anybody waits for.
    pub fn is_aside(&self) -> bool {
        matches!(self.resource.as_str(), "leases" | "events") || self.resource.contains("reviews")
    }

    /// Whether it asked for a change, be it refused or not.
    pub fn is_write(&self) -> bool {
        let changes = matches!(self.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
        changes && !self.is_aside()
    }

    /// Whether it asked for objects, other than to begin a watch of a namespace's Secrets.
    pub fn is_read(&self) -> bool {
        matches!(self.verb.as_str(), "get" | "list") && !self.is_aside() && !self.begins_secrets()
    }

    /// Before Secrets of a namespace are watched they are listed.
    pub fn begins_secrets(&self) -> bool {
        self.verb == "list" && self.resource == "secrets" && !self.namespace.is_empty()
    }

    /// What an operator with nothing to do may ask all the same, and how often in so many seconds: each with
    /// a name that says what is counted together.
    fn allowed(&self, seconds: f64) -> Option<(String, f64)> {
        match (self.verb.as_str(), self.resource.as_str()) {
            // A GET and a PUT in four seconds.
            ("get" | "update" | "patch", "leases") => Some(("renewals of the Lease".to_owned(), seconds / 2.0 + 4.0)),
            // A watch lasts about five minutes.
            ("watch", feed) if self.code == 200 => {
                let feed = format!("reconnects of {feed} {}", self.namespace);
                Some((feed, (seconds / 200.0).floor() + 1.0))
            }
            _ => None,
        }
    }
}

/// What was asked for beyond what is allowed at rest; and how often what is allowed, by its name.
pub fn at_rest(requests: &[Request], seconds: f64) -> (f64, BTreeMap<String, f64>) {
    let (mut beyond, mut apart, mut bounds) = (0.0, BTreeMap::<String, f64>::new(), BTreeMap::new());
    for request in requests {
        match request.allowed(seconds) {
            None => beyond += 1.0,
            Some((name, most)) => {
                *apart.entry(name.clone()).or_default() += 1.0;
                bounds.insert(name, most);
            }
        }
    }
    let passed = apart.iter().map(|(name, count)| (count - bounds.get(name).copied().unwrap_or_default()).max(0.0));
    (beyond + passed.sum::<f64>(), apart)
}

/// How often what was asked for, by verb, resource and answer.
pub fn counts<'a>(requests: impl IntoIterator<Item = &'a Request>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for request in requests {
        *counts.entry(format!("{} {} {}", request.verb, request.resource, request.code)).or_default() += 1;
    }
    counts
}
