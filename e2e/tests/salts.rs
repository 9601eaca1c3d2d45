//! One salt for all conversions of a tenant: the operation, channels and files make the same ids, and
//! nobody is shown the salt.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Instant;

use e2e::http::Connection;
use e2e::process::{Server, free_address, isthmus, pause, run, succeed};
use serde_json::Value;

use crate::mllp::PATIENCE;
use crate::mllp_folder::Listener;

const SALT: &str = "pepper-of-the-tenant";
const OWN: &str = "pepper-of-the-channel";
const MESSAGE: &str = "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260102030405+0000||ADT^A01^ADT_A01|41|P|2.5.1\n\
    EVN||20260102030405+0000\nPID|1||7701^^^NORTH^MR||Okafor^Amara||19800203|F\nPV1|1|I\n";

/// A channel and what it says of ids.
const CHANNELS: &[(&str, &str)] = &[
    ("of-tenant", ""),
    ("named", "ids = \"salted\"\n"),
    (
        "own",
        "ids = \"salted\"\nids_salt = \"pepper-of-the-channel\"\n",
    ),
    ("plain", "ids = \"hash\"\n"),
];

/// The id of the patient in a bundle.
fn id(bundle: &Value) -> String {
    let entries = bundle["entry"].as_array().expect("a bundle");
    let mut resources = entries.iter().map(|it| &it["resource"]);
    let patient = resources.find(|it| it["resourceType"] == "Patient");
    let id = patient.expect("a patient")["id"].as_str();
    id.expect("it has an id").to_owned()
}

fn converted(connection: &mut Connection, base: &str) -> String {
    let headers = [("content-type", "application/hl7-v2")];
    let path = format!("{base}/fhir/r4/$convert-data");
    let answer = connection.ask("POST", &path, &headers, MESSAGE.as_bytes());
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    id(&answer.json())
}

/// The ids of all patients, once there are so many.
fn stored(connection: &mut Connection, count: usize) -> BTreeSet<String> {
    let began = Instant::now();
    loop {
        let page = connection
            .get("/fhir/r4/Patient")
            .expect("an answer")
            .json();
        let entries = page["entry"].as_array().cloned().unwrap_or_default();
        let ids = entries.iter().map(|it| it["resource"]["id"].as_str());
        let ids: BTreeSet<String> = ids.map(|it| it.expect("an id").to_owned()).collect();
        if ids.len() == count {
            return ids;
        }
        assert!(began.elapsed() < PATIENCE, "{page}");
        pause();
    }
}

fn send(message: &Path, to: &str) {
    let path = message.to_str().expect("UTF-8");
    succeed(&["hl7v2", "send", path, "--to", to]);
}

/// What a listener into a folder makes of the message.
fn of_folder(folder: &Path, message: &Path, config: &[&str]) -> Value {
    let address = free_address();
    let arguments = [config, &["--tenant", "default"]].concat();
    let _listener = Listener::start(folder, address, &arguments);
    send(message, &address.to_string());
    let text = std::fs::read(folder.join("0000000001.json")).expect("a file");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn all_conversions_of_a_tenant_make_the_same_ids() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let message = write("message.hl7", MESSAGE);
    let salt = write("salt", &format!("{SALT}\n"));
    let addresses: Vec<_> = CHANNELS
        .iter()
        .map(|_| free_address().to_string())
        .collect();
    let tables = CHANNELS
        .iter()
        .zip(&addresses)
        .map(|((name, ids), address)| {
            let head = format!("[[hl7v2.channel]]\nname = \"{name}\"\nlisten = \"{address}\"\n");
            head + "library = \"hl7v2\"\n" + ids
        });
    let of_tenant = format!("[convert.tenants.default]\nids_salt_file = {salt:?}\n");
    let text = of_tenant + &tables.collect::<String>();
    let file = write("isthmus.toml", &text);
    let config = ["--config", file.to_str().expect("UTF-8")];
    let data = folder.path().join("data");
    let more = [&config[..], &["--log-level", "debug"]].concat();
    let server = Server::start_with(isthmus(), &data, &more);
    let mut connection = server.connect();
    let of_file = |more: &[&str]| {
        let path = message.to_str().expect("UTF-8");
        let arguments = [&["convert", path][..], &config, more].concat();
        id(&serde_json::from_str(&succeed(&arguments)).expect("JSON"))
    };
    // What has no tenant, and a tenant without a salt, have hashes.
    let hash = of_file(&[]);
    let other = connection.send("POST", "/admin/tenants/north", "");
    assert_eq!(other.expect("an answer").status, 201);
    assert_eq!(converted(&mut connection, "/t/north"), hash);
    let salted = of_file(&["--tenant", "default"]);
    assert_ne!(salted, hash);
    assert_eq!(converted(&mut connection, ""), salted);
    let into = folder.path().join("into");
    assert_eq!(id(&of_folder(&into, &message, &config)), salted);
    for address in &addresses[..2] {
        send(&message, address);
        assert_eq!(stored(&mut connection, 1), BTreeSet::from([salted.clone()]));
    }
    // What a channel says itself goes before.
    send(&message, &addresses[2]);
    let both = stored(&mut connection, 2);
    assert!(both.contains(&salted) && !both.contains(&hash), "{both:?}");
    send(&message, &addresses[3]);
    assert!(stored(&mut connection, 3).contains(&hash));
    let misspelled = run(&[&["convert", "x", "--tenant", "nroth"][..], &config].concat());
    let told = String::from_utf8_lossy(&misspelled.stderr).into_owned();
    assert!(told.contains("`[convert.tenants.nroth]`"), "{told}");
    check_nothing_is_shown(&mut connection, server, &config, &told);
}

/// Neither salt is in the log, in what is asked for, or in what is told of the settings.
fn check_nothing_is_shown(
    connection: &mut Connection,
    server: Server,
    config: &[&str],
    told: &str,
) {
    let mut texts = vec![told.to_owned()];
    for path in [
        "/admin/hl7v2/channels",
        "/admin/hl7v2/channels/own/messages",
        "/metrics",
        "/fhir/r4/Patient",
    ] {
        texts.push(connection.get(path).expect("an answer").text());
    }
    let of_tenant = r#"{"listen": "127.0.0.1:1", "ids": "salted", "ids_salt": "pepper"}"#;
    let refused = connection.send("PUT", "/admin/hl7v2/channels/x", of_tenant);
    texts.push(refused.expect("an answer").text());
    let printed = succeed(&[&["config"], config].concat());
    assert!(printed.contains("[convert.tenants.default]"), "{printed}");
    assert!(printed.contains("ids_salt_file = "), "{printed}");
    texts.push(printed);
    let log = server.log.clone();
    server.stop().expect("it stops");
    texts.push(std::fs::read_to_string(log).expect("a log"));
    for text in texts {
        assert!(!text.contains(SALT) && !text.contains(OWN), "{text}");
    }
}
