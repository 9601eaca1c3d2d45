//! Conditions: the second side of `and` and `or` is looked at only if needed.

use std::cmp::Ordering;

use super::Renderer;
use crate::data::xml;
use crate::error::{ConvertError, ErrorKind, Result};
use crate::template::Mode;
use crate::template::condition::{Comparison, Condition, Operator, Right};
use crate::value::{Value, compare};

impl<'a> Renderer<'a> {
    /// Whether a condition holds.
    pub(super) fn holds(&mut self, condition: &'a Condition) -> Result<bool> {
        let mut condition = condition;
        loop {
            match condition {
                Condition::Is(comparison) => return self.comparison(comparison),
                Condition::Not(inner) => return Ok(!self.holds(inner)?),
                Condition::And(both) if self.holds(&both.0)? => condition = &both.1,
                Condition::Or(either) if !self.holds(&either.0)? => condition = &either.1,
                Condition::And(_) => return Ok(false),
                Condition::Or(_) => return Ok(true),
            }
        }
    }

    fn comparison(&mut self, comparison: &'a Comparison) -> Result<bool> {
        self.meter.step()?;
        let left = self.operand(&comparison.left)?;
        if matches!(comparison.right, Right::True | Right::Ignored(_)) {
            return Ok(self.is_true(left));
        }
        match &comparison.right {
            Right::True | Right::Ignored(_) => Ok(self.is_true(left)),
            Right::Than(operator, right) => {
                // Keys are those of the element itself, not of its text.
                let left = match operator {
                    Operator::HasKey | Operator::HasValue => left,
                    _ => self.compared_value(left),
                };
                let right = self.operand(right)?;
                let right = self.compared_value(right);
                compared(self.as_number(left, right), *operator, right)
            }
            Right::OneOf(values) => {
                let left = self.compared_value(left);
                for value in values {
                    let value = self.operand(value)?;
                    if compare::equal(left, self.compared_value(value)) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Right::Unknown(what) => Err(ConvertError::new(ErrorKind::Rendering, &**what)),
        }
    }

    /// In strict mode there is something: no empty text, no element without any.
    fn is_true(&self, value: Value<'a>) -> bool {
        match (self.mode, value) {
            (Mode::Strict, Value::Hl7(element)) => element.is_valued(),
            (Mode::Strict, _) if value.is_empty() => false,
            _ => value.is_true(),
        }
    }

    /// In strict mode what is compared with a number is one, or nothing, with all of its digits.
    fn as_number(&self, left: Value<'a>, right: Value<'a>) -> Value<'a> {
        let number = || {
            compare::decimal(left).map_or(Value::Null, |it| Value::Decimal(self.arena.alloc(it)))
        };
        match (left, right) {
            _ if self.mode == Mode::Compatible => left,
            (Value::Text(_), Value::Int(_) | Value::Decimal(_) | Value::Double(_))
            | (Value::Int(_), Value::Text(_) | Value::Decimal(_) | Value::Double(_)) => number(),
            _ => left,
        }
    }

    /// In strict mode the text of an element is compared, of several that of the first.
    pub(super) fn compared_value(&self, value: Value<'a>) -> Value<'a> {
        match (self.mode, value) {
            (Mode::Strict, Value::Hl7(element)) => element.first_text(),
            (Mode::Strict, Value::List([first, ..])) if first.as_element().is_some() => {
                self.compared_value(*first)
            }
            _ => match value.as_element() {
                Some(element) => xml::text(element, self.arena),
                None => value,
            },
        }
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
