//! Arithmetic and the functions of numbers (<https://hl7.org/fhirpath/N1/#math>).
//!
//! What overflows is empty, as the standard says.

use super::super::ast::{Operator, Sign};
use super::super::fault::Span;
use super::super::item::{Collection, Item, Scalar, Years};
use super::call::Call;
use super::equality::{number, numbers};
use super::{Failure, Operation, Outcome, date, quantity, single_value, wrong_type};
use crate::decimal::{Decimal, Rounding};
use crate::fhirpath::Quantity;

pub(super) fn operate<'d>(
    operation: Operation<'_, 'd>,
    left: Collection<'d>,
    right: Collection<'d>,
) -> Outcome<'d> {
    let Some((left, right)) = operation.singles(left, right)? else {
        return Ok(Vec::new());
    };
    let years = match operation.operator {
        Operator::Multiply | Operator::Divide => Years::Ucum,
        _ => Years::Calendar,
    };
    match (left.scalar_with(years), right.scalar_with(years)) {
        (Scalar::Absent, _) | (_, Scalar::Absent) => Ok(Vec::new()),
        (Scalar::Value(one), Scalar::Value(other)) => {
            Ok(values(operation, &one, &other)?.into_iter().collect())
        }
        _ => Err(operation.undefined(&left, &right)),
    }
}

fn values<'d>(
    operation: Operation<'_, 'd>,
    left: &Item<'d>,
    right: &Item<'d>,
) -> Result<Option<Item<'d>>, Failure> {
    if let Some((one, other)) = numbers(left, right) {
        return Ok(arithmetic(operation.operator, (left, one), (right, other)));
    }
    match (left, operation.operator, right) {
        (Item::String(one), Operator::Add, Item::String(other)) => {
            operation
                .evaluator
                .check_length(one.len() + other.len(), operation.span)?;
            Ok(Some(Item::string(format!("{one}{other}"))))
        }
        (Item::Quantity(one), _, Item::Quantity(other)) => {
            Ok(quantities(operation.operator, one, other))
        }
        (
            Item::Quantity(amount),
            Operator::Add,
            Item::Date(_) | Item::DateTime(_) | Item::Time(_),
        ) => date::add(right, amount, operation.span).map(Some),
        (
            Item::Date(_) | Item::DateTime(_) | Item::Time(_),
            Operator::Add,
            Item::Quantity(amount),
        ) => date::add(left, amount, operation.span).map(Some),
        (
            Item::Date(_) | Item::DateTime(_) | Item::Time(_),
            Operator::Subtract,
            Item::Quantity(amount),
        ) => {
            let amount = Quantity {
                value: amount.value.negated(),
                unit: amount.unit.clone(),
            };
            date::add(left, &amount, operation.span).map(Some)
        }
        (Item::Quantity(one), _, other) if number(other).is_some() => {
            let other = quantity::of_number(other);
            Ok(other.and_then(|other| quantities(operation.operator, one, &other)))
        }
        (one, _, Item::Quantity(other)) if number(one).is_some() => {
            let one = quantity::of_number(one);
            Ok(one.and_then(|one| quantities(operation.operator, &one, other)))
        }
        _ => Err(operation.undefined(left, right)),
    }
}

fn quantities(operator: Operator, left: &Quantity, right: &Quantity) -> Option<Item<'static>> {
    let result = match operator {
        Operator::Add => quantity::sum(left, right),
        Operator::Subtract => {
            let right = Quantity {
                value: right.value.negated(),
                unit: right.unit.clone(),
            };
            quantity::sum(left, &right)
        }
        Operator::Multiply => quantity::product(left, right),
        Operator::Divide => quantity::quotient(left, right),
        Operator::Div => quantity::aligned(left, right, Decimal::checked_div_integer),
        _ => quantity::aligned(left, right, Decimal::checked_rem),
    };
    result.map(Item::Quantity)
}

/// The result has the wider type of both operands; that of `/` is a `Decimal`.
fn arithmetic<'d>(
    operator: Operator,
    (left, one): (&Item<'d>, Decimal),
    (right, other): (&Item<'d>, Decimal),
) -> Option<Item<'d>> {
    let result = match operator {
        Operator::Add => one.checked_add(other),
        Operator::Subtract => one.checked_sub(other),
        Operator::Multiply => one.checked_mul(other),
        Operator::Divide => return one.checked_div(other).map(Item::Decimal),
        Operator::Div => one.checked_div_integer(other),
        _ => one.checked_rem(other),
    }?;
    match (left, right) {
        (Item::Decimal(_), _) | (_, Item::Decimal(_)) => Some(Item::Decimal(result)),
        (Item::Long(_), _) | (_, Item::Long(_)) => result.to_i64().map(Item::Long),
        _ => integer_item(result),
    }
}

/// A whole number, if it has 32 bits.
fn integer_item<'d>(number: Decimal) -> Option<Item<'d>> {
    let fits = |it: &i64| i32::try_from(*it).is_ok();
    number.to_i64().filter(fits).map(Item::Integer)
}

pub(super) fn polarity(sign: Sign, operand: Collection<'_>, span: Span) -> Outcome<'_> {
    let what = "the operand of a sign";
    let Some(item) = single_value(operand, what, "a number or Quantity", span)? else {
        return Ok(Vec::new());
    };
    let is_number = number(&item).is_some() || matches!(item, Item::Quantity(_));
    if !is_number {
        return Err(wrong_type(&item, what, "a number or Quantity", span));
    }
    Ok(vec![match (sign, item) {
        (Sign::Minus, Item::Integer(number)) => Item::Integer(-number),
        (Sign::Minus, Item::Long(number)) => Item::Long(number.wrapping_neg()),
        (Sign::Minus, Item::Decimal(number)) => Item::Decimal(number.negated()),
        (Sign::Minus, Item::Quantity(it)) => {
            let value = it.value.negated();
            Item::Quantity(Quantity { value, ..it })
        }
        (_, item) => item,
    }])
}

/// The single number or quantity of the input.
fn numeric<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Result<Option<Item<'d>>, Failure> {
    let expected = "a number or Quantity";
    let Some(item) = single_value(input, "the input", expected, call.span)? else {
        return Ok(None);
    };
    if number(&item).is_none() && !matches!(item, Item::Quantity(_)) {
        return Err(call.wrong_input(&item, expected));
    }
    Ok(Some(item))
}

pub(super) fn abs<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let item = numeric(call, input)?;
    Ok(item.and_then(magnitude).into_iter().collect())
}

fn magnitude(item: Item<'_>) -> Option<Item<'_>> {
    Some(match item {
        Item::Integer(number) => return integer_item(Decimal::from(number).abs()),
        Item::Long(number) => Item::Long(number.checked_abs()?),
        Item::Decimal(number) => Item::Decimal(number.abs()),
        Item::Quantity(it) => Item::Quantity(Quantity {
            value: it.value.abs(),
            unit: it.unit,
        }),
        other => other,
    })
}

/// `ceiling`, `floor`, `truncate`: to a whole number.
pub(super) fn whole<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
    round: fn(Decimal) -> Decimal,
) -> Outcome<'d> {
    let Some(item) = numeric(call, input)? else {
        return Ok(Vec::new());
    };
    let result = match item {
        Item::Quantity(it) => Some(Item::Quantity(Quantity {
            value: round(it.value),
            unit: it.unit,
        })),
        Item::Decimal(number) => {
            let rounded = round(number);
            integer_item(rounded).or_else(|| rounded.to_i64().map(Item::Long))
        }
        other => Some(other),
    };
    Ok(result.into_iter().collect())
}

pub(super) fn round<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let places = call.integer(0)?;
    if call.has_argument(0) && places.is_none() {
        return Ok(Vec::new());
    }
    let Ok(places @ 0..) = i32::try_from(places.unwrap_or(0)) else {
        let (what, allowed) = ("the precision is out of range", "0 and above");
        return Err(call.fault(super::EvaluationFault::Argument { what, allowed }));
    };
    let round = |it: Decimal| it.round(places, Rounding::HalfAwayFromZero);
    Ok(match numeric(call, input)? {
        None => Vec::new(),
        Some(Item::Quantity(it)) => {
            vec![Item::Quantity(Quantity {
                value: round(it.value),
                unit: it.unit,
            })]
        }
        Some(item) => number(&item)
            .map(round)
            .map(Item::Decimal)
            .into_iter()
            .collect(),
    })
}

/// The single number of the input.
fn input_number<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
) -> Result<Option<Decimal>, Failure> {
    let Some(item) = single_value(input, "the input", "a number", call.span)? else {
        return Ok(None);
    };
    number(&item)
        .ok_or_else(|| call.wrong_input(&item, "a number"))
        .map(Some)
}

fn argument_number(call: &Call<'_, '_>) -> Result<Option<Decimal>, Failure> {
    let items = call.argument(0)?;
    let Some(item) = single_value(items, "the argument", "a number", call.span)? else {
        return Ok(None);
    };
    let fault = || wrong_type(&item, "the argument", "a number", call.span);
    number(&item).ok_or_else(fault).map(Some)
}

/// `exp`, `ln`, `sqrt`.
pub(super) fn inexact<'d>(
    call: &Call<'_, 'd>,
    input: Collection<'d>,
    function: fn(Decimal) -> Option<Decimal>,
) -> Outcome<'d> {
    let number = input_number(call, input)?;
    Ok(number
        .and_then(function)
        .map(Item::Decimal)
        .into_iter()
        .collect())
}

pub(super) fn log<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let (number, base) = (input_number(call, input)?, argument_number(call)?);
    let result = number.zip(base).and_then(|(number, base)| number.log(base));
    Ok(result.map(Item::Decimal).into_iter().collect())
}

pub(super) fn power<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let Some(base) = numeric(call, input)? else {
        return Ok(Vec::new());
    };
    let Some(exponent) = argument_number(call)? else {
        return Ok(Vec::new());
    };
    let Some(number) = number(&base) else {
        return Err(call.wrong_input(&base, "a number"));
    };
    let result = number.power(exponent);
    let is_whole = matches!(base, Item::Integer(_)) && exponent.is_integer();
    Ok(match result {
        Some(result) if is_whole && result.is_integer() && !exponent.is_negative() => {
            integer_item(result).into_iter().collect()
        }
        other => other.map(Item::Decimal).into_iter().collect(),
    })
}

/// An operator that stands behind a function.
fn operation<'c, 'd>(call: &Call<'c, 'd>, operator: Operator) -> Operation<'c, 'd> {
    Operation {
        evaluator: call.evaluator,
        operator,
        span: call.span,
        operand_spans: (call.span, call.span),
    }
}

/// The operator `+` over all items.
pub(super) fn sum<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let operation = operation(call, Operator::Add);
    let mut items = input.into_iter();
    let mut total: Collection<'d> = match items.next() {
        Some(first) => numeric(call, vec![first])?.into_iter().collect(),
        None => return Ok(Vec::new()),
    };
    for item in items {
        call.evaluator.step(1, call.span)?;
        total = operate(operation, total, vec![item])?;
    }
    Ok(total)
}

pub(super) fn avg<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let count = vec![super::count_item(input.len())];
    let total = sum(call, input)?;
    let operation = operation(call, Operator::Divide);
    operate(operation, total, count)
}
