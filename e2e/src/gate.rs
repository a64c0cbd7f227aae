//! A gate on loopback between an operator and the API server that lets a given number of writes
//! pass, then kills the operator before it learns of the last one's answer.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::audit;
use crate::failure::Outcome;

/// The gate. Dropped, it closes.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    turnstile: Arc<Turnstile>,
    listener: JoinHandle<()>,
}

/// Counts writes; whoever makes the last one is killed.
#[derive(Debug)]
struct Turnstile {
    passed: AtomicU32,
    last: u32,
    victim: AtomicI32,
}

impl Turnstile {
    /// Takes one write through: whether it may go on to the API server, and whether it is the last.
    fn enter(&self) -> Passage {
        match self.passed.fetch_add(1, Ordering::SeqCst) + 1 {
            number if number < self.last => Passage::Free,
            number if number == self.last => Passage::Last,
            _ => Passage::Closed,
        }
    }

    fn kill(&self) {
        let victim = self.victim.load(Ordering::SeqCst);
        // Nobody was aimed at yet: 0 would be this very process and all of its group.
        if victim > 0 {
            // Gone already is as good.
            let _ = kill(Pid::from_raw(victim), Signal::SIGKILL);
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Passage {
    Free,
    Last,
    Closed,
}

impl Gate {
    /// Opens a gate to the API server of `upstream`, whose identity every request takes, for
    /// `writes` writes. Leases and events pass uncounted.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open(upstream: Client, writes: u32) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let turnstile = Arc::new(Turnstile { passed: AtomicU32::new(0), last: writes, victim: AtomicI32::new(0) });
        let listener = tokio::spawn(serve(listener, upstream, Arc::clone(&turnstile)));
        Ok(Self { address, turnstile, listener })
    }

    /// Where the operator is to find the API server.
    pub fn server(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says which process is killed with the last write.
    pub fn aim(&self, pid: i32) {
        self.turnstile.victim.store(pid, Ordering::SeqCst);
    }

    /// How many writes came so far.
    pub fn passed(&self) -> u32 {
        self.turnstile.passed.load(Ordering::SeqCst)
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
    let passage = if is_write(&request) { turnstile.enter() } else { Passage::Free };
    if passage == Passage::Closed {
        turnstile.kill();
        return Ok(unavailable("the gate is closed"));
    }
    let answer = pass_on(request, upstream).await;
    if passage == Passage::Last {
        turnstile.kill();
    }
    Ok(answer.unwrap_or_else(|failure| unavailable(&failure.to_string())))
}

async fn pass_on(request: Request<Incoming>, upstream: Client) -> Outcome<Response<Body>> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove("authorization");
    parts.headers.remove("host");
    parts.uri = parts.uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    let body = body.collect().await?.to_bytes();
    Ok(upstream.send(Request::from_parts(parts, Body::from(body.to_vec()))).await?)
}

fn unavailable(words: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(words.as_bytes().to_vec()));
    *response.status_mut() = hyper::StatusCode::BAD_GATEWAY;
    response
}

/// As the audit log counts, from method and path.
fn is_write(request: &Request<Incoming>) -> bool {
    let verb = match request.method().as_str() {
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => return false,
    };
    audit::is_write(verb, resource(request.uri().path()))
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
    use super::resource;

    #[test]
    fn the_resource_is_found_in_any_path() {
        assert_eq!(resource("/api/v1/namespaces"), "namespaces");
        assert_eq!(resource("/api/v1/namespaces/a/secrets/s"), "secrets");
        assert_eq!(resource("/apis/apps/v1/namespaces/a/deployments/d"), "deployments");
        assert_eq!(resource("/apis/coordination.k8s.io/v1/namespaces/a/leases/l"), "leases");
        assert_eq!(resource("/apis/commonscloud.coop/v1alpha1/entities/e/status"), "entities");
    }
}
