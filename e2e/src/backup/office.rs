//! An office by WebDAV.

use super::content::{Application, Content, hash};
use crate::failure::{Failure, Outcome};
use crate::https::{Credentials, Ingress};
use crate::{ensure, ensure_eq};

/// The files of one person.
pub struct Office {
    ingress: Ingress,
    host: String,
    who: Credentials,
}

impl Office {
    /// An office that is there.
    pub fn at(ingress: &Ingress, host: &str, who: &Credentials) -> Self {
        Self { ingress: ingress.clone(), host: host.to_owned(), who: who.clone() }
    }

    fn folder(&self) -> String {
        format!("/remote.php/dav/files/{}/", self.who.username)
    }

    /// Whether it says of itself that it is in maintenance.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_in_maintenance(&self) -> Outcome<bool> {
        let status: serde_json::Value =
            serde_json::from_slice(&self.ingress.get(&self.host, "/status.php", None).await?)?;
        status["maintenance"].as_bool().ok_or_else(|| Failure::new(format!("{status}")))
    }
}

/// The addresses below `folder` and the hash that the office's database has of each.
fn listed(answer: &str, folder: &str) -> Vec<(String, String)> {
    let between = |text: &str, begin: &str, end: &str| {
        let from = text.split_once(begin)?.1;
        Some(from.split_once(end)?.0.to_owned())
    };
    let of = |response: &str| {
        let name = between(response, "<d:href>", "</d:href>")?.strip_prefix(folder)?.to_owned();
        Some((name, between(response, "<d:getetag>\"", "\"</d:getetag>")?))
    };
    answer.split("<d:response>").filter_map(of).collect()
}

impl Application for Office {
    async fn write(&self, name: &str, text: &str) -> Outcome {
        self.ingress.put(&self.host, &(self.folder() + name), &self.who, text.as_bytes().to_vec()).await
    }

    async fn remove(&self, name: &str) -> Outcome {
        let path = self.folder() + name;
        let answer = self.ingress.send("DELETE", &self.host, &path, Some(&self.who), Vec::new()).await?;
        answer.successful(&format!("DELETE {name}")).map(drop)
    }

    /// Each file, whose row in the database is about the bytes that it has.
    async fn content(&self) -> Outcome<Content> {
        let folder = self.folder();
        let answer = self.ingress.send("PROPFIND", &self.host, &folder, Some(&self.who), Vec::new()).await?;
        let answer = String::from_utf8(answer.successful("PROPFIND")?)?;
        ensure!(answer.contains("multistatus"), "{answer}");
        let mut content = Content::default();
        for (name, told) in listed(&answer, &folder) {
            let bytes = self.ingress.get(&self.host, &format!("{folder}{name}"), Some(&self.who)).await?;
            ensure_eq!(told, hash(&bytes), "{name}: the row in the database, and the file");
            content.add(&name, &bytes);
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn files_are_listed_and_the_folder_itself_is_none() {
        let answer = "<d:multistatus><d:response><d:href>/f/</d:href><d:prop/></d:response><d:response><d:href>/f/a.txt</d:href><d:prop><d:getetag>\"00ff\"</d:getetag></d:prop></d:response></d:multistatus>";
        assert_eq!(listed(answer, "/f/"), [("a.txt".to_owned(), "00ff".to_owned())]);
    }
}
