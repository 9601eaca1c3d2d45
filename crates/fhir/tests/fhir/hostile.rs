//! Input made to hurt: each kind is refused with a clear message, or costs no more than its size.

use std::fmt::Write as _;

use bytes::Bytes;
use expect_test::{Expect, expect};
use fhir::json::{Document, JsonError, Limits};
use fhir::xml::{self, XmlFault};
use fhir::{Definitions, FhirVersion};

fn parse(text: impl Into<Bytes>) -> Result<Document, JsonError> {
    Document::parse(text.into(), &Limits::DEFAULT)
}

fn read(text: &[u8]) -> Result<String, Vec<XmlFault>> {
    xml::read(text, Definitions::of(FhirVersion::R4), &Limits::DEFAULT)
}

fn check_json(cases: &[(&str, &[u8])], expected: &Expect) {
    let mut told = String::new();
    for (name, text) in cases {
        match parse(text.to_vec()) {
            Ok(_) => writeln!(told, "{name}: accepted").unwrap(),
            Err(error) => writeln!(told, "{name}: {error}").unwrap(),
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn json_that_is_no_json() {
    check_json(
        &[
            ("nothing", b""),
            ("blanks", b" \n "),
            ("a byte-order mark alone", b"\xEF\xBB\xBF"),
            ("UTF-16", b"\xFF\xFE{\0}\0"),
            ("broken UTF-8", b"{\"a\": \"\xC3\x28\"}"),
            ("an overlong NUL", b"{\"a\": \"\xC0\x80\"}"),
            ("a surrogate in UTF-8", b"[\"\xED\xA0\x80\"]"),
            ("trailing garbage", b"{} x"),
            ("two texts", b"{}{}"),
            ("an unclosed object", b"{\"a\": 1"),
            ("an unclosed array", b"[1, 2"),
            ("an unclosed string", b"{\n  \"a\": \"b}"),
            ("crossed brackets", b"{\"a\": [1}"),
            ("a trailing comma", b"[1, ]"),
            ("a trailing comma in an object", b"{\"a\": 1, }"),
            ("a bare name", b"{a: 1}"),
            ("single quotes", b"{'a': 1}"),
            ("no colon", b"{\"a\" 1}"),
            ("a comment", b"{} // x"),
            ("an unknown word", b"[undefined]"),
            ("a capital word", b"[True]"),
            ("half a word", b"[nul"),
            ("a word that goes on", b"[nullx]"),
            ("NaN", b"[NaN]"),
            ("infinity", b"[-Infinity]"),
        ],
        &expect![[r#"
            nothing: the text ends where a value is expected at line 1, column 1
            blanks: the text ends where a value is expected at line 2, column 2
            a byte-order mark alone: the text ends where a value is expected at line 1, column 1
            UTF-16: the text is not UTF-8 at line 1, column 1
            broken UTF-8: the text is not UTF-8 at line 1, column 8
            an overlong NUL: the text is not UTF-8 at line 1, column 8
            a surrogate in UTF-8: the text is not UTF-8 at line 1, column 3
            trailing garbage: the text goes on after its end at line 1, column 4
            two texts: the text goes on after its end at line 1, column 3
            an unclosed object: the text ends where `,` or `}` is expected at line 1, column 8
            an unclosed array: the text ends where `,` or `]` is expected at line 1, column 6
            an unclosed string: a string is not closed at line 2, column 8
            crossed brackets: `,` or `]` is expected at line 1, column 9
            a trailing comma: a value is expected at line 1, column 5
            a trailing comma in an object: a name in double quotes is expected at line 1, column 10
            a bare name: a name in double quotes is expected at line 1, column 2
            single quotes: a name in double quotes is expected at line 1, column 2
            no colon: `:` is expected at line 1, column 6
            a comment: the text goes on after its end at line 1, column 4
            an unknown word: a value is expected at line 1, column 2
            a capital word: a value is expected at line 1, column 2
            half a word: a value is expected at line 1, column 2
            a word that goes on: `,` or `]` is expected at line 1, column 6
            NaN: a value is expected at line 1, column 2
            infinity: a number needs a digit at line 1, column 3
        "#]],
    );
}

#[test]
fn json_with_bad_strings_numbers_and_names() {
    let digits = "1".repeat(300);
    check_json(
        &[
            ("a bare NUL", b"[\"a\0b\"]"),
            ("an escaped NUL", b"[\"a\\u0000b\"]"),
            ("a bare line feed", b"[\"a\nb\"]"),
            ("a bare escape character", b"[\"\x1b[31m\"]"),
            ("an unknown escape", b"[\"\\x41\"]"),
            ("a short escape", b"[\"\\u12\"]"),
            ("a signed escape", b"[\"\\u+123\"]"),
            ("a high surrogate alone", b"[\"\\ud83d\"]"),
            ("a low surrogate alone", b"[\"\\ude00\"]"),
            ("two high surrogates", b"[\"\\ud83d\\ud83d\"]"),
            ("a backslash at the end", b"[\"\\"),
            ("a leading zero", b"[01]"),
            ("a leading plus", b"[+1]"),
            ("a minus alone", b"[-]"),
            ("a bare point", b"[.5]"),
            ("a point at the end", b"[5.]"),
            ("a bare exponent", b"[1e]"),
            ("hexadecimal", b"[0x10]"),
            ("a huge exponent", b"[1e999999999999]"),
            ("a long number", format!("[{digits}]").as_bytes()),
            ("a name twice", b"{\"a\": 1,\n \"b\": 2, \"a\": 3}"),
            ("a name twice, escaped", b"{\"ab\": 1, \"\\u0061b\": 2}"),
            ("a strange name twice", b"{\"<b>\": 1, \"<b>\": 2}"),
        ],
        &expect![[r#"
            a bare NUL: a string holds a bare control character at line 1, column 4
            an escaped NUL: a string holds the character NUL at line 1, column 4
            a bare line feed: a string holds a bare control character at line 1, column 4
            a bare escape character: a string holds a bare control character at line 1, column 3
            an unknown escape: a string holds an unknown escape at line 1, column 3
            a short escape: four hexadecimal digits must follow `\u` at line 1, column 3
            a signed escape: four hexadecimal digits must follow `\u` at line 1, column 3
            a high surrogate alone: a string holds half a surrogate pair at line 1, column 3
            a low surrogate alone: a string holds half a surrogate pair at line 1, column 3
            two high surrogates: a string holds half a surrogate pair at line 1, column 3
            a backslash at the end: a string holds an unknown escape at line 1, column 3
            a leading zero: a number begins with a superfluous `0` at line 1, column 2
            a leading plus: a value is expected at line 1, column 2
            a minus alone: a number needs a digit at line 1, column 3
            a bare point: a value is expected at line 1, column 2
            a point at the end: a digit must follow the decimal point at line 1, column 4
            a bare exponent: a digit must follow the exponent's `e` at line 1, column 4
            hexadecimal: `,` or `]` is expected at line 1, column 3
            a huge exponent: an exponent above 400 (`exponent_max`) at line 1, column 4
            a long number: more than 256 characters in a number (`number_chars_max`) at line 1, column 2
            a name twice: the name `a` occurs twice in one object at line 2, column 10
            a name twice, escaped: a name occurs twice in one object at line 1, column 11
            a strange name twice: a name occurs twice in one object at line 1, column 12
        "#]],
    );
}

#[test]
fn json_nesting_is_limited() {
    for text in ["[".repeat(100_000), "{\"a\":".repeat(100_000)] {
        let error = parse(text).unwrap_err();
        assert_eq!(error.limit, Some("depth_max"));
        assert!(error.what.starts_with("more than 128 levels"), "{error}");
    }
    let deepest = format!("{}{}", "[".repeat(128), "]".repeat(128));
    assert!(parse(deepest).is_ok());
}

#[test]
fn json_sizes_are_limited() {
    let mut long = vec![b'"'; 100_000_000];
    long[1..99_999_999].fill(b'a');
    let error = parse(long.clone()).unwrap_err();
    assert_eq!(error.limit, Some("bytes_max"));
    let limits = Limits {
        bytes_max: 100_000_000,
        ..Limits::DEFAULT
    };
    let document = Document::parse(long.into(), &limits).unwrap();
    assert!(
        document.memory() <= 102_000_000,
        "one string is one node, with some room"
    );

    let many = format!("[{}1]", "1,".repeat(5_000_000));
    assert_eq!(parse(many).unwrap_err().limit, Some("values_max"));
}

#[test]
fn a_million_names_take_no_square() {
    let object = |names: &dyn Fn(usize) -> String| {
        let mut text = String::from("{");
        for at in 0..1_000_000 {
            write!(text, "\"{}\":1,", names(at)).unwrap();
        }
        text
    };
    let all = object(&|at| format!("n{at:07}e"));
    assert!(parse(format!("{all}\"z\":1}}")).is_ok());
    let error = parse(format!("{all}\"n0000000e\":1}}")).unwrap_err();
    assert_eq!(
        error.what,
        "the name `n0000000e` occurs twice in one object"
    );
    assert_eq!(error.offset, all.len());
    let escaped = object(&|at| format!("\\u0061{at}"));
    assert!(parse(format!("{escaped}\"z\":1}}")).is_ok());
}

fn check_xml(cases: &[(&str, &[u8])], expected: &Expect) {
    let mut told = String::new();
    for (name, text) in cases {
        match read(text) {
            Ok(_) => writeln!(told, "{name}: accepted").unwrap(),
            Err(faults) => {
                for fault in faults {
                    let (line, column) = fault.at.unwrap_or_default();
                    let expression = fault.expression.as_deref().unwrap_or("-");
                    writeln!(told, "{name}: {fault} at {line}:{column} {expression}").unwrap();
                }
            }
        }
    }
    expected.assert_eq(&told);
}

#[test]
fn xml_that_is_no_xml() {
    check_xml(
        &[
            ("nothing", b""),
            ("JSON", b"{\"resourceType\": \"Patient\"}"),
            ("UTF-16", b"\xFF\xFE<\0a\0"),
            (
                "broken UTF-8",
                b"<Patient xmlns='http://hl7.org/fhir'>\xC3\x28</Patient>",
            ),
            (
                "another encoding",
                b"<?xml version='1.0' encoding='latin1'?><Patient xmlns='http://hl7.org/fhir'/>",
            ),
            (
                "an unclosed element",
                b"<Patient xmlns='http://hl7.org/fhir'><name>",
            ),
            (
                "crossed elements",
                b"<Patient xmlns='http://hl7.org/fhir'><name><family></name></family></Patient>",
            ),
            ("a tag that ends nothing", b"</Patient>"),
            (
                "an unfinished tag",
                b"<Patient xmlns='http://hl7.org/fhir'><name",
            ),
            (
                "an unquoted attribute",
                b"<Patient xmlns='http://hl7.org/fhir'><gender value=male/></Patient>",
            ),
            (
                "a bare `<` in an attribute",
                b"<Patient xmlns='http://hl7.org/fhir'><gender value='<'/></Patient>",
            ),
            (
                "two roots",
                b"<Patient xmlns='http://hl7.org/fhir'/><Patient xmlns='http://hl7.org/fhir'/>",
            ),
            (
                "text after the root",
                b"<Patient xmlns='http://hl7.org/fhir'/>x",
            ),
            (
                "an unclosed comment",
                b"<!-- <Patient xmlns='http://hl7.org/fhir'/>",
            ),
            (
                "two hyphens in a comment",
                b"<!-- a -- b --><Patient xmlns='http://hl7.org/fhir'/>",
            ),
        ],
        &expect![[r#"
            nothing: the text holds no element at 1:1 -
            JSON: text stands outside of the root element at 1:1 -
            UTF-16: the text is not UTF-8 at 1:1 -
            broken UTF-8: the text is not UTF-8 at 1:38 -
            another encoding: the encoding is not UTF-8 at 1:1 -
            an unclosed element: the text ends inside an element at 1:44 Patient.name[0]
            crossed elements: the XML is not well-formed at 1:52 Patient.name[0].family
            a tag that ends nothing: the XML is not well-formed at 1:1 -
            an unfinished tag: the XML is not well-formed at 1:38 Patient
            an unquoted attribute: a start tag is malformed at 1:38 Patient
            a bare `<` in an attribute: an attribute's value holds a bare `<` at 1:38 Patient.gender
            two roots: the text holds a second root element at 1:39 -
            text after the root: text stands outside of the root element at 1:39 -
            an unclosed comment: the XML is not well-formed at 1:1 -
            two hyphens in a comment: the XML is not well-formed at 1:1 -
        "#]],
    );
}

#[test]
fn xml_with_document_types_and_entities() {
    let lol: String = (1..10).fold(String::new(), |mut text, at| {
        let before = at - 1;
        write!(
            text,
            "<!ENTITY l{at} '{}'>",
            format!("&l{before};").repeat(10)
        )
        .unwrap();
        text
    });
    let laughs = format!(
        "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY l0 'lol'>{lol}]>\
         <Patient xmlns='http://hl7.org/fhir'><gender value='&l9;'/></Patient>"
    );
    check_xml(
        &[
            ("a billion laughs", laughs.as_bytes()),
            ("a file", b"<!DOCTYPE x [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><Patient xmlns='http://hl7.org/fhir'><gender value='&x;'/></Patient>"),
            ("a document type alone", b"<!DOCTYPE Patient><Patient xmlns='http://hl7.org/fhir'/>"),
            ("an unknown entity", b"<Patient xmlns='http://hl7.org/fhir'><gender value='&x;'/></Patient>"),
            ("an HTML entity", b"<Patient xmlns='http://hl7.org/fhir'><gender value='&nbsp;'/></Patient>"),
            ("a dangling `&`", b"<Patient xmlns='http://hl7.org/fhir'><gender value='a & b'/></Patient>"),
            ("a reference to NUL", b"<Patient xmlns='http://hl7.org/fhir'><gender value='&#0;'/></Patient>"),
            ("a reference to a control", b"<Patient xmlns='http://hl7.org/fhir'><gender value='&#x1;'/></Patient>"),
            ("a reference to a surrogate", b"<Patient xmlns='http://hl7.org/fhir'><gender value='&#xD800;'/></Patient>"),
            ("a huge reference", b"<Patient xmlns='http://hl7.org/fhir'><gender value='&#99999999999999;'/></Patient>"),
            ("an entity between elements", b"<Patient xmlns='http://hl7.org/fhir'>&x;</Patient>"),
            ("an entity in a narrative", b"<Patient xmlns='http://hl7.org/fhir'><text><status value='generated'/><div xmlns='http://www.w3.org/1999/xhtml'>&nbsp;</div></text></Patient>"),
            ("a control in a narrative", b"<Patient xmlns='http://hl7.org/fhir'><text><div xmlns='http://www.w3.org/1999/xhtml'>&#1;</div></text></Patient>"),
        ],
        &expect![[r#"
            a billion laughs: a document type is not allowed at 1:22 -
            a file: a document type is not allowed at 1:1 -
            a document type alone: a document type is not allowed at 1:1 -
            an unknown entity: an attribute's value holds an entity or character that is not allowed at 1:38 Patient.gender
            an HTML entity: an attribute's value holds an entity or character that is not allowed at 1:38 Patient.gender
            a dangling `&`: an attribute's value holds an entity or character that is not allowed at 1:38 Patient.gender
            a reference to NUL: an attribute's value holds an entity or character that is not allowed at 1:38 Patient.gender
            a reference to a control: an attribute's value holds an entity or character that is not allowed at 1:38 Patient.gender
            a reference to a surrogate: an attribute's value holds an entity or character that is not allowed at 1:38 Patient.gender
            a huge reference: an attribute's value holds an entity or character that is not allowed at 1:38 Patient.gender
            an entity between elements: text is not allowed inside an element at 1:38 Patient
            an entity in a narrative: a narrative uses an entity that XML does not know at 1:71 Patient.text
            a control in a narrative: a narrative uses an entity that XML does not know at 1:44 Patient.text
        "#]],
    );
}

#[test]
fn xml_that_is_not_fhir() {
    check_xml(
        &[
            ("no namespace", b"<Patient/>"),
            ("another namespace", b"<Patient xmlns='urn:x'/>"),
            ("no resource", b"<HumanName xmlns='http://hl7.org/fhir'/>"),
            ("an unknown element", b"<Patient xmlns='http://hl7.org/fhir'><name/><name>\n<givn value='a'><x/></givn></name></Patient>"),
            ("an element of another namespace", b"<Patient xmlns='http://hl7.org/fhir'><x:gender xmlns:x='urn:x' value='a'/></Patient>"),
            ("an unknown attribute", b"<Patient xmlns='http://hl7.org/fhir'><gender code='male'/></Patient>"),
            ("an attribute twice", b"<Patient xmlns='http://hl7.org/fhir'><gender value='male' value='female'/></Patient>"),
            ("xsi:type", b"<Patient xmlns='http://hl7.org/fhir' xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:type='Patient'/>"),
            ("an attribute as an element", b"<Patient xmlns='http://hl7.org/fhir'><extension><url value='x'/></extension></Patient>"),
            ("an element as an attribute", b"<Patient xmlns='http://hl7.org/fhir' active='true'/>"),
            ("text for a value", b"<Patient xmlns='http://hl7.org/fhir'><gender>male</gender></Patient>"),
            ("CDATA for a value", b"<Patient xmlns='http://hl7.org/fhir'><gender><![CDATA[male]]></gender></Patient>"),
            ("an element twice", b"<Patient xmlns='http://hl7.org/fhir'><gender value='male'/><active value='true'/><gender value='male'/></Patient>"),
            ("two resources in one", b"<Patient xmlns='http://hl7.org/fhir'><contained><Basic/><Basic/></contained></Patient>"),
            ("no resource inside", b"<Patient xmlns='http://hl7.org/fhir'><contained><Nothing/></contained></Patient>"),
            ("a narrative without namespace", b"<Patient xmlns='http://hl7.org/fhir'><text><div>x</div></text></Patient>"),
            ("a narrative of another kind", b"<Patient xmlns='http://hl7.org/fhir'><text><div xmlns='urn:x'>x</div></text></Patient>"),
            ("an unclosed narrative", b"<Patient xmlns='http://hl7.org/fhir'><text><div xmlns='http://www.w3.org/1999/xhtml'><p>x</div></text></Patient>"),
        ],
        &expect![[r#"
            no namespace: the root element is not in FHIR's namespace at 1:1 -
            another namespace: the root element is not in FHIR's namespace at 1:1 -
            no resource: the root element is no resource of this FHIR version at 1:1 -
            an unknown element: unknown element `givn` at 2:1 Patient.name[1]
            an element of another namespace: unknown element `gender` at 1:38 Patient
            an unknown attribute: unknown attribute `code` at 1:38 Patient.gender
            an attribute twice: the attribute `value` occurs twice at 1:38 Patient.gender
            xsi:type: unknown attribute at 1:1 Patient
            an attribute as an element: unknown element `url` at 1:49 Patient.extension[0]
            an element as an attribute: unknown attribute `active` at 1:1 Patient
            text for a value: text is not allowed inside an element at 1:46 Patient.gender
            CDATA for a value: text is not allowed inside an element at 1:46 Patient.gender
            an element twice: the element `gender` does not repeat at 1:82 Patient
            two resources in one: unknown element `Basic` at 1:57 Patient.contained[0]
            no resource inside: unknown element `Nothing` at 1:49 Patient.contained[0]
            a narrative without namespace: a narrative is not a `div` of XHTML at 1:44 Patient.text
            a narrative of another kind: a narrative is not a `div` of XHTML at 1:44 Patient.text
            an unclosed narrative: a narrative is not well-formed XHTML at 1:44 Patient.text
        "#]],
    );
}

#[test]
fn xml_nesting_and_numbers_are_limited() {
    let limit = |text: &str| {
        let faults = read(text.as_bytes()).unwrap_err();
        faults.last().unwrap().limit
    };
    let start = "<Patient xmlns='http://hl7.org/fhir'>";
    assert_eq!(
        limit(&format!("{start}{}", "<extension>".repeat(100_000))),
        Some("depth_max")
    );
    assert_eq!(
        limit(&format!("{start}{}", "<unknown>".repeat(100_000))),
        Some("depth_max")
    );
    let namespaces: String = (0..10_000).fold(String::new(), |mut text, at| {
        write!(text, " xmlns:n{at}='x'").unwrap();
        text
    });
    assert_eq!(
        limit(&format!("<Patient{namespaces}/>")),
        Some("xml_namespaces_max")
    );
    let long = " ".repeat(Limits::DEFAULT.bytes_max + 1);
    assert_eq!(limit(&long), Some("bytes_max"));
    let few = Limits {
        values_max: 1000,
        ..Limits::DEFAULT
    };
    let many = format!("{start}{}</Patient>", "<name/>".repeat(1000));
    let faults = xml::read(many.as_bytes(), Definitions::of(FhirVersion::R4), &few).unwrap_err();
    assert_eq!(faults.last().unwrap().limit, Some("values_max"));
}

#[test]
fn xml_faults_are_counted() {
    let start = "<Patient xmlns='http://hl7.org/fhir'>";
    let elements = format!("{start}{}</Patient>", "<unknown/>".repeat(100_000));
    assert_eq!(
        read(elements.as_bytes()).unwrap_err().len(),
        xml::XML_FAULTS_MAX
    );
    let attributes: String = (0..100_000).fold(String::new(), |mut text, at| {
        write!(text, " a{at}='x'").unwrap();
        text
    });
    let attributes = format!("{start}<gender{attributes}/></Patient>");
    assert_eq!(
        read(attributes.as_bytes()).unwrap_err().len(),
        xml::XML_FAULTS_MAX
    );
}

#[test]
fn scattered_repetitions_take_no_square() {
    let pair = "<name/><telecom/>".repeat(50_000);
    let text =
        format!("<Patient xmlns='http://hl7.org/fhir'>{pair}<active value='true'/></Patient>");
    let json = read(text.as_bytes()).unwrap();
    let document = parse(json).unwrap();
    assert_eq!(document.root().get("name").unwrap().items().count(), 50_000);
}
