//! What the chart holds of the generated files is what is generated, its memory limit is what was measured,
//! and its own templates keep what people expect of a chart.

#![allow(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_operator::api::crd_files;
use commonscloud_operator::rbac;
use serde_json::{Map, Value};

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/commonscloud")
}

#[test]
fn the_chart_holds_the_crds_of_the_types() {
    let folder = chart().join("files/crds");
    let files = crd_files().unwrap();
    for file in &files {
        let committed = fs::read_to_string(folder.join(&file.name)).unwrap_or_default();
        assert!(committed == file.text, "charts/commonscloud/files/crds/{} is stale: run `make crds`", file.name);
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), files.len(), "a file of no kind: run `make crds`");
}

#[test]
fn the_chart_gives_the_operator_the_generated_roles() {
    let committed = fs::read_to_string(chart().join("files/rbac.yaml")).unwrap_or_default();
    let generated = serde_yaml::to_string_multiple(&rbac::roles()).unwrap();
    assert!(committed == generated, "charts/commonscloud/files/rbac.yaml is stale: run `make crds`");
}

/// The chart puts this annotation in by replacing text, so that the file stays as generated.
#[test]
fn each_crd_can_be_annotated_to_stay_when_the_chart_is_uninstalled() {
    for file in crd_files().unwrap() {
        assert_eq!(file.text.matches("metadata:\n  name:").count(), 1, "{}", file.name);
    }
}

/// The chart's own templates of objects: path and text.
fn templates() -> Vec<(PathBuf, String)> {
    let mut folders = vec![chart().join("templates")];
    let mut templates = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "yaml") {
                let text = fs::read_to_string(&path).unwrap();
                templates.push((path, text));
            }
        }
    }
    templates
}

#[test]
fn every_object_of_the_chart_is_labelled() {
    let mut objects = 0;
    for (path, text) in templates() {
        for document in text.split("\n---\n").filter(|document| document.contains("\nkind: ")) {
            objects += 1;
            let labelled = ["commonscloud.labels", "commonscloud.hookLabels"].iter().any(|labels| {
                document.contains(&format!("\n  labels: {{{{- include \"{labels}\" . | nindent 4 }}}}\n"))
            });
            assert!(labelled, "{}: an object has no labels:\n{document}", path.display());
        }
        if text.contains(".Files.Get") {
            assert!(text.contains("include \"commonscloud.labels\""), "{}: generated objects", path.display());
        }
    }
    assert!(objects > 20, "only {objects} objects were found");
}

#[test]
fn what_keeps_data_stays_when_the_chart_is_uninstalled() {
    let policies = fs::read_to_string(chart().join("templates/policies/keep-data.yaml")).unwrap();
    let kept = policies.matches("\n  annotations: {helm.sh/resource-policy: keep}\n").count();
    assert_eq!(kept, policies.matches("\nkind: ").count());
    // Helm would not take away what is kept: it has to be there in any case.
    assert!(!policies.contains("{{- if"), "turned off, a policy warns");
    let names = fs::read_to_string(chart().join("templates/_names.tpl")).unwrap();
    assert!(names.contains(r#"dict "helm.sh/resource-policy" "keep""#), "Platform and Tariffs stay");
}

#[test]
fn every_value_is_in_the_schema_with_a_description() {
    let schema: Value = serde_json::from_str(&fs::read_to_string(chart().join("values.schema.json")).unwrap()).unwrap();
    let values: Value = serde_yaml::from_str(&fs::read_to_string(chart().join("values.yaml")).unwrap()).unwrap();
    let described = |name: &str, schema: &Value| {
        assert!(schema["description"].as_str().is_some_and(|text| text.len() > 10), "{name}: no description");
    };
    for (name, value) in values.as_object().unwrap() {
        let known = &schema["properties"][name];
        described(name, known);
        for field in known["properties"].as_object().into_iter().flat_map(Map::keys) {
            described(&format!("{name}.{field}"), &known["properties"][field]);
        }
        if known["additionalProperties"] == false {
            for field in value.as_object().into_iter().flat_map(Map::keys) {
                assert!(known["properties"][field].is_object(), "{name}.{field} is not in the schema");
            }
        }
    }
}

/// The most memory that the operator had with 1000 instances, in MiB: of the last full run of `make bench`.
fn measured_peak() -> u64 {
    let file = chart().join("../../docs/performance.json");
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let restart = &report["details"]["restart"];
    ["peak_before_mib", "peak_mib"].iter().map(|field| restart[field].as_u64().unwrap()).max().unwrap()
}

#[test]
fn the_memory_limit_leaves_a_third_above_what_a_thousand_instances_took() {
    let text = fs::read_to_string(chart().join("values.yaml")).unwrap();
    let values: Value = serde_yaml::from_str(&text).unwrap();
    let limit = values["resources"]["limits"]["memory"].as_str().unwrap();
    let limit: u64 = limit.strip_suffix("Mi").unwrap().parse().unwrap();
    let peak = measured_peak();
    assert!(3 * peak <= 2 * limit, "resources.limits.memory {limit}Mi is less than one and a half times {peak} MiB");
    assert!(limit <= 3 * peak, "resources.limits.memory {limit}Mi is more than three times {peak} MiB: lower it");
    let told = format!("{peak} MiB");
    assert!(text.contains(&told), "values.yaml derives the limit from another figure than {told}");
}
