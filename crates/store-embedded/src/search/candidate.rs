//! One record, looked at: its entries, read once, tested against everything that is asked of it.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use bytes::Bytes;
use search::entry::part_of;
use store::{ParameterNumber, RecordId, Row, Space, StoreError, TypeNumber};

use super::Kind;
use super::nearby::Nearby;
use super::node::{Condition, Node, ReferredToBy, RefersTo, Slot};
use super::reads::Reads;
use super::sets::Sets;
use super::stream::{self, Stream};
use crate::layout::{self, BODIES, ENTRIES, Indexed, IndexedEntry, Stored, Version};

/// Verdicts on other records that one search remembers.
const REMEMBERED_MAX: usize = 1 << 20;

/// Where more records than this refer to one, those that match are not looked for among them one by
/// one, if there are postings that say which these are.
const SOURCES_CHECKED: usize = 4;

/// What one search reads with, and what it has found out.
pub(super) struct Checker<'s> {
    pub(super) state: &'s Reads<'s>,
    pub(super) space: Space,
    /// The slots that are asked about; `None` for all.
    slots: Option<Vec<ParameterNumber>>,
    /// Where the candidates that follow each other are.
    nearby: RefCell<Nearby<'s>>,
    /// By the number of the condition that asked.
    verdicts: RefCell<HashMap<(usize, Row), bool>>,
    pub(super) sets: Sets,
}

/// A record that may match.
pub(super) struct Candidate {
    pub(super) kind: TypeNumber,
    pub(super) row: Row,
    following: bool,
    indexed: OnceCell<Option<Indexed>>,
    version: OnceCell<Option<Version>>,
}

impl Candidate {
    pub(super) fn new(kind: TypeNumber, row: Row) -> Self {
        Self {
            kind,
            row,
            following: false,
            indexed: OnceCell::new(),
            version: OnceCell::new(),
        }
    }

    /// One of many that are looked at in the order of their rows.
    pub(super) fn following(kind: TypeNumber, row: Row) -> Self {
        Self {
            following: true,
            ..Self::new(kind, row)
        }
    }

    /// Its entries of the slots that are asked about; `None` if it is not live.
    pub(super) fn indexed(&self, checker: &Checker<'_>) -> Result<Option<&Indexed>, StoreError> {
        if let Some(indexed) = self.indexed.get() {
            return Ok(indexed.as_ref());
        }
        let bytes = if self.following {
            let mut nearby = checker.nearby.borrow_mut();
            nearby.entries(checker.state, self.row)?
        } else {
            checker.state.get(ENTRIES, &layout::row_key(self.row))?
        };
        checker.state.decode()?;
        let decode = |bytes: Bytes| match &checker.slots {
            Some(slots) => Indexed::decode_some(&bytes, slots),
            None => Indexed::decode(&bytes),
        };
        let indexed = bytes.map(decode).transpose()?;
        Ok(self.indexed.get_or_init(|| indexed).as_ref())
    }

    /// Its newest version.
    pub(super) fn version(&self, checker: &Checker<'_>) -> Result<Option<&Version>, StoreError> {
        if let Some(version) = self.version.get() {
            return Ok(version.as_ref());
        }
        let key = layout::body_key(checker.space, self.kind, self.row);
        let bytes = checker.state.get(BODIES, &key)?;
        let version = bytes.map(|bytes| Version::decode(&bytes)).transpose()?;
        Ok(self.version.get_or_init(|| version).as_ref())
    }
}

impl<'s> Checker<'s> {
    pub(super) fn new(
        state: &'s Reads<'s>,
        space: Space,
        slots: Option<Vec<ParameterNumber>>,
    ) -> Self {
        Self {
            state,
            space,
            slots,
            nearby: RefCell::default(),
            verdicts: RefCell::default(),
            sets: Sets::default(),
        }
    }

    pub(super) fn kind(&self, kind: TypeNumber) -> Kind<'s> {
        Kind {
            state: self.state,
            space: self.space,
            number: kind,
        }
    }

    /// The type of a row of this space, whether or not there is a live record.
    pub(super) fn kind_of(&self, row: Row) -> Result<Option<TypeNumber>, StoreError> {
        let key = self
            .state
            .key_of(row)?
            .filter(|key| key.space == self.space);
        Ok(key.map(|key| key.kind))
    }

    pub(super) fn matches(&self, node: &Node, candidate: &Candidate) -> Result<bool, StoreError> {
        self.holds(node, candidate, None)
    }

    /// Whether it matches: of its entries, perhaps those of one part alone.
    fn holds(
        &self,
        node: &Node,
        candidate: &Candidate,
        part: Option<u32>,
    ) -> Result<bool, StoreError> {
        self.state.test()?;
        Ok(match node {
            Node::All(nodes) => {
                for node in nodes {
                    if !self.holds(node, candidate, part)? {
                        return Ok(false);
                    }
                }
                true
            }
            Node::Any(nodes) => {
                for node in nodes {
                    if self.holds(node, candidate, part)? {
                        return Ok(true);
                    }
                }
                false
            }
            Node::Not(node) => !self.holds(node, candidate, part)?,
            Node::Rows(rows) => rows.binary_search(&candidate.row).is_ok(),
            Node::Partition { part, of } => {
                let key = self.state.key_of(candidate.row)?;
                key.is_some_and(|key| RecordId::part(&key.id.0, *of) == *part)
            }
            Node::Updated { first, last } => {
                let version = candidate.version(self)?;
                version.is_some_and(|it| (*first..=*last).contains(&it.time.0))
            }
            Node::Entry(condition) => candidate
                .indexed(self)?
                .is_some_and(|it| has(it, condition, part)),
            Node::Together(members) => candidate
                .indexed(self)?
                .is_some_and(|it| together(it, members, part)),
            Node::Inside(node) => part.is_none() && self.is_inside(node, candidate)?,
            Node::Beside { slot, node } => match part {
                Some(part) => self.is_beside(*slot, node, candidate, part)?,
                None => false,
            },
            Node::RefersTo(refers) => self.refers(refers, candidate, part)?,
            Node::ReferredToBy(referred) => self.is_referred_to(referred, candidate, part)?,
        })
    }

    fn is_inside(&self, node: &Node, candidate: &Candidate) -> Result<bool, StoreError> {
        let Some(indexed) = candidate.indexed(self)? else {
            return Ok(false);
        };
        for part in indexed.parts() {
            if self.holds(node, candidate, Some(part))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_beside(
        &self,
        slot: ParameterNumber,
        node: &Node,
        candidate: &Candidate,
        part: u32,
    ) -> Result<bool, StoreError> {
        let Some(indexed) = candidate.indexed(self)? else {
            return Ok(false);
        };
        let named = Stored::named_part(part);
        let others = indexed.of(slot).iter().filter(|it| it.value == named);
        for other in others.map(|it| part_of(it.group)).filter(|it| *it > 0) {
            if self.holds(node, candidate, Some(other))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn refers(
        &self,
        refers: &RefersTo,
        candidate: &Candidate,
        part: Option<u32>,
    ) -> Result<bool, StoreError> {
        let Some(indexed) = candidate.indexed(self)? else {
            return Ok(false);
        };
        let is_target = |row| self.remembered(refers.number, row, || self.is_target(refers, row));
        for entry in own(indexed, refers.slot.parameter, part) {
            let Stored::Reference(referent) = entry.value else {
                continue;
            };
            if is_target(self.state.row_of(referent)?)? {
                return Ok(true);
            }
        }
        let Some(given) = &refers.names else {
            return Ok(false);
        };
        for name in names(indexed, given, part) {
            for own in refers.targets.iter().filter_map(|it| it.names.as_ref()) {
                let named = Stream::of_value(&own.postings, name, self.state);
                if any(named, is_target)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn is_target(&self, refers: &RefersTo, row: Row) -> Result<bool, StoreError> {
        let known = refers.targets.iter();
        let known = known.map(|target| self.sets.known(target.number));
        if let Some(sets) = known.collect::<Option<Vec<_>>>() {
            return Ok(sets.iter().any(|rows| rows.binary_search(&row).is_ok()));
        }
        let Some(kind) = self.kind_of(row)? else {
            return Ok(false);
        };
        let target = Candidate::new(kind, row);
        if target.indexed(self)?.is_none() {
            return Ok(false);
        }
        for wanted in refers.targets.iter().filter(|it| it.kind == kind) {
            if self.matches(&wanted.node, &target)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_referred_to(
        &self,
        referred: &ReferredToBy,
        candidate: &Candidate,
        part: Option<u32>,
    ) -> Result<bool, StoreError> {
        let target = Stored::Reference(self.state.referent_of(candidate.row)?);
        let sources = Stream::of_value(&referred.slot.postings, &target, self.state);
        if self.any_source(referred, sources)? {
            return Ok(true);
        }
        let Some((by, indexed)) = referred.names.as_ref().zip(candidate.indexed(self)?) else {
            return Ok(false);
        };
        for name in names(indexed, &by.own, part) {
            let sources = Stream::of_value(&by.given.postings, name, self.state);
            if self.any_source(referred, sources)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of the records matches that refer.
    fn any_source(
        &self,
        referred: &ReferredToBy,
        mut sources: Stream<'s>,
    ) -> Result<bool, StoreError> {
        if let Some(known) = self.sets.known(referred.number) {
            let matching = Stream::listed(known);
            return Ok(Stream::both(matching, sources).seek(Row(0))?.is_some());
        }
        let mut from = Row(0);
        let mut checked = 0;
        while let Some(row) = sources.seek(from)? {
            if checked == SOURCES_CHECKED
                && let Some(matching) = stream::exact(self, &referred.filter, referred.kind)?
            {
                return Ok(Stream::both(sources, matching).seek(row)?.is_some());
            }
            checked += 1;
            let judge = || self.matches(&referred.filter, &Candidate::new(referred.kind, row));
            if self.remembered(referred.number, row, judge)? {
                return Ok(true);
            }
            from = Row(row.0 + 1);
        }
        Ok(false)
    }

    fn remembered(
        &self,
        number: usize,
        row: Row,
        judge: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        if let Some(verdict) = self.verdicts.borrow().get(&(number, row)) {
            return Ok(*verdict);
        }
        let verdict = judge()?;
        let mut verdicts = self.verdicts.borrow_mut();
        if verdicts.len() >= REMEMBERED_MAX {
            verdicts.clear();
        }
        verdicts.insert((number, row), verdict);
        Ok(verdict)
    }
}

/// Whether one of the rows passes.
fn any(
    mut rows: Stream<'_>,
    passes: impl Fn(Row) -> Result<bool, StoreError>,
) -> Result<bool, StoreError> {
    let mut from = Row(0);
    while let Some(row) = rows.seek(from)? {
        if passes(row)? {
            return Ok(true);
        }
        from = Row(row.0 + 1);
    }
    Ok(false)
}

/// The names in a slot.
pub(super) fn names<'i>(
    indexed: &'i Indexed,
    slot: &Slot,
    part: Option<u32>,
) -> impl Iterator<Item = &'i Stored> + use<'i> {
    let values = own(indexed, slot.parameter, part).map(|it| &it.value);
    values.filter(|it| matches!(it, Stored::Uri(_)))
}

/// The entries of a slot, perhaps those of one part alone.
fn own(
    indexed: &Indexed,
    parameter: ParameterNumber,
    part: Option<u32>,
) -> impl Iterator<Item = &IndexedEntry> {
    let entries = indexed.of(parameter).iter();
    entries.filter(move |it| part.is_none_or(|part| part == part_of(it.group)))
}

fn has(indexed: &Indexed, condition: &Condition, part: Option<u32>) -> bool {
    passing(indexed, condition, part).next().is_some()
}

fn passing<'i>(
    indexed: &'i Indexed,
    condition: &'i Condition,
    part: Option<u32>,
) -> impl Iterator<Item = &'i IndexedEntry> {
    let entries = own(indexed, condition.parameter, part);
    entries.filter(|entry| condition.probe.passes(&entry.value))
}

/// Whether there is a group in which every member has an entry; without members any group does.
fn together(indexed: &Indexed, members: &[Vec<Condition>], part: Option<u32>) -> bool {
    let groups = |member: &[Condition]| -> Vec<u32> {
        let entries = member.iter().flat_map(|it| passing(indexed, it, part));
        entries.map(|entry| entry.group).collect()
    };
    let Some((first, rest)) = members.split_first() else {
        let mut entries = indexed.entries().iter();
        return entries.any(|it| part.is_none_or(|part| part == part_of(it.group)));
    };
    let mut left = groups(first);
    for member in rest {
        let there = groups(member);
        left.retain(|group| there.contains(group));
    }
    !left.is_empty()
}
