//! `isthmus convert` without a library: a message becomes a bundle, and the bundle a message.

use std::io::Write as _;

use e2e::process::{fed, succeed};

const MESSAGE: &str = "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260102030405+0000||ADT^A01^ADT_A01|41|P|2.5.1\r\
    EVN||20260102030405+0000\r\
    PID|1||7701^^^NORTH^MR||Okafor\\T\\Sons^Amara^B||19800203|F|||1 Elm St^^Leeds^^LS1\r\
    PV1|1|I|W1^R2^B3||||||||||||||||V9^^^NORTH^VN\r";

#[test]
fn a_message_comes_back_from_what_it_became() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("a file");
        file.to_str().expect("UTF-8").to_owned()
    };
    let bundle = succeed(&["convert", &write("a.hl7", MESSAGE)]);
    let json: serde_json::Value = serde_json::from_str(&bundle).expect("JSON");
    assert_eq!(json["type"], "transaction");
    assert!(bundle.contains("Okafor&Sons"), "{bundle}");

    let back = succeed(&["convert", &write("a.json", &bundle)]);
    let segments: Vec<Vec<&str>> = back.split('\r').map(|it| it.split('|').collect()).collect();
    let field = |name: &str, number: usize| -> &str {
        let segment = segments.iter().find(|it| it[0].trim_start() == name);
        segment
            .and_then(|it| it.get(number))
            .copied()
            .unwrap_or_default()
    };
    for (name, number, expected) in [
        ("MSH", 8, "ADT^A01^ADT_A01"),
        ("PID", 3, "7701^^^NORTH^MR"),
        ("PID", 5, "Okafor\\T\\Sons^Amara^B"),
        ("PID", 7, "19800203"),
        ("PID", 8, "F"),
        ("PV1", 2, "I"),
        ("PV1", 3, "W1^R2^B3"),
    ] {
        let found = field(name, number);
        assert!(found.starts_with(expected), "{name}: {found} in {back}");
    }
}

/// The message with another control id, of another patient.
fn message(id: usize) -> String {
    let message = MESSAGE.replace("|41|", &format!("|{id}|"));
    message.replace("7701", &id.to_string())
}

/// Files hold one message, many, batches, frames, compressed or not.
#[test]
fn every_input_of_a_file_is_converted() {
    let folder = tempfile::tempdir().expect("a folder");
    let inputs = folder.path().join("in");
    std::fs::create_dir(&inputs).expect("a folder");
    let batch = format!(
        "FHS|^~\\&\rBHS|^~\\&\r{}{}BTS|2\rFTS|1\r",
        message(2),
        message(3)
    );
    let framed = format!("\u{b}{}\u{1c}\r\u{b}{}\u{1c}\r", message(4), message(5));
    let mut packed = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    let lines = format!("{}\n{}\n", message(6).replace('\r', "\n"), message(7));
    packed.write_all(lines.as_bytes()).expect("in memory");
    for (name, bytes) in [
        ("one.hl7", message(1).into_bytes()),
        ("batch.hl7", batch.into_bytes()),
        ("framed.hl7", framed.into_bytes()),
        ("many.hl7.bz2", packed.finish().expect("in memory")),
        ("none.hl7", b"no message\r".to_vec()),
    ] {
        std::fs::write(inputs.join(name), bytes).expect("a file");
    }
    let out = folder.path().join("out");
    let path = |it: &std::path::Path| it.to_str().expect("UTF-8").to_owned();
    let rejects = folder.path().join("rejects.ndjson");
    let arguments = [
        "convert",
        "--out",
        &path(&out),
        "--rejects",
        &path(&rejects),
        &path(&inputs),
    ];
    assert_eq!(e2e::process::run(&arguments).status.code(), Some(1));
    let mut written: Vec<String> = std::fs::read_dir(&out)
        .expect("a folder")
        .map(|it| {
            it.expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    written.sort();
    let expected = [
        "batch.hl7.1.json",
        "batch.hl7.2.json",
        "framed.hl7.1.json",
        "framed.hl7.2.json",
        "many.hl7.bz2.1.json",
        "many.hl7.bz2.2.json",
        "one.hl7.json",
    ];
    assert_eq!(written, expected);
    for (name, id) in expected.iter().zip([2, 3, 4, 5, 6, 7, 1]) {
        let bundle = std::fs::read_to_string(out.join(name)).expect("a file");
        assert!(bundle.contains(&format!("\"value\":\"{id}\"")), "{name}");
    }
    let refused = std::fs::read_to_string(&rejects).expect("a file");
    assert_eq!(refused.lines().count(), 1, "{refused}");
    assert!(refused.contains("none.hl7"), "{refused}");
}

#[test]
fn standard_input_is_converted_message_by_message() {
    let streamed = format!("{}{}", message(8), message(9));
    let bundles = fed(&["convert", "--input", "hl7v2", "-"], streamed.as_bytes());
    assert_eq!(bundles.lines().count(), 2);
    let back = fed(
        &["convert", "--input", "fhir-to-hl7v2", "-"],
        bundles.as_bytes(),
    );
    assert_eq!(back.matches("MSH|").count(), 2, "{back}");
}
