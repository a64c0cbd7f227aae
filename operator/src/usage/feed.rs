//! The task that asks in rounds, and what others know of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use hyper::StatusCode;
use tokio::time::{MissedTickBehavior, interval};

use super::account::{AccountSource, Accounts};
use super::kubelet::{self, KubeletError};
use super::troubles::{Troubles, Turn};
use super::volumes::{MISSES, Volumes};
use super::{Claim, Measurement, Usage};
use crate::cache::{Key, Kubelet, Listener, Store};

/// How many kubelets are asked at a time.
const CONCURRENCY: usize = 16;
/// How often it is asked whether the nodes are known.
const GLANCE: Duration = Duration::from_millis(20);

#[derive(Default)]
struct State {
    volumes: Volumes,
    wanted: HashMap<Key, HashSet<Claim>>,
    rounds: u32,
    complete: bool,
}

impl State {
    fn known(&self, claim: &Claim) -> Measurement {
        match self.volumes.of(claim) {
            Some(usage) => Measurement::Measured(usage),
            None if self.complete => Measurement::Nothing,
            None => Measurement::NotYet,
        }
    }

    /// Takes in a round. Returns the instances of which something else is known now.
    fn take(&mut self, round: Round) -> Vec<Key> {
        let changed: HashSet<Claim> = self.volumes.take(round.measured).into_iter().collect();
        self.rounds = self.rounds.saturating_add(1);
        // A kubelet that fails again and again does not keep the others' volumes in doubt.
        let complete = self.complete || round.all_answered || self.rounds >= MISSES;
        let completed = !std::mem::replace(&mut self.complete, complete) && complete;
        let concerned = |claim: &Claim| changed.contains(claim) || (completed && self.volumes.of(claim).is_none());
        self.wanted.iter().filter(|(_, claims)| claims.iter().any(concerned)).map(|(key, _)| key.clone()).collect()
    }
}

/// What the kubelets say of volumes. Cloning shares it.
#[derive(Clone)]
pub struct Usages {
    state: Arc<Mutex<State>>,
    listener: Listener,
}

impl Usages {
    /// Nothing is asked yet. `listener` hears of each instance that asked for a volume of which
    /// something else is [known](Self::of) than before.
    pub fn new(listener: Listener) -> Self {
        Self { state: Arc::default(), listener }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the volume of a claim in the instance's namespace; the instance hears of
    /// changes from now on.
    pub fn of(&self, key: &Key, claim: &str) -> Measurement {
        let claim = Claim { namespace: key.namespace.clone(), name: claim.to_owned() };
        let mut state = self.lock();
        let known = state.known(&claim);
        state.wanted.entry(key.clone()).or_default().insert(claim);
        known
    }

    /// The instance does not want to know any more.
    pub fn forget(&self, key: &Key) {
        self.lock().wanted.remove(key);
    }

    /// Asks the kubelets of all `nodes` as soon as those are known and then `every` so often, until
    /// dropped.
    pub async fn run(&self, nodes: Store<Kubelet>, source: AccountSource, every: Duration) {
        while !nodes.is_complete() {
            tokio::time::sleep(GLANCE).await;
        }
        let mut asker = Asker { accounts: Accounts::new(source), nodes, troubles: Troubles::default() };
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let round = asker.round().await;
            let concerned = self.lock().take(round);
            for key in concerned {
                (self.listener)(key);
            }
        }
    }
}

struct Round {
    measured: HashMap<Claim, Usage>,
    all_answered: bool,
}

struct Asker {
    accounts: Accounts,
    /// As they were last seen: they can be asked while the API server is away.
    nodes: Store<Kubelet>,
    troubles: Troubles,
}

impl Asker {
    async fn round(&mut self) -> Round {
        let kubelets: Vec<Kubelet> = self.nodes.all().iter().map(|kubelet| Kubelet::clone(kubelet)).collect();
        self.troubles.keep(|node| node.is_empty() || kubelets.iter().any(|kubelet| kubelet.node == node));
        let account = self.accounts.read().await;
        self.tell("", "the account", account.as_ref().err().map(String::as_str));
        let Ok(account) = account else { return Round { measured: HashMap::new(), all_answered: false } };
        let account = Arc::new(account);
        let asked = stream::iter(kubelets).map(|kubelet| {
            let account = account.clone();
            async move {
                let answer = kubelet::ask(&kubelet, &account).await;
                (kubelet, answer)
            }
        });
        let answers: Vec<_> = asked.buffer_unordered(CONCURRENCY).collect().await;
        if answers.iter().any(|(_, answer)| matches!(answer, Err(KubeletError::Refused(StatusCode::UNAUTHORIZED)))) {
            self.accounts.forget();
        }
        let mut round = Round { measured: HashMap::new(), all_answered: self.nodes.is_complete() };
        for (kubelet, answer) in answers {
            let failure = answer.as_ref().err().map(ToString::to_string);
            self.tell(&kubelet.node, &kubelet.address.to_string(), failure.as_deref());
            round.all_answered &= failure.is_none();
            round.measured.extend(answer.unwrap_or_default());
        }
        round
    }

    fn tell(&mut self, node: &str, asked: &str, failure: Option<&str>) {
        match self.troubles.note(node, failure) {
            Some(Turn::Fails) => tracing::warn!(node, asked, failure, "the usage of volumes is not told"),
            Some(Turn::Works) => tracing::info!(node, asked, "the usage of volumes is told again"),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use kube::Client;
    use serde_json::json;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
    use tokio::task::JoinSet;
    use tokio::time::timeout;

    use super::*;
    use crate::cache::{Caches, Kind};
    use crate::core::Bytes;
    use crate::reachability::loopback::{Authority, Behaviour, Server};

    const MIB: u64 = 1 << 20;
    const TICK: Duration = Duration::from_millis(20);

    /// A kubelet, an API server that knows its node, and a feed that asks them.
    struct Cluster {
        kubelet: Server,
        api: Server,
        tokens: Server,
        _folder: tempfile::TempDir,
        usages: Usages,
        news: UnboundedReceiver<String>,
        running: JoinSet<()>,
    }

    fn key(namespace: &str) -> Key {
        Key::new(Kind::DedicatedOffice, namespace, "office")
    }

    fn metrics(token: &str, used: u64) -> Behaviour {
        let labels = "{namespace=\"school\",persistentvolumeclaim=\"office-files\"}";
        let available = 1000 * MIB - used;
        let body = format!(
            "kubelet_volume_stats_used_bytes{labels} {used}\nkubelet_volume_stats_available_bytes{labels} {available}\n"
        );
        Behaviour { body, token: Some(token.to_owned()), ..Behaviour::status(200) }
    }

    /// What the API server gives who asks for a token.
    fn gives(token: &str) -> Behaviour {
        let status = json!({"token": token, "expirationTimestamp": "2036-01-01T00:00:00Z"});
        let request = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "metadata": {},
            "spec": {"audiences": []}, "status": status,
        });
        Behaviour { body: request.to_string(), ..Behaviour::status(201) }
    }

    fn client_of(server: &Server) -> Client {
        Client::try_from(kube::Config::new(format!("http://127.0.0.1:{}", server.port()).parse().unwrap())).unwrap()
    }

    fn write(folder: &Path, file: &str, text: &str) -> std::path::PathBuf {
        let path = folder.join(file);
        std::fs::write(&path, text).unwrap();
        path
    }

    impl Cluster {
        async fn start(certificate_for: &str, behaviour: Behaviour) -> Self {
            let authority = Authority::new();
            let kubelet = Server::start(&authority, &[certificate_for], behaviour).await;
            let endpoint = json!({"kubeletEndpoint": {"Port": kubelet.port()}});
            let status =
                json!({"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}], "daemonEndpoints": endpoint});
            let list = json!({"apiVersion": "v1", "kind": "NodeList", "metadata": {}, "items": [{"metadata": {"name": "n"}, "status": status}]});
            let api = Server::start_plain(Behaviour { body: list.to_string(), ..Behaviour::status(200) }).await;
            let client = client_of(&api);
            let tokens = Server::start_plain(gives("first")).await;
            let folder = tempfile::tempdir().unwrap();
            let source = AccountSource {
                client: client_of(&tokens),
                namespace: "system".to_owned(),
                authority: write(folder.path(), "ca.crt", &authority.pem()),
            };
            let (tell, news) = unbounded_channel();
            let usages =
                Usages::new(Arc::new(move |key: Key| tell.send(format!("{}/{}", key.namespace, key.name)).unwrap()));
            assert_eq!(usages.of(&key("school"), "office-files"), Measurement::NotYet);
            let (asking, mut task) = (usages.clone(), JoinSet::new());
            let caches = Caches::new();
            let (nodes, watching) =
                (caches.nodes.clone(), caches.watch_nodes(&client, &(Arc::new(|_| {}) as Listener)));
            task.spawn(async move { tokio::join!(watching, asking.run(nodes, source, TICK)).0 });
            Self { kubelet, api, tokens, _folder: folder, usages, news, running: task }
        }

        /// MiB in use.
        fn used(&self) -> Option<u64> {
            match self.usages.of(&key("school"), "office-files") {
                Measurement::Measured(usage) => Some(usage.used.get() / MIB),
                Measurement::Nothing => None,
                Measurement::NotYet => panic!("not yet"),
            }
        }

        async fn next(&mut self) -> String {
            timeout(Duration::from_secs(20), self.news.recv()).await.expect("news in time").unwrap()
        }

        /// Waits until the kubelet was asked this many times more.
        async fn rounds(&self, count: usize) {
            let until = self.kubelet.requests().len() + count;
            let reached = async {
                while self.kubelet.requests().len() < until {
                    tokio::time::sleep(TICK).await;
                }
            };
            timeout(Duration::from_secs(20), reached).await.expect("rounds in time");
        }
    }

    #[tokio::test]
    async fn what_a_kubelet_measures_is_known_and_told_in_steps() {
        let mut cluster = Cluster::start("127.0.0.1", metrics("first", 100 * MIB)).await;
        assert_eq!(cluster.next().await, "school/office");
        let measured = Usage { used: Bytes::new(100 * MIB), available: Bytes::new(900 * MIB), inodes: None };
        assert_eq!(cluster.usages.of(&key("school"), "office-files"), Measurement::Measured(measured));
        assert_eq!(cluster.usages.of(&key("town"), "office-files"), Measurement::Nothing);
        assert_eq!(cluster.kubelet.requests()[0].path, "/metrics");

        cluster.kubelet.now_answers(metrics("first", 105 * MIB));
        cluster.rounds(3).await;
        assert!(cluster.news.try_recv().is_err());
        assert_eq!(cluster.used(), Some(100));
        cluster.kubelet.now_answers(metrics("first", 400 * MIB));
        assert_eq!(cluster.next().await, "school/office");
        assert_eq!(cluster.used(), Some(400));
    }

    #[tokio::test]
    async fn an_instance_hears_of_each_of_its_volumes() {
        let mut cluster = Cluster::start("127.0.0.1", metrics("first", 100 * MIB)).await;
        assert_eq!(cluster.usages.of(&key("school"), "office-database"), Measurement::NotYet);
        assert_eq!(cluster.next().await, "school/office");
        assert_eq!(cluster.usages.of(&key("school"), "office-database"), Measurement::Nothing);
        cluster.kubelet.now_answers(metrics("first", 400 * MIB));
        assert_eq!(cluster.next().await, "school/office", "the question about one volume forgets no other");
        assert_eq!(cluster.used(), Some(400));
    }

    #[tokio::test]
    async fn a_token_that_a_kubelet_refuses_is_asked_for_anew() {
        let mut cluster = Cluster::start("127.0.0.1", metrics("second", 100 * MIB)).await;
        assert_eq!(cluster.next().await, "school/office", "that nothing is known is told as well");
        assert_eq!(cluster.used(), None);
        cluster.tokens.now_answers(gives("second"));
        assert_eq!(cluster.next().await, "school/office");
        assert_eq!(cluster.used(), Some(100));
    }

    #[tokio::test]
    async fn a_kubelet_with_another_certificate_is_not_shown_the_token() {
        let mut cluster = Cluster::start("other.example.org", metrics("first", 100 * MIB)).await;
        assert_eq!(cluster.next().await, "school/office");
        assert_eq!(cluster.used(), None);
        assert!(cluster.kubelet.requests().is_empty());
    }

    #[tokio::test]
    async fn a_kubelet_that_fails_leaves_its_volumes_unknown_and_recovers() {
        let mut cluster = Cluster::start("127.0.0.1", metrics("first", 100 * MIB)).await;
        cluster.next().await;
        cluster.kubelet.now_answers(Behaviour::status(500));
        assert_eq!(cluster.next().await, "school/office");
        assert_eq!(cluster.used(), None);
        cluster.kubelet.now_answers(metrics("first", 100 * MIB));
        assert_eq!(cluster.next().await, "school/office");
        assert_eq!(cluster.used(), Some(100));
    }

    #[tokio::test]
    async fn kubelets_are_asked_while_the_api_server_is_away() {
        let mut cluster = Cluster::start("127.0.0.1", metrics("first", 100 * MIB)).await;
        cluster.next().await;
        cluster.api.now_answers(Behaviour::status(403));
        cluster.tokens.now_answers(Behaviour::status(403));
        cluster.rounds(4).await;
        assert_eq!(cluster.used(), Some(100));
        let asked: Vec<String> = cluster.tokens.requests().into_iter().map(|request| request.path).collect();
        assert_eq!(asked.len(), 1, "one token for all rounds: {asked:?}");
        assert!(
            asked[0].starts_with("/api/v1/namespaces/system/serviceaccounts/commonscloud-usage/token"),
            "{asked:?}"
        );
        assert!(cluster.news.try_recv().is_err());
    }

    #[tokio::test]
    async fn an_instance_that_forgot_hears_nothing_and_the_end_of_the_task_ends_the_questions() {
        let mut cluster = Cluster::start("127.0.0.1", metrics("first", 100 * MIB)).await;
        cluster.next().await;
        cluster.usages.forget(&key("school"));
        cluster.kubelet.now_answers(metrics("first", 400 * MIB));
        cluster.rounds(3).await;
        assert!(cluster.news.try_recv().is_err());
        cluster.running.shutdown().await;
        let asked = cluster.api.requests().len();
        tokio::time::sleep(TICK * 5).await;
        assert_eq!(cluster.api.requests().len(), asked);
    }
}
