//! Periods of time: what a date, with the precision that it has, covers.
//!
//! Both ends are microseconds since 1970 in UTC, inclusive; an `instant` has no width, however
//! many digits it is written with. A time without a zone, which the
//! standard forbids to store but allows to search with, counts as UTC, and so does a date.
//! <https://hl7.org/fhir/R4/search.html#date>

use std::borrow::Cow;

use fhir::FhirVersion;
use fhir::instant::days_from_civil;
use fhir::json::Value;
use fhir::primitive::temporal::{Temporal, TimeOfDay, days_in_month};

use super::{At, Datatype, Values, each};
use crate::entry::EntryValue;
use crate::name::ByName;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The first and the last microsecond of a period.
type Ends = (i64, i64);

impl Values<'_> {
    pub(super) fn date(&mut self, at: At, datatype: Datatype, value: Value<'_>) {
        let version = self.version();
        let ends = match datatype {
            Datatype::Period => of_period(value, version),
            Datatype::Timing => of_timing(value, version),
            Datatype::Instant => of_date(value, version).map(|(low, _)| (low, low)),
            _ => of_date(value, version),
        };
        self.push(at, ends.map_or(EntryValue::Valueless, value_of));
    }
}

fn value_of((low, high): Ends) -> EntryValue<ByName> {
    EntryValue::Period { low, high }
}

fn of_date(value: Value<'_>, version: FhirVersion) -> Option<Ends> {
    period(&value.as_str()?, version)
}

/// An end that is not there is open; a period without ends is none.
fn of_period(value: Value<'_>, version: FhirVersion) -> Option<Ends> {
    let end = |name| of_date(value.get(name)?, version);
    match (end("start"), end("end")) {
        (None, None) => None,
        (start, end) => Some((start.map_or(i64::MIN, |it| it.0), end.map_or(i64::MAX, |it| it.1))),
    }
}

/// The outer limits of the events and of the bounds: what is in between does not count.
fn of_timing(value: Value<'_>, version: FhirVersion) -> Option<Ends> {
    let events = value.get("event").into_iter().flat_map(each);
    let events = events.filter_map(|it| of_date(it, version));
    let bounds = value.get("repeat").and_then(|it| it.get("boundsPeriod"));
    let bounds = bounds.and_then(|it| of_period(it, version));
    events
        .chain(bounds)
        .reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))
}

/// The period that a `date`, `dateTime` or `instant` covers; a time may lack its seconds or zone.
pub fn period(text: &str, version: FhirVersion) -> Option<Ends> {
    let temporal = Temporal::parse(&with_zone(text), version);
    if temporal.is_some() {
        return temporal.map(covered);
    }
    let (date, rest) = text.split_once('T')?;
    let zone = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (minute, zone) = rest.split_at(zone);
    if minute.len() != 5 {
        return None;
    }
    let text = format!("{date}T{minute}:00{zone}");
    let (low, _) = covered(Temporal::parse(&with_zone(&text), version)?);
    Some((low, low + 60 * MICROS_PER_SECOND - 1))
}

fn with_zone(text: &str) -> Cow<'_, str> {
    match text.split_once('T') {
        Some((_, time)) if !time.contains(['Z', '+', '-']) => format!("{text}Z").into(),
        _ => text.into(),
    }
}

fn covered(temporal: Temporal) -> Ends {
    let month = temporal.month.unwrap_or(1);
    let day = temporal.day.unwrap_or(1);
    let first = days_from_civil(temporal.year, month, day);
    let days = match (temporal.month, temporal.day) {
        (_, Some(_)) => 1,
        (Some(month), None) => i64::from(days_in_month(temporal.year, month)),
        (None, None) => days_from_civil(temporal.year + 1, 1, 1) - first,
    };
    let start = first * MICROS_PER_DAY;
    match temporal.time {
        None => (start, start + days * MICROS_PER_DAY - 1),
        Some(time) => {
            let offset = i64::from(temporal.offset_minutes.unwrap_or_default()) * 60;
            let low = start + (time.seconds() - offset) * MICROS_PER_SECOND;
            let low = low + i64::from(time.micros);
            (low, low + step(time) - 1)
        }
    }
}

/// How long a time of its precision lasts: a second, or a unit of its last digit.
fn step(time: TimeOfDay) -> i64 {
    let digits = u32::try_from(time.fraction_digits.min(6)).unwrap_or(6);
    10_i64.pow(6 - digits)
}
