//! The key of a folder, sealed to people, at the target: before the first backup that only it opens.

use std::path::PathBuf;
use std::time::Duration;

use super::document::told;
use super::{Setting, document, prepare};
use commonscloud_backup::escrow::{ESCROW_PASSWORD, ESCROW_TAG, Escrowed, seal};
use commonscloud_backup::report::{Failure, FailureReason, Outcome};

/// Another folder's escrow may be making the repository that all share.
const TO_MAKE: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
pub struct Escrow {
    /// The folder at the target whose repositories the key opens.
    #[arg(long, value_parser = folder_name)]
    folder: String,
    /// A public key of age of somebody who may open it.
    #[arg(long, value_name = "AGE", required = true, num_args = 1..)]
    recipient: Vec<String>,
    /// The key.
    #[arg(long, value_name = "FILE", default_value = "/key/password")]
    key: PathBuf,
}

fn folder_name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("give the folder's name at the target: a-z, 0-9 and -".to_owned())
    }
}

/// Adds one each time: what is there can be opened with a private half alone, so nothing says that it is this key.
pub async fn escrow(setting: &Setting, wanted: Escrow) -> Result<Outcome, Failure> {
    let sealed = seal(&read(&wanted)?, &wanted.recipient)
        .map_err(|error| Failure::other(format!("folder {}: {error}", wanted.folder)))?;
    let setting = Setting { restic: setting.restic.clone().with_password(ESCROW_PASSWORD), ..setting.clone() };
    opened(&setting).await?;
    let file = format!("{}.age", wanted.folder);
    let tags = [ESCROW_TAG.to_owned(), format!("folder={}", wanted.folder)];
    document::store(&setting, &file, &sealed, &tags).await.map(|_| Outcome::Done)
}

/// The key as restic reads it: without the spaces around it.
fn read(wanted: &Escrow) -> Result<Escrowed, Failure> {
    let text = std::fs::read_to_string(&wanted.key).map_err(|error| told(&wanted.key, &error))?;
    match text.trim() {
        "" => Err(Failure::other(format!("{}: the key is empty", wanted.key.display()))),
        password => Ok(Escrowed { folder: wanted.folder.clone(), password: password.to_owned() }),
    }
}

/// Opens the repository of escrows, or makes it. Whatever a server calls it that refuses, another one may have made it
/// meanwhile.
async fn opened(setting: &Setting) -> Result<(), Failure> {
    match prepare::prepare(setting, prepare::Prepare::default()).await {
        Err(failure) if failure.reason != FailureReason::Unreachable => {
            setting.wait("another escrow to make the repository", tokio::time::sleep(TO_MAKE)).await?;
            prepare::prepare(setting, prepare::Prepare::default()).await.map(drop)
        }
        prepared => prepared.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test]
    fn a_folder_is_one() {
        assert_eq!(folder_name("garden-1a2b3c4d").unwrap(), "garden-1a2b3c4d");
    }

    #[test_case(""; "nothing")]
    #[test_case("a,b"; "two tags")]
    #[test_case("../garden"; "a path")]
    fn what_is_no_folder_is_refused(text: &str) {
        assert!(folder_name(text).is_err());
    }

    #[test]
    fn the_key_is_what_restic_takes_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("password");
        let wanted = Escrow { folder: "garden".to_owned(), recipient: Vec::new(), key: key.clone() };
        std::fs::write(&key, " correct horse\n").unwrap();
        assert_eq!(read(&wanted).unwrap().password, "correct horse");
        std::fs::write(&key, "\n").unwrap();
        assert!(read(&wanted).unwrap_err().message.contains("empty"));
    }
}
