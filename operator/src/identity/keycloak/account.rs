//! Accounts and invitations.
//!
//! Keycloak's own invitation of somebody without an account is not used: the account that its registration makes is
//! tied to the organization, and deleted with the membership (26.7.3), whatever else the person belongs to. Who has no
//! account gets one here, without a password, and is invited like everybody else. Only the link in the mail, or the
//! one for a forgotten password, leads into it, and both go to its mail address: so that is verified from the first.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::Keycloak;
use super::request::Ask;
use super::wire::{Invitation, Named, User};
use crate::identity::ProviderError;
use crate::identity::name::{account_name, folded, person_name};
use crate::identity::seen::UserSeen;
use crate::identity::step::Made;

/// What somebody with a new account has to do first.
const FIRST_ACTION: &str = "UPDATE_PASSWORD";
/// What accounts are called where nothing else is free.
const OTHER_NAMES: [&str; 3] = ["person", "person 2", "person 3"];
/// How many invitations to one address are looked through.
const MOST_INVITATIONS: &str = "500";

impl Keycloak {
    /// Invites to an organization. The address is in small letters.
    pub(super) async fn invite(
        &self,
        organization: &str,
        mail: &str,
        display_name: &str,
    ) -> Result<Made, ProviderError> {
        let (subject, user) = self.account(mail, display_name).await?;
        if !user.mail_verified {
            let ask = Ask::get(&self.at(&["users"]));
            return Err(ask.failed("the account of somebody who is to be invited has an address that is not verified"));
        }
        let at = self.at(&["organizations", organization, "members", "invite-existing-user"]);
        let ask = Ask::post(&at).form(&[("id", subject.as_str())]).mails();
        let answer = self.ask(&ask).await?;
        if answer.status == StatusCode::INTERNAL_SERVER_ERROR {
            let said = answer.said().unwrap_or_else(|| "no reason given".to_owned());
            return Err(ask.failed(format!(
                "the mail could not be sent ({said}); look at smtpServer of the realm, and at the mail server"
            )));
        }
        if !answer.status.is_success() {
            return Err(answer.refusal(&ask));
        }
        let at = self.at(&["organizations", organization, "invitations"]);
        let ask = Ask::get(&at).query("email", mail).query("max", MOST_INVITATIONS);
        // Keycloak answers with those of addresses that this one is a part of, too.
        let invitations: Vec<Invitation> = self.read(&ask).await?;
        let mut its = invitations.into_iter().map(Invitation::seen).filter(|(_, one)| one.mail == mail && !one.expired);
        let (invitation, _) = its.next().ok_or_else(|| ask.failed("the invitation that was sent is not there"))?;
        Ok(Made::Invited { invitation, subject, user })
    }

    /// The account of a mail address; one is made where there is none.
    async fn account(&self, mail: &str, display_name: &str) -> Result<(String, UserSeen), ProviderError> {
        if let Some(there) = self.account_of(mail).await? {
            return Ok(there);
        }
        for name in [display_name].into_iter().chain(OTHER_NAMES) {
            let username = account_name(name, mail);
            let ask = Ask::post(&self.at(&["users"])).json(&new_account(&username, mail, display_name));
            let answer = self.done_or(&ask, &[StatusCode::CONFLICT]).await?;
            if answer.status != StatusCode::CONFLICT {
                break;
            }
            // Somebody has this name, or the address since a moment ago.
            if let Some(there) = self.account_of(mail).await? {
                return Ok(there);
            }
        }
        let ask = Ask::get(&self.at(&["users"]));
        self.account_of(mail).await?.ok_or_else(|| ask.failed("an account that was made is not there"))
    }

    async fn account_of(&self, mail: &str) -> Result<Option<(String, UserSeen)>, ProviderError> {
        let ask = Ask::get(&self.at(&["users"]))
            .query("email", mail)
            .query("exact", "true")
            .query("briefRepresentation", "true");
        let users: Vec<User> = self.read(&ask).await?;
        let mut its = users.into_iter().map(User::seen).filter(|(_, user)| user.mail.as_deref() == Some(mail));
        let first = its.next();
        if its.next().is_some() {
            return Err(ask.failed("more than one account has the mail address of somebody who is to be invited"));
        }
        Ok(first)
    }

    /// Deletes an account, unless somebody uses it, or belongs somewhere by it.
    pub(super) async fn remove_account(&self, subject: &str) -> Result<Made, ProviderError> {
        let Some(user) = self.find::<User>(&Ask::get(&self.at(&["users", subject]))).await? else {
            return Ok(Made::Done);
        };
        if !user.required_actions.iter().any(|action| action == FIRST_ACTION) {
            return Ok(Made::Left);
        }
        let tied: [&[&str]; 3] = [
            &["users", subject, "credentials"],
            &["users", subject, "federated-identity"],
            &["organizations", "members", subject, "organizations"],
        ];
        for parts in tied {
            let some: Vec<Value> = self.read(&Ask::get(&self.at(parts))).await?;
            if !some.is_empty() {
                return Ok(Made::Left);
            }
        }
        let ask = Ask::delete(&self.at(&["users", subject]));
        self.done_or(&ask, &[StatusCode::NOT_FOUND]).await?;
        Ok(Made::Done)
    }

    /// Whether there is such an account.
    pub(super) async fn has_account(&self, subject: &str) -> Result<bool, ProviderError> {
        let ask = Ask::get(&self.at(&["users", subject]));
        Ok(self.find::<Named>(&ask).await?.is_some())
    }
}

fn new_account(username: &str, mail: &str, display_name: &str) -> Value {
    let mut account = json!({
        "username": username,
        "email": folded(mail),
        "emailVerified": true,
        "enabled": true,
        "requiredActions": [FIRST_ACTION],
    });
    if let Some(name) = person_name(display_name) {
        account["firstName"] = json!(name);
    }
    account
}
