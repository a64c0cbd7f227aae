//! Why a call was refused or failed, and the gRPC code that the standard gives to it.

use std::io;
use std::path::{Path, PathBuf};

use tonic::{Code, Status};

use super::command::CommandError;

/// One failed call. Every message names the thing and says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The request itself is wrong; repeating it cannot help.
    #[error("{0}")]
    Invalid(String),
    /// No image of that name.
    #[error("volume {0} does not exist on this node: create it first, or delete the object that names it")]
    UnknownVolume(String),
    /// The volume exists, but is not mounted where the call says.
    #[error("{0}")]
    NotMounted(String),
    /// The call is known, but with other properties.
    #[error("{0}")]
    Exists(String),
    /// The asked size cannot be served by any volume.
    #[error("{0}")]
    OutOfRange(String),
    /// No volume can be had here.
    #[error("{0}")]
    Exhausted(String),
    /// The host's disk is too small for what was asked.
    #[error("{directory} has room for {free} more bytes, {wanted} are needed: free space there or ask for less")]
    NoRoom {
        /// Where the images are.
        directory: PathBuf,
        /// Bytes not yet promised to any volume.
        free: u64,
        /// Bytes that the call needs in addition to what exists.
        wanted: u64,
        /// What the standard asks for: `RESOURCE_EXHAUSTED` on creation, `OUT_OF_RANGE` on growth.
        code: Code,
    },
    /// The state on the node forbids the call now.
    #[error("{0}")]
    Precondition(String),
    /// A program failed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The file system refused something.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The verb, as in "cannot create".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something that cannot happen did; the message helps to report it.
    #[error("{0}; please report this with the driver's log")]
    Internal(String),
}

impl Fault {
    /// Puts verb and path before an I/O error: `.map_err(Fault::io("create", path))`.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// The gRPC code that the standard gives to this failure.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            Self::UnknownVolume(_) | Self::NotMounted(_) => Code::NotFound,
            Self::Exists(_) => Code::AlreadyExists,
            Self::OutOfRange(_) => Code::OutOfRange,
            Self::Exhausted(_) => Code::ResourceExhausted,
            Self::NoRoom { code, .. } => *code,
            Self::Precondition(_) => Code::FailedPrecondition,
            Self::Command(_) | Self::Io { .. } | Self::Internal(_) => Code::Internal,
        }
    }
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        tracing::warn!(code = ?fault.code(), "{fault}");
        Self::new(fault.code(), fault.to_string())
    }
}
