//! Filters with what a state knows of them: ids as rows, tests on stored values.

use std::ops::Bound;

use search::plan::{Filter, Member};
use store::{ParameterNumber, RecordId, RecordKey, Row, Space, StoreError, TypeNumber};

use super::Kind;
use super::probe::Probe;
use super::reads::Reads;
use crate::layout::{self, Head, POSTINGS};

/// From there on other records are looked at ([`Node::cost`]).
const OTHERS_COST: u8 = 4;

/// A condition on records of one type.
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// Live records of the type, in order.
    Rows(Vec<Row>),
    /// Both ends inclusive.
    Updated {
        first: i64,
        last: i64,
    },
    Partition {
        part: u64,
        of: u64,
    },
    Entry(Condition),
    /// Of each list one, and all of them in one group.
    Together(Vec<Vec<Condition>>),
    /// One part of the record.
    Inside(Box<Node>),
    /// Another part, to which the one that is asked refers by this slot.
    Beside {
        slot: ParameterNumber,
        node: Box<Node>,
    },
    RefersTo(RefersTo),
    ReferredToBy(ReferredToBy),
}

/// A test on the entries of a slot.
pub(super) struct Condition {
    pub(super) parameter: ParameterNumber,
    /// What the slot's postings begin with.
    pub(super) slot: Vec<u8>,
    pub(super) probe: Probe,
}

/// A slot of one type, with what its postings begin with.
pub(super) struct Slot {
    pub(super) parameter: ParameterNumber,
    pub(super) postings: Vec<u8>,
}

/// Entries that refer to records that match.
pub(super) struct RefersTo {
    /// Under which verdicts on its targets are remembered.
    pub(super) number: usize,
    pub(super) slot: Slot,
    /// Names by which records refer.
    pub(super) names: Option<Slot>,
    pub(super) targets: Vec<Target>,
}

/// Records that are referred to.
pub(super) struct Target {
    /// Under which those that match are known.
    pub(super) number: usize,
    pub(super) kind: TypeNumber,
    /// Names that they have; only if there are names by which they are referred to.
    pub(super) names: Option<Slot>,
    pub(super) node: Node,
}

/// Entries of records that match, and that refer to the record.
pub(super) struct ReferredToBy {
    /// Under which its sources are known, and verdicts on single ones remembered.
    pub(super) number: usize,
    pub(super) kind: TypeNumber,
    pub(super) slot: Slot,
    pub(super) names: Option<Names>,
    pub(super) filter: Box<Node>,
}

/// Names by which records refer, and those that the record has.
pub(super) struct Names {
    pub(super) given: Slot,
    pub(super) own: Slot,
}

impl Node {
    pub(super) fn is_everything(&self) -> bool {
        matches!(self, Self::All(all) if all.is_empty())
    }

    /// Whether what is found by it may be found by a reference alone, which leads to records of any
    /// type and to what is not there.
    pub(super) fn finds_referred(&self) -> bool {
        match self {
            Self::All(nodes) | Self::Any(nodes) => nodes.iter().any(Self::finds_referred),
            Self::ReferredToBy(_) => true,
            _ => false,
        }
    }

    /// Whether checking it takes looking at other records.
    pub(super) fn looks_at_others(&self) -> bool {
        self.cost() >= OTHERS_COST
    }

    /// What is checked first: what needs nothing read, one value, several.
    fn cost(&self) -> u8 {
        match self {
            Self::Rows(_) | Self::Partition { .. } => 0,
            Self::Entry(_) => 1,
            Self::Together(_) => 2,
            Self::Updated { .. } => 3,
            Self::All(nodes) | Self::Any(nodes) => {
                nodes.iter().map(Self::cost).max().unwrap_or_default()
            }
            Self::Not(node) | Self::Inside(node) | Self::Beside { node, .. } => node.cost(),
            Self::RefersTo(_) => OTHERS_COST,
            Self::ReferredToBy(_) => OTHERS_COST + 1,
        }
    }
}

/// Makes nodes of the filters of one plan.
pub(super) struct Compiler<'s> {
    state: &'s Reads<'s>,
    space: Space,
    numbers: usize,
}

impl<'s> Compiler<'s> {
    pub(super) fn new(state: &'s Reads<'s>, space: Space) -> Self {
        Self {
            state,
            space,
            numbers: 0,
        }
    }

    pub(super) fn node(&mut self, filter: &Filter, kind: TypeNumber) -> Result<Node, StoreError> {
        Ok(match filter {
            Filter::All(filters) => {
                let mut nodes = self.nodes(filters, kind)?;
                nodes.sort_by_key(Node::cost);
                Node::All(nodes)
            }
            Filter::Any(filters) => {
                let mut nodes = self.nodes(filters, kind)?;
                nodes.sort_by_key(Node::cost);
                Node::Any(nodes)
            }
            Filter::Not(filter) => Node::Not(Box::new(self.node(filter, kind)?)),
            Filter::Inside(filter) => Node::Inside(Box::new(self.node(filter, kind)?)),
            Filter::Beside { parameter, filter } => Node::Beside {
                slot: *parameter,
                node: Box::new(self.node(filter, kind)?),
            },
            Filter::Ids(ids) => Node::Rows(self.rows_of(ids, kind)?),
            Filter::Rows(rows) => Node::Rows(self.live(rows, kind)?),
            Filter::Updated((from, to)) => updated(*from, *to),
            Filter::Partition { part, of } => Node::Partition {
                part: *part,
                of: (*of).max(1),
            },
            Filter::Entry { parameter, test } => {
                let probe = self.probe(test)?;
                Node::Entry(self.condition(kind, *parameter, probe))
            }
            Filter::Together(members) => {
                let members = members.iter().map(|member| self.member(kind, member));
                Node::Together(members.collect::<Result<_, _>>()?)
            }
            Filter::RefersTo {
                parameter,
                names,
                targets,
            } => Node::RefersTo(RefersTo {
                number: self.next_number(),
                slot: self.slot(kind, *parameter),
                names: names.map(|it| self.slot(kind, it)),
                targets: self.targets(targets, names.is_some())?,
            }),
            Filter::ReferredToBy {
                kind: source,
                parameter,
                names,
                filter,
            } => Node::ReferredToBy(ReferredToBy {
                number: self.next_number(),
                kind: *source,
                slot: self.slot(*source, *parameter),
                names: names.as_ref().map(|it| Names {
                    given: self.slot(*source, it.given),
                    own: self.slot(kind, it.own),
                }),
                filter: Box::new(self.node(filter, *source)?),
            }),
        })
    }

    fn slot(&self, kind: TypeNumber, parameter: ParameterNumber) -> Slot {
        Slot {
            parameter,
            postings: layout::slot_postings(self.space, kind, parameter),
        }
    }

    fn targets(
        &mut self,
        targets: &[search::plan::Target],
        have_names: bool,
    ) -> Result<Vec<Target>, StoreError> {
        let targets = targets.iter().map(|it| {
            Ok(Target {
                number: self.next_number(),
                kind: it.kind,
                names: it
                    .names
                    .filter(|_| have_names)
                    .map(|names| self.slot(it.kind, names)),
                node: self.node(&it.filter, it.kind)?,
            })
        });
        targets.collect()
    }

    fn nodes(&mut self, filters: &[Filter], kind: TypeNumber) -> Result<Vec<Node>, StoreError> {
        let nodes = filters.iter().map(|filter| self.node(filter, kind));
        nodes.collect()
    }

    fn next_number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    fn condition(&self, kind: TypeNumber, parameter: ParameterNumber, probe: Probe) -> Condition {
        Condition {
            parameter,
            slot: layout::slot_postings(self.space, kind, parameter),
            probe,
        }
    }

    fn member(&self, kind: TypeNumber, member: &Member) -> Result<Vec<Condition>, StoreError> {
        let tests = member.any_of.iter();
        tests
            .map(|test| Ok(self.condition(kind, member.parameter, self.probe(test)?)))
            .collect()
    }

    fn probe(&self, test: &search::plan::Test) -> Result<Probe, StoreError> {
        Probe::new(test, |key| {
            Ok(self.state.head_of(key)?.map(|head| head.referent))
        })
    }

    fn rows_of(&self, ids: &[RecordId], kind: TypeNumber) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let key = RecordKey {
                space: self.space,
                kind,
                id: id.clone(),
            };
            let head = self.state.head_of(&key)?;
            rows.extend(head.filter(Head::live).map(|head| head.row));
        }
        Ok(in_order(rows))
    }

    fn live(&self, rows: &[Row], kind: TypeNumber) -> Result<Vec<Row>, StoreError> {
        let mut live = Vec::with_capacity(rows.len());
        let kind = Kind {
            state: self.state,
            space: self.space,
            number: kind,
        };
        for row in rows {
            if is_live(kind, *row)? {
                live.push(*row);
            }
        }
        Ok(in_order(live))
    }
}

/// Whether a row is a live record of the type.
pub(super) fn is_live(kind: Kind<'_>, row: Row) -> Result<bool, StoreError> {
    let live = layout::live_postings(kind.space, kind.number);
    let posting = kind.state.get(POSTINGS, &layout::posting_key(&live, row));
    Ok(posting?.is_some())
}

pub(super) fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn updated(from: Bound<i64>, to: Bound<i64>) -> Node {
    match super::probe::within((from, to)) {
        Some((first, last)) => Node::Updated { first, last },
        None => Node::Any(Vec::new()),
    }
}
