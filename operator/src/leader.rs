//! Leader election by a Lease. A Lease is no fence by itself: every write asks first whether the
//! leadership still holds by this process's own clock, and what could hurt carries preconditions.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::time::Instant;

/// The Lease that operators of one cluster compete for.
pub const LEASE: &str = "commonscloud-operator";
/// How long a Lease holds without being renewed.
const DURATION: Duration = Duration::from_secs(15);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(4);
/// How often who does not lead looks whether the Lease is free.
const LOOK: Duration = Duration::from_secs(1);
/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(4);
/// How long the leader writes without a renewal: it stops before another may take over.
const WRITES: Duration = Duration::from_secs(12);

/// Whether this process leads, until when.
#[derive(Clone, Debug)]
pub struct Leadership {
    start: Instant,
    /// Milliseconds after `start` until which the leadership holds.
    until: Arc<AtomicU64>,
}

impl Leadership {
    fn none() -> Self {
        Self { start: Instant::now(), until: Arc::new(AtomicU64::new(0)) }
    }

    /// A leadership without end, for a process that is alone by construction.
    pub fn alone() -> Self {
        let alone = Self::none();
        alone.until.store(u64::MAX, Ordering::Relaxed);
        alone
    }

    /// Whether this process may write now.
    pub fn holds(&self) -> bool {
        millis(self.start.elapsed()) < self.until.load(Ordering::Relaxed)
    }

    fn extend(&self, renewed: Instant) {
        let until = renewed.duration_since(self.start) + WRITES;
        self.until.store(millis(until), Ordering::Relaxed);
    }

    fn end(&self) {
        self.until.store(0, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One candidate for one Lease.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    leadership: Leadership,
    /// The holder's last renewal as it was seen, and when by this clock.
    seen: Option<(String, Instant)>,
}

impl Candidate {
    /// A candidate called `identity` for the Lease `name` in `namespace`.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            leadership: Leadership::none(),
            seen: None,
        }
    }

    /// The leadership that this candidate gets.
    pub fn leadership(&self) -> Leadership {
        self.leadership.clone()
    }

    /// Waits until this process leads.
    pub async fn win(&mut self) {
        while !self.attempt().await {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Renews the Lease for as long as that succeeds; returns when the leadership is lost.
    pub async fn keep(&mut self) {
        while self.leadership.holds() {
            tokio::time::sleep(RENEWAL).await;
            self.attempt().await;
        }
        self.leadership.end();
    }

    /// Lets another process lead at once.
    pub async fn resign(&mut self) {
        self.leadership.end();
        let Ok(Ok(Some(mut lease))) = tokio::time::timeout(REQUEST, self.api.get_opt(&self.name)).await else { return };
        let spec = lease.spec.get_or_insert_default();
        if spec.holder_identity.as_deref() == Some(&self.identity) {
            spec.holder_identity = Some(String::new());
            let params = PostParams::default();
            let replaced = self.api.replace(&self.name, &params, &lease);
            let _ = tokio::time::timeout(REQUEST, replaced).await;
        }
    }

    async fn attempt(&mut self) -> bool {
        let begun = Instant::now();
        match tokio::time::timeout(REQUEST, self.try_take()).await {
            Ok(Ok(true)) => {
                self.leadership.extend(begun);
                true
            }
            Ok(Ok(false)) => {
                self.leadership.end();
                false
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "lease not renewed");
                false
            }
            Err(_) => {
                tracing::warn!("lease not renewed: no answer from the API server");
                false
            }
        }
    }

    /// Takes or renews the Lease; both carry the resourceVersion that was read.
    async fn try_take(&mut self) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.renewed(LeaseSpec::default())),
            };
            return Ok(self.api.create(&PostParams::default(), &lease).await.is_ok());
        };
        let spec = lease.spec.take().unwrap_or_default();
        let holder = spec.holder_identity.clone().unwrap_or_default();
        if holder != self.identity && !holder.is_empty() && !self.has_expired(&spec) {
            return Ok(false);
        }
        lease.spec = Some(self.renewed(spec));
        match self.api.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(_) => Ok(true),
            // One's own renewal may have been taken without an answer, and repeated: it is read again.
            Err(kube::Error::Api(status)) if status.is_conflict() && holder != self.identity => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Clocks differ: what counts is how long no renewal was seen by this one.
    fn has_expired(&mut self, spec: &LeaseSpec) -> bool {
        let renewal = format!("{:?} {:?}", spec.holder_identity, spec.renew_time);
        match &self.seen {
            Some((seen, since)) if *seen == renewal => since.elapsed() > DURATION,
            _ => {
                self.seen = Some((renewal, Instant::now()));
                false
            }
        }
    }

    fn renewed(&self, spec: LeaseSpec) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let new = spec.holder_identity.as_deref() != Some(&self.identity);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: if new { Some(now.clone()) } else { spec.acquire_time },
            lease_transitions: Some(spec.lease_transitions.unwrap_or_default() + i32::from(new)),
            renew_time: Some(now),
            ..spec
        }
    }
}

#[cfg(test)]
mod tests;
