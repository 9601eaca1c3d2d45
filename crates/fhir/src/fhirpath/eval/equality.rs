//! `=` and `~`: of items, of collections, of trees (<https://hl7.org/fhirpath/N1/#equality>).

use std::cmp::Ordering;

use super::super::ast::Operator;
use super::super::item::{Item, Scalar};
use super::super::node::Node;
use super::{Evaluator, Failure, Operation, Outcome, quantity};
use crate::decimal::{Decimal, Rounding};
use crate::fhirpath::fault::Span;
use crate::json::{Kind, Value};

pub(super) fn operate<'d>(
    operation: Operation<'_, 'd>,
    left: &[Item<'d>],
    right: &[Item<'d>],
) -> Outcome<'d> {
    let result = match operation.operator {
        Operator::Equal => equal_collections(operation, left, right)?,
        Operator::NotEqual => equal_collections(operation, left, right)?.map(|it| !it),
        Operator::Equivalent => Some(equivalent_collections(operation, left, right)?),
        _ => Some(!equivalent_collections(operation, left, right)?),
    };
    Ok(result.map(Item::Boolean).into_iter().collect())
}

/// Item by item, in order; unknown if one is empty.
fn equal_collections<'d>(
    operation: Operation<'_, 'd>,
    left: &[Item<'d>],
    right: &[Item<'d>],
) -> Result<Option<bool>, Failure> {
    if left.is_empty() || right.is_empty() {
        return Ok(None);
    }
    if left.len() != right.len() {
        return Ok(Some(false));
    }
    let mut is_known = true;
    for (one, other) in left.iter().zip(right) {
        match equal(operation.evaluator, one, other, operation.span)? {
            Some(true) => {}
            Some(false) => return Ok(Some(false)),
            None => is_known = false,
        }
    }
    Ok(is_known.then_some(true))
}

/// Each item of one has its own partner in the other.
fn equivalent_collections<'d>(
    operation: Operation<'_, 'd>,
    left: &[Item<'d>],
    right: &[Item<'d>],
) -> Result<bool, Failure> {
    if left.len() != right.len() {
        return Ok(false);
    }
    let mut open: Vec<&Item<'d>> = right.iter().collect();
    for one in left {
        let mut partner = None;
        for (place, other) in open.iter().enumerate() {
            operation.evaluator.step(1, operation.span)?;
            if equivalent(operation.evaluator, one, other, operation.span)? {
                partner = Some(place);
                break;
            }
        }
        match partner {
            Some(place) => open.swap_remove(place),
            None => return Ok(false),
        };
    }
    Ok(true)
}

/// Whether two items are equal, where that is known.
pub(super) fn equal<'d>(
    evaluator: &Evaluator<'d>,
    left: &Item<'d>,
    right: &Item<'d>,
    span: Span,
) -> Result<Option<bool>, Failure> {
    evaluator.step(1, span)?;
    Ok(match (left.scalar(), right.scalar()) {
        (Scalar::Value(left), Scalar::Value(right)) => equal_values(&left, &right),
        (Scalar::Complex, Scalar::Complex) => match (left, right) {
            (Item::Node(left), Item::Node(right)) => {
                Some(same_tree(evaluator, left, right, Exactness::Equal, span)?)
            }
            (Item::Type(left), Item::Type(right)) => Some(left == right),
            _ => Some(false),
        },
        (Scalar::Absent, Scalar::Absent) => match (left, right) {
            (Item::Node(left), Item::Node(right)) => {
                Some(same_tree(evaluator, left, right, Exactness::Equal, span)?)
            }
            _ => None,
        },
        _ => Some(false),
    })
}

fn equal_values(left: &Item<'_>, right: &Item<'_>) -> Option<bool> {
    let is_equal = |order: Option<Ordering>| order.map(|it| it == Ordering::Equal);
    Some(match (left, right) {
        (Item::Boolean(left), Item::Boolean(right)) => left == right,
        (Item::String(left), Item::String(right)) => left == right,
        (Item::Quantity(left), Item::Quantity(right)) => return quantity::equal(left, right),
        (Item::Quantity(left), right) => {
            return quantity::of_number(right).map_or(Some(false), |it| quantity::equal(left, &it));
        }
        (left, Item::Quantity(right)) => {
            return quantity::of_number(left).map_or(Some(false), |it| quantity::equal(&it, right));
        }
        (Item::Time(left), Item::Time(right)) => return is_equal(left.compare(*right)),
        _ => match (numbers(left, right), moments(left, right)) {
            (Some((left, right)), _) => left == right,
            (_, Some((left, right))) => return is_equal(left.compare(right)),
            _ => false,
        },
    })
}

/// Two numbers of any type.
pub(super) fn numbers(left: &Item<'_>, right: &Item<'_>) -> Option<(Decimal, Decimal)> {
    number(left).zip(number(right))
}

pub(super) fn number(item: &Item<'_>) -> Option<Decimal> {
    match item {
        Item::Integer(number) | Item::Long(number) => Some(Decimal::from(*number)),
        Item::Decimal(number) => Some(*number),
        _ => None,
    }
}

/// Two dates, with or without times.
pub(super) fn moments(
    left: &Item<'_>,
    right: &Item<'_>,
) -> Option<(super::super::DateTime, super::super::DateTime)> {
    let moment = |item: &Item<'_>| match item {
        Item::Date(date) => Some(super::super::DateTime::from(*date)),
        Item::DateTime(moment) => Some(*moment),
        _ => None,
    };
    moment(left).zip(moment(right))
}

/// Whether two items are equivalent.
pub(super) fn equivalent<'d>(
    evaluator: &Evaluator<'d>,
    left: &Item<'d>,
    right: &Item<'d>,
    span: Span,
) -> Result<bool, Failure> {
    evaluator.step(1, span)?;
    Ok(match (left.scalar(), right.scalar()) {
        (Scalar::Value(left), Scalar::Value(right)) => equivalent_values(&left, &right),
        (Scalar::Complex, Scalar::Complex) | (Scalar::Absent, Scalar::Absent) => {
            match (left, right) {
                (Item::Node(left), Item::Node(right)) => {
                    same_tree(evaluator, left, right, Exactness::Equivalent, span)?
                }
                (Item::Type(left), Item::Type(right)) => left == right,
                _ => false,
            }
        }
        _ => false,
    })
}

fn equivalent_values(left: &Item<'_>, right: &Item<'_>) -> bool {
    match (left, right) {
        (Item::String(left), Item::String(right)) => folded(left) == folded(right),
        (Item::Quantity(left), Item::Quantity(right)) => quantity::equivalent(left, right),
        (Item::Quantity(left), right) => {
            quantity::of_number(right).is_some_and(|it| quantity::equivalent(left, &it))
        }
        (left, Item::Quantity(right)) => {
            quantity::of_number(left).is_some_and(|it| quantity::equivalent(&it, right))
        }
        _ => match numbers(left, right) {
            Some((left, right)) => equivalent_numbers(left, right),
            None => equal_values(left, right).unwrap_or(false),
        },
    }
}

/// Rounded to the precision of the less precise one; zeros at the end do not count.
pub(super) fn equivalent_numbers(left: Decimal, right: Decimal) -> bool {
    let places = left
        .normalized()
        .scale()
        .min(right.normalized().scale())
        .max(0);
    let rounded = |it: Decimal| it.round(places, Rounding::HalfAwayFromZero);
    rounded(left) == rounded(right)
}

/// Case does not count, nor which white space it is.
fn folded(text: &str) -> String {
    let blank = |it: char| if it.is_whitespace() { ' ' } else { it };
    text.chars()
        .map(blank)
        .flat_map(char::to_lowercase)
        .collect()
}

/// How trees are compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Exactness {
    Equal,
    Equivalent,
}

fn same_tree<'d>(
    evaluator: &Evaluator<'d>,
    left: &Node<'d>,
    right: &Node<'d>,
    exactness: Exactness,
    span: Span,
) -> Result<bool, Failure> {
    let comparison = Comparison {
        evaluator,
        exactness,
        span,
    };
    let absent = |it: &Node<'d>| it.value().is_none();
    if absent(left) && absent(right) {
        return comparison.optional(left.sibling(), right.sibling());
    }
    comparison.optional(left.value(), right.value())
}

#[derive(Clone, Copy)]
struct Comparison<'o, 'd> {
    evaluator: &'o Evaluator<'d>,
    exactness: Exactness,
    span: Span,
}

impl<'d> Comparison<'_, 'd> {
    fn optional(self, left: Option<Value<'d>>, right: Option<Value<'d>>) -> Result<bool, Failure> {
        match (left, right) {
            (Some(left), Some(right)) => self.same(left, right),
            (None, None) => Ok(true),
            _ => Ok(false),
        }
    }

    fn same(self, left: Value<'d>, right: Value<'d>) -> Result<bool, Failure> {
        self.evaluator.step(1, self.span)?;
        if left.kind() != right.kind() {
            return Ok(false);
        }
        match left.kind() {
            Kind::Object => self.same_members(left, right),
            Kind::Array => self.same_items(left, right),
            Kind::Number => {
                let number = |it: Value<'_>| Decimal::parse_rounded(it.raw()).ok();
                Ok(match number(left).zip(number(right)) {
                    Some((left, right)) if self.exactness == Exactness::Equal => left == right,
                    Some((left, right)) => equivalent_numbers(left, right),
                    None => left.raw() == right.raw(),
                })
            }
            Kind::String => {
                let (left, right) = (left.as_str(), right.as_str());
                if self.exactness == Exactness::Equal || left == right {
                    return Ok(left == right);
                }
                Ok(left
                    .zip(right)
                    .is_some_and(|(left, right)| folded(&left) == folded(&right)))
            }
            Kind::Boolean | Kind::Null => Ok(left.raw() == right.raw()),
        }
    }

    /// Members that are `null` do not count, nor does the order.
    fn same_members(self, left: Value<'d>, right: Value<'d>) -> Result<bool, Failure> {
        let count = |it: Value<'d>| it.members().filter(|it| !it.value.is_null()).count();
        if count(left) != count(right) {
            return Ok(false);
        }
        for member in left.members().filter(|it| !it.value.is_null()) {
            let Some(other) = right.get(&member.name) else {
                return Ok(false);
            };
            if !self.same(member.value, other)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn same_items(self, left: Value<'d>, right: Value<'d>) -> Result<bool, Failure> {
        if left.items().count() != right.items().count() {
            return Ok(false);
        }
        for (one, other) in left.items().zip(right.items()) {
            if !self.same(one, other)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
