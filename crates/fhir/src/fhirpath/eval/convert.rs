//! Conversions between types (<https://hl7.org/fhirpath/N1/#conversion>).
//!
//! Each is one function from a value to a value; `toX` and `convertsToX` share it.

use super::super::item::{Collection, Item};
use super::super::moment::{Date, DateTime, Time};
use super::super::quantity::{CalendarUnit, Quantity, Unit};
use super::call::{Call, truth};
use super::{Failure, Outcome, quantity};
use crate::decimal::Decimal;

/// A conversion; `None` where there is none.
pub(super) type Conversion = for<'d> fn(&Item<'d>) -> Option<Item<'d>>;

/// The single item of the input; a complex one as it is.
fn subject<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Result<Option<Item<'d>>, Failure> {
    let item = call.single(input)?;
    Ok(item.map(|it| it.value().unwrap_or(it)))
}

pub(super) fn to<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
    conversion: Conversion,
) -> Outcome<'d> {
    let item = subject(call, input)?;
    Ok(item.and_then(|it| conversion(&it)).into_iter().collect())
}

pub(super) fn converts<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
    conversion: Conversion,
) -> Outcome<'d> {
    match subject(call, input)? {
        None => Ok(Vec::new()),
        Some(item) => truth(conversion(&item).is_some()),
    }
}

const TRUE: [&str; 6] = ["true", "t", "yes", "y", "1", "1.0"];
const FALSE: [&str; 6] = ["false", "f", "no", "n", "0", "0.0"];

pub(super) fn boolean<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    let truth = match item {
        Item::Boolean(truth) => *truth,
        Item::String(text) => {
            let is = |it: &&str| it.eq_ignore_ascii_case(text);
            let truth = TRUE.iter().any(is);
            (truth || FALSE.iter().any(is)).then_some(truth)?
        }
        other => {
            let number = super::equality::number(other)?;
            let known = number == Decimal::ONE || number.is_zero();
            known.then(|| number == Decimal::ONE)?
        }
    };
    Some(Item::Boolean(truth))
}

/// Digits with a sign, nothing else.
fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn whole(item: &Item<'_>) -> Option<i64> {
    match item {
        Item::Integer(number) | Item::Long(number) => Some(*number),
        Item::Boolean(truth) => Some(i64::from(*truth)),
        Item::String(text) => whole_number(text),
        _ => None,
    }
}

pub(super) fn integer<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    whole(item)
        .filter(|it| i32::try_from(*it).is_ok())
        .map(Item::Integer)
}

pub(super) fn long<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    whole(item).map(Item::Long)
}

/// Digits with a sign and perhaps a fraction.
fn plain_decimal(text: &str) -> Option<Decimal> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    (plain(whole) && plain(fraction)).then(|| text.parse().ok())?
}

pub(super) fn decimal<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    let number = match item {
        Item::Boolean(truth) => Decimal::new(if *truth { 10 } else { 0 }, 1),
        Item::String(text) => plain_decimal(text),
        other => super::equality::number(other),
    };
    number.map(Item::Decimal)
}

pub(super) fn string<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    match item {
        Item::Node(_) => None,
        other => other.to_text().map(Item::String),
    }
}

pub(super) fn date<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    let date = match item {
        Item::Date(date) => Some(*date),
        Item::DateTime(moment) => Some(moment.date),
        Item::String(text) => Date::parse(text),
        _ => None,
    };
    date.map(Item::Date)
}

pub(super) fn date_time<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    let moment = match item {
        Item::Date(date) => Some(DateTime::from(*date)),
        Item::DateTime(moment) => Some(*moment),
        Item::String(text) => DateTime::parse(text),
        _ => None,
    };
    moment.map(Item::DateTime)
}

pub(super) fn time<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    let time = match item {
        Item::Time(time) => Some(*time),
        Item::String(text) => Time::parse(text.strip_prefix('T').unwrap_or(text)),
        _ => None,
    };
    time.map(Item::Time)
}

/// Not from a `Long`: FHIRPath 3.0 leaves that out.
fn quantity_of(item: &Item<'_>) -> Option<Quantity> {
    match item {
        Item::Quantity(quantity) => Some(quantity.clone()),
        Item::Integer(_) | Item::Decimal(_) => quantity::of_number(item),
        Item::Boolean(_) => {
            let Some(Item::Decimal(value)) = decimal(item) else {
                return None;
            };
            Some(Quantity {
                value,
                unit: Unit::one(),
            })
        }
        Item::String(text) => quantity_in(text),
        _ => None,
    }
}

/// A number, and a unit in quotes or of the calendar.
fn quantity_in(text: &str) -> Option<Quantity> {
    let is_number = |it: char| it.is_ascii_digit() || matches!(it, '+' | '-' | '.');
    let end = text.find(|it| !is_number(it)).unwrap_or(text.len());
    let value = plain_decimal(&text[..end])?;
    let rest = text[end..].trim();
    let unit = match rest.strip_prefix('\'').and_then(|it| it.strip_suffix('\'')) {
        Some("") => return None,
        Some(code) => Unit::Ucum(code.to_owned()),
        None if rest.is_empty() => Unit::one(),
        None => Unit::Calendar(CalendarUnit::named(rest)?),
    };
    Some(Quantity { value, unit })
}

/// The quantity that the input converts to, in the unit that the argument names.
fn quantity_for(call: &Call<'_, '_>, item: &Item<'_>) -> Result<Option<Quantity>, Failure> {
    let found = quantity_of(item);
    if !call.has_argument(0) {
        return Ok(found);
    }
    let unit = call.string(0)?;
    Ok(found
        .zip(unit)
        .and_then(|(found, unit)| quantity::in_unit(&found, &unit)))
}

pub(super) fn to_quantity<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(item) = subject(call, input)? else {
        return Ok(Vec::new());
    };
    Ok(quantity_for(call, &item)?
        .map(Item::Quantity)
        .into_iter()
        .collect())
}

pub(super) fn converts_to_quantity<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    match subject(call, input)? {
        None => Ok(Vec::new()),
        Some(item) => truth(quantity_for(call, &item)?.is_some()),
    }
}

/// A part of a date or time: `yearOf` and its like. Strings count as what they say.
pub(super) fn component<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
    part: for<'i> fn(&Item<'i>) -> Option<Item<'i>>,
) -> Outcome<'d> {
    let Some(item) = subject(call, input)? else {
        return Ok(Vec::new());
    };
    let item = match &item {
        Item::String(_) => date(&item)
            .or_else(|| date_time(&item))
            .or_else(|| time(&item)),
        _ => Some(item),
    };
    Ok(item.and_then(|it| part(&it)).into_iter().collect())
}

fn date_part(item: &Item<'_>) -> Option<Date> {
    match item {
        Item::Date(date) => Some(*date),
        Item::DateTime(moment) => Some(moment.date),
        _ => None,
    }
}

fn time_part(item: &Item<'_>) -> Option<Time> {
    match item {
        Item::Time(time) => Some(*time),
        Item::DateTime(moment) => moment.time,
        _ => None,
    }
}

pub(super) fn year_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    Some(Item::Integer(date_part(item)?.year.into()))
}

pub(super) fn month_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    Some(Item::Integer(date_part(item)?.month?.into()))
}

pub(super) fn day_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    Some(Item::Integer(date_part(item)?.day?.into()))
}

pub(super) fn hour_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    Some(Item::Integer(time_part(item)?.hour.into()))
}

pub(super) fn minute_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    Some(Item::Integer(time_part(item)?.minute?.into()))
}

pub(super) fn second_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    Some(Item::Integer(time_part(item)?.second?.whole.into()))
}

pub(super) fn millisecond_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    let second = time_part(item)?.second.filter(|it| it.digits > 0)?;
    Some(Item::Integer((second.nanos / 1_000_000).into()))
}

pub(super) fn offset_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    let Item::DateTime(moment) = item else {
        return None;
    };
    let minutes = Decimal::from(i64::from(moment.offset_minutes?));
    minutes
        .checked_div(Decimal::new(600, 1)?)
        .map(Item::Decimal)
}

pub(super) fn date_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    date_part(item).map(Item::Date)
}

pub(super) fn time_of<'d>(item: &Item<'d>) -> Option<Item<'d>> {
    match item {
        Item::DateTime(moment) => moment.time.map(Item::Time),
        _ => None,
    }
}
