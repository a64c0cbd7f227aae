//! Who belongs to an Entity, who may enter its services, and who changed what: what is next. Pure: requests are made
//! by the controller alone.
//!
//! Rights are no step of these: the Entity's own pass makes the Roles and RoleBindings, from the same objects, and
//! here it is waited until nobody has one who should not. Each step can be killed in: the next pass sees what is
//! there.
//!
//! | module | what lives there |
//! |---|---|
//! | `facts` | what one pass sees |
//! | `made` | the Collective and each Access, made once with the managers that the Entity names |
//! | `named` | who is named in the Entity and does not manage, and the other way round |
//! | `stamped` | since when, removed when, whose date has passed, who leaves with whom |
//! | `leave` | whoever wants to leave |
//! | `history` | what is told, in which month, and which months go |
//! | `taken` | entries that were removed, told, and give no right any more: they go |
//! | `wanted` | who is to enter what, as an identity provider is to have it |
//! | `step` | which of all that comes first |
//! | `status` | what is reported |

mod facts;
mod history;
mod leave;
mod made;
mod named;
mod stamped;
mod status;
mod step;
mod taken;
mod wanted;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod step_tests;

pub use facts::{Facts, former_entity};
pub use status::{access_statuses, collective_status, request_status, verdict};
pub use step::{Step, next};
pub use wanted::{Wanted, WantedPerson, wanted};
