//! The postings of references: pairs of target and source, in order. Going from one wanted pair to
//! the next passes over what lies between.

use std::ops::Bound;

use store::{Row, StoreError};

use super::node::{Slot, in_order};
use super::reads::{Reads, SEEK_STEPS};
use crate::codec::after_prefix;
use crate::layout::{self, POSTINGS, REFERENCE, Referent};

/// What is referred to, and a record that refers to it.
type Pair = (Referent, Row);

/// The records that refer to one of these.
pub(super) fn to(state: &Reads<'_>, slot: &Slot, targets: &[Row]) -> Result<Vec<Row>, StoreError> {
    let targets = targets.iter().map(|row| state.referent_of(*row));
    let mut targets: Vec<Referent> = targets.collect::<Result<_, _>>()?;
    targets.sort_unstable();
    let mut sources = Vec::new();
    leap(state, slot, |(target, source)| {
        let next = first_from(&targets, target)?;
        if next == target {
            sources.push(source);
            Some((target, after(source)))
        } else {
            Some((next, Row(0)))
        }
    })?;
    Ok(sources)
}

/// What one of these records refers to, which are in order; so is what they refer to.
pub(super) fn from(
    state: &Reads<'_>,
    slot: &Slot,
    sources: &[Row],
) -> Result<Vec<Row>, StoreError> {
    let mut targets = Vec::new();
    leap(state, slot, |(target, source)| {
        Some(match first_from(sources, source) {
            Some(next) if next == source => {
                targets.push(target);
                (beyond(target), Row(0))
            }
            Some(next) => (target, next),
            None => (beyond(target), Row(0)),
        })
    })?;
    let rows = targets.into_iter().map(|target| state.row_of(target));
    Ok(in_order(rows.collect::<Result<_, _>>()?))
}

fn first_from<T: Copy + Ord>(all: &[T], from: T) -> Option<T> {
    let at = all.partition_point(|it| *it < from);
    all.get(at).copied()
}

fn beyond(referent: Referent) -> Referent {
    Referent(referent.0.saturating_add(1))
}

fn after(row: Row) -> Row {
    Row(row.0.saturating_add(1))
}

/// Shows the first pair; each time it is said from where on the next one is wanted, if any.
fn leap(
    state: &Reads<'_>,
    slot: &Slot,
    mut next: impl FnMut(Pair) -> Option<Pair>,
) -> Result<(), StoreError> {
    let end = after_prefix(&layout::form_postings(&slot.postings, REFERENCE));
    let end = end.map_or(Bound::Unbounded, Bound::Excluded);
    let mut wanted = (Referent(0), Row(0));
    'seek: loop {
        let begin = layout::reference_posting(&slot.postings, wanted.0, wanted.1);
        let mut passed = 0;
        for entry in state.range(POSTINGS, (Bound::Included(begin), end.clone())) {
            let pair = layout::reference_of_posting(&entry?.0)?;
            if pair >= wanted {
                passed = 0;
                match next(pair) {
                    Some(further) => wanted = further,
                    None => return Ok(()),
                }
            } else if passed == SEEK_STEPS {
                continue 'seek;
            } else {
                passed += 1;
            }
        }
        return Ok(());
    }
}
