//! What the chart and Entities render, looked at with programs of others: kubeconform, checkov, promtool, and the Lua
//! that Argo CD runs. It needs no cluster.

mod argo_cd;
mod checkov;
mod kubeconform;
mod listed;
mod promtool;
mod rendered;
mod schemas;
mod values;

use std::future::Future;
use std::process::ExitCode;

use commonscloud_cluster::packages;
use commonscloud_e2e::Outcome;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let python = packages::find("python3").is_some();
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    if !python {
        eprintln!("checkov needs python3: not tried here");
    }
    let with_python = |trial: Trial| trial.with_ignored_flag(!python && !required);
    let trials = vec![
        trial("what is rendered and shown as an example is valid by the schemas of its kinds", || {
            wait(kubeconform::finds_nothing())
        }),
        trial("a field that a kind does not have, or of another type, is found", || {
            wait(kubeconform::finds_what_is_wrong())
        }),
        with_python(trial("checkov finds nothing that is not listed with its reason", || {
            wait(checkov::finds_nothing_unlisted())
        })),
        with_python(trial(
            "each container that loses its security context is found, whatever it stands beside",
            || wait(checkov::finds_each_container_without_security_context()),
        )),
        trial("the chart opens to the operator the ports that its values name, and no others", || {
            wait(values::egress_ports_are_opened())
        }),
        trial("the operator listens where the values of the chart say, and is asked there", || {
            wait(values::listens_where_it_is_told())
        }),
        trial("the alerting rules fire when their tests say so", || wait(promtool::rules_fire())),
        trial("an alerting rule that is none is found", || wait(promtool::a_broken_rule_is_found())),
        trial("what is listed and no longer found is told", listed::tells_what_is_no_longer_found),
        trial("argo cd waits for the first status of each of our kinds that has one", || {
            wait(argo_cd::waits_for_the_first_status())
        }),
        trial("argo cd shows what a status says", || wait(argo_cd::shows_what_a_status_says())),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trial(name: &'static str, run: fn() -> Outcome) -> Trial {
    Trial::test(name, move || run().map_err(|failure| Failed::from(failure.to_string())))
}

fn wait(check: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(check)
}
