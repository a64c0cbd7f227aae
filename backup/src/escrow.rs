//! The key of a folder, sealed to people: whoever holds the private half of one of the recipients opens it, without the
//! cluster. Sealed with [age](https://age-encryption.org/v1), so that `age --decrypt` opens it as well.

use std::fmt;
use std::io::{Read, Write};

use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};
use age::{DecryptError, Decryptor, Encryptor};
use serde::{Deserialize, Serialize};

use crate::line::one_line;

/// The password of the repository in which sealed keys lie, below each target: everybody's. What protects is age.
pub const ESCROW_PASSWORD: &str = "commonscloud-escrow";
/// The tag of its snapshots; another one is `folder=FOLDER`.
pub const ESCROW_TAG: &str = "escrow";
/// A key is short: what is longer is something else.
const LONGEST: u64 = 64 << 10;

/// What is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrowed {
    /// The folder at the target whose repositories the key opens, for example `garden-1a2b3c4d`.
    pub folder: String,
    /// The password of these repositories.
    pub password: String,
}

impl fmt::Debug for Escrowed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Escrowed").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Why a key was not sealed, or not opened. Names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EscrowError {
    /// Nobody could open it.
    #[error("no recipient is given: name one at least, as age-keygen shows it (age1...)")]
    NoRecipient,
    /// It is no public half of a key.
    #[error("{recipient:?} is no recipient ({reason}): give a public key, as age-keygen shows it (age1...)")]
    Recipient {
        /// What was given.
        recipient: String,
        /// Why not.
        reason: String,
    },
    /// It is no private half of a key.
    #[error("no private key is given: a line of it begins with AGE-SECRET-KEY-1, as age-keygen writes it ({0})")]
    Identity(String),
    /// Another private key opens it.
    #[error("it is sealed to others than this private key's owner")]
    NotForThis,
    /// It is something else, or damaged.
    #[error("no sealed key: {0}")]
    NotAnEscrow(String),
}

/// A pair of keys of age.
pub struct KeyPair {
    /// The text of a file with the private half, as age-keygen writes it: what [`open`] reads.
    pub identity: String,
    /// The public half: what [`seal`] seals to.
    pub recipient: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyPair").field("recipient", &self.recipient).finish_non_exhaustive()
    }
}

impl KeyPair {
    /// A new one.
    pub fn generate() -> Self {
        Self::of(&Identity::generate())
    }

    /// That of the first private half in the text of a file.
    ///
    /// # Errors
    /// When the text holds none.
    pub fn read(identity: &str) -> Result<Self, EscrowError> {
        let keys = identities(identity)?;
        keys.first().map(Self::of).ok_or_else(|| EscrowError::Identity("there are comments alone".to_owned()))
    }

    fn of(identity: &Identity) -> Self {
        let recipient = identity.to_public().to_string();
        let text = format!("# public key: {recipient}\n{}\n", identity.to_string().expose_secret());
        Self { identity: text, recipient }
    }
}

fn not_an_escrow(error: impl fmt::Display) -> EscrowError {
    EscrowError::NotAnEscrow(one_line(&error.to_string(), 300))
}

/// Seals a key to each of the recipients, public keys of age (`age1...`).
///
/// # Errors
/// When there is none, or one of them is no public key.
pub fn seal(escrowed: &Escrowed, recipients: &[String]) -> Result<Vec<u8>, EscrowError> {
    let recipient = |text: &String| {
        text.parse::<Recipient>()
            .map_err(|reason| EscrowError::Recipient { recipient: shown(text), reason: reason.to_owned() })
    };
    let recipients: Vec<Recipient> = recipients.iter().map(recipient).collect::<Result<_, _>>()?;
    let encryptor = Encryptor::with_recipients(recipients.iter().map(|recipient| recipient as &dyn age::Recipient))
        .map_err(|_| EscrowError::NoRecipient)?;
    let text = serde_json::to_vec(escrowed).map_err(not_an_escrow)?;
    let mut sealed = Vec::new();
    let mut writer = encryptor.wrap_output(&mut sealed).map_err(not_an_escrow)?;
    writer.write_all(&text).map_err(not_an_escrow)?;
    writer.finish().map_err(not_an_escrow)?;
    Ok(sealed)
}

/// What was given for a recipient, unless it is what nobody may see.
fn shown(recipient: &str) -> String {
    let is_private = recipient.trim_start().to_uppercase().starts_with("AGE-SECRET-KEY");
    if is_private { "a private key".to_owned() } else { one_line(recipient, 100) }
}

/// The private keys of a file of `age-keygen`.
///
/// # Errors
/// When it holds none, or something else.
pub(crate) fn identities(text: &str) -> Result<Vec<Identity>, EscrowError> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys: Vec<Identity> = lines
        .map(|line| line.parse().map_err(|reason: &str| EscrowError::Identity(reason.to_owned())))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() {
        return Err(EscrowError::Identity("there are comments alone".to_owned()));
    }
    Ok(keys)
}

/// Opens what was sealed. `identity` is the text of a file of `age-keygen`: lines of private keys
/// (`AGE-SECRET-KEY-1...`), each of which is tried, and comments.
///
/// # Errors
/// When none of the keys opens it, or it is something else than a sealed key.
pub fn open(identity: &str, sealed: &[u8]) -> Result<Escrowed, EscrowError> {
    let keys = identities(identity)?;
    let decryptor = Decryptor::new(sealed).map_err(not_an_escrow)?;
    let opened = decryptor.decrypt(keys.iter().map(|key| key as &dyn age::Identity));
    let opened = opened.map_err(|error| match error {
        DecryptError::NoMatchingKeys => EscrowError::NotForThis,
        error => not_an_escrow(error),
    })?;
    let mut text = Vec::new();
    opened.take(LONGEST).read_to_end(&mut text).map_err(not_an_escrow)?;
    // What the reader says of it would hold parts of the key.
    serde_json::from_slice(&text).map_err(|_| EscrowError::NotAnEscrow("it holds no folder and password".to_owned()))
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const PASSWORD: &str = "correct horse \"battery\"";

    fn key() -> (String, String) {
        let identity = Identity::generate();
        (identity.to_string().expose_secret().to_owned(), identity.to_public().to_string())
    }

    fn escrowed() -> Escrowed {
        Escrowed { folder: "garden-1a2b3c4d".to_owned(), password: PASSWORD.to_owned() }
    }

    #[test]
    fn what_is_sealed_to_two_opens_with_either_private_half_and_no_other() {
        let ((first, first_public), (second, second_public), (other, _)) = (key(), key(), key());
        let sealed = seal(&escrowed(), &[first_public, second_public]).unwrap();
        for identity in [&first, &second] {
            assert_eq!(open(identity, &sealed), Ok(escrowed()));
        }
        assert_eq!(open(&other, &sealed), Err(EscrowError::NotForThis));
        let file = format!("# created: today\n# public key: age1...\n{other}\n\n {second}\n");
        assert_eq!(open(&file, &sealed), Ok(escrowed()), "a file of age-keygen with two keys");
    }

    #[test]
    fn a_pair_that_was_made_opens_what_is_sealed_to_it_and_is_read_again() {
        let pair = KeyPair::generate();
        let sealed = seal(&escrowed(), std::slice::from_ref(&pair.recipient)).unwrap();
        assert_eq!(open(&pair.identity, &sealed), Ok(escrowed()));
        let again = KeyPair::read(&pair.identity).unwrap();
        assert_eq!((&again.identity, &again.recipient), (&pair.identity, &pair.recipient));
        assert!(!format!("{pair:?}").contains("AGE-SECRET-KEY"));
        assert!(matches!(KeyPair::read("# nothing\n"), Err(EscrowError::Identity(_))));
    }

    #[test]
    fn nothing_of_the_key_is_seen_without_a_private_half() {
        let sealed = seal(&escrowed(), &[key().1]).unwrap();
        let shown = format!("{} {:?}", String::from_utf8_lossy(&sealed), escrowed());
        assert!(!shown.contains("battery") && !shown.contains("horse"), "{shown}");
    }

    #[test]
    fn a_changed_byte_is_noticed() {
        let (identity, public) = key();
        let sealed = seal(&escrowed(), &[public]).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(open(&identity, &changed).is_err(), "byte {at}");
        }
        assert!(open(&identity, &sealed[..sealed.len() - 1]).is_err());
    }

    #[test]
    fn nobody_is_no_recipient() {
        assert_eq!(seal(&escrowed(), &[]), Err(EscrowError::NoRecipient));
    }

    #[test_case(""; "nothing")]
    #[test_case("age1qqqq"; "half a key")]
    #[test_case("ssh-ed25519 AAAA"; "a key of ssh")]
    fn what_is_no_public_key_is_refused_by_name(recipient: &str) {
        let error = seal(&escrowed(), &[key().1, recipient.to_owned()]).unwrap_err().to_string();
        assert!(error.contains(&format!("{recipient:?}")) && error.contains("age1..."), "{error}");
    }

    #[test]
    fn a_private_key_is_never_taken_for_a_recipient_nor_shown() {
        let (identity, public) = key();
        let error = seal(&escrowed(), std::slice::from_ref(&identity)).unwrap_err().to_string();
        assert!(!error.contains(&identity) && error.contains("a private key"), "{error}");
        let error = open(&public, b"x").unwrap_err();
        assert!(matches!(error, EscrowError::Identity(_)), "{error}");
        assert!(matches!(open("# a comment\n", b"x"), Err(EscrowError::Identity(_))));
        let error = open(&identity, b"age-encryption.org/v1\n").unwrap_err().to_string();
        assert!(!error.contains(&identity), "{error}");
    }
}
