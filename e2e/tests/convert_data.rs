//! Raw messages and documents as bodies of `$convert-data`: the cases of `cases/convert-data.http`.
//!
//! `{adt}` and its like stand for the texts below, `⟦E9⟧` for a byte,
//! `⟦text×3⟧` for a text three times.

use std::path::Path;

use e2e::process::{Server, isthmus, succeed};

use crate::table;

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
    let count = table::check(&server, CASES, bytes);
    println!("isthmus-suite: convert-data bodies: {count} cases");
    assert!(count >= CASES_MIN, "{count}");
}
