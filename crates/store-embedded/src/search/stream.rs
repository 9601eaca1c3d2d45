//! Streams: rows in ascending order that can skip ahead, straight from postings.

use std::rc::Rc;

use store::{Row, StoreError, TypeNumber};

use super::Kind;
use super::candidate::Checker;
use super::node::{Condition, Node, RefersTo};
use super::probe::{Probe, Span};
use super::reads::{Range, Reads, SEEK_STEPS};
use crate::codec::after_prefix;
use crate::layout::{self, POSTINGS, Stored};

/// Systems that one code is streamed from.
const SYSTEMS_MAX: usize = 16;

/// Records that others refer to, from which these are streamed, and what finding them may take.
const TARGETS_MAX: usize = 32;
const TARGETS_STEPS: u64 = 512;

/// Rows in ascending order.
pub(super) enum Stream<'s> {
    /// Those from there on.
    Listed(Rc<[Row]>, usize),
    Posted(Box<Posted<'s>>),
    All {
        of: Vec<Stream<'s>>,
        without: Vec<Stream<'s>>,
    },
    Any(Vec<Stream<'s>>),
}

/// The stream of exactly the records that match, where there is one.
pub(super) fn exact<'s>(
    checker: &Checker<'s>,
    node: &Node,
    number: TypeNumber,
) -> Result<Option<Stream<'s>>, StoreError> {
    let kind = checker.kind(number);
    Ok(match node {
        Node::All(nodes) => {
            let parted = Parted::new(checker, nodes, number)?;
            parted.others.is_empty().then(|| parted.stream(kind))
        }
        Node::Any(nodes) => {
            let streams = nodes.iter().map(|node| exact(checker, node, number));
            let streams: Option<Vec<_>> = streams.collect::<Result<_, _>>()?;
            streams.map(Stream::Any)
        }
        Node::Not(node) => {
            let without = exact(checker, node, number)?;
            without.map(|without| Stream::all(Vec::new(), vec![without], kind))
        }
        Node::Rows(rows) => Some(Stream::listed(rows.clone())),
        Node::Entry(condition) => of_condition(condition, kind)?,
        Node::RefersTo(refers) => of_targets(checker, refers, kind)?,
        Node::Updated { .. }
        | Node::Partition { .. }
        | Node::Together(_)
        | Node::Inside(_)
        | Node::Beside { .. }
        | Node::ReferredToBy(_) => None,
    })
}

/// A stream that has all records that match, and others.
pub(super) fn covering<'s>(
    checker: &Checker<'s>,
    node: &Node,
    number: TypeNumber,
) -> Result<Stream<'s>, StoreError> {
    let kind = checker.kind(number);
    Ok(match node {
        Node::All(nodes) => Parted::new(checker, nodes, number)?.stream(kind),
        Node::Any(nodes) => {
            let each = nodes.iter().map(|node| covering(checker, node, number));
            Stream::Any(each.collect::<Result<_, _>>()?)
        }
        Node::Together(members) => {
            let each = members.iter().map(|member| of_member(member, kind));
            let streams = each.collect::<Result<Vec<_>, _>>()?;
            Stream::all(streams.into_iter().flatten().collect(), Vec::new(), kind)
        }
        node => exact(checker, node, number)?.unwrap_or_else(|| Stream::live(kind)),
    })
}

/// Conditions that must all be met, by what streams say of them.
pub(super) struct Parted<'n, 's> {
    /// Of those that have one.
    pub(super) of: Vec<Stream<'s>>,
    /// Of what others negate.
    pub(super) without: Vec<Stream<'s>>,
    /// Those that the streams stand for.
    pub(super) streamed: Vec<&'n Node>,
    pub(super) others: Vec<&'n Node>,
}

impl<'n, 's> Parted<'n, 's> {
    pub(super) fn new(
        checker: &Checker<'s>,
        nodes: &'n [Node],
        number: TypeNumber,
    ) -> Result<Self, StoreError> {
        let mut parted = Self {
            of: Vec::new(),
            without: Vec::new(),
            streamed: Vec::new(),
            others: Vec::new(),
        };
        for node in nodes {
            let (asked, streams) = match node {
                Node::Not(negated) => (&**negated, &mut parted.without),
                node => (node, &mut parted.of),
            };
            match exact(checker, asked, number)? {
                Some(stream) => {
                    streams.push(stream);
                    parted.streamed.push(node);
                }
                None => parted.others.push(node),
            }
        }
        Ok(parted)
    }

    fn stream(self, kind: Kind<'s>) -> Stream<'s> {
        Stream::all(self.of, self.without, kind)
    }
}

fn of_member<'s>(member: &[Condition], kind: Kind<'s>) -> Result<Option<Stream<'s>>, StoreError> {
    let streams = member.iter().map(|it| of_condition(it, kind));
    let streams: Option<Vec<_>> = streams.collect::<Result<_, _>>()?;
    Ok(streams.map(Stream::Any))
}

/// What refers to records that match, if these are few and soon found.
fn of_targets<'s>(
    checker: &Checker<'s>,
    refers: &RefersTo,
    kind: Kind<'s>,
) -> Result<Option<Stream<'s>>, StoreError> {
    if refers.names.is_some() {
        return Ok(None);
    }
    let mut streams = Vec::new();
    for target in &refers.targets {
        let gather = || target.gathered(checker);
        let sets = &checker.sets;
        let known = sets.soon(checker.state, target.number, TARGETS_STEPS, gather)?;
        let Some(rows) = known else { return Ok(None) };
        for row in rows.iter() {
            if streams.len() == TARGETS_MAX {
                return Ok(None);
            }
            let value = Stored::Reference(kind.state.referent_of(*row)?);
            streams.push(Stream::of_value(&refers.slot.postings, &value, kind.state));
        }
    }
    Ok(Some(Stream::Any(streams)))
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
    pub(super) fn listed(rows: impl Into<Rc<[Row]>>) -> Self {
        Self::Listed(rows.into(), 0)
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

    /// All of them.
    pub(super) fn rows(mut self) -> Result<Vec<Row>, StoreError> {
        let (mut rows, mut from) = (Vec::new(), Row(0));
        while let Some(row) = self.seek(from)? {
            rows.push(row);
            from = Row(row.0.saturating_add(1));
        }
        Ok(rows)
    }

    /// How many there are.
    pub(super) fn count(mut self) -> Result<u64, StoreError> {
        let (mut count, mut from) = (0, Row(0));
        while let Some(row) = self.seek(from)? {
            count += 1;
            from = Row(row.0.saturating_add(1));
        }
        Ok(count)
    }

    /// The first row that is not less than `from`; `from` never goes back.
    pub(super) fn seek(&mut self, from: Row) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Listed(rows, at) => {
                *at += rows[*at..].partition_point(|row| *row < from);
                Ok(rows.get(*at).copied())
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
            for _ in 0..SEEK_STEPS {
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
