//! Filtering, projection and existence (<https://hl7.org/fhirpath/N1/#filtering-and-projection>).

use super::super::fault::EvaluationFault;
use super::super::item::{Collection, Item};
use super::call::{Call, truth};
use super::{Outcome, collection, count_item, logic};

pub(super) fn where_<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut kept = Vec::new();
    for (index, item) in input.into_iter().enumerate() {
        if call.holds(0, &item, index)? {
            kept.push(item);
        }
    }
    Ok(kept)
}

pub(super) fn select<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut projected = Vec::new();
    for (index, item) in input.iter().enumerate() {
        projected.extend(call.each(0, item, Some(index))?);
        projected = call.evaluator.counted(projected, call.span)?;
    }
    Ok(projected)
}

pub(super) fn all<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    for (index, item) in input.iter().enumerate() {
        if !call.holds(0, item, index)? {
            return truth(false);
        }
    }
    truth(true)
}

pub(super) fn exists<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    if !call.has_argument(0) {
        return truth(!input.is_empty());
    }
    for (index, item) in input.iter().enumerate() {
        if call.holds(0, item, index)? {
            return truth(true);
        }
    }
    truth(false)
}

pub(super) fn empty<'d>(_: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    truth(input.is_empty())
}

pub(super) fn count<'d>(_: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    Ok(vec![count_item(input.len())])
}

/// Only what is new goes through the projection again.
pub(super) fn repeat<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut found: Collection<'d> = Vec::new();
    let mut open = input;
    while !open.is_empty() {
        let mut fresh = Vec::new();
        for item in &open {
            for child in call.each(0, item, None)? {
                let is_known = |items: &[Item<'d>]| {
                    collection::holds(call.evaluator, items, &child, call.span)
                };
                if !is_known(&found)? && !is_known(&fresh)? {
                    fresh.push(child);
                }
            }
        }
        found.extend_from_slice(&fresh);
        found = call.evaluator.counted(found, call.span)?;
        open = fresh;
    }
    Ok(found)
}

/// What goes round in circles exceeds a limit.
pub(super) fn repeat_all<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut found: Collection<'d> = Vec::new();
    let mut open = input;
    while !open.is_empty() {
        let mut fresh = Vec::new();
        for item in &open {
            fresh.extend(call.each(0, item, None)?);
            fresh = call.evaluator.counted(fresh, call.span)?;
        }
        found.extend_from_slice(&fresh);
        found = call.evaluator.counted(found, call.span)?;
        open = fresh;
    }
    Ok(found)
}

pub(super) fn aggregate<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    let mut total = call.argument(1)?;
    for (index, item) in input.iter().enumerate() {
        total = call.totalled(0, (item, index), &total)?;
    }
    Ok(total)
}

/// Only the branch that is chosen is evaluated, with the input as `$this`.
pub(super) fn iif<'d>(call: &Call<'_, 'd>, input: Collection<'d>) -> Outcome<'d> {
    if input.len() > 1 {
        let what = "the input";
        return Err(call.fault(EvaluationFault::NotSingle {
            what,
            count: input.len(),
        }));
    }
    let criterion = call.within(0, &input, Some(0))?;
    let holds = logic::truth(&criterion, call.span)?.unwrap_or(false);
    call.within(if holds { 1 } else { 2 }, &input, Some(0))
}

pub(super) fn coalesce<'d>(call: &Call<'_, 'd>, _: Collection<'d>) -> Outcome<'d> {
    for place in 0..call.arguments.len() {
        let found = call.argument(place)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}
