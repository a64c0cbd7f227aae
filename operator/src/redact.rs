//! Takes secrets out of what others read: messages of statuses, Events, lines of the log. A container's
//! last words and the API server's refusals come from others, and may quote anything.
//!
//! | net | what it catches |
//! |---|---|
//! | [`by_form`] | whatever looks like a generated value, known or not, such as the client secret of an identity provider |
//! | [`Fingerprints`] | whatever a Secret in the Entity's namespace holds that the operator made or copied: generated values, mail passwords, private keys; without keeping it |

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Write};
use std::ops::Range;
use std::sync::LazyLock;

use k8s_openapi::api::core::v1::Secret;

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";
/// The shortest value that a package may have generated.
const SHORTEST: usize = 16;
/// The shortest password that people choose which is no word of a message.
const SHORTEST_PASSWORD: usize = 8;

/// The text without what looks like a generated value: 16 letters and digits or more, large and small
/// ones among them, that are no name such as `CreateContainerError`.
pub fn by_form(text: &str) -> Cow<'_, str> {
    let mut found = Vec::new();
    let mut at = 0;
    for run in text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()) {
        if looks_generated(run) {
            found.push(at..at + run.len());
        }
        at += run.len() + 1;
    }
    without(text, found)
}

fn looks_generated(run: &[u8]) -> bool {
    let has = |of: fn(&u8) -> bool| run.iter().any(of);
    run.len() >= SHORTEST
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase)
        && (has(u8::is_ascii_digit) || !is_words(run))
}

/// Words that each begin with a capital: no small letter stands alone.
fn is_words(letters: &[u8]) -> bool {
    letters.split(u8::is_ascii_uppercase).all(|small| small.len() != 1)
}

/// The text without some of its parts, which may overlap.
fn without(text: &str, mut parts: Vec<Range<usize>>) -> Cow<'_, str> {
    if parts.is_empty() {
        return Cow::Borrowed(text);
    }
    parts.sort_unstable_by_key(|part| part.start);
    let mut shown = String::with_capacity(text.len());
    let mut end = 0;
    for part in parts {
        if part.start >= end {
            shown.push_str(text.get(end..part.start).unwrap_or_default());
            shown.push_str(REDACTED);
        }
        end = end.max(part.end);
    }
    shown.push_str(text.get(end..).unwrap_or_default());
    Cow::Owned(shown)
}

/// What a Secret holds, as lengths and hashes by which it is found again in a text. The hashes depend on
/// a number that ends with the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprints(Vec<Fingerprint>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fingerprint {
    length: usize,
    hash: u64,
}

impl Fingerprints {
    /// Those of a Secret's values, line by line. A user name, or a short word, is no secret.
    pub fn of(secret: &Secret) -> Self {
        let values = secret.data.iter().flatten().flat_map(|(key, value)| lines(key, &value.0));
        let mut found: Vec<Fingerprint> = values.map(Fingerprint::of).collect();
        found.sort_unstable();
        found.dedup();
        Self(found)
    }

    /// The text without any of the values.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut lengths: Vec<usize> = self.0.iter().map(|print| print.length).collect();
        lengths.dedup();
        let mut found = Vec::new();
        let hashes = prefixes(text);
        for length in lengths.into_iter().filter(|length| *length <= text.len()) {
            let power = (0..length).fold(1, |power, _| times(power, *BASE));
            for (start, (before, through)) in hashes.iter().zip(&hashes[length..]).enumerate() {
                let hash = (through + PRIME - times(*before, power)) % PRIME;
                if self.0.binary_search(&Fingerprint { length, hash }).is_ok() {
                    found.push(start..start + length);
                }
            }
        }
        without(text, found)
    }
}

fn lines<'v>(key: &str, value: &'v [u8]) -> impl Iterator<Item = &'v str> + use<'v> {
    let shortest = if key.contains("password") { SHORTEST_PASSWORD } else { SHORTEST };
    let text = if key == "username" { "" } else { std::str::from_utf8(value).unwrap_or_default() };
    text.lines().map(str::trim).filter(move |line| line.len() >= shortest)
}

impl Fingerprint {
    fn of(value: &str) -> Self {
        Self { length: value.len(), hash: value.bytes().fold(0, appended) }
    }
}

/// The hashes of a text's beginnings, the empty one first.
fn prefixes(text: &str) -> Vec<u64> {
    let mut hashes = Vec::with_capacity(text.len() + 1);
    hashes.push(0);
    hashes.extend(text.bytes().scan(0, |hash, byte| {
        *hash = appended(*hash, byte);
        Some(*hash)
    }));
    hashes
}

/// Hashes are polynomials in `BASE` modulo this Mersenne prime, so that the one of any part of a text
/// follows from those of two of its beginnings.
const PRIME: u64 = (1 << 61) - 1;

static BASE: LazyLock<u64> = LazyLock::new(|| (1 << 32) + RandomState::new().hash_one(0_u8) % (PRIME - (1 << 33)));

fn appended(hash: u64, byte: u8) -> u64 {
    (times(hash, *BASE) + u64::from(byte) + 1) % PRIME
}

fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let low = u64::try_from(product & u128::from(PRIME)).unwrap_or_default();
    let high = u64::try_from(product >> 61).unwrap_or_default();
    (low + high) % PRIME
}

/// Writes lines without what looks like a generated value.
#[derive(Debug)]
pub struct Redacting<W>(pub W);

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.write_all(by_form(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use proptest::prelude::*;
    use test_case::test_case;

    use super::*;

    /// As generated: the operator's own are 32 characters or more.
    const PASSWORD: &str = "q7VwT0c4ZrYb2LkPsN9mXeHd5AgJfU1i";

    #[test_case("psql: password q7VwT0c4ZrYb2LkPsN9mXeHd5AgJfU1i refused", "psql: password [redacted] refused"; "a word")]
    #[test_case("redis://:q7VwT0c4ZrYb2LkPsN9mXeHd5AgJfU1i@redis:6379", "redis://:[redacted]@redis:6379"; "in an address")]
    #[test_case("q7VwT0c4ZrYb2LkPsN9mXeHd5AgJfU1i,q7VwT0c4ZrYb2LkPsN9mXeHd5AgJfU1i", "[redacted],[redacted]"; "twice")]
    #[test_case("passwordq7VwT0c4ZrYb2LkPsN9mXeHd5AgJfU1i", "[redacted]"; "run together")]
    #[test_case("qVwTcZrYbLkPsNmXeHdAgJfU", "[redacted]"; "letters alone")]
    #[test_case("«ç»q7VwT0c4ZrYb2LkP«ç»", "«ç»[redacted]«ç»"; "between letters of others")]
    fn what_looks_generated_is_not_shown(text: &str, shown: &str) {
        assert_eq!(by_form(text), shown);
    }

    #[test_case("CreateContainerConfigError: couldn't find key token in Secret hort/site-admin"; "a reason")]
    #[test_case("Back-off pulling image \"docker.io/library/nextcloud:34.0.1-apache@sha256:0123456789abcdef0123456789abcdef\""; "an image")]
    #[test_case("pod office-app-7d9f8b6c5d-x2x9z, uid 5e0c1f9a-3c1e-4b7c-9a39-2f0b6f7c8d9e"; "a pod")]
    #[test_case("Doctrine\\DBAL\\Exception\\UniqueConstraintViolationException"; "a class")]
    #[test_case("PHP_MEMORY_LIMIT is 1073741824, of AVERYLONGVARIABLENAME"; "variables and numbers")]
    fn names_are_shown_as_they_are(text: &str) {
        assert!(matches!(by_form(text), Cow::Borrowed(shown) if shown == text), "{}", by_form(text));
    }

    fn holding(data: &[(&str, &str)]) -> Fingerprints {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        Fingerprints::of(&Secret { data: Some(data.collect()), ..Secret::default() })
    }

    #[test]
    fn what_a_secret_holds_is_not_shown_whatever_its_form() {
        let prints = holding(&[("username", "nextcloud"), ("password", "contrasenya ñ!"), ("port", "587")]);
        assert_eq!(prints.redact("535 contrasenya ñ! of nextcloud at 587"), "535 [redacted] of nextcloud at 587");
        assert_eq!(prints.redact("contrasenya ñ!contrasenya ñ!"), "[redacted][redacted]");
        assert!(matches!(prints.redact("535 contrasenya n!"), Cow::Borrowed(_)));
        assert_eq!(prints.redact(""), "");
        assert_eq!(Fingerprints::default().redact("anything"), "anything");
        assert!(!format!("{prints:?}").contains("contrasenya"));
    }

    #[test]
    fn each_line_of_a_key_is_found_alone() {
        let prints = holding(&[("tls.key", "-----BEGIN-----\nabcdefghijklmnop/qrst\n-----END-----\n")]);
        assert_eq!(prints.redact("bad key: abcdefghijklmnop/qrst"), "bad key: [redacted]");
    }

    #[test]
    fn a_line_of_the_log_is_written_without_them() {
        let mut log = Vec::new();
        write!(Redacting(&mut log), "refused: {PASSWORD}").unwrap();
        assert_eq!(String::from_utf8(log).unwrap(), "refused: [redacted]");
    }

    proptest! {
        #[test]
        fn a_value_is_found_anywhere(before in ".{0,40}", value in "[A-Za-z0-9]{16,64}", after in ".{0,40}") {
            let shown = holding(&[("password", value.as_str())]).redact(&format!("{before}{value}{after}")).into_owned();
            prop_assert!(!shown.contains(&value), "{shown}");
        }
    }
}
