//! Equality and order of DotLiquid's conditions: the right side is converted to the type of the
//! left, as .NET's `Convert.ChangeType` does; equality tries the other way too.

use std::cmp::Ordering;

use fhir::Decimal;
use fhir::decimal::Rounding;

use super::{Value, print};

/// Whether two values are equal, converting either to the type of the other.
pub(crate) fn equal(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::Empty, other) | (other, Value::Empty) => is_blank(other),
        (Value::Null, Value::Null) => true,
        (Value::Null, _) | (_, Value::Null) => false,
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Text(one), Value::Text(other)) => one.as_str() == other.as_str(),
        (Value::List(one), Value::List(other)) => std::ptr::eq(one, other),
        (Value::Map(one), Value::Map(other)) => std::ptr::eq(one, other),
        (Value::Hl7(one), Value::Hl7(other)) => one.is(other),
        _ => equal_converted(left, right),
    }
}

fn is_blank(value: Value<'_>) -> bool {
    matches!(value, Value::Text(_) | Value::List(_) | Value::Map(_)) && value.is_empty()
}

fn equal_converted(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right) {
        (Value::Bool(truth), other) | (other, Value::Bool(truth)) => {
            boolean(other) == Some(truth) || other.as_text() == Some(net_boolean(truth))
        }
        (Value::Text(text), Value::Int(whole)) | (Value::Int(whole), Value::Text(text)) => {
            integer(Value::Text(text)) == Some(whole)
        }
        (Value::Text(text), other) | (other, Value::Text(text)) => {
            let printed = print::number(other);
            let same = |number: Decimal| decimal(Value::Text(text)) == Some(number);
            !printed.is_empty() && (printed == text.as_str() || decimal(other).is_some_and(same))
        }
        (one, other) => match (decimal(one), decimal(other)) {
            (Some(one), Some(other)) => one == other,
            _ => false,
        },
    }
}

fn net_boolean(truth: bool) -> &'static str {
    if truth { "True" } else { "False" }
}

/// What `Convert.ToBoolean` makes of it.
fn boolean(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(truth),
        Value::Text(text) if text.as_str().trim().eq_ignore_ascii_case("true") => Some(true),
        Value::Text(text) if text.as_str().trim().eq_ignore_ascii_case("false") => Some(false),
        Value::Int(_) | Value::Decimal(_) | Value::Double(_) => {
            decimal(value).map(|number| !number.is_zero())
        }
        _ => None,
    }
}

/// What `Convert.ToInt64` makes of it: a text must be a whole number, a number is rounded.
fn integer(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Text(text) => text.as_str().trim().parse().ok(),
        other => decimal(other)?.round(0, Rounding::HalfEven).to_i64(),
    }
}

/// What `Convert.ToDecimal` makes of it.
pub(crate) fn decimal(value: Value<'_>) -> Option<Decimal> {
    match value {
        Value::Int(whole) => Some(Decimal::from(whole)),
        Value::Decimal(decimal) => Some(*decimal),
        Value::Double(double) => Decimal::from_f64(double),
        Value::Bool(truth) => Some(if truth { Decimal::ONE } else { Decimal::ZERO }),
        Value::Text(text) => number(text.as_str().trim()),
        _ => None,
    }
}

/// A number in a text; its point may have digits on one side only.
fn number(text: &str) -> Option<Decimal> {
    let (sign, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => text.split_at(text.len() - digits.len()),
        None => ("", text),
    };
    match (digits.strip_prefix('.'), digits.strip_suffix('.')) {
        (Some(fraction), None) => format!("{sign}0.{fraction}").parse().ok(),
        (None, Some(whole)) => format!("{sign}{whole}").parse().ok(),
        _ => text.parse().ok(),
    }
}

/// The order of two values, the right one converted to the type of the left; an error if it cannot
/// be converted, `None` if either is null.
pub(crate) fn order(left: Value<'_>, right: Value<'_>) -> Result<Option<Ordering>, Inconvertible> {
    match (left, right) {
        (Value::Null, _) | (_, Value::Null) => Ok(None),
        (Value::Text(one), other) => {
            let other = match other {
                Value::Text(other) => other.as_str().to_owned(),
                Value::Bool(truth) => net_boolean(truth).to_owned(),
                Value::Decimal(decimal) => decimal.expanded().unwrap_or(*decimal).to_string(),
                Value::Int(_) | Value::Double(_) => print::number(other),
                _ => return Err(Inconvertible),
            };
            Ok(Some(text_order(one.as_str(), &other)))
        }
        (Value::Bool(one), other) => match boolean(other) {
            Some(other) => Ok(Some(one.cmp(&other))),
            None => Err(Inconvertible),
        },
        (Value::Int(one), other) => match integer(other) {
            Some(other) => Ok(Some(one.cmp(&other))),
            None => Err(Inconvertible),
        },
        (one, other) => match (decimal(one), decimal(other)) {
            (Some(one), Some(other)) => Ok(Some(one.cmp(&other))),
            _ => Err(Inconvertible),
        },
    }
}

/// A value cannot be converted to the type of the one it is compared with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inconvertible;

/// The order of .NET's invariant culture, near enough: letters before their case.
pub(crate) fn text_order(one: &str, other: &str) -> Ordering {
    let folded = one.to_lowercase().cmp(&other.to_lowercase());
    // A small letter comes before its capital there.
    folded.then_with(|| other.cmp(one))
}

/// Whether two values have the same content (`JToken.DeepEquals`).
pub(crate) fn same(one: Value<'_>, other: Value<'_>) -> bool {
    match (one, other) {
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(*a, *b))
        }
        (Value::Map(one), Value::Map(other)) => {
            let has = |(name, value): &(&str, Value<'_>)| {
                other.get(name).is_some_and(|it| same(*value, it))
            };
            one.members().len() == other.members().len() && one.members().iter().all(has)
        }
        (Value::Text(one), Value::Text(other)) => one.as_str() == other.as_str(),
        (Value::Bool(one), Value::Bool(other)) => one == other,
        (Value::Null, Value::Null) => true,
        (Value::Text(_) | Value::Bool(_), _) | (_, Value::Text(_) | Value::Bool(_)) => false,
        _ => matches!((decimal(one), decimal(other)), (Some(a), Some(b)) if a == b),
    }
}
