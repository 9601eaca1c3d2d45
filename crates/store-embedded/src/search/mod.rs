//! Plans, executed over one state of a tenant.
//!
//! No statistics say beforehand how many records a condition finds. So two ways are tried in turn,
//! each with a budget that grows: going through the records in the wanted order and checking each
//! ([`stream`], [`walk`]), and gathering all that match from the postings of the condition that has
//! the fewest ([`gather`]). Whichever ends first gives the answer; the other has cost about as much.
//! What both spend is what they read ([`Reads::attempt`]); what they learn of other records on the
//! way is kept ([`sets`]).

mod candidate;
mod explain;
mod gather;
mod nearby;
mod node;
mod page;
mod probe;
mod rank;
mod reads;
mod references;
mod sets;
mod slots;
mod source;
mod stream;
mod walk;

use std::rc::Rc;

use search::plan::{Part, Plan, Total};
use store::{Entry, Found, ParameterNumber, RecordKey, Row, Space, StoreError, TypeNumber};

use crate::engine::Snapshot;
use crate::fault;
use crate::layout::{self, Head, IDS, META, Referent};
use candidate::{Candidate, Checker};
use gather::Wanted;
use node::{Compiler, Node};
use page::Searched;

pub(crate) use explain::explain;
pub(crate) use reads::{Allowance, Reads};

/// Steps in which rows are gathered; where that takes more, records are checked one by one.
const GATHER_STEPS_MAX: u64 = 1 << 20;

/// Runs a plan.
pub(crate) fn run(state: &Reads<'_>, plan: &Plan) -> Result<Found, StoreError> {
    let mut compiler = Compiler::new(state, plan.space);
    let mut parts = Vec::with_capacity(plan.parts.len());
    for part in &plan.parts {
        parts.push(Compiled::new(state, plan.space, part, &mut compiler)?);
    }
    let checker = Checker::new(state, plan.space, slots::of_plan(plan));
    let (mut rows, last, more) = page::of(&checker, plan, &mut parts)?;
    rows.truncate(plan.limit);
    let total = match plan.total {
        Total::None => None,
        Total::Accurate => {
            let counts = parts.iter().map(|part| part.count(&checker));
            Some(counts.sum::<Result<u64, _>>()?)
        }
    };
    Ok(Found {
        rows,
        more,
        total,
        last,
    })
}

/// One type in one state.
#[derive(Clone, Copy)]
struct Kind<'s> {
    state: &'s Reads<'s>,
    space: Space,
    number: TypeNumber,
}

impl Kind<'_> {
    fn live_count(self) -> Result<u64, StoreError> {
        let key = layout::count_key(self.space, self.number);
        let bytes = self.state.get(META, &key)?;
        bytes.map_or(Ok(0), |bytes| layout::decode_number(&bytes))
    }
}

/// A part of a plan, ready to be looked for.
struct Compiled<'p, 's> {
    part: &'p Part,
    kind: Kind<'s>,
    node: Node,
    /// All that match, once they have been gathered.
    gathered: Option<Rc<[Row]>>,
}

impl<'p, 's> Compiled<'p, 's> {
    fn new(
        state: &'s Reads<'s>,
        space: Space,
        part: &'p Part,
        compiler: &mut Compiler<'s>,
    ) -> Result<Self, StoreError> {
        let kind = Kind {
            state,
            space,
            number: part.kind,
        };
        Ok(Self {
            part,
            kind,
            node: compiler.node(&part.filter, part.kind)?,
            gathered: None,
        })
    }

    fn count(&self, checker: &Checker<'_>) -> Result<u64, StoreError> {
        match &self.gathered {
            Some(rows) => Ok(rows.len() as u64),
            None => count(checker, &self.node, self.kind),
        }
    }
}

/// How many records match.
fn count(checker: &Checker<'_>, node: &Node, kind: Kind<'_>) -> Result<u64, StoreError> {
    if node.is_everything() {
        return kind.live_count();
    }
    if let Some(stream) = stream::exact(checker, node, kind.number)? {
        return stream.count();
    }
    if let Some(rows) = gathered(checker, node, kind, GATHER_STEPS_MAX)? {
        return Ok(rows.len() as u64);
    }
    let mut rows = Searched::driven(checker, node, kind.number)?;
    let (mut count, mut from) = (0, Row(0));
    while let Some(row) = rows.next_checked(checker, node, kind, &mut from)? {
        count += 1;
        from = Row(row.0 + 1);
    }
    Ok(count)
}

/// All that match, if that takes no more than so many steps.
fn gathered(
    checker: &Checker<'_>,
    node: &Node,
    kind: Kind<'_>,
    steps: u64,
) -> Result<Option<Vec<Row>>, StoreError> {
    let gather = || gather::gather(checker, node, kind, Wanted::Matches);
    Ok(checker.state.attempt(steps, gather)?.flatten())
}

/// Where a record stands in a state.
pub(crate) fn head_of(state: &Snapshot, key: &RecordKey) -> Result<Option<Head>, StoreError> {
    let bytes = state
        .get(IDS, &layout::id_key(key))
        .map_err(fault::engine)?;
    bytes.map(|bytes| Head::decode(&bytes)).transpose()
}

/// What records are found by in these slots.
pub(crate) fn entries(
    state: &Reads<'_>,
    space: Space,
    rows: &[(TypeNumber, Row)],
    parameters: &[ParameterNumber],
) -> Result<Vec<Vec<Entry>>, StoreError> {
    let mut slots = parameters.to_vec();
    slots.sort_unstable();
    let checker = Checker::new(state, space, Some(slots));
    let one = |(kind, row): &(TypeNumber, Row)| -> Result<Vec<Entry>, StoreError> {
        let mut found = Vec::new();
        if checker.kind_of(*row)? != Some(*kind) {
            return Ok(found);
        }
        let candidate = Candidate::new(*kind, *row);
        let Some(indexed) = candidate.indexed(&checker)? else {
            return Ok(found);
        };
        for entry in indexed.entries() {
            let known = |referent: Referent| {
                let missing = || StoreError::Corrupt(format!("number {} has no id", referent.0));
                state.key_of_referent(referent)?.ok_or_else(missing)
            };
            found.push(Entry {
                parameter: entry.parameter,
                group: entry.group,
                value: entry.value.clone().value(known)?,
            });
        }
        found.sort_unstable();
        Ok(found)
    };
    rows.iter().map(one).collect()
}
