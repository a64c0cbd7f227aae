//! The task that asks, and what others know of it.

use std::future::Future;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::probes::Probes;
use super::{Answer, Target, probe};
use crate::cache::{Key, Listener};

/// How many services are asked at a time.
const CONCURRENCY: usize = 16;
/// The port of services.
const HTTPS: u16 = 443;

/// Asks services whether they answer. Cloning shares it.
#[derive(Clone)]
pub struct Reachability {
    probes: Arc<Probes>,
    listener: Listener,
}

impl Reachability {
    /// Nothing is asked yet. `listener` hears of each instance whose [`answer`](Self::answer)
    /// is another one than before.
    pub fn new(listener: Listener) -> Self {
        Self { probes: Arc::default(), listener }
    }

    /// Sets or changes what is asked for an instance; none forgets it. The same target again
    /// changes nothing; another one starts anew with [`Answer::Unknown`].
    pub fn probe(&self, key: &Key, target: Option<Target>) {
        self.probes.probe(key, target);
    }

    /// What the instance's current target answers.
    pub fn answer(&self, key: &Key) -> Answer {
        self.probes.answer(key)
    }

    /// Asks until dropped.
    pub async fn run(&self) {
        self.run_with(|target| async move { probe::ask(&target, HTTPS).await.map_err(|failure| failure.to_string()) })
            .await;
    }

    async fn run_with<F: Future<Output = Result<(), String>>>(&self, ask: impl Fn(Arc<Target>) -> F) {
        let mut asked = FuturesUnordered::new();
        loop {
            while asked.len() < CONCURRENCY {
                let Some(probe) = self.probes.take_due(Instant::now()) else { break };
                let outcome = ask(probe.target.clone());
                asked.push(async move { (probe, outcome.await) });
            }
            let next = if asked.len() < CONCURRENCY { self.probes.next_due() } else { None };
            tokio::select! {
                Some((probe, outcome)) = asked.next() => {
                    if self.probes.note(&probe, outcome, Instant::now()) {
                        (self.listener)(probe.key);
                    }
                }
                () = self.probes.wanted.notified() => {}
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::cache::Kind;

    fn key(name: &str) -> Key {
        Key::new(Kind::DedicatedOffice, "demo", name)
    }

    fn target(path: &str) -> Target {
        Target {
            url_host: "office.example.org".parse().unwrap(),
            address: "192.0.2.1".into(),
            path: path.to_owned(),
            statuses: vec![200],
            ca_bundle: None,
        }
    }

    fn down() -> Answer {
        Answer::Unreachable { reason: "down".to_owned() }
    }

    fn started<F>(ask: impl Fn(Arc<Target>) -> F + Send + Sync + 'static, listener: Listener) -> Reachability
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        let feed = Reachability::new(listener);
        let running = feed.clone();
        tokio::spawn(async move { running.run_with(ask).await });
        feed
    }

    /// A service that is up or down, and how often it was asked.
    #[derive(Default)]
    struct Service {
        up: AtomicBool,
        asked: AtomicUsize,
        changes: Mutex<Vec<String>>,
    }

    impl Service {
        fn feed(self: &Arc<Self>) -> Reachability {
            let (asked, heard) = (self.clone(), self.clone());
            let ask = move |_| {
                asked.asked.fetch_add(1, Ordering::SeqCst);
                let up = asked.up.load(Ordering::SeqCst);
                async move { if up { Ok(()) } else { Err("down".to_owned()) } }
            };
            started(ask, Arc::new(move |key| heard.changes.lock().unwrap().push(key.name)))
        }

        fn changes(&self) -> usize {
            self.changes.lock().unwrap().len()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_is_searched_for_and_then_asked_every_minute() {
        let service = Arc::new(Service::default());
        let feed = service.feed();
        feed.probe(&key("office"), Some(target("/")));
        assert_eq!(feed.answer(&key("office")), Answer::Unknown);
        sleep(Duration::from_millis(1700)).await;
        assert_eq!((feed.answer(&key("office")), service.asked.load(Ordering::SeqCst)), (Answer::Unknown, 3));
        sleep(Duration::from_millis(300)).await;
        assert_eq!((feed.answer(&key("office")), service.asked.load(Ordering::SeqCst)), (down(), 4));
        sleep(Duration::from_secs(8)).await;
        assert_eq!((service.changes(), service.asked.load(Ordering::SeqCst)), (1, 8));
        service.up.store(true, Ordering::SeqCst);
        sleep(Duration::from_secs(2)).await;
        assert_eq!((feed.answer(&key("office")), service.changes()), (Answer::Reachable, 2));
        sleep(Duration::from_mins(10)).await;
        assert_eq!((service.changes(), service.asked.load(Ordering::SeqCst)), (2, 19));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_goes_away_is_known_within_ten_seconds_of_the_first_failure() {
        let service = Arc::new(Service::default());
        service.up.store(true, Ordering::SeqCst);
        let feed = service.feed();
        feed.probe(&key("office"), Some(target("/")));
        sleep(Duration::from_secs(1)).await;
        service.up.store(false, Ordering::SeqCst);
        sleep(Duration::from_secs(60 + 7)).await;
        assert_eq!(feed.answer(&key("office")), Answer::Reachable);
        sleep(Duration::from_secs(3)).await;
        assert_eq!(feed.answer(&key("office")), down());
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_want_changes_nothing_another_starts_anew_and_none_forgets() {
        let service = Arc::new(Service::default());
        let feed = service.feed();
        feed.probe(&key("office"), Some(target("/")));
        sleep(Duration::from_secs(3)).await;
        feed.probe(&key("office"), Some(target("/")));
        assert_eq!(feed.answer(&key("office")), down());
        let asked = service.asked.load(Ordering::SeqCst);
        feed.probe(&key("office"), Some(target("/other")));
        assert_eq!(feed.answer(&key("office")), Answer::Unknown);
        sleep(Duration::from_millis(10)).await;
        assert_eq!(service.asked.load(Ordering::SeqCst), asked + 1);
        feed.probe(&key("office"), None);
        assert_eq!(feed.answer(&key("office")), Answer::Unknown);
        sleep(Duration::from_mins(5)).await;
        assert_eq!(service.asked.load(Ordering::SeqCst), asked + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_to_an_earlier_target_is_not_believed() {
        let ask = |target: Arc<Target>| async move {
            if target.path == "/slow" {
                sleep(Duration::from_secs(4)).await;
                return Ok(());
            }
            Err("down".to_owned())
        };
        let feed = started(ask, Arc::new(|_| {}));
        feed.probe(&key("office"), Some(target("/slow")));
        sleep(Duration::from_secs(1)).await;
        feed.probe(&key("office"), Some(target("/new")));
        sleep(Duration::from_secs(10)).await;
        assert_eq!(feed.answer(&key("office")), down());
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_sixteen_are_asked_at_a_time_and_all_get_their_turn() {
        let (now, most, ever) =
            (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (running, peak, all) = (now.clone(), most.clone(), ever.clone());
        let ask = move |_| {
            let running = running.clone();
            peak.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            all.fetch_add(1, Ordering::SeqCst);
            async move {
                sleep(Duration::from_secs(5)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            }
        };
        let feed = started(ask, Arc::new(|_| {}));
        for number in 0..100 {
            feed.probe(&key(&format!("office-{number}")), Some(target("/")));
        }
        sleep(Duration::from_secs(36)).await;
        assert_eq!((most.load(Ordering::SeqCst), ever.load(Ordering::SeqCst)), (CONCURRENCY, 100));
    }
}
