//! Places on Earth.

use fhir::decimal::{Decimal, Rounding};
use fhir::json::Value;

use super::number::decimal;
use super::{At, Values};
use crate::entry::{EntryValue, Place};

impl Values<'_> {
    pub(super) fn place(&mut self, at: At, value: Value<'_>) {
        let degrees = |name, most| units(decimal(value.get(name)?)?, most);
        let (latitude, longitude) = (degrees("latitude", 90), degrees("longitude", 180));
        let place = latitude.zip(longitude).map(|(latitude, longitude)| {
            EntryValue::Place(Place {
                latitude,
                longitude,
            })
        });
        self.push(at, place.unwrap_or(EntryValue::Valueless));
    }
}

/// Degrees in units of 10⁻⁷; `None` for what is not on Earth.
fn units(degrees: Decimal, most: i32) -> Option<i32> {
    let scaled = degrees.checked_mul(Decimal::from(10_000_000))?;
    let whole = scaled.round(0, Rounding::HalfEven).to_i64()?;
    let whole = i32::try_from(whole).ok()?;
    (whole.unsigned_abs() <= most.unsigned_abs() * 10_000_000).then_some(whole)
}
