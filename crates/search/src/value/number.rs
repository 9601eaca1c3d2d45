//! Numbers without unit: points, or ranges where the element is one.
//!
//! The precision of a stored number does not count; that of a searched one does.

use fhir::decimal::Decimal;
use fhir::json::Value;
use fhir::ucum::Unit;

use super::{At, Datatype, Values};
use crate::entry::{EntryValue, Magnitude};
use crate::measure::magnitude;
use crate::name::ByName;

impl Values<'_> {
    pub(super) fn number(&mut self, at: At, datatype: Datatype, value: Value<'_>) {
        let (low, high) = match datatype {
            Datatype::Range => {
                let end = |name| value.get(name).and_then(|it| it.get("value"));
                (end("low"), end("high"))
            }
            Datatype::Quantity => return self.push(at, in_days(value)),
            _ => (Some(value), Some(value)),
        };
        self.push(
            at,
            span(low.and_then(decimal), high.and_then(decimal), None),
        );
    }
}

/// A number of days, which is what STU3's `Encounter.length` is searched by.
fn in_days(value: Value<'_>) -> EntryValue<ByName> {
    let number = value.get("value").and_then(decimal);
    let code = value.get("code").and_then(Value::as_str);
    let days = number.map(|it| code.and_then(|code| days(it, &code)).unwrap_or(it));
    span(days, days, None)
}

fn days(number: Decimal, code: &str) -> Option<Decimal> {
    let (unit, day) = (Unit::read(code)?, Unit::read("d")?);
    unit.convert(number, &day).ok()
}

/// The number of an element. Digits beyond those that are kept are rounded.
pub(super) fn decimal(value: Value<'_>) -> Option<Decimal> {
    Decimal::parse_rounded(value.as_number()?).ok()
}

/// A range whose ends may be open; nothing if both are.
pub(super) fn span(
    low: Option<Decimal>,
    high: Option<Decimal>,
    unit: Option<Box<str>>,
) -> EntryValue<ByName> {
    if low.is_none() && high.is_none() {
        return EntryValue::Valueless;
    }
    EntryValue::Number {
        unit,
        low: low.map_or_else(Magnitude::least, magnitude),
        high: high.map_or_else(Magnitude::greatest, magnitude),
    }
}
