//! HL7 v2 over MLLP with an independent client and an independent server: the PyPI package `hl7`.
//!
//! Fifty connections stream while the server is killed again and again; what was acknowledged is
//! there once, in the order of its connection, and was converted once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use e2e::process::{Server, free_address, isthmus, pause, run};
use e2e::random::Random;
use e2e::{data, http::Connection};
use serde_json::Value;

pub(crate) const CONNECTIONS: usize = 50;
pub(crate) const MESSAGES: usize = 20;
pub(crate) const KILLS: usize = 5;
/// How long conversions may take after the last message.
pub(crate) const PATIENCE: Duration = Duration::from_mins(5);

/// A patient for each connection, written by each of its messages; and a new observation for each.
const TEMPLATE: &str = r#"{
  "resourceType": "Bundle", "type": "transaction",
  "entry": [
    {% assign pid = hl7v2Data | get_first_segments: 'PID' -%}
    {% assign msh = hl7v2Data | get_first_segments: 'MSH' -%}
    {
      "resource": { "resourceType": "Patient", "id": "{{ pid.PID.3.1.Value }}",
        "name": [{ "family": "{{ pid.PID.5.1.Value }}" }] },
      "request": { "method": "PUT", "url": "Patient/{{ pid.PID.3.1.Value }}" }
    },
    {
      "resource": { "resourceType": "Observation", "status": "final",
        "code": { "text": "message" }, "identifier": [{ "value": "{{ msh.MSH.10.Value }}" }] },
      "request": { "method": "POST", "url": "Observation" }
    },
  ]
}"#;

/// The package's Python; where it cannot be had, the run's last lines say so.
pub(crate) fn python(suite: &str) -> Option<PathBuf> {
    let environment = data::set(suite, "pypi/hl7-0.4.5")?;
    Some(environment.join("bin/python"))
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests")
        .join(name)
}

pub(crate) fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let output = child.stdout.take().expect("stdout is piped");
    BufReader::new(output).lines().map_while(Result::ok)
}

/// A configuration with one channel and its library; gives the channel's port.
fn configure(folder: &Path) -> (PathBuf, u16) {
    let library = folder.join("library");
    std::fs::create_dir(&library).expect("a folder");
    std::fs::write(library.join("ADT_A01.liquid"), TEMPLATE).expect("a file");
    std::fs::write(library.join("metadata.json"), "{\"type\": \"hl7v2\"}").expect("a file");
    let address = free_address();
    let text = format!(
        "[[hl7v2.channel]]\nname = \"lab\"\nlisten = \"{address}\"\nlibrary = \"{}\"\n",
        library.display()
    );
    let file = folder.join("isthmus.toml");
    std::fs::write(&file, text).expect("a file");
    (file, address.port())
}

/// All pages of a search or a history.
fn all(connection: &mut Connection, path: &str) -> Vec<Value> {
    let (mut found, mut next) = (Vec::new(), Some(path.to_owned()));
    while let Some(path) = next {
        let answer = connection.get(&path).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let bundle = answer.json();
        found.extend(
            bundle["entry"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|it| it["resource"].clone()),
        );
        let links = bundle["link"].as_array().cloned().unwrap_or_default();
        let link = links
            .iter()
            .find(|it| it["relation"] == "next")
            .and_then(|it| it["url"].as_str());
        next = link.map(|url| url[url.find("/fhir/").expect("a FHIR URL")..].to_owned());
    }
    found
}

fn wait_until_settled(connection: &mut Connection) {
    let began = Instant::now();
    loop {
        let answer = connection.get("/admin/hl7v2/channels/lab/messages?state=received&_count=1");
        let json = answer.expect("an answer").json();
        if json["messages"].as_array().is_some_and(Vec::is_empty) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "messages are not settled");
        pause();
    }
}

#[test]
fn every_acknowledged_message_survives_kill_9_once_and_in_order() {
    const SUITE: &str = "mllp kill -9";
    let Some(python) = python(SUITE) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let (file, port) = configure(folder.path());
    let arguments = ["--config", file.to_str().expect("UTF-8")];
    let mut server = Server::start_with(isthmus(), &data, &arguments);
    let mut clients = Command::new(python)
        .arg(script("mllp_client.py"))
        .args([
            port.to_string(),
            CONNECTIONS.to_string(),
            MESSAGES.to_string(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let acknowledged = lines(&mut clients);
    let counting = thread::spawn(move || acknowledged.collect::<Vec<_>>());
    let mut random = Random::seeded("mllp kill -9");
    for _ in 0..KILLS {
        // tidy: sleep: the moment of the kill is random
        thread::sleep(Duration::from_millis(100 + random.below(600)));
        server.kill();
        server = Server::start_with(isthmus(), &data, &arguments);
    }
    assert!(clients.wait().expect("it is our child").success());
    let acknowledged = counting.join().expect("no panic");
    assert_eq!(
        acknowledged.len(),
        CONNECTIONS * MESSAGES,
        "every message is acknowledged in the end"
    );
    let mut connection = server.connect();
    wait_until_settled(&mut connection);
    check_log(&mut connection);
    check_resources(&mut connection);
    println!("isthmus-suite: {SUITE}: {} cases", acknowledged.len());
}

/// The log has every message once, and those of a connection in order.
fn check_log(connection: &mut Connection) {
    let mut of_connection: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut before = None;
    loop {
        let cursor = before.map_or_else(String::new, |it: u64| format!("&before={it}"));
        let path = format!("/admin/hl7v2/channels/lab/messages?_count=1000{cursor}");
        let page = connection.get(&path).expect("an answer").json();
        for message in page["messages"].as_array().expect("a list") {
            assert_eq!(message["state"], "stored", "{message}");
            let control_id = message["controlId"].as_str().expect("a text");
            let (sender, number) = control_id.split_once('-').expect("two numbers");
            of_connection
                .entry(sender.to_owned())
                .or_default()
                .push(number.parse().expect("a number"));
        }
        before = page["nextBefore"].as_u64();
        if before.is_none() {
            break;
        }
    }
    assert_eq!(of_connection.len(), CONNECTIONS);
    for (sender, mut numbers) in of_connection {
        numbers.reverse();
        assert_eq!(
            numbers,
            (1..=MESSAGES).collect::<Vec<_>>(),
            "connection {sender}"
        );
    }
}

/// Each message has made one observation, and a version of its connection's patient, in order.
fn check_resources(connection: &mut Connection) {
    let mut made: BTreeMap<String, usize> = BTreeMap::new();
    for observation in all(connection, "/fhir/r4/Observation?_count=500") {
        let id = observation["identifier"][0]["value"]
            .as_str()
            .expect("a text")
            .to_owned();
        *made.entry(id).or_default() += 1;
    }
    assert_eq!(made.len(), CONNECTIONS * MESSAGES);
    assert!(
        made.values().all(|count| *count == 1),
        "converted more than once: {made:?}"
    );
    for sender in 0..CONNECTIONS {
        let versions = all(
            connection,
            &format!("/fhir/r4/Patient/c{sender}/_history?_count=500"),
        );
        let names = versions.iter().rev().map(|it| {
            it["name"][0]["family"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        });
        let expected = (1..=MESSAGES).map(|number| format!("n{number}"));
        assert_eq!(
            names.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "connection {sender}"
        );
    }
}

#[test]
fn a_foreign_listener_is_sent_to_until_it_answers() {
    const SUITE: &str = "mllp send";
    let Some(python) = python(SUITE) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let mut listener = Command::new(python)
        .arg(script("mllp_server.py"))
        .arg(address.port().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let mut output = BufReader::new(listener.stdout.take().expect("stdout is piped"));
    let mut line = String::new();
    output.read_line(&mut line).expect("a line");
    assert_eq!(line, "ready\n");
    let message = |id: &str| format!("MSH|^~\\&|A|B|C|D|20260101||ADT^A01|{id}|P|2.5\nPID|1\n");
    let file = folder.path().join("messages.hl7");
    let text: String = (0..30).map(|it| message(&it.to_string())).collect();
    std::fs::write(&file, text + &message("no1")).expect("a file");
    let rejects = folder.path().join("rejects.ndjson");
    let sent = run(&[
        "hl7v2",
        "send",
        file.to_str().expect("UTF-8"),
        "--to",
        &address.to_string(),
        "--connections",
        "3",
        "--json",
        "--rejects",
        rejects.to_str().expect("UTF-8"),
    ]);
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    let report: Value = serde_json::from_slice(&sent.stdout).expect("JSON");
    assert_eq!(
        sent.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    assert_eq!(
        (&report["accepted"], &report["refused"], &report["retries"]),
        (&30.into(), &1.into(), &3.into())
    );
    let told = std::fs::read_to_string(rejects).expect("a file");
    assert!(
        told.contains("message 31") && told.contains("answered AE"),
        "{told}"
    );
    let mut seen = String::new();
    output.read_to_string(&mut seen).expect("text");
    assert_eq!(seen.lines().count(), 31);
    println!("isthmus-suite: {SUITE}: 31 cases");
}

#[test]
fn a_foreign_file_of_batches_is_answered_by_a_file() {
    const SUITE: &str = "mllp file";
    let Some(python) = python(SUITE) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (file, port) = configure(folder.path());
    let arguments = ["--config", file.to_str().expect("UTF-8")];
    let server = Server::start_with(isthmus(), &folder.path().join("data"), &arguments);
    let send = |counted: &str| {
        let sent = Command::new(&python)
            .arg(script("mllp_file.py"))
            .args([&port.to_string(), counted])
            .output()
            .expect("Python runs");
        let text = String::from_utf8_lossy(&sent.stdout).replace('\n', ", ");
        text + &String::from_utf8_lossy(&sent.stderr)
    };
    assert_eq!(send("1"), "AE , ");
    let answered = "file F of 2, batch B1 of 2, AA 1, AA 2, batch B2 of 1, AA 3, ";
    assert_eq!(send("2"), answered);
    let mut connection = server.connect();
    wait_for_states(&mut connection, &["stored", "stored", "stored"]);
    println!("isthmus-suite: {SUITE}: 2 cases");
}

#[test]
fn a_channel_is_defined_and_looked_after_through_the_interface() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"));
    let mut connection = server.connect();
    let mut ask = |method: &str, path: &str, body: &str| {
        let path = format!("/admin/hl7v2/channels{path}");
        connection.send(method, &path, body).expect("an answer")
    };
    let refused = ask("PUT", "/lab", r#"{"listn": "x", "zone": "CET"}"#);
    assert_eq!(refused.status, 400);
    let told = refused.text();
    assert!(
        told.contains("`listn` is no field") && told.contains("`zone` is not an offset"),
        "{told}"
    );
    let address = free_address();
    let definition = format!(
        r#"{{"listen": "{address}", "library": "hl7v2", "ids": "salted", "ids_salt": "sixteen-letters-x"}}"#
    );
    assert_eq!(ask("PUT", "/lab", &definition).status, 204);
    let listed = ask("GET", "", "").json();
    assert_eq!(listed["channels"][0]["listen"], address.to_string());
    assert_eq!(listed["channels"][0]["ids_salt"], "(set)");
    let message = |id: &str, kind: &str| {
        format!(
            "MSH|^~\\&|A|B|C|D|20260101120000+0000||{kind}|{id}|P|2.5.1\n\
             EVN||20260101120000+0000\nPID|1||77^^^B^MR||Okafor^Amara||19800101|F\nPV1|1|I\n"
        )
    };
    let file = folder.path().join("messages.hl7");
    let text = message("1", "ADT^A01^ADT_A01")
        + &message("2", "ADT^Z99^ADT_Z99")
        + &message("3", "ADT^A08^ADT_A01");
    std::fs::write(&file, text).expect("a file");
    let sent = run(&[
        "hl7v2",
        "send",
        file.to_str().expect("UTF-8"),
        "--to",
        &address.to_string(),
    ]);
    assert!(
        sent.status.success(),
        "{}",
        String::from_utf8_lossy(&sent.stderr)
    );
    // The newest first: the third waits behind the second, which nobody can convert.
    wait_for_states(&mut server.connect(), &["waiting", "failed", "stored"]);
    correct(&mut server.connect(), &message("2", "ADT^Z99^ADT_Z99"));
    let coverage = ask("GET", "/lab/coverage", "").json();
    assert_eq!(coverage["others"], 0, "{coverage}");
    assert!(coverage["fields"].is_array(), "{coverage}");
    assert_eq!(ask("DELETE", "/lab", "").status, 204);
    assert_eq!(all(&mut server.connect(), "/fhir/r4/Patient").len(), 1);
}

/// Waits until the messages of the log, the newest first, are in these states; gives the log.
fn wait_for_states(connection: &mut Connection, expected: &[&str]) -> Value {
    let began = Instant::now();
    loop {
        let page = connection
            .get("/admin/hl7v2/channels/lab/messages")
            .expect("an answer")
            .json();
        let messages = page["messages"].as_array().expect("a list").iter();
        let states: Vec<String> = messages
            .map(|it| it["state"].as_str().expect("a text").to_owned())
            .collect();
        if states == expected {
            return page;
        }
        assert!(began.elapsed() < PATIENCE, "{page}");
        pause();
    }
}

/// Finds the message that failed, looks at it, and corrects its type.
fn correct(connection: &mut Connection, sent: &str) {
    let path = |rest: &str| format!("/admin/hl7v2/channels/lab/messages{rest}");
    let raw = connection.get(&path("/2/raw")).expect("an answer").text();
    assert_eq!(raw, sent.replace('\n', "\r"));
    let found = connection
        .get(&path("?state=failed&control-id=2"))
        .expect("an answer")
        .json();
    assert_eq!(found["messages"][0]["number"], 2);
    let corrected = raw.replace("Z99", "A31").replace("ADT_A31", "ADT_A05");
    assert_eq!(
        connection
            .send("PUT", &path("/2/raw"), &corrected)
            .expect("an answer")
            .status,
        204
    );
    let log = wait_for_states(connection, &["stored", "stored", "stored"]);
    assert_eq!(log["messages"][1]["corrected"], true);
}

#[test]
fn all_faults_of_configured_channels_are_told_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("isthmus.toml");
    let text = "[[hl7v2.channel]]\nname = \"A B\"\nzone = \"CET\"\n[[hl7v2.channel]]\nname = \"b\"\nparallel = true\n[[hl7v2.destination]]\nname = \"c\"\nconnect = \"x\"\n[fhir]\nintegrity = \"x\"\n";
    std::fs::write(&file, text).expect("a file");
    let output = run(&["config", "--config", file.to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr);
    for part in [
        "channel 1: name",
        "channel 1: zone",
        "channel 2: parallel",
        "destination 1: connect",
        "`fhir.integrity`",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}
