//! MediaWiki by its API, as somebody who has signed in.

use serde_json::Value;

use super::content::{Application, Content};
use crate::ensure;
use crate::failure::{Failure, Outcome};
use crate::https::{Credentials, FORM, Ingress, form};

/// More pages are not told at once with what stands in them.
const AT_ONCE: &str = "50";

/// A wiki, for one person.
pub struct Wiki {
    ingress: Ingress,
    host: String,
    /// As the header `Cookie` has them.
    cookies: String,
    /// Without it nothing is changed.
    token: String,
}

impl Wiki {
    /// Signs in.
    ///
    /// # Errors
    /// When the wiki does not answer, or lets them not in.
    pub async fn sign_in(ingress: &Ingress, host: &str, who: &Credentials) -> Outcome<Self> {
        let mut wiki =
            Self { ingress: ingress.clone(), host: host.to_owned(), cookies: String::new(), token: String::new() };
        let token = wiki.token_for("login").await?;
        let back = format!("https://{host}/");
        let fields = [
            ("action", "clientlogin"),
            ("username", who.username.as_str()),
            ("password", who.password.as_str()),
            ("loginreturnurl", back.as_str()),
            ("logintoken", token.as_str()),
        ];
        let answer = wiki.post(&fields).await?;
        ensure!(answer.1.pointer("/clientlogin/status") == Some(&Value::from("PASS")), "signing in: {}", answer.1);
        wiki.keep(answer.0);
        wiki.token = wiki.token_for("csrf").await?;
        Ok(wiki)
    }

    async fn token_for(&mut self, kind: &str) -> Outcome<String> {
        let path = format!("/api.php?action=query&meta=tokens&type={kind}&format=json");
        let answer = self.ingress.send_with("GET", &self.host, &path, &self.headers(), Vec::new()).await?;
        let cookies = answer.cookies.clone();
        let said: Value = serde_json::from_slice(&answer.successful(&path)?)?;
        self.keep(cookies);
        let token = said.pointer(&format!("/query/tokens/{kind}token")).and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| Failure::new(format!("no token: {said}")))
    }

    /// What was set last holds.
    fn keep(&mut self, set: Vec<String>) {
        let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
        let mut kept: Vec<String> =
            self.cookies.split("; ").filter(|pair| !pair.is_empty()).map(str::to_owned).collect();
        for pair in set {
            kept.retain(|known| name(known) != name(&pair));
            kept.push(pair);
        }
        self.cookies = kept.join("; ");
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        if self.cookies.is_empty() { Vec::new() } else { vec![("cookie", self.cookies.as_str())] }
    }

    /// A question or a change, and the cookies that came with the answer.
    async fn post(&self, fields: &[(&str, &str)]) -> Outcome<(Vec<String>, Value)> {
        let mut headers = self.headers();
        headers.push(FORM);
        let fields: Vec<(&str, &str)> =
            fields.iter().copied().chain([("format", "json"), ("formatversion", "2")]).collect();
        let answer = self.ingress.send_with("POST", &self.host, "/api.php", &headers, form(&fields)).await?;
        let cookies = answer.cookies.clone();
        Ok((cookies, serde_json::from_slice(&answer.successful("POST api.php")?)?))
    }

    async fn change(&self, fields: &[(&str, &str)], done: &str) -> Outcome {
        let with_token: Vec<(&str, &str)> = fields.iter().copied().chain([("token", self.token.as_str())]).collect();
        let said = self.post(&with_token).await?.1;
        ensure!(said.pointer(done).is_some() && said.get("error").is_none(), "{said}");
        Ok(())
    }

    /// All answers to a question, one after the other.
    async fn ask(&self, fields: &[(&str, &str)]) -> Outcome<Vec<Value>> {
        let (mut answers, mut further) = (Vec::new(), Vec::new());
        loop {
            let more = further.iter().map(|(name, value): &(String, String)| (name.as_str(), value.as_str()));
            let all: Vec<(&str, &str)> =
                [("action", "query")].into_iter().chain(fields.iter().copied()).chain(more).collect();
            let said = self.post(&all).await?.1;
            ensure!(said.get("error").is_none(), "{said}");
            let next = said.get("continue").and_then(Value::as_object);
            further = next.into_iter().flatten().map(|(name, value)| (name.clone(), text_of(value))).collect();
            answers.push(said);
            if further.is_empty() {
                return Ok(answers);
            }
        }
    }

    async fn pages(&self, content: &mut Content) -> Outcome {
        let fields = [
            ("generator", "allpages"),
            ("gaplimit", AT_ONCE),
            ("prop", "revisions"),
            ("rvprop", "content"),
            ("rvslots", "main"),
        ];
        let answers = self.ask(&fields).await?;
        for page in answers.iter().flat_map(|answer| items(answer, "/query/pages")) {
            // One whose turn has not come is told again, with what stands in it.
            if let Some(text) = page.pointer("/revisions/0/slots/main/content").and_then(Value::as_str) {
                content.add(page["title"].as_str().unwrap_or_default(), text.as_bytes());
            }
        }
        Ok(())
    }

    /// The bytes, as whoever opens the file gets them.
    async fn files(&self, content: &mut Content) -> Outcome {
        let answers = self.ask(&[("list", "allimages"), ("aiprop", "url"), ("ailimit", AT_ONCE)]).await?;
        let own = format!("https://{}", self.host);
        for file in answers.iter().flat_map(|answer| items(answer, "/query/allimages")) {
            let path = file["url"].as_str().and_then(|url| url.strip_prefix(&own));
            let path = path.ok_or_else(|| Failure::new(format!("no address of this wiki: {file}")))?;
            let bytes = self.ingress.get(&self.host, path, None).await?;
            content.add(&format!("File:{}", file["name"].as_str().unwrap_or_default()), &bytes);
        }
        Ok(())
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn items<'v>(answer: &'v Value, place: &str) -> impl Iterator<Item = &'v Value> {
    answer.pointer(place).and_then(Value::as_array).into_iter().flatten()
}

impl Application for Wiki {
    async fn write(&self, name: &str, text: &str) -> Outcome {
        // Who was signed out meanwhile would be told, and not taken for a stranger.
        let fields = [("action", "edit"), ("assert", "user"), ("title", name), ("text", text)];
        self.change(&fields, "/edit/newrevid").await
    }

    async fn remove(&self, name: &str) -> Outcome {
        self.change(&[("action", "delete"), ("assert", "user"), ("title", name)], "/delete/logid").await
    }

    async fn content(&self) -> Outcome<Content> {
        let mut content = Content::default();
        self.pages(&mut content).await?;
        self.files(&mut content).await?;
        Ok(content)
    }
}
