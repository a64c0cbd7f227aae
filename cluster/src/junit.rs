//! `JUnit` XML, which every CI system reads.

use std::fmt::Write;

use crate::readiness::Readiness;
use crate::ready::Outcome;

/// A report with one test case per object.
pub fn report(suite: &str, outcomes: &[Outcome]) -> String {
    let failures = outcomes.iter().filter(|outcome| outcome.readiness != Readiness::Ready).count();
    let longest = outcomes.iter().map(|outcome| outcome.took).max().unwrap_or_default();
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(
        text,
        "<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" time=\"{:.3}\">",
        escaped(suite),
        outcomes.len(),
        longest.as_secs_f64()
    );
    for outcome in outcomes {
        let name = escaped(&outcome.title);
        let time = outcome.took.as_secs_f64();
        let _ = write!(text, "  <testcase classname=\"{}\" name=\"{name}\" time=\"{time:.3}\"", escaped(suite));
        match &outcome.readiness {
            Readiness::Ready => text.push_str("/>\n"),
            Readiness::Waiting(why) => close_failed(&mut text, "not ready", why),
            Readiness::Failed(why) => close_failed(&mut text, "failed", why),
        }
    }
    text.push_str("</testsuite>\n");
    text
}

fn close_failed(text: &mut String, kind: &str, why: &str) {
    let _ = writeln!(text, ">\n    <failure type=\"{kind}\" message=\"{}\"/>\n  </testcase>", escaped(why));
}

/// Text as it may stand in an attribute; control characters, which XML forbids, become blanks.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => escaped.push(' '),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_an_object_says_cannot_end_the_attribute_it_stands_in() {
        let outcome = |readiness| Outcome { title: "Pod a/b".to_owned(), readiness, took: Duration::from_millis(1500) };
        let why = "said \"<no>\" &\u{1b}[0m".to_owned();
        let text = report("dev", &[outcome(Readiness::Ready), outcome(Readiness::Failed(why))]);
        assert!(text.contains(r#"tests="2" failures="1" time="1.500""#), "{text}");
        assert!(text.contains(r#"message="said &quot;&lt;no&gt;&quot; &amp; [0m""#), "{text}");
    }
}
