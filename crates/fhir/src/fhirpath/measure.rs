//! Units of UCUM, as quantities need them: by their codes.

use crate::decimal::Decimal;
use crate::ucum::Unit;

/// The value in another unit.
pub(super) fn convert(value: Decimal, from: &str, to: &str) -> Option<Decimal> {
    Unit::read(from)?.convert(value, &Unit::read(to)?).ok()
}

/// Whether both units measure the same.
pub(super) fn comparable(one: &str, other: &str) -> bool {
    let both = Unit::read(one).zip(Unit::read(other));
    both.is_some_and(|(one, other)| one.comparable(&other))
}

/// The code of the product of two units.
pub(super) fn product(one: &str, other: &str) -> Option<String> {
    let product = Unit::read(one)?.multiply(&Unit::read(other)?).ok()?;
    Some(product.code().to_owned())
}

/// The code of the quotient of two units.
pub(super) fn quotient(one: &str, other: &str) -> Option<String> {
    let quotient = Unit::read(one)?.divide(&Unit::read(other)?).ok()?;
    Some(quotient.code().to_owned())
}

/// Whether the unit is on a scale of its own (`Cel`, `B`): such units have no products.
pub(super) fn is_special(code: &str) -> bool {
    code != "1" && Unit::read(code).is_some_and(|unit| unit.multiply(&unit).is_err())
}
