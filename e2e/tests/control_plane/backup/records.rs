//! The platform's own records on their way to a target, whose Job a test ends.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_backup::records::Records;
use commonscloud_e2e::chart::{NAMESPACE, USER};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, resources};
use commonscloud_operator::backup::records::{KeptRecords, kept_name, read_kept, store_name};
use flate2::read::GzDecoder;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{DeleteParams, ListParams};
use kube::core::DynamicObject;
use kube::{Api, Client, Error};
use serde_json::json;

use super::pods::{SNAPSHOT, end_job, hold_records, let_go_of_records};
use super::{STEP, TARGET, prepared};
use crate::tier::ControlPlane;

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![Scenario::new("the platform's own records go to a target once, and no password with them", kept).apart()]
}

/// Secrets that are not known yet are waited for first; then a look at the caches, another Job before it, and its pod.
const BEGINS: Duration = Duration::from_mins(5);
/// Longer than a look after a start.
const QUIET: Duration = Duration::from_secs(40);
const REPOSITORY: &str = "0123456789abcdef";

fn jobs(client: &Client) -> Api<Job> {
    Api::namespaced(client.clone(), NAMESPACE)
}

/// The Job that stores records.
async fn job(client: &Client) -> Outcome<Job> {
    eventually("the records go to the target", BEGINS, async || Ok(jobs(client).get(&store_name(TARGET)).await?)).await
}

/// What the Job mounts, put together again.
async fn mounted(client: &Client, job: &Job) -> Outcome<String> {
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let pod = job.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let volumes = pod.iter().flat_map(|pod| pod.volumes.iter().flatten());
    let sources = volumes.flat_map(|volume| volume.projected.iter().flat_map(|of| of.sources.iter().flatten()));
    let mut packed = Vec::new();
    for source in sources.filter_map(|source| source.config_map.as_ref()) {
        let map = maps.get(&source.name).await?;
        ensure_eq!(map.immutable, Some(true), "whether a piece never changes");
        packed.extend(map.binary_data.unwrap_or_default().into_values().flat_map(|piece| piece.0));
    }
    let mut text = String::new();
    GzDecoder::new(packed.as_slice()).read_to_string(&mut text)?;
    Ok(text)
}

/// What is known to be at the target.
async fn known(client: &Client) -> Outcome<KeptRecords> {
    let map = resources_of(client).get(&kept_name(TARGET)).await?;
    read_kept(&map).map_err(Failure::new)
}

fn resources_of(client: &Client) -> Api<DynamicObject> {
    let kind = kube::core::ApiResource::erase::<ConfigMap>(&());
    Api::namespaced_with(client.clone(), NAMESPACE, &kind)
}

/// What the Secrets of a namespace hold that is long enough to be told from other words.
async fn secrets(client: &Client, namespace: &str) -> Outcome<Vec<String>> {
    let all = Api::<Secret>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?;
    let values = all.into_iter().flat_map(|secret| secret.data.unwrap_or_default().into_values());
    Ok(values.filter_map(|value| String::from_utf8(value.0).ok()).filter(|text| text.len() > 15).collect())
}

/// A former scenario may have left what is known of the target.
async fn begun_anew(client: &Client) -> Outcome {
    for name in [kept_name(TARGET), store_name(TARGET)] {
        let background = DeleteParams::background();
        let gone = match name.strip_prefix("records-at-") {
            Some(_) => resources_of(client).delete(&name, &background).await.map(drop),
            None => jobs(client).delete(&name, &background).await.map(drop),
        };
        match gone {
            Err(Error::Api(status)) if status.code == 404 => {}
            other => other?,
        }
    }
    Ok(())
}

async fn kept(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let (tier, name) = (&*tier, "recorded");
    let client = &tier.cluster.client;
    hold_records(tier).await?;
    tier.kill_operator().await?;
    begun_anew(client).await?;
    tier.forget_leader().await?;
    tier.start_operator().await?;
    prepared(tier, name).await?;
    let job = job(client).await?;
    let text = mounted(client, &job).await?;
    let records = Records::read(&text).map_err(|error| Failure::new(error.to_string()))?;
    ensure_eq!(records.platform.metadata.name.as_str(), "default", "the Platform");
    ensure!(!records.revisions.is_empty() && !records.tariffs.is_empty(), "no revisions, or no Tariffs");
    ensure!(records.secrets.iter().any(|secret| secret.name == TARGET), "{:?}", records.secrets);
    for namespace in [NAMESPACE, name] {
        let found = secrets(client, namespace).await?.iter().filter(|secret| text.contains(*secret)).count();
        ensure_eq!(found, 0, "contents of Secrets of {namespace} in the records");
    }
    let said = json!({"Kept": {"repository": REPOSITORY, "snapshot": SNAPSHOT}});
    end_job(tier, &store_name(TARGET), &said).await?;
    eventually("what the Job said is kept, and the Job is gone", STEP, async || {
        let known = known(client).await?;
        ensure_eq!(known.repository.as_deref(), Some(REPOSITORY), "the repository");
        let last = known.snapshots.last().map(|kept| kept.snapshot.clone());
        ensure_eq!(last.as_deref(), Some(SNAPSHOT), "the snapshot");
        ensure!(jobs(client).get_opt(&store_name(TARGET)).await?.is_none(), "the Job is there");
        Ok(())
    })
    .await?;
    is_told(tier).await?;
    nothing_again(tier).await?;
    let_go_of_records(tier).await
}

/// Prometheus knows when, and the Platform has nothing to tell.
async fn is_told(tier: &ControlPlane) -> Outcome {
    let line = format!("commonscloud_backup_records_last_timestamp_seconds{{target=\"{TARGET}\"}}");
    eventually("the metric has its time", STEP, async || {
        let text = tier.metrics().await?;
        let at =
            text.lines().find_map(|told| told.strip_prefix(&line)).and_then(|told| told.trim().parse::<i64>().ok());
        ensure!(at.is_some_and(|at| at > 0), "{line}: {at:?}");
        let platform = serde_json::to_value(resources::ours(&tier.cluster.client, "Platform").get("default").await?)?;
        ensure!(condition(&platform, "RecordsStored").is_none(), "{}", platform["status"]);
        Ok(())
    })
    .await
}

/// Another operator reads what is known, and neither stores nor writes anything before its time.
async fn nothing_again(tier: &ControlPlane) -> Outcome {
    tier.kill_operator().await?;
    tier.forget_leader().await?;
    let mark = tier.cluster.audit.mark()?;
    tier.start_operator().await?;
    tokio::time::sleep(QUIET).await;
    let writes = tier.cluster.audit.writes(mark, USER)?;
    let of_records = writes.iter().filter(|write| write.object_ref.name.starts_with("records-"));
    let shown: Vec<String> = of_records.map(commonscloud_e2e::audit::Request::shown).collect();
    ensure_eq!(shown, Vec::<String>::new(), "writes of records after a restart");
    Ok(())
}
