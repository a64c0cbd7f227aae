//! The CSI driver over its sockets, with real loop devices and mounts.
//!
//! Needs root and xfsprogs, and is skipped with a word about it otherwise. Each test starts itself once more in a
//! mount namespace of its own, so that nothing of it reaches the host, whatever happens.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod crash;
mod fixture;
mod lifecycle;
mod refusals;
mod sizes;
