//! The tier `control plane`: a real API server, simulated nodes, the operator as a process of this
//! machine with the chart's service account.

mod another_entity;
mod any_order;
mod backup;
mod backup_fleet;
mod canary;
mod collective;
mod contested;
mod crash;
mod deletion;
mod deletion_reported;
mod drift;
mod earlier_release;
mod faults;
mod fleet;
mod habits;
mod image_override;
mod leaves;
mod lost_data;
mod memory;
mod named_secrets;
mod people;
mod platform_secrets;
mod poison;
mod refusals;
mod refused;
mod releases;
mod restart;
mod restricted;
mod rights;
mod rival;
mod rollout;
mod status;
mod tier;
mod tiers;
mod totals;
mod two_operators;
mod unfit_platform;
mod unreadable;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut scenarios = refusals::scenarios();
    scenarios.extend(tiers::scenarios());
    scenarios.extend(totals::scenarios());
    scenarios.extend(habits::scenarios());
    scenarios.extend(leaves::scenarios());
    scenarios.extend(rights::scenarios());
    scenarios.extend(restricted::scenarios());
    scenarios.extend(status::scenarios());
    scenarios.extend(drift::scenarios());
    scenarios.extend(rival::scenarios());
    scenarios.extend(contested::scenarios());
    scenarios.extend(refused::scenarios());
    scenarios.extend(rollout::scenarios());
    scenarios.extend(deletion::scenarios());
    scenarios.extend(deletion_reported::scenarios());
    scenarios.extend(lost_data::scenarios());
    scenarios.extend(another_entity::scenarios());
    scenarios.extend(backup_fleet::scenarios());
    scenarios.extend(earlier_release::scenarios());
    scenarios.extend(any_order::scenarios());
    scenarios.extend(unfit_platform::scenarios());
    scenarios.extend(named_secrets::scenarios());
    scenarios.extend(platform_secrets::scenarios());
    scenarios.extend(canary::scenarios());
    scenarios.extend(people::scenarios());
    scenarios.extend(image_override::scenarios());
    scenarios.extend(unreadable::scenarios());
    scenarios.extend(restart::scenarios());
    scenarios.extend(crash::scenarios());
    scenarios.extend(backup::scenarios());
    scenarios.extend(collective::scenarios());
    scenarios.extend(faults::scenarios());
    scenarios.extend(poison::scenarios());
    scenarios.extend(two_operators::scenarios());
    scenarios.extend(releases::scenarios());
    scenarios.extend(fleet::scenarios());
    scenarios.extend(memory::scenarios());
    commonscloud_e2e::suite::run::<tier::ControlPlane>(scenarios)
}
