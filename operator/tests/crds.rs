//! The committed CRDs are those of the types.

use std::fs;
use std::path::{Path, PathBuf};

use commonscloud_operator::api::crd_files;

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
