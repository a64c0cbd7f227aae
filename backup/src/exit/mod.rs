//! An exit package: all that an Entity has in its services, as plain files that need neither this software nor
//! Kubernetes. It is made from backups that are there, wherever their target is read.
//!
//! | file | what it is |
//! |---|---|
//! | `README.md`, `LLEGIU-ME.md` | how to go on with it, in English and Catalan |
//! | `SERVICE/dump.sql` | the database |
//! | `SERVICE/files/VOLUME.tar` | the files of a volume |
//! | `SERVICE/files/VOLUME.sha256` | the hash of each file in it, for `sha256sum --check` |
//! | `SERVICE/secrets.tar` | the generated passwords and keys, `./SECRET/KEY` |
//! | `SERVICE/state.txt` | what the package's `verify` made of the database: tables with counts and hashes |
//! | `manifest.json` | an [`ExitManifest`] |
//! | `SHA256SUMS` | the hash of each file above, for `sha256sum --check`; written last |
//!
//! Sealed to recipients, each file of a service is called `….age`.
//!
//! A run with `format: Exit` makes the same of one service as one file ([`seal()`]): the tar of such a folder, sealed as a
//! whole, in a repository beside the service's own, from where [`fetch()`] brings it and [`unseal()`] makes the folder again.

mod archive;
mod entries;
mod fetch;
mod folder;
mod guide;
mod hashed;
mod layout;
mod open;
mod pack;
mod part;
mod seal;
mod unfinished;
mod unseal;
mod verify;

pub use fetch::{NAME_TAG, PACKAGE_TAG, fetch, file_of};
pub use folder::{Folder, Found};
pub use hashed::{Written, hash, is_recipient};
pub use layout::{
    AGAIN, EXIT_VERSION, Engine, ExitFile, ExitFileKind, ExitManifest, ExitRepository, ExitService, MANIFEST, SUMS,
};
pub use open::open;
pub use pack::{Source, pack};
pub use seal::seal;
pub use unfinished::unfinished;
pub use unseal::{unseal, unseal_from};
pub use verify::{Verified, verify};
