//! restic: how it is called, what its exit code and its words mean, what it answers.

mod call;
mod exit;
mod json;
mod made;
mod memory;
mod password;
mod read;
mod said;
mod server;
mod stream;
mod target;

pub use call::{Answer, Call, Output, PACKAGES, PACKAGES_PASSWORD, Restic};
pub use exit::{FAILED, INCOMPLETE, without_credentials};
pub use json::{Check, Config, FileStatus, Initialized, Restored, Snapshot, Summary, Version};
pub use made::{HOST, OF_THE_FILE_SYSTEM, backup, literal, stored};
pub use read::{MOST_OF_A_DOCUMENT, manifest, repository_id, snapshots, tagged};
pub use server::Server;
pub use stream::{file, is_unread, streamed};
