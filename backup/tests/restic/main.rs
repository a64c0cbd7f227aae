//! The program against a real restic, in a folder and behind real servers on loopback.
//!
//! The tools are built from `e2e/kubernetes/` where they are not there yet; without Go the tests fail.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod care;
mod copy;
mod escrow;
mod exit;
mod failures;
mod files;
mod fixture;
mod interrupted;
mod noise;
mod records;
mod restores;
mod sealed;
mod server;
mod servers;
mod sizes;
mod strangers;
mod streams;
