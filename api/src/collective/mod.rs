//! Who belongs to an Entity, who may enter its services, and who changed what. Belonging gives no access by itself.
//!
//! People stand in maps by an id of ours: one change is one patch of one key, and a freed user name or mail address at
//! an identity provider is nobody's way to what somebody else had.

mod access;
mod history;
mod leave;
mod membership;
mod person;

pub use access::{Access, AccessEntry, AccessRole, AccessSpec, AccessStatus, Guest};
pub use history::{AccessChange, AccessHistory, AccessHistorySpec, HistoryEntry};
pub use leave::{LeaveRequest, LeaveRequestSpec, LeaveRequestStatus};
pub use membership::{
    Collective, CollectiveManager, CollectiveSpec, CollectiveStatus, Member, MemberStatus, MembershipState,
};
pub use person::{Account, Removal};
