//! `<`, `<=`, `>`, `>=`, and what orders: `sort`, `min`, `max`
//! (<https://hl7.org/fhirpath/N1/#comparison>).

use std::cmp::Ordering;

use super::super::ast::{Expression, ExpressionKind, Operator, Sign};
use super::super::item::{Collection, Item, Scalar};
use super::call::Call;
use super::{Failure, Operation, Outcome, equality, quantity, single};

pub(super) fn operate<'d>(
    operation: Operation<'_, 'd>,
    left: Collection<'d>,
    right: Collection<'d>,
) -> Outcome<'d> {
    let Some((left, right)) = operation.singles(left, right)? else {
        return Ok(Vec::new());
    };
    let order = match (left.scalar(), right.scalar()) {
        (Scalar::Absent, _) | (_, Scalar::Absent) => return Ok(Vec::new()),
        (Scalar::Value(one), Scalar::Value(other)) => compare(&one, &other),
        _ => Compared::Never,
    };
    let order = match order {
        Compared::Never => return Err(operation.undefined(&left, &right)),
        Compared::Unknown => return Ok(Vec::new()),
        Compared::Known(order) => order,
    };
    let holds = match operation.operator {
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Greater => order.is_gt(),
        _ => order.is_ge(),
    };
    Ok(vec![Item::Boolean(holds)])
}

/// How two values compare.
pub(super) enum Compared {
    Known(Ordering),
    /// It depends on what is not known: precision, zone, unit.
    Unknown,
    /// Such values do not compare.
    Never,
}

impl From<Option<Ordering>> for Compared {
    fn from(order: Option<Ordering>) -> Self {
        order.map_or(Self::Unknown, Self::Known)
    }
}

pub(super) fn compare(left: &Item<'_>, right: &Item<'_>) -> Compared {
    match (left, right) {
        (Item::String(left), Item::String(right)) => Compared::Known(left.cmp(right)),
        (Item::Time(left), Item::Time(right)) => left.compare(*right).into(),
        (Item::Quantity(left), Item::Quantity(right)) => quantity::compare(left, right).into(),
        (Item::Quantity(left), right) => match quantity::of_number(right) {
            Some(right) => quantity::compare(left, &right).into(),
            None => Compared::Never,
        },
        (left, Item::Quantity(right)) => match quantity::of_number(left) {
            Some(left) => quantity::compare(&left, right).into(),
            None => Compared::Never,
        },
        _ => match (
            equality::numbers(left, right),
            equality::moments(left, right),
        ) {
            (Some((left, right)), _) => Compared::Known(left.cmp(&right)),
            (_, Some((left, right))) => left.compare(right).into(),
            _ => Compared::Never,
        },
    }
}

pub(super) fn min<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    extreme(call, input, Ordering::Less)
}

pub(super) fn max<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    extreme(call, input, Ordering::Greater)
}

fn extreme<'d>(call: &Call<'_, 'd>, input: Collection<'d>, wanted: Ordering) -> Outcome<'d> {
    let mut best: Option<Item<'d>> = None;
    for item in input {
        let Some(value) = item.value() else {
            return Err(call.wrong_input(&item, "of values that compare"));
        };
        let Some(so_far) = &best else {
            best = Some(value);
            continue;
        };
        match compare(&value, so_far) {
            Compared::Known(order) if order == wanted => best = Some(value),
            Compared::Known(_) => {}
            Compared::Unknown => return Ok(Vec::new()),
            Compared::Never => return Err(call.wrong_input(&item, "of one type")),
        }
    }
    Ok(best.into_iter().collect())
}

/// A key with its direction.
struct Key<'d> {
    value: Option<Item<'d>>,
    descends: bool,
}

pub(super) fn sort<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut keyed = Vec::with_capacity(input.len());
    for item in input {
        keyed.push((keys(call, &item)?, item));
    }
    for ((left, _), (right, item)) in keyed.iter().zip(keyed.iter().skip(1)) {
        if left
            .iter()
            .zip(right)
            .any(|(left, right)| cannot_compare(left, right))
        {
            return Err(call.wrong_input(item, "of values that compare"));
        }
    }
    let sorted = merge_sort(call, keyed)?;
    Ok(sorted.into_iter().map(|(_, item)| item).collect())
}

type Keyed<'d> = (Vec<Key<'d>>, Item<'d>);

/// Stable, and content with orders that are none: where precisions differ, `a` may be like `b`,
/// `b` like `c` and `a` before `c`. The sort of the standard library may panic at that.
fn merge_sort<'d>(
    call: &Call<'_, 'd>,
    mut items: Vec<Keyed<'d>>,
) -> Result<Vec<Keyed<'d>>, Failure> {
    call.evaluator.step(items.len(), call.span)?;
    if items.len() < 2 {
        return Ok(items);
    }
    let second = items.split_off(items.len() / 2);
    let mut sorted = Vec::with_capacity(items.len() + second.len());
    let mut first = merge_sort(call, items)?.into_iter().peekable();
    let mut second = merge_sort(call, second)?.into_iter().peekable();
    while let (Some(left), Some(right)) = (first.peek(), second.peek()) {
        let from_second = order_of_all(&left.0, &right.0).is_gt();
        sorted.extend(if from_second {
            second.next()
        } else {
            first.next()
        });
    }
    sorted.extend(first.chain(second));
    Ok(sorted)
}

fn order_of_all(left: &[Key<'_>], right: &[Key<'_>]) -> Ordering {
    let mut orders = left
        .iter()
        .zip(right)
        .map(|(left, right)| order_of_keys(left, right));
    orders.find(|it| it.is_ne()).unwrap_or(Ordering::Equal)
}

/// The keys of an item: what the arguments give, or the item itself. A minus before a key (or
/// `desc` after it) turns the order and is no arithmetic, so it also stands before strings.
fn keys<'d>(call: &Call<'_, 'd>, item: &Item<'d>) -> Result<Vec<Key<'d>>, Failure> {
    if call.arguments.is_empty() {
        return Ok(vec![Key {
            value: item.value(),
            descends: false,
        }]);
    }
    let mut keys = Vec::with_capacity(call.arguments.len());
    for argument in call.arguments {
        let (expression, descends) = direction(argument);
        let found = call.evaluate_for(expression, item)?;
        let value = single(found, "a sort key", call.span)?;
        keys.push(Key {
            value: value.and_then(|it| it.value()),
            descends,
        });
    }
    Ok(keys)
}

fn direction(argument: &Expression) -> (&Expression, bool) {
    match &argument.kind {
        ExpressionKind::Polarity {
            sign: Sign::Minus,
            operand,
        } => (operand, true),
        _ => (argument, false),
    }
}

fn cannot_compare(left: &Key<'_>, right: &Key<'_>) -> bool {
    let pair = left.value.as_ref().zip(right.value.as_ref());
    pair.is_some_and(|(left, right)| matches!(compare(left, right), Compared::Never))
}

/// Nothing comes first.
fn order_of_keys(left: &Key<'_>, right: &Key<'_>) -> Ordering {
    let order = match (&left.value, &right.value) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Less,
        (Some(_), None) => Ordering::Greater,
        (Some(left), Some(right)) => match compare(left, right) {
            Compared::Known(order) => order,
            Compared::Unknown | Compared::Never => Ordering::Equal,
        },
    };
    if left.descends {
        order.reverse()
    } else {
        order
    }
}
