//! Subsetting, combining and membership (<https://hl7.org/fhirpath/N1/#subsetting>).

use super::super::fault::{EvaluationFault, Span};
use super::super::item::{Collection, Item};
use super::call::{Call, truth};
use super::equality::equal;
use super::{Evaluator, Failure, Operation, Outcome, single};

/// Whether a collection has an item that equals this one.
pub(super) fn holds<'d>(
    evaluator: &Evaluator<'d>,
    items: &[Item<'d>],
    wanted: &Item<'d>,
    span: Span,
) -> Result<bool, Failure> {
    for item in items {
        if equal(evaluator, item, wanted, span)? == Some(true) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn distinct_of<'d>(
    evaluator: &Evaluator<'d>,
    items: impl IntoIterator<Item = Item<'d>>,
    span: Span,
) -> Outcome<'d> {
    let mut distinct = Vec::new();
    for item in items {
        if !holds(evaluator, &distinct, &item, span)? {
            distinct.push(item);
        }
    }
    Ok(distinct)
}

pub(super) fn union_of<'d>(
    evaluator: &Evaluator<'d>,
    left: Collection<'d>,
    right: Collection<'d>,
    span: Span,
) -> Outcome<'d> {
    distinct_of(evaluator, left.into_iter().chain(right), span)
}

/// `in`, and `contains` with its operands swapped.
pub(super) fn membership<'d>(
    operation: Operation<'_, 'd>,
    item: Collection<'d>,
    items: &[Item<'d>],
) -> Outcome<'d> {
    let Some(item) = single(item, "the operand", operation.span)? else {
        return Ok(Vec::new());
    };
    truth(holds(operation.evaluator, items, &item, operation.span)?)
}

pub(super) fn union<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    union_of(call.evaluator, input, call.argument(0)?, call.span)
}

pub(super) fn combine<'d>(call: &Call<'_, 'd>, mut input: Collection<'d>) -> Outcome<'d> {
    input.extend(call.argument(0)?);
    Ok(input)
}

pub(super) fn distinct<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    distinct_of(call.evaluator, input, call.span)
}

pub(super) fn is_distinct<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let count = input.len();
    truth(distinct_of(call.evaluator, input, call.span)?.len() == count)
}

pub(super) fn subset_of<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let whole = call.argument(0)?;
    truth(all_in(call, &input, &whole)?)
}

pub(super) fn superset_of<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let part = call.argument(0)?;
    truth(all_in(call, &part, &input)?)
}

fn all_in<'d>(call: &Call<'_, 'd>, part: &[Item<'d>], whole: &[Item<'d>]) -> Result<bool, Failure> {
    for item in part {
        if !holds(call.evaluator, whole, item, call.span)? {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) fn intersect<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let other = call.argument(0)?;
    let mut common = Vec::new();
    for item in input {
        if holds(call.evaluator, &other, &item, call.span)? {
            common.push(item);
        }
    }
    distinct_of(call.evaluator, common, call.span)
}

pub(super) fn exclude<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let other = call.argument(0)?;
    let mut kept = Vec::new();
    for item in input {
        if !holds(call.evaluator, &other, &item, call.span)? {
            kept.push(item);
        }
    }
    Ok(kept)
}

pub(super) fn single_<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(call.single(input)?.into_iter().collect())
}

pub(super) fn first<'d>(_: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(input.into_iter().take(1).collect())
}

pub(super) fn last<'d>(_: &Call<'_, 'd>, mut input: Collection<'d>) -> Outcome<'d> {
    Ok(input.pop().into_iter().collect())
}

pub(super) fn tail<'d>(_: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(input.into_iter().skip(1).collect())
}

/// The argument of `skip` and `take`, which is demanded; below zero it counts as zero.
fn number(call: &Call<'_, '_>) -> Result<usize, Failure> {
    let (what, allowed) = ("the number is missing", "an Integer");
    let number = call.integer(0)?;
    let number = number.ok_or_else(|| call.fault(EvaluationFault::Argument { what, allowed }))?;
    Ok(usize::try_from(number.max(0)).unwrap_or(usize::MAX))
}

pub(super) fn skip<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(input.into_iter().skip(number(call)?).collect())
}

pub(super) fn take<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(input.into_iter().take(number(call)?).collect())
}
