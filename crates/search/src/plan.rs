//! The compiled form of a query: the same for every provider.
//!
//! A plan in names comes out of a query; the same plan in numbers goes into a store
//! ([`crate::compile`]). What may be seen is part of it: whoever compiles a plan puts the
//! visibility of a type around every condition on records of that type.

mod passes;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;

use crate::entry::{
    ByNumber, Direction, EntryValue, Magnitude, Place, RecordId, Row, Space, Vocabulary,
};

/// A query over one space, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<V: Vocabulary = ByNumber> {
    /// Where to look.
    pub space: Space,
    /// The types to look at, each at most once; none finds nothing.
    pub parts: Vec<Part<V>>,
    /// In which order rows come: by the keys of their parts, one after the other, and at last by
    /// row, ascending. Records without a value for a key come after those that have one, whatever
    /// the direction.
    pub order: Vec<Direction>,
    /// Only what comes after this in that order.
    pub after: Option<After>,
    /// Only records whose current version is not later than this ledger position.
    pub not_later_than: Option<u64>,
    /// Greatest number of rows wanted; zero to count only.
    pub limit: usize,
    /// Whether the number of all matches is wanted (`after`, `not_later_than` and `limit` aside).
    pub total: Total,
}

/// What is looked for in one type. Deleted records never match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<V: Vocabulary = ByNumber> {
    /// The type.
    pub kind: V::Kind,
    /// What a record must match.
    pub filter: Filter<V>,
    /// What it is sorted by; as many keys as the plan's order has.
    pub sort: Vec<SortBy<V>>,
}

/// A key of the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortBy<V: Vocabulary = ByNumber> {
    /// A value of this slot ([`EntryValue::sort_key`]).
    Entry(V::Parameter),
    /// The instant of the current version.
    Updated,
    /// The record's id.
    Id,
    /// Nothing: this type does not have the parameter.
    Nothing,
}

/// A place in the order of a plan: that of the last row of a page.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct After {
    /// Its sort keys; `None` where it has no value.
    pub keys: Vec<Option<Box<[u8]>>>,
    /// Its row.
    pub row: Row,
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
pub enum Filter<V: Vocabulary = ByNumber> {
    /// All of these; an empty list matches everything.
    All(Vec<Filter<V>>),
    /// At least one of these; an empty list matches nothing.
    Any(Vec<Filter<V>>),
    /// Not this.
    Not(Box<Filter<V>>),
    /// The record has one of these ids.
    Ids(Vec<RecordId>),
    /// The record is one of these rows.
    Rows(Vec<Row>),
    /// Its current version was written within these instants (microseconds since 1970).
    Updated(Range<i64>),
    /// Its id is in this one of disjoint parts ([`RecordId::part`]).
    Partition {
        /// The part, from zero.
        part: u64,
        /// The number of parts, at least one.
        of: u64,
    },
    /// The record has an entry of this slot that passes the test.
    Entry {
        /// The slot.
        parameter: V::Parameter,
        /// The test on its value.
        test: Test<V>,
    },
    /// The record has a group in which each of these finds an entry that passes one of its tests.
    Together(Vec<Member<V>>),
    /// A part of the record, other than the record itself, has entries that match, without those
    /// of other parts. A part has no parts.
    Inside(Box<Filter<V>>),
    /// Of a part: it refers to another part of the record that has entries that match. The other one
    /// has an entry of this slot that names this one ([`crate::entry::named_part`]). A record itself is no part.
    Beside {
        /// The slot by which it refers.
        parameter: V::Parameter,
        /// What the other part must match.
        filter: Box<Filter<V>>,
    },
    /// The record refers to a live record of one of these types that matches: by an entry of a slot
    /// of references, or by a name that the other has.
    RefersTo {
        /// The slot, of references.
        parameter: V::Parameter,
        /// The slot of the names by which it refers, as URIs.
        names: Option<V::Parameter>,
        /// The types, each at most once.
        targets: Vec<Target<V>>,
    },
    /// A live record of this type that matches refers to the record: by an entry of a slot of
    /// references, or by a name that the record has.
    ReferredToBy {
        /// The other record's type.
        kind: V::Kind,
        /// The slot of that type, of references.
        parameter: V::Parameter,
        /// How it refers by name.
        names: Option<Names<V>>,
        /// What the other record must match.
        filter: Box<Filter<V>>,
    },
}

/// A type that is referred to.
#[derive(Clone, PartialEq, Eq)]
pub struct Target<V: Vocabulary = ByNumber> {
    /// The type.
    pub kind: V::Kind,
    /// The slot of the names that its records have, as URIs.
    pub names: Option<V::Parameter>,
    /// What the record referred to must match.
    pub filter: Filter<V>,
}

/// Two slots of URIs: a record refers by name where one of the first equals one of the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names<V: Vocabulary = ByNumber> {
    /// That of the names by which a record refers.
    pub given: V::Parameter,
    /// That of the names that a record has.
    pub own: V::Parameter,
}

/// One component of what must be found together.
#[derive(Clone, PartialEq, Eq)]
pub struct Member<V: Vocabulary = ByNumber> {
    /// The slot.
    pub parameter: V::Parameter,
    /// The entry passes one of these.
    pub any_of: Vec<Test<V>>,
}

/// Two bounds.
pub type Range<T> = (Bound<T>, Bound<T>);

/// A test on the value of an index entry.
#[derive(Clone, PartialEq, Eq)]
pub enum Test<V: Vocabulary = ByNumber> {
    /// Any value at all, [`EntryValue::Valueless`] too.
    Present,
    /// Exactly this value: a token, a reference or a URI.
    Is(EntryValue<V>),
    /// A token with this code in any system, and without one.
    Code(Box<str>),
    /// A token with any code of this system.
    System(V::System),
    /// A text that begins so when folded.
    TextStarts(Box<str>),
    /// A text that contains this when folded.
    TextContains(Box<str>),
    /// A text that is written exactly so.
    TextIs(Box<str>),
    /// A URI that begins so.
    UriStarts(Box<str>),
    /// A period whose first and last microseconds both lie within these.
    Period {
        /// Where the first one must lie.
        low: Range<i64>,
        /// Where the last one must lie.
        high: Range<i64>,
    },
    /// A quantity in this unit whose ends both lie within these.
    Number {
        /// The unit.
        unit: V::Unit,
        /// Where the lower end must lie.
        low: Range<Magnitude>,
        /// Where the upper end must lie.
        high: Range<Magnitude>,
    },
    /// A place at most so far away, along the surface of a sphere of
    /// [`EARTH_RADIUS_METRES`].
    Near {
        /// From where.
        place: Place,
        /// How far.
        metres: u32,
    },
}

/// The mean radius of the Earth that distances are computed with.
pub const EARTH_RADIUS_METRES: u32 = 6_371_009;

impl<V: Vocabulary> Filter<V> {
    /// What matches every record.
    pub const EVERYTHING: Self = Self::All(Vec::new());

    /// What matches none.
    pub const NOTHING: Self = Self::Any(Vec::new());

    /// This and another one; what demands nothing is left out.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut all), Self::All(others)) => {
                all.extend(others);
                Self::all(all)
            }
            (Self::All(mut all), other) => {
                all.push(other);
                Self::all(all)
            }
            (own, Self::All(mut all)) => {
                all.insert(0, own);
                Self::all(all)
            }
            (own, other) => Self::All(vec![own, other]),
        }
    }

    /// All of these; of one alone that one.
    pub fn all(filters: Vec<Self>) -> Self {
        match <[Self; 1]>::try_from(filters) {
            Ok([one]) => one,
            Err(filters) => Self::All(filters),
        }
    }

    /// One of these; of one alone that one, and alternatives within alternatives are taken out.
    pub fn any(filters: Vec<Self>) -> Self {
        let mut any = Vec::with_capacity(filters.len());
        for filter in filters {
            match filter {
                Self::Any(filters) => any.extend(filters),
                other => any.push(other),
            }
        }
        match <[Self; 1]>::try_from(any) {
            Ok([one]) => one,
            Err(any) => Self::Any(any),
        }
    }

    /// The opposite.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(filter) => *filter,
            Self::All(all) if all.is_empty() => Self::NOTHING,
            Self::Any(any) if any.is_empty() => Self::EVERYTHING,
            other => Self::Not(Box::new(other)),
        }
    }

    /// The types, beside that of the record itself, on whose records the condition depends.
    pub fn kinds(&self, into: &mut BTreeSet<V::Kind>) {
        match self {
            Self::All(filters) | Self::Any(filters) => {
                for filter in filters {
                    filter.kinds(into);
                }
            }
            Self::Not(filter) | Self::Inside(filter) | Self::Beside { filter, .. } => {
                filter.kinds(into);
            }
            Self::RefersTo { targets, .. } => {
                for target in targets {
                    into.insert(target.kind.clone());
                    target.filter.kinds(into);
                }
            }
            Self::ReferredToBy { kind, filter, .. } => {
                into.insert(kind.clone());
                filter.kinds(into);
            }
            Self::Ids(_)
            | Self::Rows(_)
            | Self::Updated(_)
            | Self::Partition { .. }
            | Self::Entry { .. }
            | Self::Together(_) => {}
        }
    }
}

impl<V: Vocabulary> Plan<V> {
    /// All types on whose records the result depends.
    pub fn kinds(&self) -> BTreeSet<V::Kind> {
        let mut kinds = BTreeSet::new();
        for part in &self.parts {
            kinds.insert(part.kind.clone());
            part.filter.kinds(&mut kinds);
        }
        kinds
    }
}

impl<V: Vocabulary> fmt::Debug for Filter<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(all) => f.debug_tuple("All").field(all).finish(),
            Self::Any(any) => f.debug_tuple("Any").field(any).finish(),
            Self::Not(not) => f.debug_tuple("Not").field(not).finish(),
            Self::Ids(ids) => write!(f, "Ids({})", ids.len()),
            Self::Rows(rows) => write!(f, "Rows({})", rows.len()),
            Self::Updated(_) => f.write_str("Updated"),
            Self::Partition { part, of } => write!(f, "Partition({part}/{of})"),
            Self::Entry { parameter, test } => write!(f, "Entry({parameter:?}, {test:?})"),
            Self::Together(members) => f.debug_tuple("Together").field(members).finish(),
            Self::Inside(filter) => f.debug_tuple("Inside").field(filter).finish(),
            Self::Beside { parameter, filter } => write!(f, "Beside({parameter:?}, {filter:?})"),
            Self::RefersTo {
                parameter,
                names,
                targets,
            } => write!(f, "RefersTo({parameter:?}, {names:?}, {targets:?})"),
            Self::ReferredToBy {
                kind,
                parameter,
                names,
                filter,
            } => write!(
                f,
                "ReferredToBy({kind:?}, {parameter:?}, {names:?}, {filter:?})"
            ),
        }
    }
}

impl<V: Vocabulary> fmt::Debug for Target<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            names,
            filter,
        } = self;
        write!(f, "{kind:?} {names:?} {filter:?}")
    }
}

impl<V: Vocabulary> fmt::Debug for Member<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.parameter, self.any_of)
    }
}

/// Says which test, never against which value.
impl<V: Vocabulary> fmt::Debug for Test<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Present => "present",
            Self::Is(_) => "is",
            Self::Code(_) => "code",
            Self::System(_) => "system",
            Self::TextStarts(_) => "starts",
            Self::TextContains(_) => "contains",
            Self::TextIs(_) => "text is",
            Self::UriStarts(_) => "URI starts",
            Self::Period { .. } => "period",
            Self::Number { .. } => "number",
            Self::Near { .. } => "near",
        })
    }
}

impl fmt::Debug for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "After(row {})", self.row.0)
    }
}
