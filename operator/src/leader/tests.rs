use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Mutex, PoisonError};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::core::Status;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

/// An API server that knows one Lease.
#[derive(Default)]
struct Store {
    lease: Option<Value>,
    version: u64,
    /// Whether somebody writes between each read and the write that follows.
    contested: bool,
}

impl Store {
    fn answer(&mut self, method: &str, body: Value) -> (u16, Value) {
        let version = |lease: &Value| lease["metadata"]["resourceVersion"].clone();
        match (method, self.lease.clone()) {
            ("GET", None) => refusal(404, "NotFound"),
            ("GET", Some(lease)) => {
                if self.contested {
                    self.keep(lease.clone());
                }
                (200, lease)
            }
            ("POST", Some(_)) => refusal(409, "AlreadyExists"),
            ("PUT", Some(known)) if version(&known) != version(&body) => refusal(409, "Conflict"),
            _ => (200, self.keep(body)),
        }
    }

    fn keep(&mut self, mut lease: Value) -> Value {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.lease = Some(lease.clone());
        lease
    }

    fn holder(&self) -> String {
        let lease = self.lease.as_ref().unwrap_or(&Value::Null);
        lease["spec"]["holderIdentity"].as_str().unwrap_or_default().to_owned()
    }
}

fn refusal(code: u16, reason: &str) -> (u16, Value) {
    (code, serde_json::to_value(Status::failure("", reason).with_code(code)).unwrap())
}

struct Cluster {
    store: Arc<Mutex<Store>>,
    client: Client,
}

impl Cluster {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let store: Arc<Mutex<Store>> = Arc::default();
        let shared = Arc::clone(&store);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let store = Arc::clone(&shared);
                let service = service_fn(move |request: Request<Incoming>| respond(request, Arc::clone(&store)));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self { store, client: client(&format!("http://{address}")) }
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn candidate(&self, identity: &str) -> Candidate {
        Candidate::new(self.client.clone(), "home", "operator", identity)
    }
}

async fn respond(request: Request<Incoming>, store: Arc<Mutex<Store>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let method = request.method().as_str().to_owned();
    let body = request.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let (code, answer) = store.lock().unwrap_or_else(PoisonError::into_inner).answer(&method, body);
    let mut response = Response::new(Full::new(Bytes::from(answer.to_string())));
    *response.status_mut() = code.try_into().unwrap();
    Ok(response)
}

fn client(server: &str) -> Client {
    Client::try_from(kube::Config::new(server.parse().unwrap())).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_slept_longer_than_its_lease_does_not_write() {
    let leadership = Leadership::none();
    assert!(!leadership.holds());
    leadership.extend(Instant::now());
    assert!(leadership.holds());
    tokio::time::advance(WRITES).await;
    assert!(!leadership.holds());
}

#[tokio::test(start_paused = true)]
async fn a_lease_expires_when_no_renewal_was_seen_by_this_clock() {
    let mut candidate = Candidate::new(client("http://127.0.0.1:1"), "home", "operator", "second");
    let renewed = |text: &str| LeaseSpec {
        holder_identity: Some("first".to_owned()),
        // What the holder's clock says is of no account.
        renew_time: Some(MicroTime(text.parse().unwrap())),
        ..LeaseSpec::default()
    };
    let (early, late) = (renewed("1999-01-01T00:00:00Z"), renewed("1999-01-01T00:00:01Z"));
    assert!(!candidate.has_expired(&early), "seen for the first time");
    tokio::time::advance(DURATION).await;
    assert!(!candidate.has_expired(&late), "renewed meanwhile");
    tokio::time::advance(DURATION).await;
    assert!(!candidate.has_expired(&late), "it holds to the end");
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(candidate.has_expired(&late));
}

#[tokio::test]
async fn of_two_candidates_one_leads_until_it_resigns() {
    let cluster = Cluster::start().await;
    let (mut first, mut second) = (cluster.candidate("first"), cluster.candidate("second"));
    assert!(first.attempt().await && first.leadership().holds());
    assert!(!second.attempt().await && !second.leadership().holds());
    assert!(first.attempt().await, "renewed");
    first.resign().await;
    assert!(!first.leadership().holds());
    assert!(second.attempt().await && second.leadership().holds());
    assert_eq!(cluster.store().holder(), "second");
}

#[tokio::test]
async fn whose_lease_was_taken_leads_no_more_and_does_not_give_it_away() {
    let cluster = Cluster::start().await;
    let mut first = cluster.candidate("first");
    assert!(first.attempt().await);
    let mut lease = cluster.store().lease.clone().unwrap();
    lease["spec"]["holderIdentity"] = json!("second");
    cluster.store().keep(lease);
    assert!(!first.attempt().await && !first.leadership().holds());
    first.resign().await;
    assert_eq!(cluster.store().holder(), "second");
}

#[tokio::test]
async fn a_lease_that_was_written_since_it_was_read_is_not_taken() {
    let cluster = Cluster::start().await;
    let mut first = cluster.candidate("first");
    assert!(first.attempt().await);
    first.resign().await;
    cluster.store().contested = true;
    let mut second = cluster.candidate("second");
    assert!(!second.attempt().await && !second.leadership().holds());
    assert_eq!(cluster.store().holder(), "");
}

#[tokio::test]
async fn a_renewal_that_met_another_of_its_own_is_tried_again_and_loses_nothing() {
    let cluster = Cluster::start().await;
    let mut first = cluster.candidate("first");
    assert!(first.attempt().await);
    cluster.store().contested = true;
    assert!(!first.attempt().await);
    assert!(first.leadership().holds(), "by its own clock it leads");
    cluster.store().contested = false;
    assert!(first.attempt().await && first.leadership().holds());
}
