//! The realm, seen and changed past the operator: by Keycloak's own administration.

use commonscloud_e2e::https::{Answer, FORM, Ingress, form};
use commonscloud_e2e::{Failure, Outcome, ensure};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use serde_json::{Value, json};

use super::{PROVIDER, REALM, SERVICE};
use crate::tier::Node;

/// What an administrator sends.
const JSON: &str = "application/json";
/// The client by which people administer; each realm has it.
const BY_HAND: &str = "admin-cli";

/// Somebody who administers the realm.
pub struct Administrator {
    ingress: Ingress,
    host: String,
    /// What proves who they are: fields of a request for a token.
    proof: Vec<(&'static str, String)>,
}

/// An account that nobody invited.
pub struct Account {
    /// The name to sign in with.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Account {
    /// One of this name.
    pub fn named(name: &str) -> Self {
        Self { username: name.to_owned(), password: format!("la contrasenya de {name} 1") }
    }

    fn mail(&self) -> String {
        format!("{}@example.org", self.username)
    }
}

impl Administrator {
    /// The operator, with what it signs in with.
    ///
    /// # Errors
    /// When the Secret is not there, or lacks a key.
    pub async fn operator(node: &Node) -> Outcome<Self> {
        let secrets: Api<Secret> = Api::namespaced(node.cluster.client.clone(), PROVIDER);
        let data = secrets.get(&format!("{SERVICE}-operator")).await?.data.unwrap_or_default();
        let text = |key: &str| {
            let bytes = data.get(key).ok_or_else(|| Failure::new(format!("no key {key} in {SERVICE}-operator")))?;
            Ok::<_, Failure>(String::from_utf8_lossy(&bytes.0).into_owned())
        };
        let proof = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", text("client-id")?),
            ("client_secret", text("client-secret")?),
        ];
        Ok(Self { ingress: node.ingress.clone(), host: node.host(PROVIDER, SERVICE), proof })
    }

    /// A person with the right to change who has which role.
    ///
    /// # Errors
    /// When the account or the right is refused.
    pub async fn person(&self, account: &Account) -> Outcome<Self> {
        let id = self.make(account).await?;
        self.give(&id, "realm-management", "manage-users").await?;
        let proof = vec![
            ("grant_type", "password".to_owned()),
            ("client_id", BY_HAND.to_owned()),
            ("username", account.username.clone()),
            ("password", account.password.clone()),
        ];
        Ok(Self { ingress: self.ingress.clone(), host: self.host.clone(), proof })
    }

    /// Makes an account, and gives its id.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn make(&self, account: &Account) -> Outcome<String> {
        // What is missing of a profile would be asked for at the first sign-in.
        let user = json!({
            "username": account.username, "enabled": true,
            "email": account.mail(), "emailVerified": true,
            "firstName": account.username, "lastName": "Prova",
            "credentials": [{"type": "password", "value": account.password, "temporary": false}],
        });
        self.ask("POST", "users", Some(&user)).await?;
        self.id_of(&account.mail()).await
    }

    /// The id of the account with this mail address.
    ///
    /// # Errors
    /// When there is none, or more.
    pub async fn id_of(&self, mail: &str) -> Outcome<String> {
        let mail = mail.replace('+', "%2B");
        id(&self.ask("GET", &format!("users?exact=true&email={mail}"), None).await?)
    }

    /// The roles that somebody has at a client, by their names.
    ///
    /// # Errors
    /// When the client is not there.
    pub async fn roles(&self, person: &str, client: &str) -> Outcome<Vec<String>> {
        let client = self.client(client).await?;
        let roles = self.ask("GET", &format!("users/{person}/role-mappings/clients/{client}"), None).await?;
        let names = roles.as_array().into_iter().flatten().filter_map(|role| role["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Gives somebody a client's role.
    ///
    /// # Errors
    /// When the client or the role is not there, or it is refused.
    pub async fn give(&self, person: &str, client: &str, role: &str) -> Outcome {
        self.give_by(self, person, client, role).await
    }

    /// The same by somebody who may change roles and see no clients.
    ///
    /// # Errors
    /// As [`Administrator::give`].
    pub async fn give_by(&self, by: &Self, person: &str, client: &str, role: &str) -> Outcome {
        self.change_by(by, "POST", (person, client, role)).await
    }

    /// Takes a client's role from somebody, by somebody who may change roles and see no clients.
    ///
    /// # Errors
    /// As [`Administrator::give`].
    pub async fn take_by(&self, by: &Self, person: &str, client: &str, role: &str) -> Outcome {
        self.change_by(by, "DELETE", (person, client, role)).await
    }

    async fn change_by(&self, by: &Self, method: &str, (person, client, role): (&str, &str, &str)) -> Outcome {
        let client = self.client(client).await?;
        let role = self.ask("GET", &format!("clients/{client}/roles/{role}"), None).await?;
        let path = format!("users/{person}/role-mappings/clients/{client}");
        by.ask(method, &path, Some(&json!([role]))).await.map(drop)
    }

    /// The id that Keycloak gave to a client.
    async fn client(&self, client: &str) -> Outcome<String> {
        id(&self.ask("GET", &format!("clients?clientId={client}"), None).await?)
    }

    /// A request to the realm's administration, and what is answered; null where nothing is.
    async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Outcome<Value> {
        let bearer = format!("Bearer {}", self.token().await?);
        let headers = [("authorization", bearer.as_str()), ("content-type", JSON)];
        let path = format!("/admin/realms/{REALM}/{path}");
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let answer = self.ingress.send_with(method, &self.host, &path, &headers, body).await?;
        read(answer, &format!("{method} {path}"))
    }

    async fn token(&self) -> Outcome<String> {
        let proof: Vec<(&str, &str)> = self.proof.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let path = format!("/realms/{REALM}/protocol/openid-connect/token");
        let answer = self.ingress.send_with("POST", &self.host, &path, &[FORM], form(&proof)).await?;
        let said = read(answer, "a token")?;
        let token = said["access_token"].as_str();
        token.map(str::to_owned).ok_or_else(|| Failure::new("an answer without a token"))
    }
}

fn read(answer: Answer, what: &str) -> Outcome<Value> {
    let body = answer.successful(what)?;
    if body.is_empty() { Ok(Value::Null) } else { Ok(serde_json::from_slice(&body)?) }
}

/// The id of the only one of a list.
fn id(list: &Value) -> Outcome<String> {
    let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
    ensure!(all.len() == 1, "{} where there is to be one", all.len());
    all[0]["id"].as_str().map(str::to_owned).ok_or_else(|| Failure::new("it has no id"))
}
