//! Long texts of live objects are kept by their digest: they are compared, and never shown.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::text::hexadecimal;

/// The longest text that is kept as it is, in bytes. Names, addresses and host names are shorter.
const LONGEST: usize = 256;
/// What a digest begins with. A text that begins so is a digest or becomes one, so that nobody can
/// write the digest of another text in its place.
const MARK: &str = "sha256-of-a-text:";

/// Replaces the long texts in a value by their digests.
pub fn shorten(value: &mut Value) {
    match value {
        Value::String(text) if is_long(text) => *text = digest(text),
        Value::Array(items) => items.iter_mut().for_each(shorten),
        Value::Object(members) => members.values_mut().for_each(shorten),
        _ => {}
    }
}

/// Whether a live text, which may be a digest, is the desired one.
pub fn same_text(desired: &str, live: &str) -> bool {
    if is_long(desired) { live == desired || live == digest(desired) } else { live == desired }
}

fn is_long(text: &str) -> bool {
    text.len() > LONGEST || text.starts_with(MARK)
}

fn digest(text: &str) -> String {
    format!("{MARK}{}", hexadecimal(&Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_text_is_the_same_as_its_digest_and_as_no_other() {
        let (long, other) = ("a".repeat(257), "b".repeat(257));
        let mut value = json!({"data": {"long": long, "short": "a"}, "list": [long]});
        shorten(&mut value);
        let kept = value["data"]["long"].as_str().unwrap();
        assert!(kept.len() < 100);
        assert!(same_text(&long, kept) && !same_text(&other, kept));
        assert_eq!((&value["data"]["short"], value["list"][0].as_str()), (&json!("a"), Some(kept)));
    }

    #[test]
    fn nobody_can_write_a_digest_in_the_place_of_a_text() {
        let long = "a".repeat(257);
        let mut forged = json!(digest(&long));
        shorten(&mut forged);
        assert!(!same_text(&long, forged.as_str().unwrap()));
        assert!(same_text(&digest(&long), forged.as_str().unwrap()), "though the text itself is what it is");
    }
}
