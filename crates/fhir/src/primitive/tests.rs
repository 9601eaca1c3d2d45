//! Texts that are values of a primitive, and texts that are not.

use super::*;

const BOTH: [bool; 2] = [true, true];
const NEITHER: [bool; 2] = [false, false];
const STU3_ONLY: [bool; 2] = [true, false];
const R4_ONLY: [bool; 2] = [false, true];

/// Whether the texts are values of that primitive in STU3 and in R4.
fn check(name: &str, expected: [bool; 2], texts: &[&str]) {
    let primitive = Primitive::named(name).expect("a primitive");
    for text in texts {
        let found = FhirVersion::ALL.map(|version| primitive.accepts(text, version));
        assert_eq!(found, expected, "{name}: {text:?}");
    }
}

#[test]
fn rows_are_sorted_and_found_by_name() {
    assert!(PRIMITIVES.is_sorted_by(|one, next| one.name < next.name));
    for row in &PRIMITIVES {
        assert!(Primitive::named(row.name).is_some_and(|it| it.name == row.name));
        assert!(!row.accepts("", FhirVersion::R4), "{}", row.name);
    }
    assert!(Primitive::named("HumanName").is_none());
}

#[test]
fn numbers() {
    check("integer", BOTH, &["0", "-1", "2147483647", "-2147483648"]);
    check(
        "integer",
        NEITHER,
        &[
            "2147483648",
            "-2147483649",
            "-0",
            "01",
            "1.0",
            "1e2",
            "-",
            "99999999999999999999",
        ],
    );
    check("unsignedInt", BOTH, &["0", "7"]);
    check("unsignedInt", NEITHER, &["-1", "2147483648"]);
    check("positiveInt", BOTH, &["1", "2147483647"]);
    check("positiveInt", NEITHER, &["0", "-1"]);
    check(
        "decimal",
        BOTH,
        &[
            "0",
            "-0.50",
            "12.3400",
            "123456789012345678901234567890.123456789",
        ],
    );
    check("decimal", R4_ONLY, &["1e10", "1.0E-10", "-1.5e+3"]);
    check(
        "decimal",
        NEITHER,
        &["1e", "1e+", "00.1", ".5", "5.", "+1", "1e5x", "-", "NaN"],
    );
    check("boolean", BOTH, &["true", "false"]);
    check("boolean", NEITHER, &["1", "TRUE"]);
}

#[test]
fn dates_and_times() {
    check(
        "date",
        BOTH,
        &["2026", "2026-11", "2026-11-23", "2024-02-29", "2000-02-29"],
    );
    check("date", STU3_ONLY, &["0000", "-0044-03-15"]);
    check(
        "date",
        NEITHER,
        &[
            "2023-02-29",
            "1900-02-29",
            "2026-13",
            "2026-00",
            "2026-04-31",
            "2026-11-00",
            "26-11-23",
            "2026-1-1",
            "2026/11/23",
            "2026-11-23 ",
            "2026-",
            "20261123",
            "2026-11-23T10:00:00Z",
            "٢٠٢٦",
        ],
    );
    check(
        "dateTime",
        BOTH,
        &[
            "2026",
            "2026-11-23",
            "2026-11-23T10:00:00Z",
            "2026-11-23T10:00:00.123456789+05:30",
            "2026-11-23T10:00:00-14:00",
        ],
    );
    check("dateTime", R4_ONLY, &["2016-12-31T23:59:60Z"]);
    check(
        "dateTime",
        NEITHER,
        &[
            "2026-11-23T10:00:00-14:01",
            "2026-11-23T10:00:00+01:60",
            "2026-11-23T10:00:00",
            "2026-11-23T10:00Z",
            "2026-11-23T24:00:00Z",
            "2026-11-23T10:60:00Z",
            "2016-12-31T23:59:61Z",
            "2026-11-23T10:00:00.Z",
            "2026-11T10:00:00Z",
            "2026-11-23t10:00:00z",
            "2026-11-23T10:00:00Z ",
        ],
    );
}

#[test]
fn instants_and_times() {
    check(
        "instant",
        BOTH,
        &["2026-11-23T10:00:00Z", "2026-11-23T10:00:00.1+00:00"],
    );
    check(
        "instant",
        NEITHER,
        &["2026-11-23", "2026", "2026-11-23T10:00:00"],
    );
    check("time", BOTH, &["10:00:00", "23:59:59.999"]);
    check("time", R4_ONLY, &["23:59:60"]);
    check(
        "time",
        NEITHER,
        &["24:00:00", "10:00", "10:00:00Z", "1:00:00"],
    );
}

#[test]
fn texts_and_codes() {
    let longest = "ä".repeat(lexical::STRING_CHARS_MAX);
    let too_long = "a".repeat(lexical::STRING_CHARS_MAX + 1);
    for name in ["string", "markdown"] {
        check(
            name,
            BOTH,
            &["a", " ", "a\tb\r\nc", "\u{a0}", "😀", &longest],
        );
        check(name, NEITHER, &["\u{0}", "a\u{1b}", &too_long]);
    }
    check("code", BOTH, &["a", "a b", "<="]);
    check("code", NEITHER, &["a  b", " a", "a ", "a\tb", " "]);
}

#[test]
fn identifiers() {
    let id = "a".repeat(65);
    check("id", BOTH, &["a-B.9", &id[..64]]);
    check("id", NEITHER, &["a_b", &id]);
    for name in ["uri", "url", "canonical"] {
        check(
            name,
            BOTH,
            &[
                "http://example.org/a?b#c",
                "urn:x",
                "a|1.0",
                "http://example.org/ü",
            ],
        );
        check(name, NEITHER, &["a b", "a\n", " "]);
    }
    check("oid", BOTH, &["urn:oid:1.2.3", "urn:oid:2.16.0.1"]);
    check(
        "oid",
        NEITHER,
        &[
            "urn:oid:3.1",
            "urn:oid:1",
            "urn:oid:1.02",
            "1.2.3",
            "urn:oid:1.",
            "urn:oid:1..2",
            "urn:oid:",
        ],
    );
    check(
        "uuid",
        BOTH,
        &["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"],
    );
    check(
        "uuid",
        NEITHER,
        &[
            "urn:uuid:C757873D-EC9A-4326-A141-556F43239520",
            "c757873d-ec9a-4326-a141-556f43239520",
            "urn:uuid:c757873dec9a4326a141556f43239520",
        ],
    );
}

#[test]
fn base64() {
    check(
        "base64Binary",
        BOTH,
        &["aGVsbG8=", "aGVs bG8=\r\n", "aA==", "aaaa"],
    );
    check(
        "base64Binary",
        NEITHER,
        &[
            "aGVsbG8",
            "a===",
            "aGVs=G8=",
            "aGV_",
            " ",
            "====",
            "aGVsbG8=aGVs",
        ],
    );
}
