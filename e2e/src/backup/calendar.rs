//! Radicale by CalDAV.

use super::content::{Application, Content};
use crate::ensure;
use crate::failure::Outcome;
use crate::https::{Credentials, Ingress};

/// A calendar of one person.
pub struct Calendar {
    ingress: Ingress,
    host: String,
    who: Credentials,
    /// What it is called in the address.
    name: String,
}

impl Calendar {
    /// A calendar that is there.
    pub fn at(ingress: &Ingress, host: &str, who: &Credentials) -> Self {
        Self { ingress: ingress.clone(), host: host.to_owned(), who: who.clone(), name: "cal".to_owned() }
    }

    /// Another one of the same person, by its name in addresses.
    #[must_use]
    pub fn beside(&self, name: &str) -> Self {
        Self { ingress: self.ingress.clone(), host: self.host.clone(), who: self.who.clone(), name: name.to_owned() }
    }

    /// Makes it.
    ///
    /// # Errors
    /// When it is not made.
    pub async fn make(ingress: &Ingress, host: &str, who: &Credentials) -> Outcome<Self> {
        let calendar = Self::at(ingress, host, who);
        let made = calendar.ingress.send("MKCALENDAR", host, &calendar.folder(), Some(who), Vec::new()).await?;
        ensure!(made.status.as_u16() == 201, "MKCALENDAR: {}", made.status);
        Ok(calendar)
    }

    fn folder(&self) -> String {
        format!("/{}/{}/", self.who.username, self.name)
    }

    fn place(&self, name: &str) -> String {
        format!("{}{name}.ics", self.folder())
    }
}

/// A line of an event; what is told of events here is short enough not to be folded.
fn line<'e>(event: &'e str, field: &str) -> Option<&'e str> {
    event.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':')).map(str::trim)
}

impl Application for Calendar {
    async fn write(&self, name: &str, text: &str) -> Outcome {
        let event = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//commonscloud//e2e//EN\r\nBEGIN:VEVENT\r\nUID:{name}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260601T170000Z\r\nDTEND:20260601T190000Z\r\nSUMMARY:{text}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        self.ingress.put(&self.host, &self.place(name), &self.who, event.into_bytes()).await
    }

    async fn remove(&self, name: &str) -> Outcome {
        let answer = self.ingress.send("DELETE", &self.host, &self.place(name), Some(&self.who), Vec::new()).await?;
        answer.successful(&format!("DELETE {name}")).map(drop)
    }

    async fn content(&self) -> Outcome<Content> {
        let all = self.ingress.get(&self.host, &self.folder(), Some(&self.who)).await?;
        let all = String::from_utf8(all)?;
        let mut content = Content::default();
        for event in all.split("BEGIN:VEVENT").skip(1) {
            let (uid, summary) = (line(event, "UID"), line(event, "SUMMARY"));
            ensure!(uid.is_some() && summary.is_some(), "half an event: {event}");
            content.add(uid.unwrap_or_default(), summary.unwrap_or_default().as_bytes());
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn fields_of_an_event_are_found_whatever_ends_a_line() {
        let event = "\r\nUID:Reunio-1\r\nSUMMARY:0123\r\nSUMMARYX:no\r\nEND:VEVENT";
        assert_eq!(
            (line(event, "UID"), line(event, "SUMMARY"), line(event, "DTEND")),
            (Some("Reunio-1"), Some("0123"), None)
        );
    }
}
