//! The operator as a program: watches, leads, works, stops.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use kube::Config;

use crate::apply::Server;
use crate::backup::Own;
use crate::cache::{self, Caches, Connections, Key, Known, Listener, PeerWatches, SecretWatches};
use crate::client::{Protocol, client};
use crate::controller::context::Context;
use crate::controller::queue::Queue;
use crate::controller::recorder::Recorder;
use crate::controller::{self, template};
use crate::entity::ServiceAccount;
use crate::gather::Packages;
use crate::http;
use crate::leader::{Candidate, LEASE, Leadership};
use crate::metrics::Metrics;
use crate::reachability::Reachability;
use crate::usage::{AccountSource, Usages};

/// How often the caches are asked whether they are complete.
const GLANCE: Duration = Duration::from_millis(20);
/// How often the kubelets are asked how full volumes are.
const MEASURING: Duration = Duration::from_secs(30);
/// How long work in progress may take to end when the operator is stopped.
const FAREWELL: Duration = Duration::from_secs(10);

/// How the operator runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Who it is in the cluster; its namespace holds the Lease and the platform's Secrets.
    pub account: ServiceAccount,
    /// A name that no other operator has, for the Lease.
    pub identity: String,
    /// Where `/healthz`, `/readyz` and `/metrics` are served.
    pub listen: SocketAddr,
    /// How many resources are worked on at the same time.
    pub concurrency: usize,
    /// The image of `commonscloud-backup`, for the Jobs of backups and restores.
    pub backup_image: String,
    /// The image of rest-server, for targets of backups that are volumes.
    pub backup_server_image: String,
    /// Whether services are asked for their page.
    pub reachability: bool,
    /// Whether kubelets are asked how full volumes are.
    pub usage: bool,
}

/// Why the operator stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No way to the API server is configured.
    #[error("no way to the API server is configured; set KUBECONFIG or run in a cluster: {0}")]
    Config(#[from] kube::config::InferConfigError),
    /// The client cannot be made.
    #[error("the client of the API server cannot be made: {0}")]
    Client(#[from] kube::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// Another process leads.
    #[error("the Lease was lost; another operator leads now")]
    LeaseLost,
}

/// Runs until `stop` completes, or the Lease is lost.
///
/// # Errors
/// When it cannot start, or another operator took over.
pub async fn run(options: Options, stop: impl Future<Output = ()>) -> Result<(), RunError> {
    let config = Config::infer().await?;
    let client = client(&config, Protocol::Http1)?;
    let metrics = Arc::new(Metrics::default());
    let caches = Caches::new();
    let queue = Arc::new(Queue::default());
    let listener = listener(&queue);
    let mut watches = caches.watches(&client, &options.account.namespace, &listener);
    if options.usage {
        watches.push(caches.watch_nodes(&client, &listener));
    }
    let mut candidate = Candidate::new(client.clone(), &options.account.namespace, LEASE, &options.identity);
    let connections = Connections::over_http2(config, client.clone());
    let context = context(&options, &connections, &caches, &queue, &listener, candidate.leadership(), &metrics);

    let process = http::Process {
        caches: caches.clone(),
        metrics: Arc::clone(&metrics),
        queue: Arc::clone(&queue),
        leadership: candidate.leadership(),
    };
    let serving = http::serve(options.listen, process);
    let watching = cache::run(watches);
    let outcome = {
        let leading = lead(&options, &context, &mut candidate, &metrics);
        tokio::pin!(leading);
        tokio::select! {
            served = serving => served.map_err(|source| RunError::Listen { address: options.listen, source }),
            () = watching => Ok(()),
            () = &mut leading => Err(RunError::LeaseLost),
            () = stop => {
                // What was begun is done; nothing new is begun.
                queue.close();
                let _ = tokio::time::timeout(FAREWELL, leading).await;
                Ok(())
            }
        }
    };
    let _ = tokio::time::timeout(FAREWELL, candidate.resign()).await;
    tracing::info!("stopped");
    outcome
}

fn listener(queue: &Arc<Queue<Key>>) -> Listener {
    let queue = Arc::clone(queue);
    Arc::new(move |key| queue.add(key))
}

fn context(
    options: &Options,
    connections: &Connections,
    caches: &Caches,
    queue: &Arc<Queue<Key>>,
    listener: &Listener,
    leadership: Leadership,
    metrics: &Arc<Metrics>,
) -> Arc<Context> {
    let client = connections.client();
    Arc::new(Context {
        known: Known::new(caches.clone(), Arc::clone(listener)),
        server: Server::new(client.clone(), leadership, metrics.writes(), &options.account.namespace),
        packages: Packages::default(),
        secrets: SecretWatches::over(connections.clone(), caches.clone(), Arc::clone(listener)),
        peers: PeerWatches::new(client.clone(), caches.clone(), Arc::clone(listener)),
        issuers: controller::platform::Issuers::default(),
        reachability: options.reachability.then(|| Reachability::new(Arc::clone(listener))),
        usages: options.usage.then(|| Usages::new(Arc::clone(listener))),
        own: Own {
            namespace: options.account.namespace.clone(),
            backup_image: options.backup_image.clone(),
            backup_server_image: options.backup_server_image.clone(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
        },
        escrows: tokio::sync::Mutex::default(),
        turns: tokio::sync::Mutex::default(),
        records: controller::RecordsTold::default(),
        servers: controller::ServersTold::default(),
        identity: controller::IdentityTold::default(),
        account: options.account.clone(),
        recorder: Recorder::new(client.clone(), LEASE, &options.identity),
        start: controller::Start::default(),
        leads_since: OnceLock::new(),
        queue: Arc::clone(queue),
    })
}

/// Waits for complete caches and the Lease, then works until the Lease is lost.
async fn lead(options: &Options, context: &Arc<Context>, candidate: &mut Candidate, metrics: &Arc<Metrics>) {
    let leads = async {
        await_caches(context.caches()).await;
        tracing::info!("caches are complete; competing for the Lease");
        candidate.win().await;
    };
    tokio::select! { () = leads => {}, () = context.queue.closed() => return }
    tracing::info!(identity = options.identity, "leading");
    let _ = context.leads_since.set(context.now());
    let working = work(options, context, metrics);
    tokio::select! {
        () = candidate.keep() => tracing::error!("the Lease was lost"),
        () = working => {}
    }
}

async fn work(options: &Options, context: &Arc<Context>, metrics: &Arc<Metrics>) {
    let working = controller::work(Arc::clone(context), Arc::clone(metrics), options.concurrency);
    let probing = async {
        match &context.reachability {
            Some(reachability) => reachability.run().await,
            None => std::future::pending().await,
        }
    };
    let measuring = async {
        match &context.usages {
            Some(usages) => {
                let source = AccountSource::mounted(context.server.client().clone(), &options.account.namespace);
                usages.run(context.caches().nodes.clone(), source, MEASURING).await;
            }
            None => std::future::pending().await,
        }
    };
    let scheduling = controller::backup_schedule::run(context);
    let recording = controller::backup_records::run(context, metrics);
    let serving = controller::backup_server::run(context);
    let signing_in = controller::identity::run(context, metrics);
    let beside =
        async { tokio::join!(register(context), probing, measuring, scheduling, recording, serving, signing_in) };
    tokio::select! { () = working => {}, _ = beside => {} }
}

/// Registers the packages that are compiled in, however long that takes.
async fn register(context: &Context) {
    while let Err(error) = template::register_builtin(context).await {
        tracing::warn!(%error, "a package that is compiled in is not registered yet");
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

async fn await_caches(caches: &Caches) {
    let mut said = 0_u32;
    loop {
        let awaited = caches.awaited();
        if awaited.is_empty() {
            return;
        }
        said += 1;
        if said.is_multiple_of(500) {
            tracing::warn!(awaited = caches.unready().join("; "), "no list yet");
        }
        tokio::time::sleep(GLANCE).await;
    }
}
