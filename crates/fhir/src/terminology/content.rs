//! What a tenant has stored, as far as its caller has looked it up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::canonical::{Source, SourceKind};
use super::code_system::CodeSystem;
use super::error::TerminologyError;
use super::value_set::ValueSet;
use crate::json::Document;

/// Definitions that the caller gives, and which it knows not to be there. A tenant's definition
/// takes precedence over the standard's of the same URL.
#[derive(Debug, Default, Clone)]
pub struct Content {
    given: BTreeMap<Source, Option<Stored>>,
    others: Others,
}

/// A stored definition, ready to be used.
#[derive(Debug, Clone)]
pub enum Stored {
    /// A ValueSet.
    ValueSet(Arc<ValueSet>),
    /// A CodeSystem.
    CodeSystem(Arc<CodeSystem>),
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
            given: BTreeMap::new(),
            others: Others::Absent,
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

    pub(super) fn find(&self, source: &Source) -> Found<'_> {
        match (self.given.get(source), self.others) {
            (Some(Some(stored)), _) => Found::Given(stored),
            (Some(None), _) | (None, Others::Absent) => Found::Absent,
            (None, Others::Unknown) => Found::Unknown,
        }
    }
}
