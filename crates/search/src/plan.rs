//! The compiled form of a query: the same for every provider, in numbers only.

use crate::entry::{EntryValue, ParameterNumber, RecordId, Row, Space, SystemNumber, TypeNumber};

/// A query over one space, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Where to look.
    pub space: Space,
    /// The types to look at; none finds nothing.
    pub kinds: Vec<TypeNumber>,
    /// What a record must match. Deleted records never match.
    pub filter: Filter,
    /// Rows come in ascending order; only those after this one are wanted.
    pub after: Option<Row>,
    /// Only records whose current version is not later than this ledger position.
    pub not_later_than: Option<u64>,
    /// Greatest number of rows wanted; zero to count only.
    pub limit: usize,
    /// Whether the number of all matches is wanted (`after` and `limit` aside).
    pub total: Total,
}

/// Whether a total is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Total {
    /// No.
    None,
    /// Yes, exactly.
    Accurate,
}

/// A condition on a record.
#[derive(Clone, PartialEq, Eq)]
pub enum Filter {
    /// All of these; an empty list matches everything.
    All(Vec<Filter>),
    /// At least one of these; an empty list matches nothing.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// The record has one of these ids.
    Ids(Vec<RecordId>),
    /// The record is one of these rows.
    Rows(Vec<Row>),
    /// The record has an entry of this parameter that passes the test.
    Entry {
        /// The search parameter.
        parameter: ParameterNumber,
        /// The test on its value.
        test: Test,
    },
}

/// A test on the value of an index entry.
#[derive(Clone, PartialEq, Eq)]
pub enum Test {
    /// Any value at all.
    Present,
    /// Exactly this value.
    Is(EntryValue),
    /// A token with this code in any system.
    Code(Box<str>),
    /// A token with any code of this system.
    System(SystemNumber),
}

impl std::fmt::Debug for Filter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All(all) => f.debug_tuple("All").field(all).finish(),
            Self::Any(any) => f.debug_tuple("Any").field(any).finish(),
            Self::Not(not) => f.debug_tuple("Not").field(not).finish(),
            Self::Ids(ids) => write!(f, "Ids({})", ids.len()),
            Self::Rows(rows) => write!(f, "Rows({})", rows.len()),
            Self::Entry { parameter, .. } => write!(f, "Entry({}, [test])", parameter.0),
        }
    }
}

impl std::fmt::Debug for Test {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[test]")
    }
}
