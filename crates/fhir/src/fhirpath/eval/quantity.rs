//! Quantities: conversion, comparison, arithmetic
//! (<https://hl7.org/fhirpath/N1/#quantity>).
//!
//! Calendar durations convert among each other by the standard's factors. With definite durations
//! they mix from weeks down, where both are equal; years and months are only equivalent.

use std::cmp::Ordering;

use super::super::item::{Collection, Item};
use super::super::measure;
use super::super::quantity::{CalendarUnit, Quantity, Unit};
use super::call::{Call, truth};
use super::equality::equivalent_numbers;
use super::{Outcome, single_value, wrong_type};
use crate::decimal::Decimal;

/// A number as a quantity of unit `'1'`.
pub(super) fn of_number(item: &Item<'_>) -> Option<Quantity> {
    let value = super::equality::number(item)?;
    Some(Quantity {
        value,
        unit: Unit::one(),
    })
}

/// Whether two quantities are equal; unknown if their units do not compare.
pub(super) fn equal(left: &Quantity, right: &Quantity) -> Option<bool> {
    compare(left, right).map(|it| it == Ordering::Equal)
}

pub(super) fn compare(left: &Quantity, right: &Quantity) -> Option<Ordering> {
    let (left, right) = common(left, right, Mixing::Equal)?;
    Some(left.cmp(&right))
}

/// In the coarser unit, so that conversion does not feign precision.
pub(super) fn equivalent(left: &Quantity, right: &Quantity) -> bool {
    let coarse = if is_finer(&left.unit, &right.unit) {
        &right.unit
    } else {
        &left.unit
    };
    let both =
        convert(left, coarse, Mixing::Equivalent).zip(convert(right, coarse, Mixing::Equivalent));
    both.is_some_and(|(left, right)| equivalent_numbers(left, right))
}

/// Whether calendar years and months may stand for those of UCUM.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mixing {
    Equal,
    Equivalent,
}

/// Both values in one unit: calendar durations in the coarser one, because twelve months are a
/// year, but their days are not.
fn common(left: &Quantity, right: &Quantity, mixing: Mixing) -> Option<(Decimal, Decimal)> {
    let unit = match (&left.unit, &right.unit) {
        (Unit::Calendar(one), Unit::Calendar(other)) => &Unit::Calendar(*one.max(other)),
        _ => &left.unit,
    };
    convert(left, unit, mixing).zip(convert(right, unit, mixing))
}

/// The value in another unit.
fn convert(quantity: &Quantity, to: &Unit, mixing: Mixing) -> Option<Decimal> {
    let Quantity { value, unit } = quantity;
    match (unit, to) {
        (from, to) if from == to => Some(*value),
        (Unit::Calendar(from), Unit::Calendar(to)) => calendar(*value, *from, *to),
        (Unit::Ucum(from), Unit::Ucum(to)) => measure::convert(*value, from, to),
        _ if mixing == Mixing::Equal && !(is_mixable(unit) && is_mixable(to)) => None,
        _ => measure::convert(*value, unit.ucum(), to.ucum()),
    }
}

/// Whether it is no year and no month, calendar or not.
fn is_mixable(unit: &Unit) -> bool {
    unit.calendar().is_none_or(CalendarUnit::is_definite)
}

fn calendar(value: Decimal, from: CalendarUnit, to: CalendarUnit) -> Option<Decimal> {
    let twelve = Decimal::from(12);
    match (from, to) {
        (CalendarUnit::Year, CalendarUnit::Month) => value.checked_mul(twelve),
        (CalendarUnit::Month, CalendarUnit::Year) => value.checked_div(twelve),
        _ => value.checked_mul(from.seconds())?.checked_div(to.seconds()),
    }
}

fn is_finer(one: &Unit, other: &Unit) -> bool {
    if let (Unit::Calendar(one), Unit::Calendar(other)) = (one, other) {
        return one < other;
    }
    let factor = measure::convert(Decimal::ONE, one.ucum(), other.ucum());
    factor.is_some_and(|it| it < Decimal::ONE)
}

/// The sum, in the finer unit; a calendar duration if one of both is.
pub(super) fn sum(left: &Quantity, right: &Quantity) -> Option<Quantity> {
    if is_special(left) || is_special(right) {
        return None;
    }
    let finer = if is_finer(&right.unit, &left.unit) {
        &right.unit
    } else {
        &left.unit
    };
    let is_calendar = |it: &Quantity| matches!(it.unit, Unit::Calendar(_));
    let unit = match finer.calendar() {
        Some(unit) if is_calendar(left) || is_calendar(right) => Unit::Calendar(unit),
        _ => finer.clone(),
    };
    let (left, right) = (
        convert(left, &unit, Mixing::Equal)?,
        convert(right, &unit, Mixing::Equal)?,
    );
    Some(Quantity {
        value: left.checked_add(right)?,
        unit,
    })
}

/// `div` and `mod`, both in the unit of the left operand.
pub(super) fn aligned(
    left: &Quantity,
    right: &Quantity,
    operation: fn(Decimal, Decimal) -> Option<Decimal>,
) -> Option<Quantity> {
    let other = convert(right, &left.unit, Mixing::Equal)?;
    Some(Quantity {
        value: operation(left.value, other)?,
        unit: left.unit.clone(),
    })
}

pub(super) fn product(left: &Quantity, right: &Quantity) -> Option<Quantity> {
    if is_special(left) || is_special(right) {
        return None;
    }
    let unit = match (&left.unit, &right.unit) {
        (unit, other) if *other == Unit::one() => unit.clone(),
        (one, unit) if *one == Unit::one() => unit.clone(),
        (Unit::Ucum(one), Unit::Ucum(other)) => Unit::Ucum(measure::product(one, other)?),
        _ => return None,
    };
    let value = left.value.checked_mul(right.value)?;
    Some(Quantity { value, unit })
}

/// Of what measures the same it is a plain number.
pub(super) fn quotient(left: &Quantity, right: &Quantity) -> Option<Quantity> {
    if is_special(left) || is_special(right) {
        return None;
    }
    let (divisor, unit) = match (&left.unit, &right.unit) {
        (unit, other) if *other == Unit::one() => (right.value, unit.clone()),
        (Unit::Ucum(one), Unit::Ucum(other)) => match measure::convert(right.value, other, one) {
            Some(divisor) => (divisor, Unit::one()),
            None => (right.value, Unit::Ucum(measure::quotient(one, other)?)),
        },
        _ => return None,
    };
    let value = left.value.checked_div(divisor)?;
    Some(Quantity { value, unit })
}

/// Units on scales that do not begin at nothing (`Cel`, `B`) have no arithmetic.
fn is_special(quantity: &Quantity) -> bool {
    matches!(&quantity.unit, Unit::Ucum(code) if measure::is_special(code))
}

/// `toQuantity(unit)`: the quantity in another unit. Calendar years and months become those of
/// UCUM, but not the other way round.
pub(super) fn in_unit(quantity: &Quantity, unit: &str) -> Option<Quantity> {
    let unit = Unit::of(unit);
    let value = match (&quantity.unit, &unit) {
        (Unit::Calendar(from), Unit::Ucum(to)) => match CalendarUnit::of_ucum(to) {
            Some(to) => calendar(quantity.value, *from, to)?,
            None => convert(quantity, &unit, Mixing::Equal)?,
        },
        _ => convert(quantity, &unit, Mixing::Equal)?,
    };
    Some(Quantity { value, unit })
}

/// `comparable(other)`: whether the units measure the same.
pub(super) fn comparable<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let quantity = |items, what| match single_value(items, what, "a Quantity", call.span)? {
        None => Ok(None),
        Some(Item::Quantity(quantity)) => Ok(Some(quantity)),
        Some(other) => match of_number(&other) {
            Some(quantity) => Ok(Some(quantity)),
            None => Err(wrong_type(&other, what, "a Quantity", call.span)),
        },
    };
    let left = quantity(input, "the input")?;
    let right = quantity(call.argument(0)?, "the argument")?;
    let Some((left, right)) = left.zip(right) else {
        return Ok(Vec::new());
    };
    truth(left.unit == right.unit || measure::comparable(left.unit.ucum(), right.unit.ucum()))
}
