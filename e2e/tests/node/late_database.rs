//! A database that is 15 seconds late: what the packages wait for, and a copy that waits no more.

use commonscloud_e2e::{Outcome, ensure};
use commonscloud_operator::api::ServiceTemplate;

use crate::broken::Trial;
use crate::office::is_ready;
use crate::package::replace;
use crate::tier::Node;

/// The database answers the init step only 15 s after that began, at every try.
///
/// # Errors
/// When the package asks its database in another way.
pub fn late_by_15_seconds(package: &mut ServiceTemplate) -> Outcome {
    let late = "late_until=$(($(date +%s) + 15))\nsql() {\n    [ \"$(date +%s)\" -ge \"$late_until\" ] || return 1\n";
    replace(package, 1, "\nsql() {\n", &format!("\n{late}"))
}

/// A package with a late database whose init step does not wait for it: it fails at every try, and
/// the service does not become Ready though the database is up.
///
/// # Errors
/// When the package waits all the same, or waits in another way.
pub async fn stops_without_a_wait(node: &Node, mut package: ServiceTemplate) -> Outcome {
    replace(&mut package, 1, "\nwait_for_database\n", "\n")?;
    let trial = Trial::begin(node, &package).await?;
    let tried_again = async || {
        ensure!(node.pods(trial.name(), "site", "db").await?.iter().any(is_ready), "the database is not up yet");
        let restarts = trial.restarts("app", "prepare").await?;
        ensure!(restarts >= 3, "prepare began again {restarts} times");
        Ok(())
    };
    trial.does_not_become_ready(&["prepare"], tried_again).await
}
