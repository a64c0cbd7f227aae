//! Faults of the network and of the API server, each at the n-th request that it is planned for.

use std::fmt;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::proxy::{Call, Disturbance, Judge, Refusal, Verdict};

/// One thing that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 409, as when somebody else wrote meanwhile.
    Conflict,
    /// 429 with Retry-After.
    TooManyRequests,
    /// 500.
    InternalError,
    /// 503.
    Unavailable,
    /// No answer until the client gives up.
    Silence,
    /// The connection ends before the API server acted.
    CutBefore,
    /// The connection ends after the API server acted.
    CutAfter,
    /// The operator is killed after the API server acted.
    Kill,
    /// A watch brings everything three seconds late.
    WatchLags,
    /// A watch ends with 410 after one event.
    WatchGone,
    /// A watch repeats events, older ones too.
    WatchRepeats,
}

impl Fault {
    /// Those of single requests that the operator survives.
    pub const OF_REQUESTS: [Self; 7] = [
        Self::Conflict,
        Self::TooManyRequests,
        Self::InternalError,
        Self::Unavailable,
        Self::Silence,
        Self::CutBefore,
        Self::CutAfter,
    ];
    /// Those of watches.
    pub const OF_WATCHES: [Self; 3] = [Self::WatchLags, Self::WatchGone, Self::WatchRepeats];

    /// A letter for names of objects.
    pub fn letter(self) -> char {
        match self {
            Self::Conflict => 'a',
            Self::TooManyRequests => 'b',
            Self::InternalError => 'c',
            Self::Unavailable => 'd',
            Self::Silence => 'e',
            Self::CutBefore => 'f',
            Self::CutAfter => 'g',
            Self::Kill => 'h',
            Self::WatchLags => 'i',
            Self::WatchGone => 'j',
            Self::WatchRepeats => 'k',
        }
    }

    fn verdict(self, victim: i32) -> Verdict {
        let refuse = |code, reason, retry_after| Verdict::Refuse(Refusal { code, reason, retry_after });
        match self {
            Self::Conflict => refuse(409, "Conflict", None),
            Self::TooManyRequests => refuse(429, "TooManyRequests", Some(1)),
            Self::InternalError => refuse(500, "InternalError", None),
            Self::Unavailable => refuse(503, "ServiceUnavailable", None),
            Self::Silence => Verdict::Silence,
            Self::CutBefore => Verdict::CutBefore,
            Self::CutAfter => Verdict::CutAfter,
            // To process 0 would be to everybody in this process's group.
            Self::Kill if victim > 0 => Verdict::SignalAfter(Pid::from_raw(victim), Signal::SIGKILL),
            Self::Kill => Verdict::Pass,
            Self::WatchLags => Verdict::Disturb(Disturbance::Lag(Duration::from_secs(3))),
            Self::WatchGone => Verdict::Disturb(Disturbance::Gone(1)),
            Self::WatchRepeats => Verdict::Disturb(Disturbance::Repeat),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict => "409",
            Self::TooManyRequests => "429 with Retry-After",
            Self::InternalError => "500",
            Self::Unavailable => "503",
            Self::Silence => "no answer",
            Self::CutBefore => "cut before the server acted",
            Self::CutAfter => "cut after the server acted",
            Self::Kill => "operator killed",
            Self::WatchLags => "watch lags",
            Self::WatchGone => "watch ends with 410",
            Self::WatchRepeats => "watch repeats events",
        })
    }
}

/// Which requests are counted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// About an Entity, its namespace or its template of this name; none: about anything.
    pub about: Option<String>,
    /// Of one of these verbs; none: of any.
    pub verbs: &'static [&'static str],
    /// Of this resource; none: of any.
    pub resource: Option<&'static str>,
}

impl Filter {
    /// All requests about an Entity, its namespace or its template.
    pub fn about(name: &str) -> Self {
        Self { about: Some(name.to_owned()), ..Self::default() }
    }

    fn counts(&self, call: &Call) -> bool {
        self.about.as_ref().is_none_or(|name| call.concerns(name))
            && (self.verbs.is_empty() || self.verbs.contains(&call.verb))
            && self.resource.is_none_or(|resource| call.resource == resource)
    }
}

/// A fault that is planned.
#[derive(Debug)]
struct Plan {
    filter: Filter,
    at: u32,
    fault: Fault,
    seen: u32,
    struck: Option<String>,
}

/// The faults that are planned; each strikes once.
#[derive(Debug, Default)]
pub struct Faults {
    plans: Mutex<Vec<Plan>>,
    /// Whom [`Fault::Kill`] kills; 0 before there is one.
    victim: AtomicI32,
}

/// One of the planned faults.
#[derive(Debug, Clone, Copy)]
pub struct Planned(usize);

impl Faults {
    fn plans(&self) -> MutexGuard<'_, Vec<Plan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The process that [`Fault::Kill`] kills from now on.
    pub fn victim(&self, pid: i32) {
        self.victim.store(pid, Ordering::SeqCst);
    }

    /// Plans a fault at the `at`-th request that the filter counts from now on.
    pub fn plan(&self, filter: Filter, at: u32, fault: Fault) -> Planned {
        let mut plans = self.plans();
        plans.push(Plan { filter, at, fault, seen: 0, struck: None });
        Planned(plans.len() - 1)
    }

    /// Counts requests without a fault.
    pub fn count(&self, filter: Filter) -> Planned {
        self.plan(filter, 0, Fault::CutBefore)
    }

    /// What has not struck by now never does.
    pub fn lapse(&self) {
        self.plans().iter_mut().for_each(|plan| plan.at = 0);
    }

    /// How many requests a plan has counted.
    pub fn seen(&self, planned: Planned) -> u32 {
        self.plans().get(planned.0).map_or(0, |plan| plan.seen)
    }

    /// The request that a planned fault has struck.
    pub fn struck(&self, planned: Planned) -> Option<String> {
        self.plans().get(planned.0).and_then(|plan| plan.struck.clone())
    }
}

impl Judge for Faults {
    fn judge(&self, call: &Call) -> Verdict {
        let mut verdict = Verdict::Pass;
        for plan in self.plans().iter_mut().filter(|plan| plan.filter.counts(call)) {
            plan.seen += 1;
            if plan.seen != plan.at {
                continue;
            }
            let own = plan.fault.verdict(self.victim.load(Ordering::SeqCst));
            // Nobody is there to be killed.
            if own == Verdict::Pass {
                continue;
            }
            plan.struck = Some(call.shown());
            // Two faults at one request are one: the first that was planned.
            if verdict == Verdict::Pass {
                verdict = own;
            }
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Bytes;

    use super::*;

    fn call(method: &str, path: &str, watches: bool) -> Call {
        Call::new(method, path, watches, &Bytes::new())
    }

    #[test]
    fn a_fault_strikes_once_and_only_what_it_is_planned_for() {
        let faults = Faults::default();
        let filter = Filter { verbs: &["patch"], resource: Some("secrets"), ..Filter::about("a") };
        let planned = faults.plan(filter, 2, Fault::CutBefore);
        let path = "/api/v1/namespaces/a/secrets/s";
        let other = "/api/v1/namespaces/b/secrets/s";
        let requests = [("PATCH", path), ("PATCH", other), ("GET", path), ("PATCH", path), ("PATCH", path)];
        let verdicts = requests.map(|(method, path)| faults.judge(&call(method, path, false)));
        let pass = || Verdict::Pass;
        assert_eq!(verdicts, [pass(), pass(), pass(), Verdict::CutBefore, pass()]);
        assert_eq!(faults.struck(planned).as_deref(), Some("patch secrets a/s"));
        assert_eq!(faults.seen(planned), 3);
    }

    #[test]
    fn a_fault_that_lapsed_strikes_nothing() {
        let faults = Faults::default();
        let planned = faults.plan(Filter::about("a"), 1, Fault::CutBefore);
        faults.lapse();
        assert_eq!(faults.judge(&call("GET", "/api/v1/namespaces/a", false)), Verdict::Pass);
        assert_eq!(faults.struck(planned), None);
    }

    #[test]
    fn counting_strikes_nothing() {
        let faults = Faults::default();
        let planned = faults.count(Filter::about("a"));
        assert_eq!(faults.judge(&call("GET", "/api/v1/namespaces/a", false)), Verdict::Pass);
        assert_eq!((faults.seen(planned), faults.struck(planned)), (1, None));
    }

    #[test]
    fn a_watch_is_told_from_a_list() {
        let faults = Faults::default();
        faults.plan(Filter { verbs: &["watch"], ..Filter::default() }, 1, Fault::WatchGone);
        assert_eq!(faults.judge(&call("GET", "/api/v1/pods", false)), Verdict::Pass);
        let verdict = faults.judge(&call("GET", "/api/v1/pods", true));
        assert_eq!(verdict, Verdict::Disturb(Disturbance::Gone(1)));
    }
}
