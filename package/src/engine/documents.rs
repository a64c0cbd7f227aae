//! Reads rendered text as YAML documents, strictly.

use serde_json::Value;

/// How deep a rendered object may nest.
const DEEPEST: usize = 48;

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The line of the text, counted from 1, where known.
    pub(crate) line: Option<usize>,
    /// What is wrong.
    pub(crate) message: String,
}

/// The documents of a text; empty ones are skipped.
///
/// # Errors
/// What is no YAML, is ambiguous (a key given twice, an anchor, a tag), or nests too deep.
pub(crate) fn read(text: &str) -> Result<Vec<Value>, Unreadable> {
    let options = serde_yaml::options! {
        budget: budget(),
        merge_keys: serde_yaml::MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_yaml::from_multiple_with_options::<Value>(text, options).map_err(|error| Unreadable {
        line: error.location().and_then(|location| usize::try_from(location.line()).ok()),
        message: in_plain_words(&error.to_string()),
    })
}

/// What the parser says, without its place, which is told apart, and with what it most often means.
fn in_plain_words(message: &str) -> String {
    let message = message.replace(", set DuplicateKeyPolicy in Options if acceptable", "");
    let message = message.split(" at line ").next().unwrap_or_default();
    let indented = ["did not find expected key", "did not find expected '-'", "mapping values are not allowed"];
    if indented.iter().any(|text| message.contains(text)) {
        return format!("{message}: is this line, or one before it, indented otherwise than those around it?");
    }
    message.to_owned()
}

fn budget() -> Option<serde_yaml::Budget> {
    serde_yaml::budget! {
        max_depth: DEEPEST,
        max_aliases: 0,
        max_anchors: 0,
        max_documents: 64,
    }
}
