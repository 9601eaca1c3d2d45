//! Walking along the first key of an order: from postings in the order of their values, from the
//! list of changes, from ids; at last the records that have no value.
//!
//! What a walk offers is placed by all its keys and kept among the first ([`Top`]); the walk ends
//! where everything to come lies behind these. So its steps need not be in order exactly, as long as
//! each says a bound that what follows does not fall below.

use std::ops::Bound;

use bytes::Bytes;
use search::plan::SortBy;
use store::{Direction, ParameterNumber, Row, StoreError, UnitNumber};

use super::candidate::{Candidate, Checker};
use super::gather::{self, Budget};
use super::page::offer;
use super::probe::Span;
use super::rank::{Top, of_key};
use super::reads::Range;
use super::stream::Stream;
use super::{CHECK_COST, Compiled, GATHERED_MAX, Kind};
use crate::codec::{Key, after_prefix};
use crate::engine::Space as Tree;
use crate::layout::{
    self, CHANGES, Changed, Head, IDS, PERIOD_BY_HIGH, PERIOD_BY_LOW, POINT, POSTINGS,
    RANGE_BY_HIGH, RANGE_BY_LOW, REFERENCE, SHORT_PERIOD, SHORT_PERIOD_MAX, TEXT, TOKEN, URI,
};

/// Rows of one value that are read at once.
const GROUP_MAX: usize = 64;

/// Units that one slot is walked along.
const UNITS_MAX: usize = 64;

/// A walk that can be interrupted.
pub(super) struct Walk<'s> {
    kind: Kind<'s>,
    /// Each with the rows that come next from it.
    sources: Vec<(Source<'s>, Option<Group<'s>>)>,
    /// Where the values by which it is sorted lie; `None` where every record has one.
    values: Option<Vec<Vec<u8>>>,
    /// Rows without value, and the next of them.
    absent: Option<(Stream<'s>, Row)>,
}

/// Rows of one value.
struct Group<'s> {
    /// As part of a rank.
    bound: Vec<u8>,
    rows: std::vec::IntoIter<Row>,
    /// Where the rest of them is.
    more: Option<Stream<'s>>,
    from: Row,
}

impl Group<'_> {
    fn next(&mut self) -> Result<Option<Row>, StoreError> {
        let from = self.from;
        let row = match self.rows.find(|row| *row >= from) {
            Some(row) => Some(row),
            None => match &mut self.more {
                Some(more) => more.seek(from)?,
                None => None,
            },
        };
        if let Some(row) = row {
            self.from = Row(row.0.saturating_add(1));
        }
        Ok(row)
    }
}

impl<'s> Walk<'s> {
    /// `None` where there is nothing to walk along.
    pub(super) fn open(part: &Compiled<'_, 's>, top: &Top<'_>) -> Result<Option<Self>, StoreError> {
        let Some(direction) = top.directions.first() else {
            return Ok(None);
        };
        let kind = part.kind;
        let mut values = None;
        let sources = match part.part.sort.first().unwrap_or(&SortBy::Nothing) {
            SortBy::Nothing => {
                values = Some(Vec::new());
                Vec::new()
            }
            SortBy::Id => vec![Source::of_ids(kind, *direction, top.first_key())],
            SortBy::Updated => vec![Source::of_changes(kind, *direction, top.first_key())?],
            SortBy::Entry(parameter) => {
                let Some(prefixes) = prefixes(kind, *parameter, *direction)? else {
                    return Ok(None);
                };
                let sources = prefixes.iter().map(|(form, prefix)| {
                    Source::of_postings(kind, *form, prefix, *direction, top)
                });
                let sources = sources.collect();
                values = Some(prefixes.into_iter().map(|(_, prefix)| prefix).collect());
                sources
            }
        };
        // After a record without value there are only such.
        let sources = match top.first_key() {
            Bound::Excluded(_) => Vec::new(),
            _ => sources,
        };
        Ok(Some(Self {
            kind,
            sources: sources.into_iter().map(|source| (source, None)).collect(),
            values,
            absent: None,
        }))
    }

    /// Goes on. Whether it has come to an end; if not, the budget is used up.
    pub(super) fn run(
        &mut self,
        checker: &Checker<'_>,
        part: &Compiled<'_, '_>,
        top: &mut Top<'_>,
        budget: &mut Budget,
    ) -> Result<bool, StoreError> {
        while let Some(at) = self.nearest(checker, top, budget)? {
            let (_, head) = &mut self.sources[at];
            let Some(group) = head else { break };
            if top.is_past(&group.bound) {
                return Ok(true);
            }
            while let Some(row) = group.next()? {
                if top.is_row_past(&group.bound, row) {
                    break;
                }
                look(checker, part, top, row, budget)?;
                if budget.0 == 0 {
                    return Ok(false);
                }
            }
            *head = None;
        }
        match &self.values {
            Some(_) => self.run_absent(checker, part, top, budget),
            None => Ok(true),
        }
    }

    /// The source whose next rows come first.
    fn nearest(
        &mut self,
        checker: &Checker<'_>,
        top: &Top<'_>,
        budget: &mut Budget,
    ) -> Result<Option<usize>, StoreError> {
        let mut nearest: Option<(usize, &[u8])> = None;
        for (at, (source, head)) in self.sources.iter_mut().enumerate() {
            if head.is_none() {
                *head = source.next(checker, self.kind, top, budget)?;
            }
            if let Some(group) = head
                && nearest.is_none_or(|(_, bound)| *group.bound < *bound)
            {
                nearest = Some((at, &group.bound));
            }
        }
        Ok(nearest.map(|(at, _)| at))
    }

    fn run_absent(
        &mut self,
        checker: &Checker<'_>,
        part: &Compiled<'_, '_>,
        top: &mut Top<'_>,
        budget: &mut Budget,
    ) -> Result<bool, StoreError> {
        let bound = of_key(None, Direction::Ascending);
        if top.is_past(&bound) {
            return Ok(true);
        }
        if self.absent.is_none() {
            self.absent = Some((self.without_value()?, top.first_row(&bound)));
        }
        let Some((stream, from)) = &mut self.absent else {
            return Ok(true);
        };
        while let Some(row) = stream.seek(*from)? {
            if top.is_past(&bound) || top.is_row_past(&bound, row) {
                return Ok(true);
            }
            *from = Row(row.0.saturating_add(1));
            look(checker, part, top, row, budget)?;
            if budget.0 == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Live records without those that have a value, or, where these are too many, with them:
    /// they have been offered before.
    fn without_value(&self) -> Result<Stream<'s>, StoreError> {
        let prefixes = self.values.iter().flatten();
        let spans = prefixes.map(|prefix| Span::of_prefix(prefix.clone()));
        let valued = gather::valued(self.kind.state, spans, &mut Budget(GATHERED_MAX))?;
        let without = valued.map(Stream::listed).into_iter().collect();
        Ok(Stream::all(Vec::new(), without, self.kind))
    }
}

/// Offers a row, unless it is known not to match.
fn look(
    checker: &Checker<'_>,
    part: &Compiled<'_, '_>,
    top: &mut Top<'_>,
    row: Row,
    budget: &mut Budget,
) -> Result<(), StoreError> {
    let known = part.gathered.as_ref();
    if known.is_some_and(|rows| rows.binary_search(&row).is_err()) {
        budget.0 = budget.0.saturating_sub(1);
        return Ok(());
    }
    budget.0 = budget.0.saturating_sub(CHECK_COST);
    offer(checker, part, top, row)
}

/// A form of values, and what the postings of a slot begin with that are of this form and unit.
type Prefix = (u8, Vec<u8>);

/// The forms and units in which a slot holds values that have an order; `None` where that is not
/// the order of its postings.
fn prefixes(
    kind: Kind<'_>,
    parameter: ParameterNumber,
    direction: Direction,
) -> Result<Option<Vec<Prefix>>, StoreError> {
    let slot = layout::slot_postings(kind.space, kind.number, parameter);
    let (period, range) = match direction {
        Direction::Ascending => (PERIOD_BY_LOW, RANGE_BY_LOW),
        Direction::Descending => (PERIOD_BY_HIGH, RANGE_BY_HIGH),
    };
    let mut prefixes = Vec::new();
    let mut span = Span::of_prefix(slot.clone());
    // From form to form, and from unit to unit.
    while let Some(entry) = kind.state.range(POSTINGS, span.bounds()).next() {
        let (key, _) = entry?;
        let form = layout::form_of_posting(&key)?;
        let prefix = match form {
            POINT | RANGE_BY_LOW | RANGE_BY_HIGH => {
                let unit: UnitNumber = layout::number_of_posting(&key)?.0;
                layout::unit_postings(&slot, form, unit)
            }
            _ => layout::form_postings(&slot, form),
        };
        if form == REFERENCE || prefixes.len() == UNITS_MAX {
            return Ok(None);
        }
        let Some(next) = after_prefix(&prefix) else {
            break;
        };
        span.from = next;
        let ordered = matches!(form, TOKEN | URI | TEXT | SHORT_PERIOD | POINT);
        if ordered || form == period || form == range {
            prefixes.push((form, prefix));
        }
    }
    Ok(Some(prefixes))
}

/// Rows with a bound on their first keys, in the order of these bounds.
struct Source<'s> {
    tree: Tree,
    reader: Reader,
    direction: Direction,
    span: Span,
    range: Range<'s>,
    /// Read, and not of the group that was wanted.
    pending: Option<(Bytes, Bytes)>,
}

/// What the entries of a source are.
#[derive(Clone, Copy)]
enum Reader {
    Posting(u8),
    Change,
    Id,
}

impl<'s> Source<'s> {
    fn new(kind: Kind<'s>, tree: Tree, reader: Reader, direction: Direction, span: Span) -> Self {
        let range = kind.state.range(tree, span.bounds());
        Self {
            tree,
            reader,
            direction,
            span,
            range,
            pending: None,
        }
    }

    /// Keys with this prefix, beginning where their rest is `first`.
    fn narrowed(prefix: Vec<u8>, begin: Vec<u8>, end: &[u8], direction: Direction) -> Span {
        let whole = Span::of_prefix(prefix);
        match direction {
            Direction::Ascending => Span {
                from: begin,
                ..whole
            },
            Direction::Descending => Span {
                to: after_prefix(end),
                ..whole
            },
        }
    }

    fn of_ids(kind: Kind<'s>, direction: Direction, first: Bound<&[u8]>) -> Self {
        let prefix = layout::ids_of(kind.space, kind.number);
        let span = match first {
            Bound::Included(id) => {
                let key = Key::new().raw(&prefix).raw(id).done();
                // Ids that begin with this one come after it; they are passed over one by one.
                Self::narrowed(prefix, key.clone(), &key, direction)
            }
            _ => Span::of_prefix(prefix),
        };
        Self::new(kind, IDS, Reader::Id, direction, span)
    }

    fn of_changes(
        kind: Kind<'s>,
        direction: Direction,
        first: Bound<&[u8]>,
    ) -> Result<Self, StoreError> {
        let list = layout::kind_changes(kind.space, kind.number);
        let time = match first {
            Bound::Included(key) => <[u8; 8]>::try_from(key).ok(),
            _ => None,
        };
        let span = match time {
            None => Span::of_prefix(list),
            Some(time) => {
                let time = (u64::from_be_bytes(time) ^ (1 << 63)).cast_signed();
                let from = gather::first_position(kind.state, time)?;
                let to = gather::first_position(kind.state, time.saturating_add(1))?;
                let to = store::Position(to.0 - 1);
                let begin = layout::change_key(&list, from);
                let end = layout::change_key(&list, to);
                Self::narrowed(list, begin, &end, direction)
            }
        };
        Ok(Self::new(kind, CHANGES, Reader::Change, direction, span))
    }

    fn of_postings(
        kind: Kind<'s>,
        form: u8,
        prefix: &[u8],
        direction: Direction,
        top: &Top<'_>,
    ) -> Self {
        let span = match top.first_key() {
            Bound::Included(first) => {
                let key = Key::new().raw(prefix);
                let is_instant = matches!(form, SHORT_PERIOD | PERIOD_BY_LOW | PERIOD_BY_HIGH);
                let (begin, end) = if is_instant {
                    (key.clone().raw(first), key.raw(first))
                } else {
                    (key.clone().begun(first), key.ended(first))
                };
                Self::narrowed(prefix.to_vec(), begin.done(), &end.done(), direction)
            }
            _ => Span::of_prefix(prefix.to_vec()),
        };
        Self::new(kind, POSTINGS, Reader::Posting(form), direction, span)
    }

    fn entry(&mut self) -> Result<Option<(Bytes, Bytes)>, StoreError> {
        if let Some(pending) = self.pending.take() {
            return Ok(Some(pending));
        }
        let next = match self.direction {
            Direction::Ascending => self.range.next(),
            Direction::Descending => self.range.next_back(),
        };
        next.transpose()
    }

    fn next(
        &mut self,
        checker: &Checker<'_>,
        kind: Kind<'s>,
        top: &Top<'_>,
        budget: &mut Budget,
    ) -> Result<Option<Group<'s>>, StoreError> {
        while let Some((key, value)) = self.entry()? {
            budget.0 = budget.0.saturating_sub(1);
            let one = match self.reader {
                Reader::Posting(form) => return self.postings(form, &key, kind, top).map(Some),
                Reader::Change => {
                    budget.0 = budget.0.saturating_sub(CHECK_COST);
                    changed(checker, kind, &key, &value)?
                }
                Reader::Id => {
                    let head = Some(Head::decode(&value)?).filter(Head::live);
                    let id = layout::id_of_key(&key)?.id;
                    head.map(|head| (id.0.as_bytes().into(), head.row))
                }
            };
            if let Some((key, row)) = one {
                let bound = of_key(Some(&key), self.direction);
                let from = top.first_row(&bound);
                return Ok(Some(Group {
                    bound,
                    rows: vec![row].into_iter(),
                    more: None,
                    from,
                }));
            }
        }
        Ok(None)
    }

    /// The rows of the value of a posting, of which this one was read first.
    fn postings(
        &mut self,
        form: u8,
        key: &[u8],
        kind: Kind<'s>,
        top: &Top<'_>,
    ) -> Result<Group<'s>, StoreError> {
        let value = layout::value_of_posting(key).to_vec();
        let (first, exact) = first_key(form, key, self.direction)?;
        let mut rows = vec![layout::row_of_posting(key)?];
        let mut more = None;
        while let Some((key, nothing)) = self.entry()? {
            if layout::value_of_posting(&key) != value {
                self.pending = Some((key, nothing));
                break;
            }
            if rows.len() == GROUP_MAX {
                self.leave(&value, kind);
                more = Some(Stream::posted(value, kind.state));
                break;
            }
            rows.push(layout::row_of_posting(&key)?);
        }
        if self.direction == Direction::Descending {
            // The last of them were read first; where there are more, all are read again.
            rows.reverse();
            if more.is_some() {
                rows.clear();
            }
        }
        let bound = of_key(Some(&first), self.direction);
        let from = if exact { top.first_row(&bound) } else { Row(0) };
        Ok(Group {
            bound,
            rows: rows.into_iter(),
            more,
            from,
        })
    }

    /// Goes on behind a value.
    fn leave(&mut self, value: &[u8], kind: Kind<'s>) {
        match self.direction {
            Direction::Ascending => {
                if let Some(next) = after_prefix(value) {
                    self.span.from = next;
                }
            }
            Direction::Descending => self.span.to = Some(value.to_vec()),
        }
        self.range = kind.state.range(self.tree, self.span.bounds());
    }
}

/// A sort key, and the row that has it.
type Keyed = (Box<[u8]>, Row);

/// The instant of a newest version as sort key, and its row; `None` for an older version.
fn changed(
    checker: &Checker<'_>,
    kind: Kind<'_>,
    key: &[u8],
    value: &[u8],
) -> Result<Option<Keyed>, StoreError> {
    let row = Changed::decode(value)?.row;
    let candidate = Candidate::new(kind.number, row);
    let Some(version) = candidate.version(checker)? else {
        return Ok(None);
    };
    let is_newest = version.position == layout::position_of_change(key)?;
    let key = search::entry::ordered(version.time.0).to_be_bytes().into();
    Ok(is_newest.then_some((key, row)))
}

/// The sort key of a posting, and whether it is that exactly: of a short period the first
/// microsecond is known in order, and the last one is not much later.
fn first_key(form: u8, key: &[u8], direction: Direction) -> Result<(Box<[u8]>, bool), StoreError> {
    let instant = |at: i64| search::entry::ordered(at).to_be_bytes().into();
    let ascending = direction == Direction::Ascending;
    Ok(match form {
        SHORT_PERIOD | PERIOD_BY_LOW | PERIOD_BY_HIGH => {
            let (low, high) = layout::period_of_posting(key)?;
            match (ascending, form) {
                (true, _) => (instant(low), true),
                (false, SHORT_PERIOD) => (instant(low.saturating_add(SHORT_PERIOD_MAX)), false),
                (false, _) => (instant(high), true),
            }
        }
        POINT | RANGE_BY_LOW | RANGE_BY_HIGH => {
            let (_, low, high) = layout::number_of_posting(key)?;
            (if ascending { low.0 } else { high.0 }, true)
        }
        _ => (layout::text_of_posting(key)?.as_bytes().into(), true),
    })
}
