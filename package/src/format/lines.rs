//! On which line of a YAML text each field stands.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_yaml::Spanned;

/// Lines of fields, by path: `spec.volumes[1].size`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(BTreeMap<String, usize>);

impl Lines {
    /// The lines of a text that is YAML; none of one that is not.
    pub(crate) fn of(text: &str) -> Self {
        let mut lines = Self::default();
        if let Ok(node) = serde_yaml::from_str::<Node>(text) {
            lines.collect(&node, "");
        }
        lines
    }

    /// The line of a field, or of the nearest around it that is there.
    pub(crate) fn of_field(&self, field: &str) -> Option<usize> {
        let mut field = field;
        loop {
            if let Some(line) = self.0.get(field) {
                return Some(*line);
            }
            field = &field[..field.rfind(['.', '['])?];
        }
    }

    fn collect(&mut self, node: &Node, path: &str) {
        match node {
            Node::Map(fields) => {
                for (key, line, value) in fields {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    self.0.insert(path.clone(), *line);
                    self.collect(value, &path);
                }
            }
            Node::List(items) => {
                for (at, (line, item)) in items.iter().enumerate() {
                    let path = format!("{path}[{at}]");
                    self.0.insert(path.clone(), *line);
                    self.collect(item, &path);
                }
            }
            Node::Scalar => {}
        }
    }
}

/// A YAML value of which only the places are kept.
enum Node {
    Map(Vec<(String, usize, Node)>),
    List(Vec<(usize, Node)>),
    Scalar,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut fields = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            fields.push((key.value, line(&key.referenced), map.next_value()?));
        }
        Ok(Node::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Node>>()? {
            list.push((line(&item.referenced), item.value));
        }
        Ok(Node::List(list))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Node::Scalar)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Scalar)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Scalar)
    }
}

fn line(location: &serde_yaml::Location) -> usize {
    usize::try_from(location.line()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_its_line_and_what_is_missing_that_of_its_parent() {
        let lines =
            Lines::of("a: 1\nb:\n  c:\n    - {d: x}\n    - d: |\n        text\n      e: ~\n  \"f\": [1,\n   2]\n");
        for (field, line) in [
            ("a", Some(1)),
            ("b", Some(2)),
            ("b.c", Some(3)),
            ("b.c[0]", Some(4)),
            ("b.c[0].d", Some(4)),
            ("b.c[1]", Some(5)),
            ("b.c[1].e", Some(7)),
            ("b.c[1].missing", Some(5)),
            ("b.c[7]", Some(3)),
            ("b.f", Some(8)),
            ("b.f[1]", Some(9)),
            ("z", None),
        ] {
            assert_eq!(lines.of_field(field), line, "{field}");
        }
    }
}
