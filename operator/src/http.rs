//! `/healthz`, `/readyz` and `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use crate::cache::{Caches, Key};
use crate::controller::queue::Queue;
use crate::leader::Leadership;
use crate::metrics::Metrics;

/// What is told of a process. Cloning shares it.
#[derive(Clone)]
pub struct Process {
    /// What it sees.
    pub caches: Caches,
    /// What it counts.
    pub metrics: Arc<Metrics>,
    /// What waits.
    pub queue: Arc<Queue<Key>>,
    /// Whether it leads.
    pub leadership: Leadership,
}

/// Serves until dropped.
///
/// # Errors
/// When the address cannot be listened on.
pub async fn serve(address: SocketAddr, process: Process) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let process = process.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let response = answer(request.uri().path(), &process);
            async move { Ok::<_, Infallible>(response) }
        });
        let mut server = hyper::server::conn::http1::Builder::new();
        server.timer(TokioTimer::new());
        tokio::spawn(server.serve_connection(TokioIo::new(stream), service));
    }
}

fn answer(path: &str, process: &Process) -> Response<Full<Bytes>> {
    match path {
        "/healthz" => text(StatusCode::OK, "ok\n".to_owned()),
        "/readyz" => readiness(&process.caches.unready()),
        "/metrics" => metrics_text(process),
        _ => text(StatusCode::NOT_FOUND, "/healthz, /readyz and /metrics are here\n".to_owned()),
    }
}

/// Each line is the API server's own word on what the operator does not see.
fn readiness(unready: &[String]) -> Response<Full<Bytes>> {
    if unready.is_empty() {
        return text(StatusCode::OK, "ok\n".to_owned());
    }
    text(StatusCode::SERVICE_UNAVAILABLE, unready.join("\n") + "\n")
}

fn metrics_text(process: &Process) -> Response<Full<Bytes>> {
    process.metrics.observe(&process.caches, process.queue.depth(), process.leadership.holds());
    let mut response = text(StatusCode::OK, process.metrics.text());
    let kind = header::HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing() {
        assert_eq!(readiness(&[]).status(), StatusCode::OK);
        let (caches, leadership) = (Caches::new(), Leadership::alone());
        assert!(caches.awaited().contains(&"entities"));
        let process = Process { caches, metrics: Arc::default(), queue: Arc::default(), leadership };
        assert_eq!(answer("/readyz", &process).status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer("/healthz", &process).status(), StatusCode::OK);
        assert_eq!(answer("/metrics", &process).status(), StatusCode::OK);
    }
}
