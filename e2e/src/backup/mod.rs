//! What scenarios of backups are made with.
//!
//! | module | what lives there |
//! |---|---|
//! | [`servers`] | a REST server, an S3 server and an SSH server as pods, and the Platform's targets that name them |
//! | [`runs`] | backups and restores of an Entity's services, waited for |
//! | [`outside`] | somebody with the private key and a way to a target |
//! | [`content`] | what an application holds, as it tells whoever asks |
//! | [`writer`] | somebody who writes meanwhile, and what became of it |
//! | [`wiki`], [`calendar`], [`office`] | applications as their people use them |

pub mod calendar;
pub mod content;
pub mod office;
pub mod outside;
pub mod runs;
pub mod servers;
pub mod wiki;
pub mod writer;
