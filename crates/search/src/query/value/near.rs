//! `near`: `latitude|longitude|distance|unit` in R4, `latitude:longitude` with `near-distance`
//! beside it in STU3. <https://hl7.org/fhir/R4/location.html#search>

use fhir::FhirVersion;
use fhir::decimal::{Decimal, Rounding};
use fhir::ucum;

use super::{Given, number};
use crate::entry::Place;
use crate::query::fault::{Refused, faulty};
use crate::query::{Prefix, Unit, Value};

/// How far `near` reaches where nothing is said; the standard leaves it to the server.
pub const METRES_UNSAID: u32 = 50_000;

/// Half of the way round the Earth, and a little more: everything is nearer.
const METRES_MAX: u32 = 20_100_000;

const FORM: &str = "write `48.2|16.4`, or `48.2|16.4|10|km`";
const STU3_FORM: &str = "write `48.2:16.4`, and `near-distance=10||km` beside it";

pub(super) fn near(given: &Given<'_>, text: &str) -> Result<Value, Refused> {
    let name = given.name;
    let is_r4 = given.context.version != FhirVersion::Stu3;
    let form = if is_r4 { FORM } else { STU3_FORM };
    let wrong = || faulty(name, "a value that is no place", form);
    let parts: Vec<&str> = text.split(if is_r4 { '|' } else { ':' }).collect();
    let (place, metres) = match parts[..] {
        [latitude, longitude] => (
            place(latitude, longitude),
            given.distance.map(|it| distance(name, it)).transpose()?,
        ),
        [latitude, longitude, far] if is_r4 => (place(latitude, longitude), metres(far, "km")),
        [latitude, longitude, far, unit] if is_r4 => {
            let unit = if unit.is_empty() { "km" } else { unit };
            let metres = metres(far, unit).ok_or_else(|| {
                faulty(
                    name,
                    "a distance that is no length",
                    "write a number, and `km`, `m` or another unit of UCUM",
                )
            })?;
            (place(latitude, longitude), Some(metres))
        }
        _ => return Err(wrong()),
    };
    if parts.len() == 3 && !parts[2].is_empty() && metres.is_none() {
        return Err(wrong());
    }
    let place = place.ok_or_else(wrong)?;
    Ok(Value::Near {
        place,
        metres: metres.unwrap_or(METRES_UNSAID),
    })
}

/// STU3's `near-distance`, in metres: a quantity, at most so far.
pub(in crate::query) fn distance(name: &str, text: &str) -> Result<u32, Refused> {
    let wrong = || faulty(name, "a value that is no distance", STU3_FORM);
    let Value::Quantity {
        prefix,
        number,
        unit,
    } = number::quantity(name, text)?
    else {
        return Err(wrong());
    };
    if !matches!(prefix, Prefix::Equal | Prefix::LessOrEqual | Prefix::Less) {
        return Err(faulty(
            name,
            "a comparator other than `le`",
            "`near` finds what is near",
        ));
    }
    let unit = match &unit {
        Unit::Any => "km",
        Unit::Named(code) | Unit::Coded { code, .. } => code,
    };
    in_metres(number, unit).ok_or_else(wrong)
}

fn metres(number: &str, unit: &str) -> Option<u32> {
    in_metres(number.parse().ok()?, unit)
}

fn in_metres(number: Decimal, unit: &str) -> Option<u32> {
    let (metres, unit) = ucum::canonical(number, unit)?;
    if &*unit != "m" || metres.is_negative() {
        return None;
    }
    let whole = metres
        .round(0, Rounding::HalfEven)
        .to_i64()
        .unwrap_or(i64::MAX);
    Some(u32::try_from(whole).map_or(METRES_MAX, |it| it.min(METRES_MAX)))
}

fn place(latitude: &str, longitude: &str) -> Option<Place> {
    Some(Place {
        latitude: degrees(latitude, 90)?,
        longitude: degrees(longitude, 180)?,
    })
}

/// Degrees in units of 10⁻⁷; `None` for what is not on Earth.
fn degrees(text: &str, most: u32) -> Option<i32> {
    let scaled = text
        .parse::<Decimal>()
        .ok()?
        .checked_mul(Decimal::from(10_000_000))?;
    let whole = scaled.round(0, Rounding::HalfEven).to_i64()?;
    let whole = i32::try_from(whole).ok()?;
    (whole.unsigned_abs() <= most * 10_000_000).then_some(whole)
}
