//! An identity provider that is driven: what it is to have, what it has, what is to be done about it. Pure but for
//! `keycloak`, which makes the requests.
//!
//! Our own objects are the truth. What somebody changes at the provider of what is ours is set right; what is not
//! ours, an administrator's clients and accounts say, is left alone. Whoever loses something loses it before
//! anybody gains anything. Each step can be killed in: the next look sees what is there.
//!
//! ```text
//! wanted ─┐
//!         ├─► difference ─► Step ─► Provider::carry_out ─► seen
//! seen ───┤
//!         └─► accepted ─► Binding
//! ```
//!
//! | module | what lives there |
//! |---|---|
//! | `wanted` | organizations, clients and people, as they are to be |
//! | `seen` | the same, as they are |
//! | `step` | what can be done, and what is seen once it is done |
//! | `difference` | what is to be done, in which order |
//! | `problems` | what cannot be done |
//! | `accepted` | who accepted an invitation, and how far the others are |
//! | `name` | texts that the provider takes |
//! | `provider` | what a provider can do |
//! | `keycloak` | the one that there is |

mod accepted;
mod difference;
mod keycloak;
mod name;
mod problems;
mod provider;
mod seen;
mod step;
mod wanted;

#[cfg(test)]
mod accepted_tests;
#[cfg(test)]
mod difference_tests;
#[cfg(test)]
mod fixtures;

pub use accepted::{Binding, Progress, accepted, progress};
pub use difference::difference;
pub use keycloak::{Door, Keycloak};
pub use name::client_of_flow;
pub use problems::{Problem, problems};
pub use provider::{Changes, Cursor, Provider, ProviderError};
pub use seen::{ClientSeen, FlowSeen, InvitationSeen, Membership, OrganizationSeen, Present, RoleSeen, Seen, UserSeen};
pub use step::{Made, Step};
pub use wanted::{ClientSecret, ClientWanted, OrganizationWanted, PersonKey, PersonWanted, RealmWanted, Role};
