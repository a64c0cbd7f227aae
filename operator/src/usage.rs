//! How full volumes are, as the kubelets measure it. Read-only: their `/metrics`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::cache::{Key, Listener};
use crate::core::Bytes;
use crate::https::{self, Get};

/// How often the kubelets are asked.
const INTERVAL: Duration = Duration::from_mins(1);
/// Where Kubernetes puts a pod's token and the cluster's certificate.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// The smallest step in which usage is reported.
const STEP: u64 = 64 << 20;
/// The kubelet's port.
const PORT: u16 = 10250;

/// What is known of a volume's usage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The kubelets were not all asked yet since the operator started.
    NotYet,
    /// None of them reports it.
    Nothing,
    /// In coarse steps.
    Used(Bytes),
}

#[derive(Default)]
struct State {
    used: HashMap<(String, String), u64>,
    asked_for: HashMap<Key, (String, String, Bytes)>,
    complete: bool,
}

/// What the kubelets say of volumes. Cloning shares it.
#[derive(Clone)]
pub struct Usages {
    state: Arc<Mutex<State>>,
    listener: Listener,
}

impl Usages {
    /// Usages that tell `listener` when a step is passed.
    pub fn new(listener: Listener) -> Self {
        Self { state: Arc::default(), listener }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The usage of a claim, in steps of its quota; whoever asks hears of changes.
    pub fn of(&self, key: &Key, namespace: &str, claim: &str, quota: Bytes) -> Known {
        let mut state = self.lock();
        state.asked_for.insert(key.clone(), (namespace.to_owned(), claim.to_owned(), quota));
        state.known(namespace, claim, quota)
    }

    /// Nobody wants to know of this instance any more.
    pub fn forget(&self, key: &Key) {
        self.lock().asked_for.remove(key);
    }

    /// Asks the kubelets until dropped.
    pub async fn run(&self, client: Client) {
        loop {
            match measure(&client).await {
                Ok(used) => self.take(used),
                Err(message) => tracing::warn!(message, "usage of volumes not known"),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    fn take(&self, used: HashMap<(String, String), u64>) {
        let mut state = self.lock();
        let before: Vec<(Key, Known)> = state.asked_for.iter().map(|(key, (n, c, q))| (key.clone(), state.known(n, c, *q))).collect();
        state.used = used;
        state.complete = true;
        let changed: Vec<Key> = before
            .into_iter()
            .filter(|(key, before)| state.asked_for.get(key).is_some_and(|(n, c, q)| state.known(n, c, *q) != *before))
            .map(|(key, _)| key)
            .collect();
        drop(state);
        changed.into_iter().for_each(|key| (self.listener)(key));
    }
}

impl State {
    fn known(&self, namespace: &str, claim: &str, quota: Bytes) -> Known {
        match self.used.get(&(namespace.to_owned(), claim.to_owned())) {
            Some(used) => Known::Used(coarse(*used, quota)),
            None if self.complete => Known::Nothing,
            None => Known::NotYet,
        }
    }
}

/// Rounded up to whole steps: a hundredth of the quota, at least 64Mi, in whole Mi.
fn coarse(used: u64, quota: Bytes) -> Bytes {
    let step = (quota.get() / 100).max(STEP).next_multiple_of(1 << 20);
    Bytes::new(used.div_ceil(step).saturating_mul(step))
}

async fn measure(client: &Client) -> Result<HashMap<(String, String), u64>, String> {
    let token = tokio::fs::read_to_string(Path::new(ACCOUNT).join("token")).await.map_err(|error| format!("no service account token: {error}"))?;
    let ca = tokio::fs::read_to_string(Path::new(ACCOUNT).join("ca.crt")).await.map_err(|error| format!("no cluster certificate: {error}"))?;
    let connector = https::connector(https::certificates(&ca)?)?;
    let nodes = Api::<Node>::all(client.clone());
    let parameters = ListParams::default();
    let nodes = tokio::time::timeout(INTERVAL / 2, nodes.list(&parameters)).await.map_err(|_| "no list of nodes in time".to_owned())?;
    let mut used = HashMap::new();
    for address in nodes.map_err(|error| error.to_string())?.items.iter().filter_map(internal_address) {
        let host = address.to_string();
        let get = Get { address: SocketAddr::new(address, PORT), host: &host, path: "/metrics", token: Some(token.trim()), with_body: true };
        match https::get(&connector, &get).await {
            Ok(answer) if answer.status == 200 => used.extend(volumes(&String::from_utf8_lossy(&answer.body))),
            Ok(answer) => tracing::warn!(node = host, status = answer.status, "the kubelet does not tell the usage of volumes"),
            Err(error) => tracing::warn!(node = host, %error, "the kubelet does not tell the usage of volumes"),
        }
    }
    Ok(used)
}

fn internal_address(node: &Node) -> Option<IpAddr> {
    let addresses = node.status.as_ref()?.addresses.as_ref()?;
    addresses.iter().find(|a| a.type_ == "InternalIP")?.address.parse().ok()
}

/// `kubelet_volume_stats_used_bytes{namespace="a",persistentvolumeclaim="b"} 1.2e+06`
fn volumes(metrics: &str) -> impl Iterator<Item = ((String, String), u64)> {
    metrics.lines().filter_map(|line| {
        let (labels, value) = line.strip_prefix("kubelet_volume_stats_used_bytes{")?.split_once('}')?;
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        };
        let value: f64 = value.split_whitespace().next()?.parse().ok()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes of a volume, whole and far below 2^53")]
        let bytes = value.max(0.0) as u64;
        Some(((label("namespace")?, label("persistentvolumeclaim")?), bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kubelets_figures_are_read_in_coarse_steps() {
        let text = "# HELP x\nkubelet_volume_stats_used_bytes{namespace=\"e\",persistentvolumeclaim=\"s-data\"} 1.048576e+08\nother 1";
        let found: Vec<_> = volumes(text).collect();
        assert_eq!(found, [(("e".to_owned(), "s-data".to_owned()), 104_857_600)]);
        assert_eq!(coarse(104_857_600, Bytes::new(1 << 30)).to_string(), "128Mi");
        assert_eq!(coarse(0, Bytes::new(1 << 30)), Bytes::ZERO);
        assert_eq!(coarse(1, Bytes::new(100 << 30)).to_string(), "1Gi");
    }

    #[test]
    fn what_no_kubelet_reports_is_unknown_and_never_0() {
        let usages = Usages::new(Arc::new(|_| {}));
        let key = Key::new(crate::cache::Kind::DedicatedService, "e", "s");
        let quota = Bytes::new(1 << 30);
        assert_eq!(usages.of(&key, "e", "s-data", quota), Known::NotYet);
        usages.take(HashMap::new());
        assert_eq!(usages.of(&key, "e", "s-data", quota), Known::Nothing);
    }
}
