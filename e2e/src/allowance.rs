//! Requests that the operator may make at any time: each kind has a name and a bound.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::audit::{AuditLog, Request, Requests};
use crate::chart::NAMESPACE;
use crate::ensure;
use crate::failure::Outcome;
use crate::wait::eventually;

/// Requests of one kind that are allowed.
#[derive(Debug)]
pub struct Allowance {
    /// What they are.
    pub name: &'static str,
    covers: fn(&Request) -> bool,
    bound: Bound,
}

/// How many requests are allowed.
#[derive(Debug, Clone, Copy)]
enum Bound {
    /// As many as there are.
    None,
    /// So many of each resource in each namespace.
    PerFeed(usize),
    /// One of each resource in each namespace in each of these times, and one more.
    PerFeedEach(Duration),
    /// One in each of these times, and some more.
    Each(Duration, usize),
}

/// The Lease is read and renewed every 4 seconds. A second operator, which reads it every second, would be
/// too much for this: where there are two, each is counted in a proxy of its own.
pub const LEASE: Allowance = Allowance {
    name: "renewals of the Lease",
    covers: |request| request.object_ref.resource == "leases" && request.object_ref.namespace == NAMESPACE,
    bound: Bound::Each(Duration::from_secs(1), 8),
};

/// A watch ends after about five minutes, and is opened again.
pub const WATCHES: Allowance = Allowance {
    name: "reconnects of watches",
    covers: |request| request.verb == "watch" && request.succeeded(),
    bound: Bound::PerFeedEach(Duration::from_secs(200)),
};

/// An operator that starts lists each kind once; scenarios never have more than a page of one.
pub const FIRST_LISTS: Allowance = Allowance {
    name: "the first list of each kind",
    covers: |request| request.verb == "list" && request.succeeded(),
    bound: Bound::PerFeed(1),
};

/// Questions for one's own rights.
pub const SELF_REVIEWS: Allowance = Allowance {
    name: "self-subject reviews",
    covers: |request| request.object_ref.resource.starts_with("selfsubject"),
    bound: Bound::None,
};

/// Questions whether the API server lives.
pub const HEALTH: Allowance = Allowance {
    name: "the API server's health and version",
    covers: |request| {
        let path = request.path();
        request.object_ref.resource.is_empty()
            && ["/healthz", "/livez", "/readyz", "/version"].iter().any(|known| path.starts_with(known))
    },
    bound: Bound::None,
};

/// Events tell people; they are bounded by the changes of conditions.
pub const EVENTS: Allowance = Allowance {
    name: "Events",
    covers: |request| request.object_ref.resource == "events" && !request.is_read(),
    bound: Bound::None,
};

/// Secrets are watched in each Entity's namespace by itself, from the first RoleBinding on; until that
/// takes effect the watch is refused, and tried again.
pub const SECRETS_OF_A_NAMESPACE: Allowance = Allowance {
    name: "the first list and watch of a namespace's Secrets",
    covers: |request| {
        let object = &request.object_ref;
        let feed = matches!(request.verb.as_str(), "list" | "watch") && object.resource == "secrets";
        feed && object.namespace != NAMESPACE && (request.succeeded() || request.code() == 403)
    },
    bound: Bound::PerFeed(6),
};

/// A RoleBinding and a ResourceQuota take a moment to have effect; what is written meanwhile is refused, and tried again.
pub const NEW_RIGHTS: Allowance = Allowance {
    name: "writes refused until the rights and the quota of a new namespace have effect",
    covers: |request| request.is_write() && request.code() == 403 && !request.object_ref.namespace.is_empty(),
    // Three services, with up to three claims each, tried twice.
    bound: Bound::PerFeed(18),
};

/// A Secret that the Platform names is read when it is copied.
pub const SOURCES_OF_COPIES: Allowance = Allowance {
    name: "the Platform's Secrets that are copied",
    covers: |request| {
        let object = &request.object_ref;
        request.verb == "get" && object.resource == "secrets" && object.namespace == NAMESPACE
    },
    bound: Bound::None,
};

/// A copy that several services share is looked at by each that lost the race for it.
pub const SHARED_COPIES: Allowance = Allowance {
    name: "copies of the Platform's Secrets that another service was faster to make",
    covers: |request| {
        let object = &request.object_ref;
        let raced = request.verb == "get" || request.verb == "create" && request.code() == 409;
        raced && object.resource == "secrets" && object.namespace != NAMESPACE
    },
    bound: Bound::PerFeed(20),
};

/// A removal that was refused is looked at once: its version is gone, or it can never apply.
pub const REFUSED_REMOVALS: Allowance = Allowance {
    name: "objects whose removal of an addition was refused",
    covers: |request| request.verb == "get" && !request.object_ref.namespace.is_empty(),
    bound: Bound::PerFeed(4),
};

/// The API server counts a quota itself. Where claims are made at once while the quota changes, its count may lose
/// a race three times, and it answers 409 for the quota's sake. A claim that is there already is another matter.
pub const LOST_COUNTS: Allowance = Allowance {
    name: "claims whose quota changed while they were counted",
    covers: |request| {
        let is_claim = request.object_ref.resource == "persistentvolumeclaims";
        request.verb == "create" && is_claim && request.code() == 409 && request.reason() == "Conflict"
    },
    bound: Bound::PerFeed(3),
};

/// What an operator with nothing to do may ask.
pub const AT_REST: [&Allowance; 4] = [&LEASE, &WATCHES, &SELF_REVIEWS, &HEALTH];
/// What an operator that starts and finds nothing to do may ask.
pub const AT_START: [&Allowance; 5] = [&LEASE, &WATCHES, &FIRST_LISTS, &SELF_REVIEWS, &HEALTH];
/// What may be asked beside the writes that make something.
pub const MAKING: [&Allowance; 10] = [
    &LEASE,
    &SECRETS_OF_A_NAMESPACE,
    &WATCHES,
    &SELF_REVIEWS,
    &HEALTH,
    &EVENTS,
    &NEW_RIGHTS,
    &SOURCES_OF_COPIES,
    &SHARED_COPIES,
    &LOST_COUNTS,
];

/// What may be asked beside the writes that repair many objects at once.
pub const REPAIRING: [&Allowance; 10] = [
    &LEASE,
    &SECRETS_OF_A_NAMESPACE,
    &WATCHES,
    &SELF_REVIEWS,
    &HEALTH,
    &EVENTS,
    &NEW_RIGHTS,
    &SOURCES_OF_COPIES,
    &SHARED_COPIES,
    &REFUSED_REMOVALS,
];

impl Allowance {
    /// Whether it is one of these requests.
    pub fn covers(&self, request: &Request) -> bool {
        (self.covers)(request)
    }

    /// What passes the bound, a line each.
    fn passed(&self, requests: &[&Request], lasted: Duration) -> Vec<String> {
        let times = |each: Duration| usize::try_from(lasted.as_secs() / each.as_secs().max(1)).unwrap_or(usize::MAX);
        let of_each = |most: usize| {
            let mut feeds: BTreeMap<String, usize> = BTreeMap::new();
            for request in requests {
                let object = &request.object_ref;
                *feeds.entry(format!("{} {} {}", request.verb, object.resource, object.namespace)).or_default() += 1;
            }
            let passed = feeds.into_iter().filter(|(_, count)| *count > most);
            passed.map(|(feed, count)| format!("{}: {count} × {feed}, at most {most}", self.name)).collect()
        };
        match self.bound {
            Bound::None => Vec::new(),
            Bound::PerFeed(most) => of_each(most),
            Bound::PerFeedEach(each) => of_each(1 + times(each)),
            Bound::Each(each, more) => {
                let most = more + times(each);
                let line = format!("{}: {} in {} s, at most {most}", self.name, requests.len(), lasted.as_secs());
                (requests.len() > most).then_some(line).into_iter().collect()
            }
        }
    }
}

impl Requests {
    /// The requests that no allowance covers and the bounds that are passed, a line each; equal
    /// requests share one.
    pub fn beyond(&self, allowances: &[&Allowance]) -> Vec<String> {
        beyond(&self.all, self.lasted, allowances)
    }
}

impl AuditLog {
    /// Waits until for as long as `quiet` no request of `user` that `counts` was made beyond
    /// `allowances`.
    ///
    /// # Errors
    /// The requests of the last look, when `limit` has passed.
    pub async fn at_rest(
        &self,
        user: &str,
        quiet: Duration,
        limit: Duration,
        allowances: &[&Allowance],
        counts: impl Fn(&Request) -> bool,
    ) -> Outcome {
        eventually("the operator comes to rest", limit, async || {
            let mark = self.mark()?;
            tokio::time::sleep(quiet).await;
            let lines = self.requests(mark, user)?.only(&counts).beyond(allowances);
            ensure!(lines.is_empty(), "{}", lines.join(", "));
            Ok(())
        })
        .await
    }
}

/// The requests that no allowance covers and the bounds that are passed, a line each; equal requests
/// share one. The first allowance that covers a request counts it.
fn beyond(requests: &[Request], lasted: Duration, allowances: &[&Allowance]) -> Vec<String> {
    let mut covered: Vec<Vec<&Request>> = allowances.iter().map(|_| Vec::new()).collect();
    let mut unexpected: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests {
        match allowances.iter().position(|allowance| allowance.covers(request)) {
            Some(index) => covered[index].push(request),
            None => *unexpected.entry(request.shown()).or_default() += 1,
        }
    }
    let mut lines: Vec<String> = unexpected.into_iter().map(|(shown, count)| format!("{count} × {shown}")).collect();
    lines.extend(allowances.iter().zip(&covered).flat_map(|(allowance, requests)| allowance.passed(requests, lasted)));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn a_read_and_a_refused_write_are_not_rest() {
        let requests = [
            Request::answered("list", "nodes", "", 200),
            Request::answered("list", "nodes", "", 200),
            Request::answered("patch", "deployments", "d", 409),
        ];
        let lines = beyond(&requests, MINUTE, &AT_REST);
        assert_eq!(lines, ["2 × list nodes ns/ 200", "1 × patch deployments ns/d 409"]);
    }

    #[test]
    fn a_watch_that_is_opened_again_and_again_is_named() {
        let watch = || Request::answered("watch", "pods", "", 200);
        assert!(beyond(&[watch()], MINUTE, &AT_REST).is_empty());
        let lines = beyond(&[watch(), watch()], MINUTE, &AT_REST);
        assert_eq!(lines, ["reconnects of watches: 2 × watch pods ns, at most 1"]);
        assert!(beyond(&[watch(), watch()], 4 * MINUTE, &AT_REST).is_empty(), "watches end by themselves");
    }

    #[test]
    fn renewals_of_the_lease_have_a_bound() {
        let mut renewal = Request::answered("update", "leases", "commonscloud-operator", 200);
        NAMESPACE.clone_into(&mut renewal.object_ref.namespace);
        assert!(beyond(&vec![renewal.clone(); 30], MINUTE, &AT_REST).is_empty());
        assert_eq!(beyond(&vec![renewal; 100], MINUTE, &AT_REST).len(), 1);
    }

    #[test]
    fn the_page_on_reliability_lists_each() {
        let page = include_str!("../../docs/reliability.md");
        let all = [AT_REST.as_slice(), &AT_START, &MAKING, &REPAIRING].concat();
        let missing: Vec<&str> =
            all.iter().map(|allowance| allowance.name).filter(|name| !page.contains(name)).collect();
        assert!(missing.is_empty(), "docs/reliability.md has no row for {missing:?}");
    }

    #[test]
    fn a_refused_watch_is_no_reconnect() {
        assert_eq!(beyond(&[Request::answered("watch", "pods", "", 403)], MINUTE, &AT_REST).len(), 1);
    }
}
