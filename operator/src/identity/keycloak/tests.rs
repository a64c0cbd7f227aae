//! Requests, against a server on loopback.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};
use test_case::test_case;

use super::{Door, Keycloak};
use crate::identity::seen::{ClientSeen, OrganizationSeen, RoleSeen};
use crate::identity::{ClientSecret, Cursor, Made, Provider, ProviderError, Role, Seen, Step};
use crate::reachability::loopback::{Authority, Behaviour, Server};

const HOST: &str = "id.example.org";
const ADMIN: &str = "/admin/realms/commons";

/// A realm that answers so, with 200 and an empty list to everything else.
async fn realm(answers: &[(&str, u16, Value)]) -> (Keycloak, Server) {
    let authority = Authority::new();
    let token = json!({"access_token": "t1", "expires_in": 300});
    let mut all = vec![("POST /realms/commons/protocol/openid-connect/token".to_owned(), 200, token.to_string())];
    all.extend(answers.iter().map(|(front, status, body)| {
        let (method, path) = front.split_once(' ').unwrap();
        (format!("{method} {ADMIN}/{path}"), *status, body.to_string())
    }));
    let behaviour = Behaviour { body: "[]".to_owned(), answers: all, ..Behaviour::status(200) };
    let server = Server::start(&authority, &[HOST], behaviour).await;
    let door = Door {
        host: HOST.parse().unwrap(),
        address: "127.0.0.1".into(),
        ca_bundle: Some(authority.pem()),
        realm: "commons".to_owned(),
    };
    let mut keycloak = Keycloak::new(door, "commonscloud-operator".to_owned(), ClientSecret::new("s3&cret"));
    keycloak.port = server.port();
    (keycloak, server)
}

/// What was asked of the admin API.
fn asked(server: &Server) -> Vec<String> {
    let requests = server.requests().into_iter().filter(|request| request.path.starts_with(ADMIN));
    requests.map(|request| format!("{} {}", request.method, request.path.replace(ADMIN, ""))).collect()
}

fn words(answer: Result<Made, ProviderError>) -> String {
    answer.unwrap_err().to_string()
}

fn seen() -> Seen {
    let organization = OrganizationSeen { uid: Some("e1".to_owned()), ..OrganizationSeen::default() };
    let access = RoleSeen { id: "r1".to_owned(), users: ["u1".to_owned()].into() };
    let client = ClientSeen {
        uuid: "c1".to_owned(),
        entity: Some("coop".to_owned()),
        roles: [(Role::Access, access)].into(),
        ..ClientSeen::default()
    };
    Seen {
        organizations: [("o1".to_owned(), organization)].into(),
        clients: [("coop.wiki".to_owned(), client)].into(),
        ..Seen::default()
    }
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_goes_with_every_request() {
    let (keycloak, server) = realm(&[]).await;
    keycloak.look().await.unwrap();
    let tokens: Vec<String> =
        server.requests().into_iter().filter(|request| request.method == "POST").map(|request| request.body).collect();
    assert_eq!(tokens, ["grant_type=client_credentials&client_id=commonscloud-operator&client_secret=s3%26cret"]);
    server.now_answers(Behaviour { token: Some("t1".to_owned()), body: "[]".to_owned(), ..Behaviour::status(200) });
    keycloak.look().await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once() {
    let (keycloak, server) = realm(&[("GET events", 401, json!({})), ("GET events", 200, json!([]))]).await;
    keycloak.look().await.unwrap();
    assert_eq!(server.requests().iter().filter(|request| request.path.contains("token")).count(), 2);
    let (keycloak, server) = realm(&[("GET events", 401, json!({}))]).await;
    let error = keycloak.look().await.unwrap_err().to_string();
    assert!(error.starts_with("GET /admin/realms/commons/events: answered 401 Unauthorized; the Secret"), "{error}");
    assert_eq!(server.requests().len(), 4, "it does not try for ever");
}

#[tokio::test]
async fn a_look_reads_members_of_ours_alone_and_no_person_by_themselves() {
    let organizations = json!([
        {"id": "o1", "name": "Coop", "alias": "coop", "enabled": true,
         "attributes": {"commonscloud.coop/entity": ["coop"], "commonscloud.coop/entity-uid": ["e1"]}},
        {"id": "o2", "name": "Theirs", "alias": "theirs", "enabled": true},
    ]);
    let members = json!([{"id": "u1", "membershipType": "UNMANAGED"}, {"id": "u2", "membershipType": "MANAGED"}]);
    let attributes = json!({"commonscloud.coop/managed": "true", "commonscloud.coop/entity": "coop"});
    let clients = json!([
        {"id": "c0", "clientId": "commonscloud-operator", "enabled": true},
        {"id": "c1", "clientId": "coop.wiki", "enabled": true, "attributes": attributes},
    ]);
    let users =
        json!([{"id": "u1", "username": "anna", "email": "Anna@Example.org", "emailVerified": true, "enabled": true}]);
    let (keycloak, server) = realm(&[
        ("GET organizations?", 200, organizations),
        ("GET organizations/o1/members", 200, members),
        ("GET organizations/o1/invitations", 200, json!([{"id": "i1", "email": "c@example.org", "status": "EXPIRED"}])),
        ("GET clients?", 200, clients),
        ("GET clients/c1/roles/access/users", 200, json!([{"id": "u1"}])),
        ("GET clients/c1/roles", 200, json!([{"id": "r1", "name": "access"}, {"id": "r9", "name": "other"}])),
        ("GET users?", 200, users),
        ("GET authentication/flows", 200, json!([{"id": "f0", "alias": "browser"}])),
    ])
    .await;
    let (seen, _) = keycloak.look().await.unwrap();
    let organization = &seen.organizations["o1"];
    assert_eq!((organization.members.len(), organization.invitations["i1"].expired), (2, true));
    assert_eq!(seen.organizations["o2"].uid, None);
    assert_eq!(seen.clients["coop.wiki"].roles[&Role::Access].users, ["u1".to_owned()].into());
    assert_eq!(seen.users["u1"].mail.as_deref(), Some("anna@example.org"));
    assert!(seen.flows.is_empty() && seen.clients["commonscloud-operator"].entity.is_none());
    let asked = asked(&server);
    assert!(
        !asked.iter().any(|ask| ask.contains("o2") || ask.contains("/c0") || ask.contains("users/u")),
        "{asked:#?}"
    );
}

#[tokio::test]
async fn what_is_gone_already_is_as_good_as_done() {
    let gone = || json!({"error": "HTTP 404 Not Found"});
    let (keycloak, server) = realm(&[
        ("GET organizations/o1/members/u1", 404, gone()),
        ("DELETE organizations/o1/invitations/i1", 404, gone()),
        ("DELETE users/u1/consents/coop.wiki", 404, gone()),
        ("DELETE users/u1/role-mappings/clients/c1", 404, gone()),
        ("GET users/u1", 404, gone()),
        ("DELETE clients/c1", 404, gone()),
    ])
    .await;
    let (client, subject, organization) = ("coop.wiki".to_owned(), "u1".to_owned(), "o1".to_owned());
    let steps = [
        Step::Leave { organization: organization.clone(), subject: subject.clone() },
        Step::Withdraw { organization, invitation: "i1".to_owned() },
        Step::EndSessions { client: client.clone(), subject: subject.clone() },
        Step::TakeRoles { client: client.clone(), subject: subject.clone(), roles: [Role::Access].into() },
        Step::RemoveAccount { subject },
        Step::RemoveClient { client },
    ];
    for step in steps {
        assert_eq!(keycloak.carry_out(&step, &seen()).await.unwrap(), Made::Done, "{step:?}");
    }
    assert!(asked(&server).iter().all(|ask| !ask.starts_with("DELETE /organizations/o1/members")));
}

#[tokio::test]
async fn a_role_that_is_another_by_now_is_not_taken_for_taken() {
    let answers = [
        ("DELETE users/u1/role-mappings/clients/c1", 404, json!({"error": "Role not found"})),
        ("GET users/u1", 200, json!({"id": "u1"})),
    ];
    let (keycloak, server) = realm(&answers).await;
    let step =
        Step::TakeRoles { client: "coop.wiki".to_owned(), subject: "u1".to_owned(), roles: [Role::Access].into() };
    let words = words(keycloak.carry_out(&step, &seen()).await);
    assert!(words.contains("answered 404 Not Found: Role not found"), "{words}");
    let sent: Value = serde_json::from_str(&server.requests()[1].body).unwrap();
    assert_eq!(sent, json!([{"id": "r1", "name": "access"}]));
}

#[tokio::test]
async fn a_membership_that_would_take_the_account_along_is_not_ended() {
    let member = json!({"id": "u1", "membershipType": "MANAGED"});
    let (keycloak, server) = realm(&[("GET organizations/o1/members/u1", 200, member)]).await;
    let step = Step::Leave { organization: "o1".to_owned(), subject: "u1".to_owned() };
    let words = words(keycloak.carry_out(&step, &seen()).await);
    assert!(words.contains("the account would end with it"), "{words}");
    let (keycloak, other) = realm(&[("GET organizations/o1/members", 200, json!([{"id": "u1"}]))]).await;
    let step = Step::RemoveOrganization { organization: "o1".to_owned() };
    assert!(keycloak.carry_out(&step, &seen()).await.is_err());
    for server in [server, other] {
        assert!(!server.requests().iter().any(|request| request.method == Method::DELETE.as_str()));
    }
}

fn clara() -> Value {
    json!([{"id": "u7", "username": "clara", "email": "clara@example.org", "emailVerified": true, "enabled": true}])
}

fn claras() -> Value {
    json!([{"id": "u7", "email": "clara@example.org"}, {"id": "u8", "email": "CLARA@example.org"}])
}

fn taken() -> Value {
    json!([{"id": "u9", "username": "eva", "email": "clara@example.org", "emailVerified": false, "enabled": true}])
}

fn invite() -> Step {
    let (uid, mail) = ("e1".to_owned(), "clara@example.org".to_owned());
    Step::Invite { uid, mail, display_name: "Clara \"la\" Gran".to_owned() }
}

#[tokio::test]
async fn who_has_no_account_gets_one_without_a_password_and_a_mail() {
    let similar = json!({"id": "i6", "email": "laclara@example.org", "status": "PENDING"});
    let its = json!({"id": "i7", "email": "clara@example.org", "status": "PENDING"});
    let (keycloak, server) = realm(&[
        ("GET users?email=clara%40example.org&exact=true", 200, json!([])),
        ("GET users?email=clara%40example.org&exact=true", 200, clara()),
        ("POST users", 201, json!({})),
        ("GET organizations/o1/invitations", 200, json!([similar, its])),
    ])
    .await;
    let made = keycloak.carry_out(&invite(), &seen()).await.unwrap();
    assert!(matches!(made, Made::Invited { invitation, subject, .. } if invitation == "i7" && subject == "u7"));
    let requests = server.requests();
    let body = |front: &str| requests.iter().find(|request| request.path.ends_with(front)).unwrap().body.clone();
    let account: Value = serde_json::from_str(&body("/users")).unwrap();
    assert_eq!(account["requiredActions"], json!(["UPDATE_PASSWORD"]));
    assert_eq!((&account["firstName"], &account["credentials"]), (&json!("Clara la Gran"), &Value::Null));
    assert!(!account["username"].as_str().unwrap().contains('@'));
    assert_eq!(body("/invite-existing-user"), "id=u7");
}

#[test_case(clara(), 500, "the mail could not be sent (Failed to send invite email); look at"; "a mail server that is away")]
#[test_case(claras(), 204, "more than one account"; "two accounts")]
#[test_case(taken(), 204, "an address that is not verified"; "an account that somebody gave the address")]
#[test_case(clara(), 403, "lacks a role of realm-management"; "without the right")]
#[tokio::test]
async fn an_invitation_that_fails_says_why_and_for_nobody_to_know_for_whom(users: Value, status: u16, why: &str) {
    let failed = json!({"errorMessage": "Failed to send invite email"});
    let answers = [("GET users", 200, users), ("POST organizations/o1/members/invite-existing-user", status, failed)];
    let (keycloak, _server) = realm(&answers).await;
    let words = words(keycloak.carry_out(&invite(), &seen()).await);
    assert!(words.contains(why) && !words.contains('@') && !words.contains("clara"), "{words}");
}

#[test_case(json!(["UPDATE_PASSWORD"]), json!([]), Made::Done; "nobody set a password")]
#[test_case(json!([]), json!([]), Made::Left; "somebody did")]
#[test_case(json!(["UPDATE_PASSWORD"]), json!([{}]), Made::Left; "who is to set another")]
#[tokio::test]
async fn an_account_goes_only_if_nobody_ever_used_it(actions: Value, credentials: Value, made: Made) {
    let answers = [
        ("GET users/u1/credentials", 200, credentials),
        ("GET users/u1/federated-identity", 200, json!([])),
        ("GET users/u1", 200, json!({"id": "u1", "requiredActions": actions})),
    ];
    let (keycloak, server) = realm(&answers).await;
    let step = Step::RemoveAccount { subject: "u1".to_owned() };
    assert_eq!(keycloak.carry_out(&step, &seen()).await.unwrap(), made);
    assert_eq!(asked(&server).contains(&"DELETE /users/u1".to_owned()), made == Made::Done);
}

#[tokio::test]
async fn changes_of_the_operators_own_are_none() {
    let by = |client: &str, id: &str, path: &str| {
        json!({"id": id, "time": 90_000, "resourceType": "ORGANIZATION_MEMBERSHIP", "resourcePath": path,
               "authDetails": {"clientId": client}})
    };
    let events = json!([by("c0", "a1", "organizations/o1/members/u1"), by("c5", "a2", "organizations/o2/members/u1")]);
    let joined =
        json!([{"id": "e1", "time": 80_000, "type": "INVITE_ORG", "userId": "u3", "details": {"org_id": "o3"}}]);
    let (keycloak, server) = realm(&[
        ("GET clients?clientId=commonscloud-operator", 200, json!([{"id": "c0"}])),
        ("GET admin-events", 200, events),
        ("GET events", 200, joined),
    ])
    .await;
    let changes = keycloak.changes(&Cursor { at: 70_000, known: BTreeSet::new() }).await.unwrap();
    assert!(!changes.everything && changes.users == ["u3".to_owned()].into());
    assert_eq!(changes.organizations, ["o2".to_owned(), "o3".to_owned()].into());
    assert!(asked(&server).iter().any(|ask| ask.starts_with("GET /admin-events?dateFrom=10000&")));
    let again = keycloak.changes(&changes.cursor).await.unwrap();
    assert!(again.is_empty(), "{again:?}");
}

#[tokio::test]
async fn of_a_realm_that_forgot_what_is_known_everything_is_looked_at() {
    let event = json!([{"id": "a1", "time": 90_000, "resourceType": "GROUP", "resourcePath": "groups/g1"}]);
    let own = json!([{"id": "c0"}]);
    let (keycloak, _server) = realm(&[("GET clients?", 200, own), ("GET admin-events", 200, event)]).await;
    let known = |id: &str| Cursor { at: 90_000, known: [id.to_owned()].into() };
    assert!(keycloak.changes(&known("a1")).await.unwrap().is_empty());
    assert!(keycloak.changes(&known("a2")).await.unwrap().everything);
}

#[tokio::test]
async fn a_token_that_never_ends_is_renewed_all_the_same() {
    let (keycloak, server) = realm(&[]).await;
    let token = json!({"access_token": "t1", "expires_in": u64::MAX});
    let path = "POST /realms/commons/protocol/openid-connect/token".to_owned();
    let answers = vec![(path, 200, token.to_string())];
    server.now_answers(Behaviour { body: "[]".to_owned(), answers, ..Behaviour::status(200) });
    assert!(keycloak.look().await.is_ok());
}
