//! All rows that match a condition, from postings. It is given up where it takes more than what it
//! is worth ([`Reads::attempt`]).

use std::borrow::Cow;
use std::collections::BTreeSet;

use store::{Position, Row, StoreError, TypeNumber};

use super::candidate::{self, Candidate, Checker};
use super::node::{Condition, Node, ReferredToBy, RefersTo, Slot, Target, in_order, is_live};
use super::probe::{Span, Verdict};
use super::reads::{RECORD_STEPS, Reads, SEEK_STEPS};
use super::stream::{Parted, Stream};
use super::{Kind, references};
use crate::codec::after_prefix;
use crate::layout::{self, CHANGES, Changed, LEDGER, META, POSTINGS, State, Stored};

/// Rows in order; `None` where no postings say which.
type Gathered = Result<Option<Vec<Row>>, StoreError>;

/// Which rows are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Those that match.
    Matches,
    /// The same, and others that are no live records of the type: it will show that they are not.
    LiveOrNot,
    /// Those of which a part may match, and others: what is asked of one part is asked of the whole.
    Holders,
}

/// All rows that match: from conditions that can be gathered from, or where there is none, from all
/// live records if these are few.
pub(super) fn gather(
    checker: &Checker<'_>,
    node: &Node,
    kind: Kind<'_>,
    which: Wanted,
) -> Gathered {
    if let Some(rows) = wanted(checker, node, kind, which)? {
        return Ok(Some(rows));
    }
    if kind.live_count()? > checker.state.left() / RECORD_STEPS {
        return Ok(None);
    }
    let rows = Stream::live(kind).rows()?;
    only(checker, &[node], kind, rows).map(Some)
}

fn wanted(checker: &Checker<'_>, node: &Node, kind: Kind<'_>, which: Wanted) -> Gathered {
    match node {
        Node::All(nodes) if nodes.is_empty() => Stream::live(kind).rows().map(Some),
        Node::All(nodes) => all(checker, nodes, kind, which),
        Node::Any(nodes) => any(nodes.iter().map(|node| wanted(checker, node, kind, which))),
        Node::Rows(rows) => Ok(Some(rows.clone())),
        Node::Not(_) | Node::Partition { .. } | Node::Beside { .. } => Ok(None),
        Node::Updated { first, last } => updated(checker, kind, *first, *last),
        Node::Entry(condition) => posted(checker, condition, kind),
        Node::Together(members) => together(checker, node, members, kind),
        // A part has no parts.
        Node::Inside(_) if which == Wanted::Holders => Ok(Some(Vec::new())),
        Node::Inside(inner) => match wanted(checker, inner, kind, Wanted::Holders)? {
            Some(rows) => only(checker, &[node], kind, rows).map(Some),
            None => Ok(None),
        },
        Node::RefersTo(refers) => referring(checker, refers),
        Node::ReferredToBy(referred) => referred_to(checker, referred, kind, which),
    }
}

fn any(each: impl Iterator<Item = Gathered>) -> Gathered {
    let mut rows = Vec::new();
    for some in each {
        match some? {
            Some(some) => rows.extend(some),
            None => return Ok(None),
        }
    }
    Ok(Some(in_order(rows)))
}

/// What is gathered of some is intersected; on the rows that are left the others are checked.
fn all(checker: &Checker<'_>, nodes: &[Node], kind: Kind<'_>, which: Wanted) -> Gathered {
    let mut meeting = Meeting::new(checker.state);
    let (mut others, mut unmet): (Vec<&Node>, _) = (nodes.iter().collect(), Vec::new());
    if which != Wanted::Holders {
        let parted = Parted::new(checker, nodes, kind.number)?;
        if !parted.of.is_empty() {
            others = parted.others;
            let kind = checker.kind(kind.number);
            let stream = Stream::all(parted.of, parted.without, kind);
            if !meeting.join(1 + others.len(), || stream.rows().map(Some))? {
                unmet = parted.streamed;
            }
        }
    }
    for (at, node) in others.iter().enumerate() {
        if !meeting.join(others.len() - at, || wanted(checker, node, kind, which))? {
            unmet.push(*node);
        }
    }
    match meeting.rows {
        Some(rows) if which != Wanted::Holders => only(checker, &unmet, kind, rows).map(Some),
        rows => Ok(rows),
    }
}

/// Rows that several conditions have in common.
struct Meeting<'c, 's> {
    state: &'c Reads<'s>,
    rows: Option<Vec<Row>>,
}

impl<'c, 's> Meeting<'c, 's> {
    fn new(state: &'c Reads<'s>) -> Self {
        Self { state, rows: None }
    }

    /// Whether the rows of one more have been gathered, of so many that are still to come. Once
    /// there are some, gathering others is worth as much as checking these.
    fn join(
        &mut self,
        parts: usize,
        gather: impl FnOnce() -> Gathered,
    ) -> Result<bool, StoreError> {
        let share = self.state.left() / parts.max(1) as u64;
        let worth = |rows: &Vec<Row>| share.min(checks(rows.len() + 1));
        let steps = self.rows.as_ref().map_or(share, worth);
        let Some(more) = self.state.attempt(steps, gather)?.flatten() else {
            return Ok(false);
        };
        self.rows = Some(match self.rows.take() {
            Some(rows) => both(rows, &more),
            None => more,
        });
        Ok(true)
    }
}

/// What checking so many records takes.
pub(super) fn checks(records: usize) -> u64 {
    RECORD_STEPS * records as u64
}

/// Those of the rows that match all nodes.
fn only(
    checker: &Checker<'_>,
    nodes: &[&Node],
    kind: Kind<'_>,
    mut rows: Vec<Row>,
) -> Result<Vec<Row>, StoreError> {
    if nodes.is_empty() {
        return Ok(rows);
    }
    let mut failure = None;
    rows.retain(|row| {
        if failure.is_some() {
            return false;
        }
        let candidate = Candidate::following(kind.number, *row);
        let mut nodes = nodes.iter();
        let verdict = nodes.try_fold(true, |all, node| {
            Ok(all && checker.matches(node, &candidate)?)
        });
        verdict.unwrap_or_else(|error: StoreError| {
            failure = Some(error);
            false
        })
    });
    failure.map_or(Ok(rows), Err)
}

fn both(mut one: Vec<Row>, other: &[Row]) -> Vec<Row> {
    let mut other = other.iter().peekable();
    one.retain(|row| {
        while other.next_if(|it| *it < row).is_some() {}
        other.peek() == Some(&row)
    });
    one
}

/// Rows of the postings that pass.
fn posted(checker: &Checker<'_>, condition: &Condition, kind: Kind<'_>) -> Gathered {
    let (mut passed, mut asked) = (Vec::new(), Vec::new());
    for span in condition.probe.spans(&condition.slot) {
        let judge = |key: &[u8]| condition.probe.posted(key);
        let take = |row, verdict| match verdict {
            Verdict::Passes => passed.push(row),
            Verdict::Ask => asked.push(row),
            Verdict::Fails => {}
        };
        scan(checker.state, span, judge, take)?;
    }
    for row in in_order(asked) {
        let candidate = Candidate::following(kind.number, row);
        let indexed = candidate.indexed(checker)?;
        let passes = indexed.is_some_and(|it| {
            let mut entries = it.of(condition.parameter).iter();
            entries.any(|entry| condition.probe.passes(&entry.value))
        });
        passed.extend(passes.then_some(row));
    }
    Ok(Some(in_order(passed)))
}

/// Reads the postings of a span; what fails is skipped by whole values.
fn scan(
    state: &Reads<'_>,
    mut span: Span,
    judge: impl Fn(&[u8]) -> Result<Verdict, StoreError>,
    mut take: impl FnMut(Row, Verdict),
) -> Result<(), StoreError> {
    let mut range = state.range(POSTINGS, span.bounds());
    let (mut value, mut verdict, mut steps) = (Vec::new(), Verdict::Fails, 0);
    while let Some(entry) = range.next() {
        let (key, _) = entry?;
        let this = layout::value_of_posting(&key);
        if this == value {
            steps += 1;
        } else {
            verdict = judge(&key)?;
            value.clear();
            value.extend_from_slice(this);
            steps = 0;
        }
        if verdict != Verdict::Fails {
            take(layout::row_of_posting(&key)?, verdict);
        } else if steps == SEEK_STEPS {
            let Some(next) = after_prefix(&value) else {
                return Ok(());
            };
            span.from = next;
            range = state.range(POSTINGS, span.bounds());
        }
    }
    Ok(())
}

/// Rows that have a value by which they can be sorted, from these spans.
pub(super) fn valued(
    state: &Reads<'_>,
    spans: impl Iterator<Item = Span>,
) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for span in spans {
        let judge = |_: &[u8]| Ok(Verdict::Passes);
        scan(state, span, judge, |row, _| rows.push(row))?;
    }
    Ok(in_order(rows))
}

/// Records that pass all members, checked for whether they do so together.
fn together(
    checker: &Checker<'_>,
    node: &Node,
    members: &[Vec<Condition>],
    kind: Kind<'_>,
) -> Gathered {
    let mut meeting = Meeting::new(checker.state);
    for (at, member) in members.iter().enumerate() {
        let each = member.iter().map(|it| posted(checker, it, kind));
        meeting.join(members.len() - at, || any(each))?;
    }
    match meeting.rows {
        Some(rows) => only(checker, &[node], kind, rows).map(Some),
        None => Ok(None),
    }
}

impl Target {
    /// The records that match.
    pub(super) fn gathered(&self, checker: &Checker<'_>) -> Gathered {
        gather(
            checker,
            &self.node,
            checker.kind(self.kind),
            Wanted::Matches,
        )
    }
}

fn referring(checker: &Checker<'_>, refers: &RefersTo) -> Gathered {
    let mut rows = Vec::new();
    for target in &refers.targets {
        let targets = checker
            .sets
            .get(target.number, || target.gathered(checker))?;
        let Some(targets) = targets else {
            return Ok(None);
        };
        rows.extend(references::to(checker.state, &refers.slot, &targets)?);
        if let Some((given, own)) = refers.names.as_ref().zip(target.names.as_ref()) {
            let names = named(checker, target.kind, &targets, own)?;
            rows.extend(having(checker, given, names)?);
        }
    }
    Ok(Some(in_order(rows)))
}

/// The rows that have one of these values in a slot.
fn having(
    checker: &Checker<'_>,
    slot: &Slot,
    values: BTreeSet<Stored>,
) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::new();
    for value in values {
        rows.extend(Stream::of_value(&slot.postings, &value, checker.state).rows()?);
    }
    Ok(rows)
}

/// The names that these records have in a slot, each once.
fn named(
    checker: &Checker<'_>,
    kind: TypeNumber,
    rows: &[Row],
    slot: &Slot,
) -> Result<BTreeSet<Stored>, StoreError> {
    let mut names = BTreeSet::new();
    for row in rows {
        let candidate = Candidate::following(kind, *row);
        if let Some(indexed) = candidate.indexed(checker)? {
            names.extend(candidate::names(indexed, slot, None).cloned());
        }
    }
    Ok(names)
}

fn referred_to(
    checker: &Checker<'_>,
    referred: &ReferredToBy,
    kind: Kind<'_>,
    which: Wanted,
) -> Gathered {
    // Only live records have references.
    let sources = checker.sets.get(referred.number, || {
        let kind = checker.kind(referred.kind);
        gather(checker, &referred.filter, kind, Wanted::LiveOrNot)
    })?;
    let Some(sources) = sources else {
        return Ok(None);
    };
    let mut rows = targets(checker, referred, &sources)?;
    if which != Wanted::LiveOrNot {
        rows = live(kind, rows)?;
    }
    if let Some(by) = &referred.names {
        let sources = live_sources(checker, referred, &sources)?;
        let names = named(checker, referred.kind, &sources, &by.given)?;
        rows.extend(having(checker, &by.own, names)?);
    }
    Ok(Some(in_order(rows)))
}

/// Those that are live records of their type, so that their entries are what they refer by.
fn live_sources<'r>(
    checker: &Checker<'_>,
    referred: &ReferredToBy,
    sources: &'r [Row],
) -> Result<Cow<'r, [Row]>, StoreError> {
    if referred.filter.finds_referred() {
        let kind = checker.kind(referred.kind);
        return live(kind, sources.to_vec()).map(Cow::Owned);
    }
    Ok(Cow::Borrowed(sources))
}

/// What these records refer to, live or not: from all references there are, unless looking at each
/// of the records takes less.
fn targets(
    checker: &Checker<'_>,
    referred: &ReferredToBy,
    sources: &[Row],
) -> Result<Vec<Row>, StoreError> {
    let state = checker.state;
    let all = || references::from(state, &referred.slot, sources);
    if let Some(targets) = state.attempt(checks(sources.len()) / 2, all)? {
        return Ok(targets);
    }
    let mut targets = Vec::new();
    for source in live_sources(checker, referred, sources)?.iter() {
        let source = Candidate::following(referred.kind, *source);
        let Some(indexed) = source.indexed(checker)? else {
            continue;
        };
        for entry in indexed.of(referred.slot.parameter) {
            if let Stored::Reference(referent) = entry.value {
                targets.push(state.row_of(referent)?);
            }
        }
    }
    Ok(in_order(targets))
}

/// Those of the rows that are live records of the type.
fn live(kind: Kind<'_>, rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
    if checks(rows.len()) > kind.live_count()? {
        return Stream::both(Stream::listed(rows), Stream::live(kind)).rows();
    }
    let mut live = Vec::with_capacity(rows.len());
    for row in rows {
        if is_live(kind, row)? {
            live.push(row);
        }
    }
    Ok(live)
}

/// Newest versions among the changes of that time.
fn updated(checker: &Checker<'_>, kind: Kind<'_>, first: i64, last: i64) -> Gathered {
    let list = layout::kind_changes(kind.space, kind.number);
    let from = layout::change_key(&list, first_position(kind.state, first)?);
    let to = layout::change_key(&list, Position(u64::MAX));
    let mut rows = Vec::new();
    for entry in kind.state.range(CHANGES, from..=to) {
        let (key, value) = entry?;
        let row = Changed::decode(&value)?.row;
        let candidate = Candidate::new(kind.number, row);
        let Some(version) = candidate.version(checker)? else {
            continue;
        };
        if version.position != layout::position_of_change(&key)? {
            continue;
        }
        if version.time.0 > last {
            break;
        }
        if version.operation != store::Operation::Delete {
            rows.push(row);
        }
    }
    Ok(Some(in_order(rows)))
}

/// The position of the first ledger entry at or after this instant; the one after the last if none.
pub(super) fn first_position(state: &Reads<'_>, instant: i64) -> Result<Position, StoreError> {
    let newest = state.get(META, layout::STATE)?;
    let newest = newest.map_or(Ok(State::default()), |bytes| State::decode(&bytes))?;
    let (mut low, mut high) = (1, newest.position.0 + 1);
    while low < high {
        let middle = Position(low + (high - low) / 2);
        let entry = state.get(LEDGER, &layout::ledger_key(middle));
        let missing = || StoreError::Corrupt(format!("ledger entry {} is missing", middle.0));
        let entry = entry?.ok_or_else(missing)?;
        if layout::decode_ledger(middle, &entry)?.time.0 < instant {
            low = middle.0 + 1;
        } else {
            high = middle.0;
        }
    }
    Ok(Position(low))
}
