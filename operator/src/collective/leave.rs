//! Whoever wants to leave: who goes, who may not, and who is gone.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;

use super::facts::Facts;
use crate::api::{CollectiveSpec, Member};
use crate::compare::{Action, Change};
use crate::kinds;

/// What becomes of those who want to leave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Leaving {
    /// The members that go, and the user that asked for it.
    pub(super) go: BTreeMap<String, String>,
    /// The requests, by name, of whoever would leave no manager.
    pub(super) refused: Vec<String>,
    /// The requests of whom nobody is left, or never was; and any but the first of one user.
    pub(super) done: Vec<String>,
}

/// The managers that stay: who is not removed, and whose membership is not.
fn managers(people: &CollectiveSpec) -> impl Iterator<Item = &String> {
    let stays = move |id: &String| people.members.get(id).is_some_and(|member| member.removed.is_none());
    let managers = people.managers.iter().filter(|(_, manager)| manager.removed.is_none());
    managers.map(|(id, _)| id).filter(move |id| stays(id))
}

/// What becomes of each, the first first: of two last managers one stays.
pub(super) fn leaving(facts: &Facts) -> Leaving {
    let people = facts.people();
    let (mut leaving, mut asked) = (Leaving::default(), BTreeSet::new());
    for request in &facts.requests {
        let user = &request.spec.user;
        if !asked.insert(user) {
            leaving.done.push(request.name_any());
            continue;
        }
        let is_theirs = |member: &Member| member.account.as_ref().is_some_and(|account| account.user == *user);
        let theirs: Vec<&String> =
            people.members.iter().filter(|(_, member)| is_theirs(member)).map(|(id, _)| id).collect();
        if theirs.is_empty() {
            leaving.done.push(request.name_any());
            continue;
        }
        let stay: Vec<&String> = managers(&people).filter(|id| !leaving.go.contains_key(*id)).collect();
        let would_be_none = !stay.is_empty() && stay.iter().all(|id| theirs.contains(id));
        if would_be_none {
            leaving.refused.push(request.name_any());
            continue;
        }
        let here = theirs.into_iter().filter(|id| people.members.get(*id).is_some_and(|of| of.removed.is_none()));
        leaving.go.extend(here.map(|id| (id.clone(), user.clone())));
    }
    leaving
}

/// The requests that were carried out go.
pub(super) fn ended(facts: &Facts) -> Vec<Change> {
    let done = leaving(facts).done;
    let requests = facts.requests.iter().filter(|request| done.contains(&request.name_any()));
    let delete = |uid: String, name: &str| facts.change(kinds::LEAVE_REQUEST.kind, name, Action::Delete { uid });
    requests.filter_map(|request| Some(delete(request.uid()?, &request.name_any()))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{member, request, with};
    use super::*;

    #[test]
    fn the_last_manager_stays_and_of_two_one() {
        let people = json!({
            "members": {"annaannaanna": member("anna", true), "berndbernd00": member("bernd", true),
                        "carlacarla00": member("carla", true)},
            "managers": {"annaannaanna": {"by": "x"}, "berndbernd00": {"by": "x"}},
        });
        let mut facts = with(&people, &json!({}));
        facts.requests = vec![request("a", "person:anna"), request("b", "person:bernd"), request("c", "person:carla")];
        let leaving = leaving(&facts);
        let go: Vec<(&str, &str)> = leaving.go.iter().map(|(id, user)| (id.as_str(), user.as_str())).collect();
        assert_eq!(go, [("annaannaanna", "person:anna"), ("carlacarla00", "person:carla")]);
        assert_eq!(leaving.refused, ["b"]);
        assert_eq!(leaving.done, Vec::<String>::new());
    }

    #[test]
    fn who_asks_again_and_again_has_asked_once() {
        let people =
            json!({"members": {"annaannaanna": member("anna", true)}, "managers": {"annaannaanna": {"by": "x"}}});
        let mut facts = with(&people, &json!({}));
        facts.requests = (0..3).map(|number| request(&format!("a{number}"), "person:anna")).collect();
        let leaving = leaving(&facts);
        assert_eq!((leaving.refused, leaving.done), (vec!["a0".to_owned()], vec!["a1".to_owned(), "a2".to_owned()]));
        assert_eq!(ended(&facts).len(), 2);
    }

    #[test]
    fn a_manager_who_was_removed_keeps_nobody_from_being_the_last() {
        let people = json!({
            "members": {"annaannaanna": member("anna", true), "berndbernd00": member("bernd", true)},
            "managers": {"annaannaanna": {"by": "x"}, "berndbernd00": {"by": "x", "removed": {"by": "y"}}},
        });
        let mut facts = with(&people, &json!({}));
        facts.requests = vec![request("a", "person:anna")];
        assert_eq!(leaving(&facts).refused, ["a"]);
    }

    #[test]
    fn a_request_goes_once_nobody_of_that_user_is_left() {
        let mut leaves = member("anna", true);
        leaves["removed"] = json!({"by": "person:anna"});
        let mut facts = with(&json!({"members": {"annaannaanna": leaves}}), &json!({}));
        facts.requests = vec![request("a", "person:anna"), request("s", "a-stranger")];
        assert_eq!(leaving(&facts), Leaving { done: vec!["s".to_owned()], ..Leaving::default() }, "one is under way");
        assert_eq!(ended(&facts).len(), 1);
        let gone = with(&json!({}), &json!({}));
        let gone = Facts { requests: facts.requests, ..gone };
        assert_eq!(ended(&gone).len(), 2);
    }
}
