//! Unit tests of the engine: what no official case covers.

use bytes::Bytes;
use expect_test::{Expect, expect};

use super::{
    AsOperator, Coded, Environment, FhirPath, Item, Limits, Lookup, LookupError, Node, check,
};
use crate::definitions::Definitions;
use crate::json::{self, Document};
use crate::{FhirVersion, Instant};

const PATIENT: &str = r##"{"resourceType": "Patient", "id": "p", "active": true,
    "contained": [{"resourceType": "Organization", "id": "o", "name": "Ward",
        "partOf": {"reference": "#"}}],
    "name": [{"family": "A", "given": ["B", "C"]}, {"given": ["D"]}],
    "birthDate": "1970-02-01", "maritalStatus": {"coding": [{"system": "s", "code": "M"}]},
    "multipleBirthInteger": 2, "managingOrganization": {"reference": "#o"},
    "generalPractitioner": [{"reference": "Practitioner/1"}]}"##;

fn document(text: &str) -> Document {
    let text = Bytes::from(text.to_owned());
    Document::parse(text, &json::Limits::DEFAULT).unwrap()
}

struct Known;

impl Lookup for Known {
    fn resolve(&self, reference: &str) -> Result<Option<Document>, LookupError> {
        let text = r#"{"resourceType": "Practitioner", "id": "1", "active": false}"#;
        Ok((reference == "Practitioner/1").then(|| document(text)))
    }

    fn member_of(&self, codes: &[Coded<'_>], url: &str) -> Result<Option<bool>, LookupError> {
        let has = |it: &Coded<'_>| it.system == Some("s") && it.code == "M";
        Ok((url == "http://married").then(|| codes.iter().any(has)))
    }
}

fn now() -> Instant {
    Instant::parse("2026-11-24T10:20:30.405678Z").unwrap()
}

fn evaluated(text: &str, expression: &str, change: impl Fn(&mut Environment<'_>)) -> String {
    let document = document(text);
    let path = match FhirPath::compile(expression, Some(FhirVersion::R4)) {
        Ok(path) => path,
        Err(error) => return error.render(),
    };
    let mut environment = Environment::with_lookup(now(), &Known);
    change(&mut environment);
    let node = Node::resource(Definitions::of(FhirVersion::R4), document.root());
    match path.evaluate(Item::Node(node), &environment) {
        Ok(items) => {
            let shown = items.iter().map(|it| it.to_json().unwrap_or_default());
            shown.collect::<Vec<_>>().join(", ")
        }
        Err(error) => error.render(),
    }
}

fn check_patient(expression: &str, expected: &Expect) {
    expected.assert_eq(&evaluated(PATIENT, expression, |_| {}));
}

#[test]
fn faults_point_into_the_expression() {
    for (expression, expected) in [
        (
            "name.where(given = 'B'",
            expect![[r#"
                expected `,` or `)`, found the end at line 1, column 23
                name.where(given = 'B'
                                      ^"#]],
        ),
        (
            "name.\n  wher(true)",
            expect![[r#"
                unknown function `wher`, did you mean `where`? at line 2, column 3
                  wher(true)
                  ^^^^"#]],
        ),
        (
            "name.first(1)",
            expect![[r#"
                `first` takes no arguments, not 1 at line 1, column 6
                name.first(1)
                     ^^^^^"#]],
        ),
        (
            "name.ofType(HumanNam)",
            expect![[r#"
                unknown type `HumanNam`, did you mean `HumanName`? at line 1, column 13
                name.ofType(HumanNam)
                            ^^^^^^^^"#]],
        ),
    ] {
        check_patient(expression, &expected);
    }
}

#[test]
fn faults_of_values_point_into_the_expression() {
    for (expression, expected) in [
        (
            "birthDate > @2020-02-30",
            expect![[r#"
                `@2020-02-30` is not a date or time of the calendar at line 1, column 13
                birthDate > @2020-02-30
                            ^^^^^^^^^^^"#]],
        ),
        (
            "name.given + 'x'",
            expect![[r#"
                the left operand must be a single item, not 3 at line 1, column 1
                name.given + 'x'
                ^^^^^^^^^^"#]],
        ),
        (
            "active < 1",
            expect![[r#"
                `<` is not defined for boolean and Integer at line 1, column 1
                active < 1
                ^^^^^^^^^^"#]],
        ),
        (
            "%rescource.id",
            expect![[r#"
                unknown variable `%rescource`, did you mean `%resource`? at line 1, column 1
                %rescource.id
                ^^^^^^^^^^"#]],
        ),
        (
            "'é' & 'öö' ! 1",
            expect![[r#"
                `!` begins nothing in FHIRPath at line 1, column 12
                'é' & 'öö' ! 1
                           ^"#]],
        ),
        (
            "3000000000",
            expect![[r#"
                an Integer has 32 bits; write `L` after a Long at line 1, column 1
                3000000000
                ^^^^^^^^^^"#]],
        ),
    ] {
        check_patient(expression, &expected);
    }
}

#[test]
fn references_are_resolved_inside_and_outside() {
    check_patient(
        "managingOrganization.resolve().name",
        &expect![[r#""Ward""#]],
    );
    check_patient("contained.partOf.resolve().id", &expect![[r#""p""#]]);
    check_patient("generalPractitioner.resolve().active", &expect!["false"]);
    check_patient(
        "generalPractitioner.resolve() is Practitioner",
        &expect!["true"],
    );
    check_patient(
        "contained.select(%resource.id | %rootResource.id)",
        &expect![[r#""p""#]],
    );
    check_patient("'Practitioner/2'.resolve()", &expect![[""]]);
}

#[test]
fn entries_of_bundles_refer_to_each_other() {
    let bundle = r#"{"resourceType": "Bundle", "entry": [
        {"fullUrl": "http://a/Patient/1", "resource": {"resourceType": "Patient", "id": "1",
            "link": [{"other": {"reference": "Patient/2"}},
                     {"other": {"reference": "urn:uuid:x"}},
                     {"other": {"reference": "http://b/Patient/2"}}]}},
        {"fullUrl": "http://a/Patient/2", "resource": {"resourceType": "Patient", "id": "a2"}},
        {"fullUrl": "http://b/Patient/2", "resource": {"resourceType": "Patient", "id": "b2"}},
        {"fullUrl": "urn:uuid:x", "resource": {"resourceType": "Patient", "id": "x"}}]}"#;
    let resolved = evaluated(
        bundle,
        "Bundle.entry.resource.link.other.resolve().id",
        |_| {},
    );
    expect![[r#""a2", "x", "b2""#]].assert_eq(&resolved);
}

#[test]
fn terminology_is_asked_for() {
    check_patient("maritalStatus.memberOf('http://married')", &expect!["true"]);
    check_patient(
        "maritalStatus.coding.memberOf('http://married')",
        &expect!["true"],
    );
    check_patient("'M'.memberOf('http://married')", &expect!["false"]);
    check_patient(
        "maritalStatus.memberOf('http://unknown')",
        &expect![[r#"
            the value set is not known at line 1, column 15
            maritalStatus.memberOf('http://unknown')
                          ^^^^^^^^^^^^^^^^^^^^^^^^^^"#]],
    );
}

#[test]
fn limits_have_names() {
    let tight = Limits {
        steps_max: 3000,
        items_max: 50,
        string_bytes_max: 200,
        pattern_bytes_max: 2000,
        ..Limits::DEFAULT
    };
    for (expression, limit) in [
        (
            "(1|2|3|4|5).select((1|2|3|4|5)).select(1|2|3|4|5).count()",
            "items_max",
        ),
        ("name.repeatAll($this)", "items_max"),
        (
            "'0123456789'.replace('', '0123456789012345678901234567890123456789')",
            "string_bytes_max",
        ),
        ("'a'.matches('(a{100}){100}')", "pattern_bytes_max"),
        (
            "(1|2|3|4|5).select((1|2|3|4|5).select((1|2|3|4|5).select((1|2|3).where($this > 9))))",
            "steps_max",
        ),
    ] {
        let shown = evaluated(PATIENT, expression, |it| it.limits = tight);
        assert!(
            shown.contains(&format!("exceeds the limit `{limit}`")),
            "{expression}: {shown}"
        );
    }
    for deep in [
        format!("{}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("1{}", " + 1".repeat(5_000)),
        format!("name{}", ".name".repeat(5_000)),
        format!("{}1", "-".repeat(50_000)),
        format!("name{}", "[0]".repeat(10_000)),
    ] {
        let shown = evaluated(PATIENT, &deep, |_| {});
        assert!(
            shown.contains("exceeds the limit `depth_max`"),
            "{shown:.200}"
        );
    }
    let long = "a".repeat(100_000);
    assert!(evaluated(PATIENT, &long, |_| {}).contains("exceeds the limit `text_bytes_max`"));
}

#[test]
fn as_may_filter_for_search_parameters() {
    let single = evaluated(PATIENT, "(name as HumanName).family", |_| {});
    assert!(single.contains("must be a single item"), "{single}");
    let each = |it: &mut Environment<'_>| it.as_operator = AsOperator::EachItem;
    expect![[r#""A""#]].assert_eq(&evaluated(PATIENT, "(name as HumanName).family", each));
}

#[test]
fn variables_stay_where_they_are_defined() {
    check_patient(
        "name.select(defineVariable('n').given.select(%n.family & $this))",
        &expect![[r#""AB", "AC", "D""#]],
    );
    check_patient(
        "name.select(defineVariable('n')).count() + %n.count()",
        &expect![[r#"
            unknown variable `%n` at line 1, column 44
            name.select(defineVariable('n')).count() + %n.count()
                                                       ^^"#]],
    );
}

#[test]
fn time_is_given() {
    check_patient(
        "now() | today() | timeOfDay()",
        &expect![[r#""2026-11-24T10:20:30.405Z", "2026-11-24", "10:20:30.405""#]],
    );
}

#[test]
fn dates_wrap_and_end() {
    for (expression, expected) in [
        ("@9999-12-31 + 1 day", "outside the years"),
        ("@0001-01-01 - 1 day", "outside the years"),
        ("@2020-02-29 - 1 year", "\"2019-02-28\""),
        ("@2020-01-31 + 13 months", "\"2021-02-28\""),
        ("@0001-01-01 + 3652058 days", "\"9999-12-31\""),
        ("@9999-12-31 - 3652058 days", "\"0001-01-01\""),
        ("@2000-03-01 - 1 day", "\"2000-02-29\""),
        ("@1900-03-01 - 1 day", "\"1900-02-28\""),
        ("@T00:00 - 1 minute", "\"23:59\""),
        (
            "@2020-01-01T00:00:00Z - 1 'ms'",
            "\"2019-12-31T23:59:59.999Z\"",
        ),
    ] {
        let shown = evaluated(PATIENT, expression, |_| {});
        assert!(shown.contains(expected), "{expression}: {shown}");
    }
}

#[test]
fn every_day_follows_the_one_before() {
    let mut day = super::Date::parse("0001-01-01").unwrap();
    let first = day;
    for number in 1..3_652_059 {
        let next = day.plus_days(1).unwrap();
        assert_eq!(super::Date::parse(&next.to_string()), Some(next));
        if number % 977 == 0 {
            assert_eq!(first.plus_days(number), Some(next));
            assert_eq!(next.plus_days(-number), Some(first));
        }
        assert!(
            super::DateTime::from(day)
                .compare(next.into())
                .unwrap()
                .is_lt()
        );
        day = next;
    }
    assert_eq!(day.plus_days(1), None);
}

#[test]
fn the_check_names_what_cannot_be() {
    let fault = |expression: &str| {
        let path = FhirPath::compile(expression, Some(FhirVersion::R4)).unwrap();
        check::check(&path, "Observation").map_or_else(|it| it.render(), |it| format!("{it:?}"))
    };
    expect![[r#"
        Observation has no element `subjekt`, did you mean `subject`? at line 1, column 1
        subjekt.reference
        ^^^^^^^"#]]
    .assert_eq(&fault("subjekt.reference"));
    expect![[r#"
        `valueQuantity` is written `value` in FHIRPath, or `value.ofType(Quantity)` at line 1, column 1
        valueQuantity.unit
        ^^^^^^^^^^^^^"#]]
    .assert_eq(&fault("valueQuantity.unit"));
    expect![[r#"
        the expression starts from Observation, not `Patient` at line 1, column 1
        Patient.name
        ^^^^^^^"#]]
    .assert_eq(&fault("Patient.name"));
    expect![[r#"
        Period has no element `unit` at line 1, column 1
        (value as Period).unit
        ^^^^^^^^^^^^^^^^^^^^^^"#]]
    .assert_eq(&fault("(value as Period).unit"));
    let path = FhirPath::compile("status as dateTime", Some(FhirVersion::R4)).unwrap();
    assert!(check::check(&path, "Observation").unwrap().is_never());
}

#[test]
fn nothing_of_the_data_is_in_messages_or_debug_output() {
    let secret = PATIENT
        .replace("\"A\"", "\"Geheim\"")
        .replace("\"p\"", "\"geheim\"");
    for expression in [
        "name.family + 1.toString().toQuantity()",
        "name.first().family + 1",
        "name.family.matches('(')",
        "name.family.decode('base64')",
        "name.first().family.encode('x')",
        "id.memberOf('x')",
        "%factory.date(name.first().family)",
        "-name.first().family",
    ] {
        let shown = evaluated(&secret, expression, |_| {});
        assert!(!shown.to_lowercase().contains("geheim"), "{shown}");
        assert!(shown.contains('^'), "{expression} gives {shown}");
    }
    let document = document(&secret);
    let node = Node::untyped(document.root());
    let item = Item::string("Geheim");
    assert!(
        !format!("{node:?} {item:?}")
            .to_lowercase()
            .contains("geheim")
    );
}

#[test]
fn expressions_are_shared_by_threads() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    is_shared(&FhirPath::compile("name.given", Some(FhirVersion::R4)).unwrap());
}

#[test]
fn quantities_are_values_only_with_units_of_ucum() {
    let observation = |quantity: &str, expression: &str| {
        let text = format!(r#"{{"resourceType": "Observation", "valueQuantity": {quantity}}}"#);
        evaluated(&text, expression, |_| {})
    };
    let grams = r#"{"value": 4.0, "system": "http://unitsofmeasure.org", "code": "g"}"#;
    let pills = r#"{"value": 4, "system": "http://other", "code": "g"}"#;
    let below = r#"{"value": 4, "comparator": "<", "code": "g"}"#;
    for (quantity, expression, expected) in [
        (grams, "value = 4000 'mg'", "true"),
        (grams, "value > 3 'g'", "true"),
        (grams, "value * 2", "\"8.0 'g'\""),
        (pills, "value = 4 'g'", "false"),
        (pills, "value > 3 'g'", ""),
        (pills, "value = value", "true"),
        (pills, "value and true", "true"),
        (below, "value = 4 'g'", "false"),
        (below, "value < 5 'g'", ""),
        (r#"{"unit": "g"}"#, "value < 5 'g'", ""),
    ] {
        assert_eq!(
            observation(quantity, expression),
            expected,
            "{quantity} {expression}"
        );
    }
}
