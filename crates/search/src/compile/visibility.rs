//! What may be seen: a condition per type, and perhaps a set of rows.

use std::collections::BTreeMap;

use crate::entry::Row;
use crate::name::ByName;
use crate::plan::Filter;

/// What may be seen; by default everything.
///
/// Whoever builds a plan puts it around every condition on records of a type, so that what is
/// hidden counts as if it were not stored. The conditions themselves are taken as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Visibility {
    by_type: BTreeMap<&'static str, Filter<ByName>>,
    rows: Option<Vec<Row>>,
}

impl Visibility {
    /// Everything.
    pub const fn everything() -> Self {
        Self {
            by_type: BTreeMap::new(),
            rows: None,
        }
    }

    /// Of this type only what matches.
    #[must_use]
    pub fn with(mut self, kind: &'static str, filter: Filter<ByName>) -> Self {
        self.by_type.insert(kind, filter);
        self
    }

    /// Only these rows, of all types.
    #[must_use]
    pub fn within(mut self, rows: Vec<Row>) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Whether everything may be seen.
    pub fn is_everything(&self) -> bool {
        self.by_type.is_empty() && self.rows.is_none()
    }

    /// The condition, and that the record may be seen.
    pub fn around(&self, kind: &str, filter: Filter<ByName>) -> Filter<ByName> {
        let own = self.by_type.get(kind).cloned();
        let rows = self.rows.clone().map(Filter::Rows);
        own.into_iter().chain(rows).fold(filter, Filter::and)
    }
}
