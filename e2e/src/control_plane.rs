//! The tier `control plane`: a simulated cluster, the chart, the operator beside it.

use std::ops::Deref;
use std::path::PathBuf;
use std::time::Duration;

use commonscloud_operator::template;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DeleteParams, ListParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, Semaphore, SemaphorePermit};

use crate::cluster::{self, Cluster, Nodes};
use crate::failure::{Failure, Outcome};
use crate::operator::{self, HostOperator};
use crate::suite::Tier;
use crate::{chart, manifests};

/// The cluster's name.
const CLUSTER: &str = "test-cp";
/// Where the operator is killed again and again.
const KILLS: &str = "test-cp-kills";
/// Where nothing was made before, by anybody.
const QUIET: &str = "test-cp-quiet";
/// Where one scenario at a time is by itself, on each.
const ASIDE: [&str; 2] = ["test-cp-aside-1", "test-cp-aside-2"];
/// The Platform's Secret for mail, in the operator's namespace.
pub const SMTP: &str = "smtp";
/// The Platform's Secret with the certificate of all host names.
pub const WILDCARD: &str = "wildcard";
/// How long an instance on simulated nodes may take to become Ready.
pub const READY: Duration = Duration::from_mins(1);

/// The control plane with the operator.
pub struct ControlPlane {
    /// The cluster.
    pub cluster: Cluster,
    /// The operator; none while a scenario has it down.
    operator: Mutex<Option<HostOperator>>,
    /// Kubeconfigs and logs.
    folder: TempDir,
    /// Others, each from its first need on.
    aside: [Mutex<Option<Box<ControlPlane>>>; ASIDE.len()],
    kills: Mutex<Option<Box<ControlPlane>>>,
    quiet: Mutex<Option<Box<ControlPlane>>>,
    /// One for each of those aside that nobody has.
    free: Semaphore,
}

/// What a cluster is for that no other may be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// An operator is killed and cut off there again and again.
    Kills,
    /// One scenario counts there what is asked where nothing is to be done: what another one left is judged anew at each
    /// start.
    Quiet,
}

/// A cluster that a scenario has for itself as long as it holds this.
pub struct Aside<'a> {
    cluster: MappedMutexGuard<'a, ControlPlane>,
    // Given back after the cluster: who takes it finds one.
    _place: SemaphorePermit<'a>,
}

impl Deref for Aside<'_> {
    type Target = ControlPlane;

    fn deref(&self) -> &ControlPlane {
        &self.cluster
    }
}

impl Tier for ControlPlane {
    const NAME: &'static str = "control plane";
    // Most of those apart wait for their turn on a cluster that they share.
    const SIDE_BY_SIDE: usize = 18;

    fn impossible() -> Option<String> {
        None
    }

    async fn bring_up() -> Outcome<Self> {
        Self::on(CLUSTER).await
    }

    async fn take_down() -> Outcome {
        operator::end_all();
        let mut ended = Ok(());
        for name in [CLUSTER, KILLS, QUIET].into_iter().chain(ASIDE) {
            ended = ended.and(cluster::down(name).await);
        }
        ended
    }

    async fn hints(&self) -> String {
        format!("the operator's last words:\n{}", operator::tail(&self.log()))
    }
}

impl ControlPlane {
    /// A cluster that is like no other, for a scenario alone as long as it holds this, taken down with the tier.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn cluster_for(&self, purpose: Purpose) -> Outcome<MappedMutexGuard<'_, Self>> {
        let (known, name) = match purpose {
            Purpose::Kills => (&self.kills, KILLS),
            Purpose::Quiet => (&self.quiet, QUIET),
        };
        Self::of(known.lock().await, name).await
    }

    /// A cluster with an operator of its own that a scenario has for itself as long as it holds this,
    /// taken down with the tier.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn aside(&self) -> Outcome<Aside<'_>> {
        let place = self.free.acquire().await?;
        let free = self.aside.iter().zip(ASIDE).find_map(|(known, name)| Some((known.try_lock().ok()?, name)));
        let (known, name) = free.ok_or_else(|| Failure::new("each cluster aside is taken"))?;
        Ok(Aside { cluster: Self::of(known, name).await?, _place: place })
    }

    async fn of<'a>(mut known: MutexGuard<'a, Option<Box<Self>>>, name: &str) -> Outcome<MappedMutexGuard<'a, Self>> {
        if known.is_none() {
            *known = Some(Box::new(Self::on(name).await?));
        }
        MutexGuard::try_map(known, Option::as_deref_mut).map_err(|_| Failure::new(format!("no cluster {name}")))
    }

    /// The tier on a cluster of this name.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn on(name: &str) -> Outcome<Self> {
        let cluster = Cluster::up(name, Nodes::Simulated, &[]).await?;
        chart::install(&cluster, &json!({"replicas": 0})).await?;
        cluster.applied(&platform_secrets("a password")).await?;
        let (operator, folder) = (Mutex::new(None), tempfile::tempdir()?);
        let (kills, quiet, free) = (Mutex::default(), Mutex::default(), Semaphore::new(ASIDE.len()));
        let tier = Self { cluster, operator, folder, aside: Default::default(), kills, quiet, free };
        operator::kubeconfig(&tier.cluster, &tier.kubeconfig()).await?;
        tier.start_operator().await?;
        let radicale =
            template::load_directory(&tier.cluster.programs.source.join("examples/templates/radicale.yaml"))?;
        tier.cluster.applied(&[platform(), manifests::tariff(manifests::TARIFF), json!(radicale)]).await?;
        Ok(tier)
    }

    /// A kubeconfig with the operator's identity.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("operator.kubeconfig")
    }

    /// The operator's log, of all its runs.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("operator.log")
    }

    /// Another file of this tier's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the operator, which is down.
    ///
    /// # Errors
    /// When it does not become ready.
    pub async fn start_operator(&self) -> Outcome {
        let mut operator = self.operator.lock().await;
        crate::ensure!(operator.is_none(), "the operator runs already");
        *operator = Some(HostOperator::start(&self.cluster, &self.kubeconfig(), &self.log()).await?);
        Ok(())
    }

    /// Stops the operator with SIGTERM.
    ///
    /// # Errors
    /// When it does not end by itself.
    pub async fn stop_operator(&self) -> Outcome<Duration> {
        let running = self.operator.lock().await.take();
        running.ok_or_else(|| Failure::new("the operator is down already"))?.stop().await
    }

    /// Kills the operator with SIGKILL.
    ///
    /// # Errors
    /// When it is down already.
    pub async fn kill_operator(&self) -> Outcome {
        let running = self.operator.lock().await.take();
        running.ok_or_else(|| Failure::new("the operator is down already"))?.kill().await
    }

    /// Forgets who leads, as time would do after a leader was killed.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn forget_leader(&self) -> Outcome {
        let leases: Api<Lease> = Api::namespaced(self.cluster.client.clone(), chart::NAMESPACE);
        leases.delete_collection(&DeleteParams::default(), &ListParams::default()).await?;
        Ok(())
    }

    /// What the operator tells Prometheus.
    ///
    /// # Errors
    /// When it is down.
    pub async fn metrics(&self) -> Outcome<String> {
        let operator = self.operator.lock().await;
        operator.as_ref().ok_or_else(|| Failure::new("the operator is down"))?.get("/metrics").await
    }

    /// The operator's command line, as whoever is on its machine reads it.
    ///
    /// # Errors
    /// When it is down.
    pub async fn command_line(&self) -> Outcome<String> {
        let operator = self.operator.lock().await;
        let pid = operator.as_ref().ok_or_else(|| Failure::new("the operator is down"))?.pid();
        Ok(std::fs::read_to_string(format!("/proc/{pid}/cmdline"))?)
    }

    /// All Entities.
    pub fn entities(&self) -> Api<DynamicObject> {
        self.cluster.entities()
    }

    /// Applies an Entity and waits until it is Ready.
    ///
    /// # Errors
    /// The refusal, or its conditions.
    pub async fn running(&self, entity: &Value) -> Outcome<Value> {
        self.cluster.running(entity, READY).await
    }
}

/// The Platform of simulated nodes, with Secrets for mail and certificates.
pub fn platform() -> Value {
    let mut platform = manifests::simulated_platform("test-cp.commonscloud.test");
    platform["spec"]["exposure"]["tls"] = json!({"secretName": WILDCARD});
    platform["spec"]["smtp"] =
        json!({"host": "mail.example.org", "port": 587, "from": "cloud@example.org", "secretName": SMTP});
    platform
}

/// The Secrets that the Platform names.
pub fn platform_secrets(password: &str) -> [Value; 2] {
    let secret = |name: &str, kind: &str, data: Value| {
        let metadata = json!({"name": name, "namespace": chart::NAMESPACE});
        json!({"apiVersion": "v1", "kind": "Secret", "type": kind, "metadata": metadata, "stringData": data})
    };
    let certificate = json!({"tls.crt": format!("certificate of {password}"), "tls.key": "key"});
    [
        secret(SMTP, "Opaque", json!({"username": "cloud", "password": password})),
        secret(WILDCARD, "kubernetes.io/tls", certificate),
    ]
}
