//! Restores: what is restored in place is written to new claims, which take the place of the former ones in the
//! record; a part is written beside what is there. Pure: requests are made by the controller alone.
//!
//! | module | what lives there |
//! |---|---|
//! | `observed` | what one pass sees |
//! | `step`, `back` | what is next, by phase; how it ends |
//! | `elsewhere`, `part` | what is another service's beginning, and what stands beside what is there |
//! | `consent`, `copy` | what another Entity lets this one have; how it comes here |
//! | `choice`, `versions`, `tier` | which snapshot, whether there is room for it, whether it fits |
//! | `jobs`, `ran`, `again` | the Jobs of each phase, what they came to, which are tried once more |
//! | `claims` | the new claims, the record that names them or the former ones, the end of those that nobody names |
//! | `status` | the status of a restore |

mod again;
mod back;
mod choice;
mod claims;
mod consent;
mod copy;
mod elsewhere;
mod jobs;
mod observed;
mod part;
mod ran;
mod status;
mod step;
mod tier;
mod versions;
#[cfg(test)]
pub(crate) mod world;

pub(crate) use again::is_time;
pub(crate) use choice::{choose, room};
pub use claims::{
    Kept, NotThere, claim_objects, discard, next_claims, restored, restored_volumes, switch, switch_back,
};
pub use consent::{SeenConsent, consent_status};
pub use copy::Foreign;
pub use elsewhere::{AWAITED, is_relocatable};
pub use observed::{NewService, ObservedRestore, Room, SeenService, Whose};
pub(crate) use ran::end_all;
pub use status::restore_status;
pub use step::{Chosen, Learned, Step, next};
pub(crate) use step::{
    Flow, PATIENCE, ROOM, STARTS, failed, files, is_late, is_overdue, loaded_next, loading, patiently, preparing,
    subject, verifying,
};
pub(crate) use versions::may_add;
pub use versions::{Refusal, may_restore};

/// The finalizer of a restore from `Files` until what it made, or what it took the place of, is gone.
pub const RESTORE: &str = "commonscloud.coop/restore";
