//! Walking along the keys of an order: from postings in the order of their values, from the list of
//! changes, from ids ([`Source`]); at last the records that have no value. Where many records share
//! a key, a walk along the next key goes through these.
//!
//! What a walk offers is placed by all its keys and kept among the first ([`Top`]); the walk ends
//! where everything to come lies behind these. So its steps need not be in order exactly, as long as
//! each says a bound that what follows does not fall below.

use std::ops::Bound;
use std::rc::Rc;

use search::plan::SortBy;
use store::{Direction, Row, StoreError};

use super::candidate::Checker;
use super::gather;
use super::page::offer;
use super::probe::Span;
use super::rank::{Top, of_key};
use super::reads::RECORD_STEPS;
use super::source::{self, Source};
use super::stream::Stream;
use super::{Compiled, GATHER_STEPS_MAX, Kind};

/// A walk that can be interrupted.
pub(super) struct Walk<'s> {
    kind: Kind<'s>,
    tie: Tie,
    sources: Vec<Source<'s>>,
    /// Where the values by which it is sorted lie; `None` where every record has one.
    values: Option<Vec<Vec<u8>>>,
    /// Rows without value, and the next of them.
    absent: Option<(Stream<'s>, Row)>,
}

/// Records that have the same keys up to one.
pub(super) struct Tie {
    /// The key along which it is gone.
    pub(super) level: usize,
    /// The keys before it, as part of a rank.
    pub(super) begin: Vec<u8>,
    /// The records; `None` for all.
    rows: Option<Rc<[Row]>>,
}

impl Tie {
    const ALL: Self = Self {
        level: 0,
        begin: Vec::new(),
        rows: None,
    };

    /// A key as part of a rank, with those before it.
    pub(super) fn bound(&self, key: Option<&[u8]>, direction: Direction) -> Vec<u8> {
        [&self.begin[..], &of_key(key, direction)].concat()
    }

    /// Whether a row may be offered.
    pub(super) fn wants(&self, part: &Compiled<'_, '_>, row: Row) -> bool {
        let mut known = [&self.rows, &part.gathered].into_iter().flatten();
        known.all(|rows| rows.binary_search(&row).is_ok())
    }

    /// Those of the rows that may be offered.
    fn wanted<'s>(&self, part: &Compiled<'_, '_>, rows: Stream<'s>) -> Stream<'s> {
        let known = [&self.rows, &part.gathered].into_iter().flatten();
        let known = known.map(|rows| Stream::listed(Rc::clone(rows)));
        let of = known.chain([rows]).collect();
        Stream::All {
            of,
            without: vec![],
        }
    }
}

/// Rows of one value.
pub(super) struct Group<'s> {
    /// As part of a rank, with the keys before.
    pub(super) bound: Vec<u8>,
    pub(super) rows: Stream<'s>,
    pub(super) from: Row,
    pub(super) along: Along<'s>,
}

/// How the rows of a group are gone through.
pub(super) enum Along<'s> {
    /// One after the other.
    Rows,
    /// There are many, with these postings.
    Many(Vec<u8>),
    /// In the order of the next key, until so many steps have been done in the search.
    Next(Box<Walk<'s>>, u64),
}

impl<'s> Walk<'s> {
    /// `None` where there is nothing to walk along.
    pub(super) fn open(part: &Compiled<'_, 's>, top: &Top<'_>) -> Result<Option<Self>, StoreError> {
        Self::through(Tie::ALL, part, top)
    }

    fn through(
        tie: Tie,
        part: &Compiled<'_, 's>,
        top: &Top<'_>,
    ) -> Result<Option<Self>, StoreError> {
        let Some(direction) = top.directions.get(tie.level) else {
            return Ok(None);
        };
        let (kind, direction) = (part.kind, *direction);
        let first = top.first_key(&tie);
        let mut values = None;
        let sources = match part.part.sort.get(tie.level).unwrap_or(&SortBy::Nothing) {
            SortBy::Nothing => {
                values = Some(Vec::new());
                Vec::new()
            }
            SortBy::Id => vec![Source::of_ids(kind, direction, first)],
            SortBy::Updated => vec![Source::of_changes(kind, direction, first)?],
            SortBy::Entry(parameter) => {
                let Some(prefixes) = source::prefixes(kind, *parameter, direction)? else {
                    return Ok(None);
                };
                let sources = prefixes.iter();
                let sources = sources
                    .map(|(form, prefix)| {
                        Source::of_postings(kind, *form, prefix, direction, first)
                    })
                    .collect();
                values = Some(prefixes.into_iter().map(|(_, prefix)| prefix).collect());
                sources
            }
        };
        // After a record without value there are only such.
        let sources = match first {
            Bound::Excluded(_) => Vec::new(),
            _ => sources,
        };
        Ok(Some(Self {
            kind,
            tie,
            sources,
            values,
            absent: None,
        }))
    }

    /// Goes on, until about so many steps have been done in the search. Whether it has come to its
    /// end.
    pub(super) fn run(
        &mut self,
        checker: &Checker<'s>,
        part: &Compiled<'_, 's>,
        top: &mut Top<'_>,
        end: u64,
    ) -> Result<bool, StoreError> {
        loop {
            for source in &mut self.sources {
                if !source.fill(checker, part, &self.tie, top, end)? {
                    return Ok(false);
                }
            }
            let Some((at, mut group)) = self.take_nearest() else {
                break;
            };
            if top.is_past(&group.bound) {
                return Ok(true);
            }
            if !self.run_group(checker, part, top, &mut group, end)? {
                self.sources[at].head = Some(group);
                return Ok(false);
            }
        }
        match &self.values {
            Some(_) => self.run_absent(checker, part, top, end),
            None => Ok(true),
        }
    }

    /// The rows that come first, and their source.
    fn take_nearest(&mut self) -> Option<(usize, Group<'s>)> {
        let heads = self.sources.iter().enumerate();
        let heads = heads.filter_map(|(at, source)| Some((at, source.head.as_ref()?)));
        let (at, _) = heads.min_by(|(_, one), (_, other)| one.bound.cmp(&other.bound))?;
        Some((at, self.sources[at].head.take()?))
    }

    /// Whether the rows of a group are done.
    fn run_group(
        &self,
        checker: &Checker<'s>,
        part: &Compiled<'_, 's>,
        top: &mut Top<'_>,
        group: &mut Group<'s>,
        end: u64,
    ) -> Result<bool, StoreError> {
        let state = checker.state;
        if let Along::Many(postings) = &group.along {
            let open = || self.along(part, top, postings, &group.bound, state.steps());
            let left = end.saturating_sub(state.steps());
            let Some(opened) = state.attempt(left, open)? else {
                return Ok(false);
            };
            (group.rows, group.along) = opened;
        }
        if let Along::Next(walk, worth) = &mut group.along {
            if walk.run(checker, part, top, end.min(*worth))? {
                return Ok(true);
            }
            if state.steps() < *worth {
                return Ok(false);
            }
            group.along = Along::Rows;
        }
        while let Some(row) = group.rows.seek(group.from)? {
            if top.is_row_past(&self.tie, &group.bound, row) {
                return Ok(true);
            }
            if !self.look(checker, part, top, row, end)? {
                return Ok(false);
            }
            group.from = Row(row.0.saturating_add(1));
        }
        Ok(true)
    }

    /// The many rows with these postings, and how to go through them: along the next key, if there
    /// is one, for as long as it would take to look at all of them.
    fn along(
        &self,
        part: &Compiled<'_, 's>,
        top: &Top<'_>,
        postings: &[u8],
        bound: &[u8],
        steps: u64,
    ) -> Result<(Stream<'s>, Along<'s>), StoreError> {
        let rows = || {
            self.tie
                .wanted(part, Stream::posted(postings.to_vec(), self.kind.state))
        };
        let level = self.tie.level + 1;
        if level == top.directions.len() {
            return Ok((rows(), Along::Rows));
        }
        let listed: Rc<[Row]> = rows().rows()?.into();
        let end = steps + 2 * RECORD_STEPS * listed.len() as u64;
        let tie = Tie {
            level,
            begin: bound.to_vec(),
            rows: Some(Rc::clone(&listed)),
        };
        let along = match Self::through(tie, part, top)? {
            Some(walk) => Along::Next(Box::new(walk), end),
            None => Along::Rows,
        };
        Ok((Stream::listed(listed), along))
    }

    fn run_absent(
        &mut self,
        checker: &Checker<'s>,
        part: &Compiled<'_, 's>,
        top: &mut Top<'_>,
        end: u64,
    ) -> Result<bool, StoreError> {
        let bound = self.tie.bound(None, Direction::Ascending);
        if top.is_past(&bound) {
            return Ok(true);
        }
        let (mut stream, mut from) = match self.absent.take() {
            Some(absent) => absent,
            None => match self.without_value(checker, end)? {
                Some(stream) => (stream, top.first_row(&bound)),
                None => return Ok(false),
            },
        };
        while let Some(row) = stream.seek(from)? {
            if top.is_past(&bound) || top.is_row_past(&self.tie, &bound, row) {
                return Ok(true);
            }
            if !self.look(checker, part, top, row, end)? {
                self.absent = Some((stream, from));
                return Ok(false);
            }
            from = Row(row.0.saturating_add(1));
        }
        Ok(true)
    }

    /// The rows without those that have a value, or, where these are too many, with them: they have
    /// been offered before. `None` if it takes longer than until that end.
    fn without_value(
        &self,
        checker: &Checker<'s>,
        end: u64,
    ) -> Result<Option<Stream<'s>>, StoreError> {
        let state = checker.state;
        let rows = self.tie.rows.as_ref();
        let worth = rows.map_or(GATHER_STEPS_MAX, |rows| RECORD_STEPS * rows.len() as u64);
        let left = end.saturating_sub(state.steps());
        let prefixes = self.values.iter().flatten();
        let spans = prefixes.map(|prefix| Span::of_prefix(prefix.clone()));
        let valued = state.attempt(worth.min(left), || gather::valued(state, spans))?;
        if valued.is_none() && left < worth {
            return Ok(None);
        }
        let without = valued.map(Stream::listed).into_iter().collect();
        let of = rows.map(|rows| Stream::listed(Rc::clone(rows)));
        let of = of.into_iter().collect();
        Ok(Some(Stream::all(of, without, self.kind)))
    }

    /// Offers a row, unless it is known not to match. `false` if it takes longer than until that end.
    fn look(
        &self,
        checker: &Checker<'s>,
        part: &Compiled<'_, 's>,
        top: &mut Top<'_>,
        row: Row,
        end: u64,
    ) -> Result<bool, StoreError> {
        let state = checker.state;
        if !self.tie.wants(part, row) {
            return Ok(state.steps() <= end);
        }
        let left = end.saturating_sub(state.steps());
        let offered = state.attempt(left, || offer(checker, part, top, row))?;
        Ok(offered.is_some())
    }
}
