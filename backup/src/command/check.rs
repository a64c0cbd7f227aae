//! Reads a part of the repository, and says what of it is damaged.

use std::str::FromStr;

use super::{Setting, without_stale_locks};
use commonscloud_backup::escrow::ESCROW_PASSWORD;
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::{Call, Check, FAILED};

#[derive(Debug, clap::Args)]
pub struct Reading {
    /// The part that is read: the first of n, the second, and so on.
    #[arg(long, value_name = "n/t")]
    subset: Subset,
    /// The repository is that of the sealed keys, whose password everybody knows.
    #[arg(long)]
    escrow: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Subset {
    at: u16,
    of: u16,
}

impl FromStr for Subset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(at, of)| Some((at.parse().ok()?, of.parse().ok()?)));
        match numbers {
            // restic takes no more parts.
            Some((at, of)) if (1..=of).contains(&at) && of <= 256 => Ok(Self { at, of }),
            _ => Err("give n/t, with n from 1 to t and t at most 256, for example 3/30".to_owned()),
        }
    }
}

pub async fn check(setting: &Setting, wanted: Reading) -> Result<Outcome, Failure> {
    let Subset { at, of } = wanted.subset;
    let mut setting = setting.clone();
    if wanted.escrow {
        setting.restic = setting.restic.with_password(ESCROW_PASSWORD);
        // Nothing was prepared: what is not there is not to be made.
        without_stale_locks(&setting).await?;
    }
    let call = Call::new("check").arg(format!("--read-data-subset={at}/{of}")).tolerates(FAILED);
    let answer = setting.run(call).await?;
    match &answer.failure {
        None => Ok(Outcome::Checked { damaged: Vec::new() }),
        Some(failure) => found(failure, answer.last("summary").ok()),
    }
}

/// What is damaged; whatever else kept restic from reading says nothing about that.
fn found(failure: &Failure, summary: Option<Check>) -> Result<Outcome, Failure> {
    match (failure.reason, summary) {
        (FailureReason::Damaged, Some(Check { broken_packs: Some(packs), .. })) if !packs.is_empty() => {
            Ok(Outcome::Checked { damaged: packs })
        }
        // No pack of its own, but an index or a snapshot that names what is not there.
        (FailureReason::Damaged, Some(_)) => Ok(Outcome::Checked { damaged: vec![failure.message.clone()] }),
        _ => Err(failure.clone()),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("1/1"; "all of it")]
    #[test_case("30/30"; "the last")]
    fn a_part_is_read(text: &str) {
        let Subset { at, of } = text.parse().unwrap();
        assert_eq!(format!("{at}/{of}"), text);
    }

    #[test_case("0/30")]
    #[test_case("31/30")]
    #[test_case("1/257")]
    #[test_case("10%")]
    #[test_case("")]
    fn what_is_no_part_is_refused(text: &str) {
        assert!(text.parse::<Subset>().unwrap_err().contains("3/30"));
    }

    fn summary(packs: &[&str]) -> Check {
        Check { broken_packs: Some(packs.iter().map(|pack| (*pack).to_owned()).collect()) }
    }

    #[test]
    fn damage_is_told_by_the_packs_it_is_in_or_in_words() {
        let failure = Failure::new(FailureReason::Damaged, "snapshot 1 names what is not there");
        let damaged = |summary| match found(&failure, summary) {
            Ok(Outcome::Checked { damaged }) => damaged,
            other => panic!("{other:?}"),
        };
        assert_eq!(damaged(Some(summary(&["aa"]))), ["aa"]);
        assert_eq!(damaged(Some(summary(&[]))), ["snapshot 1 names what is not there"]);
        assert!(found(&failure, None).is_err(), "it did not come to its end");
    }

    #[test_case(FailureReason::CredentialsRefused; "of credentials")]
    #[test_case(FailureReason::Unreachable; "of the network")]
    #[test_case(FailureReason::Other; "of anything else")]
    fn what_could_not_be_read_is_not_damaged(reason: FailureReason) {
        let failure = Failure::new(reason, "403 Forbidden");
        for summary in [Some(summary(&[])), Some(summary(&["aa"])), None] {
            assert_eq!(found(&failure, summary), Err(failure.clone()));
        }
    }
}
