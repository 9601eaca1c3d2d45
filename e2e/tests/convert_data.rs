//! Raw messages and documents as bodies of `$convert-data`: the cases of `cases/convert-data.http`.
//!
//! A case is a block: a comment, the request line, headers, body lines (`|`), then `=> status` and `~`
//! before what the answer has. `{adt}` and its like stand for the texts below, `⟦E9⟧` for a byte,
//! `⟦text×3⟧` for a text three times.

use std::fmt::Write as _;
use std::path::Path;

use e2e::process::{Server, isthmus, succeed};

const CASES: &str = include_str!("cases/convert-data.http");

/// Fewer cases would mean that the table lost some.
const CASES_MIN: usize = 80;

const HEAD: &str = "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260102030405+0000||ADT^A01^ADT_A01|41|P|2.5.1";
const ADMISSION: &str = "EVN||20260102030405+0000\nPID|1||7701^^^NORTH^MR||Okafor^Amara||19800203|F\n\
    PV1|1|I|W1^R2^B3||||||||||||||||V9^^^NORTH^VN";
const DOCUMENT: &str = include_str!("../../crates/convert/tests/cases/ccda/summary.xml");

/// Libraries of the tenant: their files.
const LIBRARIES: &[(&str, &[(&str, &str)])] = &[
    (
        "site",
        &[
            ("metadata.json", r#"{"type":"hl7v2"}"#),
            ("ADT_A01.liquid", "{\"resourceType\":\"Bundle\"}"),
        ],
    ),
    (
        "devices",
        &[
            ("metadata.json", r#"{"type":"json"}"#),
            (
                "Reading.liquid",
                "{\"resourceType\":\"Observation\",\"id\":\"{{ msg.device }}\",\"status\":\"final\",\
                 \"code\":{\"text\":\"pulse\"},\"valueQuantity\":{\"value\":{{ msg.beats }}}}",
            ),
            ("Broken.liquid", "{\"a\":1\n\"b\":2}"),
            (
                "Endless.liquid",
                "{% for i in (1..999999999) %}{% endfor %}",
            ),
        ],
    ),
    (
        "stu3",
        &[
            ("metadata.json", r#"{"type":"fhir"}"#),
            (
                "Sequence.liquid",
                "{\"resourceType\":\"MolecularSequence\",\"id\":\"{{ msg.id }}\",\"coordinateSystem\":0}",
            ),
        ],
    ),
];

#[derive(Default)]
struct Case {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
    status: String,
    has: Vec<String>,
}

fn case(block: &str) -> Case {
    let mut case = Case::default();
    for line in block.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            name.clone_into(&mut case.name);
        } else if let Some(text) = line.strip_prefix("| ") {
            writeln!(case.body, "{text}").expect("a String");
        } else if let Some(status) = line.strip_prefix("=> ") {
            status.clone_into(&mut case.status);
        } else if let Some(text) = line.strip_prefix("~ ") {
            case.has.push(text.to_owned());
        } else if case.method.is_empty() {
            let (method, path) = line.split_once(' ').expect("a method and a path");
            (case.method, case.path) = (method.to_owned(), path.to_owned());
        } else {
            let (name, value) = line.split_once(": ").expect("a header");
            case.headers.push((name.to_owned(), value.to_owned()));
        }
    }
    case
}

/// The bytes that a body is written for.
fn bytes(body: &str) -> Vec<u8> {
    let admission = format!("{HEAD}\n{ADMISSION}");
    let in_json = admission.replace('\\', "\\\\").replace('\n', "\\n");
    let body = body
        .replace("{adt}", &admission)
        .replace("{adt-json}", &in_json)
        .replace("{head}", HEAD)
        .replace("{cda}", DOCUMENT);
    let mut bytes = Vec::new();
    let mut parts = body.split('⟦');
    bytes.extend(parts.next().unwrap_or_default().bytes());
    for part in parts {
        let (marked, after) = part.split_once('⟧').expect("a mark is closed");
        match marked.rsplit_once('×') {
            Some((text, count)) => bytes.extend(text.repeat(count.parse().expect("times")).bytes()),
            None => bytes.push(u8::from_str_radix(marked, 16).expect("a byte")),
        }
        bytes.extend(after.bytes());
    }
    bytes
}

fn push(server: &Server, folder: &Path) {
    for (name, files) in LIBRARIES {
        let place = folder.join(name);
        std::fs::create_dir(&place).expect("a folder");
        for (file, text) in *files {
            std::fs::write(place.join(file), text).expect("a file");
        }
        let (place, url) = (place.to_str().expect("UTF-8"), server.base(""));
        succeed(&[
            "convert", "library", "push", place, "--name", name, "--server", &url,
        ]);
    }
}

#[test]
fn the_table_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let arguments = ["--limits-body-bytes-max", "256k"];
    let server = Server::start_with(isthmus(), &folder.path().join("data"), &arguments);
    push(&server, folder.path());
    let cases: Vec<Case> = CASES.split("\n\n").map(case).collect();
    let mut failures = Vec::new();
    for case in &cases {
        let headers: Vec<(&str, &str)> = case
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let body = bytes(&case.body);
        let mut connection = server.connect();
        let answer = connection.ask(&case.method, &case.path, &headers, &body);
        let answer = answer.expect("an answer");
        let text = answer.text();
        let lacks: Vec<&String> = case.has.iter().filter(|it| !text.contains(*it)).collect();
        if answer.status.to_string() != case.status || !lacks.is_empty() {
            let shown: String = text.chars().take(400).collect();
            let (name, status, wanted) = (&case.name, answer.status, &case.status);
            failures.push(format!(
                "{name}: {status} instead of {wanted}, lacks {lacks:?}\n  {shown}"
            ));
        }
    }
    println!("isthmus-suite: convert-data bodies: {} cases", cases.len());
    assert!(
        failures.is_empty(),
        "{}\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(cases.len() >= CASES_MIN, "{}", cases.len());
}
