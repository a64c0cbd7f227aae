//! What is reported of a step of a deletion, and when it is looked at again.

use k8s_openapi::jiff::Timestamp;

use super::super::*;
use crate::api::Reason;

fn blocked(kind: ErrorKind) -> Result<DeletionWait, Blocked> {
    let error = WriteError { kind, object: "ServiceData/office".into(), message: "no".into() };
    Err(Blocked { step: "the date of its data cannot be recorded", error })
}

#[test]
fn a_deletion_that_is_refused_says_by_what_and_does_not_ask_in_a_loop() {
    let (verdict, next) = judge(0, Timestamp::UNIX_EPOCH, blocked(ErrorKind::Refused));
    let Some(Verdict::Stalled(problem)) = verdict else { panic!("{verdict:?}") };
    assert!(problem.is(Reason::DeletionBlocked), "{problem:?}");
    let expected =
        "being deleted since 1970-01-01T00:00:00Z: the date of its data cannot be recorded: ServiceData/office: no";
    assert_eq!(problem.message, expected);
    assert_eq!(next, Next::Blocked(Reason::Refused, FALLBACK));
}

#[test]
fn what_usually_passes_is_reported_only_when_it_stays() {
    assert_eq!(judge(0, Timestamp::UNIX_EPOCH, blocked(ErrorKind::Forbidden)), (None, Next::Retry(Reason::Forbidden)));
    let (verdict, next) = judge(PATIENCE, Timestamp::UNIX_EPOCH, blocked(ErrorKind::Forbidden));
    assert!(matches!(verdict, Some(Verdict::Stalled(_))), "a right that is missing comes by nobody: {verdict:?}");
    assert_eq!(next, Next::Retry(Reason::Forbidden));
    let (verdict, _) = judge(PATIENCE, Timestamp::UNIX_EPOCH, blocked(ErrorKind::Transient));
    assert!(matches!(verdict, Some(Verdict::Reconciling(_))), "{verdict:?}");
}

#[test]
fn a_deletion_that_ends_is_not_reported() {
    assert_eq!(judge(0, Timestamp::UNIX_EPOCH, Ok(of_others(&[]))), (None, Next::Wait));
}
