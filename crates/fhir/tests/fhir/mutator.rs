//! Damaged examples: whatever a document becomes, reading it ends in a document or an error, soon
//! and within memory in proportion to its size.
//!
//! `ISTHMUS_LONG=1` damages fifty times as often; `ISTHMUS_SEED` repeats a run.

use std::time::{Duration, Instant};

use bytes::Bytes;
use fhir::element::Element;
use fhir::json::{Document, JsonError, Limits, minify, same_content};
use fhir::reference::{references, rewrite};
use fhir::xml::{self, Layout};
use fhir::{Definitions, FhirVersion};

use crate::data::{files, folder, parse, read};

const MUTATIONS: usize = 10_000;
/// No example here is larger, so that many can be damaged.
const EXAMPLE_BYTES_MAX: usize = 4096;
/// Far more than one document of that size takes even on a busy machine.
const TIME_MAX: Duration = Duration::from_secs(20);

/// Pieces that parsers stumble over.
const PIECES: [&str; 28] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "null",
    "-",
    "1e5",
    "\\ud83d",
    "\\u0000",
    "\u{feff}",
    "\"_given\":[null]",
    "\"resourceType\":\"Patient\"",
    "<",
    ">",
    "/>",
    "&",
    "&#1;",
    "&nbsp;",
    "</",
    "<!DOCTYPE a>",
    "<![CDATA[",
    "]]>",
    "<!--",
    " xmlns=\"\"",
];

/// xorshift64*: a generator of our own, so that a seed means the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).unwrap() % bound.max(1)
    }

    fn span(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        let width = 1 << self.below(8);
        start..(start + self.below(width)).min(length)
    }

    /// The bytes with one to four things done to them.
    fn damage(&mut self, bytes: &[u8], others: &[Vec<u8>]) -> Vec<u8> {
        let mut damaged = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let span = self.span(damaged.len());
            match self.below(7) {
                0 => {
                    damaged.drain(span);
                }
                1 => {
                    let part = damaged[span.clone()].to_vec();
                    damaged.splice(span.start..span.start, part);
                }
                2 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    damaged.splice(span, piece.bytes());
                }
                3 => {
                    let byte = u8::try_from(self.below(256)).unwrap();
                    damaged.insert(span.start, byte);
                }
                4 => {
                    if let Some(byte) = damaged.get_mut(span.start) {
                        *byte ^= 1 << self.below(8);
                    }
                }
                5 => {
                    let other = &others[self.below(others.len())];
                    let part = other[self.span(other.len())].to_vec();
                    damaged.splice(span, part);
                }
                _ => damaged.truncate(span.end.max(damaged.len() / 2)),
            }
        }
        damaged
    }
}

const BUILT_IN: [&str; 2] = [
    r##"{"resourceType":"Patient","id":"a","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &amp; b</p></div>"},"contained":[{"resourceType":"Organization","id":"o","name":"\u0041"}],"name":[{"family":"F","given":["a",null],"_given":[null,{"extension":[{"url":"x","valueDecimal":1.00}]}]}],"managingOrganization":{"reference":"#o"}}"##,
    r#"{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Observation","valueQuantity":{"value":-0.10e2},"subject":{"reference":"Patient?identifier=a|b"}},"request":{"method":"POST","url":"Observation"}}]}"#,
];

/// Examples in JSON, those built in and small official ones.
fn examples() -> Vec<Vec<u8>> {
    let mut examples: Vec<_> = BUILT_IN.iter().map(|it| it.as_bytes().to_vec()).collect();
    let folder = folder("mutator", "03-fhir-r4-examples");
    let official = folder.map(|it| files(&it, "json")).unwrap_or_default();
    let official = official
        .iter()
        .map(|file| minify(&parse(read(file))).into_bytes());
    examples.extend(official.filter(|it| it.len() <= EXAMPLE_BYTES_MAX));
    examples
}

fn run(suite: &str, examples: &[Vec<u8>], check: impl Fn(&[u8])) {
    let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let seed = number("ISTHMUS_SEED").unwrap_or(0x15_7413_0505);
    let rounds = if number("ISTHMUS_LONG") == Some(1) {
        50 * MUTATIONS
    } else {
        MUTATIONS
    };
    println!("{suite}: ISTHMUS_SEED={seed}");
    let mut random = Random(seed);
    for _ in 0..rounds {
        let example = &examples[random.below(examples.len())];
        let damaged = random.damage(example, examples);
        let start = Instant::now();
        check(&damaged);
        assert!(
            start.elapsed() < TIME_MAX,
            "too slow: {:?}",
            String::from_utf8_lossy(&damaged)
        );
    }
    println!("isthmus-suite: {suite}: {rounds} cases");
}

#[test]
fn damaged_json_is_read_or_refused() {
    run("mutated-json", &examples(), |bytes| {
        let parsed = Document::parse(Bytes::copy_from_slice(bytes), &Limits::DEFAULT);
        agrees_with_serde(bytes, &parsed);
        if let Ok(document) = parsed {
            assert!(document.memory() <= bytes.len() * 33 + 64);
            uses(&document);
        }
    });
}

/// We accept what serde_json does, except for what is refused on purpose.
fn agrees_with_serde(bytes: &[u8], parsed: &Result<Document, JsonError>) {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let theirs = serde_json::from_slice::<serde_json::Value>(bytes);
    let stricter = |error: &JsonError| {
        error.limit.is_some() || error.what.contains("twice") || error.what.contains("NUL")
    };
    match parsed {
        Ok(_) => assert!(
            theirs.is_ok(),
            "we accept: {:?}",
            String::from_utf8_lossy(bytes)
        ),
        Err(error) => assert!(
            theirs.is_err() || stricter(error),
            "we refuse with {error}: {:?}",
            String::from_utf8_lossy(bytes)
        ),
    }
}

/// Everything that is done with a document, the stranger the document the better.
fn uses(document: &Document) {
    let again = parse(minify(document));
    assert!(same_content(document.root(), again.root()));
    let definitions = Definitions::of(FhirVersion::R4);
    let Ok(root) = Element::resource(definitions, document.root()) else {
        return;
    };
    let elements = root.descendants().count();
    assert!(elements <= document.text().len());
    assert!(references(&root).count() <= elements);
    rewrite(&root, &|text| text.strip_prefix("urn:").map(str::to_owned));
    if let Ok(text) = xml::write(document, definitions, Layout::Compact) {
        assert!(text.len() <= document.text().len() * 12 + 200);
        let json = xml::read(text.as_bytes(), definitions, &Limits::DEFAULT);
        json.expect("what is written as XML is read again");
    }
}

#[test]
fn damaged_xml_is_read_or_refused() {
    let definitions = Definitions::of(FhirVersion::R4);
    let written = |json: &Vec<u8>| {
        let document = parse(json.clone());
        xml::write(&document, definitions, Layout::Compact)
            .ok()
            .map(String::into_bytes)
    };
    let examples: Vec<_> = examples().iter().filter_map(written).collect();
    run("mutated-xml", &examples, |bytes| {
        if let Ok(json) = xml::read(bytes, definitions, &Limits::DEFAULT) {
            assert!(json.len() <= bytes.len() * 6 + 200);
            if let Err(error) = Document::parse(json.into(), &Limits::DEFAULT) {
                assert!(error.limit.is_some(), "XML becomes no JSON: {error}");
            }
        }
    });
}
