//! Limits, and input made to hurt: an answer in bounded time and size, and no panic.

use bytes::Bytes;
use expect_test::{Expect, expect};
use fhir::json::{Document, Limits};
use fhir::validate::{Options, validate};
use fhir::{Definitions, FhirVersion};

use super::{lines, parse};

fn check(json: &str, issues_max: usize, expected: &Expect) {
    let options = Options {
        issues_max,
        ..Options::default()
    };
    let found = validate(&parse(json), Definitions::of(FhirVersion::R4), options);
    expected.assert_eq(&lines(&found));
}

fn repeated(part: &str, count: usize) -> String {
    vec![part; count].join(",")
}

#[test]
fn issues_beyond_the_limit_are_counted() {
    let names = repeated(r#"{"given":[1,2]}"#, 50_000);
    check(
        &format!(r#"{{"resourceType":"Patient","name":[{names}]}}"#),
        2,
        &expect![[r#"
            Patient.name[0].given[0]: a number stands where a string must be (give a string)
            Patient.name[0].given[1]: a number stands where a string must be (give a string)
            : the limit `issues_max` of 2 is reached; not listed: 99998 (mend those listed and send the resource again)
        "#]],
    );
    check(
        r#"{"resourceType":"Patient","active":1}"#,
        1,
        &expect![[r#"
        Patient.active: a number stands where a boolean must be (give a boolean)
    "#]],
    );
    check(
        r#"{"resourceType":"Patient","active":1}"#,
        0,
        &expect![[r#"
        : the limit `issues_max` of 0 is reached; not listed: 1 (mend those listed and send the resource again)
    "#]],
    );
}

#[test]
fn nesting_is_limited_whatever_the_parser_allows() {
    let deep = r#"{"linkId":"1","type":"group","item":["#.repeat(5_000);
    let json = format!(
        r#"{{"resourceType":"Questionnaire","status":"draft","item":[{deep}{{}}{}]}}"#,
        "]}".repeat(5_000)
    );
    let limits = Limits {
        depth_max: 100_000,
        ..Limits::DEFAULT
    };
    let document = Document::parse(Bytes::from(json), &limits).expect("JSON");
    let found = validate(
        &document,
        Definitions::of(FhirVersion::R4),
        Options::default(),
    );
    let place = &found[0].expression[0];
    assert_eq!(place.matches(".item[0]").count(), 128);
    assert_eq!(found[0].what, "elements are nested more than 128 deep");
    assert_eq!(found.len(), 1);
}

#[test]
fn long_names_are_not_shown() {
    let name = "a".repeat(1_000_000);
    check(
        &format!(
            r#"{{"resourceType":"Patient","{name}":1,"x\ny":1,"{}":1}}"#,
            "b".repeat(65)
        ),
        100,
        &expect![[r#"
            Patient: there is no element (a name of 1000000 bytes) here (leave it out, or use an extension)
            Patient: there is no element (a name of 3 bytes) here (leave it out, or use an extension)
            Patient: there is no element (a name of 65 bytes) here (leave it out, or use an extension)
        "#]],
    );
    check(
        &format!(r#"{{"resourceType":"{name}"}}"#),
        100,
        &expect![[r#"
            Resource: `resourceType` names no resource type of R4 (use a type of this FHIR version)
        "#]],
    );
    check(
        &format!(
            r#"{{"resourceType":"Basic","code":{{"text":"x"}},"subject":{{"reference":"A{name}/1"}}}}"#
        ),
        100,
        &expect![[r#"
            Basic.subject: the reference names no resource type of R4 (refer to a type of this FHIR version)
        "#]],
    );
}

#[test]
fn values_are_never_shown() {
    let marker = "Xq7Marker";
    for member in [
        "\"birthDate\":\"Xq7Marker\"",
        "\"gender\":\"Xq7Marker\"",
        "\"id\":\"Xq7Marker?\"",
        "\"name\":[{\"use\":\"Xq7Marker\",\"given\":\"Xq7Marker\"}]",
        "\"managingOrganization\":{\"reference\":\"Xq7Marker?\"}",
        "\"managingOrganization\":{\"reference\":\"#Xq7Marker\"}",
        "\"text\":{\"status\":\"generated\",\"div\":\"<div>Xq7Marker<p title=Xq7Marker/>\"}",
        "\"extension\":[{\"url\":\"Xq7Marker Xq7Marker\"}]",
        "\"contained\":[{\"resourceType\":\"Xq7Marker\"}]",
        "\"active\":\"Xq7Marker\"",
        "\"photo\":[{\"data\":\"Xq7Marker?\",\"contentType\":\"Xq7Marker Xq7Marker\"}]",
    ] {
        let document = parse(&format!("{{\"resourceType\":\"Patient\",{member}}}"));
        let found = validate(
            &document,
            Definitions::of(FhirVersion::R4),
            Options::default(),
        );
        assert!(!found.is_empty(), "{member}");
        assert!(!lines(&found).contains(marker), "{member}");
    }
}

/// Sizes at which anything quadratic would take minutes.
#[test]
fn time_grows_with_the_text_only() {
    let nulls = repeated("null", 100_000);
    let ids = repeated(r#"{"id":"x"}"#, 100_000);
    let unknown: Vec<_> = (0..100_000).map(|at| format!("\"x{at}\":0")).collect();
    let unknown = unknown.join(",");
    let patient = |member: String| format!(r#"{{"resourceType":"Patient",{member}}}"#);
    for json in [
        patient(format!(
            r#""name":[{{"given":[{nulls}],"_given":[{nulls}]}}]"#
        )),
        patient(format!(r#""name":[{{"_given":[{ids}]}}]"#)),
        patient(format!(
            r#""contained":[{}]"#,
            repeated(r#"{"resourceType":"Basic","id":"x"}"#, 20_000)
        )),
        patient(format!(
            r##""contained":[{}],"link":[{}]"##,
            repeated(r#"{"resourceType":"Basic","id":"x"}"#, 20_000),
            repeated(r##"{"other":{"reference":"#y"}}"##, 20_000)
        )),
        patient(unknown.clone()),
        patient(format!(r#""birthDate":"{}""#, "9".repeat(1_000_000))),
        patient(format!(
            r#""extension":[{{{unknown},"valueString":"x","valueCode":"x","valueId":"x"}}]"#
        )),
        patient(format!(
            r#""extension":[{}]"#,
            repeated(r#"{"url":"x"}"#, 100_000)
        )),
    ] {
        let found = validate(
            &parse(&json),
            Definitions::of(FhirVersion::R4),
            Options::default(),
        );
        assert!((1..=101).contains(&found.len()));
    }
}
