//! Drills: the newest backup of a service is restored into the namespace of drills, started, compared with what was
//! backed up, and removed. Nothing of the service itself is touched or stopped. Pure: requests are made by the
//! controller alone.
//!
//! | module | what lives there |
//! |---|---|
//! | `plan` | the service as it is drilled: its own plan in another namespace, closed both ways |
//! | `remains` | what is in that namespace, and its end |
//! | `observed` | what one pass sees |
//! | `step` | what is next, by phase: the restore's own steps, but for what is different |
//! | `schedule` | whose turn it is, and why a service is not proven |

mod observed;
mod plan;
mod remains;
mod schedule;
mod step;

pub use observed::ObservedDrill;
pub use plan::{copies, objects, owned, scratch};
pub use remains::Remains;
pub use schedule::{DrillTurn, DrillTurns, Drilled, drill_turns};
pub use step::next;
