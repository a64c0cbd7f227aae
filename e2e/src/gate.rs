//! A gate on loopback between an operator and the API server. Once it is set, it lets a given number
//! of writes pass, then kills the operator before it learns of the last one's answer.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::audit;
use crate::failure::Outcome;

/// The gate, open until it is set. Dropped, it closes.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    turnstile: Arc<Turnstile>,
    listener: JoinHandle<()>,
}

/// Counts writes; whoever makes the last one is killed.
#[derive(Debug, Default)]
struct Turnstile {
    trap: Mutex<Option<Trap>>,
}

/// What the gate is set to.
#[derive(Debug)]
struct Trap {
    /// The namespace whose objects, and the name of the object, that writes are counted of.
    name: String,
    last: u32,
    passed: u32,
    victim: Pid,
}

impl Turnstile {
    fn trap(&self) -> MutexGuard<'_, Option<Trap>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one write through: whether it may go on to the API server, and whether it is the last.
    fn enter(&self, path: &str, body: &[u8]) -> Passage {
        let mut trap = self.trap();
        let Some(trap) = trap.as_mut() else { return Passage::Free };
        if trap.passed >= trap.last {
            return Passage::Closed;
        }
        if !concerns(&trap.name, path, body) {
            return Passage::Free;
        }
        trap.passed += 1;
        if trap.passed == trap.last { Passage::Last } else { Passage::Free }
    }

    fn kill(&self) {
        if let Some(trap) = self.trap().as_ref() {
            // Gone already is as good.
            let _ = kill(trap.victim, Signal::SIGKILL);
        }
    }
}

/// Whether a write is about an object of that name or in a namespace of that name. Of what is made
/// outside of namespaces only the body says how it is called.
fn concerns(name: &str, path: &str, body: &[u8]) -> bool {
    let called = || serde_json::from_slice::<Value>(body).is_ok_and(|object| object["metadata"]["name"] == name);
    path.split('/').any(|part| part == name) || called()
}

#[derive(Debug, PartialEq, Eq)]
enum Passage {
    Free,
    Last,
    Closed,
}

impl Gate {
    /// Opens a gate to the API server of `upstream`, whose identity every request takes.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open(upstream: Client) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let turnstile = Arc::new(Turnstile::default());
        let listener = tokio::spawn(serve(listener, upstream, Arc::clone(&turnstile)));
        Ok(Self { address, turnstile, listener })
    }

    /// Where the operator is to find the API server.
    pub fn server(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets `writes` writes about `name` or into its namespace pass, then kills `victim`, and lets
    /// none of any kind pass any more. Leases and events pass uncounted.
    pub fn set(&self, name: &str, writes: u32, victim: i32) {
        *self.turnstile.trap() =
            Some(Trap { name: name.to_owned(), last: writes, passed: 0, victim: Pid::from_raw(victim) });
    }

    /// Lets everything pass again.
    pub fn release(&self) {
        *self.turnstile.trap() = None;
    }

    /// How many writes were counted since the gate was set.
    pub fn passed(&self) -> u32 {
        self.turnstile.trap().as_ref().map_or(0, |trap| trap.passed)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve(listener: TcpListener, upstream: Client, turnstile: Arc<Turnstile>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (upstream, turnstile) = (upstream.clone(), Arc::clone(&turnstile));
        connections.spawn(async move {
            let service = service_fn(move |request| forward(request, upstream.clone(), Arc::clone(&turnstile)));
            // The killed operator's connections end in the middle.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn forward(
    request: Request<Incoming>,
    upstream: Client,
    turnstile: Arc<Turnstile>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return Ok(unavailable(&error.to_string())),
    };
    let passage = if is_write(&parts) { turnstile.enter(parts.uri.path(), &body) } else { Passage::Free };
    if passage == Passage::Closed {
        turnstile.kill();
        return Ok(unavailable("the gate is closed"));
    }
    let answer = pass_on(parts, body.to_vec(), upstream).await;
    if passage == Passage::Last {
        turnstile.kill();
    }
    Ok(answer.unwrap_or_else(|failure| unavailable(&failure.to_string())))
}

async fn pass_on(mut parts: Parts, body: Vec<u8>, upstream: Client) -> Outcome<Response<Body>> {
    parts.headers.remove("authorization");
    parts.headers.remove("host");
    parts.uri = parts.uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    Ok(upstream.send(Request::from_parts(parts, Body::from(body))).await?)
}

fn unavailable(words: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(words.as_bytes().to_vec()));
    *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
    response
}

/// As the audit log counts, from method and path.
fn is_write(request: &Parts) -> bool {
    let verb = match request.method.as_str() {
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => return false,
    };
    audit::is_write(verb, resource(request.uri.path()))
}

/// The resource in an API path: `/api/v1/[namespaces/NS/]RESOURCE…`, `/apis/GROUP/VERSION/…`.
fn resource(path: &str) -> &str {
    let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    let rest = match parts.first() {
        Some(&"api") => parts.get(2..).unwrap_or_default(),
        _ => parts.get(3..).unwrap_or_default(),
    };
    match rest {
        ["namespaces", _, resource, ..] | [resource, ..] => resource,
        [] => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{Passage, Trap, Turnstile, concerns, resource};
    use nix::unistd::Pid;

    #[test]
    fn the_resource_is_found_in_any_path() {
        assert_eq!(resource("/api/v1/namespaces"), "namespaces");
        assert_eq!(resource("/api/v1/namespaces/a/secrets/s"), "secrets");
        assert_eq!(resource("/apis/apps/v1/namespaces/a/deployments/d"), "deployments");
        assert_eq!(resource("/apis/coordination.k8s.io/v1/namespaces/a/leases/l"), "leases");
        assert_eq!(resource("/apis/commonscloud.coop/v1alpha1/entities/e/status"), "entities");
    }

    #[test]
    fn only_what_concerns_the_name_is_counted() {
        assert!(concerns("a", "/api/v1/namespaces/a/secrets", br#"{"metadata": {"name": "s"}}"#));
        assert!(concerns("a", "/apis/commonscloud.coop/v1alpha1/entities/a/status", b""));
        assert!(concerns("a", "/api/v1/namespaces", br#"{"metadata": {"name": "a"}}"#));
        assert!(!concerns("a", "/api/v1/namespaces/ab/secrets/a-b", br#"{"metadata": {"name": "a-b"}}"#));
    }

    #[test]
    fn after_the_last_write_nothing_passes() {
        let turnstile = Turnstile::default();
        assert_eq!(turnstile.enter("/a", b""), Passage::Free, "open until it is set");
        // No process has this number.
        *turnstile.trap() = Some(Trap { name: "a".to_owned(), last: 2, passed: 0, victim: Pid::from_raw(i32::MAX) });
        let passages = ["/a", "/b", "/a", "/b", "/a"].map(|path| turnstile.enter(path, b""));
        assert_eq!(passages, [Passage::Free, Passage::Free, Passage::Last, Passage::Closed, Passage::Closed]);
    }
}
