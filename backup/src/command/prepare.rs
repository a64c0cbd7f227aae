//! Before anything is made quiet: is the target there, is it ours, is it open.

use std::time::Duration;

use super::{Setting, snapshot_id, without_stale_locks};
use commonscloud_backup::exit::is_recipient;
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::{Call, Config, Initialized, Version};

/// A target that does not answer by then is not reachable.
const PROBE: Duration = Duration::from_secs(20);
/// What is said of one; what was given is not, since it may be a private key.
const NO_RECIPIENT: &str =
    "spec.recipient: it is no public key of age; give the whole of what age-keygen shows (age1...)";

#[derive(Debug, Default, clap::Args)]
pub struct Prepare {
    /// Take all locks away: whoever calls knows that nobody is at work.
    #[arg(long)]
    unlock: bool,
    /// Take away locks that nobody has renewed for half an hour.
    #[arg(long, conflicts_with = "unlock")]
    unlock_stale: bool,
    /// The id that the repository has. Without, it is made where there is none.
    #[arg(long, value_name = "ID", value_parser = snapshot_id)]
    expect: Option<String>,
    /// The public key of age that a package is to be sealed to: what is none is refused before anything begins.
    #[arg(long, value_name = "AGE")]
    recipient: Option<String>,
}

impl Prepare {
    /// Of a repository for which nobody knows an id, and in which others died.
    pub fn without_stale_locks() -> Self {
        Self { unlock_stale: true, ..Self::default() }
    }
}

/// Whether somebody can open what is sealed to it.
pub fn is_known(recipient: &str) -> Result<(), Failure> {
    if is_recipient(recipient) { Ok(()) } else { Err(Failure::other(NO_RECIPIENT)) }
}

pub async fn prepare(setting: &Setting, wanted: Prepare) -> Result<Outcome, Failure> {
    prepare_with(setting, wanted, Call::new("init")).await
}

/// The same; `make` makes the repository.
pub async fn prepare_with(setting: &Setting, wanted: Prepare, make: Call) -> Result<Outcome, Failure> {
    if let Some(recipient) = &wanted.recipient {
        is_known(recipient)?;
    }
    let Version { version } = setting.run(Call::new("version")).await?.last("version")?;
    let probe = setting.restic.run(config().arg("--no-lock"), PROBE.min(setting.left())).await;
    let repository = match (probe, wanted.expect) {
        (Ok(answer), expected) => {
            let Config { id } = answer.document()?;
            is_the_same(&id, expected.as_deref())?;
            if wanted.unlock_stale {
                without_stale_locks(setting).await?;
            }
            open(setting, wanted.unlock).await?;
            id
        }
        (Err(failure), Some(expected)) if failure.reason == FailureReason::NoRepository => {
            let message = format!("repository {expected} is not there any more: {}", failure.message);
            return Err(Failure::new(FailureReason::NoRepository, message));
        }
        (Err(failure), None) if failure.reason == FailureReason::NoRepository => init(setting, make).await?,
        (Err(failure), _) => return Err(failure),
    };
    Ok(Outcome::Prepared { repository, restic: version })
}

fn config() -> Call {
    Call::new("cat").arg("config")
}

fn is_the_same(id: &str, expected: Option<&str>) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != id => {
            let message = format!(
                "the repository at the target is {id}, and the one of former runs was {expected}: look who replaced it"
            );
            Err(Failure::new(FailureReason::RepositoryReplaced, message))
        }
        _ => Ok(()),
    }
}

/// With a lock, as the snapshots after it: what keeps them from theirs is known now.
async fn open(setting: &Setting, unlock: bool) -> Result<(), Failure> {
    if unlock {
        setting.run(Call::new("unlock").arg("--remove-all")).await?;
    }
    setting.run(config()).await.map(drop)
}

async fn init(setting: &Setting, call: Call) -> Result<String, Failure> {
    let made = setting.run(call).await.map_err(|failure| match failure.reason {
        FailureReason::NoRepository => Failure::new(
            FailureReason::NoRepository,
            format!("{}; a repository with keys and without a config was killed while it was made, or lost its config: look into its folder at the target, and remove it where it has no snapshots", failure.message),
        ),
        _ => failure,
    })?;
    made.last("initialized").map(|Initialized { id }| id)
}
