//! The life of data as tables: every pair of what is recorded and what is found, every state, every clock.

use proptest::prelude::*;
use test_case::test_case;

use super::*;

const OURS: Found<'_> = Found::Ours { uid: "u", settled: true, deleting: false };
const PENDING: Found<'_> = Found::Ours { uid: "u", settled: false, deleting: false };
const LEAVING: Found<'_> = Found::Ours { uid: "u", settled: true, deleting: true };
const OTHER: Found<'_> = Found::Ours { uid: "v", settled: true, deleting: false };

#[test_case(Recorded::Not, Found::Nothing => Fate::Make; "what was never recorded is made")]
#[test_case(Recorded::Named, Found::Nothing => Fate::Make; "killed between the record and the volume")]
#[test_case(Recorded::Uid("u"), Found::Nothing => Fate::Missing; "what was recorded and is gone is not made again")]
#[test_case(Recorded::Unverified, Found::Nothing => Fate::Unverified; "nobody can tell")]
#[test_case(Recorded::Uid("u"), OTHER => Fate::Replaced; "another one in its place")]
#[test_case(Recorded::Uid("u"), Found::Foreign => Fate::Replaced; "somebody else's in its place")]
#[test_case(Recorded::Not, Found::Foreign => Fate::Foreign; "somebody else's")]
#[test_case(Recorded::Unverified, Found::Foreign => Fate::Foreign; "somebody else's by an earlier release")]
#[test_case(Recorded::Named, PENDING => Fate::Wait; "not bound yet")]
#[test_case(Recorded::Named, OURS => Fate::Record; "killed between the volume and its uid")]
#[test_case(Recorded::Unverified, OURS => Fate::Record; "an earlier release's")]
#[test_case(Recorded::Uid("u"), OURS => Fate::Keep; "the recorded one")]
#[test_case(Recorded::Uid("u"), PENDING => Fate::Keep; "the recorded one whose volume is lost is another report's")]
#[test_case(Recorded::Uid("u"), LEAVING => Fate::BeingDeleted; "being deleted")]
#[test_case(Recorded::Not, LEAVING => Fate::BeingDeleted; "being deleted before it was recorded")]
fn what_follows(recorded: Recorded<'_>, found: Found<'_>) -> Fate {
    fate(recorded, found)
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn used() -> Facts {
    Facts { instance_exists: true, anything_exists: true, was_used: true, ..Facts::default() }
}

fn kept() -> Facts {
    Facts { instance_exists: false, keep_until: Some(time("2027-02-27T00:00:00Z")), ..used() }
}

#[test_case(&Facts { instance_exists: true, ..Facts::default() }, None => State::Planned)]
#[test_case(&Facts { was_used: false, ..used() }, None => State::Made; "no application was ready yet")]
#[test_case(&used(), None => State::InUse)]
#[test_case(&Facts { keep_until: Some(time("2020-01-01T00:00:00Z")), ..used() }, Some(time("2026-11-29T00:00:00Z")) => State::InUse; "an instance on its way out uses it until it is gone")]
#[test_case(&Facts { mark: Some(Mark::Restoring), ..used() }, None => State::Restoring)]
#[test_case(&Facts { mark: Some(Mark::Restoring), ..kept() }, Some(time("2028-01-01T00:00:00Z")) => State::Restoring; "what is restored is never due")]
#[test_case(&Facts { keep_until: None, ..kept() }, Some(time("2028-01-01T00:00:00Z")) => State::KeptUntil; "without a date nothing is due")]
#[test_case(&kept(), Some(time("2027-02-26T23:59:59Z")) => State::KeptUntil)]
#[test_case(&kept(), Some(time("2027-02-27T00:00:00Z")) => State::Due)]
#[test_case(&kept(), None => State::KeptUntil; "without a time on which all agree nothing is due")]
#[test_case(&Facts { mark: Some(Mark::Purged), ..kept() }, None => State::Purged)]
fn states(facts: &Facts, now: Option<Timestamp>) -> State {
    state(facts, now)
}

fn clocks() -> Clocks {
    Clocks {
        server: time("2027-03-01T12:00:30Z"),
        own: time("2027-03-01T12:00:00Z"),
        own_at_start: time("2027-03-01T00:00:00Z"),
        passed: Duration::from_hours(12),
        newest_seen: Some(time("2027-03-01T12:00:31Z")),
    }
}

#[test]
fn clocks_that_agree_give_the_earliest_time() {
    assert_eq!(agreed(&clocks()), Ok(time("2027-03-01T12:00:00Z")));
}

#[test]
fn a_clock_that_was_set_makes_nothing_due() {
    let server = Clocks { server: time("2028-03-01T12:00:00Z"), newest_seen: None, ..clocks() };
    assert!(matches!(agreed(&server), Err(ClocksDisagree::Server { .. })));
    let both = Clocks { own: time("2028-03-01T12:00:00Z"), ..server };
    assert!(matches!(agreed(&both), Err(ClocksDisagree::Own { .. })), "one machine's clock is both");
    let back = Clocks { newest_seen: Some(time("2027-03-02T00:00:00Z")), ..clocks() };
    assert!(matches!(agreed(&back), Err(ClocksDisagree::SetBack { .. })));
    assert_eq!(
        agreed(&both).unwrap_err().to_string(),
        "the operator's clock has moved by 8796h since it started, and 12h have passed"
    );
}

proptest! {
    /// However one clock or two of them are set, nothing becomes due that is not due by the clock
    /// that nobody set.
    #[test]
    fn a_date_passes_only_when_it_has_passed(
        after_start in 0_i64..400 * 86_400, left in 1_i64..400 * 86_400,
        server_off in -800_i64 * 86_400..800 * 86_400, own_off in -800_i64 * 86_400..800 * 86_400,
    ) {
        let start = time("2026-11-29T00:00:00Z");
        let after = |seconds: i64| start.checked_add(SignedDuration::from_secs(seconds)).unwrap();
        let until = after(after_start + TOLERANCE.as_secs() + left);
        let clocks = Clocks {
            server: after(after_start + server_off),
            own: after(after_start + own_off),
            own_at_start: start,
            passed: Duration::from_secs(after_start.unsigned_abs()),
            newest_seen: None,
        };
        let facts = Facts { keep_until: Some(until), ..Facts::default() };
        prop_assert_eq!(state(&facts, agreed(&clocks).ok()), State::KeptUntil);
    }
}

fn organisation<'a>(uid: &'a str, name: &'a str, domains: &'a [String], managers: &'a [String]) -> Organisation<'a> {
    Organisation { uid: Some(uid), display_name: name, domains: Some(domains), managers: Some(managers) }
}

#[test]
fn an_entity_applied_again_as_it_was_is_the_same_and_one_that_differs_is_not() {
    let list = |items: &[&str]| items.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>();
    let (domains, turned) = (list(&["a.example", "b.example"]), list(&["b.example", "a.example"]));
    let (maria, stranger) = (list(&["maria"]), list(&["stranger"]));
    let recorded = organisation("old", "Hort", &domains, &maria);
    assert!(is_same(&recorded, &organisation("new", "Hort", &turned, &maria)), "the same manifest again");
    assert!(is_same(&recorded, &organisation("old", "L'Hort", &[], &stranger)), "a living Entity may be edited");
    assert!(!is_same(&recorded, &organisation("new", "L'Hort", &domains, &maria)));
    assert!(!is_same(&recorded, &organisation("new", "Hort", &domains[..1], &maria)));
    assert!(!is_same(&recorded, &organisation("new", "Hort", &domains, &stranger)));
    let of_annotation = Organisation { uid: None, domains: None, managers: None, ..recorded };
    assert!(is_same(&of_annotation, &organisation("new", "Hort", &[], &stranger)), "what is not recorded");
    assert!(!is_same(&of_annotation, &Organisation { uid: None, ..organisation("", "Other", &[], &[]) }));
}
