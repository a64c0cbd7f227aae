//! Reads rendered text as YAML documents, strictly.

use serde_json::Value;

use super::fault::Fault;

/// How deep a rendered object may nest.
const DEEPEST: usize = 48;

/// The documents of a rendered manifest; empty ones are skipped.
///
/// # Errors
/// What is no YAML, is ambiguous (a key given twice, an anchor, a tag), or nests too deep.
pub(super) fn parse(manifest: &str, text: &str) -> Result<Vec<Value>, Fault> {
    let options = serde_yaml::options! {
        budget: budget(),
        merge_keys: serde_yaml::MergeKeyPolicy::Error,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_yaml::from_multiple_with_options::<Value>(text, options).map_err(|error| {
        let shown = error.location().and_then(|location| {
            let line = usize::try_from(location.line()).ok()?;
            let content = text.lines().nth(line.checked_sub(1)?)?;
            Some(format!(" in the rendered line {line}, {:?}", content.trim().chars().take(80).collect::<String>()))
        });
        Fault::manifest(manifest, None, format!("renders to text that is no YAML: {error}{}", shown.unwrap_or_default()))
    })
}

fn budget() -> Option<serde_yaml::Budget> {
    serde_yaml::budget! {
        max_depth: DEEPEST,
        max_aliases: 0,
        max_anchors: 0,
        max_documents: 64,
    }
}
