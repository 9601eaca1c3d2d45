//! What stands in resources without a row that says so: to whom they belong, and what FHIR demands
//! inside of their elements.

use super::super::tree::Item;

/// Elements that say to whom a resource belongs: resource, element, whether it is a list, and the
/// parameter with the type that it refers to.
pub(super) const CONTEXT: &[(&str, &str, bool, &str, &str)] = &[
    ("Account", "subject", true, "patient", "Patient"),
    ("AllergyIntolerance", "patient", false, "patient", "Patient"),
    (
        "AllergyIntolerance",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    ("Basic", "subject", false, "patient", "Patient"),
    ("CareTeam", "subject", false, "patient", "Patient"),
    ("CareTeam", "encounter", false, "encounter", "Encounter"),
    ("Condition", "subject", false, "patient", "Patient"),
    ("Condition", "encounter", false, "encounter", "Encounter"),
    ("Coverage", "beneficiary", false, "patient", "Patient"),
    ("DiagnosticReport", "subject", false, "patient", "Patient"),
    (
        "DiagnosticReport",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    (
        "DiagnosticReport",
        "basedOn",
        true,
        "order",
        "ServiceRequest",
    ),
    ("DocumentReference", "subject", false, "patient", "Patient"),
    ("Encounter", "subject", false, "patient", "Patient"),
    ("EpisodeOfCare", "patient", false, "patient", "Patient"),
    ("Immunization", "patient", false, "patient", "Patient"),
    ("Immunization", "encounter", false, "encounter", "Encounter"),
    (
        "MedicationAdministration",
        "subject",
        false,
        "patient",
        "Patient",
    ),
    (
        "MedicationAdministration",
        "context",
        false,
        "encounter",
        "Encounter",
    ),
    ("MedicationRequest", "subject", false, "patient", "Patient"),
    (
        "MedicationRequest",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    ("Observation", "subject", false, "patient", "Patient"),
    ("Observation", "encounter", false, "encounter", "Encounter"),
    ("Observation", "basedOn", true, "order", "ServiceRequest"),
    ("Procedure", "subject", false, "patient", "Patient"),
    ("Procedure", "encounter", false, "encounter", "Encounter"),
    ("RelatedPerson", "patient", false, "patient", "Patient"),
    ("ServiceRequest", "subject", false, "patient", "Patient"),
    (
        "ServiceRequest",
        "encounter",
        false,
        "encounter",
        "Encounter",
    ),
    ("Specimen", "subject", false, "patient", "Patient"),
];

/// What stands in elements that FHIR demands inside of others, by their paths; those of resources are
/// in the library's `defaults.json`.
const INNER_DEFAULTS: &[(&str, &str)] = &[
    ("Appointment.participant.status", "\"accepted\""),
    ("MessageHeader.destination.endpoint", "\"urn:id:unknown\""),
    ("MessageHeader.source.endpoint", "\"urn:id:unknown\""),
    ("Provenance.entity.role", "\"source\""),
];

pub(super) fn inner_defaults(item: &Item) -> Vec<&'static (&'static str, &'static str)> {
    let required: Vec<&str> = item.object.required().collect();
    INNER_DEFAULTS
        .iter()
        .filter(|it| required.contains(&it.0))
        .collect()
}
