//! Those who take keys off the queue: a pass that panics ends for its own key alone.

use std::any::Any;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt as _;
use tokio::task::JoinSet;

use super::queue::{Next, Queue};
use crate::api::Reason;

/// Runs `pass` on what is due, `concurrency` keys at a time, until the queue is closed and what was
/// begun is done. Where it panics, `panicked` is told the words.
pub(super) async fn work<K, P, R>(
    queue: Arc<Queue<K>>,
    concurrency: usize,
    pass: impl Fn(K) -> P + Clone + Send + Sync + 'static,
    panicked: impl Fn(K, String) -> R + Clone + Send + Sync + 'static,
) where
    K: Clone + Ord + Hash + Send + Sync + 'static,
    P: Future<Output = Next> + Send,
    R: Future<Output = ()> + Send,
{
    // Tasks of their own: a pass that only computes keeps neither the Lease nor `/readyz` waiting.
    let mut workers = JoinSet::new();
    let worker = move || {
        let (queue, pass, panicked) = (Arc::clone(&queue), pass.clone(), panicked.clone());
        async move {
            while let Some(key) = queue.next().await {
                let next = match contained(async { pass(key.clone()).await }).await {
                    Ok(next) => next,
                    Err(words) => {
                        let told = contained(async { panicked(key.clone(), words).await }).await;
                        told.unwrap_or_else(|words| tracing::error!(panic = words, "a panic was not reported"));
                        Next::Retry(Reason::InternalError)
                    }
                };
                queue.done(&key, next);
            }
        }
    };
    for _ in 0..concurrency.max(1) {
        workers.spawn(worker());
    }
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a worker ended; another takes its place");
            workers.spawn(worker());
        }
    }
}

/// What a future answers, or the words of its panic.
pub(super) async fn contained<T>(future: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(future).catch_unwind().await.map_err(|panic| words(panic.as_ref()))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pass_that_panics_is_backed_off_and_keeps_nobody_else_waiting() {
        let queue = Arc::new(Queue::default());
        let (passes, told) = (Arc::new(Mutex::new(BTreeMap::new())), Arc::new(Mutex::new(Vec::new())));
        let (counted, heard) = (Arc::clone(&passes), Arc::clone(&told));
        let pass = move |key: &'static str| {
            *counted.lock().unwrap().entry(key).or_insert(0) += 1;
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                assert!(key != "poison", "cannot digest {key}");
                Next::Wait
            }
        };
        let panicked = move |key: &'static str, words: String| {
            heard.lock().unwrap().push(words);
            async move { assert!(key.is_empty(), "nor tell of it") }
        };
        let working = tokio::spawn(work(Arc::clone(&queue), 1, pass, panicked));
        for round in 0..60 {
            queue.add(if round % 2 == 0 { "poison" } else { "healthy" });
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        queue.close();
        working.await.unwrap();
        let passes = passes.lock().unwrap();
        assert_eq!(passes["healthy"], 30, "each change is looked at by the one worker there is");
        assert!((10..=60).contains(&passes["poison"]), "{passes:?}");
        assert_eq!(told.lock().unwrap()[0], "cannot digest poison");
        assert!(queue.failures(&"poison") > 9, "backed off");
    }
}
