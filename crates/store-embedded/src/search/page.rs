//! One page: the first matches in the order of the plan.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use search::plan::{After, Plan};
use store::{Row, StoreError, TypeNumber};

use super::candidate::{Candidate, Checker};
use super::gather::{self, Budget};
use super::node::Node;
use super::rank::{self, Placed, Top};
use super::stream::{self, Stream};
use super::walk::Walk;
use super::{CHECK_COST, Compiled, GATHERED_MAX, Kind};

/// With so many postings the search begins; each further attempt may read so many times more.
const BUDGET_FIRST: u64 = 64;
const BUDGET_GROWTH: u64 = 8;

/// Rows, the place of the last of them, and whether there are more.
type Page = (Vec<(TypeNumber, Row)>, Option<After>, bool);

pub(super) fn of(
    checker: &Checker<'_>,
    plan: &Plan,
    parts: &mut [Compiled<'_, '_>],
) -> Result<Page, StoreError> {
    if plan.limit == 0 {
        return Ok((Vec::new(), None, false));
    }
    if plan.order.is_empty() {
        return by_row(checker, plan, parts);
    }
    let mut top = Top::new(plan);
    for part in parts {
        fill(checker, part, &mut top)?;
    }
    let mut placed: Vec<Placed> = top.into_placed().collect();
    let more = placed.len() > plan.limit;
    placed.truncate(plan.limit);
    let rows = placed.iter().map(|it| (it.kind, it.row)).collect();
    let last = placed.pop().map(|it| After {
        keys: it.keys,
        row: it.row,
    });
    Ok((rows, last, more))
}

/// The matches of all parts, by row.
fn by_row(
    checker: &Checker<'_>,
    plan: &Plan,
    parts: &mut [Compiled<'_, '_>],
) -> Result<Page, StoreError> {
    let after = plan.after.as_ref();
    let from = Row(after.map_or(0, |after| after.row.0.saturating_add(1)));
    let mut searched = Vec::with_capacity(parts.len());
    let mut next = BinaryHeap::new();
    for (at, part) in parts.iter_mut().enumerate() {
        let mut rows = match stream::exact(&part.node, part.kind)? {
            Some(stream) => Searched::exact(stream),
            None => Searched::driven(&part.node, part.kind)?,
        };
        let first = rows.next(checker, part, from)?;
        next.extend(first.map(|row| Reverse((row, at))));
        searched.push(rows);
    }
    let mut found = Vec::new();
    let mut more = false;
    while let Some(Reverse((row, at))) = next.pop() {
        let part = &mut parts[at];
        let candidate = Candidate::new(part.kind.number, row);
        if is_old_enough(checker, &candidate, plan.not_later_than)? {
            if found.len() == plan.limit {
                more = true;
                break;
            }
            found.push((part.kind.number, row));
        }
        let following = searched[at].next(checker, part, Row(row.0.saturating_add(1)))?;
        next.extend(following.map(|row| Reverse((row, at))));
    }
    let last = found.last().map(|(_, row)| After {
        keys: Vec::new(),
        row: *row,
    });
    Ok((found, last, more))
}

fn is_old_enough(
    checker: &Checker<'_>,
    candidate: &Candidate,
    not_later_than: Option<u64>,
) -> Result<bool, StoreError> {
    let Some(max) = not_later_than else {
        return Ok(true);
    };
    let version = candidate.version(checker)?;
    Ok(version.is_some_and(|version| version.position.0 <= max))
}

/// Rows in ascending order, each checked unless the stream has exactly those that match.
pub(super) struct Searched<'s> {
    stream: Stream<'s>,
    exact: bool,
    /// Left of the checks after which gathering is tried again.
    left: u64,
    budget: u64,
}

impl<'s> Searched<'s> {
    pub(super) fn exact(stream: Stream<'s>) -> Self {
        Self {
            stream,
            exact: true,
            left: 0,
            budget: 0,
        }
    }

    pub(super) fn driven(node: &Node, kind: Kind<'s>) -> Result<Self, StoreError> {
        Ok(Self {
            stream: stream::covering(node, kind)?,
            exact: false,
            left: BUDGET_FIRST / CHECK_COST,
            budget: BUDGET_FIRST,
        })
    }

    /// The first match that is not less than `from`, however far it is.
    pub(super) fn next_checked(
        &mut self,
        checker: &Checker<'_>,
        node: &Node,
        kind: Kind<'_>,
        mut from: Row,
    ) -> Result<Option<Row>, StoreError> {
        while let Some(row) = self.stream.seek(from)? {
            let candidate = Candidate::following(kind.number, row);
            if self.exact || checker.matches(node, &candidate)? {
                return Ok(Some(row));
            }
            from = Row(row.0 + 1);
        }
        Ok(None)
    }

    /// The same; where matches are far between, gathers them.
    fn next(
        &mut self,
        checker: &Checker<'_>,
        part: &mut Compiled<'_, '_>,
        mut from: Row,
    ) -> Result<Option<Row>, StoreError> {
        while let Some(row) = self.stream.seek(from)? {
            if self.exact {
                return Ok(Some(row));
            }
            if self.left == 0 && self.budget <= GATHERED_MAX {
                self.gather(checker, part)?;
                continue;
            }
            self.left = self.left.saturating_sub(1);
            let candidate = Candidate::following(part.kind.number, row);
            if checker.matches(&part.node, &candidate)? {
                return Ok(Some(row));
            }
            from = Row(row.0 + 1);
        }
        Ok(None)
    }

    fn gather(
        &mut self,
        checker: &Checker<'_>,
        part: &mut Compiled<'_, '_>,
    ) -> Result<(), StoreError> {
        let mut budget = Budget(self.budget);
        if let Some(rows) = gather::small(checker, &part.node, part.kind, &mut budget)? {
            self.stream = Stream::listed(rows.clone());
            self.exact = true;
            part.gathered = Some(rows);
        } else {
            self.budget *= BUDGET_GROWTH;
            self.left = self.budget / CHECK_COST;
        }
        Ok(())
    }
}

/// Offers what may be among the first: by walking along the order, or all that match.
fn fill(
    checker: &Checker<'_>,
    part: &mut Compiled<'_, '_>,
    top: &mut Top<'_>,
) -> Result<(), StoreError> {
    let mut walk = Walk::open(part, top)?;
    let mut allowed = BUDGET_FIRST;
    loop {
        let mut budget = Budget(allowed);
        if let Some(walk) = &mut walk
            && walk.run(checker, part, top, &mut budget)?
        {
            return Ok(());
        }
        if let Some(rows) = part.gathered.take() {
            let mut offered = rows.iter();
            offered.try_for_each(|row| offer(checker, part, top, *row))?;
            part.gathered = Some(rows);
            return Ok(());
        }
        let mut budget = Budget(allowed);
        let rows = gather::small(checker, &part.node, part.kind, &mut budget)?;
        if let Some(rows) = &rows {
            // To look at all of them costs this much; walking may cost as much before it is done.
            allowed = CHECK_COST * rows.len() as u64 + 1;
            if rows.len() <= SORTED_AT_ONCE_MAX {
                walk = None;
            }
            part.gathered = Some(rows.clone());
        } else if allowed > GATHERED_MAX {
            return everything(checker, part, top, walk);
        } else {
            allowed *= BUDGET_GROWTH;
        }
    }
}

/// So few records are sorted without looking for the first of them otherwise.
const SORTED_AT_ONCE_MAX: usize = 64;

fn everything<'s>(
    checker: &Checker<'_>,
    part: &Compiled<'_, 's>,
    top: &mut Top<'_>,
    walk: Option<Walk<'s>>,
) -> Result<(), StoreError> {
    if let Some(mut walk) = walk {
        while !walk.run(checker, part, top, &mut Budget(u64::MAX))? {}
        return Ok(());
    }
    let mut stream = stream::covering(&part.node, part.kind)?;
    let mut from = Row(0);
    while let Some(row) = stream.seek(from)? {
        offer(checker, part, top, row)?;
        from = Row(row.0 + 1);
    }
    Ok(())
}

/// Keeps a record if it matches and is among the first so far.
pub(super) fn offer(
    checker: &Checker<'_>,
    part: &Compiled<'_, '_>,
    top: &mut Top<'_>,
    row: Row,
) -> Result<(), StoreError> {
    let candidate = Candidate::following(part.kind.number, row);
    let Some(keys) = rank::keys(checker, &candidate, &part.part.sort, top.directions)? else {
        return Ok(());
    };
    let rank = top.rank(&keys, row);
    let wanted = top.wants(&rank)
        && (part.gathered.is_some() || checker.matches(&part.node, &candidate)?)
        && is_old_enough(checker, &candidate, top.not_later_than)?;
    if wanted {
        let kind = part.kind.number;
        top.keep(rank, Placed { kind, row, keys });
    }
    Ok(())
}
