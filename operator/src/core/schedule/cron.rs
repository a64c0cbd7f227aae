//! Five fields of cron, as Kubernetes reads them in CronJobs.

use std::ops::{Range, RangeInclusive};

use jiff::civil::{Date, Time};

use super::ScheduleError;

/// In these years all there is to days of the month, weeks and leap years has been.
const CYCLE: Range<i16> = 2001..2029;
/// The days of these years: whole weeks.
const DAYS: i64 = 28 * 1461 / 4;
/// Minutes of a day.
const MINUTES: i64 = 24 * 60;

/// Five fields of cron.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: u64,
    hours: u64,
    days: Days,
    months: u64,
    weekdays: Days,
}

/// One of the two fields that name days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Days {
    named: u64,
    /// Whether the field is `*`.
    all: bool,
}

struct Field {
    name: &'static str,
    range: RangeInclusive<u32>,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", range: 0..=59, names: &[] };
const HOUR: Field = Field { name: "hour", range: 0..=23, names: &[] };
const DAY: Field = Field { name: "day of the month", range: 1..=31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    range: 1..=12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
/// 7 is Sunday as well.
const WEEKDAY: Field =
    Field { name: "day of the week", range: 0..=7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };

impl Cron {
    /// The fields of a text.
    pub(super) fn read(text: &str) -> Result<Self, ScheduleError> {
        let fields: Vec<&str> = text.split(' ').collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(ScheduleError::Fields { cron: text.to_owned() });
        };
        let is_all = |field: &str| matches!(field, "*" | "*/1");
        let weekdays = WEEKDAY.read(weekday)?;
        let sunday = (weekdays >> 7) & 1;
        Ok(Self {
            minutes: MINUTE.read(minute)?,
            hours: HOUR.read(hour)?,
            days: Days { named: DAY.read(day)?, all: is_all(day) },
            months: MONTH.read(month)?,
            weekdays: Days { named: (weekdays & 0x7f) | sunday, all: is_all(weekday) },
        })
    }

    /// Whether it names this day.
    pub(super) fn is_on(&self, date: Date) -> bool {
        self.names(date.month(), date.day(), date.weekday().to_sunday_zero_offset())
    }

    /// Where both fields of days are given, one of them is enough.
    fn names(&self, month: i8, day: i8, weekday: i8) -> bool {
        let has = |set: u64, value: i8| u32::try_from(value).is_ok_and(|value| (set >> value) & 1 == 1);
        let (day, weekday) = (has(self.days.named, day), has(self.weekdays.named, weekday));
        let is_day = if self.days.all || self.weekdays.all { day && weekday } else { day || weekday };
        has(self.months, month) && is_day
    }

    /// The times of each of its days, in order.
    pub(super) fn times(&self) -> impl Iterator<Item = Time> {
        let bits = |set: u64, end: i8| (0..end).filter(move |bit| (set >> bit) & 1 == 1);
        let (hours, minutes) = (self.hours, self.minutes);
        bits(hours, 24)
            .flat_map(move |hour| bits(minutes, 60).filter_map(move |minute| Time::new(hour, minute, 0, 0).ok()))
    }

    /// Its days of one whole cycle, counted from the first day of that.
    fn dates(&self) -> Vec<i64> {
        let months = CYCLE.flat_map(|year| (1..=12).filter_map(move |month| Date::new(year, month, 1).ok()));
        let all = months.flat_map(|first| (1..=first.days_in_month()).map(move |day| (first.month(), day)));
        // The first one is a Monday.
        let weekdays = [1, 2, 3, 4, 5, 6, 0].into_iter().cycle();
        let days = (0..).zip(all.zip(weekdays));
        days.filter(|(_, ((month, day), weekday))| self.names(*month, *day, *weekday)).map(|(at, _)| at).collect()
    }

    /// The shortest and the longest time between two of it, in minutes, by a clock that nobody turns; none where no
    /// year has a day of it.
    pub(super) fn distances(&self) -> Option<(i64, i64)> {
        let times: Vec<i64> = self.times().map(|time| i64::from(time.hour()) * 60 + i64::from(time.minute())).collect();
        let (first, last) = (*times.first()?, *times.last()?);
        let days = self.dates();
        let round = days.first()? + DAYS;
        let next = days.iter().skip(1).copied().chain([round]);
        let between_days = days.iter().zip(next).map(|(day, next)| (next - day) * MINUTES - last + first);
        let in_day = times.windows(2).map(|pair| pair[1] - pair[0]);
        between_days.chain(in_day).fold(None, |found: Option<(i64, i64)>, distance| {
            let (shortest, longest) = found.unwrap_or((distance, distance));
            Some((shortest.min(distance), longest.max(distance)))
        })
    }
}

impl Field {
    /// The values that a list names, as bits.
    fn read(&self, text: &str) -> Result<u64, ScheduleError> {
        text.split(',').try_fold(0, |set, item| Ok(set | self.item(item).ok_or_else(|| self.error(item))?))
    }

    fn item(&self, item: &str) -> Option<u64> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let (first, last) = match (range.split_once('-'), step) {
            _ if range == "*" => (*self.range.start(), self.last()),
            (Some((first, last)), _) => (self.value(first)?, self.value(last)?),
            (None, Some(_)) => (self.value(range)?, self.last()),
            (None, None) => (self.value(range)?, self.value(range)?),
        };
        if first > last {
            return None;
        }
        Some((first..=last).step_by(step.unwrap_or(1)).fold(0_u64, |set, value| set | (1_u64 << value)))
    }

    /// The last value of `*`: Sunday is in it once.
    fn last(&self) -> u32 {
        if self.name == WEEKDAY.name { 6 } else { *self.range.end() }
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(position) => u32::try_from(position).ok()? + *self.range.start(),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok()?,
            None => return None,
        };
        self.range.contains(&number).then_some(number)
    }

    fn error(&self, item: &str) -> ScheduleError {
        let names = match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!(", {first} to {last}"),
            _ => String::new(),
        };
        let allowed = format!("{} to {}{names}", self.range.start(), self.range.end());
        ScheduleError::Field { field: self.name, item: item.to_owned(), allowed }
    }
}
