//! Instants: microseconds since 1970-01-01T00:00:00Z, as FHIR and as HTTP print them.
//!
//! `meta.lastUpdated` and the ledger have six digits always, so that texts sort as instants do
//! (<https://hl7.org/fhir/R4/datatypes.html#instant>); HTTP has whole seconds (RFC 9110 §5.6.7).
//! Nothing here reads a clock.

use std::fmt;

use crate::FhirVersion;
use crate::primitive::temporal::{Temporal, days_in_month};

const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// 0001-01-01T00:00:00Z.
const EARLIEST: i64 = -62_135_596_800 * MICROS_PER_SECOND;
/// 9999-12-31T23:59:59.999999Z.
const LATEST: i64 = 253_402_300_800 * MICROS_PER_SECOND - 1;

/// A moment in UTC, to the microsecond, in the years 0001 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instant(i64);

impl Instant {
    /// The moment that many microseconds after (or before) the start of 1970; what lies outside
    /// the years 0001 to 9999 becomes the first or last moment of them.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros.clamp(EARLIEST, LATEST))
    }

    /// Microseconds since the start of 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// A FHIR `instant`: to the second at least, with a zone. Digits beyond microseconds are cut.
    pub fn parse(text: &str) -> Option<Self> {
        let temporal = Temporal::parse(text, FhirVersion::R4)?;
        let (time, offset) = (temporal.time?, temporal.offset_minutes?);
        let days = days_from_civil(temporal.year, temporal.month?, temporal.day?);
        let seconds = days * SECONDS_PER_DAY + time.seconds() - i64::from(offset) * 60;
        let micros = seconds * MICROS_PER_SECOND + i64::from(time.micros);
        (EARLIEST..=LATEST)
            .contains(&micros)
            .then_some(Self(micros))
    }

    /// The moment as HTTP writes it (`Mon, 23 Nov 2026 10:00:00 GMT`), its second cut down.
    pub fn http_date(self) -> String {
        let civil = Civil::of(self);
        let mut text = *b"Thu, 00 Jan 0000 00:00:00 GMT";
        text[..3].copy_from_slice(WEEKDAYS[civil.weekday].as_bytes());
        text[8..11].copy_from_slice(MONTHS[usize::from(civil.month) - 1].as_bytes());
        put_number(&mut text[5..7], civil.day.into());
        put_number(&mut text[12..16], civil.year);
        put_number(&mut text[17..19], civil.hour);
        put_number(&mut text[20..22], civil.minute);
        put_number(&mut text[23..25], civil.second);
        ascii(&text).to_owned()
    }

    /// An HTTP date in any of the three forms that a recipient must understand. The two-digit year
    /// of the RFC 850 form is taken as the one that is less than fifty years after `now`.
    pub fn parse_http_date(text: &str, now: Self) -> Option<Self> {
        let (weekday, rest) = text.split_once([',', ' '])?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        match fields[..] {
            [day, month, year, time, "GMT"] if is_weekday(weekday) && year.len() == 4 => {
                http_moment(number(year, 4)?, month, number(day, 2)?, time)
            }
            [month, day, time, year] if is_weekday(weekday) && year.len() == 4 => http_moment(
                number(year, 4)?,
                month,
                number(day, day.len().min(2))?,
                time,
            ),
            [date, time, "GMT"] if WEEKDAYS_LONG.contains(&weekday) => rfc850(date, time, now),
            _ => None,
        }
    }

    /// The same moment with its fraction of a second cut off, as HTTP compares dates.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(self.0 - self.0.rem_euclid(MICROS_PER_SECOND))
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = Civil::of(*self);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        put_number(&mut text[..4], civil.year);
        put_number(&mut text[5..7], civil.month.into());
        put_number(&mut text[8..10], civil.day.into());
        put_number(&mut text[11..13], civil.hour);
        put_number(&mut text[14..16], civil.minute);
        put_number(&mut text[17..19], civil.second);
        put_number(&mut text[20..26], civil.micros);
        f.write_str(ascii(&text))
    }
}

/// Fills a place with a number. Every answer has three dates: the formatter's padding would take
/// longer than reading from the store.
fn put_number(place: &mut [u8], mut number: i64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number.rem_euclid(10)).expect("a digit");
        number /= 10;
    }
}

fn ascii(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("digits and names are ASCII")
}

const WEEKDAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const WEEKDAYS_LONG: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

struct Civil {
    year: i64,
    month: u8,
    day: u8,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
}

impl Civil {
    fn of(instant: Instant) -> Self {
        let seconds = instant.0.div_euclid(MICROS_PER_SECOND);
        let days = seconds.div_euclid(SECONDS_PER_DAY);
        let second_of_day = seconds.rem_euclid(SECONDS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        Self {
            year,
            month,
            day,
            weekday: usize::try_from(days.rem_euclid(7)).expect("a remainder of seven"),
            hour: second_of_day / 3600,
            minute: second_of_day / 60 % 60,
            second: second_of_day % 60,
            micros: instant.0.rem_euclid(MICROS_PER_SECOND),
        }
    }
}

fn is_weekday(text: &str) -> bool {
    WEEKDAYS.contains(&text)
}

fn rfc850(date: &str, time: &str, now: Instant) -> Option<Instant> {
    let mut parts = date.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let this_year = i32::try_from(Civil::of(now).year).ok()?;
    let candidate = this_year - this_year.rem_euclid(100) + number(year, 2)?;
    let year = match candidate - this_year {
        50.. => candidate - 100,
        ..-50 => candidate + 100,
        _ => candidate,
    };
    parts.next().is_none().then_some(())?;
    http_moment(year, month, number(day, 2)?, time)
}

fn http_moment(year: i32, month: &str, day: i32, time: &str) -> Option<Instant> {
    let month = u8::try_from(MONTHS.iter().position(|it| *it == month)? + 1).ok()?;
    let day = u8::try_from(day).ok()?;
    if year == 0 || !(1..=days_in_month(year, month)).contains(&day) {
        return None;
    }
    let mut parts = time.split(':');
    let mut field = || number(parts.next()?, 2);
    let (hour, minute, second) = (field()?, field()?, field()?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let days = days_from_civil(year, month, day);
    let seconds = days * SECONDS_PER_DAY + i64::from(hour * 3600 + minute * 60 + second);
    Some(Instant::from_micros(seconds * MICROS_PER_SECOND))
}

fn number(text: &str, digits: usize) -> Option<i32> {
    let plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years are counted from
/// March, so that the leap day is a year's last and months have a closed formula.
fn days_from_civil(year: i32, month: u8, day: u8) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = (march_month + 2) % 12 + 1;
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let small = |number: i64| u8::try_from(number).expect("a month or a day of a month");
    (year, small(month), small(day))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_795_428_000_123_456);

    #[test]
    fn instants_print_six_digits_and_parse_back() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_428_000_123_456, "2026-11-23T10:00:00.123456Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (EARLIEST, "0001-01-01T00:00:00.000000Z"),
            (LATEST, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Instant::from_micros(micros).to_string(), text);
            assert_eq!(Instant::parse(text).map(Instant::micros), Some(micros));
        }
    }

    #[test]
    fn every_day_of_twelve_centuries_comes_back() {
        for days in -220_000..220_000 {
            let (year, month, day) = civil_from_days(days);
            let year = i32::try_from(year).unwrap();
            assert_eq!(days_from_civil(year, month, day), days);
            assert!(day <= days_in_month(year, month));
        }
    }

    #[test]
    fn instants_of_other_zones_and_precisions_are_understood() {
        for (text, expected) in [
            (
                "2026-11-23T12:00:00+02:00",
                Some("2026-11-23T10:00:00.000000Z"),
            ),
            (
                "2026-11-22T22:30:00.5-11:30",
                Some("2026-11-23T10:00:00.500000Z"),
            ),
            (
                "2026-11-23T10:00:00.1234569Z",
                Some("2026-11-23T10:00:00.123456Z"),
            ),
            ("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00.000000Z")),
            ("0001-01-01T00:00:00+01:00", None),
            ("9999-12-31T23:59:59-01:00", None),
            ("2026-11-23T10:00:00", None),
            ("2026-11-23", None),
            ("2026-02-30T10:00:00Z", None),
            ("", None),
        ] {
            let printed = Instant::parse(text).map(|instant| instant.to_string());
            assert_eq!(printed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn moments_outside_the_calendar_are_clamped() {
        assert_eq!(Instant::from_micros(i64::MIN).micros(), EARLIEST);
        assert_eq!(Instant::from_micros(i64::MAX).micros(), LATEST);
    }

    #[test]
    fn http_dates_print_and_parse_back() {
        for (instant, text) in [
            ("2026-11-23T10:00:00Z", "Mon, 23 Nov 2026 10:00:00 GMT"),
            ("1994-11-06T08:49:37Z", "Sun, 06 Nov 1994 08:49:37 GMT"),
            ("1970-01-01T00:00:00Z", "Thu, 01 Jan 1970 00:00:00 GMT"),
        ] {
            let instant = Instant::parse(instant).unwrap();
            assert_eq!(instant.http_date(), text);
            assert_eq!(Instant::parse_http_date(text, NOW), Some(instant));
        }
        assert_eq!(NOW.http_date(), NOW.whole_seconds().http_date());
    }

    #[test]
    fn http_dates_have_three_forms_and_no_other() {
        let noon = Some("1994-11-06T08:49:37.000000Z");
        for (text, expected) in [
            ("Sunday, 06-Nov-94 08:49:37 GMT", noon),
            ("Sun Nov  6 08:49:37 1994", noon),
            (
                "Sun Nov 16 08:49:37 1994",
                Some("1994-11-16T08:49:37.000000Z"),
            ),
            (
                "Sunday, 06-Nov-70 08:49:37 GMT",
                Some("2070-11-06T08:49:37.000000Z"),
            ),
            ("Sun, 6 Nov 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 +0000", None),
            ("Sun, 31 Feb 1994 08:49:37 GMT", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49 GMT", None),
            ("Sun, 06 Nov 94 08:49:37 GMT", None),
            ("Sunday, 06-Nov-94-1 08:49:37 GMT", None),
            ("1994-11-06T08:49:37Z", None),
            ("", None),
        ] {
            let parsed = Instant::parse_http_date(text, NOW).map(|it| it.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }
}
