//! What is extracted from: examples and bases.

use bytes::Bytes;
use fhir::FhirVersion;
use fhir::json::Value;
use search::extract::{ExtractLimits, Extracted, extract};
use search::reference::Bases;

/// The sets of official examples.
const EXAMPLES: [(FhirVersion, &str); 2] = [
    (FhirVersion::Stu3, "04-fhir-stu3-examples"),
    (FhirVersion::R4, "03-fhir-r4-examples"),
];

pub(crate) fn bases() -> Bases {
    Bases::new(["http://here/fhir"])
}

pub(crate) fn text(value: Value<'_>, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.into_owned())
}

/// What a resource is found by.
pub(crate) fn extracted(version: FhirVersion, resource: Value<'_>) -> Extracted {
    let resource_type = text(resource, "resourceType").unwrap();
    let id = text(resource, "id").unwrap_or_else(|| "me".to_owned());
    let limits = ExtractLimits::DEFAULT;
    extract(version, &bases(), &limits, &resource_type, &id, resource).unwrap()
}

/// The examples of a version, each a resource.
pub(crate) fn examples(suite: &str, version: FhirVersion) -> Option<Vec<Bytes>> {
    let set = EXAMPLES.iter().find(|it| it.0 == version)?.1;
    let folder = crate::data::folder(suite, set)?;
    let files = crate::data::files(&folder, "json");
    Some(files.iter().map(|it| crate::data::read(it)).collect())
}
