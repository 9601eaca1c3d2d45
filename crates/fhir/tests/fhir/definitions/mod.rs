//! The definition tables: exact facts, counts against the official packages, and whether the
//! tables are those that the generator makes.

mod counts;
mod facts;
mod official;
mod provenance;

use std::path::PathBuf;

use fhir::FhirVersion;
use fhir::definitions::{Definitions, ElementDefinition, Shape, TypeDefinition};

/// Every element of a type, its own and those of its backbone elements.
fn elements_of(
    definitions: &'static Definitions,
    of: &TypeDefinition,
) -> Vec<&'static ElementDefinition> {
    let mut found = Vec::new();
    let mut open: Vec<Shape> = vec![of.shape];
    while let Some(shape) = open.pop() {
        for element in definitions.elements(shape) {
            found.push(element);
            let chosen = &element.types[0];
            let is_own = chosen.shape != definitions.definition(chosen).shape;
            if is_own && element.content_reference.is_none() {
                open.push(chosen.shape);
            }
        }
    }
    found
}

/// The folder of a version's official definitions, if it is there.
fn official_folder(version: FhirVersion) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache = || {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        Some(cache?.join("isthmus-data"))
    };
    let set = match version {
        FhirVersion::Stu3 => "02-fhir-stu3-definitions",
        FhirVersion::R4 => "01-fhir-r4-definitions",
    };
    let folder = variable("ISTHMUS_DATA").or_else(cache)?.join(set);
    folder.is_dir().then_some(folder)
}
