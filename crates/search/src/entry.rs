//! What an index entry is: numbers and typed values, nothing of FHIR.
//!
//! Entries, tests and plans exist in two vocabularies of one shape: in names, as they are read from
//! resources and queries, and in the numbers of a tenant's dictionary, as a store keeps them.

use std::fmt::{self, Debug};
use std::hash::Hash;

/// A family of records with one numbering of types: a FHIR version, imaging, audit …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Space(pub u16);

/// The number that a tenant's dictionary gave to a type's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeNumber(pub u32);

/// The number that a tenant's dictionary gave to a slot: what one facet of a search parameter
/// indexes in one type. Parameters that index the same share a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParameterNumber(pub u32);

/// The number that a tenant's dictionary gave to a system (of identifiers, codes, units).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SystemNumber(pub u32);

impl SystemNumber {
    /// "This token has no system"; no dictionary gives this number.
    pub const NONE: Self = Self(0);
}

/// The number that a tenant's dictionary gave to a unit of measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnitNumber(pub u32);

impl UnitNumber {
    /// "Whatever the unit"; no dictionary gives this number.
    pub const ANY: Self = Self(0);
}

/// A record's internal number: dense per tenant over all its spaces, given once, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row(pub u64);

/// A record's id within its type. May identify a person: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub Box<str>);

impl Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[id]")
    }
}

impl RecordId {
    /// Which of so many parts of all records it is in, from zero: FNV-1a of its bytes, divided. The
    /// number is part of the contract: a part must not depend on who answers, nor on what else is
    /// stored.
    pub fn part(id: &str, of: u64) -> u64 {
        let add = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, add);
        // The lowest bits of the hash depend on those of the bytes alone.
        (hash ^ hash >> 32) % of.max(1)
    }
}

impl From<&str> for RecordId {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// What names a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// The space it lies in.
    pub space: Space,
    /// Its type.
    pub kind: TypeNumber,
    /// Its id.
    pub id: RecordId,
}

/// How types, slots, systems, units and records are called.
pub trait Vocabulary: Clone + Copy + Debug + Default + Eq + Ord + Hash + 'static {
    /// A type of record.
    type Kind: Clone + Debug + Eq + Ord + Hash + Send + Sync;
    /// A slot.
    type Parameter: Clone + Debug + Eq + Ord + Hash + Send + Sync;
    /// A system of codes or identifiers, or none.
    type System: Clone + Debug + Eq + Ord + Hash + Send + Sync;
    /// A unit of measure, or any.
    type Unit: Clone + Debug + Eq + Ord + Hash + Send + Sync;
    /// A record.
    type Record: Clone + Eq + Ord + Hash + Send + Sync;
}

/// As a store calls them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByNumber;

impl Vocabulary for ByNumber {
    type Kind = TypeNumber;
    type Parameter = ParameterNumber;
    type System = SystemNumber;
    type Unit = UnitNumber;
    type Record = RecordKey;
}

/// One thing by which a record can be found.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry<V: Vocabulary = ByNumber> {
    /// The slot.
    pub parameter: V::Parameter,
    /// Entries of one group come from one place in the record: what a composite parameter
    /// compares must lie in one group. Zero where a record has one group only. The upper half of
    /// the number says of which part of the record the place is ([`part_of`]).
    pub group: u32,
    /// The value.
    pub value: EntryValue<V>,
}

/// The part of a record that a group lies in: zero is the record itself, others are within it.
pub const fn part_of(group: u32) -> u32 {
    group >> PART_SHIFT
}

/// A group of a part.
pub const fn in_part(part: u16, group: u16) -> u32 {
    (part as u32) << PART_SHIFT | group as u32
}

const PART_SHIFT: u32 = 16;

/// What an entry says of the part that refers to the one it is in.
pub fn named_part<V: Vocabulary>(part: u32) -> EntryValue<V> {
    EntryValue::Uri(part.to_string().into())
}

/// A typed value of an index entry. A slot holds values of one kind (references and URIs may share
/// one), besides [`Self::Valueless`].
///
/// The order of values is that of their sort keys ([`Self::sort_key`]).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryValue<V: Vocabulary = ByNumber> {
    /// There is something, but nothing by which it could be compared: it is not missing.
    Valueless,
    /// A code within a system.
    Token {
        /// The system.
        system: V::System,
        /// The code, as compared: the writer has folded it where its system is case-insensitive.
        code: Box<str>,
    },
    /// A text.
    Text {
        /// As compared: case and accents folded, spaces joined.
        folded: Box<str>,
        /// As written.
        exact: Box<str>,
    },
    /// A reference to a record of this store, whether or not that record exists yet.
    Reference(V::Record),
    /// A URI, or a reference that leads out of this store.
    Uri(Box<str>),
    /// A period of time in microseconds since 1970 (UTC), both ends inclusive; [`i64::MIN`] and
    /// [`i64::MAX`] where it is open. An instant is as short as its precision.
    Period {
        /// The first microsecond.
        low: i64,
        /// The last one.
        high: i64,
    },
    /// A quantity: a point, or a range with inclusive ends.
    Number {
        /// The unit that both ends are in.
        unit: V::Unit,
        /// The lower end.
        low: Magnitude,
        /// The upper end; that of a point is its lower one.
        high: Magnitude,
    },
    /// A place on Earth.
    Place(Place),
}

/// A number in a form whose bytes are in the order of the numbers, without the limits of machine
/// types; what makes it knows how.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Magnitude(pub Box<[u8]>);

impl Magnitude {
    /// Less than every number: the lower end of a range that has none.
    pub fn least() -> Self {
        Self(Box::default())
    }

    /// Greater than every number.
    pub fn greatest() -> Self {
        Self(Box::new([0xff; 2]))
    }
}

/// A place on Earth in units of 10⁻⁷ degrees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// North is positive.
    pub latitude: i32,
    /// East is positive.
    pub longitude: i32,
}

impl Place {
    /// How many units a degree has.
    pub const DEGREE: f64 = 1e7;
}

/// Which end of a range is compared when records are sorted by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The least value of a record counts, by its lower end; least first.
    Ascending,
    /// The greatest value of a record counts, by its upper end; greatest first.
    Descending,
}

impl<V: Vocabulary> EntryValue<V> {
    /// The bytes by which records are sorted on this value; `None` for what has no order.
    ///
    /// A unit does not count (slots that are sorted by hold canonical units), nor does a system
    /// or the type of a record: see [`SortText`].
    pub fn sort_key(&self, direction: Direction) -> Option<Box<[u8]>>
    where
        V::Record: SortText,
    {
        let end = |low: &Magnitude, high: &Magnitude| match direction {
            Direction::Ascending => low.0.clone(),
            Direction::Descending => high.0.clone(),
        };
        match self {
            Self::Valueless | Self::Place(_) => None,
            Self::Token { code, .. } => Some(code.as_bytes().into()),
            Self::Text { folded, .. } => Some(folded.as_bytes().into()),
            Self::Reference(record) => Some(record.sort_text().as_bytes().into()),
            Self::Uri(uri) => Some(uri.as_bytes().into()),
            Self::Period { low, high } => {
                let end = match direction {
                    Direction::Ascending => *low,
                    Direction::Descending => *high,
                };
                Some(ordered(end).to_be_bytes().into())
            }
            Self::Number { low, high, .. } => Some(end(low, high)),
        }
    }
}

/// What a record is sorted by where another refers to it.
pub trait SortText {
    /// Its id.
    fn sort_text(&self) -> &str;
}

impl SortText for RecordKey {
    fn sort_text(&self) -> &str {
        &self.id.0
    }
}

/// An instant as an unsigned number of the same order.
pub const fn ordered(instant: i64) -> u64 {
    instant.cast_unsigned() ^ (1 << 63)
}

impl<V: Vocabulary> Debug for Entry<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({:?}, [value])", self.parameter)
    }
}

impl<V: Vocabulary> Debug for EntryValue<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[value]")
    }
}

impl Debug for Magnitude {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[number]")
    }
}

impl Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[place]")
    }
}
