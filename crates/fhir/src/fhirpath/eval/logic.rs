//! Three-valued logic (<https://hl7.org/fhirpath/N1/#boolean-logic>).

use super::super::ast::Operator;
use super::super::fault::{EvaluationFault, Span};
use super::super::item::{Collection, Item, Scalar};
use super::call::{Call, truth as answer};
use super::{Failure, Operation, Outcome};

/// A collection as a truth value: empty is unknown, a single item that is no Boolean is true
/// (<https://hl7.org/fhirpath/N1/#singleton-evaluation-of-collections>).
pub(super) fn truth(items: &[Item<'_>], span: Span) -> Result<Option<bool>, Failure> {
    match items {
        [] => Ok(None),
        [item] => Ok(match item.scalar() {
            Scalar::Value(Item::Boolean(truth)) => Some(truth),
            Scalar::Absent if is_primitive(item) => None,
            _ => Some(true),
        }),
        several => {
            let what = "a condition";
            let fault = EvaluationFault::NotSingle {
                what,
                count: several.len(),
            };
            Err(Failure { fault, span })
        }
    }
}

fn is_primitive(item: &Item<'_>) -> bool {
    matches!(item, Item::Node(node) if node.is_primitive())
}

/// What the left operand alone decides.
pub(super) fn decided_by_left(
    operator: Operator,
    left: &[Item<'_>],
    span: Span,
) -> Result<Option<bool>, Failure> {
    let (deciding, result) = match operator {
        Operator::And => (false, false),
        Operator::Or => (true, true),
        Operator::Implies => (false, true),
        _ => return Ok(None),
    };
    Ok((truth(left, span)? == Some(deciding)).then_some(result))
}

pub(super) fn operate<'d>(
    operation: Operation<'_, 'd>,
    left: &Collection<'d>,
    right: &Collection<'d>,
) -> Outcome<'d> {
    let (left_span, right_span) = operation.operand_spans;
    let (left, right) = (truth(left, left_span)?, truth(right, right_span)?);
    let result = match operation.operator {
        Operator::And => and(left, right),
        Operator::Or => and(left.map(|it| !it), right.map(|it| !it)).map(|it| !it),
        Operator::Implies => and(left, right.map(|it| !it)).map(|it| !it),
        _ => left.zip(right).map(|(left, right)| left != right),
    };
    Ok(result.map(Item::Boolean).into_iter().collect())
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

pub(super) fn not<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let truth = truth(&input, call.span)?;
    Ok(truth.map(|it| Item::Boolean(!it)).into_iter().collect())
}

/// Whether all items are Booleans of a value, or any is.
fn count<'d>(call: &Call<'_, 'd>, input: &[Item<'d>], wanted: bool) -> Result<usize, Failure> {
    let mut count = 0;
    for item in input {
        match item.value() {
            Some(Item::Boolean(truth)) => count += usize::from(truth == wanted),
            _ => return Err(call.wrong_input(item, "of Booleans")),
        }
    }
    Ok(count)
}

pub(super) fn all_true<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    answer(count(call, &input, false)? == 0)
}

pub(super) fn any_true<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    answer(count(call, &input, true)? > 0)
}

pub(super) fn all_false<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    answer(count(call, &input, true)? == 0)
}

pub(super) fn any_false<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    answer(count(call, &input, false)? > 0)
}
