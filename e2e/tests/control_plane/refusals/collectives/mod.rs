//! Who may change what of a Collective, an Access, their history and a request to leave; that each refusal is there
//! because of its rule; and that a thousand people are below the limits of what rules may cost.
//!
//! | module | what lives there |
//! |---|---|
//! | [`ask`] | a request, who makes it, and what its refusal says |
//! | [`rows`], [`of_members`], [`of_people`] | what is refused to whom, in which words, and what is not |
//! | [`walls`] | copies of the policies, with a door in each rule |
//! | [`many`] | a thousand people |

mod ask;
mod many;
mod of_members;
mod of_people;
mod rows;
mod walls;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use commonscloud_e2e::chart::USER;
use commonscloud_e2e::manifests::{entity, namespaced};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq};
use kube::Client;
use serde_json::{Value, json};

use super::doors::Answer;
use crate::tier::{ControlPlane, READY};
use ask::{Ask, Row};

const NAME: &str = "refused-collectives";
/// A namespace of no Entity.
const NOBODYS: &str = "refused-nobodys";
/// Manages the Collective.
const ANNA: &str = "person:anna";
/// Manages the service.
const BERTA: &str = "person:berta";
/// A member.
const CARLA: &str = "person:carla";
/// Somebody else.
const STRANGER: &str = "person:zoe";
const ADMINISTRATOR: &str = "an-administrator";
/// Who wrote what is there.
const FOUNDER: &str = "a-founder";
const SINCE: &str = "2026-12-01T00:00:00Z";
const UNTIL: &str = "2027-06-01T00:00:00Z";

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "who belongs and who may enter is changed by its managers in their own name, and each refusal is there \
             because of its rule",
            judged,
        ),
        Scenario::new("a thousand people are a collective, and one change is one patch", many::a_thousand),
    ]
}

/// Somebody as the API server takes them for, with a door perhaps.
async fn as_whom(tier: &ControlPlane, who: &str, door: Option<usize>) -> Outcome<Client> {
    let mut groups = Vec::new();
    if who == ADMINISTRATOR {
        groups.push("system:masters".to_owned());
    }
    groups.extend(door.map(walls::door));
    tier.cluster.impersonate(who, &groups).await
}

/// An account at an identity provider.
fn account(name: &str) -> Value {
    json!({"issuer": "https://id.example.org", "subject": name, "user": format!("person:{name}")})
}

/// An object that says of itself that `commonscloud recover` brought it back: the operator makes none without an
/// identity provider.
fn back(kind: &str, name: &str, spec: Value) -> Value {
    let mut object = namespaced(kind, NAME, name, spec);
    object["metadata"]["annotations"] = json!({"commonscloud.coop/recovered": "a-former-uid"});
    object
}

/// A Role, and a RoleBinding for some users.
fn role(namespace: &str, name: &str, users: &[&str], rules: &[(&str, &[&str])]) -> [Value; 2] {
    let group = "rbac.authorization.k8s.io";
    let rules: Vec<Value> = rules
        .iter()
        .map(|(resource, verbs)| json!({"apiGroups": ["commonscloud.coop"], "resources": [resource], "verbs": verbs}))
        .collect();
    let object = |kind: &str| {
        let metadata = json!({"name": name, "namespace": namespace});
        json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": metadata})
    };
    let (mut role, mut binding) = (object("Role"), object("RoleBinding"));
    role["rules"] = json!(rules);
    binding["roleRef"] = json!({"apiGroup": group, "kind": "Role", "name": name});
    let subject = |user: &&str| json!({"apiGroup": group, "kind": "User", "name": user});
    binding["subjects"] = users.iter().map(subject).collect();
    [role, binding]
}

/// The rights of managers of a Collective, of managers of a service, of members and of the operator, as the operator
/// gives them; Berta may write the Collective as well, and Carla all that managers of a service or of the Collective
/// write of an Access: what is refused to them is not refused for want of rights.
fn rights(namespace: &str) -> Vec<Value> {
    let change = ["get", "update", "patch"];
    let (appoint, admit) = ([&change[..], &["appoint"]].concat(), [&change[..], &["admit"]].concat());
    let all = [&change[..], &["create", "delete"]].concat();
    [
        role(namespace, "e2e-of-the-collective", &[ANNA, BERTA], &[("collectives", &change[..])]),
        role(namespace, "e2e-appoint", &[ANNA, CARLA], &[("accesses", &appoint[..])]),
        role(namespace, "e2e-admit", &[BERTA, CARLA], &[("accesses", &admit[..])]),
        role(namespace, "e2e-member", &[CARLA], &[("leaverequests", &["create"][..])]),
        role(namespace, "e2e-operator", &[USER], &[("collectives", &all[..]), ("accesses", &all[..])]),
    ]
    .concat()
}

/// The people that the rows are about.
fn objects() -> [Value; 3] {
    let member = |name: &str, how: &str, value: Value| {
        let mut member = json!({"displayName": name, "by": FOUNDER, "since": SINCE});
        member[how] = value;
        member
    };
    let accepted = |name: &str| member(name, "account", account(name));
    let mut leaving = accepted("elise");
    leaving["removed"] = json!({"by": FOUNDER});
    let members = json!({
        "annaanna": accepted("anna"), "bertabert": accepted("berta"), "carlacarl": accepted("carla"),
        "dinadinad": member("dina", "mail", json!("dina@example.org")), "eliseelis": leaving,
        "hannahann": member("hanna", "mail", json!("hanna@example.org")),
    });
    let managers = json!({
        "annaanna": {"by": FOUNDER, "since": SINCE},
        "carlacarl": {"by": FOUNDER, "since": SINCE, "removed": {"by": FOUNDER}},
    });
    let guest = |guest: Value| json!({"role": "User", "by": FOUNDER, "since": SINCE, "until": UNTIL, "guest": guest});
    let people = json!({
        "bertabert": {"role": "Manager", "by": FOUNDER, "since": SINCE, "until": "2030-01-01T00:00:00Z"},
        "carlacarl": {"role": "User", "by": FOUNDER, "since": SINCE, "until": UNTIL},
        "dinadinad": {"role": "User", "by": FOUNDER, "since": SINCE, "removed": {"by": FOUNDER}},
        "lapsedlap": {"role": "User", "by": FOUNDER, "since": SINCE},
        "guestguest": guest(json!({"displayName": "Guest", "mail": "guest@example.org"})),
        "knownknow": guest(json!({"displayName": "Known", "account": account("known")})),
    });
    let entry = json!({"at": SINCE, "by": FOUNDER, "change": "Invited", "person": "annaanna", "displayName": "Anna"});
    [
        back("Collective", "collective", json!({"members": members, "managers": managers})),
        back("Access", "site", json!({"people": people})),
        back("AccessHistory", "2026-12", json!({"entries": {"a": entry}})),
    ]
}

async fn judged(tier: Arc<ControlPlane>) -> Outcome {
    tier.running(&entity(NAME, json!({}))).await?;
    let nobodys = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NOBODYS}});
    tier.cluster.applied(&[nobodys]).await?;
    tier.cluster.applied(&rights(NAME)).await?;
    tier.cluster.applied(&objects()).await?;
    without_rights(&tier).await?;
    eventually("what is right is accepted", READY, async || all_accepted(&tier).await).await?;
    let rows = rows::refused();
    all_refused(&tier, &rows).await?;
    let ended = match walls::with_doors(&tier).await {
        Ok(rules) => because_of_a_rule(&tier, &rows, &rules).await,
        Err(failure) => Err(failure),
    };
    // Others rely on the policies as they are.
    walls::as_they_were(&tier).await?;
    ended?;
    tier.cluster.kubectl.ok(&["delete", "namespace", NOBODYS, "--wait=false"]).await.map(drop)
}

/// Roles come before policies: who is no manager is refused whatever they write.
async fn without_rights(tier: &ControlPlane) -> Outcome {
    let invitation =
        json!({"spec": {"members": {"francesca": {"displayName": "F", "mail": "f@example.org", "by": "x"}}}});
    for (who, ask) in [
        (STRANGER, Ask::change("collectives/collective", invitation.clone())),
        (STRANGER, Ask::change("accesses/site", json!({"spec": {"people": {}}}))),
        (
            STRANGER,
            Ask::create(NAME, "leaverequests", namespaced("LeaveRequest", NAME, "a", json!({"user": STRANGER}))),
        ),
        (CARLA, Ask::change("collectives/collective", invitation)),
        (ANNA, Ask::delete("collectives/collective")),
        (ANNA, Ask::delete("accesshistories/2026-12")),
        (BERTA, Ask::create(NAME, "accesses", namespaced("Access", NAME, "other", json!({"people": {}})))),
        (ANNA, Ask::change("collectives/collective/status", json!({"status": {"members": 7}}))),
    ] {
        let answer = ask.tried(&as_whom(tier, who, None).await?).await?;
        let Answer::Refused(message) = &answer else { return Err(Failure::new(format!("{who} {ask:?}: {answer:?}"))) };
        ensure!(message.contains("cannot "), "{who} {ask:?}: {message}");
    }
    Ok(())
}

async fn all_accepted(tier: &ControlPlane) -> Outcome {
    let mut faults = Vec::new();
    for (what, who, ask) in rows::accepted() {
        if let Answer::Refused(message) = ask.tried(&as_whom(tier, who, None).await?).await? {
            faults.push(format!("{what}, by {who}: {message}"));
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

async fn all_refused(tier: &ControlPlane, rows: &[Row]) -> Outcome {
    let mut faults = Vec::new();
    for Row { policy, fault, by, ask, says } in rows {
        match ask.tried(&as_whom(tier, by, None).await?).await? {
            Answer::Taken => faults.push(format!("{policy}: {fault}, by {by}: accepted")),
            Answer::Refused(message) => {
                let told =
                    message.contains(&format!("ValidatingAdmissionPolicy '{policy}' ")) && message.contains(says);
                faults.extend((!told).then(|| format!("{policy}: {fault}, by {by}: no {says:?} in {message}")));
            }
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// With one rule of its policy away a request is accepted, with any other one it is not; and there is no rule without
/// such a request. `rules`: how many each policy has.
async fn because_of_a_rule(tier: &ControlPlane, rows: &[Row], rules: &BTreeMap<&str, usize>) -> Outcome {
    let first = |policy: &&str| rows.iter().find(|row| row.policy == *policy);
    let firsts: Vec<&Row> = rules.keys().filter_map(first).collect();
    eventually("the copies judge", READY, async || {
        for opened in opened(tier, &firsts, rules).await? {
            ensure_eq!(opened.len(), 1, "rules without which a request is accepted");
        }
        Ok(())
    })
    .await?;
    let all: Vec<&Row> = rows.iter().collect();
    let mut missing: BTreeSet<(&str, usize)> =
        rules.iter().flat_map(|(policy, count)| (0..*count).map(move |number| (*policy, number))).collect();
    let mut faults = Vec::new();
    for (row, opened) in all.iter().zip(opened(tier, &all, rules).await?) {
        if opened.len() != 1 {
            faults.push(format!("{}: {}, by {}: accepted without rules {opened:?}", row.policy, row.fault, row.by));
        }
        missing.retain(|(policy, number)| *policy != row.policy || !opened.contains(number));
    }
    faults.extend(missing.iter().map(|(policy, number)| format!("{policy}: no request for rule {number}")));
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// For each request the rules of its policy without which it is accepted.
async fn opened(tier: &ControlPlane, rows: &[&Row], rules: &BTreeMap<&str, usize>) -> Outcome<Vec<BTreeSet<usize>>> {
    let mut opened = vec![BTreeSet::new(); rows.len()];
    let people: BTreeSet<&str> = rows.iter().map(|row| row.by).collect();
    let most = rules.values().copied().max().unwrap_or_default();
    for who in people {
        for number in 0..most {
            let client = as_whom(tier, who, Some(number)).await?;
            for (row, opened) in rows.iter().zip(&mut opened) {
                let has_it = rules.get(row.policy).is_some_and(|count| number < *count);
                if row.by == who && has_it && row.ask.tried(&client).await? == Answer::Taken {
                    opened.insert(number);
                }
            }
        }
    }
    Ok(opened)
}
