//! What the Jobs of backups and restores say to the operator: a [`report::Report`] in the termination message of
//! their container, the [`manifest::Manifest`] that a backup leaves at the target, and the platform's own
//! [`records::Records`] there. The program of the same name writes them; it drives [`restic`]. Feature `escrow`: keys
//! sealed to people, for that program and for whoever opens them. Feature `exit`: packages to leave with. The operator
//! does without both.

mod line;

#[cfg(feature = "escrow")]
pub mod escrow;
#[cfg(feature = "exit")]
pub mod exit;
pub mod manifest;
pub mod records;
pub mod report;
pub mod restic;
