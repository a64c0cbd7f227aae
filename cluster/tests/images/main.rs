//! Starts what the images hold, in namespaces and without a container engine. Needs root.

#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod backup;
mod collabora;
mod container;
mod discourse;
mod exit;
mod http;
mod mariadb;
mod mediawiki;
mod nextcloud;
mod operations;
mod operations_postgres;
mod pause;
mod phorge;
mod postgres;
mod radicale;
mod redis;
mod unpack;
mod whiteouts;

use std::path::Path;
use std::sync::OnceLock;

use commonscloud_cluster::Progress;
use commonscloud_cluster::cargo::Profile;
use commonscloud_cluster::images::{self, BuiltImage};

/// Whether this machine can run these tests. In CI none may be left out.
fn can_run() -> bool {
    if nix::unistd::geteuid().is_root() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none(), "the images are tested as root");
    eprintln!("left out: the images are tested as root");
    false
}

/// Builds an image of this repository, once for all tests.
fn image(name: &str) -> &'static BuiltImage {
    static BUILT: OnceLock<Vec<BuiltImage>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let engines = ["pause", "postgres", "redis", "mariadb", "backup", "backup-server", "rest-server"];
        let applications = ["collabora", "discourse", "mediawiki", "nextcloud", "phorge", "radicale"];
        build(&[&engines[..], &applications[..]].concat(), &source)
    });
    built.iter().find(|image| image.name == name).unwrap()
}

fn build(names: &[&str], source: &Path) -> Vec<BuiltImage> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(images::build(names, Profile::Release, source, &Progress::silent())).unwrap()
}
