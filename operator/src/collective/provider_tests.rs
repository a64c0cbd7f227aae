use std::sync::Arc;

use serde_json::{Value, json};

use super::super::fixtures::{at, member, with, written};
use super::super::{collective_status, next, verdict};
use super::*;
use crate::api::Reason;
use crate::cache::Provided;

const WIKI: &str = "wiki";

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// The same facts, where the provider has this.
fn seen(facts: &Facts, held: Option<Held>, problem: Option<&str>) -> Facts {
    let problem = problem.map(|words| Problem::new(Reason::IdentityProviderFailing, words));
    let mut facts = facts.clone();
    facts.provider = Some(Provided { held: held.map(Arc::new), problem });
    facts.lingering = lingering(&facts);
    facts
}

fn held(members: &[&str], wiki: &[&str]) -> Held {
    Held { members: set(members), services: [(WIKI.to_owned(), set(wiki))].into(), ..Held::default() }
}

fn since(by: &str) -> Value {
    json!({"by": by, "since": "2026-12-01T00:00:00Z"})
}

/// anna, who stays and enters the wiki; bernd, who was removed and entered it too.
fn removing() -> Facts {
    let mut bernd = member("bernd", true);
    bernd["removed"] = json!({"by": "person:anna"});
    let people = json!({
        "members": {"annaannaanna": member("anna", true), "berndbernd00": bernd},
        "managers": {"annaannaanna": since("eva")},
    });
    with(&people, &json!({"annaannaanna": since("eva"), "berndbernd00": since("eva")}))
}

/// The facts once nothing is to be written any more, while the provider stays as it is.
fn settled(facts: &Facts) -> Facts {
    let mut facts = facts.clone();
    for _ in 0..20 {
        let step = next(&facts);
        if step.changes.is_empty() {
            return facts;
        }
        facts = written(&facts, &step.changes);
        facts.lingering = lingering(&facts);
    }
    panic!("it never ends");
}

fn is_there(facts: &Facts) -> (bool, bool) {
    (facts.member("berndbernd00").is_some(), facts.accesses[WIKI].spec.people.contains_key("berndbernd00"))
}

fn told(facts: &Facts) -> String {
    facts.histories.values().flat_map(|month| month.spec.entries.keys()).cloned().collect::<Vec<_>>().join(" ")
}

#[test]
fn whoever_was_removed_stays_on_the_list_until_the_provider_has_them_no_more() {
    let still = settled(&seen(&removing(), Some(held(&["anna", "bernd"], &["anna", "bernd"])), None));
    assert_eq!(is_there(&still), (true, true));
    assert!(!told(&still).contains("Dismissed") && !told(&still).contains("Removed"), "{}", told(&still));
    let out_of_the_wiki = settled(&seen(&still, Some(held(&["anna", "bernd"], &["anna"])), None));
    assert_eq!(is_there(&out_of_the_wiki), (true, false), "{}", told(&out_of_the_wiki));
    let gone = settled(&seen(&out_of_the_wiki, Some(held(&["anna"], &["anna"])), None));
    assert_eq!(is_there(&gone), (false, false));
}

#[test]
fn nobody_goes_before_somebody_has_looked_and_it_is_said_why() {
    let facts = settled(&seen(&removing(), None, Some("it does not answer")));
    assert_eq!(is_there(&facts), (true, true));
    let later = Facts { now: at("2026-12-15T12:10:00Z"), ..facts.clone() };
    let said = format!("{:?}", verdict(&later, None));
    assert!(said.contains("Removing") && said.contains("was not looked at yet: it does not answer"), "{said}");
    let mut by_hand = facts;
    by_hand.provider = None;
    by_hand.lingering = lingering(&by_hand);
    assert_eq!(is_there(&settled(&by_hand)), (false, false), "accounts are kept by hand");
}

#[test]
fn an_account_of_another_issuer_is_nowhere_at_this_one() {
    let mut facts = removing();
    let identity = facts.identity.as_mut().unwrap();
    identity.issuer = "https://other.example.org/realms/commons".to_owned();
    assert_eq!(is_there(&settled(&seen(&facts, Some(held(&["bernd"], &["bernd"])), None))), (false, false));
}

#[test]
fn an_invitation_is_taken_back_before_whoever_has_it_goes() {
    let mut carla = member("carla", false);
    carla["removed"] = json!({"by": "person:anna"});
    let facts = with(&json!({"members": {"carlacarla00": carla}}), &json!({}));
    let invited = |mails: &[&str]| Some(Held { invited: set(mails), ..Held::default() });
    let still = settled(&seen(&facts, invited(&["carla@example.org"]), None));
    assert!(still.member("carlacarla00").is_some());
    assert!(settled(&seen(&still, invited(&[]), None)).member("carlacarla00").is_none());
}

#[test]
fn what_waits_for_the_provider_is_said_and_what_is_as_it_is_to_be_is_not() {
    let people = json!({"members": {"annaannaanna": member("anna", true), "berndbernd00": member("bernd", false)}});
    let facts = with(&people, &json!({}));
    let words = |waits: bool, problem: Option<&str>| {
        let held = Held { waits, ..held(&["anna"], &[]) };
        format!("{:?}", verdict(&seen(&facts, Some(held), problem), None))
    };
    assert!(words(true, Some("it is away")).contains("waits for the identity provider: it is away"));
    assert!(words(false, Some("it is away")).starts_with("Ready"), "nothing is to be changed there");
    assert!(words(true, None).starts_with("Ready"), "it only takes its time");
    let unknown = format!("{:?}", verdict(&seen(&facts, None, Some("it is away")), None));
    assert!(unknown.contains("IdentityProviderFailing"), "bernd is to be invited: {unknown}");
}

#[test]
fn how_far_an_invitation_is_is_told_of_each_who_waits() {
    let mut elsewhere = member("eva", true);
    elsewhere["account"]["issuer"] = json!("https://other.example.org");
    let people = json!({"members": {
        "annaannaanna": member("anna", true), "berndbernd00": member("bernd", false),
        "carlacarla00": member("carla", false), "evaevaevaeva": elsewhere,
    }});
    let facts = with(&people, &json!({}));
    let invited = MemberStatus { state: MembershipState::Invited, message: Some("it was sent".to_owned()) };
    let held = Held { people: [("berndbernd00".to_owned(), invited)].into(), ..Held::default() };
    let facts = seen(&facts, Some(held), Some("it is away"));
    let status = collective_status(&facts, facts.collective.as_ref().unwrap(), None);
    let said = |id: &str| {
        let of = &status.people[id];
        (of.state, of.message.clone().unwrap_or_default())
    };
    assert_eq!(said("berndbernd00"), (MembershipState::Invited, "it was sent".to_owned()));
    assert_eq!(
        said("carlacarla00"),
        (MembershipState::Pending, "the invitation is not sent yet: it is away".to_owned())
    );
    assert!(said("evaevaevaeva").1.contains("another issuer"), "{:?}", said("evaevaevaeva"));
    assert!(!status.people.contains_key("annaannaanna"));
}
