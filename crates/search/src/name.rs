//! The vocabulary of names: what entries, tests and plans are called before a store numbers them.

use crate::entry::{SortText, Vocabulary};
use crate::registry::Slot;

/// By the names of the standard and of the registry's slots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByName;

impl Vocabulary for ByName {
    type Kind = &'static str;
    type Parameter = Slot;
    type System = Option<Box<str>>;
    type Unit = Option<Box<str>>;
    type Record = ResourceName;
}

/// A resource by type and id. The id may identify a person: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceName {
    /// Its type.
    pub kind: &'static str,
    /// Its id.
    pub id: Box<str>,
}

impl std::fmt::Debug for ResourceName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/[id]", self.kind)
    }
}

impl SortText for ResourceName {
    fn sort_text(&self) -> &str {
        &self.id
    }
}
