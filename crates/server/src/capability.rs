//! The CapabilityStatement: what the tables of routes, types and search parameters offer, no more.
//!
//! <https://hl7.org/fhir/R4/capabilitystatement.html>,
//! <https://hl7.org/fhir/STU3/capabilitystatement.html> (which demands `acceptUnknown`).

use bytes::Bytes;
use fhir::definitions::{Operation as Facts, OperationLevel};
use fhir::json::write_string;
use fhir::{Definitions, FhirVersion};
use interactions::operations::{self, Operation};
use interactions::{Settings, UpdateAsCreate, Versioning};
use search::registry::Registry;

use crate::router::{Endpoint, offers};

/// When what this statement says changed last.
const DATE: &str = "2026-11-29";

/// Interactions with a type, by the endpoints that do them.
const OF_TYPES: [(&str, Endpoint); 8] = [
    ("read", Endpoint::Read),
    ("vread", Endpoint::Vread),
    ("update", Endpoint::Update),
    ("delete", Endpoint::Delete),
    ("history-instance", Endpoint::HistoryInstance),
    ("history-type", Endpoint::HistoryType),
    ("create", Endpoint::Create),
    ("search-type", Endpoint::SearchType),
];

/// Interactions with the whole system.
const OF_SYSTEM: [(&str, Endpoint); 4] = [
    ("transaction", Endpoint::BatchOrTransaction),
    ("batch", Endpoint::BatchOrTransaction),
    ("search-system", Endpoint::SearchSystem),
    ("history-system", Endpoint::HistorySystem),
];

/// The statement of that version, as JSON in parts.
pub(crate) fn statement(version: FhirVersion, base: &str, settings: &Settings) -> Vec<Bytes> {
    let mut text = String::with_capacity(256 << 10);
    write_head(&mut text, version, base);
    text.push_str(",\"rest\":[{\"mode\":\"server\",\"documentation\":");
    write_string(DOCUMENTATION, &mut text);
    text.push_str(",\"resource\":[");
    for (at, definition) in Definitions::of(version).resources().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_resource(&mut text, definition.name, version, settings);
    }
    text.push(']');
    write_interactions(&mut text, &OF_SYSTEM);
    // STU3 lists all operations here, R4 those on types beside the types.
    let on_system =
        |it: &Facts| version == FhirVersion::Stu3 || it.levels.contains(&OperationLevel::System);
    write_operations(&mut text, version, on_system);
    write_compartments(&mut text, version);
    text.push_str("}]}");
    vec![text.into()]
}

const DOCUMENTATION: &str = "Writes are durable before they are acknowledged and repeatable with \
     an `Idempotency-Key`. A conditional delete deletes one resource, or with `_multiple=true` all \
     that match. `DELETE [type]/[id]?_hardDelete=true` removes a resource with its history, \
     `DELETE [type]/[id]/_history` its older versions.";

fn write_head(text: &mut String, version: FhirVersion, base: &str) {
    text.push_str("{\"resourceType\":\"CapabilityStatement\"");
    let mut member = |name: &str, value: &str| {
        text.push_str(",\"");
        text.push_str(name);
        text.push_str("\":");
        write_string(value, text);
    };
    member("name", "Isthmus");
    member("title", "isthmus");
    member("status", "active");
    member("date", DATE);
    member("kind", "instance");
    text.push_str(",\"software\":{\"name\":\"isthmus\",\"version\":");
    write_string(env!("CARGO_PKG_VERSION"), text);
    text.push_str("},\"implementation\":{\"description\":\"isthmus\",\"url\":");
    write_string(base, text);
    text.push_str("},\"fhirVersion\":");
    write_string(version.number(), text);
    if version == FhirVersion::Stu3 {
        // Unknown elements and extensions: only extensions are accepted.
        text.push_str(",\"acceptUnknown\":\"extensions\"");
    }
    text.push_str(
        ",\"format\":[\"application/fhir+json\",\"application/fhir+xml\",\"json\",\"xml\"]",
    );
}

fn write_resource(text: &mut String, name: &str, version: FhirVersion, settings: &Settings) {
    text.push_str("{\"type\":");
    write_string(name, text);
    write_interactions(text, &OF_TYPES);
    let versioning = match settings.versioning.of(name) {
        Versioning::Versioned => "versioned",
        Versioning::VersionedUpdate => "versioned-update",
    };
    let update_create = settings.update_as_create.of(name) != UpdateAsCreate::Refused;
    let conditional = |endpoint| if offers(endpoint) { "true" } else { "false" };
    text.push_str(&format!(
        concat!(
            r#","versioning":"{}","readHistory":true,"updateCreate":{},"conditionalCreate":{},"#,
            r#""conditionalRead":"full-support","conditionalUpdate":{},"conditionalDelete":"{}""#
        ),
        versioning,
        update_create,
        conditional(Endpoint::Create),
        conditional(Endpoint::ConditionalUpdate),
        if offers(Endpoint::ConditionalDelete) {
            "multiple"
        } else {
            "not-supported"
        },
    ));
    let mut comma = ",\"searchParam\":[";
    for parameter in Registry::of(version).parameters(name) {
        let definition = parameter.definition;
        text.push_str(comma);
        comma = ",";
        text.push_str("{\"name\":");
        write_string(definition.code, text);
        text.push_str(",\"definition\":");
        write_string(definition.url, text);
        text.push_str(",\"type\":");
        write_string(definition.search_type.name(), text);
        text.push('}');
    }
    text.push_str(if comma == "," { "]" } else { "" });
    if version == FhirVersion::R4 {
        let levels = [OperationLevel::Type, OperationLevel::Instance];
        let on_type = |it: &Facts| {
            levels
                .iter()
                .any(|level| operations::is_on(it, *level, name))
        };
        write_operations(text, version, on_type);
    }
    text.push('}');
}

/// The operations that a place of the statement lists.
fn write_operations(text: &mut String, version: FhirVersion, lists: impl Fn(&Facts) -> bool) {
    let mut comma = ",\"operation\":[";
    for (operation, facts) in operations::operations(version).filter(|it| lists(it.1)) {
        text.push_str(comma);
        comma = ",";
        write_operation(text, version, operation, facts);
    }
    text.push_str(if comma == "," { "]" } else { "" });
}

fn write_operation(text: &mut String, version: FhirVersion, operation: &Operation, facts: &Facts) {
    text.push_str("{\"name\":");
    write_string(facts.code, text);
    text.push_str(",\"definition\":");
    if version == FhirVersion::Stu3 {
        text.push_str("{\"reference\":");
        write_string(facts.url, text);
        text.push_str("}}");
        return;
    }
    write_string(facts.url, text);
    text.push_str(",\"documentation\":");
    write_string(operation.documentation, text);
    text.push('}');
}

fn write_interactions(text: &mut String, table: &[(&str, Endpoint)]) {
    text.push_str(",\"interaction\":[");
    let offered = table.iter().filter(|(_, endpoint)| offers(*endpoint));
    for (at, (code, _)) in offered.enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str("{\"code\":");
        write_string(code, text);
        text.push('}');
    }
    text.push(']');
}

fn write_compartments(text: &mut String, version: FhirVersion) {
    if !offers(Endpoint::SearchCompartment) {
        return;
    }
    text.push_str(",\"compartment\":[");
    for (at, compartment) in Definitions::of(version).compartments().iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        let name = compartment.name.to_ascii_lowercase();
        write_string(
            &format!("http://hl7.org/fhir/CompartmentDefinition/{name}"),
            text,
        );
    }
    text.push(']');
}

#[cfg(test)]
mod tests {
    use fhir::json::{Document, Limits, Value};

    use super::*;

    #[test]
    fn the_statement_is_valid_and_lists_every_type() {
        for (version, types) in [(FhirVersion::R4, 146), (FhirVersion::Stu3, 117)] {
            let text = statement(version, "http://localhost/fhir", &Settings::default()).concat();
            let document = Document::parse(text.into(), &Limits::DEFAULT).expect("JSON");
            let definitions = Definitions::of(version);
            let options = fhir::validate::Options::default();
            let issues = fhir::validate::validate(&document, definitions, options);
            assert_eq!(issues, [], "{version}");
            let rest = document.root().get("rest").and_then(|it| it.items().next());
            let resources = rest
                .and_then(|rest| rest.get("resource"))
                .expect("has types");
            assert_eq!(resources.items().count(), types);
            let is_patient = |it: &Value<'_>| it.get("type").is_some_and(|it| it.is_str("Patient"));
            let patient = resources.items().find(is_patient).expect("has Patient");
            let parameters = patient.get("searchParam").expect("has parameters").raw();
            assert!(parameters.contains("\"identifier\""));
            assert!(parameters.contains("\"birthdate\""));
            assert!(!patient.raw().contains("patch"));
            let operations = |it: Value<'_>| {
                let listed = it.get("operation").map(Value::raw).unwrap_or_default();
                listed.contains("\"name\":\"fhirpath\"")
            };
            assert!(operations(rest.expect("has a rest")));
            assert_eq!(operations(patient), version == FhirVersion::R4);
        }
    }
}
