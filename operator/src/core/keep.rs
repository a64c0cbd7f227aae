//! Which backups are given up.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::api::KeepRule;

/// Days of the longest month.
const MONTH: u32 = 31;

/// A backup that a run recorded. What no run recorded is nobody's here, and so never given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The id of its snapshot.
    pub snapshot: String,
    /// When the data was as it has it, by the operator's time.
    pub taken_at: Timestamp,
    /// Whether it was restored, started and found equal.
    pub is_proven: bool,
}

/// A day, a week or a month, in UTC.
type Period = (i16, i16);

/// The snapshots that a rule gives up: never the newest one, nor the newest proven one, nor one whose time has not
/// come by this clock.
pub fn given_up(runs: &[Recorded], rule: KeepRule, now: Timestamp) -> Vec<String> {
    let mut past: Vec<&Recorded> = runs.iter().filter(|run| run.taken_at <= now).collect();
    past.sort_by(|a, b| (b.taken_at, &b.snapshot).cmp(&(a.taken_at, &a.snapshot)));
    let newest = past.iter().take(count(rule.last).max(1));
    let proven = past.iter().find(|run| run.is_proven);
    let mut kept: BTreeSet<&str> = newest.chain(proven).map(|run| run.snapshot.as_str()).collect();
    kept.extend(last_of(&past, rule.daily, day));
    kept.extend(last_of(&past, rule.weekly, week));
    kept.extend(last_of(&past, rule.monthly, month));
    past.iter().map(|run| &run.snapshot).filter(|snapshot| !kept.contains(snapshot.as_str())).cloned().collect()
}

/// Of a service that is gone, those that are older than the rule would hold any of a service that goes on: all but the
/// newest proven one. Whatever the rule says, none of the last month.
pub fn outlived(runs: &[Recorded], rule: KeepRule, now: Timestamp) -> Vec<String> {
    let days = [rule.daily, rule.weekly.saturating_mul(7), rule.monthly.saturating_mul(MONTH)].into_iter();
    let days = days.fold(MONTH, u32::max);
    let proven = runs.iter().filter(|run| run.is_proven).max_by_key(|run| (run.taken_at, &run.snapshot));
    let is_old = |run: &&Recorded| now.duration_since(run.taken_at) > SignedDuration::from_hours(24 * i64::from(days));
    let old = runs.iter().filter(is_old).filter(|run| proven.is_none_or(|proven| proven.snapshot != run.snapshot));
    old.map(|run| run.snapshot.clone()).collect()
}

/// The newest of each of the newest so many periods that have any.
fn last_of<'a>(newest_first: &[&'a Recorded], periods: u32, of: fn(Timestamp) -> Period) -> Vec<&'a str> {
    let mut firsts = newest_first.to_vec();
    firsts.dedup_by_key(|run| of(run.taken_at));
    firsts.into_iter().take(count(periods)).map(|run| run.snapshot.as_str()).collect()
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn day(time: Timestamp) -> Period {
    let date = TimeZone::UTC.to_datetime(time).date();
    (date.year(), date.day_of_year())
}

fn week(time: Timestamp) -> Period {
    let week = TimeZone::UTC.to_datetime(time).date().iso_week_date();
    (week.year(), i16::from(week.week()))
}

fn month(time: Timestamp) -> Period {
    let date = TimeZone::UTC.to_datetime(time).date();
    (date.year(), i16::from(date.month()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const DAY: i64 = 86_400;

    fn recorded(snapshot: &str, taken_at: i64, is_proven: bool) -> Recorded {
        Recorded { snapshot: snapshot.to_owned(), taken_at: Timestamp::from_second(taken_at).unwrap(), is_proven }
    }

    fn now() -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }

    #[test]
    fn a_year_of_nights_comes_to_what_the_rule_says() {
        let nights: Vec<Recorded> =
            (0..365).map(|night| recorded(&format!("{night:03}"), NOW - night * DAY, false)).collect();
        let gone = given_up(&nights, KeepRule::default(), now());
        let kept: Vec<&str> =
            nights.iter().map(|run| run.snapshot.as_str()).filter(|name| !gone.contains(&(*name).to_owned())).collect();
        // Friday, 15 January 2027: seven nights, then the Sundays of three more weeks, then the ends of months.
        assert_eq!(kept[..7], ["000", "001", "002", "003", "004", "005", "006"]);
        assert_eq!(kept[7..10], ["012", "015", "019"], "a Sunday, the last of December, a Sunday");
        assert_eq!(kept.len(), 7 + 3 + 11, "{kept:?}");
    }

    #[test]
    fn two_of_one_day_are_one_and_the_later_stays() {
        let rule = KeepRule { last: 1, daily: 2, weekly: 0, monthly: 0 };
        let noon = NOW - NOW % DAY + DAY / 2 - DAY;
        let runs =
            [recorded("noon", noon, false), recorded("dawn", noon - 100, false), recorded("before", noon - DAY, false)];
        assert_eq!(given_up(&runs, rule, now()), ["dawn"]);
    }

    #[test]
    fn of_a_service_that_is_gone_the_newest_proven_one_outlives_the_rule() {
        let runs = [
            recorded("proven", NOW - 500 * DAY, true),
            recorded("earlier", NOW - 600 * DAY, true),
            recorded("old", NOW - 373 * DAY, false),
            recorded("newest", NOW - 371 * DAY, false),
        ];
        assert_eq!(outlived(&runs, KeepRule::default(), now()), ["earlier", "old"]);
        let little = KeepRule { last: 1, daily: 0, weekly: 0, monthly: 0 };
        assert_eq!(outlived(&runs, little, now()), ["earlier", "old", "newest"]);
        assert_eq!(outlived(&[recorded("young", NOW - 30 * DAY, false)], little, now()), Vec::<String>::new());
    }

    fn runs() -> impl Strategy<Value = Vec<Recorded>> {
        let one = (NOW - 800 * DAY..NOW + 3 * DAY, any::<bool>());
        prop::collection::vec(one, 0..60).prop_map(|all| {
            all.into_iter().enumerate().map(|(id, (at, proven))| recorded(&format!("s{id}"), at, proven)).collect()
        })
    }

    fn rule() -> impl Strategy<Value = KeepRule> {
        (0_u32..5, 0_u32..9, 0_u32..9, 0_u32..9).prop_map(|(last, daily, weekly, monthly)| KeepRule {
            last,
            daily,
            weekly,
            monthly,
        })
    }

    proptest! {
        #[test]
        fn what_must_stay_is_never_given_up(runs in runs(), rule in rule()) {
            let gone = given_up(&runs, rule, now());
            let past = || runs.iter().filter(|run| run.taken_at <= now());
            let newest = past().map(|run| run.taken_at).max();
            let proven = past().filter(|run| run.is_proven).map(|run| run.taken_at).max();
            let stays = |at: Option<Timestamp>| at.is_none_or(|at| past().any(|run| run.taken_at == at && !gone.contains(&run.snapshot)));
            prop_assert!(stays(newest), "the newest");
            prop_assert!(stays(proven), "the newest proven one");
            for run in runs.iter().filter(|run| run.taken_at > now()) {
                prop_assert!(!gone.contains(&run.snapshot), "of a time that has not come");
            }
            prop_assert!(gone.iter().all(|gone| runs.iter().any(|run| run.snapshot == *gone)), "what is recorded alone");
            let last = usize::try_from(rule.last).unwrap();
            prop_assert!(past().count() - gone.len() >= last.min(past().count()));
        }

        #[test]
        fn what_stays_stays_when_nothing_comes(runs in runs(), rule in rule()) {
            let gone = given_up(&runs, rule, now());
            let left: Vec<Recorded> = runs.into_iter().filter(|run| !gone.contains(&run.snapshot)).collect();
            prop_assert_eq!(given_up(&left, rule, now()), Vec::<String>::new());
        }

        #[test]
        fn a_larger_rule_gives_up_nothing_more(runs in runs(), rule in rule(), more in 0_usize..4) {
            let gone = given_up(&runs, rule, now());
            let mut larger = rule;
            let fields = [&mut larger.last, &mut larger.daily, &mut larger.weekly, &mut larger.monthly];
            if let Some(field) = fields.into_iter().nth(more) {
                *field += 1;
            }
            prop_assert!(given_up(&runs, larger, now()).iter().all(|snapshot| gone.contains(snapshot)));
        }
    }
}
