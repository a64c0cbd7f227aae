//! Which claims may be deleted, and by whom: those alone whose place another one took in a restore.

use std::sync::Arc;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure};

use crate::tier::ControlPlane;

const ENTITY: &str = "superseded";
const CLAIM: &str = "office-data";

pub(super) fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new("the operator deletes no claim but one that a restore superseded", held_to_superseded)]
}

async fn held_to_superseded(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&entity_with_office(ENTITY)).await?;
    delete(&tier, true, Some("is kept")).await?;
    annotate(&tier, false, "superseded-by=may-4", Some("is written by the operator")).await?;

    annotate(&tier, true, "superseded-by=may-4", None).await?;
    delete(&tier, false, Some("is kept")).await?;
    delete(&tier, true, None).await?;
    annotate(&tier, false, "superseded-by=", Some("is written by the operator")).await?;
    annotate(&tier, false, "superseded-by-", Some("is written by the operator")).await?;
    annotate(&tier, false, "looked-at=yes", None).await?;

    annotate(&tier, true, "superseded-by=", None).await?;
    delete(&tier, true, Some("is kept")).await?;
    annotate(&tier, true, "superseded-by-", None).await
}

/// A trial of a deletion, as the operator or as an administrator; `refusal`: what is answered.
async fn delete(tier: &ControlPlane, as_operator: bool, refusal: Option<&str>) -> Outcome {
    send(tier, as_operator, &["delete", "persistentvolumeclaim", CLAIM, "-n", ENTITY, "--dry-run=server"], refusal)
        .await
}

/// `KEY=VALUE` or `KEY-`, without its prefix.
async fn annotate(tier: &ControlPlane, as_operator: bool, what: &str, refusal: Option<&str>) -> Outcome {
    let what = format!("commonscloud.coop/{what}");
    send(tier, as_operator, &["annotate", "--overwrite", "persistentvolumeclaim", CLAIM, "-n", ENTITY, &what], refusal)
        .await
}

async fn send(tier: &ControlPlane, as_operator: bool, words: &[&str], refusal: Option<&str>) -> Outcome {
    let whom: &[&str] = if as_operator { &["--as", USER] } else { &[] };
    let words = [words, whom].concat();
    let finished = tier.cluster.kubectl.run(&words, None).await?;
    let Some(refusal) = refusal else {
        finished.succeeded(&format!("{words:?}"))?;
        return Ok(());
    };
    let message = finished.refused(&format!("{words:?}"))?;
    ensure!(message.contains(refusal), "{words:?}: {message}");
    Ok(())
}
