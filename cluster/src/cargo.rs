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
    #[error("cargo build --bin {program} failed; its last lines:\n{tail}")]
    Failed {
        /// The program, or several.
        program: String,
        /// What cargo said last.
        tail: String,
    },
}

/// How a program is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Profile {
    /// Quickly, and together with the tests: what the demo and CI run.
    Release,
    /// Thoroughly, and with no feature that only tests need: what is published and measured.
    #[default]
    Dist,
}

/// Builds a program of this workspace in release, and says where it is.
///
/// # Errors
/// When there is no cargo, or it fails: its last lines.
pub fn release(program: &str, source: &Path) -> Result<PathBuf, Error> {
    // Features are settled for all, so that dependencies of one program serve the other too.
    build(&["--release", "--workspace"], &[program], source)?.pop().ok_or_else(|| failed(&[program], ""))
}

/// Builds programs of this workspace, each of the package of its own name, as they are published, and
/// says where they are.
///
/// # Errors
/// When there is no cargo, or it fails: its last lines.
pub fn dist(programs: &[&str], source: &Path) -> Result<Vec<PathBuf>, Error> {
    // Features are settled for these packages alone: what only tests ask for is not in them.
    let packages = programs.iter().flat_map(|program| ["--package", program]);
    let words: Vec<&str> = ["--profile", "dist"].into_iter().chain(packages).collect();
    build(&words, programs, source)
}

fn build(words: &[&str], programs: &[&str], source: &Path) -> Result<Vec<PathBuf>, Error> {
    let output = command()
        .args(["build", "--locked", "--message-format=json-render-diagnostics"])
        .args(words)
        .args(programs.iter().flat_map(|program| ["--bin", program]))
        .current_dir(source)
        .stdin(Stdio::null())
        .output()
        .map_err(Error::NotStarted)?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let path = |program: &&str| messages.lines().find_map(|line| executable(line, program));
    let built: Option<Vec<PathBuf>> = programs.iter().map(path).collect();
    built
        .filter(|_| output.status.success())
        .ok_or_else(|| failed(programs, &last_lines(&String::from_utf8_lossy(&output.stderr), 15)))
}

fn failed(programs: &[&str], tail: &str) -> Error {
    Error::Failed { program: programs.join(" --bin "), tail: tail.to_owned() }
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
    // Told to the tests of a package with a build script.
    names.filter(|name| name == "OUT_DIR" || told.iter().any(|prefix| name.starts_with(prefix))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_tells_of_a_package_is_kept_from_another_build() {
        let names = ["CARGO_PKG_NAME", "CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR", "OUT_DIR", "PATH"];
        let kept_away = of_this_package(names.iter().map(ToString::to_string));
        assert_eq!(kept_away, ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR", "OUT_DIR"]);
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
