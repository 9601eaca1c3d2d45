//! What the parser promises, in small.

use bytes::Bytes;

use super::*;

fn parse(text: &str) -> Document {
    Document::parse(Bytes::copy_from_slice(text.as_bytes()), &Limits::DEFAULT).unwrap()
}

#[test]
fn a_node_takes_16_bytes() {
    assert_eq!(size_of::<Node>(), 16);
}

#[test]
fn values_know_their_place_and_digits() {
    let document = parse(
        "\u{feff}{ \"a\": [1.00, -0e1, {\"b\\u0063\": \"d\\n\\ud83d\\ude00\"}], \"e\": null, \"f\" : true }",
    );
    let root = document.root();
    let names: Vec<_> = root.members().map(|it| it.name.into_owned()).collect();
    assert_eq!(names, ["a", "e", "f"]);
    let items: Vec<_> = root.get("a").unwrap().items().collect();
    assert_eq!(items[0].as_number(), Some("1.00"));
    assert_eq!(items[1].as_number(), Some("-0e1"));
    assert_eq!(items[2].get("bc").unwrap().as_str().unwrap(), "d\n😀");
    assert!(items[2].get("bc").unwrap().is_str("d\n😀"));
    assert!(root.get("e").unwrap().is_null());
    assert_eq!(root.get("f").unwrap().as_bool(), Some(true));
    assert!(root.get("g").is_none());
    assert_eq!(root.get("e").unwrap().items().count(), 0);
    assert_eq!(&document.as_str()[root.get("f").unwrap().span()], "true");
}

#[test]
fn printing_changes_white_space_only() {
    let document = parse(" {\"a\" : [ 1.0 , \"x \\\" y\" , [ ] , { } ] ,\n\"b\":{\"c\":false}} ");
    let minified = minify(&document);
    assert_eq!(minified, r#"{"a":[1.0,"x \" y",[],{}],"b":{"c":false}}"#);
    let printed = pretty(&document);
    assert_eq!(
        printed,
        "{\n  \"a\": [\n    1.0,\n    \"x \\\" y\",\n    [],\n    {}\n  ],\n  \"b\": {\n    \"c\": false\n  }\n}\n"
    );
    assert_eq!(minify(&parse(&printed)), minified);
    assert!(same_content(document.root(), parse(&printed).root()));
}

#[test]
fn content_is_compared_without_the_order_of_members() {
    for (left, right, expected) in [
        (r#"{"a":1,"b":2}"#, r#"{ "b":2, "a":1 }"#, true),
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
        (r#"{"a":1.0}"#, r#"{"a":1.00}"#, false),
        (r#"["\u0041"]"#, r#"["A"]"#, true),
        ("[1,2]", "[2,1]", false),
        ("[1]", "[1,1]", false),
        ("[null]", "[false]", false),
    ] {
        let same = same_content(parse(left).root(), parse(right).root());
        assert_eq!(same, expected, "{left} {right}");
    }
}

#[test]
fn splices_apply_in_any_order() {
    let at = |span, with: &str| Splice {
        span,
        with: with.to_owned(),
    };
    let spliced = splice(
        "abcdef",
        vec![at(4..6, "X"), at(0..1, ""), at(2..2, "-"), at(2..2, "+")],
    );
    assert_eq!(spliced, "b-+cdX");
}

#[test]
fn strings_are_written_so_that_they_read_back() {
    let text = "a\"\\/\u{8}\u{c}\n\r\t\u{1}\u{7f}é😀";
    let mut written = String::new();
    write_string(text, &mut written);
    assert_eq!(parse(&written).root().as_str().unwrap(), text);
}
