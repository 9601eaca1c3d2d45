//! Periods of time: what a date, with the precision that it has, covers.
//!
//! Both ends are microseconds since 1970 in UTC, inclusive ([`period`]); an `instant` has no width,
//! however many digits it is written with.
//! <https://hl7.org/fhir/R4/search.html#date>

use fhir::FhirVersion;
use fhir::json::Value;

use super::{At, Datatype, Values, each};
use crate::entry::EntryValue;
use crate::measure::period;
use crate::name::ByName;

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
        (start, end) => Some((
            start.map_or(i64::MIN, |it| it.0),
            end.map_or(i64::MAX, |it| it.1),
        )),
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
