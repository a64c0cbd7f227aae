//! Who accepted, case by case.

use test_case::test_case;

use super::fixtures::{accept, account, bound, brought, invited, put, wanted};
use super::seen::{Membership, Seen, UserSeen};
use super::{Binding, PersonWanted, Problem, Progress, RealmWanted, accepted, problems, progress};

const CLARA: &str = "clara@example.org";

fn key() -> (String, String) {
    ("coop".to_owned(), "claraclara00".to_owned())
}

fn binding(service: Option<&str>) -> Binding {
    Binding {
        entity: "coop".to_owned(),
        id: "claraclara00".to_owned(),
        service: service.map(str::to_owned),
        subject: format!("u-{CLARA}"),
    }
}

/// Clara was invited and took the link; then something else happened.
fn after(change: impl FnOnce(&mut RealmWanted, &mut Seen)) -> (Vec<Binding>, Option<Progress>, Vec<Problem>) {
    let mut wanted = wanted();
    let mut seen = brought(&wanted);
    accept(CLARA, "e1", &mut seen);
    change(&mut wanted, &mut seen);
    let far = progress(&wanted, &seen).get(&key()).copied();
    (accepted(&wanted, &seen), far, problems(&wanted, &seen))
}

#[test]
fn nobody_accepted_who_was_only_invited() {
    let wanted = wanted();
    let mut seen = super::fixtures::empty();
    assert_eq!(progress(&wanted, &seen)[&key()], Progress::Waiting);
    seen = brought(&wanted);
    assert!(accepted(&wanted, &seen).is_empty());
    assert_eq!(progress(&wanted, &seen)[&key()], Progress::Invited);
    assert_eq!(progress(&wanted, &seen).len(), 1, "of those who accepted long ago nothing is said");
    for invitation in seen.organizations.get_mut("o-e1").unwrap().invitations.values_mut() {
        invitation.expired = true;
    }
    assert_eq!(progress(&wanted, &seen)[&key()], Progress::Expired);
}

#[test]
fn whoever_took_the_link_is_bound_whatever_their_account_is_called() {
    let (bindings, far, problems) = after(|_, _| {});
    assert_eq!((bindings, far), (vec![binding(None)], Some(Progress::Joined)));
    assert!(problems.is_empty(), "{problems:?}");
    let renamed = after(|_, seen| seen.users.get_mut(&format!("u-{CLARA}")).unwrap().username = "admin".to_owned());
    assert_eq!(renamed.0, [binding(None)]);
}

#[test]
fn a_guest_is_bound_in_each_service_that_has_them() {
    let (bindings, ..) = after(|wanted, _| {
        let guest_of = ["agora", "wiki"].map(str::to_owned).into();
        put(wanted, "coop", "claraclara00", PersonWanted { belongs: false, guest_of, ..invited(CLARA) });
    });
    assert_eq!(bindings, [binding(Some("agora")), binding(Some("wiki"))]);
}

#[test_case(|user| user.mail_verified = false, Some(Progress::Unverified); "an address that is not verified")]
#[test_case(|user| user.enabled = false, Some(Progress::Unverified); "a disabled account")]
#[test_case(|user| user.mail = Some("other@example.org".to_owned()), Some(Progress::Waiting); "another address by now")]
#[test_case(|user| user.mail = None, Some(Progress::Waiting); "no address any more")]
fn an_account_that_cannot_be_taken_for_theirs_is_not_bound(change: fn(&mut UserSeen), far: Option<Progress>) {
    let (bindings, seen_far, _) = after(|_, seen| change(seen.users.get_mut(&format!("u-{CLARA}")).unwrap()));
    assert_eq!((bindings, seen_far), (Vec::new(), far));
}

#[test]
fn a_member_of_another_organization_accepted_nothing_here() {
    let mut wanted = wanted();
    let mut seen = brought(&wanted);
    accept(CLARA, "e2", &mut seen);
    assert!(accepted(&wanted, &seen).is_empty());
    put(&mut wanted, "other", "clara", invited(CLARA));
    let found = accepted(&wanted, &seen);
    assert_eq!((found.len(), found[0].entity.as_str()), (1, "other"));
    accept(CLARA, "e1", &mut seen);
    assert_eq!(accepted(&wanted, &seen).len(), 2, "one person can belong to two Entities");
}

#[test]
fn two_entries_of_one_address_are_said_and_not_bound() {
    let (bindings, far, problems) = after(|wanted, _| put(wanted, "coop", "zzzzzzzz", invited("CLARA@example.org")));
    assert_eq!((bindings, far), (Vec::new(), Some(Progress::Joined)));
    let ids: Vec<Option<&str>> = problems.iter().map(|problem| problem.id.as_deref()).collect();
    assert_eq!(ids, [Some("claraclara00"), Some("zzzzzzzz")]);
    assert!(problems[0].words.contains("somebody else here is to be invited by the same mail address"), "{problems:?}");
}

#[test]
fn two_accounts_of_one_address_are_said_and_not_bound() {
    let (bindings, _, problems) = after(|_, seen| {
        seen.users.insert("twin".to_owned(), UserSeen { mail: Some(CLARA.to_owned()), ..account("twin") });
    });
    assert!(bindings.is_empty(), "{bindings:?}");
    assert!(problems[0].words.contains("more than one account"), "{problems:?}");
    assert!(!problems[0].words.contains('@'));
}

#[test]
fn an_account_that_is_somebody_elses_entry_is_not_bound_twice() {
    let (bindings, _, problems) = after(|wanted, seen| {
        put(wanted, "coop", "claraclara11", bound("bernd", &[]));
        put(wanted, "coop", "berndbernd00", bound(&format!("u-{CLARA}"), &[]));
        seen.organizations.get_mut("o-e1").unwrap().members.insert("bernd".to_owned(), Membership::Free);
    });
    assert!(bindings.is_empty(), "{bindings:?}");
    assert!(problems[0].words.contains("is on the list already"), "{problems:?}");
}

#[test]
fn what_keeps_somebody_out_is_said() {
    let (_, _, problems) = after(|wanted, seen| {
        seen.users.remove("bernd");
        seen.users.get_mut("anna").unwrap().enabled = false;
        let elsewhere = PersonWanted { elsewhere: true, subject: None, ..bound("dora", &[]) };
        put(wanted, "coop", "doradoradora", elsewhere);
    });
    let said: Vec<(&str, &str, bool)> = problems
        .iter()
        .map(|problem| {
            (problem.entity.as_str(), problem.id.as_deref().unwrap(), problem.words.starts_with("cannot sign in: "))
        })
        .collect();
    assert_eq!(
        said,
        [
            ("coop", "annaannaanna", true),
            ("coop", "berndbernd00", true),
            ("coop", "doradoradora", true),
            ("other", "annaannaanna", true)
        ]
    );
}
