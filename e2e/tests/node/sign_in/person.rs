//! What people do: accept an invitation, whatever its pages ask for, sign in, look who they are at a wiki.

use std::time::Duration;

use commonscloud_e2e::user_agent::{Form, Page, UserAgent};
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, ensure, mail};
use serde_json::Value;

use super::realm::Account;
use crate::tier::Node;

/// Keycloak's forms, by their ids.
const LOGIN: &str = "kc-form-login";
const REGISTER: &str = "kc-register-form";
const PASSWORD: &str = "kc-passwd-update-form";
const PROFILE: &str = "kc-update-profile-form";
/// What a link to go on with an invitation, or to say that an address is one's own, has in it.
const ACTION: &str = "login-actions/action-token";
/// The same of an invitation of somebody who has no account.
const REGISTRATION: &str = "openid-connect/registrations";
/// It asks for no more than so many things after another.
const ASKED: usize = 10;
/// A letter is sent within a round of the operator, and arrives at once.
const SENT: Duration = Duration::from_mins(1);
/// Where a wiki sends people to sign in.
const SIGN_IN: &str = "/index.php/Special:UserLogin";
/// A page that each wiki has.
const PAGE: &str = "/index.php/Special:Version";
/// Where a wiki says whom it takes somebody for.
pub const WHO: &str = "/api.php?action=query&meta=userinfo&format=json&formatversion=2";

/// A person in front of a user agent.
pub struct Person {
    agent: UserAgent,
    account: Account,
    /// Where letters to them go.
    mail: String,
    /// The links that they have followed.
    followed: Vec<String>,
}

impl Person {
    /// Somebody who has been nowhere yet.
    pub fn new(node: &Node, account: Account, mail: &str) -> Self {
        let agent = UserAgent::new(&node.ingress, "ca");
        Self { agent, account, mail: mail.to_owned(), followed: Vec::new() }
    }

    /// Reads the invitation that came last, and accepts it: with a password of their own where they have none yet.
    ///
    /// # Errors
    /// When no letter comes, or a page of the way says no.
    pub async fn accept(&mut self, node: &Node) -> Outcome {
        let link = self.letter(node, &[REGISTRATION, ACTION]).await?;
        let mut page = self.agent.open(&link).await?;
        for _ in 0..ASKED {
            match self.answer(&page).await? {
                Some(next) => page = next,
                None => return page.successful().map(drop),
            }
        }
        Err(Failure::new(format!("it asks for more and more: {}", page.shown())))
    }

    /// Gives a page what it asks for, and gives the one behind it; none where it asks for nothing.
    async fn answer(&mut self, page: &Page) -> Outcome<Option<Page>> {
        let Account { username, password } = &self.account;
        let who = |form: Form| form.fill_if_asked("firstName", "Anna").fill_if_asked("lastName", "Puig");
        let next = if let Ok(form) = page.form(REGISTER) {
            let form = who(form).fill_if_asked("username", username).fill_if_asked("email", &self.mail);
            self.agent.submit(form.fill("password", password)?.fill("password-confirm", password)?).await?
        } else if let Ok(form) = page.form(PASSWORD) {
            self.agent.submit(form.fill("password-new", password)?.fill("password-confirm", password)?).await?
        } else if let Ok(form) = page.form(PROFILE) {
            self.agent.submit(who(form)).await?
        } else if let Ok(link) = page.link(ACTION) {
            self.agent.go(link).await?
        } else {
            return Ok(None);
        };
        Ok(Some(next))
    }

    /// The newest link to one of these in a letter that they did not follow yet.
    async fn letter(&mut self, node: &Node, parts: &[&str]) -> Outcome<String> {
        let link = eventually(&format!("a letter comes to {}", self.mail), SENT, async || {
            let letters = mail::letters_to(&node.cluster, &self.mail).await?;
            let links = letters.iter().flat_map(|letter| parts.iter().filter_map(move |part| letter.link(part)));
            let mut new = links.filter(|link| !self.followed.contains(link));
            let subjects: Vec<&str> = letters.iter().map(|letter| letter.subject.as_str()).collect();
            new.next().ok_or_else(|| Failure::new(format!("no new link in {subjects:?}")))
        })
        .await?;
        self.followed.push(link.clone());
        Ok(link)
    }

    /// Asks to sign in at a wiki, and gives the page that this leads to: the provider's form, a refusal, or the wiki.
    ///
    /// # Errors
    /// When there is no page.
    pub async fn ask_to_sign_in(&mut self, host: &str) -> Outcome<Page> {
        self.agent.open(&format!("https://{host}{SIGN_IN}")).await
    }

    /// Writes mail address and password where a page asks for them.
    ///
    /// # Errors
    /// When it does not, or there is no page behind it.
    async fn log_in(&mut self, page: Page) -> Outcome<Page> {
        let mut form = page.form(LOGIN)?;
        // Where a realm asks who somebody is first, the password has a page of its own.
        if form.fields().iter().all(|(name, _)| *name != "password") {
            let page = self.agent.submit(form.fill("username", &self.mail)?).await?;
            form = page.form(LOGIN)?;
        }
        let form = form.fill_if_asked("username", &self.mail).fill("password", &self.account.password)?;
        self.agent.submit(form).await
    }

    /// Signs in at the provider, where the password is asked for.
    ///
    /// # Errors
    /// When there is no page.
    pub async fn sign_in(&mut self, host: &str) -> Outcome<Page> {
        let page = self.ask_to_sign_in(host).await?;
        if page.has_form(LOGIN) { self.log_in(page).await } else { Ok(page) }
    }

    /// Enters a wiki; the password is typed for the first one alone.
    ///
    /// # Errors
    /// When they are refused, or asked for the password while the provider knows them.
    pub async fn enter(&mut self, host: &str, is_known: bool) -> Outcome<String> {
        let page = if is_known { self.ask_to_sign_in(host).await? } else { self.sign_in(host).await? };
        ensure!(!page.has_form(LOGIN), "the password is asked for again: {}", page.shown());
        let shown = page.shown();
        let name = self.name_at(host).await?;
        name.ok_or_else(|| Failure::new(format!("nobody is signed in at {host}; {shown}")))
    }

    /// Is refused, without being asked for anything: in words, and without a session.
    ///
    /// # Errors
    /// When they are let in, or nothing says why not.
    pub async fn refused(&mut self, host: &str) -> Outcome {
        let page = self.ask_to_sign_in(host).await?;
        self.is_refused(host, &page).await
    }

    /// Whether a page is a refusal, in words, of somebody who has no session at a wiki.
    ///
    /// # Errors
    /// What it is else.
    pub async fn is_refused(&mut self, host: &str, page: &Page) -> Outcome {
        ensure!(page.status.is_client_error(), "no refusal: {}", page.shown());
        let words = page.words().to_lowercase();
        let says = ["accés", "access", "acceso"].iter().any(|word| words.contains(word));
        ensure!(says, "it does not say that it is about access: {}", page.shown());
        let name = self.name_at(host).await?;
        ensure!(name.is_none(), "{name:?} is signed in at {host}");
        Ok(())
    }

    /// Whether a wiki shows them a page without asking who they are.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn reads(&mut self, host: &str) -> Outcome<bool> {
        let page = self.agent.open(&format!("https://{host}{PAGE}")).await?;
        Ok(page.address.host == host && page.status.is_success())
    }

    /// The name by which a wiki knows them; none without a session there.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn name_at(&mut self, host: &str) -> Outcome<Option<String>> {
        let page = self.agent.open(&format!("https://{host}{WHO}")).await?;
        // Whoever has no session may be sent to the provider instead of being answered.
        if page.address.host != host || !page.status.is_success() {
            return Ok(None);
        }
        let said: Value = page.json()?;
        let person = &said["query"]["userinfo"];
        Ok(person["name"].as_str().filter(|_| person["anon"] != true && person["id"] != 0).map(str::to_owned))
    }
}
