//! The tier `node`: a real node, as root, the operator as a pod from the chart with the chart's own
//! rights, applications answering over TLS from volumes that enforce their quota.

mod acme;
mod agora;
mod backup;
mod broken;
mod calendar;
mod combinations;
mod exact_quota;
mod fixed_volume;
mod growing_database;
mod growth_taken_back;
mod installed;
mod isolation;
mod kept_data;
mod killed_database;
mod late_database;
mod named_ports;
mod office;
mod package;
mod projects;
mod proxy_protocol;
mod settings;
mod sign_in;
mod stuck_pod;
mod tier;
mod tight_network;
mod traps;
mod tried_package;
mod uploads;
mod wiki;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut scenarios = acme::scenarios();
    scenarios.extend(named_ports::scenarios());
    scenarios.extend(sign_in::scenarios());
    scenarios.extend(office::scenarios());
    scenarios.extend(backup::scenarios());
    scenarios.extend(installed::scenarios());
    scenarios.extend(exact_quota::scenarios());
    scenarios.extend(growing_database::scenarios());
    scenarios.extend(fixed_volume::scenarios());
    scenarios.extend(growth_taken_back::scenarios());
    scenarios.extend(stuck_pod::scenarios());
    scenarios.extend(calendar::scenarios());
    scenarios.extend(kept_data::scenarios());
    scenarios.extend(tight_network::scenarios());
    scenarios.extend(isolation::scenarios());
    scenarios.extend(traps::scenarios());
    scenarios.extend(tried_package::scenarios());
    scenarios.extend(settings::scenarios());
    scenarios.extend(uploads::scenarios());
    scenarios.extend(killed_database::scenarios());
    scenarios.extend(agora::scenarios());
    scenarios.extend(projects::scenarios());
    scenarios.extend(wiki::scenarios());
    scenarios.extend(proxy_protocol::scenarios());
    scenarios.extend(combinations::scenarios());
    commonscloud_e2e::suite::run::<tier::Node>(scenarios)
}
