//! Conditions: `and` and `or` bind to the right; both sides are looked at only if needed.

use std::cmp::Ordering;

use super::Renderer;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::template::condition::{Condition, Join, Operator};
use crate::value::{Value, compare};

impl<'a> Renderer<'a> {
    /// Whether a condition holds.
    pub(super) fn holds(&mut self, condition: &'a Condition) -> Result<bool> {
        let mut condition = condition;
        loop {
            let holds = self.comparison(condition)?;
            match &condition.rest {
                Some((Join::And, rest)) if holds => condition = rest,
                Some((Join::Or, rest)) if !holds => condition = rest,
                _ => return Ok(holds),
            }
        }
    }

    fn comparison(&mut self, condition: &'a Condition) -> Result<bool> {
        self.meter.step()?;
        let left = self.operand(&condition.left)?;
        let Some((operator, right)) = &condition.right else {
            return Ok(left.is_true());
        };
        let right = self.operand(right)?;
        compared(left, *operator, right)
    }
}

fn compared(left: Value<'_>, operator: Operator, right: Value<'_>) -> Result<bool> {
    let ordered = |fits: fn(Ordering) -> bool| {
        let order = compare::order(left, right).map_err(|compare::Inconvertible| {
            let (one, other) = (left.kind(), right.kind());
            let what = format!("a {one} cannot be compared with a {other}");
            ConvertError::new(ErrorKind::Rendering, what)
        })?;
        Ok(order.is_some_and(fits))
    };
    match operator {
        Operator::Equal => Ok(compare::equal(left, right)),
        Operator::NotEqual => Ok(!compare::equal(left, right)),
        Operator::Less => ordered(Ordering::is_lt),
        Operator::Greater => ordered(Ordering::is_gt),
        Operator::LessOrEqual => ordered(Ordering::is_le),
        Operator::GreaterOrEqual => ordered(Ordering::is_ge),
        Operator::Contains => Ok(contains(left, right)),
        Operator::StartsWith => Ok(begins(left, right)),
        Operator::EndsWith => Ok(ends(left, right)),
        Operator::HasKey => Ok(has_key(left, right)),
        Operator::HasValue => Ok(has_value(left, right)),
    }
}

/// Of a list whether it has the item, of a text whether it has that part.
pub(crate) fn contains(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right.as_text()) {
        (Value::List(items), _) => items.iter().any(|it| compare::equal(*it, right)),
        (Value::Text(text), Some(part)) => text.as_str().contains(part),
        _ => false,
    }
}

fn begins(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right.as_text()) {
        (Value::List(items), _) => items.first().is_some_and(|it| compare::equal(*it, right)),
        (Value::Text(text), Some(start)) => text.as_str().starts_with(start),
        _ => false,
    }
}

fn ends(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right.as_text()) {
        (Value::List(items), _) => items.last().is_some_and(|it| compare::equal(*it, right)),
        (Value::Text(text), Some(end)) => text.as_str().ends_with(end),
        _ => false,
    }
}

fn has_key(left: Value<'_>, right: Value<'_>) -> bool {
    match (left, right.as_text()) {
        (Value::Map(map), Some(key)) => map.get(key).is_some(),
        _ => false,
    }
}

fn has_value(left: Value<'_>, right: Value<'_>) -> bool {
    match left {
        Value::Map(map) => map.members().iter().any(|it| compare::equal(it.1, right)),
        _ => false,
    }
}
