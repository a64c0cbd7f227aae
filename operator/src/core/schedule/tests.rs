use jiff::ToSpan as _;
use proptest::prelude::*;
use test_case::test_case;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::new(cron, zone).unwrap()
}

#[test_case("0 1 * * *", "2026-11-30T00:59:59Z", "2026-11-30T01:00:00Z"; "once a day")]
#[test_case("0 1 * * *", "2026-11-30T01:00:00Z", "2026-12-01T01:00:00Z"; "strictly after")]
#[test_case("*/20 22-23 * * *", "2026-11-30T22:41:00Z", "2026-11-30T23:00:00Z"; "a step in a range of hours")]
#[test_case("5/25 0 * * *", "2026-11-30T00:06:00Z", "2026-11-30T00:30:00Z"; "a step from a value to the end")]
#[test_case("0 3 * * mon,THU", "2026-11-30T03:00:00Z", "2026-12-03T03:00:00Z"; "names of days in either case")]
#[test_case("0 3 * * 7", "2026-11-30T03:00:00Z", "2026-12-06T03:00:00Z"; "7 is Sunday")]
#[test_case("0 3 * * 0", "2026-11-30T03:00:00Z", "2026-12-06T03:00:00Z"; "0 is Sunday")]
#[test_case("0 3 13 * FRI", "2026-11-30T03:00:00Z", "2026-12-04T03:00:00Z"; "either field of days is enough")]
#[test_case("0 3 13 * *", "2026-11-30T03:00:00Z", "2026-12-13T03:00:00Z"; "a field that is all does not count")]
#[test_case("0 3 29 2 *", "2096-02-29T03:00:00Z", "2104-02-29T03:00:00Z"; "around a year that is no leap year")]
#[test_case("0 3 31 JAN,NOV-DEC *", "2026-11-30T03:00:00Z", "2026-12-31T03:00:00Z"; "a month without the day is passed over")]
fn the_next_time_is_the_first_one_after(cron: &str, after: &str, expected: &str) {
    assert_eq!(next(cron, "Etc/UTC", at(after)), Ok(at(expected)));
}

#[test_case("30 2 * * *", "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"; "what is left out in March comes an hour later")]
#[test_case("30 2 * * *", "2026-10-24T23:00:00Z", "2026-10-25T00:30:00Z"; "what comes twice in October comes at first")]
#[test_case("30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"; "and not once more")]
#[test_case("0 3 * * *", "2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z"; "summer begins an hour earlier")]
fn a_clock_that_is_turned_runs_it_once(cron: &str, after: &str, expected: &str) {
    assert_eq!(next(cron, "Europe/Madrid", at(after)), Ok(at(expected)));
}

#[test]
fn a_whole_day_that_a_zone_left_out_runs_on_the_next_one() {
    // Samoa went from the 29th to the 31st of December 2011.
    let apia = schedule("30 12 30 * *", "Pacific/Apia");
    assert_eq!(apia.next(at("2011-12-29T12:00:00Z")), Ok(at("2011-12-30T22:30:00Z")));
}

#[test_case("0 1 * *", "has not five fields"; "four fields")]
#[test_case("0  1 * * *", "has not five fields"; "two blanks")]
#[test_case("60 1 * * *", "minute: \"60\" is not valid; allowed: 0 to 59;"; "a minute")]
#[test_case("0 24 * * *", "hour: \"24\" is not valid; allowed: 0 to 23;"; "an hour")]
#[test_case("0 1 0 * *", "day of the month: \"0\" is not valid; allowed: 1 to 31;"; "a day")]
#[test_case("0 1 * FOO *", "month: \"FOO\" is not valid; allowed: 1 to 12, JAN to DEC;"; "a month")]
#[test_case("0 1 * * 8", "day of the week: \"8\" is not valid; allowed: 0 to 7, SUN to SAT;"; "a day of the week")]
#[test_case("*/0 1 * * *", "minute: \"*/0\" is not valid"; "a step of nothing")]
#[test_case("5-1 1 * * *", "minute: \"5-1\" is not valid"; "a range the wrong way round")]
#[test_case("1,,2 1 * * *", "minute: \"\" is not valid"; "an empty item")]
#[test_case("0 1 30 2 *", "names a day that no year has"; "30 February")]
#[test_case("0 1 31 4,6,9,11 *", "names a day that no year has"; "31 of short months")]
fn what_is_no_schedule_says_which_field(cron: &str, words: &str) {
    let error = next(cron, "Etc/UTC", at("2026-11-30T00:00:00Z")).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn a_zone_that_nobody_knows_is_named() {
    let error = next("0 1 * * *", "Europe/Lleida", Timestamp::UNIX_EPOCH).unwrap_err();
    assert_eq!(error, ScheduleError::Zone("Europe/Lleida".to_owned()));
}

#[test]
fn nothing_follows_the_last_time_that_can_be_written() {
    assert_eq!(next("0 1 * * *", "Etc/UTC", Timestamp::MAX), Err(ScheduleError::TooFar));
    assert_eq!(schedule("0 1 * * *", "Etc/UTC").last(Timestamp::MIN), None);
}

#[test_case("0 1 * * *", Ok(()); "once a day is 24 hours")]
#[test_case("0 */2 * * *", Ok(()); "each two hours")]
#[test_case("*/30 * * * *", Err(ScheduleError::TooOften { found: 30, allowed: 60 }); "too often")]
#[test_case("30 23 * * *", Ok(()); "once a day, late")]
#[test_case("0 1 * * MON-FRI", Err(ScheduleError::TooRare { found: 72, allowed: 24 }); "not on Sundays")]
#[test_case("0 1,2 * * *", Ok(()); "twice a day within 24 hours")]
#[test_case("0 1 1 * *", Err(ScheduleError::TooRare { found: 744, allowed: 24 }); "once a month")]
#[test_case("0 1 29 2 *", Err(ScheduleError::TooRare { found: 35064, allowed: 24 }); "once in four years")]
fn a_choice_is_held_to_the_bounds(cron: &str, expected: Result<(), ScheduleError>) {
    assert_eq!(schedule(cron, "Europe/Madrid").within(ScheduleBounds::default()), expected);
}

#[test]
fn a_window_ends_where_the_next_one_begins() {
    assert_eq!(schedule("0 1 * * *", "Etc/UTC").window(240), SignedDuration::from_mins(240));
    assert_eq!(schedule("0 * * * *", "Etc/UTC").window(240), SignedDuration::from_mins(60));
}

#[test]
fn the_runs_of_many_are_spread_over_the_window() {
    let window = SignedDuration::from_mins(240);
    let mut quarters = [0; 4];
    for entity in 0..1000 {
        let at = offset(window, &format!("e{entity}-0a1b2c3d"), "office");
        assert!(at >= SignedDuration::ZERO && at < window);
        assert_eq!(at, offset(window, &format!("e{entity}-0a1b2c3d"), "office"));
        quarters[usize::try_from(at.as_mins() / 60).unwrap()] += 1;
    }
    assert!(quarters.iter().all(|count| (200..300).contains(count)), "{quarters:?}");
    assert_ne!(offset(window, "a", "bc"), offset(window, "ab", "c"));
}

fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    let value = low..=high;
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => value.clone().prop_map(|one| one.to_string()),
        1 => (value.clone(), 1_u32..9).prop_map(|(from, step)| format!("{from}/{step}")),
        1 => (value.clone(), value).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (1_u32..9).prop_map(|step| format!("*/{step}")),
    ]
}

/// What a field of a generated cron names, worked out from its text alone.
fn names(field: &str, value: i8, high: i8) -> bool {
    let number = |text: &str| text.parse::<i8>().unwrap();
    match (field.split_once('/'), field.split_once('-')) {
        _ if field == "*" => true,
        (Some(("*", step)), _) => (value - i8::from(high == 12 || high == 31)) % number(step) == 0,
        (Some((from, step)), _) => value >= number(from) && (value - number(from)) % number(step) == 0,
        (None, Some((from, to))) => (number(from)..=number(to)).contains(&value),
        (None, None) => number(field) == value,
    }
}

proptest! {
    #[test]
    fn no_minute_between_is_passed_over(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 28), month in field(1, 12), weekday in field(0, 6),
        start in 1_700_000_000_i64..1_900_000_000,
    ) {
        let text = format!("{minute} {hour} {day} {month} {weekday}");
        let after = Timestamp::from_second(start).unwrap();
        let found = schedule(&text, "Etc/UTC").next(after).unwrap();
        let is_named = |time: Timestamp| {
            let time = time.to_zoned(TimeZone::UTC);
            let on_day = names(&day, time.day(), 31);
            let on_weekday = names(&weekday, time.weekday().to_sunday_zero_offset(), 6);
            let is_all = |field: &str| field == "*" || field == "*/1";
            let is_on = if is_all(&day) || is_all(&weekday) { on_day && on_weekday } else { on_day || on_weekday };
            names(&minute, time.minute(), 59) && names(&hour, time.hour(), 23) && names(&month, time.month(), 12) && is_on
        };
        prop_assert!(found > after && is_named(found), "{text} after {after}: {found}");
        let mut between = Timestamp::from_second(start.div_euclid(60) * 60 + 60).unwrap();
        // A year of minutes is enough to be slow: what is farther away is looked at for two days.
        for _ in 0..2880 {
            if between >= found {
                break;
            }
            prop_assert!(!is_named(between), "{text} after {after}: {between}, not {found}");
            between += 1.minute();
        }
    }

    #[test]
    fn the_last_time_until_the_next_one_is_that_one_and_before_it_the_former(
        minute in field(0, 59), hour in field(0, 23), start in 1_700_000_000_i64..1_900_000_000,
        zone in prop_oneof![Just("Europe/Madrid"), Just("America/St_Johns"), Just("Australia/Lord_Howe"), Just("Etc/UTC")],
    ) {
        let schedule = schedule(&format!("{minute} {hour} * * *"), zone);
        let after = Timestamp::from_second(start).unwrap();
        let next = schedule.next(after).unwrap();
        prop_assert_eq!(schedule.last(next), Some(next));
        let former = schedule.last(after).unwrap();
        prop_assert!(former <= after && after < next);
        prop_assert_eq!(schedule.next(former).unwrap(), next);
    }

    #[test]
    fn no_text_stops_the_operator(cron in "[-0-9A-Za-z*/,]{1,6}( [-0-9A-Za-z*/,]{1,6}){4}", zone in ".{0,12}") {
        if let Ok(found) = next(&cron, &zone, Timestamp::UNIX_EPOCH) {
            prop_assert!(found > Timestamp::UNIX_EPOCH);
        }
        let _ = next(&cron, "Etc/UTC", Timestamp::UNIX_EPOCH);
    }
}

#[test]
fn how_often_a_schedule_comes_within_some_days_is_by_its_longest_pause() {
    let times = |cron: &str, days| schedule(cron, "Europe/Madrid").times_within(days);
    assert_eq!(times("0 6 * * *", 28), 28);
    assert_eq!(times("0 6 * * 1", 28), 4);
    assert_eq!(times("0 6,18 * * *", 1), 2);
    assert_eq!(times("0 6 1 * *", 7), 1, "rarer than that");
}
