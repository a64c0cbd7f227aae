//! cargo, asked by a program that cargo itself started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::tools::last_lines;

/// A program of this source tree cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no cargo.
    #[error("cargo cannot be run ({0}): install Rust with rustup, and see that `cargo` is in PATH")]
    NotStarted(std::io::Error),
    /// It did not compile.
    #[error("cargo build --release --bin {program} failed; its last lines:\n{tail}")]
    Failed {
        /// The program.
        program: String,
        /// What cargo said last.
        tail: String,
    },
}

/// Builds a program of this workspace in release, and says where it is.
///
/// # Errors
/// When there is no cargo, or it fails: its last lines.
pub fn release(program: &str, source: &Path) -> Result<PathBuf, Error> {
    let output = command()
        .args(["build", "--release", "--locked", "--message-format=json-render-diagnostics", "--bin", program])
        // Features are settled for all, so that dependencies of one program serve the other too.
        .arg("--workspace")
        .current_dir(source)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::NotStarted)?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let built = messages.lines().find_map(|line| executable(line, program)).filter(|_| output.status.success());
    built.ok_or_else(|| Error::Failed {
        program: program.to_owned(),
        tail: last_lines(&String::from_utf8_lossy(&output.stderr), 15),
    })
}

/// The path of the executable that one of cargo's messages tells of.
fn executable(message: &str, name: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_wanted = message["target"]["name"] == name && message["target"]["kind"][0] == "bin";
    is_wanted.then(|| message["executable"].as_str()).flatten().map(PathBuf::from)
}

/// `cargo` as at a shell's prompt.
///
/// What `cargo run` and `cargo test` tell their program of its own package is taken away: build
/// scripts of dependencies look at it, and would run anew, with all that depends on them.
pub fn command() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for name in of_this_package(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        cargo.env_remove(name);
    }
    cargo
}

fn of_this_package(names: impl Iterator<Item = String>) -> Vec<String> {
    let told = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    names.filter(|name| told.iter().any(|prefix| name.starts_with(prefix))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_tells_of_a_package_is_kept_from_another_build() {
        let names = ["CARGO_PKG_NAME", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR", "PATH"];
        let kept_away = of_this_package(names.iter().map(ToString::to_string));
        assert_eq!(kept_away, ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"]);
    }

    #[test]
    fn the_executable_is_read_from_cargos_messages() {
        let library = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"op"},"executable":null}"#;
        let binary = r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"op"},"executable":"/t/op"}"#;
        assert_eq!(executable(library, "op"), None);
        assert_eq!(executable(binary, "op"), Some(PathBuf::from("/t/op")));
        assert_eq!(executable(binary, "other"), None);
        assert_eq!(executable("not json", "op"), None);
    }
}
