//! Asks each service for its page, as people do: through the ingress, under its own host name,
//! with a certificate that must be right.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::api::HealthCheck;
use crate::cache::{Key, Listener, Live};
use crate::https::{self, Get};
use crate::plan::Plan;
use crate::report::Reach;

pub use crate::https::certificates;

/// A service that answers is asked again after this long.
const CONTENT: Duration = Duration::from_mins(1);
/// One that does not, after this long at most.
const IMPATIENT: Duration = Duration::from_secs(5);
/// How many are asked at the same time.
const AT_ONCE: usize = 8;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    hostname: String,
    path: String,
    statuses: Vec<u16>,
    /// Where the ingress is; none: whatever the host name resolves to.
    address: Option<String>,
    ca_bundle: Option<String>,
}

/// The page of an instance's health check, at the ingress.
pub fn target(plan: &Plan, health: &HealthCheck, objects: &[Arc<Live>]) -> Target {
    let of_ingress = || objects.iter().filter(|object| object.kind == "Ingress").find_map(|ingress| ingress_address(ingress));
    Target {
        hostname: plan.hostname.to_string(),
        path: health.path.clone(),
        statuses: health.statuses.clone(),
        address: plan.exposure.address.clone().or_else(of_ingress),
        ca_bundle: plan.exposure.ca_bundle.clone(),
    }
}

fn ingress_address(ingress: &Live) -> Option<String> {
    let first = ingress.value.pointer("/status/loadBalancer/ingress/0")?;
    let address = first.get("ip").or_else(|| first.get("hostname"))?;
    Some(address.as_str()?.to_owned())
}

struct Asked {
    target: Target,
    answer: Option<Result<(), String>>,
    failures: u32,
    due: Instant,
}

/// Asks services for their pages, each by its own rhythm. Cloning shares it.
#[derive(Clone)]
pub struct Prober {
    asked: Arc<Mutex<HashMap<Key, Asked>>>,
    changed: Arc<Notify>,
    listener: Listener,
}

impl Prober {
    /// A prober that tells `listener` when an answer changes.
    pub fn new(listener: Listener) -> Self {
        Self { asked: Arc::default(), changed: Arc::default(), listener }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a service answered last; it is asked from now on.
    pub fn ask(&self, key: &Key, target: Target) -> Reach {
        let mut asked = self.lock();
        match asked.get(key) {
            Some(known) if known.target == target => match &known.answer {
                None => Reach::Unknown,
                Some(Ok(())) => Reach::Answers,
                Some(Err(why)) => Reach::Fails(why.clone()),
            },
            _ => {
                asked.insert(key.clone(), Asked { target, answer: None, failures: 0, due: Instant::now() });
                self.changed.notify_one();
                Reach::Unknown
            }
        }
    }

    /// A service is asked no more.
    pub fn forget(&self, key: &Key) {
        self.lock().remove(key);
    }

    /// Asks until dropped.
    pub async fn run(&self) {
        loop {
            let changed = self.changed.notified();
            let (due, next) = self.due(Instant::now());
            if due.is_empty() {
                match next {
                    Some(next) => tokio::select! { () = changed => {}, () = tokio::time::sleep_until(next) => {} },
                    None => changed.await,
                }
                continue;
            }
            let probes = due.into_iter().map(|(key, target)| async move {
                let answer = probe(&target).await;
                (key, target, answer)
            });
            let mut answers = stream::iter(probes).buffer_unordered(AT_ONCE);
            while let Some((key, target, answer)) = answers.next().await {
                self.take(&key, &target, answer);
            }
        }
    }

    fn due(&self, now: Instant) -> (Vec<(Key, Target)>, Option<Instant>) {
        let asked = self.lock();
        let due = asked.iter().filter(|(_, a)| a.due <= now).map(|(key, a)| (key.clone(), a.target.clone())).collect();
        (due, asked.values().map(|a| a.due).min())
    }

    fn take(&self, key: &Key, target: &Target, answer: Result<(), String>) {
        let mut asked = self.lock();
        let Some(known) = asked.get_mut(key).filter(|known| known.target == *target) else { return };
        known.failures = if answer.is_ok() { 0 } else { known.failures.saturating_add(1) };
        known.due = Instant::now() + pause(known.failures);
        // Routes take a moment: the first failures right after the pods became ready are no news.
        if answer.is_err() && known.answer.is_none() && known.failures < 4 {
            return;
        }
        let news = known.answer.as_ref() != Some(&answer);
        known.answer = Some(answer);
        drop(asked);
        if news {
            (self.listener)(key.clone());
        }
    }
}

/// Quick at first, then every five seconds; once it answers, every minute.
fn pause(failures: u32) -> Duration {
    match failures {
        0 => CONTENT,
        n => Duration::from_millis(250).saturating_mul(1 << n.min(5)).min(IMPATIENT),
    }
}

async fn probe(target: &Target) -> Result<(), String> {
    let address = address(target).await?;
    let authorities = match &target.ca_bundle {
        Some(bundle) => https::certificates(bundle)?,
        None => https::public_authorities(),
    };
    let connector = https::connector(authorities)?;
    let request = Get { address, host: &target.hostname, path: &target.path, token: None, with_body: false };
    let answer = https::get(&connector, &request).await.map_err(|error| error.to_string())?;
    if target.statuses.contains(&answer.status) {
        return Ok(());
    }
    let wanted: Vec<String> = target.statuses.iter().map(ToString::to_string).collect();
    Err(format!("GET {} answers {} instead of {}", target.path, answer.status, wanted.join(" or ")))
}

async fn address(target: &Target) -> Result<SocketAddr, String> {
    let host = target.address.as_deref().unwrap_or(&target.hostname);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, 443));
    }
    let mut found = tokio::net::lookup_host((host, 443)).await.map_err(|error| format!("{host} cannot be resolved: {error}"))?;
    found.next().ok_or_else(|| format!("{host} has no address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Kind;

    fn target() -> Target {
        Target { hostname: "a.example.org".into(), path: "/".into(), statuses: vec![200], address: None, ca_bundle: None }
    }

    #[test]
    fn a_lasting_answer_is_told_once() {
        let told = Arc::new(Mutex::new(0));
        let count = Arc::clone(&told);
        let prober = Prober::new(Arc::new(move |_| *count.lock().unwrap() += 1));
        let key = Key::new(Kind::DedicatedService, "e", "s");
        assert_eq!(prober.ask(&key, target()), Reach::Unknown);
        prober.take(&key, &target(), Err("no route yet".into()));
        assert_eq!(prober.ask(&key, target()), Reach::Unknown, "routes take a moment");
        prober.take(&key, &target(), Ok(()));
        prober.take(&key, &target(), Ok(()));
        assert_eq!(prober.ask(&key, target()), Reach::Answers);
        prober.take(&key, &target(), Err("down".into()));
        assert_eq!(prober.ask(&key, target()), Reach::Fails("down".into()));
        assert_eq!(*told.lock().unwrap(), 2);
    }
}
