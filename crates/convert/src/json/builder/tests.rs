//! What the builder makes of texts, whole and in pieces.

use expect_test::{Expect, expect};

use super::super::write;
use super::*;

fn built(leniency: Leniency, pieces: &[(TextKind, &str)]) -> String {
    let arena = Arena::new();
    let mut builder = Builder::new(&arena, leniency, 8);
    let texts = pieces.iter().map(|(kind, text)| Text::of(*kind, text));
    let pushed = texts.into_iter().try_for_each(|text| builder.push(text));
    match pushed.and_then(|()| builder.finish()) {
        Ok(Some(value)) => write::to_string(value),
        Ok(None) => "nothing".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Whole, and cut at every character: the result is the same.
fn check(leniency: Leniency, text: &str, expected: &Expect) {
    let whole = built(leniency, &[(TextKind::Markup, text)]);
    let cut: Vec<_> = text
        .char_indices()
        .map(|(at, c)| (TextKind::Markup, &text[at..at + c.len_utf8()]))
        .collect();
    assert_eq!(built(leniency, &cut), whole);
    expected.assert_eq(&whole);
}

#[test]
fn lenient_json_is_read() {
    use Leniency::{DropEmpty, KeepEmpty};
    let text = r#"x {,"a": 1,, "b" : [,"", 2.50, null,],"a":"\u00e9\ud83d\ude00\n","c":{"d":""},"e":,} tail"#;
    check(
        DropEmpty,
        text,
        &expect![[r#"{"a":"é😀\n","b":[2.50,null]}"#]],
    );
    check(
        KeepEmpty,
        text,
        &expect![[r#"{"a":"é😀\n","b":["",2.50,null],"c":{"d":""},"e":null}"#]],
    );
    check(
        KeepEmpty,
        "{ // {\n \"a\": /* } */ tru , \"b\": true ?, \"c\": 12 mg }",
        &expect![[r#"{"a":null,"b":true,"c":12}"#]],
    );
    check(DropEmpty, "", &expect!["nothing"]);
}

#[test]
fn faults_are_named() {
    use Leniency::DropEmpty;
    for (text, expected) in [
        (
            r#"{"a":1 "b":2}"#,
            expect!["the output is not JSON: a comma is missing between members"],
        ),
        (
            r#"[1 2]"#,
            expect!["the output is not JSON: a comma is missing between items"],
        ),
        (
            r#"{"a":007}"#,
            expect![
                "the output is not JSON: a bare value is neither a number nor true, false or null"
            ],
        ),
        (
            r#"{"a" "b"}"#,
            expect!["the output is not JSON: a colon is missing after a member's name"],
        ),
        (
            r#"{"a":"#,
            expect!["the output is not JSON: an object is not closed with `}`"],
        ),
        (
            r#"{"a":"b"#,
            expect![[r#"the output is not JSON: a string is not closed with `"`"#]],
        ),
        (
            r#"[}"#,
            expect!["the output is not JSON: `}` closes the `[`"],
        ),
        ("[[[[[[[[[", expect!["more than 8 (`depth_max`)"]),
    ] {
        check(DropEmpty, text, &expected);
    }
}

#[test]
fn data_adds_no_field() {
    use TextKind::{Escaped, Markup, Plain};
    let hostile = "Jones\",\"suffix\":[\"X\\";
    let shown = built(
        Leniency::DropEmpty,
        &[
            (Markup, "{\"a\":\""),
            (Plain, hostile),
            (Markup, "\",\"b\":"),
            (Plain, hostile),
            (Markup, ",\"c\":\""),
            (Escaped, "x\\\"y\\\\\"z"),
            (Markup, "\",\"d\":"),
            (Plain, "5.40"),
            (Markup, "}"),
        ],
    );
    let expected = expect![[
        r#"{"a":"Jones\",\"suffix\":[\"X\\","b":"Jones\",\"suffix\":[\"X\\","c":"x\"y\\\"z","d":5.40}"#
    ]];
    expected.assert_eq(&shown);
}
