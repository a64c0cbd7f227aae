//! What a person has in hand: it keeps cookies, follows redirections and fills in forms. It runs no scripts.

mod address;
mod cookies;
mod markup;
mod page;

pub use address::Address;
pub use page::{Form, Page, links};

use hyper::StatusCode;
use hyper::header::{LOCATION, SET_COOKIE};

use self::cookies::Cookies;
use crate::ensure;
use crate::failure::Outcome;
use crate::https::{Answer, FORM, Ingress, form};

/// Browsers give up after as many.
const REDIRECTIONS: usize = 20;
/// What it calls itself; and what it asks for, which is pages for people.
const ALWAYS: [(&str, &str); 2] =
    [("user-agent", "commonscloud-e2e"), ("accept", "text/html,application/xhtml+xml,*/*;q=0.8")];

/// A user agent, for one person.
pub struct UserAgent {
    ingress: Ingress,
    /// As the header `Accept-Language` has it.
    language: String,
    cookies: Cookies,
}

/// What is asked for.
struct Asked {
    method: &'static str,
    address: Address,
    body: Vec<u8>,
}

impl UserAgent {
    /// One that has been nowhere yet, of somebody who reads this language.
    pub fn new(ingress: &Ingress, language: &str) -> Self {
        Self { ingress: ingress.clone(), language: language.to_owned(), cookies: Cookies::default() }
    }

    /// Goes to an URL.
    ///
    /// # Errors
    /// When there is no answer, or redirections lead nowhere; a page that says no is a [`Page`].
    pub async fn open(&mut self, url: &str) -> Outcome<Page> {
        self.go(Address::read(url)?).await
    }

    /// Goes where a link leads.
    ///
    /// # Errors
    /// As [`UserAgent::open`].
    pub async fn go(&mut self, address: Address) -> Outcome<Page> {
        self.ask(Asked { method: "GET", address, body: Vec::new() }).await
    }

    /// Sends a form.
    ///
    /// # Errors
    /// As [`UserAgent::open`].
    pub async fn submit(&mut self, filled: Form) -> Outcome<Page> {
        let body = form(&filled.fields());
        self.ask(Asked { method: "POST", address: filled.action, body }).await
    }

    async fn ask(&mut self, mut asked: Asked) -> Outcome<Page> {
        let mut via = Vec::new();
        loop {
            let answer = self.send(&asked).await?;
            let location = answer.headers.get(LOCATION).filter(|_| answer.status.is_redirection());
            let Some(location) = location else {
                let text = String::from_utf8_lossy(&answer.body).into_owned();
                return Ok(Page { address: asked.address, via, status: answer.status, text });
            };
            let next = asked.address.join(location.to_str()?)?;
            via.push(asked.address.clone());
            ensure!(via.len() <= REDIRECTIONS, "redirections without end: {}", shown(&via));
            asked.address = next;
            // Any other redirection of a form is followed without it.
            if ![StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT].contains(&answer.status) {
                (asked.method, asked.body) = ("GET", Vec::new());
            }
        }
    }

    /// One request, with the cookies that belong to it.
    async fn send(&mut self, asked: &Asked) -> Outcome<Answer> {
        let Asked { method, address, body } = asked;
        let cookies = self.cookies.header(address);
        let mut headers = ALWAYS.to_vec();
        headers.push(("accept-language", self.language.as_str()));
        headers.extend(cookies.iter().map(|cookies| ("cookie", cookies.as_str())));
        if *method == "POST" {
            headers.push(FORM);
        }
        let answer = self.ingress.send_with(method, &address.host, &address.path, &headers, body.clone()).await?;
        for cookie in answer.headers.get_all(SET_COOKIE) {
            self.cookies.keep(address, cookie.to_str()?);
        }
        Ok(answer)
    }
}

fn shown(via: &[Address]) -> String {
    via.iter().map(Address::to_string).collect::<Vec<_>>().join(" → ")
}
