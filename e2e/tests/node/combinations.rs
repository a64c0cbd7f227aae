//! Every combination of the three services, each on real databases.

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::ready;
use commonscloud_e2e::{Outcome, ensure_eq};
use serde_json::{Map, Value, json};

use crate::tier::Node;

/// Each service with the page by which it says that it is well.
const SERVICES: [(&str, &str); 3] = [("office", "/status.php"), ("agora", "/srv/status"), ("projects", "/status/")];
/// How long all together may take.
const PATIENCE: Duration = Duration::from_mins(10);

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("each of the seven combinations of services becomes Ready and serves", all_seven).alone()]
}

/// The services whose bit is set.
fn chosen(combination: usize) -> Vec<(&'static str, &'static str)> {
    (0..SERVICES.len()).filter(|bit| combination & (1 << bit) != 0).map(|bit| SERVICES[bit]).collect()
}

fn named(combination: usize) -> String {
    let names: Vec<&str> = chosen(combination).iter().map(|(service, _)| *service).collect();
    format!("with-{}", names.join("-"))
}

async fn all_seven(node: Arc<Node>) -> Outcome {
    let combinations = 1..1 << SERVICES.len();
    let entities: Vec<Value> = combinations
        .clone()
        .map(|combination| {
            let tier = |(service, _): (&str, &str)| (service.to_owned(), json!({"tier": "1gb"}));
            let services: Map<String, Value> = chosen(combination).into_iter().map(tier).collect();
            entity(&named(combination), Value::Object(services))
        })
        .collect();
    node.cluster.applied(&entities).await?;
    for combination in combinations {
        let (name, services) = (named(combination), chosen(combination));
        let entity = ready(&node.entities(), &name, PATIENCE).await?;
        let all = format!("{0}/{0}", services.len());
        ensure_eq!(entity["status"]["servicesReady"], json!(all), "services of {name}");
        for (service, page) in services {
            node.ingress.get(&node.host(&name, service), page, None).await?;
        }
        // It makes room for the others.
        node.discard(&name).await?;
    }
    Ok(())
}
