//! Clusters come and go: up again is quick, down leaves nothing, and neither does an `up` that was
//! killed at any moment.

mod applied;
mod guided;
mod killed;
mod machine;
mod side_by_side;

use std::future::Future;
use std::process::ExitCode;

use commonscloud_e2e::Outcome;
use commonscloud_e2e::programs::Programs;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They look at the whole machine.
    arguments.test_threads = Some(1);
    let root = nix::unistd::geteuid().is_root();
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let real = |name, run: fn() -> Outcome| {
        Trial::test(name, move || run().map_err(Failed::from_outcome)).with_ignored_flag(!root && !required)
    };
    if !root {
        eprintln!("clusters with a real node need root: not tried here");
    }
    let trials = vec![
        simulated("two simulated clusters run side by side, and up again is quick", || {
            wait(side_by_side::two_simulated())
        }),
        simulated("what is applied with a cluster is waited for, and says why it is not ready", || {
            wait(applied::with_reasons())
        }),
        simulated("the page on writing a package leads from its first command to its last", || {
            wait(guided::simulated())
        }),
        simulated("a simulated cluster killed on its way leaves nothing after down", || wait(killed::simulated())),
        simulated("a cluster whose supervisor was killed is made anew", || wait(killed::supervisor())),
        real("a real and a simulated cluster run side by side", || wait(side_by_side::real_and_simulated())),
        real("a real cluster killed on its way leaves nothing after down", || wait(killed::real())),
    ];
    let conclusion = libtest_mimic::run(&arguments, trials);
    Programs::forget();
    conclusion.exit_code()
}

fn simulated(name: &'static str, run: fn() -> Outcome) -> Trial {
    Trial::test(name, move || run().map_err(Failed::from_outcome))
}

/// A failure as the test harness shows it.
trait FromOutcome {
    fn from_outcome(failure: commonscloud_e2e::Failure) -> Self;
}

impl FromOutcome for Failed {
    fn from_outcome(failure: commonscloud_e2e::Failure) -> Self {
        Self::from(failure.to_string())
    }
}

fn wait(scenario: impl Future<Output = Outcome>) -> Outcome {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(scenario)
}
