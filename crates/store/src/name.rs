//! The dictionary: names of types, parameters and systems as numbers, per tenant.

/// What a name names; each kind is numbered on its own, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameKind {
    /// A type of record (`Patient`), shared by all spaces.
    Type,
    /// A search parameter, by canonical URL.
    Parameter,
    /// A system of codes, identifiers or units, by URL.
    System,
}

impl NameKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Type, Self::Parameter, Self::System];
}
