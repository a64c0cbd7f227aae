//! Reads a value as a type, and notes on the way what serde's own message leaves out: the path of
//! what has the wrong type, and every field that the type does not have.

use std::cell::RefCell;
use std::fmt;

use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::{Map, Value};

use crate::near;

/// Fields that every object has, whether its type keeps them or not.
const OF_EVERY_OBJECT: [&str; 2] = ["apiVersion", "kind"];

/// A place in a value that does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The path, for example `spec.ports[0].port`.
    pub(crate) path: String,
    /// What is wrong there, and what is allowed.
    pub(crate) message: String,
}

/// What became of reading a value as a type.
pub(crate) struct Reading<K> {
    /// The typed value, or the first place that has another type.
    pub(crate) typed: Result<K, Misfit>,
    /// Every field that there is no place for.
    pub(crate) unknown: Vec<Misfit>,
}

/// Reads a value as a type.
pub(crate) fn read<'v, K: Deserialize<'v>>(value: &'v Value) -> Reading<K> {
    let unknown = RefCell::new(Vec::new());
    let typed = K::deserialize(Node { value, path: String::new(), unknown: &unknown });
    let typed = typed.map_err(|error| Misfit { path: error.path.unwrap_or_default(), message: error.message });
    Reading { typed, unknown: unknown.into_inner() }
}

/// A value and where it stands.
struct Node<'v, 'n> {
    value: &'v Value,
    path: String,
    unknown: &'n RefCell<Vec<Misfit>>,
}

impl<'v, 'n> Node<'v, 'n> {
    fn child(&self, path: String, value: &'v Value) -> Node<'v, 'n> {
        Node { value, path, unknown: self.unknown }
    }

    fn field(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn note_unknown(&self, fields: &Map<String, Value>, known: &[&str]) {
        let everywhere: &[&str] = if self.path.is_empty() { &OF_EVERY_OBJECT } else { &[] };
        for key in fields.keys().filter(|key| !known.contains(&key.as_str()) && !everywhere.contains(&key.as_str())) {
            let message = format!("no such field; {}", near::meant(key, known));
            self.unknown.borrow_mut().push(Misfit { path: self.field(key), message });
        }
    }
}

impl<'de> Deserializer<'de> for Node<'de, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.value;
        match value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(truth) => visitor.visit_bool(*truth),
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(number), _, _) => visitor.visit_u64(number),
                (_, Some(number), _) => visitor.visit_i64(number),
                (_, _, number) => visitor.visit_f64(number.unwrap_or_default()),
            },
            Value::Array(items) => visitor.visit_seq(Items { node: self, items: items.iter().enumerate() }),
            Value::Object(fields) => visitor.visit_map(Fields { node: self, entries: fields.iter(), value: None }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.value.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        known: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Value::Object(fields) = self.value {
            self.note_unknown(fields, known);
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.value {
            Value::String(text) => visitor.visit_enum(text.as_str().into_deserializer()),
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'v, 'n> {
    node: Node<'v, 'n>,
    items: std::iter::Enumerate<std::slice::Iter<'v, Value>>,
}

impl<'v> SeqAccess<'v> for Items<'v, '_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((at, item)) = self.items.next() else { return Ok(None) };
        let path = format!("{}[{at}]", self.node.path);
        seed.deserialize(self.node.child(path.clone(), item)).map(Some).map_err(|error| error.at(path))
    }
}

struct Fields<'v, 'n> {
    node: Node<'v, 'n>,
    entries: serde_json::map::Iter<'v>,
    value: Option<(&'v str, &'v Value)>,
}

impl<'v> MapAccess<'v> for Fields<'v, '_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'v>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some((key, value));
        seed.deserialize(key.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'v>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let (key, value) = self.value.take().ok_or_else(|| Error::saying("a value without its key".to_owned()))?;
        let path = self.node.field(key);
        seed.deserialize(self.node.child(path.clone(), value)).map_err(|error| error.at(path))
    }
}

/// What serde says, in plain words, and where.
#[derive(Debug)]
struct Error {
    path: Option<String>,
    message: String,
}

impl Error {
    fn saying(message: String) -> Self {
        Self { path: None, message }
    }

    /// The innermost place is the one that counts.
    fn at(mut self, path: String) -> Self {
        self.path.get_or_insert(path);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::saying(message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::saying(format!("must be {}, and is {}", wanted(&expected.to_string()), shown(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        <Self as de::Error>::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        Self::saying(format!("must be one of {}, and is {found}", expected.join(", ")))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::saying(format!("needs {field}"))
    }
}

/// What a visitor expects, as people say it.
fn wanted(expected: &str) -> String {
    let plain = match expected {
        "i8" | "i16" | "i32" | "i64" | "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" | "string" => "a text",
        "a boolean" | "bool" => "true or false",
        "a sequence" => "a list",
        "a map" => "a map of names to values",
        other => return format!("a map with the fields of {}", other.trim_start_matches("struct ")),
    };
    plain.to_owned()
}

fn shown(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(truth) => truth.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(text) => format!("the text {text:?}"),
        Unexpected::Unit | Unexpected::Option => "empty".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a map".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ResourceRequirements, Service};
    use serde_json::json;

    use super::*;

    fn misfit(path: &str, message: &str) -> Misfit {
        Misfit { path: path.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn what_has_the_wrong_type_is_named_by_its_path() {
        for (ports, path, message) in [
            (json!([{"port": "80"}]), "spec.ports[0].port", "must be a whole number, and is the text \"80\""),
            (json!({"port": 80}), "spec.ports", "must be a list, and is a map"),
            (json!([{"port": 80, "name": true}]), "spec.ports[0].name", "must be a text, and is true"),
            (json!([80]), "spec.ports[0]", "must be a map with the fields of ServicePort, and is 80"),
        ] {
            let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"ports": ports}});
            assert_eq!(read::<Service>(&object).typed.unwrap_err(), misfit(path, message));
        }
    }

    #[test]
    fn every_unknown_field_is_named_with_what_is_near() {
        let object = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"nam": "a"},
            "spec": {"ports": [{"port": 80, "targetPrt": "http"}]}, "foo": {}});
        let reading = read::<Service>(&object);
        assert!(reading.typed.is_ok());
        let mut unknown = reading.unknown;
        unknown.sort_by(|a, b| a.path.cmp(&b.path));
        assert_eq!(
            unknown,
            [
                misfit("foo", "no such field; there are: apiVersion, kind, metadata, spec, status"),
                misfit("metadata.nam", "no such field; did you mean name?"),
                misfit("spec.ports[0].targetPrt", "no such field; did you mean targetPort?"),
            ]
        );
    }

    #[test]
    fn a_good_value_is_read_as_serde_json_reads_it() {
        let value = json!({"requests": {"cpu": "50m", "memory": 64}, "limits": {"memory": "1Gi"}});
        let expected: Result<ResourceRequirements, _> = serde_json::from_value(value.clone());
        assert_eq!(read::<ResourceRequirements>(&value).typed.ok(), expected.ok());
    }
}
