//! Whether a package's manifests know the names that they use. Tera itself says nothing of an unknown
//! name in `~`, `if` or `==`: there it is the same as an empty one.

use serde_json::{Map, Value, json};

use crate::engine::context;
use crate::engine::tags;
use crate::fault::Fault;
use crate::format::sample::{self, Surroundings};
use crate::near;
use crate::package::Package;
use crate::rule::Rule;

/// Words of the language, which name nothing.
const WORDS: [&str; 19] = [
    "and", "or", "not", "in", "is", "if", "elif", "else", "endif", "for", "endfor", "break", "continue", "true",
    "false", "none", "null", "loop", "None",
];

/// Every name in a manifest that no instance knows.
pub(crate) fn faults(package: &Package) -> Vec<Fault> {
    let Some(known) = known(package) else { return Vec::new() };
    let manifests = package.spec().manifests.iter();
    let found = manifests.flat_map(|manifest| {
        let names = used(&manifest.template);
        let faults = names.iter().filter_map(|name| {
            let message = unknown(&name.path, &known)?;
            Some(Fault::manifest(Rule::TeraValue, &manifest.name, Some(name.line), message))
        });
        faults.collect::<Vec<_>>()
    });
    found.collect()
}

/// What can be known on a platform with everything; null stands for what may be anything.
fn known(package: &Package) -> Option<Value> {
    let plan = sample::plan(package, package.versions().first()?, Value::Null, Surroundings::Full).ok()?;
    let mut known = context::value(&plan).ok()?;
    known["parameters"] = match &package.spec().parameters {
        Value::Null => json!({}),
        schema => shape(schema),
    };
    // The Platform may give others.
    for resources in known["resources"].as_object_mut()?.values_mut() {
        *resources = Value::Null;
    }
    Some(known)
}

/// The fields that a value of this JSON schema can have.
fn shape(schema: &Value) -> Value {
    let open = schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false));
    match schema.get("properties").and_then(Value::as_object) {
        Some(properties) if !open => {
            let fields = properties.iter().map(|(name, schema)| (name.clone(), shape(schema)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        _ => Value::Null,
    }
}

/// Why a path names nothing, in the words that Tera uses where it does say so.
fn unknown(path: &[&str], known: &Value) -> Option<String> {
    let mut here = known;
    for (depth, name) in path.iter().enumerate() {
        let Value::Object(fields) = here else { return None };
        let Some(next) = fields.get(*name) else {
            let what = if depth == 0 { "Variable" } else { "Field" };
            let known: Vec<&str> = fields.keys().map(String::as_str).filter(|key| !key.starts_with("__")).collect();
            return Some(format!("{what} `{name}` is not defined; {}", near::meant(name, &known)));
        };
        here = next;
    }
    None
}

/// A name in a tag: `parameters.oidc.issuer`.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    line: usize,
    path: Vec<&'a str>,
}

/// The names that a template uses: no loop's own, no function, filter, test or argument.
fn used(template: &str) -> Vec<Name<'_>> {
    let tags = tags::all(template);
    let own: Vec<&str> = tags.iter().flat_map(|(_, tag)| of_loop(tag)).collect();
    let names = tags.iter().flat_map(|(line, tag)| names(*line, tag));
    names.filter(|name| name.path.first().is_none_or(|first| !own.contains(first))).collect()
}

/// The names that a `{% for a, b in ... %}` gives.
fn of_loop(tag: &str) -> Vec<&str> {
    let inner = tag.trim_start_matches(['{', '%', '-', ' ']);
    let names = inner.strip_prefix("for ").and_then(|rest| rest.split_once(" in "));
    names.map(|(names, _)| names.split(',').map(str::trim).collect()).unwrap_or_default()
}

fn names(line: usize, tag: &str) -> Vec<Name<'_>> {
    let mut names = Vec::new();
    let mut before = ' ';
    let mut of_test = false;
    let mut at = 2;
    while let Some(sign) = tag[at..].chars().next() {
        let rest = &tag[at..];
        if matches!(sign, '"' | '\'' | '`') {
            at += rest[1..].find(sign).map_or(rest.len(), |end| end + 2);
            (before, of_test) = (sign, false);
        } else if sign.is_ascii_alphabetic() || sign == '_' {
            let length = length_of_path(rest);
            let (path, after) = rest.split_at(length);
            let line = line + tag[..at].matches('\n').count();
            let argument = after.trim_start().starts_with('=') && !after.trim_start().starts_with("==");
            let word = path.split('.').next().is_some_and(|first| WORDS.contains(&first));
            if !word && !matches!(before, '|' | '.') && !of_test && !after.trim_start().starts_with('(') && !argument {
                names.push(Name { line, path: path.split('.').collect() });
            }
            of_test = path == "is" || (of_test && path == "not");
            before = 'a';
            at += length;
        } else {
            if !sign.is_whitespace() {
                before = sign;
            }
            at += sign.len_utf8();
        }
    }
    names
}

/// How long the path is with which a text begins: names, with a dot between two.
fn length_of_path(text: &str) -> usize {
    let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut length = 0;
    loop {
        let rest = &text[length..];
        length += rest.find(|c| !of_name(c)).unwrap_or(rest.len());
        let next = text[length..].strip_prefix('.').and_then(|rest| rest.chars().next());
        if !next.is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
            return length;
        }
        length += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_words_filters_functions_arguments_and_texts() {
        let template = "a: {{ \"x y\" ~ one.two | default(value=three) | sha256 }}\n{% for a, b in four.five %}{{ a.c ~ b }}{% endfor %}\n\
            {%- if not six is defined and seven == \"z\" or eight[0].nine %}{{ labels(component=\"app\") }}{# ten #}{ eleven }{% endif %}\n\
            {{\n  \"a\"\n  ~ twelve }}";
        let names: Vec<(usize, String)> = used(template).iter().map(|name| (name.line, name.path.join("."))).collect();
        let expected =
            [(1, "one.two"), (1, "three"), (2, "four.five"), (3, "six"), (3, "seven"), (3, "eight"), (6, "twelve")];
        assert_eq!(names, expected.map(|(line, name)| (line, name.to_owned())));
    }

    #[test]
    fn what_a_schema_does_not_close_may_be_anything() {
        let known = json!({"parameters": shape(&json!({
            "properties": {"a": {"type": "string"}, "open": {"properties": {"b": {}}, "additionalProperties": true}},
            "additionalProperties": false,
        }))});
        for (path, message) in [
            (vec!["parameters", "a"], None),
            (vec!["parameters", "open", "x"], None),
            (vec!["parameters", "opn"], Some("Field `opn` is not defined; did you mean open?")),
            (vec!["paramaters", "a"], Some("Variable `paramaters` is not defined; did you mean parameters?")),
        ] {
            assert_eq!(unknown(&path, &known).as_deref(), message);
        }
    }
}
