//! Entries of a Bundle are validated at their places, or left for later.

use expect_test::expect;
use fhir::validate::{Entries, Options, validate, validate_at};
use fhir::{Definitions, FhirVersion};

use super::{lines, parse};

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
