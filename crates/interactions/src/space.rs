//! Which space of a store holds the resources of which FHIR version.

use fhir::FhirVersion;
use store::{Space, SpaceDefinition, Versions};

/// The spaces that FHIR needs, for opening a store.
pub const SPACES: &[SpaceDefinition] = &[
    SpaceDefinition {
        space: Space(1),
        name: "fhir-stu3",
        versions: Versions::Kept,
    },
    SpaceDefinition {
        space: Space(2),
        name: "fhir-r4",
        versions: Versions::Kept,
    },
];

/// The space of a version.
pub const fn space_of(version: FhirVersion) -> Space {
    match version {
        FhirVersion::Stu3 => SPACES[0].space,
        FhirVersion::R4 => SPACES[1].space,
    }
}
