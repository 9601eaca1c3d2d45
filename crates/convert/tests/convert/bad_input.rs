//! A hundred kinds of bad input and more for each parser: all end in an error that says what is
//! wrong and where, within small budgets, and none in a panic. The kinds are the cases of
//! `cases/bad/*.txt`, which say how they are written.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use convert::hl7v2::{BatchFile, Charset, Header, Reply};
use convert::source::archive;
use convert::{Budgets, ConvertError, Library, Processor};

use super::archives::{LIMITS, Made};
use super::data;

/// No case may take longer, in a build without optimisation on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(10);

/// Fewer kinds are not enough for a parser.
const KINDS_MIN: usize = 100;

/// Small ones, which no honest input here exceeds.
pub(crate) fn budgets() -> Budgets {
    Budgets {
        input_bytes_max: 1 << 20,
        steps_max: 200_000,
        iterations_max: 10_000,
        output_bytes_max: 1 << 20,
        memory_bytes_max: 32 << 20,
        ..Budgets::default()
    }
}

/// What reads an input, and says what became of it: `Kind: message` if it was refused.
type Reader = (&'static str, fn(&str, &[u8]) -> String);

const ACCEPTED: &str = "accepted";

#[test]
fn xml() {
    check(
        "xml",
        &[("xml", |_, input| {
            converted(Processor::Ccda, XML, text(input))
        })],
    );
}

const XML: &str = "{\"a\":\"{{ msg.a._ }}\"}";

#[test]
fn json() {
    let read = |_: &str, input: &[u8]| converted(Processor::Json, "{\"a\":1}", text(input));
    check("json", &[("json", read)]);
}

#[test]
fn messages() {
    check(
        "hl7v2",
        &[
            ("message", |_, input| {
                converted(Processor::Hl7v2, HL7V2, text(input))
            }),
            ("root", |_, input| {
                let root = convert::root_of(text(input), convert::hl7v2_library());
                root.map_or_else(|error| told(&error), accepted)
            }),
            ("header", |_, input| {
                let checked = Header::read(text(input)).and_then(|it| it.check());
                checked.map_or_else(|fault| format!("Header: {fault}"), accepted)
            }),
            ("batch", |_, input| {
                let read = BatchFile::read(text(input));
                read.map_or_else(|fault| format!("Batch: {fault}"), accepted)
            }),
            ("charset", |_, input| decoded(input)),
            ("reply", |_, input| {
                let read = Reply::read(text(input));
                read.map_or_else(|fault| format!("Reply: {fault}"), accepted)
            }),
        ],
    );
}

const HL7V2: &str = "{\"a\":\"{{ hl7v2Data.Value }}{{ hl7v2Data.Data[1][3].Value }}\"}";

/// As a listener reads bytes.
fn decoded(input: &[u8]) -> String {
    let absent = Charset::named("UNICODE UTF-8").unwrap();
    match Header::charset(input, absent) {
        Err(fault) => format!("Header: {fault}"),
        Ok(set) => match set.decode(input) {
            Err(fault) => format!("Charset: {fault}"),
            Ok(text) => accepted(text),
        },
    }
}

#[test]
fn what_templates_write() {
    check(
        "written",
        &[
            ("json", |_, input| written(Processor::Json, text(input))),
            ("merge", |_, input| {
                let body = text(input);
                let template = format!("{{% mergeDiff msg %}}{body}{{% endmergeDiff %}}");
                written(Processor::Json, &template)
            }),
            ("merge-text", |_, input| {
                let body = text(input);
                let template = format!("{{% mergeDiff msg.d %}}{body}{{% endmergeDiff %}}");
                written(Processor::Json, &template)
            }),
            ("validate", |_, input| {
                let body = text(input);
                let template = format!("{{% validate 's.schema.json' %}}{body}{{% endvalidate %}}");
                written(Processor::Json, &template)
            }),
            ("segments", |_, input| {
                written(Processor::FhirToHl7v2, text(input))
            }),
        ],
    );
}

/// What a template makes of a given input, with partials and a schema.
fn written(processor: Processor, template: &str) -> String {
    let mut files = vec![
        ("r.liquid", template),
        ("open.liquid", "{\"b\":1"),
        ("close.liquid", "{\"b\":1}]"),
        ("member.liquid", "\"b\":1"),
        ("item.liquid", "[1]"),
        ("s.schema.json", SCHEMA),
    ];
    if processor == Processor::FhirToHl7v2 {
        files.push((
            "metadata.json",
            r#"{"type":"fhir-to-hl7v2","mode":"strict"}"#,
        ));
    }
    refused(&data::library(&files), processor, INPUT)
}

const INPUT: &str = r#"{"d":"2020-01-01","t":"5 or 6","q":"x","l":[1],"deep":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]}"#;

const SCHEMA: &str = r##"{"type":"object","required":["a"],"properties":{
    "a":{"type":"integer","minimum":0,"maximum":10},
    "t":{"type":"string","minLength":1,"maxLength":5,"pattern":"^[a-z]*$"},
    "e":{"enum":["x","y"]},
    "z":false,
    "l":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"number"}},
    "n":{"anyOf":[{"type":"string"},{"type":"number"}]},
    "o":{"oneOf":[{"minimum":1},{"maximum":3}]},
    "x":{"not":{"const":"no"}},
    "i":{"properties":{"b":{"$ref":"#/definitions/b"}}}},
    "definitions":{"b":{"required":["c"]}}}"##;

/// A document that is cut short anywhere is refused.
#[test]
fn no_beginning_is_a_document() {
    let xml = "<a b=\"1\"><c>x &amp; y</c><d e='2'/></a>";
    let json = r#"{"a":[1,2.5e3,"x\n\u00e9",null],"b":{"c":true}}"#;
    let template = |input: &str| written(Processor::Json, input);
    for end in 1..xml.len() {
        assert_ne!(
            converted(Processor::Ccda, XML, &xml[..end]),
            ACCEPTED,
            "{end}"
        );
    }
    for end in 1..json.len() {
        assert_ne!(
            converted(Processor::Json, XML, &json[..end]),
            ACCEPTED,
            "{end}"
        );
        assert_ne!(template(&json[..end]), ACCEPTED, "{end}");
    }
    assert_eq!(converted(Processor::Ccda, XML, xml), ACCEPTED);
    assert_eq!(converted(Processor::Json, XML, json), ACCEPTED);
    assert_eq!(template(json), ACCEPTED);
}

#[test]
fn templates() {
    check(
        "templates",
        &[
            ("compatible", template_of),
            ("strict", template_of),
            ("metadata.json", found_in),
            ("s.schema.json", found_in),
            ("ValueSet/ValueSet.json", found_in),
        ],
    );
}

/// What is found in a file of a library.
fn found_in(file: &str, input: &[u8]) -> String {
    let library = data::library(&[(file, text(input))]);
    let first = library.check().into_iter().next();
    first.map_or_else(|| accepted(()), |it| format!("Finding: {it}"))
}

fn template_of(mode: &str, input: &[u8]) -> String {
    let metadata = format!("{{\"type\":\"json\",\"mode\":\"{mode}\"}}");
    let files = [
        ("r.liquid", text(input)),
        ("open.liquid", "x"),
        ("takes.liquid", "{% parameters a %}{{ a }}"),
        ("metadata.json", &metadata),
    ];
    // The other mode has no such tag.
    let is_known = |it: &&(&str, &str)| mode == "strict" || it.0 != "takes.liquid";
    let files: Vec<_> = files.iter().filter(is_known).copied().collect();
    let library = data::library(&files);
    library.check();
    refused(&library, Processor::Json, r#"{"a":"x","b":[1,2],"l":[1]}"#)
}

#[test]
fn archives() {
    check(
        "archives",
        &[
            ("archive", |_, input| {
                let read = archive::read(&Made::of(input).bytes, &LIMITS);
                read.map_or_else(|error| format!("Archive: {error}"), accepted)
            }),
            ("layout", |_, input| {
                let read = Made::of(input).read();
                match read.strip_prefix("error: ") {
                    Some(error) => format!("Layout: {error}"),
                    None => accepted(read),
                }
            }),
        ],
    );
}

fn converted(processor: Processor, template: &str, input: &str) -> String {
    refused(&data::library(&[("r.liquid", template)]), processor, input)
}

fn refused(library: &Library, processor: Processor, input: &str) -> String {
    let result = data::convert_within(library, "r", processor, input, budgets());
    result.map_or_else(|error| told(&error), |output| accepted(output.text))
}

fn told(error: &ConvertError) -> String {
    format!("{:?}: {error}", error.kind)
}

fn accepted<T>(_: T) -> String {
    ACCEPTED.to_owned()
}

fn text(input: &[u8]) -> &str {
    std::str::from_utf8(input).expect("the reader takes text")
}

/// What stands before the number of a place.
const PLACES: &[&str] = &[
    "MSH-", "MSA-", "FHS-", "BHS-", "BTS-", "FTS-", "segment ", "item ", "byte ",
];

/// Places that have a name, and faults of an input as a whole.
const NAMED_PLACES: &[&str] = &[
    "segment MSH",
    "no MSA",
    "outermost object",
    "the input says in `",
    "the input says in its `",
    "the input is empty",
    "a batch is no message",
    "the answer is no HL7 v2 message",
];

/// Whether a message says where the fault is: a line and column, a place in a template, a part of
/// a message, a byte or file of an archive, a limit that all of the input exceeds.
pub(crate) fn has_place(message: &str) -> bool {
    let numbered = |before: &str| {
        let mut found = message.match_indices(before);
        found.any(|(at, _)| message[at + before.len()..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let limit = message.contains("(`") && message.contains("_max`)");
    let file = message
        .strip_prefix("Archive: `")
        .or(message.strip_prefix("Layout: `"));
    let is_of_file = file.is_some_and(|it| !it.starts_with('`'));
    limit
        || is_of_file
        || (numbered("line ") && numbered("column "))
        || numbered(".liquid:")
        || numbered(".json:")
        || PLACES.iter().any(|it| numbered(it))
        || NAMED_PLACES.iter().any(|it| message.contains(it))
}

/// A case of a table, and the line that says what is expected.
struct Case {
    reader: String,
    kind: String,
    input: String,
    expected: (usize, String),
}

fn cases(table: &str) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut reader = String::new();
    let mut lines = table.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        if let Some(name) = line.strip_prefix("@ ") {
            name.clone_into(&mut reader);
        } else if let Some(kind) = line.strip_prefix("= ") {
            let input = lines.next().expect("a case has an input").1;
            let (number, line) = lines.next().expect("a case says what is expected");
            let expected = line
                .strip_prefix("> ")
                .expect("what is expected begins with `> `");
            cases.push(Case {
                reader: reader.clone(),
                kind: kind.to_owned(),
                input: input.to_owned(),
                expected: (number, expected.to_owned()),
            });
        } else {
            assert!(line.is_empty() || line.starts_with('#'), "{line}");
        }
    }
    cases
}

/// The bytes that an input is written for.
fn unwritten(written: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = written;
    while let Some(c) = rest.chars().next() {
        let marked = rest.strip_prefix('⟦').and_then(|it| it.split_once('⟧'));
        if let Some((marked, after)) = marked {
            bytes.extend(meant(marked));
            rest = after;
            continue;
        }
        match u32::from(c).checked_sub(0x2400).filter(|it| *it <= 0x20) {
            Some(control) => bytes.push(u8::try_from(control).unwrap()),
            None => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
        }
        rest = &rest[c.len_utf8()..];
    }
    bytes
}

fn meant(marked: &str) -> Vec<u8> {
    if let Some((text, count)) = marked.rsplit_once('×') {
        return unwritten(text).repeat(count.parse().expect("a number of times"));
    }
    let number = |digits| u32::from_str_radix(digits, 16).expect("hexadecimal digits");
    match marked.strip_prefix("U+") {
        Some(digits) => char::from_u32(number(digits))
            .unwrap()
            .to_string()
            .into_bytes(),
        None => vec![u8::try_from(number(marked)).unwrap()],
    }
}

/// Every case is refused as it says, and there are enough that differ.
fn check(table: &str, readers: &[Reader]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/bad/{table}.txt"));
    let file = std::fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = file.lines().map(str::to_owned).collect();
    let cases = cases(&file);
    let (mut wrong, mut kinds, mut inputs) = (Vec::new(), HashSet::new(), HashSet::new());
    for case in &cases {
        let reader = readers.iter().find(|it| it.0 == case.reader);
        let (name, read) = reader.expect("the table names a reader that there is");
        let began = Instant::now();
        let said = read(name, &unwritten(&case.input));
        let is_slow = began.elapsed() > TIME_MAX;
        if said == ACCEPTED || !has_place(&said) || is_slow {
            wrong.push(format!("{}: {said}, too slow: {is_slow}", case.kind));
        } else if said != case.expected.1 {
            wrong.push(format!(
                "{}: {said}\n  instead of {}",
                case.kind, case.expected.1
            ));
        }
        lines[case.expected.0] = format!("> {said}");
        let is_new = kinds.insert(&case.kind);
        let is_new = inputs.insert((&case.reader, &case.input)) && is_new;
        assert!(is_new, "{table}: `{}` is there twice", case.kind);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, lines.join("\n") + "\n").unwrap();
    }
    println!(
        "isthmus-suite: convert bad {table}: {} kinds refused",
        cases.len() - wrong.len()
    );
    assert!(
        wrong.is_empty(),
        "{table}: {}\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        cases.len() >= KINDS_MIN,
        "{table}: only {} kinds",
        cases.len()
    );
}
