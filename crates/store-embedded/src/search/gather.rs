//! All rows that match a condition, from postings, if they are few enough.

use std::collections::BTreeSet;

use store::{Position, Row, StoreError};

use super::candidate::{self, Candidate, Checker};
use super::node::{Condition, Node, ReferredToBy, RefersTo, Slot, in_order, is_live};
use super::probe::{Span, Verdict};
use super::reads::Reads;
use super::stream::Stream;
use super::{CHECK_COST, Kind};
use crate::codec::after_prefix;
use crate::layout::{self, CHANGES, Changed, LEDGER, META, POSTINGS, State, Stored};

/// Postings of a value that fails that are stepped over before its end is looked for.
const STEPS_MAX: usize = 16;

/// Postings that may still be read.
pub(super) struct Budget(pub(super) u64);

impl Budget {
    /// `None` once it is used up.
    pub(super) fn spend(&mut self, cost: u64) -> Option<()> {
        self.0 = self.0.checked_sub(cost)?;
        Some(())
    }
}

/// Rows in order, or `None` where the budget did not suffice.
type Gathered = Result<Option<Vec<Row>>, StoreError>;

/// As [`gather`], and where no condition can be gathered from, all live records if these are few.
pub(super) fn small(
    checker: &Checker<'_>,
    node: &Node,
    kind: Kind<'_>,
    budget: &mut Budget,
) -> Gathered {
    let given = budget.0;
    if let Some(rows) = gather(checker, node, kind, budget)? {
        return Ok(Some(rows));
    }
    if kind.live_count()? > given / CHECK_COST {
        return Ok(None);
    }
    budget.0 = given;
    match all_of(Stream::live(kind), budget)? {
        Some(rows) => only(checker, &[node], kind, rows).map(Some),
        None => Ok(None),
    }
}

/// All rows that match.
pub(super) fn gather(
    checker: &Checker<'_>,
    node: &Node,
    kind: Kind<'_>,
    budget: &mut Budget,
) -> Gathered {
    match node {
        Node::All(nodes) if nodes.is_empty() => all_of(Stream::live(kind), budget),
        Node::All(nodes) => gather_all(checker, nodes, kind, budget),
        Node::Any(nodes) => {
            let mut rows = Vec::new();
            for node in nodes {
                match gather(checker, node, kind, budget)? {
                    Some(more) => rows.extend(more),
                    None => return Ok(None),
                }
            }
            Ok(Some(in_order(rows)))
        }
        Node::Rows(rows) => Ok(Some(rows.clone())),
        Node::Not(_) | Node::Remainder { .. } => Ok(None),
        Node::Updated { first, last } => updated(checker, kind, *first, *last, budget),
        Node::Entry(condition) => posted(checker, condition, kind, budget),
        Node::Together(members) => together(checker, node, members, kind, budget),
        Node::Inside(inner) => match covering(checker, inner, kind, budget)? {
            Some(rows) => only(checker, &[node], kind, rows).map(Some),
            None => Ok(None),
        },
        Node::RefersTo(refers) => referring(checker, refers, budget),
        Node::ReferredToBy(referred) => referred_to(checker, referred, kind, budget),
    }
}

/// All rows of which a part may match, and others: what is asked of one part is asked of the whole.
fn covering(checker: &Checker<'_>, node: &Node, kind: Kind<'_>, budget: &mut Budget) -> Gathered {
    match node {
        Node::All(nodes) => covering_all(checker, nodes, kind, budget),
        Node::Any(nodes) => {
            let mut rows = Vec::new();
            for node in nodes {
                match covering(checker, node, kind, budget)? {
                    Some(more) => rows.extend(more),
                    None => return Ok(None),
                }
            }
            Ok(Some(in_order(rows)))
        }
        // A part has no parts.
        Node::Inside(_) => Ok(Some(Vec::new())),
        node => gather(checker, node, kind, budget),
    }
}

/// Until nothing is left, or for no more than checking what is left would cost.
fn covering_all(
    checker: &Checker<'_>,
    nodes: &[Node],
    kind: Kind<'_>,
    budget: &mut Budget,
) -> Gathered {
    let given = budget.0;
    let mut found: Option<Vec<Row>> = None;
    for node in nodes {
        let worth = |rows: &Vec<Row>| given.min(CHECK_COST * (rows.len() as u64 + 1));
        let mut own = Budget(found.as_ref().map_or(given, worth));
        if let Some(rows) = covering(checker, node, kind, &mut own)? {
            found = Some(found.map_or_else(|| rows.clone(), |it| both(it, &rows)));
        }
        if found.as_ref().is_some_and(Vec::is_empty) {
            break;
        }
    }
    let checks = found.as_ref().map_or(0, |it| CHECK_COST * it.len() as u64);
    if budget.spend(checks).is_none() {
        return Ok(None);
    }
    Ok(found)
}

fn all_of(mut stream: Stream<'_>, budget: &mut Budget) -> Gathered {
    let (mut rows, mut from) = (Vec::new(), Row(0));
    while let Some(row) = stream.seek(from)? {
        if budget.spend(1).is_none() {
            return Ok(None);
        }
        rows.push(row);
        from = Row(row.0 + 1);
    }
    Ok(Some(rows))
}

/// Those of the rows that match all nodes.
fn only(
    checker: &Checker<'_>,
    nodes: &[&Node],
    kind: Kind<'_>,
    mut rows: Vec<Row>,
) -> Result<Vec<Row>, StoreError> {
    let mut failure = None;
    rows.retain(|row| {
        let candidate = Candidate::following(kind.number, *row);
        let mut nodes = nodes.iter();
        let verdict = nodes.try_fold(true, |all, node| {
            Ok(all && checker.matches(node, &candidate)?)
        });
        verdict.unwrap_or_else(|error: StoreError| {
            failure.get_or_insert(error);
            false
        })
    });
    failure.map_or(Ok(rows), Err)
}

/// What is gathered of some is intersected; on the rows that are left the others are checked.
fn gather_all(
    checker: &Checker<'_>,
    nodes: &[Node],
    kind: Kind<'_>,
    budget: &mut Budget,
) -> Gathered {
    let given = budget.0;
    let mut found: Option<Vec<Row>> = None;
    let mut rest = Vec::new();
    for node in nodes {
        // Reading another list of postings is worth as much as checking those already found.
        let worth = |rows: &Vec<Row>| given.min(CHECK_COST * (rows.len() as u64 + 1));
        let mut own = Budget(found.as_ref().map_or(given, worth));
        match gather(checker, node, kind, &mut own)? {
            Some(rows) => found = Some(found.map_or_else(|| rows.clone(), |it| both(it, &rows))),
            None => rest.push(node),
        }
    }
    let Some(found) = found else { return Ok(None) };
    budget.0 = budget.0.saturating_sub(found.len() as u64);
    only(checker, &rest, kind, found).map(Some)
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
fn posted(
    checker: &Checker<'_>,
    condition: &Condition,
    kind: Kind<'_>,
    budget: &mut Budget,
) -> Gathered {
    let (mut passed, mut asked) = (Vec::new(), Vec::new());
    for span in condition.probe.spans(&condition.slot) {
        let judge = |key: &[u8]| condition.probe.posted(key);
        let take = |row, verdict| match verdict {
            Verdict::Passes => passed.push(row),
            Verdict::Ask => asked.push(row),
            Verdict::Fails => {}
        };
        if scan(checker.state, span, budget, judge, take)?.is_none() {
            return Ok(None);
        }
    }
    for row in in_order(asked) {
        if budget.spend(CHECK_COST).is_none() {
            return Ok(None);
        }
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

/// Reads the postings of a span; what fails is skipped by whole values. `None` where the budget did
/// not suffice.
fn scan(
    state: &Reads<'_>,
    mut span: Span,
    budget: &mut Budget,
    judge: impl Fn(&[u8]) -> Result<Verdict, StoreError>,
    mut take: impl FnMut(Row, Verdict),
) -> Result<Option<()>, StoreError> {
    let mut range = state.range(POSTINGS, span.bounds());
    let (mut value, mut verdict, mut steps) = (Vec::new(), Verdict::Fails, 0);
    while let Some(entry) = range.next() {
        let (key, _) = entry?;
        if budget.spend(1).is_none() {
            return Ok(None);
        }
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
        } else if steps == STEPS_MAX {
            let Some(next) = after_prefix(&value) else {
                return Ok(Some(()));
            };
            span.from = next;
            range = state.range(POSTINGS, span.bounds());
        }
    }
    Ok(Some(()))
}

/// Rows that have a value by which they can be sorted, from these spans.
pub(super) fn valued(
    state: &Reads<'_>,
    spans: impl Iterator<Item = Span>,
    budget: &mut Budget,
) -> Gathered {
    let mut rows = Vec::new();
    for span in spans {
        let judge = |_: &[u8]| Ok(Verdict::Passes);
        if scan(state, span, budget, judge, |row, _| rows.push(row))?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(in_order(rows)))
}

/// Records that pass one member, whichever gives fewest, checked for the others.
fn together(
    checker: &Checker<'_>,
    node: &Node,
    members: &[Vec<Condition>],
    kind: Kind<'_>,
    budget: &mut Budget,
) -> Gathered {
    let given = budget.0;
    let mut found: Option<Vec<Row>> = None;
    for member in members {
        let mut own = Budget(
            found
                .as_ref()
                .map_or(given, |it| given.min(it.len() as u64)),
        );
        let mut rows = Some(Vec::new());
        for condition in member {
            let more = posted(checker, condition, kind, &mut own)?;
            rows = rows.zip(more).map(|(mut rows, more)| {
                rows.extend(more);
                rows
            });
        }
        if let Some(rows) = rows.map(in_order) {
            found = Some(found.map_or_else(|| rows.clone(), |it| both(it, &rows)));
        }
    }
    let Some(found) = found else { return Ok(None) };
    budget.0 = budget.0.saturating_sub(found.len() as u64);
    only(checker, &[node], kind, found).map(Some)
}

fn referring(checker: &Checker<'_>, refers: &RefersTo, budget: &mut Budget) -> Gathered {
    let mut rows = Vec::new();
    for target in &refers.targets {
        let kind = checker.kind(target.kind);
        let Some(targets) = small(checker, &target.node, kind, budget)? else {
            return Ok(None);
        };
        let slot = &refers.slot.postings;
        let values = targets.iter().map(|it| Stored::Reference(*it));
        if post(checker, slot, values, &mut rows, budget)?.is_none() {
            return Ok(None);
        }
        let Some((given, own)) = refers.names.as_ref().zip(target.names.as_ref()) else {
            continue;
        };
        let Some(names) = named(checker, target.kind, &targets, own, budget)? else {
            return Ok(None);
        };
        if post(checker, &given.postings, names, &mut rows, budget)?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(in_order(rows)))
}

/// Adds the rows that have one of these values in a slot. `None` where the budget did not suffice.
fn post(
    checker: &Checker<'_>,
    slot: &[u8],
    values: impl IntoIterator<Item = Stored>,
    rows: &mut Vec<Row>,
    budget: &mut Budget,
) -> Result<Option<()>, StoreError> {
    for value in values {
        // Opening the postings of one value costs about as much as a check.
        if budget.spend(CHECK_COST).is_none() {
            return Ok(None);
        }
        match all_of(Stream::of_value(slot, &value, checker.state), budget)? {
            Some(found) => rows.extend(found),
            None => return Ok(None),
        }
    }
    Ok(Some(()))
}

/// The names that these records have in a slot, each once. `None` where the budget did not suffice.
fn named(
    checker: &Checker<'_>,
    kind: store::TypeNumber,
    rows: &[Row],
    slot: &Slot,
    budget: &mut Budget,
) -> Result<Option<BTreeSet<Stored>>, StoreError> {
    let mut names = BTreeSet::new();
    for row in rows {
        if budget.spend(CHECK_COST).is_none() {
            return Ok(None);
        }
        let candidate = Candidate::new(kind, *row);
        if let Some(indexed) = candidate.indexed(checker)? {
            names.extend(candidate::names(indexed, slot, None).cloned());
        }
    }
    Ok(Some(names))
}

fn referred_to(
    checker: &Checker<'_>,
    referred: &ReferredToBy,
    kind: Kind<'_>,
    budget: &mut Budget,
) -> Gathered {
    let sources = small(
        checker,
        &referred.filter,
        checker.kind(referred.kind),
        budget,
    )?;
    let Some(sources) = sources else {
        return Ok(None);
    };
    let (mut targets, mut names) = (BTreeSet::new(), BTreeSet::new());
    for source in sources {
        if budget.spend(CHECK_COST).is_none() {
            return Ok(None);
        }
        let source = Candidate::following(referred.kind, source);
        let Some(indexed) = source.indexed(checker)? else {
            continue;
        };
        targets.extend(
            indexed
                .of(referred.slot.parameter)
                .iter()
                .filter_map(|entry| match entry.value {
                    Stored::Reference(row) => Some(row),
                    _ => None,
                }),
        );
        if let Some(by) = &referred.names {
            names.extend(candidate::names(indexed, &by.given, None).cloned());
        }
    }
    let mut rows = Vec::with_capacity(targets.len());
    if let Some(by) = &referred.names
        && post(checker, &by.own.postings, names, &mut rows, budget)?.is_none()
    {
        return Ok(None);
    }
    for row in targets {
        if budget.spend(CHECK_COST).is_none() {
            return Ok(None);
        }
        if is_live(kind, row)? {
            rows.push(row);
        }
    }
    Ok(Some(in_order(rows)))
}

/// Newest versions among the changes of that time.
fn updated(
    checker: &Checker<'_>,
    kind: Kind<'_>,
    first: i64,
    last: i64,
    budget: &mut Budget,
) -> Gathered {
    let list = layout::kind_changes(kind.space, kind.number);
    let from = layout::change_key(&list, first_position(kind.state, first)?);
    let to = layout::change_key(&list, Position(u64::MAX));
    let mut rows = Vec::new();
    for entry in kind.state.range(CHANGES, from..=to) {
        if budget.spend(CHECK_COST).is_none() {
            return Ok(None);
        }
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
