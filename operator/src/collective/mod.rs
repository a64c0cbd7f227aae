//! Who belongs to an Entity, who may enter its services, and who changed what: what is next. Pure: requests are made
//! by the controller alone.
//!
//! Rights are no step of these: the Entity's own pass makes the Roles and RoleBindings, from the same objects, and
//! here it is waited until nobody has one who should not. So it is with an identity provider that is driven: it is
//! brought to what is wanted by a round of its own, and here it is waited until it has nobody who should not enter. Each
//! step can be killed in: the next pass sees what is there.
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
//! | `provider` | what one has of whoever is to have it no more; what is told while it is not brought to what is wanted |
//! | `bind` | the account of somebody who accepted, written once |
//! | `step` | which of all that comes first |
//! | `status` | what is reported |

mod bind;
mod facts;
mod history;
mod leave;
mod made;
mod named;
mod provider;
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

pub use bind::{Accepted, bound};
pub use facts::{Facts, former_entity};
pub use provider::{Lingering, lingering};
pub use status::{access_statuses, collective_status, request_status, verdict};
pub use step::{Step, next};
pub use wanted::{Wanted, WantedPerson, wanted};
