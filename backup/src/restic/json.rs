//! What restic 0.18 says with `--json`: the fields that are used.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The last line of `backup`.
#[derive(Debug, Deserialize)]
pub struct Summary {
    /// The whole id.
    pub snapshot_id: String,
    /// Bytes that were looked at.
    #[serde(default)]
    pub total_bytes_processed: u64,
    /// Files that were looked at.
    #[serde(default)]
    pub total_files_processed: u64,
    /// Bytes that were added at the target.
    #[serde(default)]
    pub data_added_packed: u64,
}

/// The last line of `restore`.
#[derive(Debug, Deserialize)]
pub struct Restored {
    /// Files that were written.
    #[serde(default)]
    pub files_restored: u64,
    /// Bytes that were written.
    #[serde(default)]
    pub bytes_restored: u64,
}

/// A line of `restore --verbose=2` about one thing.
#[derive(Debug, Deserialize)]
pub struct FileStatus {
    /// What was done: `restored`, `updated`, `deleted`.
    pub action: String,
    /// What it is about.
    pub item: String,
    /// Its bytes.
    #[serde(default)]
    pub size: u64,
}

/// The last line of `check`.
#[derive(Debug, Deserialize)]
pub struct Check {
    /// Ids of packs that cannot be read.
    #[serde(default)]
    pub broken_packs: Option<Vec<String>>,
}

/// `cat config`.
#[derive(Debug, Deserialize)]
pub struct Config {
    /// The repository's own id.
    pub id: String,
}

/// `init`.
#[derive(Debug, Deserialize)]
pub struct Initialized {
    /// The repository's own id.
    pub id: String,
}

/// `version`.
#[derive(Debug, Deserialize)]
pub struct Version {
    /// Its version, for example `0.18.1`.
    pub version: String,
}

/// One of `snapshots`.
#[derive(Debug, Deserialize)]
pub struct Snapshot {
    /// The whole id.
    pub id: String,
    /// When it was made, by the clock of whoever made it; RFC 3339.
    #[serde(default)]
    pub time: String,
    /// What was backed up.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Its tags.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Patterns of what was left out.
    #[serde(default)]
    pub excludes: Vec<String>,
    /// The id of its tree: the same where the content is.
    #[serde(default)]
    pub tree: String,
    /// Of a copy the id of what it is a copy of.
    #[serde(default)]
    pub original: Option<String>,
}

/// A problem that restic tells while it goes on.
#[derive(Debug, Deserialize)]
struct Problem {
    /// Of `check`.
    #[serde(default)]
    message: String,
    /// Of the others.
    #[serde(default)]
    error: Told,
    #[serde(default)]
    item: String,
}

#[derive(Debug, Default, Deserialize)]
struct Told {
    #[serde(default)]
    message: String,
}

#[derive(Debug, Deserialize)]
struct ExitError {
    message: String,
}

/// The line of this type that comes last.
pub fn last<T: DeserializeOwned>(lines: &[String], message_type: &str) -> Option<T> {
    lines.iter().rev().find_map(|line| of_type(line, message_type))
}

/// The line as what it says to be.
pub fn of_type<T: DeserializeOwned>(line: &str, message_type: &str) -> Option<T> {
    #[derive(Deserialize)]
    struct Typed<'a> {
        #[serde(borrow, default)]
        message_type: std::borrow::Cow<'a, str>,
    }
    let typed: Typed<'_> = serde_json::from_str(line).ok()?;
    (typed.message_type == message_type).then(|| serde_json::from_str(line).ok()).flatten()
}

/// What restic says at the end of a failure.
pub fn exit_error(stderr: &str) -> Option<String> {
    stderr.lines().rev().find_map(|line| of_type::<ExitError>(line, "exit_error")).map(|error| error.message)
}

/// The problems that it told before.
pub fn problems(stderr: &str) -> impl Iterator<Item = String> {
    let problems = stderr.lines().filter_map(|line| of_type::<Problem>(line, "error"));
    problems.map(|Problem { message, error, item }| {
        let separator = if item.is_empty() { "" } else { ": " };
        format!("{item}{separator}{message}{}", error.message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_summary_counts() {
        let lines = [
            r#"{"message_type":"status","percent_done":0.5}"#.to_owned(),
            r#"{"message_type":"summary","snapshot_id":"abc","total_bytes_processed":7,"data_added_packed":3}"#
                .to_owned(),
            "no json".to_owned(),
        ];
        let summary: Summary = last(&lines, "summary").unwrap();
        assert_eq!(
            (summary.snapshot_id.as_str(), summary.total_bytes_processed, summary.data_added_packed),
            ("abc", 7, 3)
        );
    }

    #[test]
    fn what_went_wrong_is_found_between_other_lines() {
        let stderr = "subprocess x: y\n{\"message_type\":\"error\",\"error\":{\"message\":\"denied\"},\"during\":\"archival\",\"item\":\"/a\\nb\"}\n{\"message_type\":\"exit_error\",\"code\":3,\"message\":\"Warning: at least one\"}\n";
        assert_eq!(exit_error(stderr).unwrap(), "Warning: at least one");
        assert_eq!(problems(stderr).collect::<Vec<_>>(), ["/a\nb: denied"]);
        let of_check = r#"{"message_type":"error","message":"pack 0c45: does not exist"}"#;
        assert_eq!(problems(of_check).collect::<Vec<_>>(), ["pack 0c45: does not exist"]);
    }
}
