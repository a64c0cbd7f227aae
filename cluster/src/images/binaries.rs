//! Programs that go into images: from the cluster's tools, from this workspace, or one C file.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;
use super::description::Provenance;
use super::namespace::checked;
use crate::cargo::{self, Profile};
use crate::progress::Progress;
use crate::tools;

/// A program on this machine, or what it is compiled from.
#[derive(Debug)]
pub(super) enum Program {
    /// To be copied.
    File(PathBuf),
    /// To be compiled from this C file.
    C(PathBuf),
}

impl Program {
    /// The file whose content says whether the program is still the same.
    pub(super) fn source(&self) -> &Path {
        match self {
            Self::File(path) | Self::C(path) => path,
        }
    }

    /// Finds or builds the program. `image` is the image's folder, `source` that of this repository.
    pub(super) fn resolve(
        from: &Provenance,
        image: &Path,
        profile: Profile,
        source: &Path,
        progress: &Progress,
    ) -> Result<Self, Error> {
        match from {
            Provenance::Tool(tool) => tool_program(tool, source, progress).map(Self::File),
            Provenance::Cargo(package) => cargo_program(package, profile, source, progress).map(Self::File),
            Provenance::C(file) => Ok(Self::C(image.join(file))),
        }
    }

    /// Puts the program at `target`.
    pub(super) fn install(&self, target: &Path) -> Result<(), Error> {
        match self {
            Self::File(path) => std::fs::copy(path, target).map(drop).map_err(Error::io("copy", path)),
            Self::C(path) => {
                let mut compile = Command::new("cc");
                compile.args(["-static", "-Os", "-s", "-Wall", "-Werror", "-o"]).arg(target).arg(path);
                checked("compiling with cc (Debian packages gcc and libc6-dev)", &mut compile).map(drop)
            }
        }
    }
}

fn tool_program(tool: &str, source: &Path, progress: &Progress) -> Result<PathBuf, Error> {
    let (tool, program) = tool.split_once('/').unwrap_or((tool, tool));
    // Images are made on a thread where waiting is allowed.
    let built = tokio::runtime::Handle::current().block_on(tools::ensure(tool, source, progress))?;
    let path = built.program(program);
    // What is no program is put into the image all the same, for its script.
    if let Some(path) = [path.clone(), built.share(program)].into_iter().find(|path| path.is_file()) {
        return Ok(path);
    }
    let hint = format!("the tool {tool} is built from e2e/kubernetes/{tool}");
    Err(Error::MissingBinary { path, hint })
}

fn cargo_program(package: &str, profile: Profile, source: &Path, progress: &Progress) -> Result<PathBuf, Error> {
    let phase = progress.phase(format!("build {package}"));
    let program = match profile {
        Profile::Release => cargo::release(package, source)?,
        Profile::Dist => cargo::dist(&[package], source)?.remove(0),
    };
    phase.done();
    Ok(program)
}
