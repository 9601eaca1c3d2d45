//! Resources that nobody means well with.

use fhir::FhirVersion;
use search::entry::EntryValue;
use search::extract::{ExtractError, ExtractLimits, GROUPS_MAX, extract};
use search::measure::TEXT_BYTES_MAX;

fn codings(count: usize) -> String {
    let codings: Vec<String> = (0..count)
        .map(|it| format!(r#"{{"code":"{it}"}}"#))
        .collect();
    let codings = codings.join(",");
    format!(r#"{{"resourceType":"Basic","id":"b","code":{{"coding":[{codings}]}}}}"#)
}

#[test]
fn ten_thousand_codings_are_within_the_limit() {
    let document = crate::data::parse(codings(10_000));
    let extracted = crate::given::extracted(FhirVersion::R4, document.root());
    assert_eq!(extracted.entries.len(), 10_000);
}

#[test]
fn too_many_entries_are_refused_by_name() {
    let document = crate::data::parse(codings(10_000));
    let limits = ExtractLimits { entries_max: 9_999 };
    let bases = crate::given::bases();
    let refused = extract(
        FhirVersion::R4,
        &bases,
        &limits,
        "Basic",
        "b",
        document.root(),
    );
    assert_eq!(
        refused,
        Err(ExtractError::TooManyEntries { entries_max: 9_999 })
    );
    let message = "the resource has more than 9999 index entries (`entries_max`)";
    assert_eq!(refused.unwrap_err().to_string(), message);
}

#[test]
fn groups_are_told_apart_or_refused() {
    let limits = ExtractLimits::DEFAULT;
    let bases = crate::given::bases();
    for (count, is_refused) in [(GROUPS_MAX, false), (GROUPS_MAX + 1, true)] {
        let members = vec!["{}"; count].join(",");
        let text = format!(r#"{{"resourceType":"Group","characteristic":[{members}]}}"#);
        let document = crate::data::parse(text);
        let found = extract(
            FhirVersion::R4,
            &bases,
            &limits,
            "Group",
            "g",
            document.root(),
        );
        assert_eq!(found.is_err(), is_refused, "{count}");
    }
}

#[test]
fn long_texts_are_cut() {
    let long = "ä".repeat(1_000_000);
    let text = format!(
        r##"{{"resourceType":"Patient","id":"p","name":[{{"family":"{long}"}}],
        "identifier":[{{"system":"{long}","value":"{long}"}}],
        "generalPractitioner":[{{"reference":"{long}"}}]}}"##
    );
    let document = crate::data::parse(text);
    let extracted = crate::given::extracted(FhirVersion::R4, document.root());
    assert!(!extracted.entries.is_empty());
    for entry in &extracted.entries {
        let length = match &entry.value {
            EntryValue::Token { code, .. } => code.len(),
            EntryValue::Text { exact, .. } => exact.len(),
            EntryValue::Uri(uri) => uri.len(),
            _ => continue,
        };
        assert!(length <= TEXT_BYTES_MAX, "{}", entry.parameter.0);
    }
}

/// What does not have the form that the definitions demand is stored nowhere; it must do no harm.
#[test]
fn nonsense_is_no_value() {
    let resources = [
        r#"{"resourceType":"Patient","name":7,"birthDate":{"a":[]},"telecom":"x","gender":[null]}"#,
        r#"{"resourceType":"Observation","valueQuantity":[[{"value":"x"}]],"code":{"coding":{}}}"#,
        r#"{"resourceType":"Observation","effectivePeriod":{"start":"never","end":5}}"#,
        r#"{"resourceType":"Location","position":{"latitude":1e400,"longitude":"x"}}"#,
        r#"{"resourceType":"Bundle","entry":[7,{"resource":"x"}]}"#,
        r#"{"resourceType":"RiskAssessment","prediction":[{"probabilityDecimal":1e399}]}"#,
    ];
    for version in FhirVersion::ALL {
        for text in resources {
            let document = crate::data::parse(text);
            let entries = crate::given::extracted(version, document.root()).entries;
            assert!(entries.len() < 20, "{text}");
        }
    }
}
