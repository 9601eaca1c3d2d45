//! Searches that mean no good, on a store that is not empty: each ends in a named limit, or in an
//! answer of bounded size after a bounded number of steps. Steps are counted, not time.

use std::fmt::Write as _;

use http::StatusCode;
use server::Limits;
use store_embedded::Options;

use crate::site::{Reply, Site};

/// Patients, and as many observations.
const RECORDS: u64 = 10_000;

/// Of one transaction.
const ENTRIES: u64 = 1_000;

/// What a search may cost that reads everything there is of a type, and of another one beside it.
const SCAN_STEPS: u64 = 60 * RECORDS;

/// What one may cost that finds its page at once.
const PAGE_STEPS: u64 = 60_000;

/// Bytes of a page of a thousand small resources with as many included.
const BYTES_MAX: usize = 4 << 20;

enum Expected {
    /// Refused before anything is read, with this in the outcome.
    Refused(&'static str),
    /// Answered after no more than so many steps.
    Answered(u64),
}

use Expected::{Answered, Refused};

async fn filled(options: Options) -> Site {
    let site = Site::start_on(Limits::default(), options).await;
    for first in (0..RECORDS).step_by(usize::try_from(ENTRIES).expect("small")) {
        let mut bundle = r#"{"resourceType":"Bundle","type":"transaction","entry":["#.to_owned();
        for number in first..first + ENTRIES {
            for (kind, resource) in [
                ("Patient", patient(number)),
                ("Observation", observed(number)),
            ] {
                let comma = if bundle.ends_with('[') { "" } else { "," };
                write!(
                    bundle,
                    r#"{comma}{{"request":{{"method":"PUT","url":"{kind}/{number}"}},"resource":{resource}}}"#
                )
                .expect("writing to a String does not fail");
            }
        }
        bundle.push_str("]}");
        let json = [("content-type", "application/fhir+json")];
        let reply = site.ask("POST", "/fhir/r4", &json, bundle).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
    }
    site
}

fn patient(number: u64) -> String {
    let day = 1 + number % 28;
    format!(
        r#"{{"resourceType":"Patient","id":"{number}","gender":"female","birthDate":"1970-01-{day:02}","name":[{{"family":"Family{number}","given":["Ada"]}}]}}"#
    )
}

fn observed(number: u64) -> String {
    let (code, day) = (number % 3, 1 + number % 28);
    format!(
        r#"{{"resourceType":"Observation","id":"{number}","status":"final","code":{{"coding":[{{"system":"http://s","code":"c{code}"}}]}},"subject":{{"reference":"Patient/{number}"}},"effectiveDateTime":"2020-01-{day:02}","valueQuantity":{{"value":{number},"system":"http://unitsofmeasure.org","code":"mg"}}}}"#
    )
}

fn many(text: &str, by: &str, times: usize) -> String {
    vec![text; times].join(by)
}

/// More than a limit, or malformed.
fn refused() -> Vec<(String, &'static str)> {
    let given = |query: &str, why| (query.to_owned(), why);
    let many_names = many("a", ",", 5_000);
    let chain = many("partof.", "", 50);
    let nests = many("_has:Patient:link:", "", 50);
    vec![
        (format!("Patient?name={many_names}"), "or_values_max"),
        (
            format!("Patient?{}", many("name=a", "&", 1_000)),
            "criteria_max",
        ),
        (
            format!("Observation?{}", many("_include=*", "&", 50)),
            "includes_max",
        ),
        (
            format!("Patient?_sort={}", many("name,birthdate", ",", 5)),
            "sort_keys_max",
        ),
        (
            format!("Patient?organization.{chain}name=x"),
            "chain_depth_max",
        ),
        (format!("Patient?{nests}code=x"), "chain_depth_max"),
        given("Patient?name=%zz", "%"),
        given("Patient?name=%c3", "UTF-8"),
        given("Patient?name=a%5C", "name"),
        given("Patient?birthdate=gtgt2020", "birthdate"),
        given("Location?near=0%7C0%7C20100%7Cparsec", "near"),
    ]
}

/// Legal, with the steps that each may take.
fn answered() -> Vec<(String, u64)> {
    let ids: Vec<String> = (0..1_000).map(|it| format!("none{it}")).collect();
    let pairs = many("c9$gt5", ",", 900);
    let mut cases = vec![
        (format!("Patient?_id={}", ids.join(",")), PAGE_STEPS),
        (
            format!("Observation?code-value-quantity={pairs}"),
            SCAN_STEPS,
        ),
    ];
    let pages = [
        "Patient?_count=1000000000",
        "Patient?name=gt5",
        "Patient?name:contains=a&_count=20",
        "Observation?value-quantity=ge0&_count=20",
        "Patient?_has:Observation:subject:code=nothing",
        "Location?near=0%7C0%7C20100%7Ckm",
        "?_lastUpdated=gt2000&_count=20",
    ];
    let scans = [
        "Observation?_include=*&_revinclude=*&_count=1000",
        "Patient?_revinclude=Observation:subject&_count=1000",
        "Patient?name:contains=zq&_total=accurate",
        "Patient?gender:not=female",
        "Patient?gender:missing=true",
        "Observation?date=le2999&_summary=count",
        "Observation?subject:Patient.name:contains=zz",
        "Patient?_has:Observation:subject:status:not=final",
        "Patient?_sort=gender,-birthdate,name,family,given,_id&_count=20",
    ];
    cases.extend(pages.map(|query| (query.to_owned(), PAGE_STEPS)));
    cases.extend(scans.map(|query| (query.to_owned(), SCAN_STEPS)));
    cases
}

fn cases() -> impl Iterator<Item = (String, Expected)> {
    let refused = refused()
        .into_iter()
        .map(|(query, why)| (query, Refused(why)));
    let answered = answered()
        .into_iter()
        .map(|(query, max)| (query, Answered(max)));
    refused.chain(answered)
}

async fn steps(site: &Site, path: &str) -> (Reply, u64) {
    let before = site.store.stats().search_steps;
    let reply = site.ask("GET", &format!("/fhir/r4/{path}"), &[], "").await;
    (reply, site.store.stats().search_steps - before)
}

/// What is wrong with an answer, if anything.
fn fault(reply: &Reply, steps: u64, expected: &Expected) -> Option<String> {
    let start: String = reply.text().chars().take(300).collect();
    let (status, length) = (reply.status, reply.body.len());
    let holds = match expected {
        Refused(why) => {
            status.is_client_error()
                && reply.text().contains(why)
                && length < 64 << 10
                && steps == 0
        }
        Answered(max) => status == StatusCode::OK && length <= BYTES_MAX && steps <= *max,
    };
    (!holds).then(|| format!("{status}, {length} bytes, {steps} steps: {start}"))
}

#[tokio::test]
async fn abuse_is_refused_by_name_or_answered_in_bounds() {
    let site = filled(Options::default()).await;
    let mut faults = String::new();
    for (query, expected) in cases() {
        let (reply, steps) = steps(&site, &query).await;
        if let Some(fault) = fault(&reply, steps, &expected) {
            let shown = &query[..query.len().min(100)];
            writeln!(faults, "{shown}: {fault}").expect("writing to a String does not fail");
        }
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let megabyte = format!("name={}", "x".repeat(1 << 20));
    let path = "/fhir/r4/Patient/_search";
    let reply = site.ask("POST", path, &form, megabyte).await;
    if let Some(fault) = fault(&reply, 0, &Refused("_max")) {
        writeln!(faults, "POST: {fault}").expect("writing to a String does not fail");
    }
    assert!(faults.is_empty(), "{faults}");
}

#[tokio::test]
async fn a_search_ends_after_so_many_steps() {
    let steps_max = 10_000;
    let options = Options {
        search_steps_max: steps_max,
        ..Options::default()
    };
    let site = filled(options).await;
    for query in [
        "Patient?gender:not=female",
        "Patient?name:contains=zq&_summary=count",
        "Observation?_sort=status,-date",
    ] {
        let (reply, steps) = steps(&site, query).await;
        assert_eq!(
            reply.status,
            StatusCode::FORBIDDEN,
            "{query}: {}",
            reply.text()
        );
        for part in ["\"too-costly\"", "search_steps_max", "10000", "_explain"] {
            assert!(reply.text().contains(part), "{query}: {}", reply.text());
        }
        // It began where it was asked for, and ended with the step that was one too many.
        assert!(steps <= steps_max + 3_000, "{query}: {steps} steps");
    }
    let (reply, _) = steps(&site, "Observation?code=c1&_count=20").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text());
}
