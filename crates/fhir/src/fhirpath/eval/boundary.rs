//! `lowBoundary`, `highBoundary`, `precision`: what a value may mean at most and at least
//! (<https://build.fhir.org/ig/HL7/FHIRPath/#lowboundaryprecision-integer-decimal--date--datetime--time>).

use super::super::item::{Collection, Item};
use super::super::moment::{Date, DateTime, OFFSET_MAX, OFFSET_MIN, Second, Time};
use super::super::quantity::Quantity;
use super::call::Call;
use super::{Outcome, equality};
use crate::decimal::{Decimal, Rounding};
use crate::primitive::temporal::days_in_month;

/// Digits after the point, if nothing else is asked for.
const DECIMAL_PLACES: i64 = 8;
/// The greatest precision of decimals that the standard promises.
const DECIMAL_PLACES_MAX: i64 = 28;

/// Which boundary.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Low,
    High,
}

pub(super) fn low<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    boundary(call, input, Side::Low)
}

pub(super) fn high<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    boundary(call, input, Side::High)
}

fn boundary<'d>(call: &Call<'_, 'd>, input: Collection<'d>, side: Side) -> Outcome<'d> {
    let Some(item) = call.value(input)? else {
        return Ok(Vec::new());
    };
    let digits = call.integer(0)?;
    if call.has_argument(0) && digits.is_none() {
        return Ok(Vec::new());
    }
    let found = match &item {
        Item::Date(date) => date_boundary(*date, digits.unwrap_or(8), side).map(Item::Date),
        Item::DateTime(moment) => {
            moment_boundary(*moment, digits.unwrap_or(17), side).map(Item::DateTime)
        }
        Item::Time(time) => time_boundary(*time, digits.unwrap_or(9), side).map(Item::Time),
        Item::Quantity(quantity) => {
            let value = number_boundary(quantity.value, digits, side);
            value.map(|value| {
                Item::Quantity(Quantity {
                    value,
                    unit: quantity.unit.clone(),
                })
            })
        }
        other => {
            let number = equality::number(other);
            let fault = || call.wrong_input(other, "a number, date or time");
            number_boundary(number.ok_or_else(fault)?, digits, side).map(Item::Decimal)
        }
    };
    Ok(found.into_iter().collect())
}

/// Half a step of the last digit away, then to the precision, away from the value.
fn number_boundary(number: Decimal, places: Option<i64>, side: Side) -> Option<Decimal> {
    let places = places.unwrap_or(DECIMAL_PLACES);
    let places = (0..=DECIMAL_PLACES_MAX)
        .contains(&places)
        .then_some(places)?;
    let places = i32::try_from(places).ok()?;
    let half = Decimal::new(5, number.scale() + 1)?;
    let (edge, rounding) = match side {
        Side::Low => (number.checked_sub(half)?, Rounding::Floor),
        Side::High => (number.checked_add(half)?, Rounding::Ceiling),
    };
    edge.round(places, rounding)
        .checked_add(Decimal::new(0, places)?)
}

fn date_boundary(date: Date, digits: i64, side: Side) -> Option<Date> {
    let (year, first) = (date.year, side == Side::Low);
    let month = date.month.unwrap_or(if first { 1 } else { 12 });
    let last = days_in_month(year.into(), month);
    let day = date.day.unwrap_or(if first { 1 } else { last });
    Some(match digits {
        4 => Date {
            year,
            month: None,
            day: None,
        },
        6 => Date {
            year,
            month: Some(month),
            day: None,
        },
        8 => Date {
            year,
            month: Some(month),
            day: Some(day),
        },
        _ => return None,
    })
}

/// What has no zone may be in any, the first or the last.
fn moment_boundary(moment: DateTime, digits: i64, side: Side) -> Option<DateTime> {
    if digits <= 8 {
        return date_boundary(moment.date, digits, side).map(DateTime::from);
    }
    let date = date_boundary(moment.date, 8, side)?;
    let any = if side == Side::Low {
        Time {
            hour: 0,
            minute: None,
            second: None,
        }
    } else {
        LAST
    };
    let time = time_boundary(moment.time.unwrap_or(any), digits - 8, side)?;
    let any = if side == Side::Low {
        OFFSET_MAX
    } else {
        OFFSET_MIN
    };
    let offset_minutes = Some(moment.offset_minutes.unwrap_or(any));
    Some(DateTime {
        date,
        time: Some(time),
        offset_minutes,
    })
}

const LAST: Time = Time {
    hour: 23,
    minute: None,
    second: None,
};

fn time_boundary(time: Time, digits: i64, side: Side) -> Option<Time> {
    let (minute, whole, nanos) = match side {
        Side::Low => (0, 0, 0),
        Side::High => (59, 59, 999_000_000),
    };
    let minute = time.minute.unwrap_or(minute);
    let any = Second {
        whole,
        nanos,
        digits: 3,
    };
    let second = match time.second {
        None => any,
        Some(second) if second.digits == 0 => Second {
            nanos,
            digits: 3,
            ..second
        },
        Some(second) => Second {
            digits: 3,
            ..second
        },
    };
    let hour = time.hour;
    Some(match digits {
        2 => Time {
            hour,
            minute: None,
            second: None,
        },
        4 => Time {
            hour,
            minute: Some(minute),
            second: None,
        },
        6 => {
            let second = Second {
                nanos: 0,
                digits: 0,
                ..second
            };
            Time {
                hour,
                minute: Some(minute),
                second: Some(second),
            }
        }
        9 => Time {
            hour,
            minute: Some(minute),
            second: Some(second),
        },
        _ => return None,
    })
}

pub(super) fn precision<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(item) = call.value(input)? else {
        return Ok(Vec::new());
    };
    let digits = match &item {
        Item::Date(date) => date_digits(*date),
        Item::DateTime(moment) => date_digits(moment.date) + moment.time.map_or(0, time_digits),
        Item::Time(time) => time_digits(*time),
        other => match equality::number(other) {
            Some(number) => number.scale().max(0).into(),
            None => return Err(call.wrong_input(other, "a number, date or time")),
        },
    };
    Ok(vec![Item::Integer(digits)])
}

fn date_digits(date: Date) -> i64 {
    4 + 2 * i64::from(date.month.is_some()) + 2 * i64::from(date.day.is_some())
}

fn time_digits(time: Time) -> i64 {
    let fraction = time.second.map_or(0, |it| 2 + i64::from(it.digits));
    2 + 2 * i64::from(time.minute.is_some()) + fraction
}
