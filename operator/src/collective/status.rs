//! What is reported of a Collective, an Access and a request to leave.

use std::collections::BTreeMap;

use kube::ResourceExt as _;

use super::facts::{Facts, former_entity};
use super::leave::leaving;
use super::named::{of_access, of_collective, seeded};
use super::provider::{invitation, kept_by_provider, waiting};
use super::step::removed_at;
use super::wanted::{Wanted, WantedPerson, wanted};
use crate::api::{
    Access, AccessRole, AccessStatus, Collective, CollectiveStatus, Condition, ConditionType, DataEntity, LeaveRequest,
    LeaveRequestStatus, MemberStatus, MembershipState, Reason,
};
use crate::report::{ConditionUpdate, Problem, Verdict, conditions};

/// What holds for all of an Entity's people: nobody keeps them, or they are another Entity's.
fn stopped(facts: &Facts) -> Option<Verdict> {
    let collective = facts.collective.as_ref()?;
    if facts.identity.is_none() {
        let message = "the Platform names no identity (any more): nobody keeps this, and it gives no rights";
        return Some(Verdict::Stalled(Problem::new(Reason::IdentityNotSet, message)));
    }
    former_entity(collective, &facts.entity).map(|former| Verdict::Stalled(of_another(facts, &former)))
}

fn of_another(facts: &Facts, former: &DataEntity) -> Problem {
    let uid = former.uid.as_deref().unwrap_or_default();
    let message = format!(
        "it was made for an earlier Entity of this name, {:?}; nobody in it has a right. If that is the same \
         organisation, add its uid to spec.adopt of Entity {}: {uid}",
        former.display_name,
        facts.namespace()
    );
    Problem::new(Reason::DataOfAnother, message)
}

/// How far a Collective is. `problem`: what of the writes was not taken.
pub fn verdict(facts: &Facts, problem: Option<Verdict>) -> Verdict {
    let told = stopped(facts).or(problem).or_else(|| unreadable(facts)).or_else(|| removing(facts));
    told.or_else(|| waiting(facts)).unwrap_or_else(|| {
        let wanted = wanted(facts);
        let (members, invited) = counted(&wanted);
        Verdict::Ready(format!("{members} belong, {invited} are invited"))
    })
}

fn unreadable(facts: &Facts) -> Option<Verdict> {
    let first = facts.unreadable.first()?;
    let message = format!("{first}; whoever it is about, or would be told in it, is not removed until it can be");
    Some(Verdict::Stalled(Problem::new(Reason::Undecodable, message)))
}

fn removing(facts: &Facts) -> Option<Verdict> {
    let removed = removed_at(facts).count();
    if removed == 0 {
        return None;
    }
    let bindings: Vec<&str> = facts.excess.keys().map(String::as_str).collect();
    let mut message = format!("{removed} entries were removed and are not gone yet");
    if !bindings.is_empty() {
        message += &format!("; who may do no more is still bound by RoleBinding {}", bindings.join(", "));
    }
    if let Some(kept) = kept_by_provider(facts) {
        message += &format!("; {kept}");
    }
    Some(Verdict::Reconciling(Problem::new(Reason::Removing, message)))
}

/// How many accepted, and how many did not yet.
fn counted(wanted: &Wanted) -> (u32, u32) {
    let count = |accepted: bool| {
        let people = wanted.people.values().filter(|person| person.belongs);
        number(people.filter(|person| person.account.is_some() == accepted).count())
    };
    (count(true), count(false))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The conditions of a verdict, and that the managers are not those who are named.
fn shown(
    facts: &Facts,
    before: &[Condition],
    verdict: &Verdict,
    differs: Option<String>,
    generation: Option<i64>,
) -> Vec<Condition> {
    let mut shown = verdict.shown();
    shown.extend(
        differs.map(|message| {
            ConditionUpdate::new(ConditionType::ManagersAsNamed, false, Reason::ManagersDiffer, message)
        }),
    );
    conditions(before, shown, generation.unwrap_or_default(), facts.now)
}

/// What is reported of the Collective. `problem`: what of the writes was not taken.
pub fn collective_status(facts: &Facts, collective: &Collective, problem: Option<Verdict>) -> CollectiveStatus {
    let verdict = verdict(facts, problem);
    let before = collective.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let (wanted, generation) = (wanted(facts), collective.metadata.generation);
    let (members, invited) = counted(&wanted);
    let differs = stopped(facts).is_none().then(|| of_collective(facts, collective)).flatten();
    CollectiveStatus {
        observed_generation: generation,
        conditions: shown(facts, before, &verdict, differs, generation),
        members: Some(members),
        invited: Some(invited),
        managers: Some(managers(facts, &wanted)),
        seeded: seeded(&collective.metadata).into_keys().collect(),
        people: wanted.people.iter().filter_map(|(id, person)| Some((id.clone(), waits(facts, id, person)?))).collect(),
    }
}

/// Those that can sign in, and those that the cluster knows by the Entity's own list.
fn managers(facts: &Facts, wanted: &Wanted) -> u32 {
    let accepted = wanted.people.values().filter(|person| person.manages).filter_map(|person| person.account.as_ref());
    let users: Vec<&str> = accepted.map(|account| account.user.as_str()).collect();
    let named = facts.entity.spec.managers.iter().filter_map(|manager| manager.subject.as_ref());
    let others = named.filter(|subject| !users.contains(&subject.name.as_str())).count();
    number(users.len() + others)
}

/// What is to be said of somebody who did not accept yet. Where no provider is driven nothing is sent.
fn waits(facts: &Facts, id: &str, person: &WantedPerson) -> Option<MemberStatus> {
    if !person.belongs {
        return None;
    }
    if facts.provider.is_some() {
        return invitation(facts, id, person);
    }
    if person.account.is_some() {
        return None;
    }
    let message = "nothing is sent, since accounts are kept by hand at the identity provider: ask whoever runs the \
                   platform to make the account and to bind it here (account)";
    Some(MemberStatus { state: MembershipState::Pending, message: Some(message.to_owned()) })
}

/// What is reported of each Access, by its name. Who is to enter what is asked once for all of them: it is as much as all
/// people in all services.
pub fn access_statuses(facts: &Facts) -> Vec<(&str, AccessStatus)> {
    let wanted = wanted(facts);
    let all = facts.accesses.iter();
    all.map(|(service, access)| (service.as_str(), access_status(facts, &wanted, service, access))).collect()
}

fn access_status(facts: &Facts, wanted: &Wanted, service: &str, access: &Access) -> AccessStatus {
    let here = || wanted.people.values().filter_map(|person| Some((person, *person.services.get(service)?)));
    let count = |keep: &dyn Fn(&WantedPerson, AccessRole) -> bool| {
        Some(number(here().filter(|(person, role)| keep(person, *role)).count()))
    };
    let before = access.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let generation = access.metadata.generation;
    let verdict = stopped(facts).unwrap_or_else(|| of_entries(access, here().count()));
    let differs = stopped(facts).is_none().then(|| of_access(facts, service, access)).flatten();
    let belong = wanted.people.iter().filter(|(_, person)| person.belongs);
    AccessStatus {
        observed_generation: generation,
        conditions: shown(facts, before, &verdict, differs, generation),
        users: count(&|_, role| role == AccessRole::User),
        managers: count(&|_, role| role == AccessRole::Manager),
        guests: count(&|person, _| !person.belongs),
        seeded: seeded(&access.metadata).into_keys().collect(),
        members: belong.map(|(id, person)| (id.clone(), person.display_name.clone())).collect::<BTreeMap<_, _>>(),
    }
}

/// Whoever stands there and neither enters nor is on the way out does not belong: it is said, and nothing follows.
fn of_entries(access: &Access, enter: usize) -> Verdict {
    let removed = access.spec.people.values().filter(|entry| entry.removed.is_some()).count();
    if removed > 0 {
        let message = format!("{removed} entries were removed and are not gone yet");
        return Verdict::Reconciling(Problem::new(Reason::Removing, message));
    }
    let strangers = access.spec.people.len().saturating_sub(enter);
    let more = if strangers > 0 { format!("; {strangers} do not belong, and enter nothing") } else { String::new() };
    Verdict::Ready(format!("{enter} enter{more}"))
}

/// What is reported of a request: why whoever wants to leave is still here. Of one that is carried out nothing is.
pub fn request_status(facts: &Facts, request: &LeaveRequest) -> Option<LeaveRequestStatus> {
    if facts.identity.is_none() || !leaving(facts).refused.contains(&request.name_any()) {
        return None;
    }
    let message = "you are the last manager of the collective, which would have none: name another one first, or ask \
                   whoever runs the platform (DevOps); then this request goes on by itself";
    let verdict = Verdict::Stalled(Problem::new(Reason::LastManager, message));
    let before = request.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let generation = request.metadata.generation;
    let conditions = conditions(before, verdict.shown(), generation.unwrap_or_default(), facts.now);
    Some(LeaveRequestStatus { observed_generation: generation, conditions })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{manager, member, named, request, with};
    use super::*;

    fn ready(conditions: &[Condition]) -> (&str, &str) {
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        (ready.status.as_str(), ready.reason.as_str())
    }

    #[test]
    fn a_collective_counts_who_accepted_and_says_what_the_others_wait_for() {
        let people = json!({
            "members": {"annaannaanna": member("anna", true), "berndbernd00": member("bernd", false)},
            "managers": {"annaannaanna": {"by": "x"}, "berndbernd00": {"by": "x"}},
        });
        let facts = with(&people, &json!({"annaannaanna": {"by": "x"}, "strangerstra": {"by": "x"}}));
        let collective = facts.collective.clone().unwrap();
        let status = collective_status(&facts, &collective, None);
        assert_eq!((status.members, status.invited, status.managers), (Some(1), Some(1), Some(1)));
        assert_eq!(ready(&status.conditions), ("True", "Ready"));
        let ids: Vec<&String> = status.people.keys().collect();
        assert_eq!(ids, ["berndbernd00"]);
        assert!(status.people["berndbernd00"].message.as_ref().unwrap().contains("by hand"));
        let access = access_statuses(&facts).remove(0).1;
        assert_eq!((access.users, access.managers, access.guests), (Some(1), Some(0), Some(0)));
        let names: Vec<(&str, &str)> = access.members.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
        assert_eq!(names, [("annaannaanna", "anna"), ("berndbernd00", "bernd")], "and no mail address");
        let ready = access.conditions.iter().find(|condition| condition.type_ == "Ready").unwrap();
        assert_eq!(ready.message, "1 enter; 1 do not belong, and enter nothing");
    }

    #[test]
    fn without_identity_it_says_that_nobody_keeps_it() {
        let mut facts = with(&json!({}), &json!({}));
        facts.identity = None;
        let collective = facts.collective.clone().unwrap();
        assert_eq!(ready(&collective_status(&facts, &collective, None).conditions), ("False", "IdentityNotSet"));
        let access = access_statuses(&facts).remove(0).1;
        assert_eq!(ready(&access.conditions), ("False", "IdentityNotSet"));
    }

    #[test]
    fn a_collective_of_an_earlier_entity_names_it_and_how_to_adopt_it() {
        let mut facts = with(&json!({}), &json!({}));
        let mut other = crate::api::Entity::clone(&named(&[manager("eva", None)]).entity);
        other.metadata.uid = Some("e2".to_owned());
        other.spec.display_name = "Another".to_owned();
        facts.entity = other.clone().into();
        let collective = facts.collective.clone().unwrap();
        let status = collective_status(&facts, &collective, None);
        assert_eq!(ready(&status.conditions), ("False", "DataOfAnother"));
        assert!(status.conditions[0].message.contains("spec.adopt of Entity coop: e1"), "{:?}", status.conditions);
        assert_eq!(crate::collective::next(&facts).changes, []);
        other.spec.adopt = vec!["e1".to_owned()];
        facts.entity = other.into();
        assert_eq!(crate::collective::next(&facts).changes.len(), 1, "it is told by the words of this one");
    }

    #[test]
    fn the_last_manager_is_told_whom_to_ask() {
        let people =
            json!({"members": {"annaannaanna": member("anna", true)}, "managers": {"annaannaanna": {"by": "x"}}});
        let mut facts = with(&people, &json!({}));
        facts.requests = vec![request("a", "person:anna"), request("s", "a-stranger")];
        let status = request_status(&facts, &facts.requests[0]).unwrap();
        assert_eq!(ready(&status.conditions), ("False", "LastManager"));
        assert!(status.conditions[0].message.contains("DevOps"), "{:?}", status.conditions);
        assert_eq!(request_status(&facts, &facts.requests[1]), None);
    }
}
