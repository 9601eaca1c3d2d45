//! The order of a plan as bytes: of two records the one with the lesser rank comes first.

use std::collections::BTreeMap;
use std::ops::Bound;

use search::plan::{After, Plan, SortBy};
use store::{Direction, RecordKey, Row, StoreError, TypeNumber};

use super::candidate::{Candidate, Checker};
use super::walk::Tie;
use crate::codec::Key;
use crate::layout::Stored;

/// A sort key; `None` where there is no value.
type SortKey = Option<Box<[u8]>>;

/// Before a key that has a value.
const PRESENT: u8 = 0;
/// In place of a key that has none.
const ABSENT: u8 = 1;

/// The row at the end of a rank.
const ROW_BYTES: usize = 8;

/// A key as part of a rank. No such part is the beginning of another.
pub(super) fn of_key(key: Option<&[u8]>, direction: Direction) -> Vec<u8> {
    let Some(key) = key else { return vec![ABSENT] };
    let mut part = Key::new().tag(PRESENT).ended(key).done();
    if direction == Direction::Descending {
        part[1..].iter_mut().for_each(|byte| *byte = !*byte);
    }
    part
}

fn of(keys: &[SortKey], directions: &[Direction], row: Row) -> Vec<u8> {
    let parts = keys.iter().zip(directions);
    let mut rank: Vec<u8> = parts
        .flat_map(|(key, direction)| of_key(key.as_deref(), *direction))
        .collect();
    rank.extend(row.0.to_be_bytes());
    rank
}

/// The sort keys of a record; `None` if it is not live.
pub(super) fn keys(
    checker: &Checker<'_>,
    candidate: &Candidate,
    sort: &[SortBy],
    directions: &[Direction],
) -> Result<Option<Vec<SortKey>>, StoreError> {
    if candidate.indexed(checker)?.is_none() {
        return Ok(None);
    }
    let each = directions.iter().enumerate().map(|(at, direction)| {
        let by = sort.get(at).unwrap_or(&SortBy::Nothing);
        key(checker, candidate, by, *direction)
    });
    each.collect::<Result<_, _>>().map(Some)
}

fn key(
    checker: &Checker<'_>,
    candidate: &Candidate,
    by: &SortBy,
    direction: Direction,
) -> Result<SortKey, StoreError> {
    match by {
        SortBy::Nothing => Ok(None),
        SortBy::Id => id(checker, candidate.row),
        SortBy::Updated => {
            let version = candidate.version(checker)?;
            Ok(version.map(|it| search::entry::ordered(it.time.0).to_be_bytes().into()))
        }
        SortBy::Entry(parameter) => {
            let Some(indexed) = candidate.indexed(checker)? else {
                return Ok(None);
            };
            let mut best: SortKey = None;
            for entry in indexed.of(*parameter) {
                let key = match &entry.value {
                    Stored::Reference(referent) => id_of(checker.state.key_of_referent(*referent)?),
                    value => value.sort_key(direction),
                };
                let better = match (&key, &best, direction) {
                    (None, ..) => false,
                    (_, None, _) => true,
                    (_, _, Direction::Ascending) => key < best,
                    (_, _, Direction::Descending) => key > best,
                };
                if better {
                    best = key;
                }
            }
            Ok(best)
        }
    }
}

fn id(checker: &Checker<'_>, row: Row) -> Result<SortKey, StoreError> {
    checker.state.key_of(row).map(id_of)
}

fn id_of(key: Option<RecordKey>) -> SortKey {
    key.map(|key| key.id.0.as_bytes().into())
}

/// A record with its place in the order.
pub(super) struct Placed {
    pub(super) kind: TypeNumber,
    pub(super) row: Row,
    pub(super) keys: Vec<SortKey>,
}

/// The first records of those that were offered, after the place where the page begins.
pub(super) struct Top<'p> {
    pub(super) directions: &'p [Direction],
    pub(super) after: Option<&'p After>,
    pub(super) not_later_than: Option<u64>,
    after_rank: Option<Vec<u8>>,
    pub(super) size: usize,
    best: BTreeMap<Vec<u8>, Placed>,
}

impl<'p> Top<'p> {
    /// Keeps one more than the page holds, to know whether there are more.
    pub(super) fn new(plan: &'p Plan) -> Self {
        let after = plan.after.as_ref();
        Self {
            directions: &plan.order,
            after,
            not_later_than: plan.not_later_than,
            after_rank: after.map(|it| of(&it.keys, &plan.order, it.row)),
            size: plan.limit.saturating_add(1),
            best: BTreeMap::new(),
        }
    }

    pub(super) fn rank(&self, keys: &[SortKey], row: Row) -> Vec<u8> {
        of(keys, self.directions, row)
    }

    /// Whether a record of this rank would be kept.
    pub(super) fn wants(&self, rank: &Vec<u8>) -> bool {
        let is_after = self.after_rank.as_ref().is_none_or(|after| rank > after);
        let is_before = self.worst().is_none_or(|worst| rank < worst);
        is_after && is_before && !self.best.contains_key(rank)
    }

    pub(super) fn keep(&mut self, rank: Vec<u8>, placed: Placed) {
        self.best.insert(rank, placed);
        if self.best.len() > self.size {
            self.best.pop_last();
        }
    }

    /// What comes after this is not wanted any more.
    fn worst(&self) -> Option<&Vec<u8>> {
        let full = self.best.len() >= self.size;
        self.best.last_key_value().filter(|_| full).map(|it| it.0)
    }

    /// Whether everything with this first key, or a later one, is unwanted.
    pub(super) fn is_past(&self, first: &[u8]) -> bool {
        self.worst()
            .is_some_and(|worst| *first > worst[..first.len().min(worst.len())])
    }

    /// Whether a row with this first key, and all later rows with it, are unwanted.
    pub(super) fn is_row_past(&self, tie: &Tie, first: &[u8], row: Row) -> bool {
        let is_last = tie.level + 1 == self.directions.len();
        let Some(worst) = self.worst().filter(|_| is_last) else {
            return false;
        };
        let mut rank = first.to_vec();
        rank.extend(row.0.to_be_bytes());
        rank > *worst
    }

    /// Where rows with exactly these keys begin.
    pub(super) fn first_row(&self, keys: &[u8]) -> Row {
        match (self.after, &self.after_rank) {
            (Some(after), Some(rank)) if rank[..rank.len() - ROW_BYTES] == *keys => {
                Row(after.row.0.saturating_add(1))
            }
            _ => Row(0),
        }
    }

    /// From where on the next keys of tied records are wanted; `Excluded` stands for "none that has
    /// a value".
    pub(super) fn first_key(&self, tie: &Tie) -> Bound<&[u8]> {
        let rank = self.after_rank.as_ref();
        let is_tied = rank.is_some_and(|rank| rank.starts_with(&tie.begin));
        let after = self.after.filter(|_| is_tied);
        match after.and_then(|after| after.keys.get(tie.level)) {
            None => Bound::Unbounded,
            Some(Some(key)) => Bound::Included(key),
            Some(None) => Bound::Excluded(&[]),
        }
    }

    pub(super) fn into_placed(self) -> impl Iterator<Item = Placed> {
        self.best.into_values()
    }
}
