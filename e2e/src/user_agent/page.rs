//! A page that somebody looks at, and the forms on it.

use hyper::StatusCode;
use serde::de::DeserializeOwned;

use super::address::Address;
use super::markup::{Tag, tags, words};
use crate::failure::{Failure, Outcome};

/// A page, after all redirections.
#[derive(Debug, Clone)]
pub struct Page {
    /// Where it is.
    pub address: Address,
    /// The addresses that led here, the one that was asked for first.
    pub via: Vec<Address>,
    /// Its status.
    pub status: StatusCode,
    /// What it is made of.
    pub text: String,
}

impl Page {
    /// What a person reads on it.
    pub fn words(&self) -> String {
        words(&self.text)
    }

    /// The page in a line, for failures.
    pub fn shown(&self) -> String {
        let words: String = self.words().chars().take(300).collect();
        format!("{} at {}: {words}", self.status, self.address)
    }

    /// Unless it was refused.
    ///
    /// # Errors
    /// Any other status than 2xx, with what the page says.
    pub fn successful(self) -> Outcome<Self> {
        if self.status.is_success() { Ok(self) } else { Err(Failure::new(self.shown())) }
    }

    /// The page as an answer in JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json<T: DeserializeOwned>(&self) -> Outcome<T> {
        serde_json::from_str(&self.text).map_err(|error| Failure::new(format!("{error}: {}", self.shown())))
    }

    /// Whether there is a form with this id.
    pub fn has_form(&self, id: &str) -> bool {
        self.form(id).is_ok()
    }

    /// The form with this id.
    ///
    /// # Errors
    /// When there is none.
    pub fn form(&self, id: &str) -> Outcome<Form> {
        let tags = tags(&self.text);
        let begins = |tag: &Tag| tag.name == "form" && tag.get("id") == Some(id);
        let begin = tags.iter().position(begins);
        let begin = begin.ok_or_else(|| Failure::new(format!("no form {id} on {}", self.shown())))?;
        let action = self.address.join(tags[begin].get("action").unwrap_or_default())?;
        let inside = tags[begin + 1..].iter().take_while(|tag| tag.name != "/form");
        Ok(Form { action, fields: inside.filter_map(field).collect() })
    }

    /// Where the first link leads whose address has this in it.
    ///
    /// # Errors
    /// When there is none.
    pub fn link(&self, part: &str) -> Outcome<Address> {
        let found = links(&self.text).into_iter().find(|link| link.contains(part));
        let found = found.ok_or_else(|| Failure::new(format!("no link to {part} on {}", self.shown())))?;
        self.address.join(&found)
    }
}

/// Where all links of a page or a letter lead, as they stand there.
pub fn links(text: &str) -> Vec<String> {
    tags(text).iter().filter(|tag| tag.name == "a").filter_map(|tag| tag.get("href")).map(str::to_owned).collect()
}

/// What a browser sends of a field. Of inputs alone: the forms that are walked here have no other fields.
fn field(tag: &Tag) -> Option<(String, String)> {
    let kind = tag.get("type").unwrap_or("text").trim().to_ascii_lowercase();
    let is_sent = match kind.as_str() {
        "submit" | "button" | "image" | "reset" | "file" => false,
        "checkbox" | "radio" => tag.get("checked").is_some(),
        _ => true,
    };
    if tag.name != "input" || !is_sent || tag.get("disabled").is_some() {
        return None;
    }
    let value = tag.get("value").unwrap_or(if kind == "checkbox" { "on" } else { "" });
    Some((tag.get("name")?.to_owned(), value.to_owned()))
}

/// A form, filled in as the page has it.
#[derive(Debug, Clone)]
pub struct Form {
    /// Where it is sent to.
    pub action: Address,
    fields: Vec<(String, String)>,
}

impl Form {
    /// Fills in a field.
    ///
    /// # Errors
    /// When it has none of this name.
    pub fn fill(mut self, name: &str, value: &str) -> Outcome<Self> {
        let field = self.fields.iter_mut().find(|(known, _)| known == name);
        let Some((_, filled)) = field else {
            let names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
            return Err(Failure::new(format!("the form has no field {name}, only {}", names.join(", "))));
        };
        value.clone_into(filled);
        Ok(self)
    }

    /// Fills in a field that the form may be without.
    #[must_use]
    pub fn fill_if_asked(self, name: &str, value: &str) -> Self {
        self.clone().fill(name, value).unwrap_or(self)
    }

    /// Its fields as they are sent.
    pub fn fields(&self) -> Vec<(&str, &str)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        let address = Address::read("https://id.example.org/realms/commons/login").unwrap();
        Page { address, via: Vec::new(), status: StatusCode::OK, text: text.to_owned() }
    }

    #[test]
    fn a_form_is_sent_as_a_browser_sends_it() {
        let page = page(
            r#"<form id="search"><input name="q"></form>
            <form id="login" action="/authenticate?a=1&amp;b=2" method="post"><template x-for="i in values">
              <input name="username" value=""></template><input type="password" name="password">
              <input type="hidden" name="credentialId" value="x"><input type="checkbox" name="rememberMe">
              <input type="checkbox" name="logout" checked><input name="email" value="a@b" disabled>
              <input type="submit" name="login" value="Entra"></form><input name="outside">"#,
        );
        let form = page.form("login").unwrap().fill("username", "anna").unwrap();
        let form = form.fill_if_asked("password", "a&b").fill_if_asked("firstName", "Anna");
        assert_eq!(form.action.to_string(), "https://id.example.org/authenticate?a=1&b=2");
        let sent = [("username", "anna"), ("password", "a&b"), ("credentialId", "x"), ("logout", "on")];
        assert_eq!(form.fields(), sent);
        assert!(form.fill("email", "c@d").unwrap_err().to_string().contains("credentialId"));
        assert!(page.has_form("search") && !page.has_form("register"));
    }

    #[test]
    fn a_link_is_found_by_what_it_leads_to() {
        let page = page(r#"<a name="top"><a href="/help">?</a><a href="action-token?key=a&amp;tab=b">Continua</a>"#);
        let found = page.link("action-token").unwrap();
        assert_eq!(found.to_string(), "https://id.example.org/realms/commons/action-token?key=a&tab=b");
        assert!(page.link("logout").is_err());
    }
}
