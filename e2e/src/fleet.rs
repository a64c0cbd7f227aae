//! Many Entities at once: applying them, waiting for all, and counting what they cost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use commonscloud_operator::api::marks;
use commonscloud_operator::template;
use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::{ListParams, PatchParams};
use kube::{Client, ResourceExt as _};
use serde_json::{Map, Value, json};

use crate::allowance::SECRETS_OF_A_NAMESPACE;
use crate::audit::Request;
use crate::failure::{Failure, Outcome};
use crate::manifests::{entity, object};
use crate::objects::Kinds;
use crate::resources::Doors;
use crate::{resources, wait};

/// Requests that a bare client keeps in flight.
pub const IN_FLIGHT: usize = 32;
/// Between two looks at a fleet.
const PAUSE: Duration = Duration::from_millis(250);
/// Name of the package that is refused for ever.
pub const BROKEN: &str = "broken";

/// Three services of 1 GiB: all typed ones that are compiled in, and radicale for the rest.
pub fn three_services() -> Value {
    let builtin: Vec<String> = template::builtin().iter().map(kube::ResourceExt::name_any).collect();
    let typed = ["office", "agora", "projects"].into_iter().filter(|name| builtin.iter().any(|known| known == name));
    let mut services: Map<String, Value> = typed.map(|name| (name.to_owned(), json!({"tier": "1gb"}))).collect();
    let others: Vec<Value> = (services.len()..3)
        .map(|number| json!({"name": format!("site-{number}"), "template": "radicale", "tier": "1gb"}))
        .collect();
    services.insert("others".to_owned(), Value::from(others));
    Value::from(services)
}

/// `count` Entities with three services each, called `PREFIX-0` and so on.
pub fn entities(prefix: &str, count: usize) -> Vec<Value> {
    (0..count).map(|number| entity(&format!("{prefix}-{number}"), three_services())).collect()
}

/// A package with an object that the API server refuses each time it is sent.
pub fn broken_package() -> Value {
    let manifest = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ instance.name ~ \"-app\" }}\ndata:\n  \"not a key/at all\": x\n";
    object(
        "ServiceTemplate",
        BROKEN,
        json!({
            "title": {"ca": "Trencat", "en": "Broken", "es": "Roto"},
            "versions": [{"name": "1", "images": [{"name": "none", "reference": "docker.io/local/none:1"}]}],
            "components": [{"name": "app", "resources": {
                "requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "32Mi"},
            }}],
            "volumes": [{"name": "data", "size": "quota", "carriesQuota": true}],
            "parameters": {"type": "object", "additionalProperties": false, "properties": {}},
            "health": {"path": "/", "statuses": [200]},
            "manifests": [{"name": "app.yaml", "objects": [{"kind": "ConfigMap", "name": "app"}], "template": manifest}],
        }),
    )
}

/// An Entity with `count` instances of the package that is refused for ever.
pub fn broken_entity(name: &str, count: usize) -> Value {
    let others: Vec<Value> = (0..count)
        .map(|number| json!({"name": format!("broken-{number}"), "template": BROKEN, "tier": "1gb"}))
        .collect();
    entity(name, json!({"others": others}))
}

/// Server-side applies of objects of any kind, [`IN_FLIGHT`] at a time, as a bare client does them.
///
/// # Errors
/// The first refusal.
pub async fn apply(client: &Client, objects: &[Value]) -> Outcome {
    let doors = Doors::discover(client, objects).await?;
    let parameters = PatchParams::apply("fleet").force();
    let (doors, parameters) = (&doors, &parameters);
    let one = |object: Value| async move { doors.apply(&object, parameters).await };
    futures::stream::iter(objects.to_vec()).map(one).buffer_unordered(IN_FLIGHT).try_collect().await
}

/// Waits until all Entities whose names begin with `PREFIX-` are Ready, `count` of them, and gives
/// how long after `begun` each was seen to be so, in order.
///
/// # Errors
/// How many are, and what the first of the others says, when `limit` has passed.
pub async fn all_ready(
    client: &Client,
    prefix: &str,
    count: usize,
    begun: Instant,
    limit: Duration,
) -> Outcome<Vec<Duration>> {
    let api = resources::ours(client, "Entity");
    let mut seen: BTreeMap<String, Duration> = BTreeMap::new();
    loop {
        let mut waiting = None;
        for entity in api.list(&ListParams::default()).await? {
            let name = entity.name_any();
            let ours = name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('-'));
            if !ours || seen.contains_key(&name) {
                continue;
            }
            match wait::is_ready(&serde_json::to_value(entity)?) {
                Ok(()) => drop(seen.insert(name, begun.elapsed())),
                Err(reason) => waiting = waiting.or_else(|| Some(format!("{name}: {reason}"))),
            }
        }
        if seen.len() >= count {
            let mut times: Vec<Duration> = seen.into_values().collect();
            times.sort();
            return Ok(times);
        }
        if begun.elapsed() > limit {
            let waiting = waiting.unwrap_or_else(|| "they do not exist".to_owned());
            return Err(Failure::new(format!(
                "{} of {count} entities {prefix}-N are Ready after {} s; {waiting}",
                seen.len(),
                limit.as_secs()
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// What an Entity with its services was made with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Its Dedicated resources.
    pub instances: usize,
    /// All objects that the operator made, the namespace and the Dedicated resources included.
    pub objects: usize,
    /// Writes other than of a status that were taken; those refused are judged by themselves.
    pub writes: usize,
    /// Writes of a status that were taken: one for each change of a condition.
    pub statuses: usize,
    /// What was read but for the watch of the namespace's Secrets.
    pub reads: usize,
}

impl Cost {
    /// The costs of an Entity whose namespace is `namespace`, from the objects that are there and
    /// what the operator asked for.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn of(client: &Client, kinds: &Kinds, namespace: &str, requests: &[Request]) -> Outcome<Self> {
        let objects = kinds.all(client, namespace).await?;
        let managed = |object: &&Value| object["metadata"]["labels"][marks::MANAGED_BY] == marks::OPERATOR;
        let made: Vec<&Value> = objects.values().filter(managed).collect();
        let selector = format!("{}={}", marks::MANAGED_BY, marks::OPERATOR);
        let jobs: Vec<k8s_openapi::api::batch::v1::Job> = wait::list(client, namespace, &selector).await?;
        // Those of a CronJob are made by the cluster.
        let jobs = jobs.iter().filter(|job| job.owner_references().iter().all(|owner| owner.kind != "CronJob"));
        let about_it: Vec<&Request> = requests.iter().filter(|request| request.is_about(namespace)).collect();
        let writes: Vec<&&Request> =
            about_it.iter().filter(|request| request.is_write() && request.succeeded()).collect();
        let statuses = writes.iter().filter(|request| request.object_ref.subresource == "status").count();
        let reads = about_it.iter().filter(|request| request.is_read() && !SECRETS_OF_A_NAMESPACE.covers(request));
        let is_dedicated = |object: &&&Value| object["kind"].as_str().is_some_and(|kind| kind.starts_with("Dedicated"));
        Ok(Self {
            instances: made.iter().filter(is_dedicated).count(),
            objects: made.len() + jobs.count() + 1,
            writes: writes.len() - statuses,
            statuses,
            reads: reads.count(),
        })
    }

    /// The most writes that these objects may cost: for the Entity and for each instance its
    /// objects, and three more, of which one is its first status.
    pub fn allowed(&self) -> usize {
        self.objects + 2 * (self.instances + 1)
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            instances: self.instances + other.instances,
            objects: self.objects + other.objects,
            writes: self.writes + other.writes,
            statuses: self.statuses + other.statuses,
            reads: self.reads + other.reads,
        }
    }
}

/// Resident memory of a process now, and the most it ever had, in MiB.
///
/// # Errors
/// When the process is gone.
pub fn memory(pid: i32) -> Outcome<(u64, u64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let of = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        number.map(|kib| kib / 1024).ok_or_else(|| Failure::new(format!("no {field} of process {pid}")))
    };
    Ok((of("VmRSS")?, of("VmHWM")?))
}

/// CPU time that a process has used.
///
/// # Errors
/// When the process is gone.
pub fn cpu(pid: i32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> =
        stat.rsplit_once(')').map(|(_, rest)| rest.split_ascii_whitespace().collect()).unwrap_or_default();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    // 100 ticks a second on every Linux that runs Kubernetes.
    let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    ticks
        .map(|ticks| Duration::from_millis(ticks * 10))
        .ok_or_else(|| Failure::new(format!("no times of process {pid}")))
}
