//! Dates and times as FHIR writes them: any precision from a year on, a zone whenever a time.
//!
//! The regular expressions of the standard let the 31st of February pass; here the calendar
//! decides (<https://hl7.org/fhir/R4/datatypes.html#dateTime>, "valid dates"). Nothing is converted.

use super::Dialect;
use crate::FhirVersion;

/// A `date`, `dateTime` or `instant` in its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Temporal {
    /// The year; STU3 also knows years before the common era.
    pub year: i32,
    /// The month, 1 to 12, if given.
    pub month: Option<u8>,
    /// The day of the month, if given.
    pub day: Option<u8>,
    /// The time of day, if given.
    pub time: Option<TimeOfDay>,
    /// The zone's distance from UTC; there if and only if a time is.
    pub offset_minutes: Option<i16>,
}

/// A time of day to the second or finer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59, in R4 also 60.
    pub second: u8,
    /// The fraction's first six digits.
    pub micros: u32,
    /// How many digits the fraction has as written.
    pub fraction_digits: usize,
}

impl Temporal {
    /// Reads a `date`, `dateTime` or `instant`; the caller asks for the precision it needs.
    pub fn parse(text: &str, version: FhirVersion) -> Option<Self> {
        Self::read(text.as_bytes(), Dialect::of(version))
    }

    pub(super) fn read(text: &[u8], dialect: &Dialect) -> Option<Self> {
        let mut cursor = Cursor { rest: text };
        let temporal = cursor.temporal(dialect)?;
        cursor.rest.is_empty().then_some(temporal)
    }
}

impl TimeOfDay {
    /// Reads a `time`.
    pub fn parse(text: &str, version: FhirVersion) -> Option<Self> {
        Self::read(text.as_bytes(), Dialect::of(version))
    }

    pub(super) fn read(text: &[u8], dialect: &Dialect) -> Option<Self> {
        let mut cursor = Cursor { rest: text };
        let time = cursor.time(dialect)?;
        cursor.rest.is_empty().then_some(time)
    }

    /// Seconds since midnight, the fraction cut off.
    pub fn seconds(self) -> i64 {
        i64::from(self.hour) * 3600 + i64::from(self.minute) * 60 + i64::from(self.second)
    }
}

/// The number of days that a month has in the Gregorian calendar.
pub fn days_in_month(year: i32, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

struct Cursor<'t> {
    rest: &'t [u8],
}

impl Cursor<'_> {
    fn temporal(&mut self, dialect: &Dialect) -> Option<Temporal> {
        let mut temporal = Temporal {
            year: self.year(dialect)?,
            month: None,
            day: None,
            time: None,
            offset_minutes: None,
        };
        if !self.skip(b'-') {
            return Some(temporal);
        }
        let month = self.two_digits().filter(|month| (1..=12).contains(month))?;
        temporal.month = Some(month);
        if !self.skip(b'-') {
            return Some(temporal);
        }
        let days = 1..=days_in_month(temporal.year, month);
        temporal.day = Some(self.two_digits().filter(|day| days.contains(day))?);
        if !self.skip(b'T') {
            return Some(temporal);
        }
        temporal.time = Some(self.time(dialect)?);
        temporal.offset_minutes = Some(self.offset()?);
        Some(temporal)
    }

    fn year(&mut self, dialect: &Dialect) -> Option<i32> {
        let sign = if dialect.years_before_common_era && self.skip(b'-') {
            -1
        } else {
            1
        };
        let (century, year) = (self.two_digits()?, self.two_digits()?);
        let year = i32::from(century) * 100 + i32::from(year);
        (year != 0 || dialect.years_before_common_era).then_some(sign * year)
    }

    fn time(&mut self, dialect: &Dialect) -> Option<TimeOfDay> {
        let hour = self.two_digits().filter(|hour| *hour < 24)?;
        let minute = self.colon_two_digits().filter(|minute| *minute < 60)?;
        let second_max = if dialect.leap_seconds { 60 } else { 59 };
        let second = self.colon_two_digits().filter(|it| *it <= second_max)?;
        let (micros, fraction_digits) = if self.skip(b'.') {
            self.fraction()?
        } else {
            (0, 0)
        };
        Some(TimeOfDay {
            hour,
            minute,
            second,
            micros,
            fraction_digits,
        })
    }

    fn fraction(&mut self) -> Option<(u32, usize)> {
        let digits = self.rest.iter().take_while(|it| it.is_ascii_digit());
        let count = digits.count();
        let six = (0..6).map(|place| self.rest[..count].get(place).unwrap_or(&b'0') - b'0');
        let micros = six.fold(0, |micros, digit| micros * 10 + u32::from(digit));
        self.rest = &self.rest[count..];
        (count > 0).then_some((micros, count))
    }

    fn offset(&mut self) -> Option<i16> {
        if self.skip(b'Z') {
            return Some(0);
        }
        let sign = if self.skip(b'-') {
            -1
        } else {
            self.skip(b'+').then_some(1)?
        };
        let hour = self.two_digits()?;
        let minute = self.colon_two_digits().filter(|minute| *minute < 60)?;
        let minutes = i16::from(hour) * 60 + i16::from(minute);
        (minutes <= 14 * 60).then_some(sign * minutes)
    }

    fn skip(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn colon_two_digits(&mut self) -> Option<u8> {
        self.skip(b':').then(|| self.two_digits())?
    }

    fn two_digits(&mut self) -> Option<u8> {
        let (digits, rest) = self.rest.split_first_chunk::<2>()?;
        let both = digits.iter().all(u8::is_ascii_digit);
        self.rest = rest;
        both.then(|| (digits[0] - b'0') * 10 + (digits[1] - b'0'))
    }
}
