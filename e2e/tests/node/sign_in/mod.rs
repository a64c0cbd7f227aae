//! One account for everything: an invited person chooses a password, is let in by the managers of each service and
//! kept out by them, at a real Keycloak that the operator drives.

mod person;
mod realm;

use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::people::{People, named};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::{condition, conditions, eventually};
use commonscloud_e2e::{Failure, Outcome, ensure, ensure_eq, mail, manifests, resources};
use commonscloud_operator::api::PlatformIdentity;
use serde_json::{Value, json};

use crate::tier::Node;
use person::{Person, WHO};
use realm::{Account, Administrator};

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        // It changes the Platform, which concerns every instance there is.
        Scenario::new("an invited person sets a password and signs in once", signed_in).first(),
    ]
}

/// The Entity that the platform keeps for itself, its service and the realm there.
const PROVIDER: &str = "cloud";
const SERVICE: &str = "identity";
const REALM: &str = "commons";
/// The Entity that lets in and keeps out, and another one of the same person.
const ENTITY: &str = "hort";
const OTHER: &str = "ateneu";
const WIKI: &str = "wiki";

/// Who is invited, and where to.
const NAME: &str = "Anna Puig";
const MAIL: &str = "anna@hort.example";

/// Keycloak makes its database and its realm at the first start.
const STARTED: Duration = Duration::from_mins(8);
/// What follows at the provider from a change of ours, or is set right after a change of others: a round of the operator's.
const DONE: Duration = Duration::from_mins(1);
/// Within so long the session of who may not enter any more is closed.
const CLOSED: Duration = Duration::from_secs(90);
/// Between two looks of a person at a page.
const PAUSE: Duration = Duration::from_secs(3);

async fn signed_in(node: Arc<Node>) -> Outcome {
    let ended = with_provider(&node).await;
    let restored = without_provider(&node).await;
    ended.and(restored)
}

async fn with_provider(node: &Node) -> Outcome {
    mail::start(&node.cluster, node.image("mailpit")?).await?;
    let issuer = format!("https://{}/realms/{REALM}", node.host(PROVIDER, SERVICE));
    let identity = json!({"issuer": issuer, "keycloak": {"entity": PROVIDER, "service": SERVICE}});
    let platform = json!({"smtp": mail::smtp(), "network": {"mail": mail::peers()}, "identity": identity});
    node.change_platform(&platform).await?;
    // The others do not wait for the provider.
    let (provider, entity, other) = (provider(), with_wiki(ENTITY, false), with_wiki(OTHER, true));
    tokio::try_join!(
        node.cluster.running(&provider, STARTED),
        node.cluster.running(&entity, STARTED),
        node.cluster.running(&other, STARTED),
    )?;
    eventually("the operator drives the provider", DONE, async || driven(node).await).await?;

    let operator = Administrator::operator(node).await?;
    let mut anna = Person::new(node, Account::named("anna"), MAIL);
    let id = joins(node, &operator, &mut anna, ENTITY).await?;
    belonging_is_no_access(node, &mut anna).await?;
    is_let_in(node, &mut anna, ENTITY, false).await?;
    ensure_eq!(joins(node, &operator, &mut anna, OTHER).await?, id, "the account in another collective");
    is_let_in(node, &mut anna, OTHER, true).await?;
    nobody_is_believed(node, &id).await?;
    stranger_is_refused(node, &operator).await?;
    drift_is_set_right(node, &operator, &id).await?;
    is_kept_out(node, &operator, &mut anna, &id).await
}

/// What this was made with goes, so that the others find the Platform and the cluster as they were.
async fn without_provider(node: &Node) -> Outcome {
    for entity in [ENTITY, OTHER, PROVIDER] {
        if node.entities().get_opt(entity).await?.is_some() {
            node.discard(entity).await?;
        }
    }
    node.change_platform(&json!({"smtp": null, "network": {"mail": null}, "identity": null})).await?;
    let words = ["delete", "namespace", mail::NAMESPACE, "--wait=false", "--ignore-not-found"];
    node.cluster.kubectl.ok(&words).await.map(drop)
}

fn provider() -> Value {
    let service = json!({"name": SERVICE, "template": "keycloak", "tier": "1gb", "parameters": {"realm": REALM}});
    manifests::entity(PROVIDER, json!({"others": [service]}))
}

/// An Entity whose managers invite, and another person who manages its wiki.
fn with_wiki(name: &str, is_private: bool) -> Value {
    let manager = |role: &str| {
        let user = user(role, name);
        json!({"name": role, "mail": format!("{user}@example.org"), "subject": {"kind": "User", "name": user}})
    };
    let wiki = json!({
        "name": WIKI, "template": "mediawiki", "tier": "1gb", "parameters": {"private": is_private},
        "managers": [manager("quim")],
    });
    let mut entity = manifests::entity(name, json!({"others": [wiki]}));
    entity["spec"]["managers"] = json!([manager("maria")]);
    entity
}

/// The name by which the API server knows a manager.
fn user(role: &str, entity: &str) -> String {
    format!("{role}-of-{entity}")
}

fn client(entity: &str) -> String {
    PlatformIdentity::client_id(entity, WIKI)
}

async fn driven(node: &Node) -> Outcome {
    let platform = resources::ours(&node.cluster.client, "Platform").get("default").await?;
    let platform = serde_json::to_value(platform)?;
    let ready = condition(&platform, "IdentityReady").is_some_and(|ready| ready["status"] == "True");
    ensure!(ready, "{}", conditions(&platform));
    Ok(())
}

/// Is invited by the collective's manager, accepts, and is known by the account from then on; gives its id.
async fn joins(node: &Node, operator: &Administrator, anna: &mut Person, entity: &str) -> Outcome<String> {
    let maria = People::of(&node.cluster, &user("maria", entity))?;
    maria.ok(&["invite", entity, "--name", NAME, "--mail", MAIL]).await?;
    anna.accept(node).await?;
    let id = operator.id_of(MAIL).await?;
    eventually(&format!("the account is bound in {entity}"), DONE, async || {
        let people = maria.listed(&["list", entity]).await?;
        let member = named(&people, NAME)?;
        ensure!(member["state"] == "Accepted" && member["mail"].is_null(), "{member}");
        ensure!(member["user"] == format!("oidc:{id}"), "{member}");
        Ok(())
    })
    .await?;
    Ok(id)
}

async fn belonging_is_no_access(node: &Node, anna: &mut Person) -> Outcome {
    let host = node.host(ENTITY, WIKI);
    let answered = anna.sign_in(&host).await?;
    anna.is_refused(&host, &answered).await.map_err(|failure| failure.during("before anybody let her in"))
}

/// Is let in by the wiki's manager, and enters: without typing anything where the provider knows her.
async fn is_let_in(node: &Node, anna: &mut Person, entity: &str, is_known: bool) -> Outcome {
    let quim = People::of(&node.cluster, &user("quim", entity))?;
    eventually("the wiki's manager sees whom to let in", DONE, async || {
        quim.ok(&["allow", entity, WIKI, NAME]).await.map(drop)
    })
    .await?;
    let host = node.host(entity, WIKI);
    let name = eventually(&format!("she enters the wiki of {entity}"), DONE, async || {
        tokio::time::sleep(PAUSE).await;
        anna.enter(&host, is_known).await
    })
    .await?;
    ensure!(!name.contains('@'), "the wiki shows a mail address as her name: {name}");
    Ok(())
}

/// Who is signed in nowhere reads what is open, and is nobody, whatever they say of themselves.
async fn nobody_is_believed(node: &Node, anna: &str) -> Outcome {
    let (host, closed) = (node.host(ENTITY, WIKI), node.host(OTHER, WIKI));
    let mut nobody = Person::new(node, Account::named("ningu"), "ningu@example.org");
    ensure!(nobody.reads(&host).await?, "{host} is open, and not shown");
    ensure!(!nobody.reads(&closed).await?, "{closed} is private, and shown to everybody");
    // As Apache would say it to the wiki, and as headers come through.
    let said = [
        ("oidc_claim_sub", anna),
        ("oidc_claim_groups", "manage"),
        ("oidc-claim-sub", anna),
        ("oidc-claim-groups", "manage"),
        ("x-remote-user", anna),
    ];
    for host in [&host, &closed] {
        let answer = node.ingress.send_with("GET", host, WHO, &said, Vec::new()).await?;
        let told: Value = serde_json::from_slice(&answer.body)?;
        let (person, refused) = (&told["query"]["userinfo"], &told["error"]["code"]);
        ensure!(person["anon"] == true || *refused == "readapidenied", "{host} says: {} {told}", answer.status);
    }
    Ok(())
}

/// A right password is no access.
async fn stranger_is_refused(node: &Node, operator: &Administrator) -> Outcome {
    let account = Account::named("estrany");
    operator.make(&account).await?;
    let mut stranger = Person::new(node, account, "estrany@example.org");
    let host = node.host(ENTITY, WIKI);
    let answered = stranger.sign_in(&host).await?;
    stranger.is_refused(&host, &answered).await.map_err(|failure| failure.during("a stranger"))
}

/// What somebody changes at the provider by hand is as it was within a round.
async fn drift_is_set_right(node: &Node, operator: &Administrator, anna: &str) -> Outcome {
    let somebody = operator.person(&Account::named("tecnica")).await?;
    let stranger = operator.id_of("estrany@example.org").await?;
    let client = client(ENTITY);
    operator.give_by(&somebody, &stranger, &client, "access").await?;
    has_roles(operator, &stranger, ENTITY, &[]).await?;
    operator.take_by(&somebody, anna, &client, "access").await?;
    has_roles(operator, anna, ENTITY, &["access"]).await?;
    eventually("the operator says that all is well", DONE, async || driven(node).await).await
}

async fn has_roles(operator: &Administrator, person: &str, entity: &str, roles: &[&str]) -> Outcome {
    eventually(&format!("the roles at {} are {roles:?}", client(entity)), DONE, async || {
        let seen = operator.roles(person, &client(entity)).await?;
        ensure!(seen == roles, "{seen:?}");
        Ok(())
    })
    .await
}

/// Is kept out again: the wiki's session is closed, the other Entity's is not.
async fn is_kept_out(node: &Node, operator: &Administrator, anna: &mut Person, id: &str) -> Outcome {
    let (host, other) = (node.host(ENTITY, WIKI), node.host(OTHER, WIKI));
    let before = anna.name_at(&host).await?;
    ensure!(before.is_some(), "she has no session at {host} any more");
    let quim = People::of(&node.cluster, &user("quim", ENTITY))?;
    quim.ok(&["deny", ENTITY, WIKI, NAME]).await?;
    eventually("her session at the wiki is closed", CLOSED, async || {
        tokio::time::sleep(PAUSE).await;
        let name = anna.name_at(&host).await?;
        ensure!(name.is_none(), "{name:?} is signed in");
        Ok(())
    })
    .await?;
    has_roles(operator, id, ENTITY, &[]).await?;
    anna.refused(&host).await.map_err(|failure| failure.during("after she was kept out"))?;
    let name = anna.name_at(&other).await?;
    name.map(drop).ok_or_else(|| Failure::new(format!("her session at {other} is closed too")))
}
