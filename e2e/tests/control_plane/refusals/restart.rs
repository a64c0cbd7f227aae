//! An API server that was killed: from its first answer on, nothing faulty gets in.
//!
//! A policy may not have found its parameters yet: it is closed then, and says `failed to configure`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::ready;
use commonscloud_e2e::{Failure, Outcome, ensure};
use kube::Client;
use serde_json::Value;

use super::doors::{Answer, Door, Mode, Wish, knock};
use super::table::{Row, Table};
use super::{dedicated, entities, tariffs};
use crate::tier::{ControlPlane, READY};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "nothing faulty gets in just after the API server was killed, and soon all that is sound",
            killed,
        )
        .alone(),
    ]
}

/// How long policies may be closed after a restart: their mapping is refreshed every 30 s.
const WARMING_UP: Duration = Duration::from_mins(1);

/// A fault that is tried again and again until it is refused for its own sake.
struct Attempt<'a> {
    row: &'a Row,
    base: Value,
    /// The last refusal for another reason.
    last: String,
}

async fn killed(tier: Arc<ControlPlane>) -> Outcome {
    tier.cluster.applied(&entities::tariffs()).await?;
    // Where the rows of Dedicated resources are.
    let namespace = entity_with(dedicated::NAMESPACE, "radicale");
    tier.running(&namespace).await?;
    let tables: Vec<Table> = [entities::table(), tariffs::table()].into_iter().chain(dedicated::tables()).collect();
    let mut attempts = attempts(&tables);
    ensure!(attempts.len() > 100, "only {} attempts", attempts.len());
    // It would lose its Lease in between.
    tier.stop_operator().await?;
    let client = tier.cluster.impatient().await?;
    tier.cluster.kill("kube-apiserver").await?;
    let ended = tokio::try_join!(refused(&client, &mut attempts), accepted(&client));
    tier.start_operator().await?;
    ended?;
    ready(&tier.entities(), "after-the-restart", READY).await.map(drop)
}

/// Every row that a new object can have.
fn attempts(tables: &[Table]) -> Vec<Attempt<'_>> {
    let rows = tables.iter().flat_map(|table| table.rows.iter().map(move |row| (table, row)));
    rows.filter(|(_, row)| row.is_of_new())
        .map(|(table, row)| Attempt { row, base: table.behind(Door::Post), last: "never answered".to_owned() })
        .collect()
}

/// Tries all until each was refused in its own words; nothing may be accepted meanwhile.
async fn refused(client: &Client, attempts: &mut Vec<Attempt<'_>>) -> Outcome {
    let deadline = Instant::now() + WARMING_UP;
    let mut answers = 0;
    while !attempts.is_empty() {
        let mut open = Vec::new();
        for mut attempt in attempts.drain(..) {
            let row = attempt.row;
            let wish = Wish { base: &attempt.base, at: row.at, value: &row.faulty };
            match knock(client, Door::Post, wish, Mode::Real).await {
                Ok(Answer::Taken) => {
                    let what = format!("{}: {} = {}", row.fault, row.at, row.faulty);
                    return Err(Failure::new(format!("{what}: accepted, after {answers} answers")));
                }
                Ok(Answer::Refused(message)) => {
                    answers += 1;
                    if row.missing(&message).next().is_some() {
                        attempt.last = message;
                        open.push(attempt);
                    }
                }
                // It does not listen yet.
                Err(failure) => {
                    attempt.last = failure.to_string();
                    open.push(attempt);
                }
            }
        }
        if let Some(attempt) = open.first().filter(|_| Instant::now() > deadline) {
            let seconds = WARMING_UP.as_secs();
            let (open, fault, last) = (open.len(), attempt.row.fault, &attempt.last);
            return Err(Failure::new(format!(
                "{open} are not refused for their fault after {seconds} s: {fault}: {last}"
            )));
        }
        *attempts = open;
    }
    Ok(())
}

/// Tries a sound one until it is accepted.
async fn accepted(client: &Client) -> Outcome {
    let sound = entity_with("after-the-restart", "radicale");
    let wish = Wish { base: &sound, at: "", value: &Value::Null };
    commonscloud_e2e::wait::eventually("a sound entity gets in", WARMING_UP, async || {
        let answer = knock(client, Door::ApplyNew, wish, Mode::Real).await?;
        ensure!(answer == Answer::Taken, "{answer:?}");
        Ok(())
    })
    .await
}
