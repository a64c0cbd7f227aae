//! The leaves of Collectives, Accesses, histories and requests to leave: what their schemas refuse. What each does is
//! shown by the scenarios of people, and who may write which by those of refusals.

use commonscloud_e2e::manifests::{entity, namespaced};
use commonscloud_e2e::{Failure, Outcome};
use kube::ResourceExt as _;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::case::{Case, refused};
use super::live::{self, Stage};
use crate::collective::{access, collective, managed, signing_in};
use crate::tier::ControlPlane;

/// The Entity whose people they are.
const NAME: &str = "leaves-people";
/// The namespace of the request to leave.
const OF_REQUESTS: &str = "leaves-requests";

const LINE: &str = "allowed: one line of text";
const HTTPS: &str = "allowed: a URL that begins with https://";
const MAIL: &str = "allowed: one mail address";
const TIME: &str = "must be of type date-time";
const LISTED: &str = "supported values";
const TWO_LINES: &str = "two\nlines";

/// The cases of the Platform's identity.
pub fn of_platform() -> Vec<Case> {
    let own = |leaf: &str, value: Value, words: &[&'static str]| {
        refused("Platform", format!("spec.identity.{leaf}"), value, words)
            .given("spec.identity.issuer", json!("https://id.example"))
    };
    vec![
        own("provider", json!("LDAP"), &["identity.provider", LISTED]),
        own("issuer", json!("id.example"), &[HTTPS]),
        own("userPrefix", json!("system:"), &["names that begin with system: belong to Kubernetes"]),
        own("invitationDays", json!(0), &["invitationDays", "greater than or equal to 1"]),
        own("keepHistoryDays", json!(29), &["keepHistoryDays", "greater than or equal to 30"]),
    ]
}

/// What is wrong with a removal and with who wrote an entry when, wherever they stand.
fn of_entries() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("by", json!(TWO_LINES), LINE),
        ("since", json!("yesterday"), TIME),
        ("removed.by", json!(TWO_LINES), LINE),
        ("removed.at", json!("yesterday"), TIME),
    ]
}

fn of_accounts(prefix: &str) -> Vec<(String, Value, &'static str)> {
    [("issuer", json!("id.example"), HTTPS), ("subject", json!(TWO_LINES), LINE), ("user", json!(TWO_LINES), LINE)]
        .map(|(leaf, value, words)| (format!("{prefix}.{leaf}"), value, words))
        .into()
}

fn owned(cases: Vec<(&'static str, Value, &'static str)>) -> Vec<(String, Value, &'static str)> {
    cases.into_iter().map(|(leaf, value, words)| (leaf.to_owned(), value, words)).collect()
}

/// The cases of one map: each changes an entry that is fine but for one leaf.
fn of_map(
    kind: &'static str,
    map: &'static str,
    entry: &Value,
    leaves: impl IntoIterator<Item = (String, Value, &'static str)>,
) -> Vec<Case> {
    let case = |(leaf, value, words): (String, Value, &'static str)| {
        refused(kind, format!("{map}.{leaf}"), value, &[words]).given(map, entry.clone())
    };
    leaves.into_iter().map(case).collect()
}

fn account() -> Value {
    json!({"issuer": "https://id.example", "subject": "leaves", "user": "person:leaves"})
}

fn removed() -> Value {
    json!({"by": "x"})
}

/// The cases of a Collective.
pub fn of_collectives() -> Vec<Case> {
    let member = json!({"displayName": "Leaves", "by": "x", "account": account(), "removed": removed()});
    let own = owned(vec![("displayName", json!(TWO_LINES), LINE), ("mail", json!("nobody"), MAIL)]);
    let leaves = own.into_iter().chain(of_accounts("account")).chain(owned(of_entries()));
    let mut cases = of_map("Collective", "spec.members{leavesleaves}", &member, leaves);
    let manager = json!({"by": "x", "removed": removed()});
    cases.extend(of_map("Collective", "spec.managers{leavesleaves}", &manager, owned(of_entries())));
    cases
}

/// The cases of an Access.
pub fn of_accesses() -> Vec<Case> {
    let guest = json!({"displayName": "Leaves", "account": account()});
    let entry = json!({"by": "x", "until": "2999-01-01T00:00:00Z", "guest": guest, "removed": removed()});
    let own = owned(vec![
        ("role", json!("Owner"), LISTED),
        ("until", json!("soon"), "allowed: a day and time"),
        ("guest.displayName", json!(TWO_LINES), LINE),
        ("guest.mail", json!("nobody"), MAIL),
    ]);
    let leaves = own.into_iter().chain(of_accounts("guest.account")).chain(owned(of_entries()));
    of_map("Access", "spec.people{leavesleaves}", &entry, leaves)
}

/// The cases of a history.
pub fn of_histories() -> Vec<Case> {
    let entry = json!({
        "at": "2026-12-01T00:00:00Z", "by": "x", "change": "Admitted", "person": "leavesleaves", "displayName": "Leaves",
        "service": "site",
    });
    let leaves = owned(vec![
        ("at", json!("yesterday"), TIME),
        ("by", json!(TWO_LINES), LINE),
        ("change", json!("Guessed"), LISTED),
        ("person", json!("short"), "at least 8 chars long"),
        ("displayName", json!(TWO_LINES), LINE),
        ("service", json!("1st"), "beginning with a letter"),
    ]);
    of_map("AccessHistory", "spec.entries{leaves}", &entry, leaves)
}

/// The case of a request to leave.
pub fn of_requests() -> Vec<Case> {
    let words = &["spec: a request cannot be changed"];
    vec![refused("LeaveRequest", "spec.user", json!("somebody-else"), words)]
}

/// A request that is there, where nobody signs in and so nobody carries it out.
pub fn asked(user: &str) -> Stage {
    Stage {
        namespace: OF_REQUESTS.to_owned(),
        around: vec![entity(OF_REQUESTS, json!({}))],
        subject: namespaced("LeaveRequest", OF_REQUESTS, "asked", json!({"user": user})),
        ready: Vec::new(),
        cases: of_requests(),
    }
}

/// Plays the cases on the objects that the operator made.
pub async fn played(tier: &ControlPlane) -> Outcome<Vec<String>> {
    tier.running(&managed(NAME)).await?;
    let mut faults = Vec::new();
    signing_in(tier, async || {
        collective(tier, NAME, "it is there", |_| true).await?;
        access(tier, NAME, "it is there", |_| true).await?;
        for (kind, cases) in
            [("Collective", of_collectives()), ("Access", of_accesses()), ("AccessHistory", of_histories())]
        {
            let stage = Stage {
                namespace: NAME.to_owned(),
                around: Vec::new(),
                subject: made(tier, kind).await?,
                ready: Vec::new(),
                cases,
            };
            faults.extend(stage.play(tier).await);
        }
        Ok(())
    })
    .await?;
    Ok(faults)
}

/// The first object of a kind, as somebody would apply it.
async fn made(tier: &ControlPlane, kind: &str) -> Outcome<Value> {
    let all = live::api(tier, kind, NAME)?.list(&ListParams::default()).await?;
    let first = all.items.into_iter().next().ok_or_else(|| Failure::new(format!("no {kind}")))?;
    let name = first.name_any();
    let spec = first.data.get("spec").cloned().unwrap_or_default();
    Ok(namespaced(kind, NAME, &name, spec))
}
