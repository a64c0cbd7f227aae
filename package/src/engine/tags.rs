//! Reads the tags of a Tera text: which there are, and where a loop begins.
//!
//! Only `for`, `if` and comments are part of the format. What could pull in other text or let a
//! value grow without end (`include`, `set`, `component`, ...) is refused here, before Tera sees it.

use crate::rule::Rule;

/// Tags that manifests may use.
const ALLOWED: [&str; 8] = ["for", "endfor", "if", "elif", "else", "endif", "break", "continue"];

/// Inserted after each `{% for %}`, so that the iterations of one rendering can be counted.
pub(crate) const TICK: &str = "{{ __tick() }}";

/// Something in the text that the format does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagFault {
    /// `tera-tag`, or `tera-syntax` for a tag that does not end.
    pub(crate) rule: Rule,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong and what to do.
    pub(crate) message: String,
}

/// The text with a tick in each loop. Line numbers stay as they were.
///
/// # Errors
/// Every tag that the format does not have, and the first that is not closed.
pub(crate) fn with_ticks(text: &str) -> Result<String, Vec<TagFault>> {
    let mut output = String::with_capacity(text.len() + 64);
    let mut faults = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let (literal, from) = rest.split_at(start);
        output.push_str(literal);
        let line = 1 + text[..text.len() - from.len()].matches('\n').count();
        let length = match begins(from) {
            Begins::Tag(length) => length,
            Begins::Text => {
                output.push('{');
                rest = &from[1..];
                continue;
            }
            Begins::OpenTag => {
                faults.push(TagFault { rule: Rule::TeraSyntax, line, message: "the tag is not closed".to_owned() });
                return Err(faults);
            }
        };
        let (tag, after) = from.split_at(length);
        output.push_str(tag);
        rest = after;
        if let Some(message) = refused(tag) {
            faults.push(TagFault { rule: Rule::TeraTag, line, message });
        }
        if tag_word(tag) == Some("for") {
            output.push_str(TICK);
        }
    }
    output.push_str(rest);
    if faults.is_empty() { Ok(output) } else { Err(faults) }
}

/// The tags of a text that can be read, comments left out, each with the line on which it begins.
pub(crate) fn all(text: &str) -> Vec<(usize, &str)> {
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find('{') {
        let from = &text[at + start..];
        let length = match begins(from) {
            Begins::Tag(length) => length,
            Begins::Text => 1,
            Begins::OpenTag => break,
        };
        if length > 1 && !from.starts_with("{#") {
            tags.push((1 + text[..at + start].matches('\n').count(), &from[..length]));
        }
        at += start + length;
    }
    tags
}

/// What begins at a `{`.
enum Begins {
    /// No tag.
    Text,
    /// A tag or comment of this length in bytes.
    Tag(usize),
    /// A tag or comment that does not end.
    OpenTag,
}

fn begins(from: &str) -> Begins {
    let end = match from.get(..2) {
        Some("{#") => return from.find("#}").map_or(Begins::OpenTag, |at| Begins::Tag(at + 2)),
        Some("{%") => "%}",
        Some("{{") => "}}",
        _ => return Begins::Text,
    };
    let mut quote: Option<char> = None;
    for (at, character) in from.char_indices().skip(2) {
        match quote {
            Some(open) if open == character => quote = None,
            None if matches!(character, '"' | '\'' | '`') => quote = Some(character),
            None if from[at..].starts_with(end) => return Begins::Tag(at + 2),
            Some(_) | None => {}
        }
    }
    Begins::OpenTag
}

/// The first word of a `{% ... %}` tag.
fn tag_word(tag: &str) -> Option<&str> {
    let inner = tag.strip_prefix("{%")?.trim_start_matches('-').trim_start();
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    Some(&inner[..end])
}

fn refused(tag: &str) -> Option<String> {
    if tag.contains("__tick") {
        return Some("names that begin with __ are not for manifests".to_owned());
    }
    let word = tag_word(tag)?;
    (!ALLOWED.contains(&word))
        .then(|| format!("the tag {word:?} is not part of the format; it has for, if, break, continue and comments"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_loop_gets_a_tick_and_lines_stay() {
        let text = "a: {{ \"}}\" }}\n{#- {% include 'x' %} #}\n{%- for x in list -%}\n- {{ x }}\n{% endfor %}{ ${b} }";
        let ticked = with_ticks(text).unwrap();
        assert_eq!(ticked.matches(TICK).count(), 1);
        assert_eq!(ticked.lines().count(), text.lines().count());
        assert_eq!(ticked.replace(TICK, ""), text);
    }

    #[test]
    fn other_tags_are_refused_with_their_line() {
        for word in [
            "set x = 1",
            "set_global x = 1",
            "include 'a'",
            "extends 'a'",
            "block a",
            "component a()",
            "raw",
            "filter upper",
            "",
            "For x in y",
        ] {
            let faults = with_ticks(&format!("a: 1\n\n{{% {word} %}}")).unwrap_err();
            assert_eq!(faults[0].line, 3, "{word}");
        }
        assert!(with_ticks("{{ __tick() }}").is_err());
        assert_eq!(with_ticks("a\n{{ 'x }}").unwrap_err()[0].line, 2);
        assert!(with_ticks("{% if a").is_err());
    }
}
