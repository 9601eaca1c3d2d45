//! Streams: rows in ascending order that can skip ahead, straight from postings.

use store::{Row, StoreError};

use super::Kind;
use super::node::{Condition, Node};
use super::probe::{Probe, Span};
use super::reads::{Range, Reads};
use crate::codec::after_prefix;
use crate::layout::{self, POSTINGS, Stored};

/// Postings stepped over before a stream looks for its next row from the front again.
const STEPS_MAX: usize = 16;

/// Systems that one code is streamed from.
const SYSTEMS_MAX: usize = 16;

/// Rows in ascending order.
pub(super) enum Stream<'s> {
    Listed(std::vec::IntoIter<Row>, Option<Row>),
    Posted(Box<Posted<'s>>),
    All {
        of: Vec<Stream<'s>>,
        without: Vec<Stream<'s>>,
    },
    Any(Vec<Stream<'s>>),
}

/// The stream of exactly the records that match, where there is one.
pub(super) fn exact<'s>(node: &Node, kind: Kind<'s>) -> Result<Option<Stream<'s>>, StoreError> {
    Ok(match node {
        Node::All(nodes) if nodes.is_empty() => Some(Stream::live(kind)),
        Node::All(nodes) => {
            let (of, rest) = positive(nodes, kind)?;
            let without = rest.into_iter().map(|node| negative(node, kind));
            let without: Option<Vec<_>> = without.collect::<Result<_, _>>()?;
            without.map(|without| Stream::all(of, without, kind))
        }
        Node::Any(nodes) => {
            let streams = nodes.iter().map(|node| exact(node, kind));
            let streams: Option<Vec<_>> = streams.collect::<Result<_, _>>()?;
            streams.map(Stream::Any)
        }
        Node::Not(_) => {
            let without = negative(node, kind)?;
            without.map(|without| Stream::all(Vec::new(), vec![without], kind))
        }
        Node::Rows(rows) => Some(Stream::listed(rows.clone())),
        Node::Entry(condition) => of_condition(condition, kind)?,
        Node::Updated { .. }
        | Node::Remainder { .. }
        | Node::Together(_)
        | Node::Inside(_)
        | Node::RefersTo(_)
        | Node::ReferredToBy(_) => None,
    })
}

/// A stream that has all records that match, and others.
pub(super) fn covering<'s>(node: &Node, kind: Kind<'s>) -> Result<Stream<'s>, StoreError> {
    if let Node::All(nodes) = node {
        let (of, _) = positive(nodes, kind)?;
        return Ok(Stream::all(of, Vec::new(), kind));
    }
    if let Node::Any(nodes) = node {
        let each = nodes.iter().map(|node| covering(node, kind));
        return each.collect::<Result<_, _>>().map(Stream::Any);
    }
    Ok(exact(node, kind)?.unwrap_or_else(|| Stream::live(kind)))
}

/// The streams of those that have one and are no negation; the others.
fn positive<'n, 's>(
    nodes: &'n [Node],
    kind: Kind<'s>,
) -> Result<(Vec<Stream<'s>>, Vec<&'n Node>), StoreError> {
    let (mut of, mut rest) = (Vec::new(), Vec::new());
    for node in nodes {
        let stream = match node {
            Node::Not(_) => None,
            node => exact(node, kind)?,
        };
        match stream {
            Some(stream) => of.push(stream),
            None => rest.push(node),
        }
    }
    Ok((of, rest))
}

fn negative<'s>(node: &Node, kind: Kind<'s>) -> Result<Option<Stream<'s>>, StoreError> {
    match node {
        Node::Not(node) => exact(node, kind),
        _ => Ok(None),
    }
}

fn of_condition<'s>(
    condition: &Condition,
    kind: Kind<'s>,
) -> Result<Option<Stream<'s>>, StoreError> {
    if let Some(value) = condition.probe.value() {
        return Ok(Some(Stream::of_value(&condition.slot, value, kind.state)));
    }
    match &condition.probe {
        Probe::Nothing => Ok(Some(Stream::listed(Vec::new()))),
        Probe::Code(code) => of_code(&layout::code_postings(&condition.slot, code), kind.state),
        _ => Ok(None),
    }
}

/// One stream for each system that the code has.
fn of_code<'s>(code: &[u8], state: &'s Reads<'s>) -> Result<Option<Stream<'s>>, StoreError> {
    let mut streams = Vec::new();
    let mut span = Span::of_prefix(code.to_vec());
    while let Some(entry) = state.range(POSTINGS, span.bounds()).next() {
        let (key, _) = entry?;
        if streams.len() == SYSTEMS_MAX {
            return Ok(None);
        }
        let value = layout::value_of_posting(&key).to_vec();
        let Some(next) = after_prefix(&value) else {
            break;
        };
        streams.push(Stream::posted(value, state));
        span.from = next;
    }
    Ok(Some(Stream::Any(streams)))
}

impl<'s> Stream<'s> {
    pub(super) fn live(kind: Kind<'s>) -> Self {
        Self::posted(layout::live_postings(kind.space, kind.number), kind.state)
    }

    pub(super) fn of_value(slot: &[u8], value: &Stored, state: &'s Reads<'s>) -> Self {
        Self::posted(layout::value_postings(slot, value), state)
    }

    pub(super) fn posted(prefix: Vec<u8>, state: &'s Reads<'s>) -> Self {
        Self::Posted(Box::new(Posted {
            state,
            prefix,
            range: None,
            current: None,
            ended: false,
        }))
    }

    /// Rows that are in order.
    pub(super) fn listed(rows: Vec<Row>) -> Self {
        Self::Listed(rows.into_iter(), None)
    }

    /// The rows that both have.
    pub(super) fn both(one: Self, other: Self) -> Self {
        Self::All {
            of: vec![one, other],
            without: Vec::new(),
        }
    }

    /// Without any stream that says which, all live records.
    pub(super) fn all(mut of: Vec<Self>, without: Vec<Self>, kind: Kind<'s>) -> Self {
        if of.is_empty() {
            of.push(Self::live(kind));
        }
        if of.len() == 1 && without.is_empty() {
            of.remove(0)
        } else {
            Self::All { of, without }
        }
    }

    /// The first row that is not less than `from`; `from` never goes back.
    pub(super) fn seek(&mut self, from: Row) -> Result<Option<Row>, StoreError> {
        match self {
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
            Self::All { of, without } => {
                let mut from = from;
                while let Some(row) = seek_all(of, from)? {
                    if !has_any(without, row)? {
                        return Ok(Some(row));
                    }
                    from = Row(row.0 + 1);
                }
                Ok(None)
            }
            Self::Any(streams) => {
                let mut first = None;
                for stream in streams {
                    let row = stream.seek(from)?;
                    first = [first, row].into_iter().flatten().min();
                }
                Ok(first)
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

fn has_any(streams: &mut [Stream<'_>], row: Row) -> Result<bool, StoreError> {
    for stream in streams {
        if stream.seek(row)? == Some(row) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The postings of one value.
pub(super) struct Posted<'s> {
    state: &'s Reads<'s>,
    prefix: Vec<u8>,
    range: Option<Range<'s>>,
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
            Some(entry) => Some(layout::row_of_posting(&entry?.0)?),
        };
        Ok(self.current)
    }
}
