//! What queries and entries measure alike: dates as periods, numbers as bytes, units.

use fhir::decimal::Decimal;
use fhir::instant::days_from_civil;
use fhir::primitive::temporal::{Temporal, TimeOfDay, days_in_month};
use fhir::{FhirVersion, ucum};

use crate::entry::Magnitude;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The longest text of an entry in bytes; longer ones are cut, in entries and in queries alike.
pub const TEXT_BYTES_MAX: usize = 2_048;

/// The text, cut to what an entry may hold.
pub fn fit(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

/// A number as entries and tests have it.
pub fn magnitude(number: Decimal) -> Magnitude {
    let mut bytes = Vec::with_capacity(8);
    number.write_sortable(&mut bytes);
    Magnitude(bytes.into())
}

/// The unit under which a number lies in the canonical slot, and the number in that unit.
pub fn canonical_unit(system: Option<&str>, code: &str, number: Decimal) -> (Box<str>, Decimal) {
    let of_ucum = (system == Some(ucum::SYSTEM))
        .then(|| ucum::canonical(number, code))
        .flatten();
    let Some((number, unit)) = of_ucum else {
        let whole = [system.unwrap_or_default(), "|", code].concat();
        return (fit(&whole).into(), number);
    };
    (unit, number)
}

/// The first and the last microsecond that a date covers. Seconds and zone may be left out of a
/// time; without a zone it counts as UTC, and so does a date.
/// <https://hl7.org/fhir/R4/search.html#date>
pub fn period(text: &str, version: FhirVersion) -> Option<(i64, i64)> {
    if let Some(temporal) = Temporal::parse(text, version) {
        return Some(covered(temporal));
    }
    let (date, rest) = text.split_once('T')?;
    let at = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(at);
    let zone = if zone.is_empty() { "Z" } else { zone };
    let seconds = if time.len() == 5 { ":00" } else { "" };
    let text = format!("{date}T{time}{seconds}{zone}");
    let (low, high) = covered(Temporal::parse(&text, version)?);
    let is_whole = seconds.is_empty();
    Some(if is_whole {
        (low, high)
    } else {
        (low, low + 60 * MICROS_PER_SECOND - 1)
    })
}

fn covered(temporal: Temporal) -> (i64, i64) {
    let (year, month) = (temporal.year, temporal.month.unwrap_or(1));
    let first = days_from_civil(year, month, temporal.day.unwrap_or(1));
    let days = match (temporal.month, temporal.day) {
        (_, Some(_)) => 1,
        (Some(month), None) => i64::from(days_in_month(year, month)),
        (None, None) => days_from_civil(year + 1, 1, 1) - first,
    };
    let start = first * MICROS_PER_DAY;
    let Some(time) = temporal.time else {
        return (start, start + days * MICROS_PER_DAY - 1);
    };
    let offset = i64::from(temporal.offset_minutes.unwrap_or_default()) * 60;
    let low = start + (time.seconds() - offset) * MICROS_PER_SECOND + i64::from(time.micros);
    (low, low + step(time) - 1)
}

/// How long a time of its precision lasts: a second, or a unit of its last digit.
fn step(time: TimeOfDay) -> i64 {
    let digits = u32::try_from(time.fraction_digits.min(6)).unwrap_or(6);
    10_i64.pow(6 - digits)
}

#[cfg(test)]
mod tests {
    use fhir::Instant;

    use super::*;

    #[test]
    fn dates_cover_what_their_precision_says() {
        let at = |text: &str| Instant::parse(text).unwrap().micros();
        for (text, low, high) in [
            (
                "2020",
                "2020-01-01T00:00:00Z",
                "2020-12-31T23:59:59.999999Z",
            ),
            (
                "2021",
                "2021-01-01T00:00:00Z",
                "2021-12-31T23:59:59.999999Z",
            ),
            (
                "2020-02",
                "2020-02-01T00:00:00Z",
                "2020-02-29T23:59:59.999999Z",
            ),
            (
                "2020-02-03",
                "2020-02-03T00:00:00Z",
                "2020-02-03T23:59:59.999999Z",
            ),
            (
                "2020-02-03T10:00",
                "2020-02-03T10:00:00Z",
                "2020-02-03T10:00:59.999999Z",
            ),
            (
                "2020-02-03T10:00+02:00",
                "2020-02-03T08:00:00Z",
                "2020-02-03T08:00:59.999999Z",
            ),
            (
                "2020-02-03T10:00:05",
                "2020-02-03T10:00:05Z",
                "2020-02-03T10:00:05.999999Z",
            ),
            (
                "2020-02-03T10:00:05.5Z",
                "2020-02-03T10:00:05.5Z",
                "2020-02-03T10:00:05.599999Z",
            ),
        ] {
            assert_eq!(
                period(text, FhirVersion::R4),
                Some((at(low), at(high))),
                "{text}"
            );
        }
        for text in [
            "",
            "20",
            "2020-13",
            "2020-02-30",
            "2020-02-03T10",
            "2020-02-03T1000",
            "now",
        ] {
            assert_eq!(period(text, FhirVersion::R4), None, "{text}");
        }
    }
}
