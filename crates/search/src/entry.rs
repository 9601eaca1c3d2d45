//! What an index entry is: numbers and typed values, nothing of FHIR.

use std::fmt;

/// A family of records with one numbering of types: a FHIR version, imaging, audit …
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Space(pub u16);

/// The number that a tenant's dictionary gave to a type's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeNumber(pub u32);

/// The number that a tenant's dictionary gave to a search parameter (by canonical URL).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParameterNumber(pub u32);

/// The number that a tenant's dictionary gave to a system (of identifiers, codes, units).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SystemNumber(pub u32);

impl SystemNumber {
    /// "This token has no system"; no dictionary gives this number.
    pub const NONE: Self = Self(0);
}

/// A record's internal number: dense per tenant over all its spaces, given once, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Row(pub u64);

/// A record's id within its type. May identify a person: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordId(pub Box<str>);

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[id]")
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

/// One thing by which a record can be found.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Entry {
    /// The search parameter.
    pub parameter: ParameterNumber,
    /// The value.
    pub value: EntryValue,
}

/// A typed value of an index entry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EntryValue {
    /// A code within a system ([`SystemNumber::NONE`] if it has none).
    Token {
        /// The system.
        system: SystemNumber,
        /// The code, as compared: the writer has folded it where its system is case-insensitive.
        code: Box<str>,
    },
    /// A reference to a record of this store, whether or not that record exists yet.
    Reference(RecordKey),
    /// A URI, or a reference that leads out of this store.
    Uri(Box<str>),
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({}, [value])", self.parameter.0)
    }
}

impl fmt::Debug for EntryValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[value]")
    }
}
