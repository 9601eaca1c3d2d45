//! What is asked of the caller, in which order, and what ends an evaluation early.

use fhir::FhirVersion::R4;
use fhir::terminology::{
    Answer, CodeSet, Codes, Coding, Content, Lack, Limits, Source, SourceKind, Stored, Terminology,
    TerminologyError,
};

use super::{give, known, source};
use crate::data;

fn value_set(name: &str, include: &str) -> String {
    format!(
        r#"{{"resourceType":"ValueSet","url":"http://example.org/{name}","compose":{{"include":[{include}]}}}}"#
    )
}

fn imports(names: &[String]) -> String {
    let parts = names
        .iter()
        .map(|it| format!(r#"{{"valueSet":["http://example.org/{it}"]}}"#));
    parts.collect::<Vec<_>>().join(",")
}

fn flat_system(codes: usize) -> String {
    let concepts: Vec<_> = (0..codes)
        .map(|it| format!(r#"{{"code":"{it}"}}"#))
        .collect();
    format!(
        r#"{{"resourceType":"CodeSystem","url":"http://example.org/s","content":"complete","concept":[{}]}}"#,
        concepts.join(",")
    )
}

/// Asks until everything is known; returns what was asked for in each round.
fn rounds(
    content: &mut Content,
    stored: &[(Source, String)],
    asked: &str,
) -> (Vec<Vec<String>>, CodeSet) {
    let mut asked_for = Vec::new();
    loop {
        let answer = Terminology::new(R4, content, Limits::DEFAULT).members(asked);
        match answer.expect("no fault") {
            Answer::Known { value, .. } => return (asked_for, value),
            Answer::Lacking(lacking) => {
                let definition = |it| match it {
                    Lack::Definition(source) => source,
                    Lack::Selection(it) => panic!("no table was given: {it:?}"),
                };
                let sources: Vec<Source> = lacking.into_iter().map(definition).collect();
                asked_for.push(sources.iter().map(|it| it.canonical.to_string()).collect());
                for source in sources {
                    let found = stored.iter().find(|(it, _)| *it == source);
                    match found {
                        Some((_, text)) => {
                            let document = data::parse(text.clone());
                            let read = Stored::read(source.kind, &document).expect("a definition");
                            content.give(source, read);
                        }
                        None => content.note_absent(source),
                    }
                }
            }
        }
    }
}

#[test]
fn what_is_lacking_is_asked_for_in_few_rounds() {
    let outer = value_set("outer", &imports(&["inner".to_owned(), "other".to_owned()]));
    let inner = value_set("inner", r#"{"system":"http://example.org/s"}"#);
    let other = value_set("other", r#"{"system":"http://example.org/t"}"#);
    let at = |kind, name: &str| source(kind, &format!("http://example.org/{name}"));
    let stored = [
        (at(SourceKind::ValueSet, "outer"), outer),
        (at(SourceKind::ValueSet, "inner"), inner),
        (at(SourceKind::ValueSet, "other"), other),
        (at(SourceKind::CodeSystem, "s"), flat_system(2)),
    ];
    let (asked, set) = rounds(&mut Content::unknown(), &stored, "http://example.org/outer");
    assert_eq!(
        asked,
        [
            vec!["http://example.org/outer"],
            vec!["http://example.org/inner", "http://example.org/other"],
            vec!["http://example.org/s", "http://example.org/t"],
        ]
    );
    assert!(
        set.contains("http://example.org/s", "1") && !set.contains("http://example.org/s", "2")
    );
    assert!(set.contains("http://example.org/t", "anything"));
}

#[test]
fn the_standards_value_sets_need_one_round() {
    let url = "http://hl7.org/fhir/ValueSet/administrative-gender";
    let (asked, set) = rounds(&mut Content::unknown(), &[], url);
    assert_eq!(
        asked,
        [vec![url, "http://hl7.org/fhir/administrative-gender"]]
    );
    assert_eq!(set.codes_listed(), 4);
}

#[test]
fn an_answer_names_what_it_came_from() {
    let content = Content::closed();
    let url = "http://hl7.org/fhir/ValueSet/administrative-gender";
    let answer = Terminology::new(R4, &content, Limits::DEFAULT).members(url);
    let Ok(Answer::Known { sources, .. }) = answer else {
        panic!("it is known");
    };
    let expected = [
        source(SourceKind::ValueSet, url),
        source(
            SourceKind::CodeSystem,
            "http://hl7.org/fhir/administrative-gender",
        ),
    ];
    assert_eq!(sources, expected);
}

#[test]
fn nothing_is_refused_before_all_is_known() {
    let content = Content::unknown();
    let terminology = Terminology::new(R4, &content, Limits::DEFAULT);
    for url in [
        "http://example.org/none",
        "http://hl7.org/fhir/ValueSet/clinical-findings",
    ] {
        assert!(matches!(terminology.members(url), Ok(Answer::Lacking(_))));
        let coding = Coding {
            system: None,
            code: "a",
        };
        assert!(matches!(
            terminology.has_any(url, &[coding]),
            Ok(Answer::Lacking(_))
        ));
    }
    assert!(matches!(
        terminology.below("http://example.org/s", "a"),
        Ok(Answer::Lacking(_))
    ));
}

#[test]
fn a_tenants_system_takes_the_place_of_the_standards() {
    let mut content = Content::closed();
    let url = "http://hl7.org/fhir/administrative-gender";
    let own = flat_system(1).replace("http://example.org/s", url);
    give(&mut content, &own).expect("a definition");
    let value_set = format!(
        "{}ValueSet/administrative-gender",
        url.trim_end_matches("administrative-gender")
    );
    let terminology = Terminology::new(R4, &content, Limits::DEFAULT);
    let set = known(terminology.members(&value_set).expect("no fault"));
    assert!(set.contains(url, "0") && !set.contains(url, "male"));
    // One without content does not.
    give(&mut content, &own.replace("complete", "not-present")).expect("a definition");
    let terminology = Terminology::new(R4, &content, Limits::DEFAULT);
    let set = known(terminology.members(&value_set).expect("no fault"));
    assert!(set.contains(url, "male"));
}

#[test]
fn codings_are_told_together() {
    let content = Content::closed();
    let terminology = Terminology::new(R4, &content, Limits::DEFAULT);
    let has = |codings: &[Coding<'_>]| {
        let url = "http://hl7.org/fhir/ValueSet/administrative-gender";
        known(terminology.has_any(url, codings).expect("no fault"))
    };
    let gender = Some("http://hl7.org/fhir/administrative-gender");
    let male = Coding {
        system: gender,
        code: "male",
    };
    let other = Coding {
        system: Some("http://example.org"),
        code: "male",
    };
    let plain = Coding {
        system: None,
        code: "male",
    };
    assert!(has(&[male]) && has(&[other, male]) && has(&[plain]));
    assert!(!has(&[other]) && !has(&[]));
}

#[test]
fn units_are_told_by_what_they_measure() {
    let content = Content::closed();
    let terminology = Terminology::new(R4, &content, Limits::DEFAULT);
    let url = "http://hl7.org/fhir/ValueSet/all-time-units";
    let error = terminology.members(url).expect_err("nobody can list them");
    assert!(matches!(error, TerminologyError::NotListable { .. }));
    for (code, expected) in [
        ("s", true),
        ("wk", true),
        ("ms", true),
        ("m", false),
        ("??", false),
    ] {
        let coding = Coding {
            system: Some("http://unitsofmeasure.org"),
            code,
        };
        let found = terminology.has_any(url, &[coding]).map(known);
        assert_eq!(found, Ok(expected), "{code}");
    }
}

fn limit_of(content: &Content, limits: Limits, asked: &str) -> Option<&'static str> {
    match Terminology::new(R4, content, limits).members(asked) {
        Err(TerminologyError::LimitExceeded { limit, .. }) => Some(limit),
        Err(error) => panic!("{error}"),
        Ok(_) => None,
    }
}

#[test]
fn results_have_a_limit_and_large_systems_stay_a_symbol() {
    let mut content = Content::closed();
    give(&mut content, &flat_system(101)).expect("a definition");
    let whole = value_set("whole", r#"{"system":"http://example.org/s"}"#);
    let filter = r#"{"property":"code","op":"regex","value":".*"}"#;
    let chosen = value_set(
        "chosen",
        &format!(r#"{{"system":"http://example.org/s","filter":[{filter}]}}"#),
    );
    give(&mut content, &whole).expect("a definition");
    give(&mut content, &chosen).expect("a definition");
    let limits = |expansion_codes_max| Limits {
        expansion_codes_max,
        ..Limits::DEFAULT
    };
    for (asked, max, expected) in [
        ("chosen", 101, None),
        ("chosen", 100, Some("expansion_codes_max")),
        ("whole", 101, None),
        ("whole", 100, None),
    ] {
        let asked = format!("http://example.org/{asked}");
        assert_eq!(
            limit_of(&content, limits(max), &asked),
            expected,
            "{asked} {max}"
        );
    }
    let terminology = Terminology::new(R4, &content, limits(100));
    let set = known(
        terminology
            .members("http://example.org/whole")
            .expect("no fault"),
    );
    assert!(matches!(
        set.systems().next(),
        Some((_, Codes::AllExcept(_)))
    ));
    assert!(terminology.below("http://example.org/s", "1").is_ok());
    // Single codes are told whatever the size.
    let has = |code| {
        let coding = Coding { system: None, code };
        known(
            terminology
                .has_any("http://example.org/chosen", &[coding])
                .expect("no fault"),
        )
    };
    assert!(has("100") && !has("101"));
}

#[test]
fn imports_have_a_limit_of_depth() {
    let mut content = Content::closed();
    give(&mut content, &flat_system(1)).expect("a definition");
    give(
        &mut content,
        &value_set("v0", r#"{"system":"http://example.org/s"}"#),
    )
    .expect("a definition");
    for at in 1..=20 {
        let text = value_set(&format!("v{at}"), &imports(&[format!("v{}", at - 1)]));
        give(&mut content, &text).expect("a definition");
    }
    let limit = |at| {
        limit_of(
            &content,
            Limits::DEFAULT,
            &format!("http://example.org/v{at}"),
        )
    };
    assert_eq!(limit(16), None);
    assert_eq!(limit(17), Some("import_depth_max"));
}

/// Sixteen levels of value sets that import each one of the next level, all of them: 2^16 ways, of
/// which each value set is taken once.
#[test]
fn work_is_bounded() {
    let mut content = Content::closed();
    give(&mut content, &flat_system(1000)).expect("a definition");
    for name in ["a0", "b0"] {
        give(
            &mut content,
            &value_set(name, r#"{"system":"http://example.org/s"}"#),
        )
        .expect("a definition");
    }
    for at in 1..=16 {
        let below = [format!("a{}", at - 1), format!("b{}", at - 1)];
        for name in ["a", "b"] {
            let text = value_set(&format!("{name}{at}"), &imports(&below));
            give(&mut content, &text).expect("a definition");
        }
    }
    let limits = |expansion_work_max| Limits {
        expansion_work_max,
        ..Limits::DEFAULT
    };
    let limit = |max| limit_of(&content, limits(max), "http://example.org/a16");
    assert_eq!(limit(70_000), None);
    assert_eq!(limit(60_000), Some("expansion_work_max"));
}

/// A chain of concepts, each below the one before: the deepest order that a tenant can store.
#[test]
fn deep_orders_are_walked_in_proportion() {
    const DEPTH: usize = 50_000;
    // The first has a parent that does not exist.
    let concept = |at: usize| {
        let parent = at.wrapping_sub(1);
        format!(r#"{{"code":"{at}","property":[{{"code":"parent","valueCode":"{parent}"}}]}}"#)
    };
    let concepts: Vec<_> = (0..DEPTH).map(concept).collect();
    let system = format!(
        r#"{{"resourceType":"CodeSystem","url":"http://example.org/s","content":"complete","concept":[{}]}}"#,
        concepts.join(",")
    );
    let mut content = Content::closed();
    give(&mut content, &system).expect("a definition");
    let limits = Limits {
        expansion_codes_max: DEPTH,
        ..Limits::DEFAULT
    };
    for (operator, expected) in [
        ("is-a", DEPTH - 25_000),
        ("descendent-of", DEPTH - 25_001),
        ("is-not-a", 25_000),
        ("generalizes", 25_001),
    ] {
        let filter = format!(r#"{{"property":"concept","op":"{operator}","value":"25000"}}"#);
        let part = format!(r#"{{"system":"http://example.org/s","filter":[{filter}]}}"#);
        give(&mut content, &value_set("chosen", &part)).expect("a definition");
        let terminology = Terminology::new(R4, &content, limits);
        let set = known(
            terminology
                .members("http://example.org/chosen")
                .expect("no fault"),
        );
        assert_eq!(set.codes_listed(), expected, "{operator}");
    }
}
