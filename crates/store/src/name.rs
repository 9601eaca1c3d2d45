//! The dictionary: names of types, slots, systems and units as numbers, per tenant.

/// What a name names; each kind is numbered on its own, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NameKind {
    /// A type of record (`Patient`), shared by all spaces.
    Type,
    /// A slot: what one facet of a search parameter indexes in one type.
    Parameter,
    /// A system of codes or identifiers, by URL.
    System,
    /// A unit of measure.
    Unit,
}

impl NameKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Type, Self::Parameter, Self::System, Self::Unit];
}
