//! Names, mail addresses and days as people write them, and names as they are shown.

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::civil::{Date, DateTime};
use k8s_openapi::jiff::tz::TimeZone;

/// The longest name that a collective takes, in signs.
const LONGEST_NAME: usize = 120;
/// The longest mail address.
const LONGEST_MAIL: usize = 254;

/// A name that others see.
pub(super) fn name(text: &str) -> Result<String, String> {
    let name = text.trim();
    let is_line = !name.is_empty() && !name.chars().any(char::is_control);
    if is_line && name.chars().count() <= LONGEST_NAME {
        return Ok(name.to_owned());
    }
    Err(format!("allowed: one line of text without tabs and other control characters, 1 to {LONGEST_NAME} signs"))
}

/// A mail address.
pub(super) fn mail(text: &str) -> Result<String, String> {
    let mail = text.trim();
    let is_plain = |part: &str| {
        let refused =
            |sign: char| sign.is_whitespace() || sign.is_control() || ['@', '\'', '"', '\\', ','].contains(&sign);
        !part.is_empty() && !part.chars().any(refused)
    };
    let is_mail = mail.split_once('@').is_some_and(|(user, host)| is_plain(user) && is_plain(host));
    if is_mail && mail.chars().count() <= LONGEST_MAIL {
        return Ok(mail.to_owned());
    }
    Err("allowed: one mail address without blanks, quotes, commas and backslashes, for example anna@example.org"
        .to_owned())
}

/// Whether two texts are one mail address, or one name, as people read them.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}

/// What somebody may have called themselves, as a terminal can be shown it: no control characters, nothing that turns
/// the direction of what follows.
pub(super) fn plain(text: &str) -> String {
    let is_unseen = |sign: char| {
        let turns = matches!(sign, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
        turns || sign.is_control() || matches!(sign, '\u{200b}' | '\u{feff}')
    };
    text.chars().map(|sign| if is_unseen(sign) { '\u{fffd}' } else { sign }).collect()
}

/// When something ends: a time, or a day, which is then the last one (UTC).
pub(super) fn until(text: &str) -> Result<Timestamp, String> {
    time(text, |day| day.at(23, 59, 59, 0))
}

/// When something begins: a time, or a day from its beginning on (UTC).
pub(super) fn since(text: &str) -> Result<Timestamp, String> {
    time(text, |day| day.at(0, 0, 0, 0))
}

fn time(text: &str, of_day: impl FnOnce(Date) -> DateTime) -> Result<Timestamp, String> {
    let wrong =
        || format!("{text:?}: write a day such as 2027-01-31, or a time with its zone such as 2027-01-31T12:00:00Z");
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    // A day alone: what is longer is a time that lacks its zone.
    let day = text.parse::<Date>().ok().filter(|_| text.len() == "2027-01-31".len()).ok_or_else(wrong)?;
    TimeZone::UTC.to_timestamp(of_day(day)).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_any_line_and_mails_what_applications_can_read() {
        assert_eq!(name(" Anna \"Puig\" <b>é</b> ").as_deref(), Ok("Anna \"Puig\" <b>é</b>"));
        for wrong in ["", "  ", "a\nb", "a\u{9b}b"] {
            assert!(name(wrong).is_err(), "{wrong:?}");
        }
        assert!(name(&"é".repeat(120)).is_ok() && name(&"é".repeat(121)).is_err());
        assert_eq!(mail(" Anna@Example.org ").as_deref(), Ok("Anna@Example.org"));
        for wrong in ["", "anna", "@b", "a@", "a@b@c", "a b@c", "a,b@c", "a@b\"", "a\u{a0}b@c"] {
            assert!(mail(wrong).is_err(), "{wrong:?}");
        }
        assert!(mail(&format!("{}@b", "a".repeat(252))).is_ok() && mail(&format!("{}@b", "a".repeat(253))).is_err());
    }

    #[test]
    fn a_day_lasts_until_its_end_and_begins_with_it() {
        assert_eq!(until("2027-01-31").unwrap().to_string(), "2027-01-31T23:59:59Z");
        assert_eq!(since("2027-01-31").unwrap().to_string(), "2027-01-31T00:00:00Z");
        assert_eq!(until("2027-01-31T12:00:00+01:00").unwrap().to_string(), "2027-01-31T11:00:00Z");
        for wrong in ["", "2027-02-30", "31/1/2027", "2027-01-31T12:00:00", "tomorrow"] {
            assert!(until(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_name_cannot_write_to_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\u{202e}c\nd"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
        assert_eq!(plain("Núria · 李"), "Núria · 李");
    }
}
