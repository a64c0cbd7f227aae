//! An API server for tests: it lists and watches what it was told to, in the very bytes.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::json;
use tokio::net::TcpListener;

#[derive(Default)]
struct State {
    items: HashMap<String, Vec<String>>,
    refused: HashMap<String, String>,
    watches: HashMap<String, UnboundedSender<Bytes>>,
    lists: HashMap<String, usize>,
}

/// The server; it ends with the test's runtime.
#[derive(Clone, Default)]
pub(super) struct Stub {
    state: Arc<Mutex<State>>,
}

impl Stub {
    /// A server, and a client of it.
    pub(super) async fn start() -> (Self, Client) {
        let stub = Self::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = stub.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stub = server.clone();
                let service = service_fn(move |request: Request<Incoming>| {
                    let response = stub.answer(request.uri().path(), request.uri().query().unwrap_or_default());
                    async move { Ok::<_, Infallible>(response) }
                });
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        let client = Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap();
        (stub, client)
    }

    /// What a list of this resource holds from now on.
    pub(super) fn items(&self, resource: &str, items: &[String]) {
        self.state.lock().unwrap().items.insert(resource.to_owned(), items.to_vec());
    }

    /// Refuses lists and watches of this resource, with this message; none: no more.
    pub(super) fn refuse(&self, resource: &str, message: Option<&str>) {
        let mut state = self.state.lock().unwrap();
        match message {
            Some(message) => drop(state.refused.insert(resource.to_owned(), message.to_owned())),
            None => drop(state.refused.remove(resource)),
        }
        state.watches.remove(resource);
    }

    /// Sends an event to whoever watches this resource.
    pub(super) async fn event(&self, resource: &str, kind: &str, object: &str) {
        until(|| {
            let state = self.state.lock().unwrap();
            let line = Bytes::from(format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n"));
            state.watches.get(resource).is_some_and(|watch| watch.unbounded_send(line).is_ok())
        })
        .await;
    }

    /// How often this resource was listed.
    pub(super) fn lists(&self, resource: &str) -> usize {
        self.state.lock().unwrap().lists.get(resource).copied().unwrap_or_default()
    }

    fn answer(&self, path: &str, query: &str) -> Response<BoxBody<Bytes, Infallible>> {
        let resource = path.rsplit('/').next().unwrap_or_default().to_owned();
        let mut state = self.state.lock().unwrap();
        if let Some(message) = state.refused.get(&resource) {
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message,
                                "reason": "Forbidden", "code": 403});
            return response(StatusCode::FORBIDDEN, Full::new(Bytes::from(status.to_string())).boxed());
        }
        if query.contains("watch=true") {
            let (sender, events): (_, UnboundedReceiver<Bytes>) = unbounded();
            state.watches.insert(resource, sender);
            let body = StreamBody::new(events.map(|line| Ok(Frame::data(line))));
            return response(StatusCode::OK, BoxBody::new(body));
        }
        *state.lists.entry(resource.clone()).or_default() += 1;
        let inside = path.split_once("/namespaces/").and_then(|(_, rest)| rest.split_once('/'));
        let here = |item: &&String| inside.is_none_or(|(name, _)| item.contains(&format!("\"namespace\":\"{name}\"")));
        let items =
            state.items.get(&resource).into_iter().flatten().filter(here).cloned().collect::<Vec<_>>().join(",");
        let text = format!(
            "{{\"kind\":\"List\",\"apiVersion\":\"v1\",\"metadata\":{{\"resourceVersion\":\"100\"}},\"items\":[{items}]}}"
        );
        response(StatusCode::OK, Full::new(Bytes::from(text)).boxed())
    }
}

fn response(status: StatusCode, body: BoxBody<Bytes, Infallible>) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// Waits until something holds.
pub(super) async fn until(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that");
}
