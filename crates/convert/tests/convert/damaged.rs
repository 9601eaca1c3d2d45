//! Archives, images, documents and messages with damage by seed: whatever they become, they end in
//! what they are for or in an error with its place, soon, and no value of theirs becomes a member.

use std::collections::HashSet;

use convert::source::archive;
use convert::{Library, Processor, SourceError, Sources};
use serde_json::Value;

use super::archives::{LIMITS, Layout, file, gzip, tar, with_sums};
use super::bad_input::has_place;
use super::mutator::{self, Mutator};
use super::{bad_input, ccda_own, data};

/// Pieces that readers of archives stumble over.
const OF_ARCHIVES: &[&str] = &[
    "../",
    "/",
    "./",
    "\\",
    ".wh.",
    ".wh..wh..opq",
    "17 path=A.liquid\n",
    "9 size=9\n",
    "\u{1f}",
    "77777777777\0",
    "00000000000\0",
    "ustar\0",
    "x",
    "L",
    "5",
    "2",
    "sha256:",
    "\"size\":",
    "[",
    "{}",
    "\u{0}",
    "metadata.json",
    "\u{202e}",
    "-1",
];

fn base() -> Vec<u8> {
    let long = format!("{}_C.liquid", "ab/".repeat(3));
    tar(&[
        file("metadata.json", r#"{"type":"json"}"#),
        file("A.liquid", "{\"a\":\"é\"}"),
        file(&long, &"{% if a %}{% endif %}".repeat(40)),
    ])
}

/// What a library may consist of, whatever it was read from.
fn is_sound(sources: &Sources) {
    let names: HashSet<&String> = sources.files.iter().map(|it| &it.0).collect();
    assert_eq!(names.len(), sources.files.len());
    assert!(names.len() <= LIMITS.files_max);
    let bytes: usize = sources.files.iter().map(|it| it.1.len()).sum();
    assert!(bytes as u64 <= LIMITS.bytes_max);
    for name in names {
        let mut segments = name.split('/');
        assert!(segments.all(|it| !matches!(it, "" | "." | "..")), "{name}");
        assert!(
            !name.contains(['\\', ':', '\0', '\n', '\u{202e}']),
            "{name}"
        );
    }
    // What is no library is told by its check, not by a panic.
    Library::load(sources).check();
}

fn is_read(read: &Result<Sources, SourceError>) -> bool {
    match read {
        Ok(sources) => is_sound(sources),
        Err(error) => assert!(has_place(&format!("Archive: {error}")), "{error}"),
    }
    read.is_ok()
}

#[test]
fn archives() {
    let base = base();
    mutator::run("archives", 4000, |mutator| {
        let mut bytes = mutator.damaged(&base, OF_ARCHIVES);
        // Most damage to a header is found by its sum; behind that lies more.
        if mutator.below(3) > 0 {
            with_sums(&mut bytes);
        }
        match mutator.below(3) {
            0 => is_read(&archive::read(
                &mutator.damaged(&gzip(&bytes), OF_ARCHIVES),
                &LIMITS,
            )),
            1 => is_read(&archive::read(&gzip(&bytes), &LIMITS)),
            _ => is_read(&archive::read(&bytes, &LIMITS)),
        }
    });
}

#[test]
fn images() {
    let upper = tar(&[file("ab/.wh.ab", ""), file("A.liquid", "{}")]);
    let layers = [gzip(&base()), upper];
    mutator::run("images", 3000, |mutator| {
        let layers = layers.clone().map(|layer| match mutator.below(4) {
            0 => mutator.damaged(&layer, OF_ARCHIVES),
            _ => layer,
        });
        let mut layout = Layout::default();
        let manifest = layout.manifest(&layers);
        // With the digest of what it has become, and without.
        let image = match mutator.below(3) {
            0 => layout.put(mutator.damaged(manifest.as_bytes(), OF_ARCHIVES)),
            _ => layout.put(manifest.into_bytes()),
        };
        let mut layout = layout.index(&[image]);
        if mutator.below(2) == 0 {
            layout.each(|content| {
                if mutator.below(4) == 0 {
                    *content = mutator.damaged(content, OF_ARCHIVES);
                }
            });
        }
        is_read(&layout.sources(None))
    });
}

/// Pieces that readers of XML stumble over.
const OF_XML: &[&str] = &[
    "<",
    ">",
    "/>",
    "</",
    "&",
    "&amp;",
    "&#0;",
    "&#x10FFFF;",
    "&nbsp;",
    "<!DOCTYPE a>",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version='1.0'?>",
    "<?x y?>",
    "\"",
    "'",
    "=",
    " xmlns=\"\"",
    "<entry>",
    "<section>",
    "</section>",
    "<value xsi:type=\"PQ\" value=\"x\"/>",
    " nullFlavor=\"UNK\"",
    "\u{0}",
    "\u{fffe}",
    "é",
    "😀",
    "\r\n",
];

/// Values that templates, JSON and FHIR stumble over.
const VALUES: &[&str] = &[
    "",
    " ",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "NaN",
    "20200230",
    "20260102030405.123456+9999",
    "2026-01-02",
    "x",
    "PQ",
    "CD",
    "UNK",
    "é😀",
    "\\",
    "\\u0000",
    "{{ a }}",
    "{% if %}",
    "]]&gt;",
    "&quot;,&quot;injected&quot;:&quot;x",
    "&quot;}],&quot;injected&quot;:[{&quot;a&quot;:&quot;",
    "\\&quot;,\\&quot;injected\\&quot;:1,\\&quot;",
    "&#10;&#9;",
    "tel:",
    "#",
    "#p1",
    "../../x",
    "2.16.840.1.113883.6.1",
    "urn:uuid:",
];

/// Documents of C-CDA: our own, and small ones of set 16 where it is there.
fn documents() -> Vec<String> {
    const BYTES_MAX: usize = 100 << 10;
    let mut documents = vec![include_str!("../cases/ccda/summary.xml").to_owned()];
    let set = data::folder("convert mutated documents", "16-ccda");
    let files = set.map(|it| data::files(&it)).unwrap_or_default();
    let texts = files
        .iter()
        .filter_map(|it| std::fs::read_to_string(it).ok());
    documents.extend(texts.filter(|it| it.len() < BYTES_MAX && it.contains("<ClinicalDocument")));
    documents
}

/// Whether some object has the member that only data could have brought in.
fn has_injected(value: &Value) -> bool {
    match value {
        Value::Object(members) => members
            .iter()
            .any(|it| it.0 == "injected" || has_injected(it.1)),
        Value::Array(items) => items.iter().any(has_injected),
        _ => false,
    }
}

/// Converts, and looks at what comes of it.
fn is_converted(library: &Library, processor: Processor, root: &str, input: &str) -> bool {
    let result = data::convert_within(library, root, processor, input, bad_input::budgets());
    match result {
        Ok(output) => {
            let value: Value = serde_json::from_str(&output.text).unwrap();
            assert!(!has_injected(&value));
            if matches!(processor, Processor::Ccda | Processor::Hl7v2) {
                assert_eq!(ccda_own::faults(&output.text), [""; 0]);
            }
            true
        }
        Err(error) => {
            assert!(has_place(&error.to_string()), "{error}");
            false
        }
    }
}

#[test]
fn documents_of_ccda() {
    let own = Library::load(&data::sources(
        concat!(env!("CARGO_MANIFEST_DIR"), "/templates/ccda").as_ref(),
    ));
    let documents = documents();
    let convert = |input: &str| {
        let root = own.root_for(Processor::Ccda, input);
        is_converted(
            &own,
            Processor::Ccda,
            root.as_deref().unwrap_or("Document"),
            input,
        )
    };
    assert!(convert(&documents[0]));
    mutator::run("documents", 600, |mutator| {
        let document = mutator.one_of(&documents);
        let damaged = match mutator.below(3) {
            0 => mutator.damaged_text(document, OF_XML),
            1 => mutator.other_values(document, ("=\"", "\""), VALUES),
            _ => mutator.other_values(document, (">", "<"), VALUES),
        };
        convert(&damaged)
    });
}

/// Values of a message that templates and JSON stumble over.
const OF_MESSAGES: &[&str] = &[
    "|",
    "^",
    "~",
    "&",
    "\\",
    "\r",
    "\\F\\",
    "\\X41\\",
    "\\X4\\",
    "\\.br\\",
    "\"\"",
    "\",\"injected\":\"x",
    "\\E\\\",\\E\\\"injected\\E\\\":1",
    "20200230",
    "-1",
    "\u{0}",
    "é😀",
    "MSH|^~\\&|",
    "OBX|",
    "ZZZ|1",
    "}",
    "]",
];

#[test]
fn messages_of_hl7v2() {
    let own = convert::hl7v2_library();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/hl7v2");
    let files = data::files(folder.as_ref());
    let files = files
        .iter()
        .filter(|it| it.extension().is_some_and(|it| it == "hl7"));
    let messages: Vec<String> = files
        .map(|it| std::fs::read_to_string(it).unwrap())
        .collect();
    mutator::run("messages", 1000, |mutator: &mut Mutator| {
        let message = mutator.one_of(&messages).replace('\n', "\r");
        let damaged = match mutator.below(2) {
            0 => mutator.damaged_text(&message, OF_MESSAGES),
            _ => mutator.other_values(&message, ("|", "|"), OF_MESSAGES),
        };
        match convert::root_of(&damaged, own) {
            Ok(root) => is_converted(own, Processor::Hl7v2, &root, &damaged),
            Err(error) => {
                assert!(has_place(&error.to_string()), "{error}");
                false
            }
        }
    });
}

/// Texts of a resource that a message could stumble over, as JSON has them.
const OF_RESOURCES: &[&str] = &[
    "",
    " ",
    "|",
    "^",
    "~",
    "&",
    "\\\\",
    "\\r",
    "\\rZZZ|injected",
    "\\nZZZ|injected",
    "\\r\\nZZZ|injected",
    "\\u0085ZZZ|injected",
    "\\u2028ZZZ|injected",
    "\\u000bMSH|^~\\\\&|injected",
    "\\u001c\\r",
    "\\u0001",
    "x\\\\.br\\\\y",
    "\\\\X41\\\\",
    "\\\"\\\"",
    "2026-02-30",
    "2026",
    "-1",
    "1e400",
    "é😀",
    "urn:oid:2.999",
    "Patient/none",
    "#none",
];

const BUNDLE: &str = include_str!("../cases/bundle.json");

/// Resources become messages: no value of theirs begins a segment, or ends the frame that MLLP
/// puts around a message.
#[test]
fn resources_into_messages() {
    let own = Library::load(&convert::own::sources("fhir-to-hl7v2").unwrap());
    let convert = |input: &str| {
        let processor = Processor::FhirToHl7v2;
        let root = own
            .root_named_by(processor, input)
            .map_err(|error| error.to_string())?;
        let result = data::convert_within(&own, &root, processor, input, bad_input::budgets());
        result.map(|it| it.text).map_err(|error| error.to_string())
    };
    assert!(convert(BUNDLE).unwrap().contains("\rPID|"));
    mutator::run("resources", 1000, |mutator| {
        let damaged = match mutator.below(3) {
            0 => mutator.damaged_text(BUNDLE, OF_ARCHIVES),
            _ => mutator.other_values(BUNDLE, (": \"", "\""), OF_RESOURCES),
        };
        match convert(&damaged) {
            Ok(message) => {
                assert!(message.starts_with("MSH|^~\\&|"), "{message}");
                assert!(!message.contains(['\n', '\u{b}', '\u{1c}']), "{message}");
                let mut segments = message.split_terminator('\r');
                let is_wanted = |it: &str| it.as_bytes().get(3).is_none_or(|it| *it == b'|');
                assert!(
                    segments.all(|it| is_wanted(it) && !it.starts_with("ZZZ")),
                    "{message}"
                );
                true
            }
            Err(told) => {
                assert!(has_place(&told), "{told}");
                false
            }
        }
    });
}
