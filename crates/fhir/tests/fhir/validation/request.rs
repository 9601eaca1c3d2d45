//! What a request says beside its body: the type and id of its URL, the place of an entry.

use expect_test::{Expect, expect};
use fhir::validate::{Entries, Options, check_type_and_id, validate, validate_at};
use fhir::{Definitions, FhirVersion, ResourceId};

use super::{lines, parse};

fn check(json: &str, id: Option<&str>, expected: &Expect) {
    let id = id.map(|id| ResourceId::parse(id).expect("an id"));
    expected.assert_eq(&lines(&check_type_and_id(
        &parse(json),
        "Patient",
        id.as_ref(),
    )));
}

#[test]
fn type_and_id_are_those_of_the_url() {
    let fits = expect![[""]];
    check(r#"{"resourceType":"Patient"}"#, None, &fits);
    check(r#"{"resourceType":"Patient","id":"a"}"#, None, &fits);
    check(r#"{"resourceType":"Patient","id":"a"}"#, Some("a"), &fits);
    check(
        r#"{"resourceType":"Patient"}"#,
        Some("a"),
        &expect![[r#"
        Patient.id: the body has no `id`, but the URL has one (send the id of the URL as `id`)
    "#]],
    );
    check(
        r#"{"resourceType":"Patient","id":7}"#,
        Some("a"),
        &expect![[r#"
        Patient.id: the body's `id` is not the id in the URL (send the id of the URL as `id`)
    "#]],
    );
    check(
        r#"{"resourceType":"Person","id":"b"}"#,
        Some("a"),
        &expect![[r#"
        Resource: the body is not of the type `Patient` that the URL names (send `"resourceType": "Patient"`, or use the type's own URL)
        Patient.id: the body's `id` is not the id in the URL (send the id of the URL as `id`)
    "#]],
    );
    check(
        "[]",
        None,
        &expect![[r#"
        Resource: the body is not of the type `Patient` that the URL names (send `"resourceType": "Patient"`, or use the type's own URL)
    "#]],
    );
}

const BUNDLE: &str = r#"{"resourceType":"Bundle","type":"batch","total":-1,
    "entry":[{"resource":{"resourceType":"Patient","active":1}}]}"#;

#[test]
fn an_entry_is_validated_at_its_place_or_left_for_later() {
    let document = parse(BUNDLE);
    let definitions = Definitions::of(FhirVersion::R4);
    let shell = Options {
        entries: Entries::Skipped,
        ..Options::default()
    };
    expect![[r#"
        Bundle.total: the value is not a valid `unsignedInt` (must be a whole number from 0 to 2,147,483,647)
    "#]].assert_eq(&lines(&validate(&document, definitions, shell)));

    let entry = document
        .root()
        .get("entry")
        .and_then(|it| it.items().next());
    let resource = entry.and_then(|it| it.get("resource")).expect("a resource");
    let place = "Bundle.entry[0].resource";
    let found = validate_at(resource, place, definitions, Options::default());
    expect![[r#"
        Bundle.entry[0].resource.active: a number stands where a boolean must be (give a boolean)
    "#]]
    .assert_eq(&lines(&found));
}
