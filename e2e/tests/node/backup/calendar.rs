//! Calendars, which need not be quiet: each entry is a file of its own.

use std::sync::Arc;

use commonscloud_e2e::backup::content::Application;
use commonscloud_e2e::backup::runs::{Runs, snapshot, taken_at};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::backup::writer::{Moment, during};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};

use super::{calendars, can_be_written, is_in_place, is_ready, is_whole, storage};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new("a calendar is backed up to an S3 server without being quiet", |node: Arc<Node>| async move {
            servers::ready(&node.cluster, servers::S3).await?;
            comes_back(node, "agenda-s3", servers::S3).await
        }),
        Scenario::new("a calendar is backed up to an account of an SSH server", |node: Arc<Node>| async move {
            servers::let_in_by_ssh(&node.cluster).await?;
            comes_back(node, "agenda-ssh", servers::SFTP).await
        })
        .sampled(),
    ]
}

const SERVICE: &str = "site";

async fn comes_back(node: Arc<Node>, name: &'static str, target: &'static str) -> Outcome {
    let calendar = calendars(&node, name, &[SERVICE]).await?.remove(0);
    let before = calendar.content().await?;
    let runs = Runs::of(&node.cluster, name).await?;
    let (written, run) = during(&calendar, "reunio", runs.backed_up("abans", SERVICE, target)).await;
    let run = run?;
    is_whole(&run, &["data"], false)?;
    let moment = taken_at(&run)?;
    ensure!(written.acknowledged_until(moment) > 0, "nobody wrote before {moment}");
    ensure_eq!(written.refused(), Vec::<&str>::new(), "what was refused while it was backed up");

    calendar.remove("assemblea").await?;
    calendar.remove("reunio-1").await?;
    calendar.write("reunio-2", "ajornada").await?;
    calendar.write("nova", "feta després").await?;
    let claims = storage(&node, name).await?;
    let restore = runs.restored("enrere", SERVICE, snapshot(&run)?).await?;
    is_ready(&node, name).await?;
    written.is_in(&calendar.content().await?, &before, Moment::AtLeast(moment))?;
    is_in_place(&node, name, &restore, &claims).await?;
    can_be_written(&calendar, "despres").await?;
    node.discard(name).await
}
