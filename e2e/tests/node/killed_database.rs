//! The first start of PostgreSQL killed half-way, in the pod in which it begins again.

use std::sync::Arc;

use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure};
use commonscloud_operator::api::ServiceTemplate;

use crate::broken::Trial;
use crate::package::{builtin, node_copy, replace};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("without its guard, the office's PostgreSQL killed in initdb never serves", |node| {
            unguarded(node, "office")
        })
        .sampled(),
        Scenario::new("without its guard, the agora's PostgreSQL killed in initdb never serves", |node| {
            unguarded(node, "agora")
        })
        .sampled(),
    ]
}

/// How often the first start dies by [`kill_first_starts`].
pub const KILLED: i32 = 2;

/// The first start of PostgreSQL dies in initdb, the second one in its scripts, between the role and
/// the database.
///
/// # Errors
/// When the package starts it in another way.
pub fn kill_first_starts(package: &mut ServiceTemplate) -> Outcome {
    kill_in_initdb(package)?;
    let once = "/var/lib/postgresql/data/.killed-in-scripts";
    let killed = format!("\\! [ -e {once} ] || {{ : >{once}; kill -9 -1; }}\nCREATE DATABASE ");
    replace(package, 1, "CREATE DATABASE ", &killed)
}

/// As soon as initdb has written what the image takes for a finished database, all is killed; with
/// its first process the container ends.
fn kill_in_initdb(package: &mut ServiceTemplate) -> Outcome {
    let killed = r#"if [ ! -e .killed-once ]; then
    : >.killed-once
    "$@" &
    until [ -s "$finished" ]; do sleep 0.02; done
    kill -9 -1
    exit 137
fi
exec "$@"
"#;
    replace(package, 1, "exec \"$@\"\n", killed)
}

async fn unguarded(node: Arc<Node>, package: &'static str) -> Outcome {
    let mut package = node_copy(&node, builtin(package)?, &format!("{package}-half"))?;
    kill_in_initdb(&mut package)?;
    replace(&mut package, 1, "elif [ -e .initializing ]; then\n", "elif false; then\n")?;
    let trial = Trial::begin(&node, &package).await?;
    let tried_again = async || {
        let restarts = trial.restarts("db", "postgres").await?;
        ensure!(restarts >= 2, "PostgreSQL began again {restarts} times");
        Ok(())
    };
    trial.does_not_become_ready(&["db"], tried_again).await
}
