//! The committed CRDs are those of the types, and say all that a schema can say.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_operator::api::{crd_files, crds};
use serde_json::Value;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_committed_crds_are_those_of_the_types() {
    let folder = repository().join("crds");
    let files = crd_files().unwrap();
    for file in &files {
        let committed = fs::read_to_string(folder.join(&file.name)).unwrap_or_default();
        assert!(committed == file.text, "crds/{} is stale: run `make crds`", file.name);
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len(), "crds/ holds a file of no kind: run `make crds`");
}

#[test]
fn what_is_written_as_yaml_reads_back_the_same() {
    for (crd, file) in crds().iter().zip(crd_files().unwrap()) {
        let read: Value = serde_yaml::from_str(&file.text).unwrap();
        assert_eq!(read, serde_json::to_value(crd).unwrap(), "{}", file.name);
    }
}

/// A part of a schema: where it stands, and what it says.
struct Field {
    path: String,
    schema: Value,
}

impl Field {
    fn is(&self, name: &str) -> bool {
        self.schema["type"] == name
    }

    /// Written by people: everything but the status, and the peers that Kubernetes itself defines.
    fn is_ours_to_bound(&self) -> bool {
        !self.path.contains(".status") && !self.path.contains(".network.")
    }
}

/// Every property and list item of every kind, below `spec` and `status`.
fn fields() -> Vec<Field> {
    let mut found = Vec::new();
    for crd in crds() {
        let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
        walk(&crd.spec.names.kind, &schema["openAPIV3Schema"], &mut found);
    }
    assert!(found.len() > 200, "the walk finds fields");
    found
}

fn walk(path: &str, schema: &Value, found: &mut Vec<Field>) {
    if let Some(properties) = schema["properties"].as_object() {
        for (name, property) in properties {
            let path = format!("{path}.{name}");
            found.push(Field { path: path.clone(), schema: property.clone() });
            walk(&path, property, found);
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if schema[key].is_object() {
            let path = format!("{path}{mark}");
            found.push(Field { path: path.clone(), schema: schema[key].clone() });
            walk(&path, &schema[key], found);
        }
    }
}

/// The paths of the fields that a rule finds fault with.
fn faults(rule: impl Fn(&Field) -> bool) -> Vec<String> {
    fields().iter().filter(|field| rule(field)).map(|field| field.path.clone()).collect()
}

#[test]
fn every_field_is_described() {
    let undescribed = faults(|field| {
        let item = field.path.ends_with(']') || field.path.ends_with('}');
        !item && field.schema["description"].as_str().is_none_or(str::is_empty)
    });
    assert_eq!(undescribed, [""; 0]);
}

#[test]
fn every_number_has_a_minimum_and_a_maximum() {
    let unbounded = faults(|field| {
        let number = field.is("integer") || field.is("number");
        let bounded = field.schema["minimum"].is_number() && field.schema["maximum"].is_number();
        number && !bounded && field.is_ours_to_bound()
    });
    assert_eq!(unbounded, [""; 0]);
}

#[test]
fn every_text_has_a_length_or_a_choice() {
    let unbounded = faults(|field| {
        let bounded = field.schema["maxLength"].is_number() || field.schema["enum"].is_array();
        field.is("string") && field.schema["format"] != "date-time" && !bounded && field.is_ours_to_bound()
    });
    assert_eq!(unbounded, [""; 0]);
}

#[test]
fn every_list_has_a_list_type_and_a_length() {
    let lists = |field: &Field| field.is("array") && !field.path.contains(".network.");
    assert_eq!(faults(|field| lists(field) && field.schema["x-kubernetes-list-type"].is_null()), [""; 0]);
    let endless = faults(|field| lists(field) && field.is_ours_to_bound() && field.schema["maxItems"].is_null());
    assert_eq!(endless, [""; 0]);
}

#[test]
fn the_top_level_lists_of_network_peers_are_replaced_as_a_whole() {
    let names = ["ingress", "dns", "public", "identityProvider", "mail"];
    let peers = names.map(|name| format!("Platform.spec.network.{name}"));
    assert_eq!(
        faults(|field| peers.contains(&field.path) && field.schema["x-kubernetes-list-type"] == "atomic").len(),
        peers.len()
    );
}

#[test]
fn every_kind_shows_whether_it_is_ready_and_how_old_it_is() {
    for crd in crds() {
        let columns: Vec<String> = crd.spec.versions[0]
            .additional_printer_columns
            .iter()
            .flatten()
            .map(|column| column.name.clone())
            .collect();
        assert!(columns.contains(&"Age".to_owned()), "{}", crd.spec.names.kind);
        let has_status =
            serde_json::to_value(&crd.spec.versions[0].schema).unwrap()["openAPIV3Schema"]["properties"]["status"]
                .is_object();
        assert_eq!(columns.contains(&"Ready".to_owned()), has_status, "{}", crd.spec.names.kind);
    }
}

#[test]
fn a_rule_that_compares_with_the_old_value_names_its_field() {
    for field in fields() {
        for rule in field.schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let message = rule["message"].as_str().unwrap_or_default();
            assert!(message.contains(": ") || message.contains("cannot be changed"), "{}: {message:?}", field.path);
        }
    }
}

/// A text with a pattern becomes a rule in words once `api/src/pattern.rs` has the words. Requests and limits
/// keep theirs: what a rule about them could cost is too much for Kubernetes 1.33.
#[test]
fn no_refusal_is_a_bare_regular_expression() {
    let is_figure = |field: &Field| field.schema["x-kubernetes-int-or-string"] == true;
    let bare = |field: &Field| field.schema["pattern"].is_string() && !is_figure(field);
    assert_eq!(faults(bare), [""; 0], "each needs a line in api/src/pattern.rs: what is allowed, and an example");
    // The API server has its own words for what is no host name, say, beside those of the rule.
    let formats = |field: &Field| field.is("string") && field.schema["format"].is_string() && field.is_ours_to_bound();
    assert_eq!(faults(formats), [""; 0], "a format is refused in words that do not say what is allowed");
}

/// Every rule, with the place of the schema that it stands at, those of whole objects included.
fn rules() -> Vec<(String, Value)> {
    let whole = crds().into_iter().map(|crd| Field {
        path: crd.spec.names.kind.clone(),
        schema: serde_json::to_value(&crd.spec.versions[0].schema).unwrap()["openAPIV3Schema"].clone(),
    });
    let of = |field: Field| {
        let rules = field.schema["x-kubernetes-validations"].as_array().cloned().unwrap_or_default();
        rules.into_iter().map(move |rule| (field.path.clone(), rule)).collect::<Vec<_>>()
    };
    whole.chain(fields()).flat_map(of).collect()
}

#[test]
fn a_rule_about_the_shape_of_a_text_has_an_example() {
    let shapes: Vec<_> =
        rules().into_iter().filter(|(_, rule)| rule["rule"].as_str().unwrap().contains(".matches(")).collect();
    assert!(shapes.len() > 50, "the walk finds rules: {}", shapes.len());
    for (path, rule) in shapes {
        let message = rule["message"].as_str().unwrap_or_default();
        assert!(message.contains("for example "), "{path}: {message:?}");
    }
}

/// The API server refuses a rule about what has no end, since it cannot tell what it costs.
#[test]
fn whatever_a_rule_reads_has_an_end() {
    let endless = faults(|field| {
        let checked = field.schema["x-kubernetes-validations"].is_array() && field.is_ours_to_bound();
        let endless = field.is("string") && field.schema["maxLength"].is_null();
        // Kubernetes 1.33 takes it for endless whatever its length.
        checked && (endless || field.schema["x-kubernetes-int-or-string"] == true)
    });
    assert_eq!(endless, [""; 0]);
    let maps = |field: &Field| field.schema["additionalProperties"].is_object() && field.is_ours_to_bound();
    assert_eq!(faults(|field| maps(field) && field.schema["maxProperties"].is_null()), [""; 0]);
}

/// What the rule says of `keepUntil`, as a schema.
fn keep_until() -> Value {
    let fields = fields();
    let field = fields.iter().find(|field| field.path == "ServiceData.spec.keepUntil").unwrap();
    let rule = field.schema["x-kubernetes-validations"][0]["rule"].as_str().unwrap();
    let pattern = rule.split('"').nth(1).unwrap();
    serde_json::json!({"pattern": pattern, "maxLength": field.schema["maxLength"]})
}

/// A date that is accepted and does not decode would hide the record from the operator (C1).
#[test]
fn a_date_that_the_schema_accepts_can_be_read() {
    let schema = keep_until();
    for refused in ["9999-12-31T23:59:59Z", "9999-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "12027-01-01T00:00:00Z"] {
        assert!(!jsonschema::is_valid(&schema, &Value::from(refused)), "{refused}");
    }
    for refused in ["2027-01-01", "2027-01-01T00:00:00", "2027-01-01 00:00:00Z", "2027-01-01T00:00:00+0100"] {
        assert!(!jsonschema::is_valid(&schema, &Value::from(refused)), "{refused}");
    }
    for day in ["1000-01-01", "2027-02-27", "2400-02-29", "9998-12-31"] {
        for time in ["00:00:00", "23:59:59", "23:59:59.999999999"] {
            for zone in ["Z", "+23:59", "-23:59", "+01:00"] {
                let date = format!("{day}T{time}{zone}");
                assert!(jsonschema::is_valid(&schema, &Value::from(date.as_str())), "{date}");
                let spec = serde_json::json!({
                    "owner": {"kind": "DedicatedOffice", "name": "office", "uid": "u"}, "template": "office", "keepUntil": date,
                });
                let read: commonscloud_operator::api::ServiceDataSpec = serde_json::from_value(spec).unwrap();
                assert!(read.keep_until.is_some());
            }
        }
    }
}
