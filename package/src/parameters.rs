//! The parameters of instances: a JSON schema, with its defaults filled in.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::{Map, Value};

use crate::fault::field_path;

/// How many bytes of JSON an instance's parameters may take.
const LARGEST: usize = 64 * 1024;

/// The parameters that a package takes.
pub(crate) struct Parameters {
    schema: Value,
    validator: Validator,
}

/// What the schema does not accept, field by field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct ParameterError {
    /// One line per field: `phoneRegion: what is wrong`.
    pub problems: Vec<String>,
}

impl Parameters {
    /// Reads a package's schema; null stands for no parameters at all.
    ///
    /// # Errors
    /// What is wrong with the schema, and in which field of the package.
    pub(crate) fn new(schema: &Value) -> Result<Self, (String, String)> {
        let schema = match schema {
            Value::Null => serde_json::json!({"type": "object", "additionalProperties": false}),
            other => other.clone(),
        };
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(("spec.parameters.type".to_owned(), "parameters: the schema must say type: object".to_owned()));
        }
        // The regex engine cannot backtrack: a value never makes a check slow.
        let validator = jsonschema::options()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&schema)
            .map_err(|error| {
                let field = field_path(error.instance_path().as_str());
                (format!("spec.parameters{field}"), format!("parameters{field}: {error}"))
            })?;
        Ok(Self { schema, validator })
    }

    /// Example values to try the manifests with: those of the schema's `examples`, and none at all
    /// where the schema accepts that.
    ///
    /// Each with the field of the package that it comes from.
    pub(crate) fn examples(&self) -> Vec<(String, Value)> {
        let listed = self.schema.get("examples").and_then(Value::as_array).into_iter().flatten().cloned();
        let listed = listed.enumerate().map(|(at, example)| (format!("spec.parameters.examples[{at}]"), example));
        let empty = Value::Object(Map::new());
        let empty = self.validate(&empty).is_ok().then(|| ("spec.parameters".to_owned(), empty));
        empty.into_iter().chain(listed).collect()
    }

    /// The parameters with defaults filled in.
    ///
    /// # Errors
    /// Every field that the schema does not accept.
    pub(crate) fn validate(&self, parameters: &Value) -> Result<Value, ParameterError> {
        let mut filled = match parameters {
            Value::Null => Value::Object(Map::new()),
            other => other.clone(),
        };
        if filled.to_string().len() > LARGEST {
            return Err(ParameterError { problems: vec![format!("at most {LARGEST} bytes")] });
        }
        fill_defaults(&self.schema, &mut filled);
        let problems: Vec<String> = self.validator.iter_errors(&filled).map(|error| self.problem(&error)).collect();
        if problems.is_empty() { Ok(filled) } else { Err(ParameterError { problems }) }
    }

    /// What is wrong with a field, and what is allowed there; beside a pattern stands the description.
    fn problem(&self, error: &ValidationError<'_>) -> String {
        let schema = error.schema_path().as_str().rsplit_once('/').and_then(|(of, _)| self.schema.pointer(of));
        let says = schema.and_then(|schema| schema.get("description")?.as_str());
        let what = match (error.kind(), schema, says) {
            (ValidationErrorKind::AdditionalProperties { unexpected }, Some(schema), _) => unknown(unexpected, schema),
            (ValidationErrorKind::FalseSchema, ..) => "takes no parameters; leave them out".to_owned(),
            (ValidationErrorKind::Pattern { .. }, _, Some(says)) => {
                let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
                format!("{error} ({says})")
            }
            _ => error.to_string(),
        };
        let field = error.instance_path().as_str().trim_start_matches('/').replace('/', ".");
        if field.is_empty() { what } else { format!("{field}: {what}") }
    }
}

/// Fields that an object does not have, and those that it has.
fn unknown(fields: &[String], schema: &Value) -> String {
    let known = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let known: Vec<&str> = known.map(|(name, _)| name.as_str()).collect();
    format!("there is no {}; allowed: {}", fields.join(", no "), known.join(", "))
}

/// The fields of objects in the schema that do not say what becomes of unknown properties.
pub(crate) fn open_objects(schema: &Value, field: &str) -> Vec<String> {
    let mut open = Vec::new();
    let Value::Object(keys) = schema else { return open };
    let properties = keys.get("properties").and_then(Value::as_object);
    let is_object = properties.is_some() || keys.get("type").is_some_and(|kind| kind == "object");
    if is_object && !["additionalProperties", "unevaluatedProperties"].iter().any(|key| keys.contains_key(*key)) {
        open.push(field.to_owned());
    }
    for (name, property) in properties.into_iter().flatten() {
        open.extend(open_objects(property, &format!("{field}.properties.{name}")));
    }
    if let Some(items) = keys.get("items") {
        open.extend(open_objects(items, &format!("{field}.items")));
    }
    open
}

/// Puts each property's `default` where the value has none, from the outside in.
fn fill_defaults(schema: &Value, value: &mut Value) {
    let Value::Object(fields) = value else { return };
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        if !fields.contains_key(name)
            && let Some(default) = property.get("default")
        {
            fields.insert(name.clone(), default.clone());
        }
        if let Some(field) = fields.get_mut(name) {
            fill_defaults(property, field);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_parameter_is_told_what_there_is() {
        let oidc =
            json!({"type": "object", "additionalProperties": false, "properties": {"issuer": {"type": "string"}}});
        let region = json!({"type": "string", "pattern": "^[A-Z]{2}$", "description": "A country,\n  for example ES."});
        let schema = json!({
            "type": "object", "additionalProperties": false, "properties": {"oidc": oidc, "region": region},
        });
        let problems = |schema: &Value, parameters: Value| {
            Parameters::new(schema).unwrap().validate(&parameters).unwrap_err().problems
        };
        let of = |parameters: Value| problems(&schema, parameters);
        assert_eq!(of(json!({"regoin": "ES"})), ["there is no regoin; allowed: oidc, region"]);
        assert_eq!(of(json!({"oidc": {"isuer": "x"}})), ["oidc: there is no isuer; allowed: issuer"]);
        assert_eq!(
            of(json!({"region": "es"})),
            ["region: \"es\" does not match \"^[A-Z]{2}$\" (A country, for example ES.)"]
        );
        assert_eq!(of(json!({"region": 5})), ["region: 5 is not of type \"string\""]);
        assert_eq!(problems(&Value::Null, json!({"a": 1})), ["takes no parameters; leave them out"]);
    }
}
