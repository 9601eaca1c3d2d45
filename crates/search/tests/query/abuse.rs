//! Hostile queries end in a named limit, or in a plan of bounded size; the time they take grows
//! with their length only, which the test would show by not ending.

use fhir::{Fault, FhirVersion};
use search::compile::{Answers, Built, Visibility};
use search::query::{Handling, QueryLimits};

use crate::cases::{Searched, build, parse};

/// The first issue that a query ends in, as text; nothing if it is answered.
fn refusal(scope: &str, text: &str) -> Option<(Fault, String)> {
    let version = FhirVersion::R4;
    let searched = Searched::parse(version, scope).unwrap();
    let everything = Visibility::everything();
    let issues = match parse(version, &searched.types, text, Handling::Strict) {
        Err(issues) => issues,
        Ok(query) => match build(version, &searched, &query, &everything, &Answers::default()) {
            Err(issues) => issues,
            Ok(_) => return None,
        },
    };
    assert!(issues.len() <= QueryLimits::DEFAULT.criteria_max);
    issues.into_iter().next().map(|it| (it.fault, it.what))
}

fn check(scope: &str, text: &str, limit: &str) {
    let (fault, what) = refusal(scope, text).unwrap_or_else(|| panic!("{limit}: was answered"));
    assert_eq!(fault, Fault::TooLarge, "{limit}: {what}");
    assert!(what.contains(limit), "{limit}: {what}");
    assert!(what.len() < 300, "{limit}: {what}");
}

#[test]
fn more_than_a_limit_is_refused_by_its_name() {
    let many = |text: &str, by: &str, times: usize| vec![text; times].join(by);
    let long = "x".repeat(1_000_000);
    check(
        "Patient",
        &format!("name={}", many("a", ",", 10_000)),
        "or_values_max",
    );
    check(
        "Patient",
        &format!("_id={}", many("a", ",", 10_000)),
        "or_values_max",
    );
    check(
        "Patient",
        &format!("name={}", ",".repeat(100_000)),
        "or_values_max",
    );
    check("Patient", &many("name=a", "&", 10_000), "criteria_max");
    check("Patient", &format!("name={long}"), "value_bytes_max");
    check("Patient", &format!("{long}=x"), "name_bytes_max");
    check(
        "Patient",
        &format!("organization.{}name=x", "partof.".repeat(50)),
        "chain_depth_max",
    );
    check(
        "Patient",
        &format!("{}code=x", "_has:Patient:link:".repeat(50)),
        "chain_depth_max",
    );
    check("Patient", &many("_include=*", "&", 50), "includes_max");
    check(
        "Patient",
        &format!("_sort={}", many("name", ",", 10_000)),
        "sort_keys_max",
    );
    let ids = many("a", ",", 900);
    check(
        "Provenance",
        &format!("target={ids}&target={ids}"),
        "tests_max",
    );
    check("*", &format!("_tag={}", many("a", ",", 1_000)), "tests_max");
    let chain = "Provenance?target.subject.organization.partof.name=x";
    assert_eq!(
        refusal("Provenance", chain.split_once('?').unwrap().1),
        None
    );
    let all = "entity._has:Provenance:target:target._has:Provenance:target:target._id=x";
    check("Provenance", all, "tests_max");
}

#[test]
fn garbage_is_refused_and_never_panics() {
    for text in [
        "%",
        "%%%%",
        "name=%c3",
        "%=%",
        "=&=&=",
        "name=\\",
        "name=a\\",
        "code=||||",
        "code=a|b|c",
        "_has:::=x",
        "_has:Patient:::=x",
        "...=x",
        "name:::=x",
        "name:.x=x",
        "subject:=x",
        "_include=:::",
        "_include=*:x",
        "_sort=-",
        "_sort=--date",
        "date=+",
        "date= ",
        "date=T",
        "date=2020-01-01T",
        "date=2020-01-01T+",
        "value-quantity=|",
        "value-quantity=ge",
        "value-quantity=||",
        "component-code-value-quantity=$",
        "_text=()",
        "_text=(((((",
        "_text=)",
        "_lastUpdated=9999-12-31",
        "_partition=/",
        "_partition=18446744073709551616/2",
        "_partition=1/0",
        "_count=\u{663}",
        "_not-referenced=:",
        "_list=,",
        "_id=,",
        "\u{0}=\u{0}",
        "date=-0001",
        "date=0000",
        "date=9999-12-31T23:59:59-14:00",
        "_type=,",
        "_elements=",
    ] {
        let refused = refusal("Observation", text);
        let is_answered = matches!(
            text,
            "_lastUpdated=9999-12-31" | "date=9999-12-31T23:59:59-14:00" | "=&=&="
        );
        assert!(refused.is_some() || is_answered, "{text}");
    }
    let deep = format!("_text={}a{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(refusal("Observation", &deep).is_some());
    let nots = format!("_text={}a", "not ".repeat(100_000));
    assert!(refusal("Observation", &nots).is_some());
    let slashes = format!("url:above=http://a{}", "/".repeat(200_000));
    assert!(refusal("ValueSet", &slashes).is_some());
}

/// Every prefix of queries with everything in them, and each with a byte changed.
#[test]
fn queries_cut_anywhere_never_panic() {
    let queries = [
        r"code=http://s|a\,b,c\$d&date=ge2020-01-01T10:00:00%2B02:00&value-quantity=ap5.4|http://unitsofmeasure.org|mg",
        "subject:Patient._has:Observation:patient:code:in=http://v|1&_sort=-date,code&_include:iterate=Observation:subject:Patient",
        "component-code-value-quantity=a|b$gt5||x&_text=(a or not b) and c&_lastUpdated=le2020&_partition=1/3&_count=7",
    ];
    for query in queries {
        for end in 0..=query.len() {
            refusal("Observation", &query[..end]);
            for other in ["%", "\\", "|", ":", ".", "$", "\u{ff}"] {
                let rest = query.get(end + 1..).unwrap_or_default();
                refusal("Observation", &format!("{}{other}{rest}", &query[..end]));
            }
        }
    }
}

#[test]
fn a_count_of_a_billion_is_a_number_like_others() {
    let version = FhirVersion::R4;
    let query = parse(version, &["Patient"], "_count=1000000000", Handling::Strict).unwrap();
    assert_eq!(query.result.count, Some(1_000_000_000));
    let searched = Searched::parse(version, "Patient").unwrap();
    let everything = Visibility::everything();
    let built = build(version, &searched, &query, &everything, &Answers::default()).unwrap();
    assert!(matches!(built, Built::Plan(plan) if plan.limit == 0));
}
