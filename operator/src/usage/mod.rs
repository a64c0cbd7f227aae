//! How full volumes are, as the kubelets measure them; read only, from their `/metrics`.
//!
//! ```text
//! nodes (watched) ─► kubelet (one request each) ─► exposition ─► volumes (what is worth telling) ─► listener, of
//! ```
//!
//! A task beside the controller [asks](Usages::run) all kubelets in rounds; the controller reads
//! what is known without a request. Steps are coarse, so that no status is written for every file.

mod account;
mod exposition;
mod feed;
mod kubelet;
mod troubles;
mod volumes;

use crate::core::Bytes;

pub use account::{AccountSource, SERVICE_ACCOUNT};
pub use feed::Usages;

const MIB: u64 = 1 << 20;

/// What a volume's file system says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Used, the file system's own needs included.
    pub used: Bytes,
    /// What can still be written.
    pub available: Bytes,
    /// Files and folders, where the file system counts them.
    pub inodes: Option<Inodes>,
}

/// Files and folders of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inodes {
    /// Those that can be made in all.
    pub all: u64,
    /// Those that can still be made.
    pub free: u64,
}

impl Usage {
    /// What to report as used: what was `reported`, unless it is a step away, else whole MiB.
    pub fn used_since(&self, reported: Option<Bytes>) -> Bytes {
        let measured = self.used.get();
        reported
            .filter(|reported| reported.get().abs_diff(measured) < volumes::step(self))
            .unwrap_or_else(|| Bytes::new(measured.checked_next_multiple_of(MIB).unwrap_or(measured)))
    }
}

/// What is known of a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measurement {
    /// Not all kubelets were asked yet since the operator started.
    #[default]
    NotYet,
    /// None of them reports it, as when no pod uses it.
    Nothing,
    /// As it was measured, at most a step ago.
    Measured(Usage),
}

/// A claim to a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Claim {
    namespace: String,
    name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_reported_stands_until_it_is_a_step_away() {
        let measured = Usage { used: Bytes::new(100 * MIB + 1), available: Bytes::new(900 * MIB), inodes: None };
        let reported = |mib| measured.used_since(Some(Bytes::new(mib * MIB))).to_string();
        assert_eq!(measured.used_since(None).to_string(), "101Mi");
        assert_eq!([reported(95), reported(101), reported(109)], ["95Mi", "101Mi", "109Mi"]);
        assert_eq!([reported(89), reported(111), reported(0)], ["101Mi", "101Mi", "101Mi"]);
    }
}
