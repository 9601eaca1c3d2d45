//! Libraries of a tenant through the interface and the command line, and a channel that uses them:
//! what is activated converts the next message, nothing is restarted.

use std::path::Path;

use e2e::http::Connection;
use e2e::process::{Server, free_address, pause, run, succeed};

/// A library whose patients are named after it.
fn library(folder: &Path, family: &str) -> String {
    let place = folder.join(family);
    std::fs::create_dir(&place).expect("a folder");
    let template = format!(
        r#"{{ "resourceType": "Bundle", "type": "transaction", "entry": [
        {{% assign pid = hl7v2Data | get_first_segments: 'PID' -%}}
        {{ "resource": {{ "resourceType": "Patient", "id": "{{{{ pid.PID.3.1.Value }}}}",
            "name": [{{ "family": "{family}" }}] }},
          "request": {{ "method": "PUT", "url": "Patient/{{{{ pid.PID.3.1.Value }}}}" }} }},
        ] }}"#
    );
    std::fs::write(place.join("ADT_A01.liquid"), template).expect("a file");
    std::fs::write(place.join("metadata.json"), "{\"type\": \"hl7v2\"}").expect("a file");
    place.to_str().expect("UTF-8").to_owned()
}

/// Sends a message about that patient and waits until they are stored; gives their family name.
fn converted(server: &Server, channel: &str, folder: &Path, patient: &str) -> String {
    let text = format!(
        "MSH|^~\\&|A|B|C|D|20260101120000+0000||ADT^A01^ADT_A01|{patient}|P|2.5.1\nEVN||20260101120000+0000\n\
         PID|1||{patient}^^^B^MR||Okafor^Amara||19800101|F\nPV1|1|I\n"
    );
    let file = folder.join(format!("{patient}.hl7"));
    std::fs::write(&file, text).expect("a file");
    succeed(&[
        "hl7v2",
        "send",
        file.to_str().expect("UTF-8"),
        "--to",
        channel,
    ]);
    let mut connection = server.connect();
    for _ in 0..2_000 {
        let answer = connection.get(&format!("/fhir/r4/Patient/{patient}"));
        let answer = answer.expect("an answer");
        if answer.status == 200 {
            let family = answer.json()["name"][0]["family"].clone();
            return family.as_str().expect("a text").to_owned();
        }
        pause();
    }
    let log = connection.get("/admin/hl7v2/channels/lab/messages");
    panic!("not stored: {}", log.expect("an answer").text());
}

fn status(connection: &mut Connection, method: &str, path: &str) -> u16 {
    let path = format!("/admin/convert/libraries{path}");
    connection
        .send(method, &path, "")
        .expect("an answer")
        .status
}

#[test]
fn a_channel_converts_with_the_library_that_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let server = Server::start(&folder.join("data"));
    let url = server.base("");
    let push = |family: &str, more: &[&str]| {
        let place = library(folder, family);
        let mut arguments = vec![
            "convert", "library", "push", &place, "--name", "site", "--server", &url,
        ];
        arguments.extend(more);
        succeed(&arguments)
    };
    push("First", &[]);
    let (mut connection, channel) = (server.connect(), free_address().to_string());
    let definition = format!(r#"{{"listen": "{channel}", "library": "site"}}"#);
    let defined = connection.send("PUT", "/admin/hl7v2/channels/lab", &definition);
    assert_eq!(defined.expect("an answer").status, 204);
    let convert = |patient: &str| converted(&server, &channel, folder, patient);
    assert_eq!(convert("p1"), "First");

    // Kept for later changes nothing; activated it is used; and there is a way back.
    push("Second", &["--later"]);
    assert_eq!(convert("p2"), "First");
    assert_eq!(
        status(&mut connection, "POST", "/site/versions/2/activate"),
        200
    );
    assert_eq!(convert("p3"), "Second");
    assert_eq!(status(&mut connection, "POST", "/site/rollback"), 200);
    assert_eq!(convert("p4"), "First");

    // What has faults is kept, told, and not used.
    let place = library(folder, "Third");
    let broken = Path::new(&place).join("ADT_A01.liquid");
    std::fs::write(broken, "{% if %}").expect("a file");
    let pushed = run(&[
        "convert", "library", "push", &place, "--name", "site", "--server", &url,
    ]);
    let told = String::from_utf8_lossy(&pushed.stderr).into_owned();
    assert!(
        !pushed.status.success() && told.contains("ADT_A01.liquid:1"),
        "{told}"
    );
    assert_eq!(convert("p5"), "First");

    let shown = connection.get("/admin/convert/libraries/site");
    let shown = shown.expect("an answer").json();
    assert_eq!(
        shown["versions"].as_array().map(Vec::len),
        Some(3),
        "{shown}"
    );
    let archive = connection.get("/admin/convert/libraries/site/versions/2");
    assert_eq!(
        archive.expect("an answer").header("content-type"),
        Some("application/gzip")
    );
    assert_eq!(
        status(&mut connection, "DELETE", "/site/versions/1"),
        409,
        "in use"
    );
    assert_eq!(status(&mut connection, "DELETE", "/site/versions/3"), 200);
    assert_eq!(status(&mut connection, "GET", "/site/versions/3"), 404);
    assert_eq!(
        status(&mut connection, "POST", "/site/versions/9/activate"),
        404
    );
    assert_eq!(status(&mut connection, "GET", "/nothing"), 404);
    assert_eq!(status(&mut connection, "PUT", "/site"), 405);
}
