//! A proxy on loopback between an operator and the API server. What becomes of each request, a
//! [`Judge`] says: it is passed on, answered in the API server's place, left without an answer, or cut.

mod call;
mod edit;
mod stream;
#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::Client;
use kube::client::Body;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use call::Call;
pub use edit::Edit;
pub use stream::Disturbance;
use stream::{AnyBody, disturbed};

use crate::failure::Outcome;

/// A request without an answer is cut after this long, as a dead connection is in the end.
const SILENCE: Duration = Duration::from_secs(90);

/// Says what becomes of a request.
pub trait Judge: Send + Sync + 'static {
    /// Asked once for each request, before anything else is done with it.
    fn judge(&self, call: &Call) -> Verdict;
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// On to the API server, and its answer back.
    Pass,
    /// This answer, in the API server's place.
    Refuse(Refusal),
    /// No answer, until the client gives up or a minute and a half has passed.
    Silence,
    /// The connection ends; the API server hears nothing.
    CutBefore,
    /// On to the API server; the connection ends in place of the answer.
    CutAfter,
    /// A signal to a process; the API server hears nothing.
    SignalBefore(Pid, Signal),
    /// On to the API server, then a signal to a process before the answer is sent back.
    SignalAfter(Pid, Signal),
    /// On to the API server; the events of its answer are disturbed.
    Disturb(Disturbance),
    /// On to the API server; each object of its answer is edited: alone, of a list or of a watch.
    Edit(Edit),
}

/// An answer in the API server's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The status.
    pub code: u16,
    /// `reason` of the Status object.
    pub reason: &'static str,
    /// The header Retry-After, in seconds.
    pub retry_after: Option<u32>,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The request, without its body.
    pub call: Call,
    /// When it came in.
    pub at: Instant,
    /// Whether it was passed on to the API server.
    pub passed_on: bool,
}

/// The proxy. Dropped, it closes.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    made: Arc<Mutex<Vec<Made>>>,
    listener: JoinHandle<()>,
}

/// What all connections share.
struct Shared<J> {
    upstream: Client,
    judge: Arc<J>,
    made: Arc<Mutex<Vec<Made>>>,
}

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection was cut")]
struct Cut;

impl Proxy {
    /// Opens a proxy to the API server of `upstream`, whose identity every request takes. Give it a
    /// client that repeats nothing by itself.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open<J: Judge>(upstream: Client, judge: Arc<J>) -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let made = Arc::default();
        let shared = Arc::new(Shared { upstream, judge, made: Arc::clone(&made) });
        Ok(Self { address, made, listener: tokio::spawn(serve(listener, shared)) })
    }

    /// Where the operator is to find the API server.
    pub fn server(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far that `keep` is true of, in the order in which they came in.
    pub fn made(&self, keep: impl Fn(&Made) -> bool) -> Vec<Made> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.iter().filter(|made| keep(made)).cloned().collect()
    }

    /// The writes that were passed on after `since`.
    pub fn writes_since(&self, since: Instant) -> Vec<Call> {
        let writes = self.made(|made| made.passed_on && made.at > since && made.call.is_write());
        writes.into_iter().map(|made| made.call).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

async fn serve<J: Judge>(listener: TcpListener, shared: Arc<Shared<J>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
            // Cut connections and those of a killed operator end in the middle.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer<J: Judge>(request: Request<Incoming>, shared: Arc<Shared<J>>) -> Result<Response<AnyBody>, Cut> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Cut)?.to_bytes();
    let call = Call::read(&parts, &body);
    let (verdict, watches) = (shared.judge.judge(&call), call.verb == "watch");
    shared.note(call, &verdict);
    match verdict {
        Verdict::Pass => Ok(shared.pass_on(parts, body).await),
        Verdict::Refuse(refusal) => Ok(refusal.response()),
        Verdict::Silence => {
            tokio::time::sleep(SILENCE).await;
            Err(Cut)
        }
        Verdict::CutBefore => Err(Cut),
        Verdict::CutAfter => {
            let answer = shared.pass_on(parts, body).await;
            if !watches {
                // Read to its end: only then everything was done. A watch has none.
                let _ = answer.into_body().collect().await;
            }
            Err(Cut)
        }
        Verdict::SignalBefore(pid, signal) => {
            signal_to(pid, signal);
            Err(Cut)
        }
        Verdict::SignalAfter(pid, signal) => {
            let answer = shared.pass_on(parts, body).await;
            signal_to(pid, signal);
            Ok(answer)
        }
        Verdict::Disturb(disturbance) => {
            Ok(shared.pass_on_unmeasured(parts, body).await.map(|body| disturbed(body, disturbance)))
        }
        Verdict::Edit(edit) => {
            let answer = shared.pass_on_unmeasured(parts, body).await;
            Ok(if watches { answer.map(|body| edit.events(body)) } else { edit.objects(answer).await })
        }
    }
}

/// Gone already is as good.
fn signal_to(pid: Pid, signal: Signal) {
    let _ = kill(pid, signal);
}

impl<J> Shared<J> {
    fn note(&self, call: Call, verdict: &Verdict) {
        let kept_back =
            matches!(verdict, Verdict::Refuse(_) | Verdict::Silence | Verdict::CutBefore | Verdict::SignalBefore(..));
        let call = Call { body: Bytes::new(), ..call };
        let made = Made { call, at: Instant::now(), passed_on: !kept_back };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(made);
    }

    /// The same, of an answer whose length will be another.
    async fn pass_on_unmeasured(&self, parts: Parts, body: Bytes) -> Response<AnyBody> {
        let mut answer = self.pass_on(parts, body).await;
        answer.headers_mut().remove("content-length");
        answer
    }

    async fn pass_on(&self, parts: Parts, body: Bytes) -> Response<AnyBody> {
        match forward(&self.upstream, parts, body).await {
            Ok(response) => response.map(|body| body.map_err(Into::into).boxed_unsync()),
            Err(failure) => plain(StatusCode::BAD_GATEWAY, failure.to_string()),
        }
    }
}

async fn forward(upstream: &Client, mut parts: Parts, body: Bytes) -> Outcome<Response<Body>> {
    parts.headers.remove("authorization");
    parts.headers.remove("host");
    parts.uri = parts.uri.path_and_query().map_or("/", |path| path.as_str()).parse()?;
    Ok(upstream.send(Request::from_parts(parts, Body::from(body))).await?)
}

impl Refusal {
    /// As the API server writes one.
    fn response(self) -> Response<AnyBody> {
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": self.code,
            "reason": self.reason, "message": format!("{} by the test's proxy", self.reason),
        });
        let mut response = plain(StatusCode::INTERNAL_SERVER_ERROR, status.to_string());
        *response.status_mut() = StatusCode::from_u16(self.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert("content-type", hyper::http::HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert("retry-after", seconds.into());
        }
        response
    }
}

fn plain(status: StatusCode, text: String) -> Response<AnyBody> {
    let body = Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
