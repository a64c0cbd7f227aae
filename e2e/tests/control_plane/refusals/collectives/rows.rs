//! What is refused to whom, and what is not: requests, and the words of the refusals.

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::namespaced;
use serde_json::{Value, json};

use super::ask::{Ask, Row, managers, members, of_access, of_collective, person};
use super::{ADMINISTRATOR, ANNA, BERTA, CARLA, NAME, NOBODYS, account, back, of_members, of_people};

/// Every refusal; each rule of each policy has one at least.
pub fn refused() -> Vec<Row> {
    let mut rows = metadata();
    rows.extend(of_members::entries_of_members());
    rows.extend(of_members::members_alone());
    rows.extend(of_members::managers_alone());
    rows.extend(of_people::entries_of_people());
    rows.extend(of_people::who_enters());
    rows.extend(made_and_deleted());
    rows.extend(reported_and_left());
    rows
}

fn metadata() -> Vec<Row> {
    let says = "metadata: managers change the spec alone";
    let given = "commonscloud.coop/allow-deletion";
    let owner = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "a"}]);
    vec![
        of_collective("finalizer", ANNA, json!({"metadata": {"finalizers": ["example.org/hang"]}}), says),
        of_collective("label", ANNA, json!({"metadata": {"labels": {"a": "b"}}}), says),
        of_collective("annotation", ANNA, json!({"metadata": {"annotations": {given: "true"}}}), says),
        of_collective("owner", ANNA, json!({"metadata": {"ownerReferences": owner}}), says),
        of_access("finalizer", BERTA, json!({"metadata": {"finalizers": ["example.org/hang"]}}), says),
        of_access("annotation", ANNA, json!({"metadata": {"annotations": {given: "true"}}}), says),
    ]
}

/// The same in a namespace of no Entity.
fn in_none(mut object: Value) -> Value {
    object["metadata"]["namespace"] = json!(NOBODYS);
    object
}

/// By an administrator.
fn of_hands(policy: &'static str, fault: &'static str, ask: Ask, says: &'static str) -> Row {
    Row { policy, fault, by: ADMINISTRATOR, ask, says }
}

const OF_NOBODY: &str = "metadata.namespace: refused-nobodys belongs to no Entity";

fn made_and_deleted() -> Vec<Row> {
    let (made, kept) = ("commonscloud-collectives-made", "commonscloud-collectives-kept");
    let collective = in_none(back("Collective", "collective", json!({"members": {}, "managers": {}})));
    let access = namespaced("Access", NAME, "other", json!({"people": {}}));
    let history = namespaced("AccessHistory", NAME, "2027-01", json!({"entries": {}}));
    let changed = json!({"spec": {"entries": {"a": {"displayName": "Somebody else"}}}});
    vec![
        of_hands(made, "collective of no Entity", Ask::create(NOBODYS, "collectives", collective), OF_NOBODY),
        of_hands(
            made,
            "access by hand",
            Ask::create(NAME, "accesses", access),
            "Access other in namespace refused-collectives is made by the operator",
        ),
        of_hands(
            made,
            "history by hand",
            Ask::create(NAME, "accesshistories", history),
            "AccessHistory 2027-01 in namespace refused-collectives is made by the operator",
        ),
        of_hands(
            kept,
            "collective deleted",
            Ask::delete("collectives/collective"),
            "kubectl annotate collective collective --namespace refused-collectives commonscloud.coop/allow-deletion=",
        ),
        of_hands(
            kept,
            "access deleted",
            Ask::delete("accesses/site"),
            "says who may enter, and with it all who may would go",
        ),
        of_hands(
            kept,
            "history deleted",
            Ask::delete("accesshistories/2026-12"),
            "is the record of who gave or took what",
        ),
        of_hands(
            kept,
            "history changed",
            Ask::change("accesshistories/2026-12", changed),
            "spec: AccessHistory 2026-12 in namespace refused-collectives is written by the operator",
        ),
    ]
}

fn reported_and_left() -> Vec<Row> {
    let (status, leave) = ("commonscloud-collectives-status", "commonscloud-leaverequests");
    let request = |user: &str| namespaced("LeaveRequest", NAME, "leave", json!({"user": user}));
    let by_carla = |fault, object: Value, says| {
        let ask = Ask::create(NAME, "leaverequests", object);
        Row { policy: leave, fault, by: CARLA, ask, says }
    };
    let mut hanging = request(CARLA);
    hanging["metadata"]["finalizers"] = json!(["example.org/hang"]);
    vec![
        of_hands(
            status,
            "status of a collective",
            Ask::change("collectives/collective/status", json!({"status": {"members": 7}})),
            "status: of Collective collective is written by the operator",
        ),
        of_hands(
            status,
            "status of an access",
            Ask::change("accesses/site/status", json!({"status": {"users": 7}})),
            "status: of Access site is written by the operator",
        ),
        of_hands(
            leave,
            "request in no Entity",
            Ask::create(NOBODYS, "leaverequests", in_none(request(ADMINISTRATOR))),
            OF_NOBODY,
        ),
        by_carla("request for another", request(ANNA), "spec.user: is who leaves; write person:carla"),
        by_carla("request that hangs", hanging, "metadata: a request has a name and nothing else"),
    ]
}

/// What is not refused: what, who, and the request.
pub fn accepted() -> Vec<(&'static str, &'static str, Ask)> {
    let collective = |change: Value| Ask::change("collectives/collective", change);
    let access = |id: &str, entry: Value| Ask::change("accesses/site", person(id, entry));
    let new = json!({"displayName": "New", "mail": "new@example.org", "by": ANNA});
    let guest = json!({"displayName": "New", "mail": "new@example.org"});
    let handed_over = json!({"bertabert": {"by": ANNA}, "annaanna": {"removed": {"by": ANNA}}});
    let both = json!({"spec": {"members": {"francesca": new}, "managers": {"francesca": {"by": ANNA}}}});
    let until = |until: &str, by: &str| json!({"until": until, "by": by});
    let finalizer = json!({"metadata": {"finalizers": ["example.org/hang"]}});
    let bound = json!({"dinadinad": {"account": account("dina")}});
    let request = namespaced("LeaveRequest", NAME, "leave", json!({"user": CARLA}));
    vec![
        ("an invitation", ANNA, collective(members(json!({"francesca": new})))),
        ("an invitation, and a manager of it", ANNA, collective(both)),
        (
            "another name before they accept",
            ANNA,
            collective(members(json!({"dinadinad": {"displayName": "D", "by": ANNA}}))),
        ),
        ("a removal", ANNA, collective(members(json!({"bertabert": {"removed": {"by": ANNA}}})))),
        ("another manager", ANNA, collective(managers(json!({"bertabert": {"by": ANNA}})))),
        ("the last manager hands over", ANNA, collective(managers(handed_over))),
        ("an account, by who may bind it", ADMINISTRATOR, collective(members(bound))),
        (
            "an account of a guest, by who may bind it",
            ADMINISTRATOR,
            access("guestguest", json!({"guest": {"account": account("guest")}})),
        ),
        ("a finalizer of who may delete it", ADMINISTRATOR, collective(finalizer)),
        ("what the operator takes away", USER, collective(members(json!({"eliseelis": null})))),
        ("what the operator takes away of an access", USER, access("dinadinad", Value::Null)),
        ("a user", BERTA, access("hannahann", json!({"role": "User", "by": BERTA}))),
        ("a guest", BERTA, access("newguest", json!({"until": "2027-06-01T00:00:00Z", "guest": guest, "by": BERTA}))),
        ("a removal of a user", BERTA, access("carlacarl", json!({"removed": {"by": BERTA}}))),
        ("a removal of a former member", BERTA, access("lapsedlap", json!({"removed": {"by": BERTA}}))),
        ("a user for longer", BERTA, access("carlacarl", until("2028-01-01T00:00:00Z", BERTA))),
        ("oneself for shorter", CARLA, access("carlacarl", until("2027-01-01T00:00:00Z", CARLA))),
        ("a manager", ANNA, access("carlacarl", json!({"role": "Manager", "by": ANNA}))),
        ("no manager any more", ANNA, access("bertabert", json!({"role": "User", "by": ANNA}))),
        (
            "a removal of the last manager, by the collective's",
            ANNA,
            access("bertabert", json!({"removed": {"by": ANNA}})),
        ),
        ("a request to leave", CARLA, Ask::create(NAME, "leaverequests", request)),
    ]
}
