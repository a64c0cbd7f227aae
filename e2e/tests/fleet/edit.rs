//! From an Entity's spec to its child: `edit.*`.

use std::time::Instant;

use commonscloud_e2e::{Outcome, resources};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use serde_json::json;

use crate::bench::Bench;
use crate::clock::percentile;
use crate::package;
use crate::report::Report;
use crate::sight::{Sight, milliseconds};

/// Edits one Entity after the other.
pub async fn measure(bench: &Bench, prefix: &str, entities: usize, edits: usize, report: &mut Report) -> Outcome {
    let (mut answered, mut sent) = (Vec::new(), Vec::new());
    for number in 0..edits {
        let entity = format!("{prefix}-{}", number % entities);
        let (from_answer, from_sending) = edit(&bench.cluster.client, &entity, &format!("edit {number}")).await?;
        answered.push(from_answer);
        sent.push(from_sending);
    }
    report.of("edit.p50_ms", percentile(&answered, 0.5));
    report.of("edit.p99_ms", percentile(&answered, 0.99));
    let (half, most) = (percentile(&sent, 0.5), percentile(&sent, 0.99));
    report.detail("edit", json!({"edits": edits, "from_sending_p50_ms": half, "from_sending_p99_ms": most}));
    Ok(())
}

/// Another setting for the first service of an Entity, as people give it: the same manifest again. Gives the
/// milliseconds from the answer, and from before the request, until the ConfigMap has it.
async fn edit(client: &Client, entity: &str, setting: &str) -> Outcome<(f64, f64)> {
    let maps = ApiResource::erase::<ConfigMap>(&());
    let maps: Api<DynamicObject> = Api::namespaced_with(client.clone(), entity, &maps);
    let mut sight = Sight::of(&maps, "s0-app").await?;
    let changed = package::entity(entity, package::SERVICES, Some(setting));
    let parameters = PatchParams::apply("floor").force();
    let sent = Instant::now();
    resources::ours(client, "Entity").patch(entity, &parameters, &Patch::Apply(&changed)).await?;
    let answered = Instant::now();
    // The watch was opened before; its events wait to be read.
    let seen = sight.until(|map| map["data"]["setting"] == setting).await?;
    Ok((milliseconds(answered, seen), milliseconds(sent, seen)))
}
