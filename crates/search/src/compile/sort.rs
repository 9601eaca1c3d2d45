//! By which entries a type is sorted.

use fhir::FhirVersion;

use crate::name::ByName;
use crate::plan::SortBy;
use crate::query::{SortKey, SortedBy};
use crate::registry::{Facets, Registry};

/// What keys mean for a type.
pub(super) fn keys(version: FhirVersion, kind: &str, keys: &[SortKey]) -> Vec<SortBy<ByName>> {
    let keys = keys.iter();
    keys.map(|it| sort_by(version, kind, it.by)).collect()
}

/// What keys mean for what contains resources of a type: their values, and the container's time.
pub(super) fn contained_keys(
    version: FhirVersion,
    kind: &str,
    keys: &[SortKey],
) -> Vec<SortBy<ByName>> {
    let index = Registry::of(version).index(kind);
    let key = |it: &SortKey| match (sort_by(version, kind, it.by), index) {
        (SortBy::Entry(slot), Some(index)) => {
            let slot = index.within(slot);
            slot.map_or(SortBy::Nothing, SortBy::Entry)
        }
        (SortBy::Id, Some(index)) => SortBy::Entry(index.contained().id),
        (SortBy::Updated, _) => SortBy::Updated,
        _ => SortBy::Nothing,
    };
    keys.iter().map(key).collect()
}

/// What a key means for a type.
fn sort_by(version: FhirVersion, kind: &str, by: SortedBy) -> SortBy<ByName> {
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
