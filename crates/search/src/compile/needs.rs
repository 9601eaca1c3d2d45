//! What a plan needs that is not in the query: looked up by the caller, who then builds again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fhir::terminology::CodeSet;

use crate::query::Side;

/// Something that has to be looked up before a plan can be built.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Need {
    /// The codes of a value set, by its canonical URL (perhaps with `|version`) or as
    /// `ValueSet/id`. Answered with [`Answer::Codes`].
    ValueSet(Box<str>),
    /// The codes that subsume a code, or that it subsumes, itself included. Answered with
    /// [`Answer::Codes`].
    Subsumed {
        /// In which direction.
        side: Side,
        /// The code's system.
        system: Box<str>,
        /// The code.
        code: Box<str>,
    },
    /// The members of a List. Answered with [`Answer::Resources`]: none, if there is no such list
    /// or it may not be seen.
    List(Box<str>),
    /// The resources above or below one in the hierarchy of its type
    /// ([`crate::query::HIERARCHIES`]), itself included. Answered with [`Answer::Resources`].
    Hierarchy {
        /// In which direction.
        side: Side,
        /// The type.
        kind: &'static str,
        /// The id.
        id: Box<str>,
    },
}

/// What was found for a need.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// Codes.
    Codes(Arc<CodeSet>),
    /// Resources, by type and id.
    Resources(BTreeSet<crate::name::ResourceName>),
}

/// The answers so far.
#[derive(Clone, Default)]
pub struct Answers {
    known: BTreeMap<Need, Answer>,
}

impl Answers {
    /// Adds an answer.
    pub fn insert(&mut self, need: Need, answer: Answer) {
        self.known.insert(need, answer);
    }

    /// The answer to a need.
    pub fn get(&self, need: &Need) -> Option<&Answer> {
        self.known.get(need)
    }
}

/// Says what kind of thing is needed, never which: codes and ids may be somebody's.
impl std::fmt::Debug for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ValueSet(_) => f.write_str("ValueSet"),
            Self::Subsumed { side, .. } => write!(f, "Subsumed({side:?})"),
            Self::List(_) => f.write_str("List"),
            Self::Hierarchy { side, kind, .. } => write!(f, "Hierarchy({kind}, {side:?})"),
        }
    }
}
