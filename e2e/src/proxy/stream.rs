//! The events of a watch, held back, cut short or repeated.

use std::collections::VecDeque;
use std::error::Error;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Frame};
use tokio::time::Instant;

type Fault = Box<dyn Error + Send + Sync>;
/// A body from anywhere.
pub(super) type AnyBody = UnsyncBoxBody<Bytes, Fault>;
pub(super) type Line = Result<Bytes, Fault>;

/// What is done to the events of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// Each comes this much later.
    Lag(Duration),
    /// After this many it ends, as one does whose resourceVersion is too old.
    Gone(usize),
    /// Each is followed by the one before it and itself once more, as after a watch that was begun
    /// again further back.
    Repeat,
}

/// So many events are held back at most.
const HELD_BACK: usize = 4096;

const GONE: &str = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#;

/// The body of a watch's answer with its events disturbed.
pub(super) fn disturbed(body: AnyBody, disturbance: Disturbance) -> AnyBody {
    let lines = lines(body);
    match disturbance {
        Disturbance::Lag(lag) => framed(lagging(lines, lag)),
        Disturbance::Gone(after) => {
            let gone = Ok(Bytes::from(format!("{GONE}\n")));
            framed(lines.take(after).chain(futures::stream::iter([gone])))
        }
        Disturbance::Repeat => framed(repeating(lines)),
    }
}

pub(super) fn framed(lines: impl Stream<Item = Line> + Send + 'static) -> AnyBody {
    StreamBody::new(lines.map(|line| line.map(Frame::data))).boxed_unsync()
}

/// An event is a line.
pub(super) fn lines(body: AnyBody) -> impl Stream<Item = Line> + Send + 'static {
    futures::stream::unfold((body, Vec::new()), |(mut body, mut rest)| async move {
        loop {
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                return Some((Ok(Bytes::from(line)), (body, rest)));
            }
            match body.frame().await? {
                Ok(frame) => rest.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(fault) => return Some((Err(fault), (body, rest))),
            }
        }
    })
}

fn lagging(lines: impl Stream<Item = Line> + Send + 'static, lag: Duration) -> impl Stream<Item = Line> + Send {
    let held = move |line| {
        let due = Instant::now() + lag;
        async move {
            tokio::time::sleep_until(due).await;
            line
        }
    };
    lines.map(held).buffered(HELD_BACK)
}

fn repeating(lines: impl Stream<Item = Line> + Send + 'static) -> impl Stream<Item = Line> + Send {
    let repeated = |before: &mut Option<Bytes>, line: Line| {
        let mut again: VecDeque<Line> = VecDeque::new();
        if let Ok(event) = &line {
            again.extend(before.replace(event.clone()).map(Ok));
            again.push_back(Ok(event.clone()));
        }
        again.push_front(line);
        futures::future::ready(Some(futures::stream::iter(again)))
    };
    lines.scan(None, repeated).flatten()
}
