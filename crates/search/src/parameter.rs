//! Which search parameters are offered, per version and resource type, with their compiled paths.
//!
//! The registry from which queries are read, entries extracted and capabilities listed. Offered
//! are `_id`, `identifier` and the reference parameters whose expression is a plain path; the
//! standard's others are known, so that a query naming one is told that it is not offered yet.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use fhir::definitions::{SearchParameter, SearchType};
use fhir::{Definitions, FhirVersion};

use crate::path::Path;

/// How a parameter's values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// The logical id.
    Id,
    /// A code or identifier with its system.
    Token,
    /// A reference, canonical or URI.
    Reference,
}

/// A search parameter as it is offered for one resource type.
#[derive(Debug)]
pub struct Offered {
    /// Its definition.
    pub definition: &'static SearchParameter,
    /// How it compares.
    pub kind: ParameterKind,
    /// Whether it puts a resource that refers to a patient into that patient's compartment.
    pub(crate) is_lane: bool,
    /// What it searches in; nothing for the id, which is no content.
    pub(crate) path: Option<Path>,
}

/// The search parameters offered in one FHIR version.
pub struct Parameters {
    /// By type, then in order of their codes.
    by_type: BTreeMap<&'static str, Vec<Offered>>,
}

impl Parameters {
    /// The parameters of a version; compiled once, at first use.
    pub fn of(version: FhirVersion) -> &'static Self {
        static STU3: LazyLock<Parameters> =
            LazyLock::new(|| Parameters::compile(FhirVersion::Stu3));
        static R4: LazyLock<Parameters> = LazyLock::new(|| Parameters::compile(FhirVersion::R4));
        match version {
            FhirVersion::Stu3 => &STU3,
            FhirVersion::R4 => &R4,
        }
    }

    /// What is offered for a resource type, in order of the codes.
    pub fn offered(&self, resource_type: &str) -> &[Offered] {
        self.by_type.get(resource_type).map_or(&[], Vec::as_slice)
    }

    /// The parameter of that code.
    pub fn named(&self, resource_type: &str, code: &str) -> Option<&Offered> {
        let offered = self.offered(resource_type);
        let place = offered
            .binary_search_by(|it| it.definition.code.cmp(code))
            .ok()?;
        Some(&offered[place])
    }

    fn compile(version: FhirVersion) -> Self {
        let definitions = Definitions::of(version);
        let patient = definitions.compartment("Patient");
        let offered = |resource_type: &'static str| {
            let lanes = patient.map_or(&[][..], |it| it.parameters(resource_type));
            let parameters = definitions.search_parameters_of(resource_type).into_iter();
            parameters
                .filter_map(move |it| offer(definitions, resource_type, it, lanes))
                .collect()
        };
        let types = definitions.resources().map(|it| it.name);
        Self {
            by_type: types.map(|name| (name, offered(name))).collect(),
        }
    }
}

fn offer(
    definitions: &Definitions,
    resource_type: &str,
    definition: &'static SearchParameter,
    lanes: &[&str],
) -> Option<Offered> {
    let (kind, wanted): (_, &[&str]) = match (definition.search_type, definition.code) {
        (_, "_id") => {
            return Some(Offered {
                definition,
                kind: ParameterKind::Id,
                is_lane: false,
                path: None,
            });
        }
        (SearchType::Token, "identifier") => (ParameterKind::Token, &["Identifier"]),
        (SearchType::Reference, _) => (
            ParameterKind::Reference,
            &["Reference", "canonical", "uri", "url"],
        ),
        _ => return None,
    };
    let path = Path::compile(definitions, resource_type, definition.expression?, wanted)?;
    let is_lane = lanes.contains(&definition.code);
    Some(Offered {
        definition,
        kind,
        is_lane,
        path: Some(path),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference parameters outside the subset, by version: each is refused by name until
    /// FHIRPath itself runs.
    #[test]
    fn every_reference_parameter_is_offered_but_these() {
        for (version, expected) in [
            (
                FhirVersion::Stu3,
                &[
                    "Bundle.composition",
                    "Bundle.message",
                    "Condition.based-on",
                    "Condition.definition",
                    "Condition.part-of",
                    "DiagnosticReport.assessed-condition",
                ][..],
            ),
            (
                FhirVersion::R4,
                &[
                    "Bundle.composition",
                    "Bundle.message",
                    "DiagnosticReport.assessed-condition",
                    "QuestionnaireResponse.item-subject",
                ],
            ),
        ] {
            let definitions = Definitions::of(version);
            let parameters = Parameters::of(version);
            let mut missing = Vec::new();
            for resource in definitions.resources() {
                for it in definitions.search_parameters_of(resource.name) {
                    let is_wanted =
                        it.search_type == SearchType::Reference || it.code == "identifier";
                    if is_wanted && parameters.named(resource.name, it.code).is_none() {
                        missing.push(format!("{}.{}", resource.name, it.code));
                    }
                }
            }
            assert_eq!(missing, expected, "{version}");
        }
    }

    #[test]
    fn every_parameter_of_the_patient_compartment_is_offered() {
        for version in FhirVersion::ALL {
            let patient = Definitions::of(version).compartment("Patient").unwrap();
            for (resource_type, codes) in patient.members() {
                // STU3 has four chains here (`target.subject` …), which say nothing of the resource itself.
                for code in codes.iter().filter(|it| !it.contains(['.', '{'])) {
                    let offered = Parameters::of(version).named(resource_type, code);
                    assert!(
                        offered.is_some_and(|it| it.is_lane),
                        "{version} {resource_type} {code}"
                    );
                }
            }
        }
    }
}
