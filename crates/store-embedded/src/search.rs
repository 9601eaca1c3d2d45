//! Plans, executed over one state of a tenant.
//!
//! Every condition becomes an ascending stream of rows that can skip ahead; streams are intersected
//! and merged, so that a search with a limit reads about as many postings as it gives rows. Three
//! tests cannot be streamed (any value, any system, any code): their rows are collected and sorted.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use search::plan::{Filter, Plan, Test, Total};
use store::{
    EntryValue, Found, ParameterNumber, RecordId, RecordKey, Row, Space, StoreError, TypeNumber,
};

use crate::engine::{Range, Snapshot};
use crate::fault;
use crate::layout::{self, BODIES, Head, IDS, META, POSTINGS, Stored, Version};

/// Postings stepped over before a stream looks for its next row from the front again.
const STEPS_MAX: usize = 16;

/// Rows of a search that is run where it was asked for.
const SHORT_LIMIT_MAX: usize = 1_000;

/// Runs a plan.
pub(crate) fn run(state: &Snapshot, plan: &Plan) -> Result<Found, StoreError> {
    let from = Row(plan.after.map_or(0, |after| after.0.saturating_add(1)));
    let mut found = Found {
        rows: Vec::new(),
        more: false,
        total: None,
    };
    if plan.limit > 0 {
        let mut rows = Merged::new(state, plan, from)?;
        while let Some((row, kind)) = rows.next()? {
            if found.rows.len() == plan.limit {
                found.more = true;
                break;
            }
            found.rows.push((kind, row));
        }
    }
    if plan.total == Total::Accurate {
        found.total = Some(count(state, plan)?);
    }
    Ok(found)
}

/// Whether a plan reads about as much as it gives; others are for a thread of their own.
pub(crate) fn is_short(plan: &Plan) -> bool {
    plan.total == Total::None && plan.limit <= SHORT_LIMIT_MAX && is_streamed(&plan.filter)
}

fn is_streamed(filter: &Filter) -> bool {
    match filter {
        Filter::All(filters) | Filter::Any(filters) => filters.iter().all(is_streamed),
        // What is left of all live records may be far between.
        Filter::Not(_) => false,
        Filter::Ids(_) | Filter::Rows(_) => true,
        Filter::Entry { test, .. } => matches!(test, Test::Is(_)),
    }
}

fn count(state: &Snapshot, plan: &Plan) -> Result<u64, StoreError> {
    let everything = matches!(&plan.filter, Filter::All(all) if all.is_empty());
    if everything && plan.not_later_than.is_none() {
        return distinct_kinds(plan)
            .into_iter()
            .map(|kind| live_count(state, plan.space, kind))
            .sum();
    }
    let mut rows = Merged::new(state, plan, Row(0))?;
    let mut count = 0;
    while rows.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn live_count(state: &Snapshot, space: Space, kind: TypeNumber) -> Result<u64, StoreError> {
    let bytes = state
        .get(META, &layout::count_key(space, kind))
        .map_err(fault::engine)?;
    bytes.map_or(Ok(0), |bytes| layout::decode_number(&bytes))
}

fn distinct_kinds(plan: &Plan) -> Vec<TypeNumber> {
    let mut kinds = plan.kinds.clone();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// The matches of all types, by row.
struct Merged<'s> {
    streams: Vec<(TypeNumber, Stream<'s>)>,
    next: BinaryHeap<Reverse<(Row, usize)>>,
    state: &'s Snapshot,
    space: Space,
    not_later_than: Option<u64>,
}

impl<'s> Merged<'s> {
    fn new(state: &'s Snapshot, plan: &'s Plan, from: Row) -> Result<Self, StoreError> {
        let mut merged = Self {
            streams: Vec::new(),
            next: BinaryHeap::new(),
            state,
            space: plan.space,
            not_later_than: plan.not_later_than,
        };
        for kind in distinct_kinds(plan) {
            let place = Place {
                state,
                space: plan.space,
                kind,
            };
            let mut stream = Stream::of(&plan.filter, place)?;
            if let Some(row) = stream.seek(from)? {
                merged.next.push(Reverse((row, merged.streams.len())));
                merged.streams.push((kind, stream));
            }
        }
        Ok(merged)
    }

    fn next(&mut self) -> Result<Option<(Row, TypeNumber)>, StoreError> {
        while let Some(Reverse((row, at))) = self.next.pop() {
            let (kind, stream) = &mut self.streams[at];
            let kind = *kind;
            if let Some(following) = stream.seek(Row(row.0 + 1))? {
                self.next.push(Reverse((following, at)));
            }
            if self.old_enough(kind, row)? {
                return Ok(Some((row, kind)));
            }
        }
        Ok(None)
    }

    fn old_enough(&self, kind: TypeNumber, row: Row) -> Result<bool, StoreError> {
        let Some(max) = self.not_later_than else {
            return Ok(true);
        };
        let key = layout::body_key(self.space, kind, row);
        let Some(bytes) = self.state.get(BODIES, &key).map_err(fault::engine)? else {
            return Ok(false);
        };
        Ok(Version::decode(&bytes)?.position.0 <= max)
    }
}

/// One type in one state.
#[derive(Clone, Copy)]
struct Place<'s> {
    state: &'s Snapshot,
    space: Space,
    kind: TypeNumber,
}

/// Rows in ascending order.
enum Stream<'s> {
    Nothing,
    Listed(std::vec::IntoIter<Row>, Option<Row>),
    Posted(Box<Posted<'s>>),
    All(Vec<Stream<'s>>),
    Any(Vec<Stream<'s>>),
    /// Live rows without those of the second stream.
    Without(Box<Stream<'s>>, Box<Stream<'s>>),
}

impl<'s> Stream<'s> {
    fn of(filter: &Filter, place: Place<'s>) -> Result<Self, StoreError> {
        let all_of = |filters: &[Filter]| -> Result<Vec<Self>, StoreError> {
            filters
                .iter()
                .map(|filter| Self::of(filter, place))
                .collect()
        };
        Ok(match filter {
            Filter::All(filters) if filters.is_empty() => Self::live(place),
            Filter::All(filters) => Self::All(all_of(filters)?),
            Filter::Any(filters) => Self::Any(all_of(filters)?),
            Filter::Not(filter) => Self::Without(
                Box::new(Self::live(place)),
                Box::new(Self::of(filter, place)?),
            ),
            Filter::Ids(ids) => Self::listed(live_ids(ids, place)?),
            Filter::Rows(rows) => Self::All(vec![Self::listed(rows.clone()), Self::live(place)]),
            Filter::Entry { parameter, test } => Self::entry(*parameter, test, place)?,
        })
    }

    fn live(place: Place<'s>) -> Self {
        Self::posted(layout::live_postings(place.space, place.kind), place)
    }

    fn posted(prefix: Vec<u8>, place: Place<'s>) -> Self {
        Self::Posted(Box::new(Posted {
            state: place.state,
            prefix,
            range: None,
            current: None,
            ended: false,
        }))
    }

    fn listed(mut rows: Vec<Row>) -> Self {
        rows.sort_unstable();
        rows.dedup();
        Self::Listed(rows.into_iter(), None)
    }

    fn entry(
        parameter: ParameterNumber,
        test: &Test,
        place: Place<'s>,
    ) -> Result<Self, StoreError> {
        let Place { space, kind, state } = place;
        let collected = match test {
            Test::Is(value) => {
                let stored = match value {
                    EntryValue::Reference(key) => row_of(state, key)?.map(Stored::Reference),
                    EntryValue::Token { .. } | EntryValue::Uri(_) => layout::stored_text(value),
                };
                return Ok(stored.map_or(Self::Nothing, |stored| {
                    Self::posted(
                        layout::value_postings(space, kind, parameter, &stored),
                        place,
                    )
                }));
            }
            Test::Present => collect(
                state,
                &layout::parameter_postings(space, kind, parameter),
                |_| Ok(true),
            ),
            Test::Code(code) => collect(
                state,
                &layout::code_postings(space, kind, parameter, code),
                |_| Ok(true),
            ),
            Test::System(system) => {
                let tokens = layout::token_postings(space, kind, parameter);
                collect(state, &tokens, |key| {
                    Ok(layout::system_of_posting(key)? == *system)
                })
            }
        };
        collected.map(Self::listed)
    }

    /// The first row that is not less than `from`; `from` never goes back.
    fn seek(&mut self, from: Row) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Nothing => Ok(None),
            Self::Listed(rows, current) => {
                while current.is_none_or(|row| row < from) {
                    *current = rows.next();
                    if current.is_none() {
                        return Ok(None);
                    }
                }
                Ok(*current)
            }
            Self::Posted(posted) => posted.seek(from),
            Self::All(streams) => seek_all(streams, from),
            Self::Any(streams) => {
                let mut first = None;
                for stream in streams {
                    let row = stream.seek(from)?;
                    first = [first, row].into_iter().flatten().min();
                }
                Ok(first)
            }
            Self::Without(live, without) => {
                let mut from = from;
                while let Some(row) = live.seek(from)? {
                    if without.seek(row)? != Some(row) {
                        return Ok(Some(row));
                    }
                    from = Row(row.0 + 1);
                }
                Ok(None)
            }
        }
    }
}

/// The first row not less than `from` that all streams have.
fn seek_all(streams: &mut [Stream<'_>], from: Row) -> Result<Option<Row>, StoreError> {
    let mut from = from;
    'candidate: loop {
        for stream in &mut *streams {
            match stream.seek(from)? {
                None => return Ok(None),
                Some(row) if row > from => {
                    from = row;
                    continue 'candidate;
                }
                Some(_) => {}
            }
        }
        return Ok(Some(from));
    }
}

/// The postings of one value.
struct Posted<'s> {
    state: &'s Snapshot,
    prefix: Vec<u8>,
    range: Option<Range>,
    current: Option<Row>,
    ended: bool,
}

impl Posted<'_> {
    fn seek(&mut self, from: Row) -> Result<Option<Row>, StoreError> {
        if let Some(current) = self.current.filter(|current| *current >= from) {
            return Ok(Some(current));
        }
        if self.ended {
            return Ok(None);
        }
        if self.range.is_some() {
            for _ in 0..STEPS_MAX {
                let row = self.step()?;
                if row.is_none_or(|row| row >= from) {
                    return Ok(row);
                }
            }
        }
        let start = layout::posting_key(&self.prefix, from);
        let end = layout::posting_key(&self.prefix, Row(u64::MAX));
        self.range = Some(self.state.range(POSTINGS, start..=end));
        self.step()
    }

    fn step(&mut self) -> Result<Option<Row>, StoreError> {
        let entry = self.range.as_mut().and_then(Iterator::next);
        self.ended = entry.is_none();
        self.current = match entry {
            None => None,
            Some(entry) => Some(layout::row_of_posting(&entry.map_err(fault::engine)?.0)?),
        };
        Ok(self.current)
    }
}

fn collect(
    state: &Snapshot,
    prefix: &[u8],
    wanted: impl Fn(&[u8]) -> Result<bool, StoreError>,
) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for entry in state.prefix(POSTINGS, prefix) {
        let (key, _) = entry.map_err(fault::engine)?;
        if wanted(&key)? {
            rows.push(layout::row_of_posting(&key)?);
        }
    }
    Ok(rows)
}

fn live_ids(ids: &[RecordId], place: Place<'_>) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids {
        let key = RecordKey {
            space: place.space,
            kind: place.kind,
            id: id.clone(),
        };
        let head = head_of(place.state, &key)?;
        rows.extend(head.filter(Head::live).map(|head| head.row));
    }
    Ok(rows)
}

/// Where a record stands in a state.
pub(crate) fn head_of(state: &Snapshot, key: &RecordKey) -> Result<Option<Head>, StoreError> {
    let bytes = state
        .get(IDS, &layout::id_key(key))
        .map_err(fault::engine)?;
    bytes.map(|bytes| Head::decode(&bytes)).transpose()
}

fn row_of(state: &Snapshot, key: &RecordKey) -> Result<Option<Row>, StoreError> {
    Ok(head_of(state, key)?.map(|head| head.row))
}
