//! The tier `control plane`: a real API server, simulated nodes, the operator as a process of this
//! machine with the chart's service account.

mod any_order;
mod crash;
mod deletion;
mod drift;
mod fleet;
mod habits;
mod leaves;
mod platform_secrets;
mod poison;
mod refusals;
mod restart;
mod rights;
mod rival;
mod status;
mod tier;
mod tiers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut scenarios = refusals::scenarios();
    scenarios.extend(tiers::scenarios());
    scenarios.extend(habits::scenarios());
    scenarios.extend(leaves::scenarios());
    scenarios.extend(rights::scenarios());
    scenarios.extend(status::scenarios());
    scenarios.extend(drift::scenarios());
    scenarios.extend(rival::scenarios());
    scenarios.extend(deletion::scenarios());
    scenarios.extend(any_order::scenarios());
    scenarios.extend(platform_secrets::scenarios());
    scenarios.extend(poison::scenarios());
    scenarios.extend(restart::scenarios());
    scenarios.extend(crash::scenarios());
    scenarios.extend(fleet::scenarios());
    commonscloud_e2e::suite::run::<tier::ControlPlane>(scenarios)
}
