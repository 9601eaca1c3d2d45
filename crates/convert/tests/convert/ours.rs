//! Our own library for HL7 v2: it is sound, its files are listed, and every message of a listed type
//! becomes a transaction that passes structural validation, with references that resolve.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bytes::Bytes;
use convert::{Processor, Unread, hl7v2_library, root_of};
use fhir::json::{Document, Limits};
use fhir::validate::{Options, validate};
use fhir::{Definitions, FhirVersion, Severity};
use serde_json::Value;

use super::data;
use super::rows;

const SUITE: &str = "convert our hl7v2";

/// What is wrong with the output of a message; nothing if all is well.
pub(crate) fn faults(message: &str) -> Vec<String> {
    let library = hl7v2_library();
    let root = match root_of(message, library) {
        Ok(root) => root,
        Err(error) => return vec![error.to_string()],
    };
    let output = match data::convert(library, &root, Processor::Hl7v2, message) {
        Ok(output) => output,
        Err(error) => return vec![format!("{root}: {error}")],
    };
    let bytes = Bytes::copy_from_slice(output.text.as_bytes());
    let document = Document::parse(bytes, &Limits::DEFAULT).expect("the output is JSON");
    let definitions = Definitions::of(FhirVersion::R4);
    let issues = validate(&document, definitions, Options::default());
    let errors = issues.iter().filter(|it| it.severity <= Severity::Error);
    let mut faults: Vec<String> = errors
        .map(|it| format!("{root}: {}: {}", it.expression.join(" "), it.what))
        .collect();
    let bundle: Value = serde_json::from_str(&output.text).unwrap();
    faults.extend(
        dangling(&bundle)
            .into_iter()
            .map(|it| format!("{root}: {it} is not there")),
    );
    faults
}

/// References that lead to no entry.
fn dangling(bundle: &Value) -> BTreeSet<String> {
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    let there: BTreeSet<String> = entries
        .iter()
        .map(|it| {
            let resource = &it["resource"];
            let part = |name: &str| resource[name].as_str().unwrap_or_default();
            format!("{}/{}", part("resourceType"), part("id"))
        })
        .collect();
    let mut found = BTreeSet::new();
    references(bundle, &mut found);
    found.difference(&there).cloned().collect()
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|it| references(it, found)),
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == "reference" => {
                        found.insert(text.clone());
                    }
                    other => references(other, found),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn the_library_is_sound() {
    let findings = hl7v2_library().check();
    let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn every_file_is_listed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/hl7v2");
    assert_eq!(convert::hl7v2_sources(), {
        let mut sources = data::sources(&folder);
        sources.files.sort();
        sources
    });
}

/// The types of messages of the samples that are refused, and why: the guide has no table of them,
/// or the message cannot be read.
const REFUSED: &[(&str, &str)] = &[
    ("OSQ^Q06", NO_ROOT),
    ("PPR^PC2", NO_ROOT),
    ("RDE^O01", NO_ROOT),
    ("VXR^V03^VXR_V03", NO_ROOT),
    (
        "ADT^A01",
        "the separator of subcomponents, the fourth of MSH-2, is that of escape sequences, too",
    ),
];
const NO_ROOT: &str = "the library has no root template for messages of the type in MSH-9";

#[test]
fn messages_of_the_samples_become_valid_bundles() {
    let Some(set) = data::folder(SUITE, "15-hl7v2") else {
        return;
    };
    let (mut converted, mut refused) = (0, BTreeSet::new());
    let mut wrong: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for file in data::files(&set) {
        let extension = file.extension().and_then(|it| it.to_str());
        let Some(text) = std::fs::read(&file)
            .ok()
            .filter(|_| matches!(extension, Some("hl7" | "txt" | "er7")))
            .and_then(|it| String::from_utf8(it).ok())
            .filter(|it| {
                it.trim_start_matches('\u{feff}')
                    .trim_start()
                    .starts_with("MSH")
            })
        else {
            continue;
        };
        // A file may hold several.
        for text in convert::hl7v2::messages(&text) {
            if let Err(error) = root_of(text, hl7v2_library()) {
                let kind = text.split('|').nth(8).unwrap_or_default().to_owned();
                refused.insert((error.to_string(), kind));
                continue;
            }
            converted += 1;
            for fault in faults(text) {
                let shown = file.strip_prefix(&set).unwrap().display().to_string();
                let entry = wrong.entry(fault).or_insert((0, shown));
                entry.0 += 1;
            }
        }
    }
    println!("isthmus-suite: {SUITE}: {converted} converted, {refused:?} refused");
    let refused: Vec<(&str, &str)> = refused
        .iter()
        .map(|(why, kind)| (kind.as_str(), why.as_str()))
        .collect();
    assert_eq!(refused, REFUSED);
    let shown: Vec<String> = wrong
        .iter()
        .map(|(fault, (count, file))| format!("{count} × {fault} ({file})"))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} faults\n{}",
        wrong.len(),
        shown.join("\n")
    );
}

/// The fixtures of the repository: what each becomes, and what of it is not read.
#[test]
fn each_root_has_a_message() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/hl7v2");
    let library = hl7v2_library();
    let mut covered = BTreeSet::new();
    for file in data::files(&folder) {
        if file.extension().and_then(|it| it.to_str()) != Some("hl7") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let shown = shown(library, &text);
        expect_test::expect_file![file.with_extension("out")].assert_eq(&shown);
        covered.insert(root_of(&text, library).unwrap());
    }
    let roots: BTreeSet<String> = library.roots().into_iter().map(str::to_owned).collect();
    assert_eq!(covered, roots);
}

/// How many resources of each type, then the faults, then what is not read.
fn shown(library: &convert::Library, message: &str) -> String {
    let root = root_of(message, library).unwrap();
    let output = data::convert(library, &root, Processor::Hl7v2, message).unwrap();
    let bundle: Value = serde_json::from_str(&output.text).unwrap();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in bundle["entry"].as_array().unwrap() {
        let kind = entry["resource"]["resourceType"].as_str().unwrap();
        *counts.entry(kind).or_insert(0) += 1;
    }
    let mut lines: Vec<String> = counts
        .iter()
        .map(|(kind, count)| format!("{count} {kind}\n"))
        .collect();
    lines.extend(faults(message).iter().map(|it| format!("fault {it}\n")));
    for part in &output.unread {
        let Unread::Component {
            segment: (segment, position),
            field,
            repeat,
            component,
            ..
        } = part
        else {
            panic!("{part} is no part of a message");
        };
        lines.push(format!(
            "unread {segment}-{field}.{component} (segment {position}, repeat {repeat})\n"
        ));
    }
    lines.concat()
}

/// The page on strict templates has the table of filters as it is.
#[test]
fn the_reference_page_is_true() {
    const MARK: &str = "writes it -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/templates.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, _) = page.split_once(MARK).expect("the page has the mark");
    let mut made = format!("{head}{MARK}\n| written | what it gives |\n|---|---|\n");
    made.extend(convert::strict_filters().map(|(usage, about)| {
        let usage = usage.replace('|', "\\|");
        format!("| `{usage}` | {about} |\n")
    }));
    expect_test::expect_file![path].assert_eq(&made);
}

/// The messages that the guide prints, whose lines are separated by `<br>`.
#[test]
fn messages_of_the_guide_become_valid_bundles() {
    let Some(messages) = messages_of_the_guide() else {
        return;
    };
    let faults: Vec<String> = messages.iter().flat_map(|it| faults(it)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The seven messages of the guide's page of tests.
fn messages_of_the_guide() -> Option<Vec<String>> {
    let set = data::folder(SUITE, "23-standards")?;
    let page = std::fs::read_to_string(set.join("v2-to-fhir/test_conversions.md")).unwrap();
    let mut messages: Vec<String> = Vec::new();
    for line in page.lines() {
        let line = line.trim_start_matches("<br>").trim_end_matches("<br>");
        let is_segment = line.as_bytes().get(3) == Some(&b'|')
            && line[..3]
                .bytes()
                .all(|it| it.is_ascii_uppercase() || it.is_ascii_digit());
        if line.starts_with("MSH|") {
            messages.push(String::new());
        }
        if let (true, Some(message)) = (is_segment, messages.last_mut()) {
            message.push_str(&line.replace("&amp;", "&"));
            message.push('\r');
        }
    }
    assert_eq!(messages.len(), 7);
    Some(messages)
}

/// The page prints no result of any ("to be provided"): what must come of each is read off the
/// message and the guide's tables.
#[test]
fn messages_of_the_guide_say_what_they_said() {
    const ROWS: &str = include_str!("../official/guide-messages.tsv");
    let Some(messages) = messages_of_the_guide() else {
        return;
    };
    let (mut count, mut wrong, mut told) = (0, Vec::new(), BTreeSet::new());
    for message in &messages {
        let root = root_of(message, hl7v2_library()).unwrap();
        let output = data::convert(hl7v2_library(), &root, Processor::Hl7v2, message).unwrap();
        let bundle: Value = serde_json::from_str(&output.text).unwrap();
        for row in ROWS.lines().skip(1) {
            let cells: Vec<&str> = row.split('\t').collect();
            let [name, element, value] = cells[..] else {
                panic!("a row has three cells: {row}");
            };
            if name != root {
                continue;
            }
            count += 1;
            told.insert(root.clone());
            let steps: Vec<&str> = element.split('.').collect();
            let mut values = BTreeSet::new();
            for resource in rows::resources(&bundle, steps[0]) {
                rows::values(resource, &steps[1..], &mut values);
            }
            let is_there = values.iter().any(|it| {
                let text = it.trim_matches('"');
                text == value || value.ends_with('/') && text.starts_with(value)
            });
            if !is_there {
                wrong.push(format!("{row}: {values:?}"));
            }
        }
    }
    println!("isthmus-suite: {SUITE}, content of the guide's messages: {count} values");
    assert_eq!(told.len(), messages.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Ids by strategy: hashes are the same each time, salts change them, and the server's own are found
/// by identifiers that have a system.
#[test]
fn ids_follow_the_strategy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/hl7v2");
    let message = std::fs::read_to_string(folder.join("ADT_A01.hl7")).unwrap();
    let converted = |ids| {
        let now = fhir::Instant::parse("2026-11-25T10:11:12.345Z").unwrap();
        let settings = convert::Settings {
            ids,
            ..convert::Settings::new(now, &|| false)
        };
        let library = hl7v2_library();
        let output = library.convert("ADT_A01", Processor::Hl7v2, &message, &settings);
        let bundle: Value = serde_json::from_str(&output.unwrap().text).unwrap();
        bundle
    };
    let hashed = converted(convert::IdStrategy::Hash);
    assert_eq!(hashed, converted(convert::IdStrategy::Hash));
    let salted = converted(convert::IdStrategy::Salted("pepper"));
    for (one, other) in entries(&hashed).iter().zip(entries(&salted)) {
        assert_ne!(one["resource"]["id"], other["resource"]["id"]);
    }
    let conditional = converted(convert::IdStrategy::Conditional);
    let mut there = BTreeSet::new();
    let mut urls = BTreeSet::new();
    for entry in entries(&conditional) {
        there.insert(entry["fullUrl"].as_str().unwrap().to_owned());
        let url = entry["request"]["url"].as_str().unwrap().to_owned();
        assert_eq!(
            url.contains('?'),
            entry["resource"]["id"].is_null(),
            "{url}"
        );
        urls.insert(url);
    }
    assert!(
        urls.contains("Patient?identifier=urn:oid:1.2.3.4|1001"),
        "{urls:?}"
    );
    assert!(
        !urls.iter().any(|it| it.starts_with("Location?")),
        "{urls:?}"
    );
    let mut used = BTreeSet::new();
    references(&conditional, &mut used);
    assert!(used.is_subset(&there), "{:?}", used.difference(&there));
}

fn entries(bundle: &Value) -> &[Value] {
    bundle["entry"].as_array().map_or(&[], Vec::as_slice)
}

/// The events that the design names, and the messages of the guide.
#[test]
fn each_listed_event_has_a_root() {
    let listed = [
        (
            "ADT",
            "A01 A02 A03 A04 A05 A06 A07 A08 A09 A10 A11 A13 A14 A15 A16 A17 A25 A26 A27 A28 A29 A31 A40 \
             A41 A45 A47 A60",
        ),
        ("BAR", "P01 P02 P12"),
        ("DFT", "P03 P11"),
        ("MDM", "T01 T02 T05 T06 T09 T10"),
        ("OMG", "O19"),
        ("OML", "O21"),
        ("ORM", "O01"),
        ("ORU", "R01"),
        ("OUL", "R22 R23 R24"),
        ("RDE", "O11 O25"),
        ("RDS", "O13"),
        ("REF", "I12 I14"),
        ("SIU", "S12 S13 S14 S15 S16 S17 S26"),
        ("VXU", "V04"),
    ];
    let named: BTreeSet<String> = listed
        .iter()
        .flat_map(|(code, events)| events.split(' ').map(move |it| format!("{code}_{it}")))
        .collect();
    let roots = hl7v2_library().roots();
    let roots: BTreeSet<String> = roots.into_iter().map(str::to_owned).collect();
    assert_eq!(roots, named);
}
