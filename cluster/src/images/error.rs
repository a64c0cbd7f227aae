//! What can go wrong while an image is made, and what to do about it.

use std::path::{Path, PathBuf};

use crate::cargo;

/// Why an image could not be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("cannot {verb} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        verb: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// No image of that name.
    #[error("no image is called {name}: {path} does not exist (there are: {known})", path = path.display())]
    Unknown {
        /// The name asked for.
        name: String,
        /// The description that is not there.
        path: PathBuf,
        /// All names there are.
        known: String,
    },
    /// A description that cannot be understood.
    #[error("{path} is not a description of an image: {reason}", path = path.display())]
    Description {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with its line.
        reason: String,
    },
    /// Images from Debian packages need mounts, chroot and package installation.
    #[error(
        "building images from Debian packages needs root; run it as root, or use simulated nodes, which need no images"
    )]
    NotRoot,
    /// The machine's apt knows no Debian.
    #[error("apt on this machine has no Debian package source for {suite}; add one to /etc/apt and run apt-get update")]
    NoDebianSource {
        /// The release that this machine runs.
        suite: String,
    },
    /// A program that the build needs and that could not be installed.
    #[error("the program {program} is missing; install it with: apt-get install {package}")]
    MissingProgram {
        /// What was looked for in PATH.
        program: String,
        /// The Debian package that has it.
        package: String,
    },
    /// A binary that goes into an image was not there after it was built.
    #[error("{path} is missing: {hint}", path = path.display())]
    MissingBinary {
        /// Where it should be.
        path: PathBuf,
        /// How it gets there.
        hint: String,
    },
    /// A program of this source tree cannot be built.
    #[error(transparent)]
    Cargo(#[from] cargo::Error),
    /// A command failed.
    #[error("{step} failed ({status}); its last lines:\n{output}")]
    Command {
        /// What the command was for.
        step: String,
        /// Exit code or signal.
        status: String,
        /// The end of what it printed.
        output: String,
    },
    /// The cache folder is not known.
    #[error(transparent)]
    Folder(#[from] crate::folders::Error),
    /// A tool that goes into an image could not be built.
    #[error(transparent)]
    Tool(#[from] crate::tools::Error),
    /// The program is ending.
    #[error("the build of the images was interrupted")]
    Interrupted,
}

impl Error {
    /// For `map_err`: says what was tried on which path.
    pub(super) fn io(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { verb, path, source }
    }
}
