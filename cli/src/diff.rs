//! `commonscloud diff`: what the operator would write, were the manifests applied.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::cache::{self, Caches, Listener, SecretWatches};
use kube::{Client, ResourceExt as _};

use crate::outlook;

const PATIENCE: Duration = Duration::from_mins(1);
const GLANCE: Duration = Duration::from_millis(50);

/// Show what the operator would write in the cluster of your kubeconfig. Nothing is written.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Files or folders to look at as if they were applied. None: the cluster as it is.
    paths: Vec<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// When the cluster cannot be read.
pub(crate) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let client = Client::try_default().await?;
    let caches = Caches::new();
    let listener: Listener = Arc::new(|_| {});
    let watching = tokio::spawn(cache::run(caches.watches(&client, &outlook::account().namespace, &listener)));
    let filled = tokio::time::timeout(PATIENCE, fill(&caches, &client, &listener)).await;
    watching.abort();
    filled.map_err(|_| format!("no answer within {} s for: {}", PATIENCE.as_secs(), caches.awaited().join(", ")))?;
    for path in &arguments.paths {
        outlook::lay_over(&caches, path)?;
    }
    let outlook = outlook::of(&caches, &outlook::account())?;
    let mut out = std::io::stdout().lock();
    for change in &outlook.changes {
        let place = if change.namespace.is_empty() { String::new() } else { format!("{}: ", change.namespace) };
        writeln!(out, "{place}{change}")?;
    }
    for obstacle in &outlook.obstacles {
        writeln!(out, "{obstacle}")?;
    }
    if outlook.changes.is_empty() && outlook.obstacles.is_empty() {
        writeln!(out, "nothing to do")?;
    }
    Ok(())
}

/// Waits until everything is read once, the names of the Entities' Secrets included.
async fn fill(caches: &Caches, client: &Client, listener: &Listener) {
    while !caches.awaited().is_empty() {
        tokio::time::sleep(GLANCE).await;
    }
    let secrets = SecretWatches::new(client.clone(), caches.clone(), Arc::clone(listener));
    let here: Vec<String> = caches.namespaces.all().iter().map(|namespace| namespace.name_any()).collect();
    let entities: Vec<String> =
        caches.entities.all().iter().map(|entity| entity.name_any()).filter(|name| here.contains(name)).collect();
    for namespace in &entities {
        secrets.watch(namespace);
    }
    while entities.iter().any(|namespace| caches.secrets.of(namespace).is_none()) {
        tokio::time::sleep(GLANCE).await;
    }
}
