//! Dates, times and both, at any precision, and how they compare.
//!
//! A value is the span of time that it may mean: two values are ordered if their spans do not
//! overlap, equal if they are the same span, and otherwise it is unknown. That is the
//! standard's comparison precision by precision
//! (<https://hl7.org/fhirpath/N1/#datetime-equality>), and goes on to hold where only one of both
//! has a zone: the other may be in any zone from -12:00 to +14:00.

use std::cmp::Ordering;
use std::fmt;

use super::ast::Literal;
use crate::Instant;
use crate::primitive::temporal::days_in_month;

const NANOS_PER_SECOND: i128 = 1_000_000_000;
pub(super) const NANOS_PER_DAY: i128 = 86_400 * NANOS_PER_SECOND;
const NANOS_PER_MINUTE: i128 = 60 * NANOS_PER_SECOND;
const NANOS_PER_HOUR: i128 = 60 * NANOS_PER_MINUTE;
/// The zones furthest from UTC.
pub(super) const OFFSET_MIN: i16 = -12 * 60;
pub(super) const OFFSET_MAX: i16 = 14 * 60;

/// A date with the precision of a year, a month or a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: Option<u8>,
    /// 1 to 31; only with a month.
    pub day: Option<u8>,
}

/// A time of day with the precision of an hour, a minute or a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: Option<u8>,
    /// Only with a minute.
    pub second: Option<Second>,
}

/// Seconds with their fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Second {
    /// 0 to 60.
    pub whole: u8,
    /// The fraction in billionths.
    pub nanos: u32,
    /// How many digits of the fraction are written, 9 at most.
    pub digits: u8,
}

/// A date, a time of day that may be missing, and its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateTime {
    /// The date; with a time it has a day.
    pub date: Date,
    /// The time of day.
    pub time: Option<Time>,
    /// The zone's distance from UTC; only with a time.
    pub offset_minutes: Option<i16>,
}

/// What follows `@` in a literal.
pub(super) fn literal(text: &str) -> Option<Literal> {
    if let Some(time) = text.strip_prefix('T') {
        return Time::parse(time).map(Literal::Time);
    }
    match text.strip_suffix('T') {
        Some(date) => {
            let date = Date::parse(date)?;
            Some(Literal::DateTime(DateTime::from(date)))
        }
        None if text.contains('T') => DateTime::parse(text).map(Literal::DateTime),
        None => Date::parse(text).map(Literal::Date),
    }
}

impl Date {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let year: u16 = number(parts.next()?, 4)?;
        let month = parts
            .next()
            .map(|it| number(it, 2))
            .map_or(Some(None), |it| it.map(Some))?;
        let day = parts
            .next()
            .map(|it| number(it, 2))
            .map_or(Some(None), |it| it.map(Some))?;
        let date = Self { year, month, day };
        (parts.next().is_none() && date.is_valid()).then_some(date)
    }

    fn is_valid(self) -> bool {
        let month = self.month.unwrap_or(1);
        let days = days_in_month(self.year.into(), month);
        self.year > 0 && (1..=12).contains(&month) && (1..=days).contains(&self.day.unwrap_or(1))
    }

    /// The first day that it may mean, and the last.
    fn days(self) -> (i64, i64) {
        let (first, last) = (self.month.unwrap_or(1), self.month.unwrap_or(12));
        let last_day = days_in_month(self.year.into(), last);
        let low = day_number(self.year, first, self.day.unwrap_or(1));
        (
            low,
            day_number(self.year, last, self.day.unwrap_or(last_day)),
        )
    }
}

impl Date {
    /// The day that many days after this one, which is a day; none outside the calendar.
    pub(super) fn plus_days(self, days: i64) -> Option<Self> {
        let number = day_number(self.year, self.month?, self.day?).checked_add(days)?;
        if !(0..=DAY_LAST).contains(&number) {
            return None;
        }
        // Not above the year, and two below it at most: years have 365.2425 days.
        let mut year = u16::try_from(number * 400 / DAYS_IN_ERA).ok()?.max(1);
        while year < 9999 && day_number(year + 1, 1, 1) <= number {
            year += 1;
        }
        let mut rest = number - day_number(year, 1, 1);
        let mut month = 1;
        while rest >= i64::from(days_in_month(year.into(), month)) {
            rest -= i64::from(days_in_month(year.into(), month));
            month += 1;
        }
        let day = u8::try_from(rest + 1).ok()?;
        Some(Self {
            year,
            month: Some(month),
            day: Some(day),
        })
    }
}

/// Days in 400 years.
const DAYS_IN_ERA: i64 = 146_097;
/// 9999-12-31.
const DAY_LAST: i64 = 3_652_058;

/// Days since 0001-01-01.
fn day_number(year: u16, month: u8, day: u8) -> i64 {
    let years = i64::from(year) - 1;
    let before = (1..month).map(|it| i64::from(days_in_month(year.into(), it)));
    let in_year: i64 = before.sum::<i64>() + i64::from(day) - 1;
    years * 365 + years / 4 - years / 100 + years / 400 + in_year
}

impl Time {
    /// Reads `hh`, `hh:mm`, `hh:mm:ss` or `hh:mm:ss.fff`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let hour = number(parts.next()?, 2).filter(|it: &u8| *it < 24)?;
        let minute = match parts.next() {
            Some(text) => Some(number(text, 2).filter(|it: &u8| *it < 60)?),
            None => None,
        };
        let second = match parts.next() {
            Some(text) => Some(Second::parse(text)?),
            None => None,
        };
        parts.next().is_none().then_some(Self {
            hour,
            minute,
            second,
        })
    }

    /// Nanoseconds since midnight: the first moment that it may mean, and the last.
    fn nanos(self) -> (i128, i128) {
        let whole = i128::from(self.hour) * NANOS_PER_HOUR
            + i128::from(self.minute.unwrap_or(0)) * NANOS_PER_MINUTE;
        match (self.minute, self.second) {
            (_, Some(second)) => {
                let nanos = i128::from(second.whole) * NANOS_PER_SECOND;
                let low = whole + nanos + i128::from(second.nanos);
                (low, low)
            }
            (Some(_), None) => (whole, whole + NANOS_PER_MINUTE - 1),
            (None, None) => (whole, whole + NANOS_PER_HOUR - 1),
        }
    }

    /// Nanoseconds since midnight of the first moment that it may mean.
    pub(super) fn start(self) -> i128 {
        self.nanos().0
    }

    /// How two times compare, where that is known.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        compare_spans(self.nanos(), other.nanos())
    }
}

impl Second {
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text
            .split_once('.')
            .map_or((text, None), |(it, rest)| (it, Some(rest)));
        let whole = number(whole, 2).filter(|it: &u8| *it <= 60)?;
        let fraction = match fraction {
            Some("") => return None,
            other => other.unwrap_or_default(),
        };
        if !fraction.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
        let nine = (0..9).map(|at| fraction.as_bytes().get(at).unwrap_or(&b'0') - b'0');
        let nanos = nine.fold(0, |nanos, digit| nanos * 10 + u32::from(digit));
        let digits = u8::try_from(fraction.len().min(9)).unwrap_or(9);
        Some(Self {
            whole,
            nanos,
            digits,
        })
    }
}

impl DateTime {
    /// Reads a FHIR `dateTime`, also with a time that has no zone or no seconds.
    pub fn parse(text: &str) -> Option<Self> {
        let Some((date, rest)) = text.split_once('T') else {
            return Date::parse(text).map(Self::from);
        };
        let date = Date::parse(date).filter(|it| it.day.is_some())?;
        let (time, offset) = match rest.find(['Z', '+', '-']) {
            Some(at) => (&rest[..at], Some(parse_offset(&rest[at..])?)),
            None => (rest, None),
        };
        Some(Self {
            date,
            time: Some(Time::parse(time)?),
            offset_minutes: offset,
        })
    }

    /// The moment in UTC, to the millisecond.
    pub fn of_instant(instant: Instant) -> Option<Self> {
        let millis = instant.micros().rem_euclid(1000);
        let whole = Instant::from_micros(instant.micros() - millis);
        let text = whole.to_string();
        Self::parse(&format!("{}Z", text.get(..23)?))
    }

    /// Nanoseconds since the year 1 in UTC: the first moment that it may mean, and the last.
    fn nanos(self) -> (i128, i128) {
        let (low, high) = self.local_nanos();
        let shift = i128::from(self.offset_minutes.unwrap_or(0)) * NANOS_PER_MINUTE;
        (low - shift, high - shift)
    }

    fn local_nanos(self) -> (i128, i128) {
        let (first, last) = self.date.days();
        let (low, high) = self.time.map_or((0, NANOS_PER_DAY - 1), Time::nanos);
        (
            i128::from(first) * NANOS_PER_DAY + low,
            i128::from(last) * NANOS_PER_DAY + high,
        )
    }

    /// How two values compare, where that is known.
    pub fn compare(self, other: Self) -> Option<Ordering> {
        let (mut one, mut two) = (self.nanos(), other.nanos());
        match (self.offset_minutes, other.offset_minutes) {
            (None, Some(_)) => one = any_zone(one),
            (Some(_), None) => two = any_zone(two),
            _ => {}
        }
        compare_spans(one, two)
    }
}

impl From<Date> for DateTime {
    fn from(date: Date) -> Self {
        Self {
            date,
            time: None,
            offset_minutes: None,
        }
    }
}

fn any_zone((low, high): (i128, i128)) -> (i128, i128) {
    let shift = |offset: i16| i128::from(offset) * NANOS_PER_MINUTE;
    (low - shift(OFFSET_MAX), high - shift(OFFSET_MIN))
}

fn compare_spans(one: (i128, i128), two: (i128, i128)) -> Option<Ordering> {
    if one == two {
        Some(Ordering::Equal)
    } else if one.1 < two.0 {
        Some(Ordering::Less)
    } else if two.1 < one.0 {
        Some(Ordering::Greater)
    } else {
        None
    }
}

fn number<N: std::str::FromStr>(text: &str, digits: usize) -> Option<N> {
    let plain = text.len() == digits && text.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn parse_offset(text: &str) -> Option<i16> {
    if text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+')?),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let (hours, minutes): (i16, i16) = (number(hours, 2)?, number(minutes, 2)?);
    let total = hours * 60 + minutes;
    (minutes < 60 && total <= OFFSET_MAX).then_some(sign * total)
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}", self.year)?;
        for part in [self.month, self.day].into_iter().flatten() {
            write!(f, "-{part:02}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.hour)?;
        if let Some(minute) = self.minute {
            write!(f, ":{minute:02}")?;
        }
        let Some(second) = self.second else {
            return Ok(());
        };
        write!(f, ":{:02}", second.whole)?;
        if second.digits > 0 {
            let digits = format!("{:09}", second.nanos);
            write!(f, ".{}", &digits[..usize::from(second.digits)])?;
        }
        Ok(())
    }
}

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date)?;
        let Some(time) = self.time else { return Ok(()) };
        write!(f, "T{time}")?;
        match self.offset_minutes {
            None => Ok(()),
            Some(0) => f.write_str("Z"),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                let minutes = offset.unsigned_abs();
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}
