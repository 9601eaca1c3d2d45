//! Names of variables, numbered when a library is loaded: scopes compare numbers, not texts. Case
//! makes no difference in scopes.

use std::collections::HashMap;

/// The number of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NameId(pub(crate) u32);

/// Every name of a library.
#[derive(Default)]
pub(crate) struct Names {
    numbers: HashMap<String, NameId>,
    texts: Vec<Box<str>>,
}

impl Names {
    /// The number of a name, a new one if needed.
    pub(crate) fn number(&mut self, name: &str) -> NameId {
        let folded = name.to_lowercase();
        if let Some(known) = self.numbers.get(&folded) {
            return *known;
        }
        let next = NameId(u32::try_from(self.texts.len()).unwrap_or(u32::MAX));
        self.texts.push(name.into());
        self.numbers.insert(folded, next);
        next
    }

    /// The number of a name that some template writes.
    pub(crate) fn find(&self, name: &str) -> Option<NameId> {
        self.numbers.get(&name.to_lowercase()).copied()
    }

    /// The name of a number, as it was written first.
    pub(crate) fn text(&self, name: NameId) -> &str {
        self.texts.get(name.0 as usize).map_or("", |it| it)
    }
}
