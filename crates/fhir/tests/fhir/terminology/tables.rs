//! Large code systems as tables: every question has the answer that it has of the same system in
//! memory, whatever the size of the pages; damaged tables are refused, and limits keep.

use std::collections::HashMap;

use fhir::FhirVersion::R4;
use fhir::terminology::{
    Answer, Canonical, CodeSet, CodeSystem, CodeTable, Codes, Coding, Content, Lack, Limits,
    Selection, Source, SourceKind, Stored, Terminology, TerminologyError,
};

use proptest::collection::vec;
use proptest::prelude::*;

use super::{give, known};
use crate::data;

/// What is stored, its code systems as tables; their bytes by URL.
pub(super) struct Tables {
    pub(super) content: Content,
    page_bytes: usize,
    bytes: HashMap<String, Vec<u8>>,
    /// Bytes read for what was asked so far.
    read: u64,
}

impl Tables {
    pub(super) fn new(content: Content, page_bytes: usize) -> Self {
        Self {
            content,
            page_bytes,
            bytes: HashMap::new(),
            read: 0,
        }
    }

    /// Gives a definition: a CodeSystem as a table, unless it is a supplement.
    pub(super) fn give(&mut self, text: &str) -> Result<(), TerminologyError> {
        give(&mut self.content, text)?;
        let document = data::parse(text.to_owned());
        if let Ok(system) = CodeSystem::read(&document)
            && system.content().code() != "supplement"
        {
            let bytes = CodeTable::write(&system, self.page_bytes);
            let table = opened(system.url(), &bytes).expect("a table");
            assert_eq!(table.concept_count(), system.concept_count());
            let table = Stored::CodeTable(table.into());
            for version in [None, system.version()] {
                let canonical = Canonical::new(system.url(), version);
                let kind = SourceKind::CodeSystem;
                self.content.give(Source { kind, canonical }, table.clone());
            }
            self.bytes.insert(system.url().to_owned(), bytes);
        }
        Ok(())
    }

    /// Asks until nothing is lacking.
    pub(super) fn answer<T>(
        &mut self,
        limits: Limits,
        question: impl Fn(&Content) -> Result<Answer<T>, TerminologyError>,
    ) -> Result<T, TerminologyError> {
        for _ in 0..100 {
            match question(&self.content)? {
                Answer::Known { value, .. } => return Ok(value),
                Answer::Lacking(lacking) => {
                    for lack in lacking {
                        match lack {
                            Lack::Definition(source) => self.content.note_absent(source),
                            Lack::Selection(selection) => self.select(selection, limits),
                        }
                    }
                }
            }
        }
        panic!("it lacks ever more");
    }

    fn select(&mut self, selection: Selection, limits: Limits) {
        let found = self.content.walk(&selection, limits).and_then(|mut walk| {
            let bytes = &self.bytes[walk.table().place()];
            while let Some(range) = walk.wants() {
                self.read += range.end - range.start;
                let at = |it: u64| usize::try_from(it).expect("small");
                walk.give(&bytes[at(range.start)..at(range.end)])?;
            }
            Ok(walk)
        });
        self.content.select(selection, found);
    }

    fn members(&mut self, asked: &str) -> Result<CodeSet, TerminologyError> {
        self.answer(Limits::DEFAULT, |content| {
            Terminology::new(R4, content, Limits::DEFAULT).members(asked)
        })
    }
}

fn opened(place: &str, bytes: &[u8]) -> Option<CodeTable> {
    let head = usize::try_from(CodeTable::head_bytes(bytes)?).ok()?;
    CodeTable::open(place, bytes.get(..head)?)
}

/// Codes in eight levels, eight below each, and as many properties.
fn system(concepts: usize) -> String {
    let concept = |at: usize| {
        let parent =
            (at > 0).then(|| format!(r#"{{"code":"parent","valueCode":"c{:06}"}},"#, (at - 1) / 8));
        let (parent, status) = (parent.unwrap_or_default(), ["active", "retired"][at % 2]);
        format!(
            r#"{{"code":"c{at:06}","display":"concept {at}","property":[{parent}{{"code":"status","valueCode":"{status}"}}]}}"#
        )
    };
    let concepts: Vec<_> = (0..concepts).map(concept).collect();
    format!(
        r#"{{"resourceType":"CodeSystem","url":"http://example.org/s","content":"complete","concept":[{}]}}"#,
        concepts.join(",")
    )
}

fn chosen(part: &str) -> String {
    format!(
        r#"{{"resourceType":"ValueSet","url":"http://example.org/v","compose":{{"include":[{{"system":"http://example.org/s",{part}}}]}}}}"#
    )
}

/// Thousandths of a table that a question reads, and how many codes it finds.
#[test]
fn a_question_about_few_codes_reads_few_pages() {
    let mut tables = Tables::new(Content::closed(), 1_000);
    tables.give(&system(30_000)).expect("a definition");
    let whole = tables.bytes["http://example.org/s"].len() as u64;
    let mut cost = |part: &str, expected: usize| {
        tables.give(&chosen(part)).expect("a definition");
        tables.read = 0;
        let found = tables.members("http://example.org/v").expect("no fault");
        assert_eq!(found.codes_listed(), expected, "{part}");
        tables.read * 1_000 / whole
    };
    let filter = |property: &str, op: &str, value: &str| {
        format!(r#"{{"property":"{property}","op":"{op}","value":"{value}"}}"#)
    };
    let few = filter("concept", "is-a", "c003000");
    assert!(cost(&format!(r#""filter":[{few}]"#), 9) < 20);
    let above = filter("concept", "generalizes", "c003000");
    assert!(cost(&format!(r#""filter":[{above}]"#), 5) < 20);
    assert!(cost(r#""concept":[{"code":"c000007"},{"code":"c029999"}]"#, 2) == 0);
    let retired = filter("status", "=", "retired");
    assert!(cost(&format!(r#""filter":[{few},{retired}]"#), 4) < 30);
    // A filter on all goes through all, once to choose and once to list.
    let some = filter("code", "regex", "c00000.");
    assert!(cost(&format!(r#""filter":[{some}]"#), 10) < 1_100);
    let has = |tables: &mut Tables, code: &str| {
        let coding = Coding {
            system: Some("http://example.org/s"),
            code,
        };
        tables.read = 0;
        let found = tables.answer(Limits::DEFAULT, |content| {
            Terminology::new(R4, content, Limits::DEFAULT)
                .has_any("http://example.org/v", &[coding])
        });
        (found, tables.read * 1_000 / whole)
    };
    for (part, code, expected) in [
        (format!(r#""filter":[{some}]"#), "c000005", true),
        (format!(r#""filter":[{some}]"#), "c000015", false),
        (format!(r#""filter":[{few},{retired}]"#), "c024001", true),
        (format!(r#""filter":[{few}]"#), "c024009", false),
        (format!(r#""filter":[{few}]"#), "none", false),
    ] {
        tables.give(&chosen(&part)).expect("a definition");
        let (found, read) = has(&mut tables, code);
        assert_eq!(found, Ok(expected), "{part} {code}");
        assert!(read < 10, "{part} {code}: {read}");
    }
}

#[test]
fn limits_of_selections() {
    let mut tables = Tables::new(Content::closed(), 1_000);
    tables.give(&system(3_000)).expect("a definition");
    let all = r#""filter":[{"property":"concept","op":"is-a","value":"c000000"}]"#;
    tables.give(&chosen(all)).expect("a definition");
    let told = |limits: Limits| {
        // What was found within other limits is not looked at again.
        let mut anew = Tables::new(tables.content.clone(), 1_000);
        anew.bytes.clone_from(&tables.bytes);
        let found = anew.answer(limits, |content| {
            Terminology::new(R4, content, limits).members("http://example.org/v")
        });
        found
            .map(|it| it.codes_listed())
            .map_err(|it| it.to_string())
    };
    assert_eq!(told(Limits::DEFAULT), Ok(3_000));
    for (limits, expected) in [
        (
            Limits {
                selection_codes_max: 2_999,
                ..Limits::DEFAULT
            },
            "`http://example.org/s` exceeds the limit `selection_codes_max` of 2999",
        ),
        (
            Limits {
                expansion_codes_max: 2_999,
                ..Limits::DEFAULT
            },
            "`http://example.org/v` exceeds the limit `expansion_codes_max` of 2999",
        ),
        (
            Limits {
                expansion_work_max: 5_000,
                ..Limits::DEFAULT
            },
            "`http://example.org/s` exceeds the limit `expansion_work_max` of 5000",
        ),
    ] {
        assert_eq!(told(limits), Err(expected.to_owned()));
    }
}

#[test]
fn a_large_system_as_a_whole_is_a_symbol() {
    let mut tables = Tables::new(Content::closed(), 1_000);
    tables.give(&system(10_001)).expect("a definition");
    let text = chosen(r#""version":"""#).replace(r#","version":"""#, "");
    tables.give(&text).expect("a definition");
    let found = tables.members("http://example.org/v").expect("no fault");
    assert!(matches!(
        found.codes_of("http://example.org/s"),
        Some(Codes::AllExcept(codes)) if codes.is_empty()
    ));
    assert_eq!(tables.read, 0);
}

/// Orders of any form, rings and several parents among them.
fn ordered(edges: &[(usize, usize)], count: usize) -> String {
    let concept = |at: usize| {
        let parents = edges.iter().filter(|it| it.0 == at);
        let parents = parents.map(|it| format!(r#"{{"code":"parent","valueCode":"{}"}}"#, it.1));
        let parents: Vec<_> = parents.collect();
        format!(r#"{{"code":"{at}","property":[{}]}}"#, parents.join(","))
    };
    let concepts: Vec<_> = (0..count).map(concept).collect();
    format!(
        r#"{{"resourceType":"CodeSystem","url":"http://example.org/s","content":"complete","concept":[{}]}}"#,
        concepts.join(",")
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn orders_are_followed_as_in_memory(
        count in 1_usize..40,
        edges in vec((0_usize..40, 0_usize..40), 0..80),
        page_bytes in 1_usize..80,
    ) {
        let system = ordered(&edges, count);
        let mut content = Content::closed();
        give(&mut content, &system).expect("a definition");
        let mut tables = Tables::new(Content::closed(), page_bytes);
        tables.give(&system).expect("a definition");
        let limits = Limits::DEFAULT;
        for start in 0..count {
            for (property, op) in [
                ("concept", "is-a"),
                ("concept", "descendent-of"),
                ("concept", "is-not-a"),
                ("concept", "generalizes"),
                ("parent", "="),
                ("child", "not-in"),
            ] {
                let filter = format!(r#"{{"property":"{property}","op":"{op}","value":"{start}"}}"#);
                let value_set = chosen(&format!(r#""filter":[{filter}]"#));
                give(&mut content, &value_set).expect("a definition");
                tables.give(&value_set).expect("a definition");
                let url = "http://example.org/v";
                let expected = Terminology::new(R4, &content, limits).members(url).map(known);
                prop_assert_eq!(&tables.members(url), &expected);
                let code = (start * 7 % count).to_string();
                let coding = Coding { system: None, code: &code };
                let single = tables.answer(limits, |content| {
                    Terminology::new(R4, content, limits).has_any(url, &[coding])
                });
                let is_in = expected.map(|it| it.contains_code(&code));
                prop_assert_eq!(single, is_in);
            }
        }
    }
}

/// Whatever is damaged is refused, or gives an answer; nothing panics.
#[test]
fn damaged_tables() {
    let document = data::parse(system(200));
    let whole = CodeTable::write(&CodeSystem::read(&document).expect("a system"), 200);
    let text = chosen(
        r#""filter":[{"property":"concept","op":"is-a","value":"c000002"},{"property":"status","op":"=","value":"retired"}]"#,
    );
    let head = usize::try_from(CodeTable::head_bytes(&whole).expect("a table")).expect("small");
    for at in 0..whole.len() {
        for bits in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= bits;
            let mut tables = Tables::new(Content::closed(), 200);
            give(&mut tables.content, &text).expect("a definition");
            let Some(table) = opened("http://example.org/s", &bytes) else {
                assert!(at < head);
                continue;
            };
            bytes.resize(whole.len() * 2 + (1 << 16), 0);
            let canonical = Canonical::new("http://example.org/s", None);
            let kind = SourceKind::CodeSystem;
            let stored = Stored::CodeTable(table.into());
            tables.content.give(Source { kind, canonical }, stored);
            tables
                .bytes
                .insert("http://example.org/s".to_owned(), bytes);
            if at < head {
                // Where its pages are may be told wrong, too: a page may end beyond the bytes.
                continue;
            }
            if let Err(error) = tables.members("http://example.org/v") {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}
