//! cargo, asked by a program that cargo itself started.

use std::ffi::OsString;
use std::process::Command;

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
}
