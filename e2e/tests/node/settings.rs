//! What the office's container `cron` sets while it serves: a quota in each of the units, and a copy of
//! the package that does not convert them.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure};
use serde_json::json;

use crate::broken::Trial;
use crate::office::dav;
use crate::package::{office_copy, replace};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("a quota of 5k takes 5000 bytes, and without its guard refuses every upload", small_k)]
}

/// How long settings may take from Ready to their effect.
const APPLIED: Duration = Duration::from_mins(2);

/// The status of an upload of so many bytes, in the place of the one before.
async fn upload(node: &Node, entity: &str, bytes: usize) -> Outcome<u16> {
    let admin = node.administrator(entity, "site").await?;
    let (host, path) = (node.host(entity, "site"), dav(&admin, "prova.bin"));
    Ok(node.ingress.send("PUT", &host, &path, Some(&admin), vec![b'x'; bytes]).await?.status.as_u16())
}

async fn refused(node: &Node, entity: &str, bytes: usize) -> Outcome {
    let status = upload(node, entity, bytes).await?;
    ensure!(status == 507, "an upload of {bytes} bytes: {status}");
    Ok(())
}

async fn small_k(node: Arc<Node>) -> Outcome {
    let quota = json!({"defaultUserQuota": "5k"});
    let trial = Trial::begin_with(&node, &office_copy(&node, "quota")?, &quota).await?;
    trial.becomes_ready().await?;
    eventually("the quota is applied", APPLIED, async || refused(&node, trial.name(), 5001).await).await?;
    let status = upload(&node, trial.name(), 5000).await?;
    ensure!(status < 300, "an upload of 5000 bytes: {status}");
    trial.end().await?;

    let mut package = office_copy(&node, "quota-zero")?;
    let converted = " | sed 's/k$/K/' | numfmt --from=auto) ||\n        fail";
    replace(&mut package, 1, converted, " | numfmt --from=auto) ||\n        echo")?;
    let trial = Trial::begin_with(&node, &package, &quota).await?;
    trial.becomes_ready().await?;
    eventually("no quota at all is applied", APPLIED, async || refused(&node, trial.name(), 1).await).await?;
    trial.end().await
}
