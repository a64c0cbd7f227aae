//! A gate between an operator and the API server. Once it is set, it lets a given number of writes
//! pass, then kills the operator before it learns of the last one's answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kube::Client;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::failure::Outcome;
use crate::proxy::{Call, Judge, Proxy, Verdict};

/// The gate, open until it is set. Dropped, it closes.
#[derive(Debug)]
pub struct Gate {
    proxy: Proxy,
    turnstile: Arc<Turnstile>,
}

/// Counts writes; whoever makes the last one is killed.
#[derive(Debug, Default)]
struct Turnstile {
    trap: Mutex<Option<Trap>>,
}

/// What the gate is set to.
#[derive(Debug)]
struct Trap {
    /// The namespace whose objects, and the name of the object, that writes are counted of.
    name: String,
    last: u32,
    passed: u32,
    victim: Pid,
}

impl Turnstile {
    fn trap(&self) -> MutexGuard<'_, Option<Trap>> {
        self.trap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Judge for Turnstile {
    fn judge(&self, call: &Call) -> Verdict {
        let mut trap = self.trap();
        let Some(trap) = trap.as_mut().filter(|_| call.is_write()) else { return Verdict::Pass };
        if trap.passed >= trap.last {
            return Verdict::SignalBefore(trap.victim, Signal::SIGKILL);
        }
        if !call.concerns(&trap.name) {
            return Verdict::Pass;
        }
        trap.passed += 1;
        if trap.passed == trap.last { Verdict::SignalAfter(trap.victim, Signal::SIGKILL) } else { Verdict::Pass }
    }
}

impl Gate {
    /// Opens a gate to the API server of `upstream`, whose identity every request takes.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn open(upstream: Client) -> Outcome<Self> {
        let turnstile = Arc::new(Turnstile::default());
        Ok(Self { proxy: Proxy::open(upstream, Arc::clone(&turnstile)).await?, turnstile })
    }

    /// Where the operator is to find the API server.
    pub fn server(&self) -> String {
        self.proxy.server()
    }

    /// Lets `writes` writes about `name` or into its namespace pass, then kills `victim`, and lets
    /// none of any kind pass any more. Leases and events pass uncounted.
    pub fn set(&self, name: &str, writes: u32, victim: i32) {
        *self.turnstile.trap() =
            Some(Trap { name: name.to_owned(), last: writes, passed: 0, victim: Pid::from_raw(victim) });
    }

    /// Lets everything pass again.
    pub fn release(&self) {
        *self.turnstile.trap() = None;
    }

    /// How many writes were counted since the gate was set.
    pub fn passed(&self) -> u32 {
        self.turnstile.trap().as_ref().map_or(0, |trap| trap.passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_the_last_write_nothing_passes() {
        let turnstile = Turnstile::default();
        let write = |namespace: &str| {
            Call::new("POST", &format!("/api/v1/namespaces/{namespace}/secrets"), false, &hyper::body::Bytes::new())
        };
        assert_eq!(turnstile.judge(&write("a")), Verdict::Pass, "open until it is set");
        // No process has this number.
        let victim = Pid::from_raw(i32::MAX);
        *turnstile.trap() = Some(Trap { name: "a".to_owned(), last: 2, passed: 0, victim });
        let verdicts = ["a", "b", "a", "b", "a"].map(|namespace| turnstile.judge(&write(namespace)));
        let (last, closed) =
            (Verdict::SignalAfter(victim, Signal::SIGKILL), Verdict::SignalBefore(victim, Signal::SIGKILL));
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Pass, last, closed.clone(), closed]);
    }
}
