//! What a tenant has stored, as far as its caller has looked it up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Limits;
use super::canonical::{Source, SourceKind};
use super::code_system::CodeSystem;
use super::code_table::{CodeTable, Walk};
use super::error::TerminologyError;
use super::selection::Selection;
use super::value_set::ValueSet;
use crate::json::Document;

/// Definitions that the caller gives, and which it knows not to be there. A tenant's definition
/// takes precedence over the standard's of the same URL.
#[derive(Debug, Default, Clone)]
pub struct Content {
    given: BTreeMap<Source, Option<Stored>>,
    others: Others,
    selected: BTreeMap<Selection, Selected>,
    spent: Spent,
}

/// What the selections so far have cost: an answer has the limits of one.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Spent {
    pub(super) codes: usize,
    pub(super) work: usize,
}

/// The codes of a selection, or why there are none.
pub(super) type Selected = Result<Arc<BTreeSet<Box<str>>>, TerminologyError>;

/// A stored definition, ready to be used.
#[derive(Debug, Clone)]
pub enum Stored {
    /// A ValueSet.
    ValueSet(Arc<ValueSet>),
    /// A CodeSystem.
    CodeSystem(Arc<CodeSystem>),
    /// The head of a large CodeSystem's table.
    CodeTable(Arc<CodeTable>),
}

/// What is thought of definitions that were neither given nor said to be absent.
#[derive(Debug, Default, Clone, Copy)]
enum Others {
    #[default]
    Unknown,
    Absent,
}

/// What is known of a definition.
pub(super) enum Found<'c> {
    Given(&'c Stored),
    Absent,
    Unknown,
}

impl Stored {
    /// Reads a resource of the kind that was asked for.
    pub fn read(kind: SourceKind, resource: &Document) -> Result<Self, TerminologyError> {
        Ok(match kind {
            SourceKind::ValueSet => Self::ValueSet(Arc::new(ValueSet::read(resource)?)),
            SourceKind::CodeSystem => Self::CodeSystem(Arc::new(CodeSystem::read(resource)?)),
        })
    }

    /// About how many bytes it holds in memory.
    pub fn memory(&self) -> usize {
        match self {
            Self::ValueSet(it) => it.memory(),
            Self::CodeSystem(it) => it.memory(),
            Self::CodeTable(it) => it.memory(),
        }
    }
}

impl Content {
    /// Nothing is known yet: answers say what they lack.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// Nothing is stored besides what is given: answers come from that and the standard.
    pub fn closed() -> Self {
        Self {
            others: Others::Absent,
            ..Self::default()
        }
    }

    /// Gives a definition that was lacking.
    pub fn give(&mut self, source: Source, stored: Stored) {
        self.given.insert(source, Some(stored));
    }

    /// Tells that a definition that was lacking is not stored.
    pub fn note_absent(&mut self, source: Source) {
        self.given.insert(source, None);
    }

    /// The walk that makes a selection that was lacking, within the limits that were asked with.
    pub fn walk(&self, selection: &Selection, limits: Limits) -> Result<Walk, TerminologyError> {
        let given = |canonical| match self.find(&Source::code_system(canonical)) {
            Found::Given(stored) => Some(stored),
            Found::Absent | Found::Unknown => None,
        };
        let Some(Stored::CodeTable(table)) = given(&selection.system) else {
            return Err(TerminologyError::ContentMissing {
                system: selection.system.clone(),
                content: None,
                nearest: None,
            });
        };
        let supplements = selection.supplements.iter().filter_map(given);
        let supplements = supplements.filter_map(|it| match it {
            Stored::CodeSystem(it) => Some(Arc::clone(it)),
            Stored::ValueSet(_) | Stored::CodeTable(_) => None,
        });
        let supplements = supplements.collect();
        Walk::new(
            Arc::clone(table),
            supplements,
            selection,
            limits,
            self.spent,
        )
    }

    /// Tells what a finished walk found, or why there is none.
    pub fn select(&mut self, selection: Selection, found: Result<Walk, TerminologyError>) {
        let found = found.map(|walk| {
            self.spent.work = walk.work();
            let codes = walk.finish();
            self.spent.codes += codes.len();
            Arc::new(codes)
        });
        self.selected.insert(selection, found);
    }

    pub(super) fn selected(&self, selection: &Selection) -> Option<&Selected> {
        self.selected.get(selection)
    }

    pub(super) fn find(&self, source: &Source) -> Found<'_> {
        match (self.given.get(source), self.others) {
            (Some(Some(stored)), _) => Found::Given(stored),
            (Some(None), _) | (None, Others::Absent) => Found::Absent,
            (None, Others::Unknown) => Found::Unknown,
        }
    }
}
