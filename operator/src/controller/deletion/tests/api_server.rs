//! An API server that answers as it is told and notes what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What it was asked: verb, path and body.
pub type Asked = (String, String, Value);

/// Answers by verb and path; what has none is taken, or empty.
#[derive(Clone, Default)]
pub struct ApiServer {
    answers: Arc<HashMap<(String, String), (u16, Value)>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ApiServer {
    pub fn answering(answers: &[(&str, &str, u16, Value)]) -> Self {
        let one = |(verb, path, code, body): &(&str, &str, u16, Value)| {
            (((*verb).to_owned(), (*path).to_owned()), (*code, body.clone()))
        };
        Self { answers: Arc::new(answers.iter().map(one).collect()), ..Self::default() }
    }

    /// Starts it, and gives a client of it.
    pub async fn client(&self) -> Client {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Client::try_from(Config::new(format!("http://{address}").parse().unwrap())).unwrap()
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (verb, path) = (request.method().to_string(), request.uri().path().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (code, answer) = self
            .answers
            .get(&(verb.clone(), path.clone()))
            .cloned()
            .unwrap_or_else(|| (200, taken(&verb, &path, &body)));
        self.asked.lock().unwrap().push((verb, path, body));
        let response = Response::builder().status(code).header("content-type", "application/json");
        Ok(response.body(Full::new(Bytes::from(answer.to_string()))).unwrap())
    }

    /// The writes so far, each as `VERB path`, Events apart.
    pub fn writes(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let writes = asked.iter().filter(|(verb, path, _)| verb != "GET" && !path.ends_with("/events"));
        writes.map(|(verb, path, _)| format!("{verb} {path}")).collect()
    }

    /// What was sent last to a path that ends so; null: nothing.
    pub fn sent(&self, end: &str) -> Value {
        let asked = self.asked.lock().unwrap();
        let last = asked.iter().rev().find(|(verb, path, _)| verb != "GET" && path.ends_with(end));
        last.map(|(_, _, body)| body.clone()).unwrap_or_default()
    }
}

fn taken(verb: &str, path: &str, body: &Value) -> Value {
    match verb {
        "GET" => {
            json!({"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList", "metadata": {}, "items": []})
        }
        "DELETE" => json!({"apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Success"}),
        "PATCH" => {
            json!({"metadata": {"name": path.trim_end_matches("/status").rsplit('/').next(), "resourceVersion": "9"}})
        }
        _ => body.clone(),
    }
}

/// A refusal by a policy.
pub fn denied(message: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403,
        "message": format!("ValidatingAdmissionPolicy 'x' denied request: {message}"),
    })
}

/// What is not there.
pub fn missing() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure", "reason": "NotFound", "code": 404,
        "message": "not found",
    })
}
