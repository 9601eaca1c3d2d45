//! By which entries a type is sorted.

use fhir::FhirVersion;

use crate::name::ByName;
use crate::plan::SortBy;
use crate::query::SortedBy;
use crate::registry::{Facets, Registry};

/// What a key means for a type.
pub(super) fn sort_by(version: FhirVersion, kind: &str, by: SortedBy) -> SortBy<ByName> {
    let code = match by {
        SortedBy::Id => return SortBy::Id,
        SortedBy::Updated => return SortBy::Updated,
        SortedBy::Score => return SortBy::Nothing,
        SortedBy::Parameter(code) => code,
    };
    let parameter = Registry::of(version).named(kind, code);
    match parameter.map(|it| &it.facets) {
        Some(
            Facets::String(slot) | Facets::Uri(slot) | Facets::Date(slot) | Facets::Number(slot),
        ) => SortBy::Entry(*slot),
        Some(Facets::Token(slots)) => SortBy::Entry(slots.code),
        Some(Facets::Reference { literal, .. }) => SortBy::Entry(*literal),
        Some(Facets::Quantity(slots)) => SortBy::Entry(slots.canonical),
        Some(Facets::Id) => SortBy::Id,
        Some(Facets::Updated) => SortBy::Updated,
        Some(Facets::Elsewhere | Facets::Place(_) | Facets::Words(_) | Facets::Composite(_))
        | None => SortBy::Nothing,
    }
}
