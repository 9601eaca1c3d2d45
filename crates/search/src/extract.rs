//! From a resource to what it is found by: index entries in names, and its patients.
//!
//! Numbers are given to the names by whoever writes the entries ([`crate::compile::Numbers`]).

use std::collections::BTreeSet;

use fhir::json::Value;
use fhir::{Definitions, FhirVersion};

use crate::parameter::{Offered, ParameterKind, Parameters};
use crate::reference::{Bases, Target};

/// The longest text of an entry in bytes; longer ones are cut, in entries and in queries alike.
pub const TEXT_BYTES_MAX: usize = 2_048;

/// An index entry in names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedEntry {
    /// The search parameter's canonical URL.
    pub parameter: &'static str,
    /// The value.
    pub value: NamedValue,
}

/// The value of an entry or of a criterion, in names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedValue {
    /// A code, with its system if it has one.
    Token {
        /// The system's URL.
        system: Option<Box<str>>,
        /// The code.
        code: Box<str>,
    },
    /// A reference to a resource of this server.
    Reference {
        /// Its type.
        resource_type: Box<str>,
        /// Its id.
        id: Box<str>,
    },
    /// A URI, or a reference that leads elsewhere.
    Uri(Box<str>),
}

/// What a resource is found by.
#[derive(Default)]
pub struct Extracted {
    /// Its entries, each once.
    pub entries: BTreeSet<NamedEntry>,
    /// The ids of the patients in whose compartment it is.
    pub patients: BTreeSet<Box<str>>,
}

/// Says how many there are, never which: the values are somebody's.
impl std::fmt::Debug for Extracted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "[{} entries, {} patients]",
            self.entries.len(),
            self.patients.len()
        )
    }
}

/// What the resource of that type and id is found by.
pub fn extract(
    version: FhirVersion,
    bases: &Bases,
    resource_type: &str,
    id: &str,
    resource: Value<'_>,
) -> Extracted {
    let definitions = Definitions::of(version);
    let mut extracted = Extracted::default();
    if resource_type == "Patient" {
        extracted.patients.insert(id.into());
    }
    for offered in Parameters::of(version).offered(resource_type) {
        let Some(path) = &offered.path else { continue };
        path.walk(resource, &mut |value| match offered.kind {
            ParameterKind::Token => extracted.identifier(offered, value),
            _ => extracted.reference(definitions, bases, offered, value),
        });
    }
    extracted
}

impl Extracted {
    fn insert(&mut self, offered: &Offered, value: NamedValue) {
        self.entries.insert(NamedEntry {
            parameter: offered.definition.url,
            value,
        });
    }

    fn identifier(&mut self, offered: &Offered, identifier: Value<'_>) {
        let text = |name| identifier.get(name).and_then(Value::as_str);
        if let Some(code) = text("value") {
            let system = text("system").map(|it| fit(&it).into());
            self.insert(
                offered,
                NamedValue::Token {
                    system,
                    code: fit(&code).into(),
                },
            );
        }
    }

    fn reference(
        &mut self,
        definitions: &Definitions,
        bases: &Bases,
        offered: &Offered,
        value: Value<'_>,
    ) {
        let Some(text) = value.as_str().or_else(|| value.get("reference")?.as_str()) else {
            return;
        };
        match bases.target(definitions, &text) {
            Target::Local {
                resource_type, id, ..
            } => {
                if offered.is_lane && resource_type == "Patient" {
                    self.patients.insert(id.into());
                }
                let (resource_type, id) = (resource_type.into(), id.into());
                self.insert(offered, NamedValue::Reference { resource_type, id });
            }
            Target::Contained => {}
            Target::Elsewhere(uri) => {
                self.insert(offered, NamedValue::Uri(fit(uri).into()));
                if let Some((canonical, _)) = uri.split_once('|') {
                    self.insert(offered, NamedValue::Uri(fit(canonical).into()));
                }
            }
        }
    }
}

/// The text, cut to what an entry may hold.
pub(crate) fn fit(text: &str) -> &str {
    &text[..text.floor_char_boundary(TEXT_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use fhir::json::{Document, Limits};

    use super::*;

    fn check(version: FhirVersion, resource: &str, expected: &[&str]) {
        let document = Document::parse(resource.to_owned().into(), &Limits::DEFAULT).unwrap();
        let resource_type = document
            .root()
            .get("resourceType")
            .unwrap()
            .as_str()
            .unwrap();
        let bases = Bases::new(["http://here"]);
        let extracted = extract(version, &bases, &resource_type, "me", document.root());
        let entries = extracted.entries.iter().map(|entry| {
            let name = entry.parameter.rsplit('/').next().unwrap();
            match &entry.value {
                NamedValue::Token { system, code } => {
                    format!("{name} {}|{code}", system.as_deref().unwrap_or_default())
                }
                NamedValue::Reference { resource_type, id } => {
                    format!("{name} {resource_type}/{id}")
                }
                NamedValue::Uri(uri) => format!("{name} <{uri}>"),
            }
        });
        let patients = extracted.patients.iter().map(|id| format!("lane {id}"));
        assert_eq!(entries.chain(patients).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn identifiers_references_and_lanes() {
        let observation = r##"{"resourceType":"Observation",
            "identifier":[{"system":"http://s","value":"1"},{"value":"2"},{"system":"http://s"}],
            "subject":{"reference":"http://here/Patient/p"},
            "performer":[{"reference":"Practitioner/d/_history/3"},{"reference":"#x"},
                         {"reference":"urn:uuid:9"},{"display":"somebody"}]}"##;
        check(
            FhirVersion::R4,
            observation,
            &[
                "Observation-performer Practitioner/d",
                "Observation-performer <urn:uuid:9>",
                "Observation-subject Patient/p",
                "clinical-identifier |2",
                "clinical-identifier http://s|1",
                "clinical-patient Patient/p",
                "lane p",
            ],
        );
    }

    #[test]
    fn a_patient_is_in_the_own_lane_and_in_those_it_is_linked_with() {
        for version in FhirVersion::ALL {
            check(
                version,
                r#"{"resourceType":"Patient","link":[{"other":{"reference":"Patient/other"}}]}"#,
                &["Patient-link Patient/other", "lane me", "lane other"],
            );
        }
    }

    #[test]
    fn a_canonical_is_found_with_and_without_its_version() {
        check(
            FhirVersion::R4,
            r#"{"resourceType":"MeasureReport","measure":"http://x/Measure/1|2.0"}"#,
            &[
                "MeasureReport-measure <http://x/Measure/1>",
                "MeasureReport-measure <http://x/Measure/1|2.0>",
            ],
        );
    }

    #[test]
    fn texts_are_cut_at_a_character() {
        let text = format!("{}äö", "a".repeat(TEXT_BYTES_MAX - 1));
        assert_eq!(fit(&text).len(), TEXT_BYTES_MAX - 1);
    }
}
