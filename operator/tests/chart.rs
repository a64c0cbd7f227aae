//! What the chart holds of the generated files is what is generated.

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_operator::api::crd_files;
use commonscloud_operator::rbac;

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
