//! What is refused to whom, and what is not: requests, and the words of the refusals.

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::namespaced;
use commonscloud_e2e::{Failure, Outcome};
use hyper::{Method, Request};
use kube::Client;
use serde_json::{Value, json};

use super::{ADMINISTRATOR, ANNA, BERTA, CARLA, NAME, NOBODYS, SINCE, account, back};
use crate::refusals::doors::Answer;

/// A request, judged and never stored.
#[derive(Debug, Clone)]
pub struct Ask {
    method: Method,
    path: String,
    body: Value,
}

impl Ask {
    fn new(method: Method, namespace: &str, place: &str, body: Value) -> Self {
        let path = format!("/apis/commonscloud.coop/v1alpha1/namespaces/{namespace}/{place}");
        Self { method, path, body }
    }

    /// A merge patch; a list is a JSON patch, which alone can say null.
    pub fn change(place: &str, body: Value) -> Self {
        Self::new(Method::PATCH, NAME, place, body)
    }

    /// A new object.
    pub fn create(namespace: &str, plural: &str, object: Value) -> Self {
        Self::new(Method::POST, namespace, plural, object)
    }

    /// What is there goes.
    pub fn delete(place: &str) -> Self {
        Self::new(Method::DELETE, NAME, place, Value::Null)
    }

    /// Asks the API server, as whoever the client is.
    ///
    /// # Errors
    /// When it gives no answer.
    pub async fn tried(&self, client: &Client) -> Outcome<Answer> {
        let form = match (&self.method, &self.body) {
            (&Method::PATCH, Value::Array(_)) => "application/json-patch+json",
            (&Method::PATCH, _) => "application/merge-patch+json",
            _ => "application/json",
        };
        let body = if self.body.is_null() { Vec::new() } else { self.body.to_string().into_bytes() };
        let request = Request::builder().method(self.method.clone()).header("content-type", form);
        let request = request.uri(format!("{}?dryRun=All", self.path)).body(body)?;
        match client.request::<Value>(request).await {
            Ok(_) => Ok(Answer::Taken),
            Err(kube::Error::Api(status)) => Ok(Answer::Refused(status.message)),
            Err(error) => Err(Failure::from(error).during(&self.path)),
        }
    }
}

/// A request that one rule of a policy refuses, and no other.
pub struct Row {
    /// The policy.
    pub policy: &'static str,
    /// What is wrong.
    pub fault: &'static str,
    /// Who asks.
    pub by: &'static str,
    /// For what.
    pub ask: Ask,
    /// What the refusal says.
    pub says: &'static str,
}

fn of_collective(fault: &'static str, by: &'static str, change: Value, says: &'static str) -> Row {
    Row { policy: "commonscloud-collectives", fault, by, ask: Ask::change("collectives/collective", change), says }
}

fn of_access(fault: &'static str, by: &'static str, change: Value, says: &'static str) -> Row {
    Row { policy: "commonscloud-accesses", fault, by, ask: Ask::change("accesses/site", change), says }
}

fn members(members: Value) -> Value {
    json!({"spec": {"members": members}})
}

fn managers(managers: Value) -> Value {
    json!({"spec": {"managers": managers}})
}

fn people(people: Value) -> Value {
    json!({"spec": {"people": people}})
}

/// A merge patch of one person's entry.
fn person(id: &str, entry: Value) -> Value {
    let mut all = json!({});
    all[id] = entry;
    people(all)
}

/// Every refusal; each rule of each policy has one at least.
pub fn refused() -> Vec<Row> {
    let mut rows = metadata();
    rows.extend(entries_of_members());
    rows.extend(members_alone());
    rows.extend(managers_alone());
    rows.extend(entries_of_people());
    rows.extend(who_enters());
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

/// What holds for members and managers alike.
fn entries_of_members() -> Vec<Row> {
    let operators = "since and removed.at are written by the operator";
    let new = |by: &str| json!({"displayName": "New", "mail": "new@example.org", "by": by});
    let mut known = new(ANNA);
    known["since"] = json!(SINCE);
    vec![
        of_collective(
            "member deleted",
            ANNA,
            members(json!({"dinadinad": null})),
            "spec.members.dinadinad: an entry is not deleted; write removed: {by: person:anna}",
        ),
        of_collective(
            "manager deleted",
            ANNA,
            managers(json!({"carlacarl": null})),
            "spec.managers.carlacarl: an entry is not deleted",
        ),
        of_collective(
            "removal taken back",
            ANNA,
            members(json!({"eliseelis": {"removed": null}})),
            "spec.members.eliseelis: is being removed, which nobody takes back",
        ),
        of_collective(
            "removal of a manager taken back",
            ANNA,
            managers(json!({"carlacarl": {"removed": null}})),
            "spec.managers.carlacarl: is being removed, which nobody takes back",
        ),
        of_collective("since", ANNA, members(json!({"annaanna": {"since": "2020-01-01T00:00:00Z"}})), operators),
        of_collective("since of a new one", ANNA, members(json!({"francesca": known})), operators),
        of_collective(
            "time of a removal",
            ANNA,
            members(json!({"dinadinad": {"removed": {"by": ANNA, "at": SINCE}}})),
            operators,
        ),
        of_collective(
            "removal in another's name",
            ANNA,
            members(json!({"dinadinad": {"removed": {"by": BERTA}}})),
            "spec.members.dinadinad.removed.by: is who removes; write person:anna",
        ),
        of_collective(
            "invitation in another's name",
            ANNA,
            members(json!({"francesca": new(BERTA)})),
            "spec.members.francesca.by: is who writes this entry; write person:anna",
        ),
        of_collective(
            "invitation in another's name, by an administrator",
            ADMINISTRATOR,
            members(json!({"francesca": new(BERTA)})),
            "spec.members.francesca.by: is who writes this entry; write an-administrator",
        ),
        of_collective(
            "change in another's name",
            ANNA,
            members(json!({"dinadinad": {"mail": "other@example.org"}})),
            "spec.members.dinadinad.by: is who writes this entry",
        ),
        of_collective(
            "manager in another's name",
            ANNA,
            managers(json!({"bertabert": {"by": BERTA}})),
            "spec.managers.bertabert.by: is who writes this entry",
        ),
    ]
}

fn members_alone() -> Vec<Row> {
    let accepted = "spec.members.carlacarl: has an account since";
    let short = json!({"dina": {"displayName": "New", "mail": "new@example.org", "by": ANNA}});
    vec![
        of_collective("short id", ANNA, members(short), "spec.members.dina: an id has 8 to 26 of a-z and 0-9"),
        of_collective(
            "account",
            ANNA,
            members(json!({"dinadinad": {"account": account("dina")}})),
            "spec.members.dinadinad.account: is written by the operator, once",
        ),
        of_collective(
            "account of another member, by an administrator",
            ADMINISTRATOR,
            members(json!({"dinadinad": {"account": account("carla")}})),
            "spec.members.dinadinad.account: is that of another member already",
        ),
        of_collective(
            "name of who accepted",
            ANNA,
            members(json!({"carlacarl": {"displayName": "X", "by": ANNA}})),
            accepted,
        ),
        of_collective(
            "mail of who accepted",
            ANNA,
            members(json!({"carlacarl": {"mail": "x@example.org", "by": ANNA}})),
            accepted,
        ),
    ]
}

fn managers_alone() -> Vec<Row> {
    let last = "spec.managers: the last manager of a collective stays; name another one first";
    vec![
        of_collective(
            "manager who is no member",
            ANNA,
            managers(json!({"nobodynobody": {"by": ANNA}})),
            "spec.managers.nobodynobody: does not belong to the collective",
        ),
        of_collective(
            "manager who leaves",
            ANNA,
            managers(json!({"eliseelis": {"by": ANNA}})),
            "spec.managers.eliseelis: does not belong to the collective, or is leaving it",
        ),
        // Berta has the right by a list of the Entity's, say.
        of_collective(
            "manager by themselves",
            BERTA,
            managers(json!({"bertabert": {"by": BERTA}})),
            "spec.managers.bertabert: is yourself; ask another manager",
        ),
        of_collective("last manager", ANNA, managers(json!({"annaanna": {"removed": {"by": ANNA}}})), last),
        of_collective("last manager as a member", ANNA, members(json!({"annaanna": {"removed": {"by": ANNA}}})), last),
        of_collective(
            "last manager, by an administrator",
            ADMINISTRATOR,
            members(json!({"annaanna": {"removed": {"by": ADMINISTRATOR}}})),
            last,
        ),
    ]
}

fn entries_of_people() -> Vec<Row> {
    let operators = "since and removed.at are written by the operator";
    let guest = |by: &str| {
        let guest = json!({"displayName": "New", "mail": "new@example.org"});
        json!({"role": "User", "until": "2027-06-01T00:00:00Z", "guest": guest, "by": by})
    };
    let null = json!([{"op": "add", "path": "/spec/people/hannahann",
        "value": {"role": "User", "by": BERTA, "until": null}}]);
    vec![
        of_access(
            "entry deleted",
            BERTA,
            person("carlacarl", Value::Null),
            "spec.people.carlacarl: an entry is not deleted; write removed: {by: person:berta}",
        ),
        of_access("null", BERTA, null, "spec.people.hannahann: null is no value here"),
        of_access("short id", BERTA, person("gast", guest(BERTA)), "spec.people.gast: an id has 8 to 26"),
        of_access(
            "removal taken back",
            BERTA,
            person("dinadinad", json!({"removed": null})),
            "spec.people.dinadinad: is being removed, which nobody takes back",
        ),
        of_access("since", BERTA, person("carlacarl", json!({"since": "2020-01-01T00:00:00Z"})), operators),
        of_access(
            "time of a removal",
            BERTA,
            person("carlacarl", json!({"removed": {"by": BERTA, "at": SINCE}})),
            operators,
        ),
        of_access(
            "removal in another's name",
            BERTA,
            person("carlacarl", json!({"removed": {"by": ANNA}})),
            "spec.people.carlacarl.removed.by: is who removes; write person:berta",
        ),
        of_access(
            "entry in another's name",
            BERTA,
            person("hannahann", json!({"role": "User", "by": ANNA})),
            "spec.people.hannahann.by: is who writes this entry; write person:berta",
        ),
        of_access(
            "change in another's name",
            BERTA,
            person("carlacarl", json!({"until": "2028-01-01T00:00:00Z"})),
            "spec.people.carlacarl.by: is who writes this entry",
        ),
        of_access(
            "account of a guest",
            BERTA,
            person("guestguest", json!({"guest": {"account": account("guest")}})),
            "spec.people.guestguest.guest.account: is written by the operator, once",
        ),
        of_access(
            "name of a guest who accepted",
            BERTA,
            person("knownknow", json!({"guest": {"displayName": "X"}, "by": BERTA})),
            "spec.people.knownknow: has an account since",
        ),
        of_access(
            "guest under a member's id",
            BERTA,
            person("hannahann", guest(BERTA)),
            "spec.people.hannahann.guest: this id is that of a member",
        ),
    ]
}

fn who_enters() -> Vec<Row> {
    let foreign = "does not belong to the collective, or is leaving it; have a manager of the collective invite them";
    let oneself = "is yourself; nobody lets themselves in";
    let managing = "who manages site is said by the managers of the collective";
    let entering = "who enters site is said by its own managers";
    let user = |by: &str| json!({"role": "User", "by": by});
    let manager = |by: &str| json!({"role": "Manager", "by": by});
    let until = |until: Value, by: &str| json!({"until": until, "by": by});
    let removed = |by: &str| json!({"removed": {"by": by}});
    vec![
        of_access("no member", BERTA, person("nobodynobody", user(BERTA)), foreign),
        of_access("member who leaves", BERTA, person("eliseelis", user(BERTA)), foreign),
        of_access(
            "former member longer",
            BERTA,
            person("lapsedlap", until(json!("2028-01-01T00:00:00Z"), BERTA)),
            foreign,
        ),
        of_access("oneself, as the collective's manager", ANNA, person("annaanna", manager(ANNA)), oneself),
        // Carla has the rights of all managers here, though the list says that she is none.
        of_access("oneself longer", CARLA, person("carlacarl", until(json!("2028-01-01T00:00:00Z"), CARLA)), oneself),
        of_access("oneself for ever", CARLA, person("carlacarl", until(Value::Null, CARLA)), oneself),
        of_access("oneself as manager", CARLA, person("carlacarl", manager(CARLA)), oneself),
        of_access(
            "last manager leaves",
            BERTA,
            person("bertabert", removed(BERTA)),
            "spec.people.bertabert: is the last manager of site; ask a manager of the collective",
        ),
        of_access("manager by a manager", BERTA, person("hannahann", manager(BERTA)), managing),
        of_access("user made manager by a manager", BERTA, person("carlacarl", manager(BERTA)), managing),
        of_access("manager made user by themselves", BERTA, person("bertabert", user(BERTA)), managing),
        of_access("user by the collective's manager", ANNA, person("hannahann", user(ANNA)), entering),
        of_access("removal of a user by the collective's manager", ANNA, person("carlacarl", removed(ANNA)), entering),
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
