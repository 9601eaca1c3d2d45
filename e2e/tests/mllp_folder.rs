//! HL7 v2 over MLLP into a folder, without a store: with an independent client, the PyPI package `hl7`.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use e2e::process::{free_address, isthmus, run};
use e2e::random::Random;
use serde_json::Value;

use crate::mllp::{CONNECTIONS, KILLS, MESSAGES, lines, python, script};

/// A listener; killed when dropped.
pub(crate) struct Listener(Child);

impl Listener {
    pub(crate) fn start(folder: &Path, address: SocketAddr, arguments: &[&str]) -> Self {
        let mut child = isthmus()
            .args(["hl7v2", "listen", "--at", &address.to_string(), "--into"])
            .arg(folder)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is started");
        let mut line = String::new();
        let output = child.stdout.take().expect("stdout is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert!(line.starts_with("listens on"), "{line}");
        Self(child)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The names of a folder's files that may be taken away, in their order.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|it| {
        it.expect("an entry")
            .file_name()
            .into_string()
            .expect("UTF-8")
    });
    let mut names: Vec<String> = names
        .filter(|it| !matches!(it.as_str(), ".received" | ".lock"))
        .collect();
    names.sort();
    names
}

#[test]
fn every_acknowledged_message_is_one_file_in_order_after_kill_9() {
    const SUITE: &str = "mllp into a folder, kill -9";
    let Some(python) = python(SUITE) else { return };
    let scratch = tempfile::tempdir().expect("a folder");
    let (folder, taken) = (scratch.path().join("in"), scratch.path().join("taken"));
    fs::create_dir(&taken).expect("a folder");
    let address = free_address();
    let mut listener = Listener::start(&folder, address, &["--raw"]);
    let mut clients = Command::new(python)
        .arg(script("mllp_client.py"))
        .args([
            address.port().to_string(),
            CONNECTIONS.to_string(),
            MESSAGES.to_string(),
        ])
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python runs");
    let acknowledged = lines(&mut clients);
    let counting = thread::spawn(move || acknowledged.count());
    let mut random = Random::seeded("mllp into a folder");
    for _ in 0..KILLS {
        // tidy: sleep: the moment of the kill is random
        thread::sleep(Duration::from_millis(100 + random.below(600)));
        drop(listener);
        // Files are taken away meanwhile: what they held is known all the same.
        for name in names(&folder).iter().filter(|it| it.ends_with("1.hl7")) {
            fs::rename(folder.join(name), taken.join(name)).expect("it is moved");
        }
        listener = Listener::start(&folder, address, &["--raw"]);
    }
    assert!(clients.wait().expect("it is our child").success());
    assert_eq!(counting.join().expect("no panic"), CONNECTIONS * MESSAGES);
    for name in names(&taken) {
        fs::rename(taken.join(&name), folder.join(&name)).expect("it is moved");
    }
    let mut of_connection: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, name) in (1..).zip(names(&folder)) {
        assert_eq!(name, format!("{number:010}.hl7"));
        let text = fs::read_to_string(folder.join(name)).expect("a file");
        let control_id = text.split('|').nth(9).expect("MSH-10");
        let (sender, message) = control_id.split_once('-').expect("two numbers");
        let numbers = of_connection.entry(sender.to_owned()).or_default();
        numbers.push(message.parse().expect("a number"));
    }
    assert_eq!(of_connection.len(), CONNECTIONS);
    let expected: Vec<usize> = (1..=MESSAGES).collect();
    for (sender, numbers) in of_connection {
        assert_eq!(numbers, expected, "connection {sender}");
    }
    println!("isthmus-suite: {SUITE}: {} cases", CONNECTIONS * MESSAGES);
}

#[test]
fn messages_become_bundles_in_a_folder() {
    let scratch = tempfile::tempdir().expect("a folder");
    let folder = scratch.path().join("in");
    let address = free_address();
    let listener = Listener::start(&folder, address, &[]);
    let message = |id: &str, kind: &str| {
        format!(
            "MSH|^~\\&|A|B|C|D|20260101120000+0000||{kind}|{id}|P|2.5.1\n\
             EVN||20260101120000+0000\nPID|1||77^^^B^MR||Okafor^Amara||19800101|F\nPV1|1|I\n"
        )
    };
    let file = scratch.path().join("messages.hl7");
    let text = message("1", "ADT^A01^ADT_A01")
        + &message("2", "ADT^Z99^ADT_Z99")
        + &message("3", "ADT^A08^ADT_A01");
    fs::write(&file, text).expect("a file");
    let rejects = scratch.path().join("rejects.ndjson");
    let send = || {
        let (file, rejects) = (
            file.to_str().expect("UTF-8"),
            rejects.to_str().expect("UTF-8"),
        );
        let address = address.to_string();
        let sent = run(&[
            "hl7v2",
            "send",
            file,
            "--to",
            &address,
            "--json",
            "--rejects",
            rejects,
            "--retries",
            "0",
        ]);
        let report: Value = serde_json::from_slice(&sent.stdout).expect("JSON");
        assert_eq!(
            (&report["accepted"], &report["refused"]),
            (&2.into(), &1.into())
        );
        let told = fs::read_to_string(rejects).expect("a file");
        assert!(
            told.contains("message 2") && told.contains("answered AR"),
            "{told}"
        );
    };
    send();
    // The same again, and after a restart: nothing new.
    send();
    let other = run(&["hl7v2", "listen", "--into", folder.to_str().expect("UTF-8")]);
    let told = String::from_utf8_lossy(&other.stderr);
    assert!(told.contains("another process writes to it"), "{told}");
    drop(listener);
    let _listener = Listener::start(&folder, address, &[]);
    send();
    assert_eq!(names(&folder), ["0000000001.json", "0000000002.json"]);
    for name in names(&folder) {
        let text = fs::read(folder.join(name)).expect("a file");
        let bundle: Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(bundle["type"], "transaction");
        let entries = bundle["entry"].as_array().expect("a list");
        assert!(
            entries
                .iter()
                .any(|it| it["resource"]["resourceType"] == "Patient")
        );
    }
    let notes = fs::read_to_string(folder.join(".received")).expect("a file");
    assert!(!notes.contains("Okafor"), "{notes}");
}

#[test]
fn flags_of_a_store_do_not_go_with_a_folder() {
    for flags in [
        &["--keep-days", "9"][..],
        &["--raw", "--library", "hl7v2"],
        &["--channel", "a"],
        &["--raw", "--tenant", "a"],
    ] {
        let into = [&["hl7v2", "listen", "--into", "x"][..], flags].concat();
        assert_eq!(run(&into).status.code(), Some(2), "{flags:?}");
    }
}
