//! Where the rows of a walk come from, in the order of one key: postings, changes or ids.

use std::ops::Bound;

use bytes::Bytes;
use store::{Direction, ParameterNumber, Row, StoreError, UnitNumber};

use super::candidate::{Candidate, Checker};
use super::gather;
use super::probe::Span;
use super::rank::Top;
use super::reads::Range;
use super::stream::Stream;
use super::walk::{Along, Group, Tie};
use super::{Compiled, Kind};
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

/// A form of values, and what the postings of a slot begin with that are of this form and unit.
type Prefix = (u8, Vec<u8>);

/// The forms and units in which a slot holds values that have an order; `None` where that is not
/// the order of its postings.
pub(super) fn prefixes(
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
pub(super) struct Source<'s> {
    kind: Kind<'s>,
    tree: Tree,
    reader: Reader,
    direction: Direction,
    span: Span,
    range: Range<'s>,
    /// Read, and not of the group that was wanted.
    pending: Option<(Bytes, Bytes)>,
    /// What comes next.
    pub(super) head: Option<Group<'s>>,
    has_ended: bool,
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
            kind,
            tree,
            reader,
            direction,
            span,
            range,
            pending: None,
            head: None,
            has_ended: false,
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

    pub(super) fn of_ids(kind: Kind<'s>, direction: Direction, first: Bound<&[u8]>) -> Self {
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

    pub(super) fn of_changes(
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

    pub(super) fn of_postings(
        kind: Kind<'s>,
        form: u8,
        prefix: &[u8],
        direction: Direction,
        first: Bound<&[u8]>,
    ) -> Self {
        let span = match first {
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

    /// Whether it is known what comes next; otherwise so many steps have been done.
    pub(super) fn fill(
        &mut self,
        checker: &Checker<'_>,
        part: &Compiled<'_, '_>,
        tie: &Tie,
        top: &Top<'_>,
        end: u64,
    ) -> Result<bool, StoreError> {
        while self.head.is_none() && !self.has_ended {
            if checker.state.steps() > end {
                return Ok(false);
            }
            let Some((key, value)) = self.entry()? else {
                self.has_ended = true;
                break;
            };
            let one = match self.reader {
                Reader::Posting(form) => {
                    self.head = Some(self.postings(form, &key, tie, top)?);
                    break;
                }
                Reader::Change => changed(checker, part, tie, &key, &value)?,
                Reader::Id => {
                    let head = Some(Head::decode(&value)?).filter(Head::live);
                    let id = layout::id_of_key(&key)?.id;
                    head.map(|head| (id.0.as_bytes().into(), head.row))
                }
            };
            self.head = one.map(|(key, row)| {
                let bound = tie.bound(Some(&key), self.direction);
                Group {
                    from: top.first_row(&bound),
                    bound,
                    rows: Stream::listed([row]),
                    along: Along::Rows,
                }
            });
        }
        Ok(true)
    }

    /// The rows of the value of a posting, of which this one was read first.
    fn postings(
        &mut self,
        form: u8,
        key: &[u8],
        tie: &Tie,
        top: &Top<'_>,
    ) -> Result<Group<'s>, StoreError> {
        let value = layout::value_of_posting(key).to_vec();
        let (first, exact) = first_key(form, key, self.direction)?;
        let mut rows = vec![layout::row_of_posting(key)?];
        let mut along = Along::Rows;
        while let Some((key, nothing)) = self.entry()? {
            if layout::value_of_posting(&key) != value {
                self.pending = Some((key, nothing));
                break;
            }
            if rows.len() == GROUP_MAX {
                self.leave(&value);
                along = Along::Many(value);
                break;
            }
            rows.push(layout::row_of_posting(&key)?);
        }
        if self.direction == Direction::Descending {
            rows.reverse();
        }
        let bound = tie.bound(Some(&first), self.direction);
        Ok(Group {
            from: if exact { top.first_row(&bound) } else { Row(0) },
            bound,
            rows: Stream::listed(rows),
            along,
        })
    }

    /// Goes on behind a value.
    fn leave(&mut self, value: &[u8]) {
        match self.direction {
            Direction::Ascending => {
                if let Some(next) = after_prefix(value) {
                    self.span.from = next;
                }
            }
            Direction::Descending => self.span.to = Some(value.to_vec()),
        }
        self.range = self.kind.state.range(self.tree, self.span.bounds());
    }
}

/// A sort key, and the row that has it.
type Keyed = (Box<[u8]>, Row);

/// The instant of a newest version as sort key, and its row; `None` for an older version, and for
/// what is not wanted.
fn changed(
    checker: &Checker<'_>,
    part: &Compiled<'_, '_>,
    tie: &Tie,
    key: &[u8],
    value: &[u8],
) -> Result<Option<Keyed>, StoreError> {
    let row = Changed::decode(value)?.row;
    if !tie.wants(part, row) {
        return Ok(None);
    }
    let candidate = Candidate::new(part.kind.number, row);
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
