//! Tera, set up so that a value can never be more than a value.

#![allow(clippy::needless_pass_by_value)] // Tera's functions and filters take their arguments so.

use std::cell::Cell;
use std::io::{self, Write};

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tera::{Context, ErrorKind, Kwargs, State, Tera};

use crate::engine::tags;
use crate::fault::Fault;
use crate::near;
use crate::rule::Rule;
use crate::text::{hexadecimal, json_text};

/// How many loop iterations one manifest may take.
const MOST_ITERATIONS: usize = 2_000;
/// How many numbers `range` makes.
const LONGEST_RANGE: i64 = 256;
/// How long a rendered manifest, or one value in it, may become, in bytes.
const LONGEST_OUTPUT: usize = 512 * 1024;

const TOO_LONG: &str = "the text becomes too long";
const NOT_OF_THE_FORMAT: &str = "is not part of the format";

thread_local! {
    /// Iterations that the rendering on this thread has left.
    static ITERATIONS_LEFT: Cell<usize> = const { Cell::new(0) };
}

/// Filters of Tera that mark text as safe, or make it grow without bound.
const REFUSED_FILTERS: [&str; 9] =
    ["safe", "escape", "escape_html", "escape_xml", "newlines_to_br", "indent", "title", "pluralize", "wordcount"];

/// The format's functions.
const FUNCTIONS: [&str; 3] = ["labels", "range", "selector"];

/// The format's filters: its own and Tera's, without those that are refused.
const FILTERS: [&str; 30] = [
    "abs",
    "capitalize",
    "default",
    "first",
    "float",
    "get",
    "group_by",
    "int",
    "join",
    "json_encode",
    "keys",
    "last",
    "length",
    "lower",
    "nth",
    "pairs",
    "replace",
    "reverse",
    "round",
    "sha256",
    "sort",
    "split",
    "str",
    "trim",
    "trim_end",
    "trim_start",
    "truncate",
    "unique",
    "upper",
    "values",
];

/// An engine without templates, with the format's functions and filters.
pub(crate) fn engine() -> Tera {
    let mut tera = Tera::new();
    tera.autoescape_on([""]);
    tera.set_escape_fn(|text, output| output.write_all(json_text(&Value::from(text)).as_bytes()));
    tera.register_filter("json_encode", json_encode);
    tera.register_filter("sha256", sha256);
    tera.register_filter("replace", replace);
    tera.register_filter("join", join);
    for name in REFUSED_FILTERS {
        tera.register_filter(name, move |_: tera::Value, _: Kwargs, _: &State| refused_filter(name));
    }
    tera.register_function("labels", labels);
    tera.register_function("selector", selector);
    tera.register_function("range", range);
    tera.register_function("__tick", tick);
    tera
}

/// Adds one manifest.
///
/// # Errors
/// Every tag that the format does not have, else what Tera's parser says.
pub(crate) fn add(tera: &mut Tera, name: &str, text: &str) -> Result<(), Vec<Fault>> {
    let ticked = tags::with_ticks(text).map_err(|faults| {
        faults.into_iter().map(|f| Fault::manifest(f.rule, name, Some(f.line), f.message)).collect::<Vec<_>>()
    })?;
    tera.add_raw_template(name, &ticked).map_err(|error| vec![fault(name, &error)])
}

/// The rendered text of one manifest.
///
/// # Errors
/// What Tera says with the line, or that the text or the loops become too long.
pub(crate) fn render(tera: &Tera, name: &str, context: &Context) -> Result<String, Fault> {
    ITERATIONS_LEFT.set(MOST_ITERATIONS);
    let mut output = Bounded(Vec::new());
    tera.render_to(name, context, &mut output).map_err(|error| fault(name, &error))?;
    String::from_utf8(output.0)
        .map_err(|_| Fault::manifest(Rule::RenderedYaml, name, None, "renders to bytes that are no text"))
}

fn fault(name: &str, error: &tera::Error) -> Fault {
    match error.kind() {
        ErrorKind::SyntaxError(report) | ErrorKind::RenderingError(report) => {
            let syntax = matches!(error.kind(), ErrorKind::SyntaxError(_));
            let message = report.message().trim();
            let line = Some(report.span().start_line);
            Fault::manifest(broken_rule(message, syntax), name, line, in_plain_words(message))
        }
        ErrorKind::Io(io::ErrorKind::FileTooLarge) => Fault::manifest(
            Rule::TeraBounds,
            name,
            None,
            format!("renders to more than {LONGEST_OUTPUT} bytes; split it into several manifests"),
        ),
        other => reported(name, &other.to_string()),
    }
}

/// Reads a message that Tera gives as a report: `error: MESSAGE`, then `--> NAME:LINE:COLUMN`.
fn reported(name: &str, report: &str) -> Fault {
    let message = report.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let place = report.split_once(&format!("--> {name}:")).map(|(_, place)| place);
    let line = place.and_then(|place| place.split(':').next()?.parse().ok());
    Fault::manifest(broken_rule(message, false), name, line, in_plain_words(message))
}

/// Tera's message; where a name is unknown, with the one that was meant, or those there are.
fn in_plain_words(message: &str) -> String {
    let name = message.split('`').nth(1).unwrap_or_default();
    if let Some((front, listed)) = message.split_once(" is not defined. Available ") {
        let known: Vec<&str> = listed.split_once(": ").map_or(listed, |(_, names)| names).split(", ").collect();
        let known: Vec<&str> = known.into_iter().filter(|known| !known.starts_with("__")).collect();
        return format!("{front} is not defined; {}", near::meant(name, &known));
    }
    let known: &[&str] = match message.strip_prefix("Unknown ").and_then(|rest| rest.split(' ').next()) {
        Some("filter") => &FILTERS,
        Some("function") => &FUNCTIONS,
        _ => return message.to_owned(),
    };
    format!("{message}; {}", near::meant(name, known))
}

/// Tera gives a message and no kind for what stands at a place.
fn broken_rule(message: &str, syntax: bool) -> Rule {
    let has = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
    if has(&["Unknown filter", "Unknown function", "Unknown test", "is not registered", NOT_OF_THE_FORMAT]) {
        Rule::TeraName
    } else if syntax {
        Rule::TeraSyntax
    } else if has(&[TOO_LONG, "loops take more than", "range makes at most"]) {
        Rule::TeraBounds
    } else {
        Rule::TeraValue
    }
}

/// A buffer that refuses to grow past [`LONGEST_OUTPUT`].
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST_OUTPUT {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn as_json(value: &tera::Value) -> Result<Value, tera::Error> {
    if value.is_undefined() {
        return Err(tera::Error::message("the value is not defined"));
    }
    serde_json::to_value(value).map_err(|error| tera::Error::message(format!("the value is no JSON: {error}")))
}

fn json_encode(value: &tera::Value, _: Kwargs, _: &State) -> Result<tera::Value, tera::Error> {
    Ok(tera::Value::safe_string(&json_text(&as_json(value)?)))
}

/// Sha256 of a text, or of a value's JSON, in hexadecimal: for checksums of a configuration.
fn sha256(value: &tera::Value, _: Kwargs, _: &State) -> Result<tera::Value, tera::Error> {
    let text = match value.as_str() {
        Some(text) => text.to_owned(),
        None => json_text(&as_json(value)?),
    };
    Ok(tera::Value::normal_string(&hexadecimal(&Sha256::digest(text))))
}

fn bounded(text: &str) -> Result<tera::Value, tera::Error> {
    if text.len() > LONGEST_OUTPUT {
        return Err(tera::Error::message(TOO_LONG));
    }
    Ok(tera::Value::normal_string(text))
}

fn replace(text: &str, arguments: Kwargs, _: &State) -> Result<tera::Value, tera::Error> {
    let (from, to) = (arguments.must_get::<&str>("from")?, arguments.must_get::<&str>("to")?);
    if text.len().saturating_mul(to.len().max(1)) > 16 * LONGEST_OUTPUT {
        return Err(tera::Error::message(TOO_LONG));
    }
    bounded(&text.replace(from, to))
}

fn join(values: &[tera::Value], arguments: Kwargs, _: &State) -> Result<tera::Value, tera::Error> {
    let separator = arguments.get::<&str>("sep")?.unwrap_or_default();
    let texts = values
        .iter()
        .map(|value| value.as_str().ok_or_else(|| tera::Error::message("join takes a list of texts")))
        .collect::<Result<Vec<_>, _>>()?;
    if texts.len().saturating_mul(separator.len()) > LONGEST_OUTPUT {
        return Err(tera::Error::message(TOO_LONG));
    }
    bounded(&texts.join(separator))
}

fn refused_filter(name: &str) -> Result<tera::Value, tera::Error> {
    Err(tera::Error::message(format!(
        "the filter {name} {NOT_OF_THE_FORMAT}; write {{{{ value }}}} for a text and {{{{ value | json_encode }}}} for anything else"
    )))
}

/// `labels(component="app")`: the labels of an object or pod, as JSON.
fn labels(arguments: Kwargs, state: &State) -> Result<tera::Value, tera::Error> {
    common_labels("labels", &arguments, state)
}

/// `selector(component="app")`: the labels that select a component's pods, as JSON. Without
/// `component`: all pods of the instance.
fn selector(arguments: Kwargs, state: &State) -> Result<tera::Value, tera::Error> {
    common_labels("selector", &arguments, state)
}

fn common_labels(which: &str, arguments: &Kwargs, state: &State) -> Result<tera::Value, tera::Error> {
    let known: tera::Value = state.get("__labels")?.ok_or_else(|| tera::Error::message("no labels are known"))?;
    let mut all = as_json(&known)?[which].clone();
    if let (Some(component), Value::Object(all)) = (arguments.get::<&str>("component")?, &mut all) {
        all.insert("app.kubernetes.io/component".to_owned(), Value::from(component));
    }
    Ok(tera::Value::safe_string(&json_text(&all)))
}

fn range(arguments: Kwargs, _: &State) -> Result<Vec<i64>, tera::Error> {
    let (start, end) = (arguments.get::<i64>("start")?.unwrap_or_default(), arguments.must_get::<i64>("end")?);
    if end.saturating_sub(start) > LONGEST_RANGE {
        return Err(tera::Error::message(format!("range makes at most {LONGEST_RANGE} numbers")));
    }
    Ok((start..end).collect())
}

fn tick(_: Kwargs, _: &State) -> Result<tera::Value, tera::Error> {
    let left = ITERATIONS_LEFT.get();
    if left == 0 {
        return Err(tera::Error::message(format!("loops take more than {MOST_ITERATIONS} turns in this manifest")));
    }
    ITERATIONS_LEFT.set(left - 1);
    Ok(tera::Value::safe_string(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_that_are_named_are_those_there_are() {
        for filter in FILTERS {
            let mut tera = engine();
            assert_eq!(add(&mut tera, "a", &format!("{{{{ 1 | {filter} }}}}")), Ok(()), "{filter}");
            assert!(!REFUSED_FILTERS.contains(&filter), "{filter}");
        }
    }
}
