//! Keeps a store filled: a list of all objects, then a watch of what changes, for ever.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::ApiResource;
use kube::{Api, Client};
use tokio::time::{sleep, timeout};

use super::health::{Health, TOLERATED};
use super::kept::{Kept, Origin, Outcome};
use super::raw::Raw;
use super::store::Store;

/// The first wait after an error; it doubles with each further one. Short: a right that was just
/// given takes milliseconds.
const FIRST_RETRY: Duration = Duration::from_millis(50);
/// The longest wait after an error.
const LAST_RETRY: Duration = Duration::from_secs(15);
/// After this long the API server ends a watch, which is then begun again where it was.
const WATCH: u32 = 290;
/// A connection on which nothing was heard for this long is dead.
const SILENCE: Duration = Duration::from_secs(WATCH as u64 + 5);
/// A watch that lasts this long works, even if nothing changes.
const PROVEN: Duration = Duration::from_secs(5);
/// How long the API server may take to begin an answer, or to give a page of a list.
const ANSWER: Duration = Duration::from_mins(1);
/// How many objects a page of a list has.
const PAGE: u32 = 500;

/// What changed in a store: the object before, and the one after.
pub type Changed<'a, T> = (Option<&'a Kept<T>>, Option<&'a Kept<T>>);

/// What an object becomes in the store, if anything.
pub(super) type Decode<T> = Box<dyn Fn(&Raw) -> Result<Option<T>, String> + Send + Sync>;

/// Who hears of changes.
pub(super) type OnChange<T> = Box<dyn Fn(Changed<'_, T>) + Send + Sync>;

/// Where a store's objects come from, and who hears of them.
pub(super) struct Feed<T> {
    /// How the API server is asked.
    pub(super) client: Client,
    /// The kind of the objects.
    pub(super) resource: ApiResource,
    /// The only namespace that is looked at; empty: all.
    pub(super) namespace: String,
    /// Which of them.
    pub(super) labels: Option<String>,
    /// Which of them, by fields.
    pub(super) fields: Option<String>,
    /// What is filled.
    pub(super) store: Store<T>,
    /// What an object becomes.
    pub(super) decode: Decode<T>,
    /// Hears of every change but of the echo of our own writes, and of each list's end.
    pub(super) changed: OnChange<T>,
    /// How it is.
    pub(super) health: Health,
    /// How long it may fail before somebody hears of it.
    pub(super) patience: Duration,
    /// Hears that it fails, or works again.
    pub(super) turned: Box<dyn Fn() + Send + Sync>,
}

/// Why a list or a watch ended.
enum End {
    /// The API server does not know the version any more.
    Expired,
    /// It failed, in the API server's words where it has any.
    Failed(String),
}

impl End {
    fn message(&self) -> &str {
        match self {
            Self::Expired => "the API server does not know that version any more; listing again",
            Self::Failed(message) => message,
        }
    }
}

impl<T: PartialEq + Send + Sync + 'static> Feed<T> {
    /// Runs until the task is dropped. A panic, which only an object can bring about that nobody
    /// thought of, costs a list and no more.
    pub(super) async fn run(self: Arc<Self>) {
        let mut told = 0;
        let mut version = None;
        loop {
            let ended = AssertUnwindSafe(self.follow(&mut version, &mut told)).catch_unwind().await;
            let error = match ended {
                Ok(end) => {
                    if matches!(end, End::Expired) {
                        version = None;
                    }
                    end.message().to_owned()
                }
                Err(panic) => {
                    version = None;
                    self.health.restarts();
                    format!("the task panicked and was started again: {}", message(panic.as_ref()))
                }
            };
            tracing::debug!(kind = self.resource.kind, error, "feed interrupted");
            let failures = self.health.fails(error);
            let time = self.health.now().failing_for().unwrap_or_default();
            let to_tell = [self.patience, TOLERATED].into_iter().filter(|limit| time >= *limit).count();
            if to_tell > told {
                told = to_tell;
                tracing::warn!(feed = %self.health.now(), "a feed does not work");
                (self.turned)();
            }
            sleep(wait(failures, &self.health.now().to_string())).await;
        }
    }

    async fn follow(&self, version: &mut Option<String>, told: &mut usize) -> End {
        let mut from = match version.take() {
            Some(from) => from,
            None => match self.list().await {
                Ok(from) => from,
                Err(end) => return end,
            },
        };
        loop {
            *version = Some(from.clone());
            let begun = tokio::time::Instant::now();
            if let Err(end) = self.watch(&mut from, told).await {
                *version = Some(from);
                return end;
            }
            // One that ends at once, again and again, is no working one.
            if begun.elapsed() < Duration::from_secs(1) {
                *version = Some(from);
                return End::Failed("the watch ended as soon as it began".to_owned());
            }
        }
    }

    /// Lists all objects; the version of the list.
    async fn list(&self) -> Result<String, End> {
        self.store.begin_list();
        let version = self.pages(&self.api(&self.namespace), Origin::List).await?;
        for before in self.store.finish_list() {
            (self.changed)((Some(&before), None));
        }
        // That the list is complete is news too.
        (self.changed)((None, None));
        version.ok_or_else(|| End::Failed("a list without resourceVersion".to_owned()))
    }

    /// Takes in what one namespace has, beside the watch; whether the API server told.
    pub(super) async fn fill(&self, namespace: &str) -> bool {
        match self.pages(&self.api(namespace), Origin::Watch).await {
            Ok(_) => true,
            Err(end) => {
                tracing::debug!(kind = self.resource.kind, namespace, error = end.message(), "not listed");
                false
            }
        }
    }

    async fn pages(&self, api: &Api<Raw>, origin: Origin) -> Result<Option<String>, End> {
        let mut params = ListParams { limit: Some(PAGE), ..ListParams::default() };
        params.label_selector.clone_from(&self.labels);
        params.field_selector.clone_from(&self.fields);
        loop {
            let page = answered(api.list(&params)).await?;
            self.health.heard();
            for raw in page.items {
                self.arrived(&raw, origin);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params.continue_token = Some(token),
                None => return Ok(page.metadata.resource_version.filter(|version| !version.is_empty())),
            }
        }
    }

    fn api(&self, namespace: &str) -> Api<Raw> {
        if namespace.is_empty() {
            Api::all_with(self.client.clone(), &self.resource)
        } else {
            Api::namespaced_with(self.client.clone(), namespace, &self.resource)
        }
    }

    /// Takes in what changes from `version` on, until the connection ends.
    async fn watch(&self, version: &mut String, told: &mut usize) -> Result<(), End> {
        let mut params = WatchParams { timeout: Some(WATCH), ..WatchParams::default() };
        params.label_selector.clone_from(&self.labels);
        params.field_selector.clone_from(&self.fields);
        let api = self.api(&self.namespace);
        let events = answered(api.watch(&params, version)).await?;
        let mut events = std::pin::pin!(events);
        let mut proven = false;
        loop {
            let next = match timeout(if proven { SILENCE } else { PROVEN }, events.next()).await {
                Ok(next) => next,
                Err(_) if proven => return Ok(()),
                Err(_) => {
                    proven = true;
                    self.works(told);
                    continue;
                }
            };
            match next {
                None => return Ok(()),
                Some(Err(error)) => return Err(end(&error)),
                Some(Ok(event)) => self.event(event, version)?,
            }
            proven = true;
            self.health.heard();
            self.works(told);
        }
    }

    fn event(&self, event: WatchEvent<Raw>, version: &mut String) -> Result<(), End> {
        let raw = match event {
            WatchEvent::Added(raw) | WatchEvent::Modified(raw) => {
                self.arrived(&raw, Origin::Watch);
                raw
            }
            WatchEvent::Deleted(raw) => {
                if let Some(before) = self.store.remove(&raw.identity()) {
                    (self.changed)((Some(&before), None));
                }
                raw
            }
            WatchEvent::Bookmark(bookmark) => {
                *version = bookmark.metadata.resource_version;
                return Ok(());
            }
            WatchEvent::Error(status) => return Err(end(&kube::Error::Api(status))),
        };
        if let Some(newer) = raw.resource_version() {
            newer.clone_into(version);
        }
        Ok(())
    }

    fn arrived(&self, raw: &Raw, origin: Origin) {
        let identity = raw.identity();
        let value = match (self.decode)(raw) {
            Ok(Some(value)) => Kept::Object(Arc::new(value)),
            Ok(None) => {
                // It may have been one that is kept.
                if self.store.holds(&identity.namespace, &identity.name)
                    && let Some(before) = self.store.remove(&identity)
                {
                    (self.changed)((Some(&before), None));
                }
                return;
            }
            Err(error) => Kept::Undecodable(Arc::new(raw.undecodable(&self.resource.kind, error))),
        };
        let after = value.clone();
        if let Outcome::Changed(before) = self.store.take(&identity, value, origin) {
            if let Some(undecodable) = after.undecodable() {
                tracing::warn!(%undecodable, "left alone until it can be read");
            }
            (self.changed)((before.as_ref(), Some(&after)));
        }
    }

    fn works(&self, told: &mut usize) {
        if self.health.works().is_some() && std::mem::take(told) > 0 {
            tracing::info!(feed = %self.health.now().resource, "the feed works again");
            (self.turned)();
        }
    }
}

/// An answer of the API server, if it comes in time.
async fn answered<A>(request: impl Future<Output = Result<A, kube::Error>>) -> Result<A, End> {
    match timeout(ANSWER, request).await {
        Ok(answer) => answer.map_err(|error| end(&error)),
        Err(_) => Err(End::Failed(format!("no answer from the API server within {} s", ANSWER.as_secs()))),
    }
}

fn end(error: &kube::Error) -> End {
    match error {
        kube::Error::Api(status) if status.code == 410 => End::Expired,
        kube::Error::Api(status) if status.reason.is_empty() && status.message.is_empty() => {
            End::Failed(format!("the API server says no more than code {}", status.code))
        }
        kube::Error::Api(status) => End::Failed(format!("{}: {}", status.reason, status.message)),
        other => End::Failed(other.to_string()),
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// Doubles with each error; a fifth more or less by the feed's name, so that not all ask at once.
fn wait(failures: u32, name: &str) -> Duration {
    let doubled = FIRST_RETRY.saturating_mul(1_u32 << failures.saturating_sub(1).min(12)).min(LAST_RETRY);
    let spread = name.bytes().fold(failures, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 40;
    doubled.saturating_mul(80 + spread) / 100
}
