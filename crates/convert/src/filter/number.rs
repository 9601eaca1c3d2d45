//! Filters that compute. Whole numbers stay whole, everything else is decimal, exact.

use fhir::Decimal;
use fhir::decimal::Rounding;

use super::{argument, rendering, text};
use crate::error::Result;
use crate::render::{Renderer, whole};
use crate::value::{Text, Value, compare, print};

type Operation = fn(Decimal, Decimal) -> Option<Decimal>;

/// The result as a value, a whole number where both were.
fn number<'a>(renderer: &Renderer<'a>, number: Decimal, is_whole: bool) -> Value<'a> {
    match number.to_i64().filter(|_| is_whole) {
        Some(whole) => Value::Int(whole),
        None => Value::Decimal(renderer.arena.alloc(number)),
    }
}

fn computed<'a>(
    renderer: &Renderer<'a>,
    one: Value<'a>,
    other: Value<'a>,
    operation: Operation,
) -> Result<Value<'a>> {
    if one.is_null() || other.is_null() {
        return Ok(Value::Null);
    }
    let (Some(left), Some(right)) = (compare::decimal(one), compare::decimal(other)) else {
        return Err(rendering(
            "a filter computes with something that is no number",
        ));
    };
    let result = operation(left, right)
        .ok_or_else(|| rendering("a division by zero, or a number that is too large"))?;
    let is_whole = is_whole(one) && is_whole(other);
    Ok(number(renderer, result, is_whole))
}

fn is_whole(value: Value<'_>) -> bool {
    match value {
        Value::Int(_) => true,
        Value::Text(text) => text.as_str().trim().parse::<i64>().is_ok(),
        _ => false,
    }
}

/// Texts are put together.
pub(super) fn plus<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    if matches!(value, Value::Text(_)) {
        return text::append(renderer, value, arguments);
    }
    computed(
        renderer,
        value,
        argument(arguments, 0),
        Decimal::checked_add,
    )
}

pub(super) fn minus<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    computed(
        renderer,
        value,
        argument(arguments, 0),
        Decimal::checked_sub,
    )
}

/// A text times a whole number is repeated.
pub(super) fn times<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let (Value::Text(text), Value::Int(count)) = (value, argument(arguments, 0)) else {
        return multiply(renderer, value, arguments);
    };
    let mut builder = crate::value::TextBuilder::default();
    for _ in 0..count {
        renderer.meter.iteration()?;
        renderer.meter.text(text.as_str().len())?;
        builder.push_text(text);
    }
    Ok(Value::Text(builder.finish(renderer.arena)))
}

pub(super) fn multiply<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    computed(
        renderer,
        value,
        argument(arguments, 0),
        Decimal::checked_mul,
    )
}

/// A quotient with as many digits as .NET's decimals have: 28 after the point, 29 of a number that
/// is not too large for them.
fn quotient(one: Decimal, other: Decimal) -> Option<Decimal> {
    const LARGEST: &str = "79228162514264337593543950335";
    let exact = one.checked_div(other)?;
    let rounded = exact.round(28, Rounding::HalfEven);
    if rounded.precision() < 29 {
        return Some(rounded);
    }
    let longest = exact.significant(29);
    let digits = longest.to_string().replace(['-', '.'], "");
    let digits = digits.trim_start_matches('0');
    let fits = digits.len() < LARGEST.len() || digits.len() == LARGEST.len() && digits <= LARGEST;
    Some(if fits { longest } else { exact.significant(28) })
}

/// Whole numbers divide without a rest.
pub(super) fn divided_by<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let divisor = argument(arguments, 0);
    let operation: Operation = match (value, divisor) {
        (Value::Int(_), Value::Int(_)) => Decimal::checked_div_integer,
        _ => quotient,
    };
    computed(renderer, value, divisor, operation)
}

/// Never whole (Microsoft's).
pub(super) fn divide<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    computed(renderer, value, argument(arguments, 0), quotient)
}

pub(super) fn modulo<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    computed(
        renderer,
        value,
        argument(arguments, 0),
        Decimal::checked_rem,
    )
}

pub(super) fn pow<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    computed(renderer, value, argument(arguments, 0), Decimal::power)
}

pub(super) fn at_least<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    computed(renderer, value, argument(arguments, 0), |a, b| {
        Some(a.max(b))
    })
}

pub(super) fn at_most<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    computed(renderer, value, argument(arguments, 0), |a, b| {
        Some(a.min(b))
    })
}

/// A function of one number; what is no number gives null.
fn of_one<'a>(
    renderer: &Renderer<'a>,
    value: Value<'a>,
    is_whole: bool,
    function: impl Fn(Decimal) -> Decimal,
) -> Value<'a> {
    match compare::decimal(value) {
        Some(decimal) => number(renderer, function(decimal), is_whole),
        None => Value::Null,
    }
}

pub(super) fn abs<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let positive = |it: Decimal| {
        if it.is_negative() {
            Decimal::ZERO.checked_sub(it).unwrap_or(it)
        } else {
            it
        }
    };
    Ok(of_one(renderer, value, is_whole(value), positive))
}

pub(super) fn ceil<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(of_one(renderer, value, true, Decimal::ceil))
}

pub(super) fn floor<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(of_one(renderer, value, true, Decimal::floor))
}

pub(super) fn truncate_number<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(of_one(renderer, value, true, Decimal::trunc))
}

pub(super) fn round<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    arguments: &[Value<'a>],
) -> Result<Value<'a>> {
    let places = whole(argument(arguments, 0)).clamp(-28, 28);
    let places = i32::try_from(places).unwrap_or(0);
    Ok(of_one(renderer, value, places <= 0, |it| {
        it.round(places, Rounding::HalfEven)
    }))
}

pub(super) fn sign<'a>(
    _: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let of = |it: Decimal| match it.cmp(&Decimal::ZERO) {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    };
    Ok(compare::decimal(value).map_or(Value::Null, |it| Value::Int(of(it))))
}

pub(super) fn to_double<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let decimal = compare::decimal(value).ok_or_else(|| rendering("`to_double` takes a number"))?;
    Ok(Value::Decimal(renderer.arena.alloc(decimal)))
}

/// True when it *is* a number: templates count on it.
pub(super) fn is_nan<'a>(
    _: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    Ok(Value::Bool(compare::decimal(value).is_some()))
}

/// Below the input; drawn from the seed of the conversion, so that the same input gives the same.
pub(super) fn random<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let below = u64::try_from(whole(value)).ok().filter(|it| *it > 0);
    let below = below.ok_or_else(|| rendering("`random` takes a number above zero"))?;
    renderer.drawn += 1;
    // SplitMix64.
    let step = renderer.drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut mixed = renderer.settings.seed.wrapping_add(step);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let drawn = (mixed ^ (mixed >> 31)) % below;
    Ok(Value::Int(i64::try_from(drawn).unwrap_or(0)))
}

/// Two decimals and separators between thousands, in the invariant culture.
pub(super) fn currency<'a>(
    renderer: &mut Renderer<'a>,
    value: Value<'a>,
    _: &[Value<'a>],
) -> Result<Value<'a>> {
    let Some(decimal) = compare::decimal(value) else {
        return Ok(value);
    };
    let cents = decimal.round(2, Rounding::HalfEven);
    let printed = print::number(Value::Decimal(renderer.arena.alloc(cents)));
    let unsigned = printed.trim_start_matches('-');
    let (units, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let mut grouped = String::new();
    for (at, digit) in units.chars().enumerate() {
        if at > 0 && (units.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if printed.starts_with('-') { "-" } else { "" };
    let text = format!("{sign}\u{a4}{grouped}.{fraction:0<2}");
    Ok(Value::Text(Text::Plain(renderer.arena.alloc_str(&text))))
}
