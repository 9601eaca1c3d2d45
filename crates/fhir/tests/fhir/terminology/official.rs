//! Every value set of the standard: it can be evaluated or stands in a list with the reason, single
//! codes are told as its members are, and these are those of the official expansion.
//!
//! The lists lie below `tests/official`; an entry that is no longer true fails the test too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use fhir::FhirVersion;
use fhir::terminology::{CodeSet, Codes, Coding, Content, Limits, Terminology};
use serde_json::Value;

use super::{known, told};
use crate::data;

const LISTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/official");

/// The entries of a list: a URL and a text.
fn list(name: &str, version: FhirVersion) -> BTreeMap<String, String> {
    let path = format!("{LISTS}/{name}-{}.txt", version.slug());
    let text = fs::read_to_string(path).unwrap_or_default();
    let entry = |line: &str| {
        let (url, text) = line.split_once(' ').expect("a URL and a text");
        (url.to_owned(), text.to_owned())
    };
    text.lines().map(entry).collect()
}

/// Compares what was found with a list; `UPDATE_EXPECT=1` writes the list instead.
fn compare(name: &str, version: FhirVersion, found: &BTreeMap<String, String>) {
    let lines: Vec<_> = found
        .iter()
        .map(|(url, text)| format!("{url} {text}\n"))
        .collect();
    let path = format!("{LISTS}/{name}-{}.txt", version.slug());
    expect_test::expect_file![path].assert_eq(&lines.concat());
}

#[test]
fn every_value_set_is_evaluated_or_listed() {
    let content = Content::closed();
    for version in FhirVersion::ALL {
        let terminology = Terminology::new(version, &content, Limits::DEFAULT);
        let mut refused = BTreeMap::new();
        let (mut sets, mut codes) = (0, 0);
        for url in terminology.standard_value_sets() {
            sets += 1;
            match terminology.members(url) {
                Err(error) => {
                    refused.insert(url.to_owned(), told(&error));
                }
                Ok(answer) => codes += check_single_codes(&terminology, url, &known(answer)),
            }
        }
        compare("terminology-refused", version, &refused);
        assert!(
            sets > 1100 && codes > 30_000,
            "{version}: {sets} sets, {codes} codes"
        );
    }
}

/// Asks for each of the codes, and for one that no system has; returns how many there are.
fn check_single_codes(terminology: &Terminology<'_>, url: &str, members: &CodeSet) -> usize {
    let mut count = 0;
    for (system, codes) in members.systems() {
        let has = |code: &str| {
            let coding = Coding {
                system: Some(system),
                code,
            };
            terminology.has_any(url, &[coding]).map(known)
        };
        let Codes::Listed(codes) = codes else {
            continue;
        };
        for code in codes {
            assert_eq!(has(code), Ok(true), "{url} {system} {code}");
        }
        assert_eq!(has("no such code"), Ok(false), "{url} {system}");
        count += codes.len();
    }
    count
}

#[test]
fn members_are_those_of_the_official_expansions() {
    for (version, set) in [
        (FhirVersion::R4, "01-fhir-r4-definitions"),
        (FhirVersion::Stu3, "02-fhir-stu3-definitions"),
    ] {
        let suite = format!("terminology expansions {version}");
        let Some(folder) = data::folder(&suite, set) else {
            continue;
        };
        let files = data::files(&folder.join("expansions"), "json");
        // Some files begin with a byte-order mark.
        let read = |file| {
            let bytes = data::read(file);
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            serde_json::from_slice::<Value>(bytes).expect("JSON")
        };
        let value_sets: Vec<Value> = files.iter().map(|it| read(it)).collect();
        let whole: Vec<&Value> = value_sets.iter().filter(|it| is_whole(it)).collect();
        let found = deviations(version, &whole);
        let refused = list("terminology-refused", version);
        let is_refused = |it: &&Value| refused.contains_key(it["url"].as_str().unwrap_or(""));
        let compared = whole.len() - whole.iter().filter(|it| is_refused(it)).count();
        println!("isthmus-suite: {suite}: {compared} cases");
        let listed = list("terminology-deviations", version);
        let is_unlisted = |(url, codes): &(&String, &String)| {
            let reason = listed.get(*url);
            !reason.is_some_and(|it| it.starts_with(codes.as_str()))
        };
        let unlisted: Vec<_> = found.iter().filter(is_unlisted).collect();
        assert!(unlisted.is_empty(), "not listed: {unlisted:#?}");
        let stale: Vec<&String> = listed
            .keys()
            .filter(|it| !found.contains_key(*it))
            .collect();
        assert!(stale.is_empty(), "listed, but they agree: {stale:?}");
    }
}

/// Whether an expansion holds all codes: the official ones say where they do not, unless a part
/// among several was cut at a thousand.
fn is_whole(value_set: &Value) -> bool {
    let expansion = &value_set["expansion"];
    expansion.is_object()
        && expansion["extension"].is_null()
        && expansion["contains"].as_array().map_or(0, Vec::len) > 0
}

/// The value sets whose members are others, with how many we have too many and too few.
fn deviations(version: FhirVersion, expansions: &[&Value]) -> BTreeMap<String, String> {
    let content = Content::closed();
    let terminology = Terminology::new(version, &content, Limits::DEFAULT);
    let refused = list("terminology-refused", version);
    let mut found = BTreeMap::new();
    for value_set in expansions {
        let url = value_set["url"].as_str().expect("a URL");
        if refused.contains_key(url) {
            continue;
        }
        let members = known(
            terminology
                .members(url)
                .unwrap_or_else(|it| panic!("{url}: {it}")),
        );
        let theirs = codes_of(&value_set["expansion"]);
        let mut ours = BTreeSet::new();
        for (system, codes) in members.systems() {
            match codes {
                Codes::Listed(codes) => {
                    ours.extend(codes.iter().map(|it| (system.to_owned(), it.to_string())));
                }
                Codes::AllExcept(_) => {
                    let open = theirs
                        .iter()
                        .filter(|(it, code)| it == system && members.contains(it, code));
                    ours.extend(open.cloned());
                }
            }
        }
        let (more, less) = (
            ours.difference(&theirs).count(),
            theirs.difference(&ours).count(),
        );
        if more + less > 0 {
            found.insert(url.to_owned(), format!("+{more} -{less}:"));
        }
    }
    found
}

fn codes_of(expansion: &Value) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut open = vec![expansion];
    while let Some(holder) = open.pop() {
        for item in holder["contains"].as_array().into_iter().flatten() {
            if let (Some(system), Some(code)) = (item["system"].as_str(), item["code"].as_str()) {
                found.insert((system.to_owned(), code.to_owned()));
            }
            open.push(item);
        }
    }
    found
}
