//! Objects edited on their way from the API server: what no API server of today would send.

use std::fmt;
use std::sync::Arc;

use futures::StreamExt as _;
use http_body_util::{BodyExt as _, Full};
use hyper::Response;
use hyper::body::Bytes;
use serde_json::Value;

use super::stream::{AnyBody, framed, lines};

/// What is done to each object of an answer.
#[derive(Clone)]
pub struct Edit(Arc<dyn Fn(&mut Value) + Send + Sync>);

impl fmt::Debug for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Edit")
    }
}

impl PartialEq for Edit {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Edit {}

impl Edit {
    /// An edit; it says itself which objects it leaves as they are.
    pub fn new(edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self(Arc::new(edit))
    }

    /// An answer with an object or a list of objects.
    pub(super) async fn objects(&self, answer: Response<AnyBody>) -> Response<AnyBody> {
        let (parts, body) = answer.into_parts();
        // An answer that was cut short is no object any more.
        let bytes = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        let body = Full::new(Bytes::from(self.object_text(&bytes)));
        Response::from_parts(parts, body.map_err(|never| match never {}).boxed_unsync())
    }

    /// The events of a watch.
    pub(super) fn events(&self, body: AnyBody) -> AnyBody {
        let edit = self.clone();
        framed(lines(body).map(move |line| line.map(|event| Bytes::from(edit.event_text(&event)))))
    }

    pub(super) fn object_text(&self, text: &[u8]) -> Vec<u8> {
        let Ok(mut object) = serde_json::from_slice::<Value>(text) else { return text.to_vec() };
        match object.get_mut("items").and_then(Value::as_array_mut) {
            Some(items) => items.iter_mut().for_each(|item| (self.0)(item)),
            None => (self.0)(&mut object),
        }
        object.to_string().into_bytes()
    }

    pub(super) fn event_text(&self, text: &[u8]) -> Vec<u8> {
        let Ok(mut event) = serde_json::from_slice::<Value>(text) else { return text.to_vec() };
        if let Some(object) = event.get_mut("object") {
            (self.0)(object);
        }
        // In the API server's own order: whoever reads a stream may rely on it.
        format!("{{\"type\":{},\"object\":{}}}\n", event["type"], event["object"]).into_bytes()
    }
}
