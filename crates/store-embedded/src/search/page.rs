//! One page: the first matches in the order of the plan.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::rc::Rc;

use search::plan::{After, Plan};
use store::{Row, StoreError, TypeNumber};

use super::candidate::{Candidate, Checker};
use super::gather::checks;
use super::node::Node;
use super::rank::{self, Placed, Top};
use super::stream::{self, Stream};
use super::walk::Walk;
use super::{Compiled, GATHER_STEPS_MAX, Kind, gathered};

/// Each further attempt may take so many times more steps.
const STEPS_GROWTH: u64 = 8;

/// Rows, the place of the last of them, and whether there are more.
type Page = (Vec<(TypeNumber, Row)>, Option<After>, bool);

pub(super) fn of<'s>(
    checker: &Checker<'s>,
    plan: &Plan,
    parts: &mut [Compiled<'_, 's>],
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
fn by_row<'s>(
    checker: &Checker<'s>,
    plan: &Plan,
    parts: &mut [Compiled<'_, 's>],
) -> Result<Page, StoreError> {
    let after = plan.after.as_ref();
    let from = Row(after.map_or(0, |after| after.row.0.saturating_add(1)));
    let mut searched = Vec::with_capacity(parts.len());
    let mut next = BinaryHeap::new();
    for (at, part) in parts.iter_mut().enumerate() {
        let mut rows = match stream::exact(checker, &part.node, part.kind.number)? {
            Some(stream) => Searched::exact(stream),
            None => Searched::driven(checker, &part.node, part.kind.number)?,
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
    /// Whether gathering is attempted before the same is spent on checks.
    gather_first: bool,
    /// Steps of the next attempt at gathering, and those of checks until then.
    steps: u64,
    left: u64,
}

impl<'s> Searched<'s> {
    fn exact(stream: Stream<'s>) -> Self {
        Self {
            stream,
            exact: true,
            gather_first: false,
            steps: 0,
            left: 0,
        }
    }

    pub(super) fn driven(
        checker: &Checker<'s>,
        node: &Node,
        kind: TypeNumber,
    ) -> Result<Self, StoreError> {
        let gather_first = node.looks_at_others();
        let steps = checker.state.first();
        Ok(Self {
            stream: stream::covering(checker, node, kind)?,
            exact: false,
            gather_first,
            steps,
            left: if gather_first { 0 } else { steps },
        })
    }

    /// The first match that is not less than `from`, however far it is. What is less than `from`
    /// has been looked at, whatever interrupts it.
    pub(super) fn next_checked(
        &mut self,
        checker: &Checker<'_>,
        node: &Node,
        kind: Kind<'_>,
        from: &mut Row,
    ) -> Result<Option<Row>, StoreError> {
        while let Some(row) = self.stream.seek(*from)? {
            let candidate = Candidate::following(kind.number, row);
            if self.exact || checker.matches(node, &candidate)? {
                return Ok(Some(row));
            }
            *from = Row(row.0.saturating_add(1));
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
        while !self.exact && self.steps <= GATHER_STEPS_MAX {
            let (left, before) = (self.left, checker.state.steps());
            let next = || self.next_checked(checker, &part.node, part.kind, &mut from);
            let found = checker.state.attempt(left, next)?;
            if let Some(found) = found {
                self.left = left.saturating_sub(checker.state.steps() - before);
                return Ok(found);
            }
            self.gather(checker, part)?;
        }
        self.next_checked(checker, &part.node, part.kind, &mut from)
    }

    fn gather(
        &mut self,
        checker: &Checker<'_>,
        part: &mut Compiled<'_, '_>,
    ) -> Result<(), StoreError> {
        if let Some(rows) = gathered(checker, &part.node, part.kind, self.steps)? {
            let rows = part.gathered.insert(rows.into());
            self.stream = Stream::listed(Rc::clone(rows));
            self.exact = true;
        } else {
            let more = self.steps * STEPS_GROWTH;
            self.left = if self.gather_first { self.steps } else { more };
            self.steps = more;
        }
        Ok(())
    }
}

/// Offers what may be among the first: by walking along the order, or all that match.
fn fill<'s>(
    checker: &Checker<'s>,
    part: &mut Compiled<'_, 's>,
    top: &mut Top<'_>,
) -> Result<(), StoreError> {
    let state = checker.state;
    let mut walk = Walk::open(part, top)?;
    let mut steps = state.first();
    while steps <= GATHER_STEPS_MAX {
        // Of everything, nothing is known by gathering.
        if !part.node.is_everything()
            && let Some(rows) = gathered(checker, &part.node, part.kind, steps)?
        {
            // Walking may take as long as looking at all of them; mostly it passes over so many.
            let passed = part.kind.live_count()? / (rows.len() as u64 + 1);
            let passed = passed.saturating_mul(top.size as u64);
            steps = checks(rows.len());
            walk = walk.filter(|_| passed < steps);
            part.gathered = Some(rows.into());
        }
        let end = state.steps().saturating_add(steps);
        if let Some(walk) = &mut walk
            && walk.run(checker, part, top, end)?
        {
            return Ok(());
        }
        if let Some(rows) = &part.gathered {
            let mut offered = rows.iter();
            return offered.try_for_each(|row| offer(checker, part, top, *row));
        }
        steps *= STEPS_GROWTH;
    }
    everything(checker, part, top, walk)
}

fn everything<'s>(
    checker: &Checker<'s>,
    part: &Compiled<'_, 's>,
    top: &mut Top<'_>,
    walk: Option<Walk<'s>>,
) -> Result<(), StoreError> {
    if let Some(mut walk) = walk {
        while !walk.run(checker, part, top, u64::MAX)? {}
        return Ok(());
    }
    let mut stream = stream::covering(checker, &part.node, part.kind.number)?;
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
