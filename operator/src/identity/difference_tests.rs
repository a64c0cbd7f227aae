//! What is to be done, case by case, and wherever it is broken off.

use test_case::test_case;

use super::fixtures::{accept, account, bound, brought, carry_out, empty, invited, organization, put, wanted};
use super::seen::{ClientSeen, InvitationSeen, Membership, OrganizationSeen, Seen, UserSeen};
use super::{RealmWanted, Role, Step, difference, problems};
use crate::api::AccessRole;

/// Steps by their kinds and what they are about, in few letters.
fn told(steps: &[Step]) -> Vec<String> {
    let names =
        |roles: &std::collections::BTreeSet<Role>| roles.iter().map(|role| role.name()).collect::<Vec<_>>().join("+");
    steps
        .iter()
        .map(|step| match step {
            Step::TakeRoles { client, subject, roles } => format!("take {} {client} {subject}", names(roles)),
            Step::GiveRoles { client, subject, roles } => format!("give {} {client} {subject}", names(roles)),
            Step::EndSessions { client, subject } => format!("end {client} {subject}"),
            Step::Leave { organization, subject } => format!("leave {organization} {subject}"),
            Step::Withdraw { organization, invitation } => format!("withdraw {organization} {invitation}"),
            Step::RemoveAccount { subject } => format!("forget {subject}"),
            Step::RemoveClient { client } => format!("remove client {client}"),
            Step::RemoveFlow { flow } => format!("remove flow {flow}"),
            Step::RemoveOrganization { organization } => format!("remove organization {organization}"),
            Step::MakeOrganization { entity, .. } => format!("make organization {entity}"),
            Step::SetOrganization { entity, name, .. } => format!("set organization {entity} {name}"),
            Step::MakeClient { client, .. } => format!("make client {client}"),
            Step::MakeRoles { client, roles } => format!("make {} {client}", names(roles)),
            Step::MakeFlow { flow, .. } => format!("make flow {flow}"),
            Step::SetClient { client, flow, .. } => format!("set client {client} {flow}"),
            Step::Join { uid, subject } => format!("join {uid} {subject}"),
            Step::Invite { uid, mail, .. } => format!("invite {uid} {mail}"),
        })
        .collect()
}

/// What is to be done after a change of what is wanted or there.
fn after(change: impl FnOnce(&mut RealmWanted, &mut Seen)) -> Vec<String> {
    let mut wanted = wanted();
    let mut seen = brought(&wanted);
    assert_eq!(told(&difference(&wanted, &seen)), Vec::<String>::new(), "once done, nothing is to be done");
    change(&mut wanted, &mut seen);
    let steps = told(&difference(&wanted, &seen));
    // Whatever it is, it is done once.
    carry_out(&difference(&wanted, &seen), &mut seen);
    assert_eq!(told(&difference(&wanted, &seen)), Vec::<String>::new(), "after {steps:?}");
    steps
}

#[test]
fn everything_is_made_in_an_order_in_which_nobody_is_let_in_too_early() {
    let steps = told(&difference(&wanted(), &empty()));
    assert_eq!(
        steps,
        [
            "make organization coop",
            "make organization other",
            "make client coop.wiki",
            "make access+manage coop.wiki",
            "make flow commonscloud coop.wiki 1",
            "set client coop.wiki commonscloud coop.wiki 1",
            "make client other.wiki",
            "make access+manage other.wiki",
            "make flow commonscloud other.wiki 1",
            "set client other.wiki commonscloud other.wiki 1",
            "join e1 anna",
            "join e1 bernd",
            "join e2 anna",
            "give access+manage coop.wiki anna",
            "give access coop.wiki bernd",
            "give access+manage other.wiki anna",
            "invite e1 clara@example.org",
        ]
    );
}

#[test]
fn wherever_it_is_broken_off_it_ends_the_same() {
    let wanted = wanted();
    let steps = difference(&wanted, &empty());
    for done in 0..steps.len() {
        let mut seen = empty();
        carry_out(&steps[..done], &mut seen);
        carry_out(&difference(&wanted, &seen), &mut seen);
        assert_eq!(seen, brought(&wanted), "broken off after {done}");
    }
}

#[test]
fn whoever_is_removed_loses_it_before_anybody_gains_anything() {
    let steps = after(|wanted, _| {
        wanted.people.remove(&("coop".to_owned(), "berndbernd00".to_owned()));
        put(wanted, "coop", "annaannaanna", bound("anna", &[("coop.wiki", AccessRole::User)]));
        put(wanted, "other", "doradoradora", invited("dora@example.org"));
    });
    assert_eq!(
        steps,
        [
            "take manage coop.wiki anna",
            "take access coop.wiki bernd",
            "end coop.wiki bernd",
            "leave o-e1 bernd",
            "invite e2 dora@example.org",
        ],
        "anna still enters, and stays in the other Entity"
    );
}

#[test]
fn belonging_gives_no_access() {
    let steps = after(|wanted, seen| {
        seen.users.insert("dora".to_owned(), account("dora"));
        put(wanted, "coop", "doradoradora", bound("dora", &[]));
    });
    assert_eq!(steps, ["join e1 dora"]);
}

#[test]
fn what_somebody_changed_by_hand_is_set_right() {
    let steps = after(|_, seen| {
        let client = seen.clients.get_mut("coop.wiki").unwrap();
        client.roles.get_mut(&Role::Access).unwrap().users = ["anna".to_owned(), "stranger".to_owned()].into();
        client.redirect_uris.insert("https://elsewhere.example.org/*".to_owned());
        seen.clients.get_mut("other.wiki").unwrap().as_made = false;
        let organization = seen.organizations.get_mut("o-e2").unwrap();
        organization.members.insert("stranger".to_owned(), Membership::Free);
        organization.members.remove("anna");
        organization.enabled = false;
    });
    assert_eq!(
        steps,
        [
            "take access coop.wiki stranger",
            "end coop.wiki stranger",
            "leave o-e2 stranger",
            "set organization other other",
            "set client coop.wiki commonscloud coop.wiki 1",
            "set client other.wiki commonscloud other.wiki 1",
            "join e2 anna",
            "give access coop.wiki bernd",
        ]
    );
}

#[test]
fn a_role_that_was_deleted_is_made_before_anything_else_of_its_client() {
    let steps = after(|_, seen| {
        let client = seen.clients.get_mut("coop.wiki").unwrap();
        client.roles.remove(&Role::Access);
        client.enabled = false;
    });
    assert_eq!(steps[..2], ["make access coop.wiki", "set client coop.wiki commonscloud coop.wiki 1"]);
    assert_eq!(steps[2..], ["give access coop.wiki anna", "give access coop.wiki bernd"]);
}

#[test]
fn a_damaged_flow_is_followed_by_another_since_a_bound_one_cannot_go() {
    let steps = after(|_, seen| seen.flows.get_mut("commonscloud coop.wiki 1").unwrap().complete = false);
    assert_eq!(
        steps,
        [
            "make flow commonscloud coop.wiki 2",
            "set client coop.wiki commonscloud coop.wiki 2",
            "remove flow commonscloud coop.wiki 1",
        ]
    );
}

#[test]
fn a_half_made_flow_is_made_anew_under_its_name() {
    let steps = after(|_, seen| {
        seen.flows.get_mut("commonscloud coop.wiki 1").unwrap().complete = false;
        let client = seen.clients.get_mut("coop.wiki").unwrap();
        (client.flow, client.enabled) = (None, false);
    });
    assert_eq!(steps, ["make flow commonscloud coop.wiki 1", "set client coop.wiki commonscloud coop.wiki 1"]);
}

#[test]
fn a_new_secret_goes_there_and_one_that_was_not_read_stays() {
    let secret = |secret| after(move |wanted, _| wanted.clients.get_mut("coop.wiki").unwrap().secret = secret);
    assert_eq!(secret(None), Vec::<String>::new());
    let steps = secret(Some(super::ClientSecret::new("another")));
    assert_eq!(steps, ["set client coop.wiki commonscloud coop.wiki 1"]);
    let mut wanted = wanted();
    wanted.clients.get_mut("coop.wiki").unwrap().secret = None;
    let steps = told(&difference(&wanted, &empty()));
    assert!(!steps.iter().any(|step| step.contains("coop.wiki")), "{steps:?}");
}

#[test]
fn a_service_that_is_gone_loses_its_client_and_flow() {
    let steps = after(|wanted, _| drop(wanted.clients.remove("coop.wiki")));
    assert_eq!(steps, ["remove client coop.wiki"]);
    let steps = after(|wanted, seen| {
        wanted.clients.remove("coop.wiki");
        seen.clients.remove("coop.wiki");
    });
    assert_eq!(steps, ["remove flow commonscloud coop.wiki 1"], "it was broken off in between");
}

#[test]
fn an_entity_that_is_gone_loses_everything_and_nobody_their_account() {
    let steps = after(|wanted, _| {
        wanted.organizations.remove("coop");
        wanted.clients.remove("coop.wiki");
        wanted.people.retain(|(entity, _), _| entity != "coop");
    });
    assert_eq!(
        steps,
        [
            "leave o-e1 anna",
            "leave o-e1 bernd",
            "withdraw o-e1 i-clara@example.org",
            "forget u-clara@example.org",
            "remove client coop.wiki",
            "remove organization o-e1",
        ],
        "but one that was made for an invitation alone"
    );
}

#[test]
fn another_entity_under_the_name_inherits_nobody() {
    let steps = after(|wanted, _| {
        wanted.organizations.insert("coop".to_owned(), organization("e9", "coop"));
        wanted.people.retain(|(entity, _), _| entity != "coop");
    });
    assert_eq!(
        steps,
        [
            "take access+manage coop.wiki anna",
            "end coop.wiki anna",
            "take access coop.wiki bernd",
            "end coop.wiki bernd",
            "leave o-e1 anna",
            "leave o-e1 bernd",
            "withdraw o-e1 i-clara@example.org",
            "forget u-clara@example.org",
            "remove organization o-e1",
            "make organization coop",
        ]
    );
}

#[test]
fn a_membership_that_an_account_is_tied_to_is_never_ended() {
    let mut wanted = wanted();
    let mut seen = brought(&wanted);
    seen.organizations.get_mut("o-e1").unwrap().members.insert("bernd".to_owned(), Membership::Tied);
    wanted.people.remove(&("coop".to_owned(), "berndbernd00".to_owned()));
    assert_eq!(told(&difference(&wanted, &seen)), ["take access coop.wiki bernd", "end coop.wiki bernd"]);
    assert!(!seen.present("other", "e2").has(Some("bernd"), None));
    let found = problems(&wanted, &seen);
    assert!(found[0].words.starts_with("1 who do not belong stay in the organization coop"), "{found:?}");
    wanted.organizations.remove("coop");
    wanted.people.retain(|(entity, _), _| entity != "coop");
    let steps = told(&difference(&wanted, &seen));
    assert!(!steps.contains(&"remove organization o-e1".to_owned()), "{steps:?}");
    assert!(!steps.contains(&"leave o-e1 bernd".to_owned()), "{steps:?}");
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let mut wanted = wanted();
    let mut seen = empty();
    let foreign = |name: &str| ClientSeen { uuid: name.to_owned(), enabled: true, ..ClientSeen::default() };
    seen.clients.insert("account".to_owned(), foreign("c8"));
    seen.clients.insert("coop.wiki".to_owned(), ClientSeen { flow: Some("f9".to_owned()), ..foreign("c9") });
    let theirs = OrganizationSeen { name: "coop".to_owned(), alias: "coop".to_owned(), ..OrganizationSeen::default() };
    seen.organizations.insert("o9".to_owned(), theirs);
    let before = seen.clone();
    carry_out(&difference(&wanted, &seen), &mut seen);
    for (id, client) in &before.clients {
        assert_eq!(seen.clients.get(id), Some(client));
    }
    assert_eq!(seen.organizations["o9"], before.organizations["o9"]);
    assert_eq!(seen.organizations["o-e1"].name, "coop (coop)");
    assert!(seen.users.contains_key("stranger"));
    let found = problems(&wanted, &seen);
    assert!(found[0].words.contains("a client coop.wiki that the operator did not make"), "{found:?}");
    wanted.clients.clear();
    assert!(!told(&difference(&wanted, &seen)).contains(&"remove client coop.wiki".to_owned()));
}

#[test_case("clara@example.org", true, 0; "that is invited already")]
#[test_case("CLARA@EXAMPLE.ORG", true, 0; "written in another way")]
#[test_case("stranger@example.org", false, 1; "of an account that the operator did not make")]
#[test_case("anna@example.org", false, 0; "of somebody on the list")]
#[test_case("new@example.org", false, 1; "of nobody")]
fn an_invitation_is_sent_once_to_whoever_is_not_here_yet(mail: &str, is_there: bool, sent: usize) {
    let mut wanted = wanted();
    let seen = brought(&wanted);
    put(&mut wanted, "coop", "claraclara00", invited(mail));
    let steps = difference(&wanted, &seen);
    let invitations = steps.iter().filter(|step| matches!(step, Step::Invite { .. })).count();
    let withdrawn = steps.iter().any(|step| matches!(step, Step::Withdraw { .. }));
    assert_eq!((invitations, withdrawn), (sent, !is_there), "{:?}", told(&steps));
}

#[test]
fn an_account_that_somebody_gave_the_address_of_another_is_not_invited() {
    let mut wanted = wanted();
    put(&mut wanted, "coop", "dorisdoris00", invited("doris@example.org"));
    let mut seen = brought(&super::fixtures::wanted());
    let taken = UserSeen { mail_verified: false, used: true, ..account("doris") };
    seen.users.insert("stranger".to_owned(), taken);
    let is_sent = |seen: &Seen| difference(&wanted, seen).iter().any(|step| matches!(step, Step::Invite { .. }));
    assert!(!is_sent(&seen));
    let told = super::problems(&wanted, &seen);
    assert!(told.iter().any(|problem| problem.words.contains("nobody has shown that it is theirs")), "{told:?}");
    seen.users.get_mut("stranger").unwrap().mail_verified = true;
    assert!(is_sent(&seen));
}

#[test]
fn an_expired_invitation_is_sent_again_once() {
    let expire = |seen: &mut Seen| {
        for invitation in seen.organizations.get_mut("o-e1").unwrap().invitations.values_mut() {
            invitation.expired = true;
        }
    };
    let again = ["withdraw o-e1 i-clara@example.org", "invite e1 clara@example.org"];
    assert_eq!(after(|_, seen| expire(seen)), again);
    let accepted = after(|_, seen| {
        let mut invitations = seen.organizations["o-e1"].invitations.clone();
        accept("clara@example.org", "e1", seen);
        for invitation in invitations.values_mut() {
            invitation.expired = true;
        }
        seen.organizations.get_mut("o-e1").unwrap().invitations = invitations;
    });
    assert_eq!(accepted, again[..1], "whoever is here is asked no more");
}

#[test]
fn an_account_that_is_used_outlives_its_memberships() {
    let mut wanted = wanted();
    let mut seen = brought(&wanted);
    wanted.people.remove(&("coop".to_owned(), "claraclara00".to_owned()));
    let steps = difference(&wanted, &seen);
    assert_eq!(told(&steps), ["withdraw o-e1 i-clara@example.org", "forget u-clara@example.org"]);
    carry_out(&steps[..1], &mut seen);
    seen.after(&steps[1], super::Made::Left);
    assert_eq!(told(&difference(&wanted, &seen)), Vec::<String>::new());
}

#[test]
fn an_entity_with_a_new_name_renames_its_organization() {
    let steps = after(|wanted, _| {
        wanted.organizations.insert("coop".to_owned(), organization("e1", "other"));
    });
    assert_eq!(steps, ["set organization coop other (coop)", "set organization other other (other)"]);
}

#[test]
fn who_is_still_there_is_known_until_they_are_not() {
    let wanted = wanted();
    let mut seen = brought(&wanted);
    let present = |seen: &Seen, subject: &str| seen.present("coop", "e1").has(Some(subject), None);
    assert!(present(&seen, "anna") && present(&seen, "bernd") && !present(&seen, "stranger"));
    assert!(seen.present("coop", "e1").has(None, Some("CLARA@example.org")));
    assert!(!seen.present("other", "e2").has(Some("bernd"), Some("clara@example.org")));
    seen.organizations.get_mut("o-e1").unwrap().members.remove("bernd");
    assert!(present(&seen, "bernd"), "a role is enough");
    seen.clients.get_mut("coop.wiki").unwrap().roles.clear();
    assert!(!present(&seen, "bernd"));
    let expired = InvitationSeen { mail: "clara@example.org".to_owned(), expired: true };
    seen.organizations.get_mut("o-e1").unwrap().invitations = [("i".to_owned(), expired)].into();
    assert!(!seen.present("coop", "e1").has(None, Some("clara@example.org")));
}
