//! Messages sent to an independent listener, the PyPI package `hl7`, from a durable queue.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::http::Connection;
use e2e::process::{Server, free_address, isthmus, pause, run};
use serde_json::Value;

use crate::mllp::{PATIENCE, python, script};

const MESSAGES: usize = 60;
const PATH: &str = "/admin/hl7v2/destinations/ris/messages";

fn configure(folder: &Path, address: SocketAddr) -> PathBuf {
    let text = format!(
        "[[hl7v2.destination]]\nname = \"ris\"\nconnect = \"{address}\"\nrefused_max = 2\n"
    );
    let file = folder.join("isthmus.toml");
    std::fs::write(&file, text).expect("a file");
    file
}

pub(crate) fn message(id: &str) -> String {
    format!("MSH|^~\\&|A|B|C|D|20260101||ADT^A01|{id}|P|2.5\nPID|1||77||Okafor\n")
}

/// Posts a message, which must be taken; gives its number.
fn post(connection: &mut Connection, id: &str) -> u64 {
    let answer = connection
        .send("POST", PATH, &message(id))
        .expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.text());
    answer.json()["number"].as_u64().expect("a number")
}

pub(crate) fn start_listener(
    python: &Path,
    address: SocketAddr,
) -> (Child, BufReader<ChildStdout>) {
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
    (listener, output)
}

/// Waits until no message is in a state; gives the whole log, the oldest first.
fn wait_until_none_is(connection: &mut Connection, state: &str) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let path = format!("{PATH}?_count=1000");
        let page = connection.get(&path).expect("an answer").json();
        let mut messages = page["messages"].as_array().expect("a list").clone();
        messages.reverse();
        if messages.iter().all(|it| it["state"] != state) {
            return messages;
        }
        assert!(began.elapsed() < PATIENCE, "{page}");
        pause();
    }
}

#[test]
fn what_is_queued_is_sent_in_order_whoever_dies() {
    const SUITE: &str = "mllp destination, kill -9";
    let Some(python) = python(SUITE) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let address = free_address();
    let file = configure(folder.path(), address);
    let arguments = ["--config", file.to_str().expect("UTF-8")];
    let mut server = Server::start_with(isthmus(), &data, &arguments);
    let mut listener = None;
    let mut expected = Vec::new();
    for number in 0..MESSAGES {
        let id = if number == 30 {
            "no30".to_owned()
        } else {
            number.to_string()
        };
        assert_eq!(post(&mut server.connect(), &id), number as u64 + 1);
        expected.push(id);
        if number % 10 == 9 {
            server.kill();
            // The receiver comes late: what was queued waits for it.
            listener.get_or_insert_with(|| start_listener(&python, address));
            server = Server::start_with(isthmus(), &data, &arguments);
        }
    }
    let mut connection = server.connect();
    // The same message again is the same.
    assert_eq!(post(&mut connection, "5"), 6);
    for message in wait_until_none_is(&mut connection, "received") {
        let state = if message["number"] == 31 {
            "failed"
        } else {
            "sent"
        };
        assert_eq!(message["state"], state, "{message}");
    }
    check_parked(&mut connection);
    let (mut listener, mut output) = listener.expect("it was started");
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    let mut seen = String::new();
    output.read_to_string(&mut seen).expect("text");
    let mut seen: Vec<&str> = seen.lines().collect();
    // One that was answered just before a kill may have come twice.
    seen.dedup();
    assert_eq!(seen.pop(), Some("no30"), "it was sent again in the end");
    assert_eq!(seen, expected);
    println!("isthmus-suite: {SUITE}: {MESSAGES} cases");
}

/// The refused message is looked at, sent again and dismissed.
fn check_parked(connection: &mut Connection) {
    let mut ask_with = |method: &str, rest: &str, body: &str| {
        let path = format!("{PATH}/31{rest}");
        connection.send(method, &path, body).expect("an answer")
    };
    // What cannot be sent is no correction.
    let refused = ask_with("PUT", "/raw", "PID|1||77||Okafor\n");
    let told = refused.text();
    assert_eq!(refused.status, 400, "{told}");
    assert!(
        told.contains("begins with MSH") && !told.contains("Okafor"),
        "{told}"
    );
    let corrected = message("no30").replace("|77|", "|78|");
    let mut ask = |method: &str, rest: &str| {
        let body = if method == "PUT" {
            corrected.as_str()
        } else {
            ""
        };
        ask_with(method, rest, body)
    };
    let parked = ask("GET", "").json();
    assert_eq!(parked["what"], "the receiver answered AE");
    assert_eq!(parked["attempts"], 2);
    assert_eq!(
        ask("GET", "/raw").text(),
        message("no30").replace('\n', "\r")
    );
    for (method, path, attempts) in [("PUT", "/raw", 4), ("POST", "/replay", 6)] {
        assert_eq!(ask(method, path).status, 204);
        let began = Instant::now();
        while ask("GET", "").json()["attempts"] != attempts {
            assert!(began.elapsed() < PATIENCE);
            pause();
        }
    }
    assert_eq!(ask("GET", "/raw").text(), corrected.replace('\n', "\r"));
    assert_eq!(ask("POST", "/dismiss").status, 204);
    assert_eq!(ask("GET", "").json()["state"], "dismissed");
}

#[test]
fn later_answers_reach_a_foreign_listener_once_after_kill_9() {
    const SUITE: &str = "mllp later answers, kill -9";
    let Some(python) = python(SUITE) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let (to, from) = (free_address(), free_address());
    let (mut listener, mut output) = start_listener(&python, to);
    let file = configure(folder.path(), to);
    let channel = format!(
        "[[hl7v2.channel]]\nname = \"lab\"\nlisten = \"{from}\"\nlibrary = \"hl7v2\"\nanswers_to = \"ris\"\n"
    );
    let both = std::fs::read_to_string(&file).expect("a file") + &channel;
    std::fs::write(&file, both).expect("a file");
    let arguments = ["--config", file.to_str().expect("UTF-8")];
    let server = Server::start_with(isthmus(), &data, &arguments);
    let messages = folder.path().join("messages.hl7");
    let enhanced = |id: usize| message(&id.to_string()).replace("|P|2.5", "|P|2.5|||AL|AL");
    let text: String = (1..=MESSAGES).map(enhanced).collect();
    std::fs::write(&messages, text).expect("a file");
    let path = messages.to_str().expect("UTF-8").to_owned();
    let sending = std::thread::spawn(move || {
        run(&[
            "hl7v2",
            "send",
            &path,
            "--to",
            &from.to_string(),
            "--retries",
            "20",
        ])
    });
    // tidy: sleep: some messages are on their way
    std::thread::sleep(Duration::from_millis(60));
    server.kill();
    let server = Server::start_with(isthmus(), &data, &arguments);
    assert!(sending.join().expect("no panic").status.success());
    let began = Instant::now();
    let mut connection = server.connect();
    while wait_until_none_is(&mut connection, "received").len() < MESSAGES {
        assert!(began.elapsed() < PATIENCE);
        pause();
    }
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    let mut seen = String::new();
    output.read_to_string(&mut seen).expect("text");
    let mut seen: Vec<&str> = seen.lines().collect();
    seen.dedup();
    seen.sort_unstable();
    let mut expected: Vec<String> = (1..=MESSAGES).map(|it| format!("R{it}")).collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
    println!("isthmus-suite: {SUITE}: {MESSAGES} cases");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = configure(folder.path(), free_address());
    let arguments = ["--config", file.to_str().expect("UTF-8")];
    let server = Server::start_with(isthmus(), &folder.path().join("data"), &arguments);
    let mut connection = server.connect();
    let listed = connection
        .get("/admin/hl7v2/destinations")
        .expect("an answer")
        .json();
    assert_eq!(listed["destinations"][0]["name"], "ris");
    for (path, body, status, told) in [
        (PATH, String::new(), 400, "MSH"),
        (PATH, message("1").replace("2.5", "3.1"), 400, "MSH-12"),
        (PATH, message("1") + &message("2"), 400, "several messages"),
        (
            PATH,
            message("1").replace("|P|2.5", "|P|2.5||||||KLINGON"),
            400,
            "KLINGON",
        ),
        (
            "/admin/hl7v2/destinations/none/messages",
            message("1"),
            404,
            "no destination of that name",
        ),
        (
            "/admin/hl7v2/channels/ris/messages",
            message("1"),
            405,
            "does not have the method",
        ),
    ] {
        let answer = connection.send("POST", path, &body).expect("an answer");
        let text = answer.text();
        assert_eq!(answer.status, status, "{text}");
        assert!(text.contains(told) && !text.contains("Okafor"), "{text}");
    }
    assert_eq!(
        wait_until_none_is(&mut connection, "received"),
        [] as [Value; 0]
    );
}
