//! Dates and times plus durations (<https://hl7.org/fhirpath/N1/#datetime-arithmetic>).
//!
//! A duration finer than the value is first converted to what the value has, rest cut off. Above
//! seconds, decimals of the duration are cut off, too.

use super::super::fault::{EvaluationFault, Span};
use super::super::item::Item;
use super::super::moment::{Date, DateTime, NANOS_PER_DAY, Second, Time};
use super::super::quantity::{CalendarUnit, Quantity, Unit};
use super::Failure;
use crate::decimal::Decimal;
use crate::primitive::temporal::days_in_month;

/// Adds a duration to a date or time.
pub(super) fn add<'d>(
    item: &Item<'d>,
    duration: &Quantity,
    span: Span,
) -> Result<Item<'d>, Failure> {
    let fault = |fault| Failure { fault, span };
    let unit = duration_unit(&duration.unit);
    let (sum, name) = match item {
        Item::Date(date) => {
            let moment = unit.map(|unit| add_to_moment(DateTime::from(*date), duration, unit));
            (moment.map(|it| it.map(|it| Item::Date(it.date))), "a Date")
        }
        Item::DateTime(moment) => {
            let sum = unit.map(|unit| add_to_moment(*moment, duration, unit));
            (sum.map(|it| it.map(Item::DateTime)), "a DateTime")
        }
        Item::Time(time) => {
            let unit = unit.filter(|it| *it <= CalendarUnit::Hour);
            (
                unit.map(|unit| add_to_time(*time, duration, unit).map(Item::Time)),
                "a Time",
            )
        }
        _ => (None, "this"),
    };
    let sum = sum.ok_or_else(|| fault(EvaluationFault::Unit(name)))?;
    sum.ok_or_else(|| fault(EvaluationFault::Calendar))
}

/// UCUM's years and months are no calendar durations; its shorter ones are equal to them.
fn duration_unit(unit: &Unit) -> Option<CalendarUnit> {
    match unit {
        Unit::Calendar(unit) => Some(*unit),
        Unit::Ucum(code) => CalendarUnit::of_ucum(code).filter(|it| it.is_definite()),
    }
}

/// The finest unit that a value has.
fn precision(moment: &DateTime) -> CalendarUnit {
    match (moment.date.month, moment.date.day, moment.time) {
        (None, ..) => CalendarUnit::Year,
        (_, None, _) => CalendarUnit::Month,
        (_, _, None) => CalendarUnit::Day,
        (_, _, Some(time)) => time_precision(&time),
    }
}

fn time_precision(time: &Time) -> CalendarUnit {
    match (time.minute, time.second) {
        (None, _) => CalendarUnit::Hour,
        (_, None) => CalendarUnit::Minute,
        _ => CalendarUnit::Second,
    }
}

/// The duration in whole units of what the value has; of seconds also their fraction.
fn amount(duration: &Quantity, unit: CalendarUnit, precision: CalendarUnit) -> Option<Decimal> {
    let value = if unit <= CalendarUnit::Second {
        duration.value
    } else {
        duration.value.trunc()
    };
    if unit >= precision && unit > CalendarUnit::Second {
        return Some(value);
    }
    let converted = match (unit, precision) {
        (CalendarUnit::Month, CalendarUnit::Year) => value.checked_div(Decimal::from(12))?,
        _ => value
            .checked_mul(unit.seconds())?
            .checked_div(precision.seconds())?,
    };
    Some(if precision == CalendarUnit::Second {
        converted
    } else {
        converted.trunc()
    })
}

fn add_to_moment(moment: DateTime, duration: &Quantity, unit: CalendarUnit) -> Option<DateTime> {
    let precision = precision(&moment);
    let amount = amount(duration, unit, precision)?;
    let unit = unit.max(precision);
    match unit {
        CalendarUnit::Year => add_months(moment, amount.checked_mul(Decimal::from(12))?.to_i64()?),
        CalendarUnit::Month => add_months(moment, amount.to_i64()?),
        CalendarUnit::Week => add_days(moment, amount.to_i64()?.checked_mul(7)?),
        CalendarUnit::Day => add_days(moment, amount.to_i64()?),
        _ => {
            let time = moment.time?;
            let (time, days) = shifted(time, nanos(amount, unit)?)?;
            add_days(
                DateTime {
                    time: Some(time),
                    ..moment
                },
                days,
            )
        }
    }
}

fn add_months(moment: DateTime, months: i64) -> Option<DateTime> {
    let Date { year, month, day } = moment.date;
    let total = i64::from(year) * 12 + i64::from(month.unwrap_or(1)) - 1;
    let total = total.checked_add(months)?;
    let year = u16::try_from(total.div_euclid(12))
        .ok()
        .filter(|it| (1..=9999).contains(it))?;
    let in_year = u8::try_from(total.rem_euclid(12) + 1).ok()?;
    let last = days_in_month(year.into(), in_year);
    let date = Date {
        year,
        month: month.map(|_| in_year),
        day: day.map(|it| it.min(last)),
    };
    Some(DateTime { date, ..moment })
}

fn add_days(moment: DateTime, days: i64) -> Option<DateTime> {
    let date = moment.date.plus_days(days)?;
    Some(DateTime { date, ..moment })
}

/// Times of day wrap around at midnight.
fn add_to_time(time: Time, duration: &Quantity, unit: CalendarUnit) -> Option<Time> {
    let precision = time_precision(&time);
    let amount = amount(duration, unit, precision)?;
    Some(shifted(time, nanos(amount, unit.max(precision))?)?.0)
}

fn nanos(amount: Decimal, unit: CalendarUnit) -> Option<i128> {
    let nanos = amount
        .checked_mul(unit.seconds())?
        .checked_mul(Decimal::from(1_000_000_000))?;
    nanos.trunc().to_i64().map(i128::from)
}

/// The time after that many nanoseconds, with the days that have passed. A leap second counts as
/// the one before it.
fn shifted(time: Time, nanos: i128) -> Option<(Time, i64)> {
    let leap = time.second.is_some_and(|it| it.whole == 60);
    let start = time.start() - if leap { 1_000_000_000 } else { 0 };
    let total = start + nanos;
    let days = i64::try_from(total.div_euclid(NANOS_PER_DAY)).ok()?;
    let rest = u64::try_from(total.rem_euclid(NANOS_PER_DAY)).ok()?;
    let (seconds, fraction) = (
        rest / 1_000_000_000,
        u32::try_from(rest % 1_000_000_000).ok()?,
    );
    let part = |it: u64| u8::try_from(it).ok();
    let second = match time.second {
        None => None,
        Some(before) => Some(Second {
            whole: part(seconds % 60)?,
            nanos: fraction,
            digits: before.digits.max(digits(fraction)),
        }),
    };
    let minute = match time.minute {
        None => None,
        Some(_) => Some(part(seconds / 60 % 60)?),
    };
    Some((
        Time {
            hour: part(seconds / 3600)?,
            minute,
            second,
        },
        days,
    ))
}

/// How many digits a fraction needs: none, three, six or nine.
fn digits(nanos: u32) -> u8 {
    match nanos {
        0 => 0,
        it if it % 1_000_000 == 0 => 3,
        it if it % 1000 == 0 => 6,
        _ => 9,
    }
}
