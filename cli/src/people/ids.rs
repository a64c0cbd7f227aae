//! Ids of people: random, and never used for anybody else.

use commonscloud_cluster::command::Failure;

const LENGTH: usize = 16;
const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";

/// A new id: 16 of a-z and 0-9. Every sign is equally likely: bytes beyond the last whole multiple are thrown away.
///
/// # Errors
/// When the system gives no random numbers.
pub(super) fn new() -> Result<String, Failure> {
    let limit = u8::MAX - u8::MAX % 36;
    let mut id = String::with_capacity(LENGTH);
    let mut bytes = [0_u8; 32];
    while id.len() < LENGTH {
        getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random numbers: {error}"))?;
        let missing = LENGTH - id.len();
        let fair = bytes.iter().filter(|byte| **byte < limit).take(missing);
        id.extend(fair.map(|byte| char::from(ALPHABET[usize::from(byte % 36)])));
    }
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_what_a_collective_takes_and_never_the_same() {
        let (a, b) = (new().unwrap(), new().unwrap());
        assert_ne!(a, b);
        for id in [a, b] {
            assert_eq!(id.len(), 16);
            assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{id}");
        }
    }
}
