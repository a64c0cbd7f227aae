//! The parameters of instances: a JSON schema, with its defaults filled in.

use jsonschema::Validator;
use serde_json::{Map, Value};

/// How many bytes of JSON an instance's parameters may take.
const LARGEST: usize = 64 * 1024;

/// The parameters that a package takes.
pub(super) struct Parameters {
    schema: Value,
    validator: Validator,
}

/// What the schema does not accept, field by field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .problems.join("; "))]
pub struct ParameterError {
    /// One line per field: `parameters.phoneRegion: what is wrong`.
    pub problems: Vec<String>,
}

impl Parameters {
    /// Reads a package's schema; null stands for no parameters at all.
    ///
    /// # Errors
    /// What is wrong with the schema.
    pub(super) fn new(schema: &Value) -> Result<Self, String> {
        let schema = match schema {
            Value::Null => serde_json::json!({"type": "object", "additionalProperties": false}),
            other => other.clone(),
        };
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("parameters: the schema must say type: object".to_owned());
        }
        // The regex engine cannot backtrack: a value never makes a check slow.
        let validator = jsonschema::options()
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .build(&schema)
            .map_err(|error| format!("parameters: {error}"))?;
        Ok(Self { schema, validator })
    }

    /// Example values to try the manifests with: those of the schema's `examples`, and none at all
    /// where the schema accepts that.
    pub(super) fn examples(&self) -> Vec<Value> {
        let listed = self.schema.get("examples").and_then(Value::as_array).into_iter().flatten().cloned();
        let empty = Value::Object(Map::new());
        let mut examples: Vec<Value> = listed.collect();
        if self.validate(&empty).is_ok() {
            examples.insert(0, empty);
        }
        examples
    }

    /// The parameters with defaults filled in.
    ///
    /// # Errors
    /// Every field that the schema does not accept.
    pub(super) fn validate(&self, parameters: &Value) -> Result<Value, ParameterError> {
        let mut filled = match parameters {
            Value::Null => Value::Object(Map::new()),
            other => other.clone(),
        };
        if filled.to_string().len() > LARGEST {
            return Err(ParameterError { problems: vec![format!("parameters: at most {LARGEST} bytes")] });
        }
        fill_defaults(&self.schema, &mut filled);
        let problems: Vec<String> = self.validator.iter_errors(&filled).map(|error| problem(&error)).collect();
        if problems.is_empty() { Ok(filled) } else { Err(ParameterError { problems }) }
    }
}

fn problem(error: &jsonschema::ValidationError<'_>) -> String {
    format!("parameters{}: {error}", error.instance_path().as_str().replace('/', "."))
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
