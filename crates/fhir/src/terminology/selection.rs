//! What is wanted of a large code system: codes chosen among its codes.
//!
//! Nothing is chosen here; [`super::Walk`] does it, page by page of the system's table.

use std::collections::BTreeSet;
use std::fmt;

use super::canonical::Canonical;
use super::filter::Filter;

/// Codes of a large system that an evaluation has to know.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection {
    pub(super) system: Canonical,
    pub(super) among: Among,
    /// All must hold.
    pub(super) filters: Vec<Filter>,
    pub(super) only: Only,
    /// Supplements whose properties count.
    pub(super) supplements: Vec<Canonical>,
}

/// Which codes come into question.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Among {
    All,
    /// Those of these that the system has.
    These(BTreeSet<Box<str>>),
}

/// Which concepts come into question.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Only {
    Any,
    OutOfUse,
}

impl Selection {
    pub(super) fn of(system: &Canonical, among: Among) -> Self {
        Self {
            system: system.clone(),
            among,
            filters: Vec::new(),
            only: Only::Any,
            supplements: Vec::new(),
        }
    }

    /// The system that is chosen from.
    pub fn system(&self) -> &Canonical {
        &self.system
    }
}

/// Shows no code: it may be one that somebody asked about.
impl fmt::Debug for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filters = self.filters.len();
        write!(f, "Selection({}, {filters} filters)", self.system)
    }
}

impl Among {
    pub(super) fn one(code: &str) -> Self {
        Self::These(BTreeSet::from([code.into()]))
    }
}
