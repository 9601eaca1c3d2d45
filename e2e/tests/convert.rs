//! `isthmus convert` without a library: a message becomes a bundle, and the bundle a message.

use e2e::process::succeed;

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
