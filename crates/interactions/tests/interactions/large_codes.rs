//! Code systems of hundreds of thousands of concepts: written, searched, and asked by code without
//! being read whole. `ISTHMUS_LONG` makes them as large as the largest that are in use.

use std::fmt::Write as _;
use std::time::Instant;

use fhir::FhirVersion;
use interactions::{Handling, Settings, Within};

use crate::harness::{Host, host_with, ids, issues, resource, sweep};

const SYSTEM: &str = "http://x/large";

/// How the concepts are ordered.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Shape {
    Flat,
    /// One in the other, eight levels deep.
    Nested,
    /// By a property.
    Linked,
}

/// Below each concept; eight levels of it are 350,000 concepts and more.
const FAN: usize = 6;

fn code(at: usize) -> String {
    format!("c{at:06}")
}

fn concept(text: &mut String, at: usize, shape: Shape, count: usize) {
    let status = ["active", "retired"][at % 2];
    write!(text, r#"{{"code":"{}","display":"concept {at}""#, code(at)).unwrap();
    text.push_str(r#","property":["#);
    if shape == Shape::Linked && at > 0 {
        let parent = code((at - 1) / FAN);
        write!(text, r#"{{"code":"subsumedBy","valueCode":"{parent}"}},"#).unwrap();
    }
    write!(text, r#"{{"code":"status","valueCode":"{status}"}}]"#).unwrap();
    let below = (at * FAN + 1..=at * FAN + FAN).take_while(|it| *it < count);
    if shape == Shape::Nested && below.clone().next().is_some() {
        text.push_str(r#","concept":["#);
        for (place, below) in below.enumerate() {
            text.push_str(if place > 0 { "," } else { "" });
            concept(text, below, shape, count);
        }
        text.push(']');
    }
    text.push('}');
}

fn code_system(shape: Shape, count: usize) -> String {
    let mut concepts = String::new();
    let roots = if shape == Shape::Nested {
        0..1
    } else {
        0..count
    };
    for at in roots {
        concepts.push_str(if at > 0 { "," } else { "" });
        concept(&mut concepts, at, shape, count);
    }
    let parent = "http://hl7.org/fhir/concept-properties#parent";
    resource(
        "CodeSystem",
        &format!(
            r#""id":"cs","status":"active","content":"complete","hierarchyMeaning":"is-a","url":"{SYSTEM}","property":[{{"code":"subsumedBy","uri":"{parent}","type":"code"}},{{"code":"status","type":"code"}}],"concept":[{concepts}]"#
        ),
    )
}

impl Host {
    async fn told(&self, query: &str) -> String {
        let within = Within::Type("Observation".to_owned());
        let found = self
            .interactions
            .search(&self.caller, within, query, Handling::Strict)
            .await;
        let mut found = match found {
            Ok(found) => ids(&found),
            Err(error) => return issues(&error),
        };
        found.sort();
        let short = found.iter().map(|it| it.trim_start_matches("Observation/"));
        short.collect::<Vec<_>>().join(" ")
    }

    /// What a value set with that part finds, and what it does not.
    async fn told_in(&self, part: &str) -> [String; 2] {
        let set = resource(
            "ValueSet",
            &format!(
                r#""id":"v","status":"active","url":"http://x/v","compose":{{"include":[{{"system":"{SYSTEM}"{part}}}]}}"#
            ),
        );
        self.put("ValueSet/v", &set, &[]).await;
        let is_in = self.told("code:in=http://x/v").await;
        let is_out = self.told("code:not-in=http://x/v").await;
        [is_in, is_out]
    }
}

fn filter(property: &str, op: &str, value: &str) -> String {
    format!(r#","filter":[{{"property":"{property}","op":"{op}","value":"{value}"}}]"#)
}

/// A host with the code system and Observations of some of its codes, of one that it does not have,
/// and of another system's.
async fn world(shape: Shape, count: usize, settings: Settings) -> Host {
    let host = host_with(FhirVersion::R4, settings);
    let text = code_system(shape, count);
    let began = Instant::now();
    let stored = host.put("CodeSystem/cs", &text, &[]).await;
    assert_eq!(stored, "Created CodeSystem v1");
    println!(
        "isthmus-suite: {shape:?}, {count} concepts, {} bytes of text: written in {:?}: 1 cases",
        text.len(),
        began.elapsed()
    );
    let last = count - 1;
    for (id, system, code) in [
        ("first", SYSTEM, code(0)),
        ("second", SYSTEM, code(1)),
        ("below", SYSTEM, code(FAN + 1)),
        ("last", SYSTEM, code(last)),
        ("unknown", SYSTEM, "nothing".to_owned()),
        ("other", "http://x/other", code(1)),
    ] {
        let members = format!(
            r#""id":"{id}","status":"final","code":{{"coding":[{{"system":"{system}","code":"{code}"}}]}}"#
        );
        let text = resource("Observation", &members);
        host.put(&format!("Observation/{id}"), &text, &[]).await;
    }
    host
}

/// Everything that is asked of one of the shapes; `last` is the code of the last concept.
async fn answers(host: &Host, shape: Shape, count: usize) {
    let last = code(count - 1);
    let by_code = host
        .search("CodeSystem", &format!("code={}", code(0)))
        .await;
    assert_eq!(ids(&by_code), ["CodeSystem/cs"]);
    // The standard's search parameter goes through the concepts that are in none.
    let by_code = host.search("CodeSystem", &format!("code={last}")).await;
    let expected: &[&str] = match shape {
        Shape::Flat | Shape::Linked => &["CodeSystem/cs"],
        Shape::Nested => &[],
    };
    assert_eq!(ids(&by_code), expected);
    // All codes of the system: whatever says to be of it.
    let [is_in, is_out] = host.told_in("").await;
    assert_eq!(is_in, "below first last second unknown");
    assert_eq!(is_out, "other");
    let listed = format!(
        r#","concept":[{{"code":"{last}"}},{{"code":"{}"}}]"#,
        code(1)
    );
    assert_eq!(
        host.told_in(&listed).await,
        ["last second", "below first other unknown"]
    );
    assert_eq!(
        host.told_in(&filter("code", "regex", "c00000[01]")).await,
        ["first second", "below last other unknown"]
    );
    assert_eq!(
        host.told_in(&filter("display", "=", "concept 0")).await[0],
        "first"
    );
    let too_many = host.told_in(&filter("status", "exists", "true")).await;
    assert!(too_many[0].contains("exceeds the limit"), "{too_many:?}");
    assert_eq!(too_many[0].replace(":in", ":not-in"), too_many[1]);
    if shape == Shape::Flat {
        assert_eq!(
            host.told("code:below=http://x/large|c000001").await,
            "second"
        );
        return;
    }
    let above_last = code((count - 2) / FAN);
    assert_eq!(
        host.told_in(&filter("concept", "is-a", &above_last)).await,
        ["last", "below first other second unknown"]
    );
    assert_eq!(
        host.told_in(&filter("concept", "descendent-of", &last))
            .await[0],
        ""
    );
    let both = format!(
        r#","filter":[{{"property":"concept","op":"is-a","value":"{}"}},{{"property":"status","op":"exists","value":"true"}}]"#,
        code(0)
    );
    let too_many = host.told_in(&both).await;
    assert!(too_many[0].contains("exceeds the limit"), "{too_many:?}");
    let below = |at: usize| format!("code:below={SYSTEM}|{}", code(at));
    let above = |at: usize| format!("code:above={SYSTEM}|{}", code(at));
    assert_eq!(host.told(&above(FAN + 1)).await, "below first second");
    assert_eq!(host.told(&above(0)).await, "first");
    assert_eq!(host.told(&below(count - 1)).await, "last");
    assert_eq!(host.told(&below(count)).await, "");
    assert_eq!(host.told(&below((count - 2) / FAN)).await, "last");
    let all = host.told(&below(0)).await;
    assert!(all.contains("exceeds the limit"), "{all}");
}

async fn shape(shape: Shape) {
    let count = sweep(20_000, 350_000);
    let host = world(shape, count, Settings::default()).await;
    answers(&host, shape, count).await;
    let used = host.interactions.terminology_use();
    assert!(used.bytes < 1 << 20, "only heads are kept: {used:?}");
    println!("isthmus-suite: {shape:?}: {used:?}: 1 cases");
}

#[tokio::test]
async fn flat() {
    shape(Shape::Flat).await;
}

#[tokio::test]
async fn nested() {
    shape(Shape::Nested).await;
}

#[tokio::test]
async fn linked() {
    shape(Shape::Linked).await;
}

/// What a question reads of the table, cold and kept.
#[tokio::test]
async fn questions_about_few_codes_read_little() {
    let count = sweep(20_000, 350_000);
    let host = world(Shape::Linked, count, Settings::default()).await;
    let used = || host.interactions.terminology_use();
    let mut queries = vec![
        format!("code:below={SYSTEM}|{}", code(count - 1)),
        format!("code:above={SYSTEM}|{}", code(count - 1)),
        format!("code:below={SYSTEM}|nothing"),
    ];
    let listed = r#","concept":[{"code":"c000001"},{"code":"c000002"}]"#;
    host.told_in(listed).await;
    assert_eq!(used().table_read_bytes, 0, "listed codes need no table");
    queries.push("code:in=http://x/v".to_owned());
    for query in queries {
        let (before, began) = (used(), Instant::now());
        let cold = host.told(&query).await;
        let (after, took) = (used(), began.elapsed());
        let began = Instant::now();
        assert_eq!(host.told(&query).await, cold);
        let kept = used();
        assert_eq!(kept.table_read_bytes, after.table_read_bytes, "{query}");
        assert_eq!(kept.hits, after.hits + 1, "{query}");
        let read = after.table_read_bytes - before.table_read_bytes;
        assert!(read < 1 << 20, "{query}: {read} bytes");
        println!(
            "isthmus-suite: {query}: {read} bytes read in {took:?}, then {:?}: 1 cases",
            began.elapsed()
        );
    }
}

/// Without a cache every question is asked of the table anew; changes are seen at once.
#[tokio::test]
async fn changes_are_seen() {
    for terminology_cache_bytes in [64 << 20, 0] {
        let settings = Settings {
            terminology_cache_bytes,
            ..Settings::default()
        };
        let count = 5_000;
        let host = world(Shape::Linked, count, settings).await;
        let below = format!("code:below={SYSTEM}|{}", code(1));
        assert_eq!(host.told(&below).await, "below second");
        // The first half is another order: nothing is below the second any more.
        let flat = code_system(Shape::Flat, count);
        assert_eq!(
            host.put("CodeSystem/cs", &flat, &[]).await,
            "Updated CodeSystem v2"
        );
        assert_eq!(host.told(&below).await, "second");
        assert_eq!(
            host.put("CodeSystem/cs", &flat, &[]).await,
            "Unchanged CodeSystem v2"
        );
        assert_eq!(host.told(&below).await, "second");
        // A small one has no table.
        let small = code_system(Shape::Linked, 10);
        host.put("CodeSystem/cs", &small, &[]).await;
        assert_eq!(host.told(&below).await, "below second");
        host.put("CodeSystem/cs", &flat, &[]).await;
        assert_eq!(host.told(&below).await, "second");
        host.delete("CodeSystem/cs").await;
        let missing = host.told(&below).await;
        assert!(
            missing.contains("content of the code system `http://x/large` is missing"),
            "{missing}"
        );
    }
}

/// A bundle's large code system has a table like any other.
#[tokio::test]
async fn in_a_transaction() {
    let host = host_with(FhirVersion::Stu3, Settings::default());
    let system = code_system(Shape::Linked, 4_000);
    let entry = |resource: &str, url: &str| {
        format!(r#"{{"resource":{resource},"request":{{"method":"PUT","url":"{url}"}}}}"#)
    };
    let observation = resource(
        "Observation",
        &format!(
            r#""id":"o","status":"final","code":{{"coding":[{{"system":"{SYSTEM}","code":"c000007"}}]}}"#
        ),
    );
    let entries = [
        entry(&system, "CodeSystem/cs"),
        entry(&observation, "Observation/o"),
    ];
    let bundle = resource(
        "Bundle",
        &format!(r#""type":"transaction","entry":[{}]"#, entries.join(",")),
    );
    assert_eq!(
        host.answers(&bundle).await,
        "Created CodeSystem v1\nCreated Observation v1"
    );
    let below = format!("code:below={SYSTEM}|c000001");
    assert_eq!(host.told(&below).await, "o");
    assert!(host.interactions.terminology_use().table_read_bytes > 0);
}
