//! Random values of generated Secrets.

use k8s_openapi::ByteString;
use serde_json::{Map, Value};

use crate::api::SecretKey;

/// Letters and digits: no quoting rule of any application touches them.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The system gives no random numbers.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct RandomError(getrandom::Error);

/// `data` of a Secret: fixed values as they are, the others random.
///
/// # Errors
/// When the system gives no random numbers.
pub(super) fn data(keys: &[SecretKey]) -> Result<Value, RandomError> {
    let mut data = Map::new();
    for key in keys {
        let text = match (&key.value, key.length) {
            (Some(value), _) => value.clone(),
            (None, length) => random(length.unwrap_or(32) as usize)?,
        };
        data.insert(key.name.clone(), serde_json::to_value(ByteString(text.into_bytes())).unwrap_or_default());
    }
    Ok(Value::Object(data))
}

/// Every character is equally likely: bytes beyond the last whole multiple are thrown away.
fn random(length: usize) -> Result<String, RandomError> {
    let limit = u8::MAX - u8::MAX % 62;
    let mut text = String::with_capacity(length);
    let mut bytes = [0_u8; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).map_err(RandomError)?;
        let missing = length - text.len();
        text.extend(
            bytes
                .iter()
                .filter(|byte| **byte < limit)
                .take(missing)
                .map(|byte| char::from(ALPHABET[usize::from(byte % 62)])),
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_and_never_the_same() {
        let (a, b) = (random(100).unwrap(), random(100).unwrap());
        assert_eq!(a.len(), 100);
        assert_ne!(a, b);
        assert!(a.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    }
}
