//! Destinations that are defined through the interface: durable as what is queued for them.

use std::io::Read;
use std::time::Instant;

use e2e::http::{Answer, Connection};
use e2e::process::{Server, free_address, isthmus, pause};
use serde_json::{Value, json};

use crate::mllp::{PATIENCE, python};
use crate::mllp_destination::{message, start_listener};
use crate::table;

const CASES: &str = include_str!("cases/destinations.http");

/// Fewer cases would mean that the table lost some.
const CASES_MIN: usize = 37;

const DESTINATIONS: &str = "/admin/hl7v2/destinations";

fn ask(connection: &mut Connection, method: &str, path: &str, body: &Value) -> Answer {
    let body = match body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        json => json.to_string(),
    };
    connection.send(method, path, &body).expect("an answer")
}

/// Asks and looks at the answer: its status, and texts that are in it.
fn check(connection: &mut Connection, asked: (&str, &str, Value), status: u16, told: &[&str]) {
    let (method, path, body) = asked;
    let answer = ask(connection, method, path, &body);
    let text = answer.text();
    assert_eq!(answer.status, status, "{method} {path}: {text}");
    for part in told {
        assert!(text.contains(part), "{method} {path}: `{part}`: {text}");
    }
}

/// Number and state of each message of `pacs`, the oldest first, once none waits.
fn settled(connection: &mut Connection) -> Vec<(u64, String)> {
    let began = Instant::now();
    loop {
        let path = format!("{DESTINATIONS}/pacs/messages?_count=1000");
        let page = connection.get(&path).expect("an answer").json();
        let messages = page["messages"].as_array().expect("a list").iter().rev();
        let one = |it: &Value| {
            let state = it["state"].as_str().expect("a state");
            (it["number"].as_u64().expect("a number"), state.to_owned())
        };
        let states: Vec<_> = messages.map(one).collect();
        if states.iter().all(|(_, state)| state != "received") {
            return states;
        }
        assert!(began.elapsed() < PATIENCE, "{page}");
        pause();
    }
}

#[test]
fn the_table_of_definitions_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("isthmus.toml");
    let text = "[[hl7v2.destination]]\nname = \"ris\"\nconnect = \"127.0.0.1:9\"\n\
        [[hl7v2.channel]]\nname = \"ward\"\nlisten = \"127.0.0.1:0\"\n";
    std::fs::write(&file, text).expect("a file");
    let arguments = ["--config", file.to_str().expect("UTF-8")];
    let server = Server::start_with(isthmus(), &folder.path().join("data"), &arguments);
    let [nobody, listen] = [(); 2].map(|()| free_address().to_string());
    let bytes = |body: &str| {
        let body = body
            .replace("{nobody}", &nobody)
            .replace("{listen}", &listen);
        body.replace("{message}", &message("1")).into_bytes()
    };
    let count = table::check(&server, CASES, bytes);
    println!("isthmus-suite: destinations through the interface: {count} cases");
    assert!(count >= CASES_MIN, "{count}");
}

#[test]
fn a_destination_and_its_queue_survive_kill_9() {
    const SUITE: &str = "mllp defined destination, kill -9";
    const MESSAGES: u64 = 40;
    let Some(python) = python(SUITE) else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let (nobody, listens) = (free_address(), free_address());
    let pacs = format!("{DESTINATIONS}/pacs");
    let queued = format!("{pacs}/messages");
    let mut server = Server::start(&data);
    let defined = json!({"connect": nobody.to_string(), "refused_max": 2});
    check(&mut server.connect(), ("PUT", &pacs, defined), 204, &[]);
    for number in 1..=MESSAGES {
        let posted = (
            "POST",
            queued.as_str(),
            Value::String(message(&number.to_string())),
        );
        let told = format!("{{\"number\":{number}}}");
        check(&mut server.connect(), posted, 202, &[&told]);
        if number % 10 == 0 {
            server.kill();
            server = Server::start(&data);
        }
    }
    let mut connection = server.connect();
    let shown = format!("\"connect\":\"{nobody}\"");
    check(&mut connection, ("GET", &pacs, Value::Null), 200, &[&shown]);
    // The first is being tried, the others never were; nobody is to have them.
    let dismissed = [1, 5, MESSAGES];
    for number in dismissed {
        let path = format!("{queued}/{number}/dismiss");
        check(&mut connection, ("POST", &path, Value::Null), 204, &[]);
    }
    server.kill();
    let (mut listener, mut output) = start_listener(&python, listens);
    let server = Server::start(&data);
    let mut connection = server.connect();
    // What is queued goes where the destination is now.
    let moved = json!({"connect": listens.to_string(), "refused_max": 2});
    check(&mut connection, ("PUT", &pacs, moved), 204, &[]);
    let state = |number| {
        if dismissed.contains(&number) {
            "dismissed"
        } else {
            "sent"
        }
    };
    let expected: Vec<_> = (1..=MESSAGES)
        .map(|it| (it, state(it).to_owned()))
        .collect();
    assert_eq!(settled(&mut connection), expected);
    // Deleted is deleted; its log stays.
    check(&mut connection, ("DELETE", &pacs, Value::Null), 204, &[]);
    server.kill();
    let server = Server::start(&data);
    let mut connection = server.connect();
    check(&mut connection, ("GET", &pacs, Value::Null), 404, &[]);
    assert_eq!(settled(&mut connection), expected);
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    let mut seen = String::new();
    output.read_to_string(&mut seen).expect("text");
    let mut seen: Vec<u64> = seen
        .lines()
        .map(|it| it.parse().expect("a number"))
        .collect();
    // One that was answered just before a kill may have come twice.
    seen.dedup();
    let sent = expected.iter().filter(|(_, state)| state == "sent");
    assert_eq!(seen, sent.map(|it| it.0).collect::<Vec<_>>());
    println!("isthmus-suite: {SUITE}: {MESSAGES} cases");
}

#[test]
fn what_cannot_be_opened_says_why_until_it_can() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"));
    let mut connection = server.connect();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let free = free_address();
    let to = |more: Value| {
        let mut definition = json!({"connect": address.to_string()});
        definition
            .as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        definition
    };
    let (lab, pacs) = ("/admin/hl7v2/channels/lab", format!("{DESTINATIONS}/pacs"));
    for (path, wrong, told, right) in [
        (
            lab,
            json!({"listen": address.to_string()}),
            "cannot listen on",
            json!({"listen": free.to_string()}),
        ),
        (
            lab,
            json!({"listen": free.to_string(), "library": "none-such"}),
            "there is no library `none-such`",
            json!({"listen": free.to_string()}),
        ),
        (
            &pacs,
            to(json!({"tls_ca": "/none/ca.pem"})),
            "/none/ca.pem",
            to(json!({})),
        ),
    ] {
        for (definition, trouble) in [(wrong, Some(told)), (right, None)] {
            check(&mut connection, ("PUT", path, definition), 204, &[]);
            let began = Instant::now();
            loop {
                let shown = ask(&mut connection, "GET", path, &Value::Null).json();
                let now = shown["trouble"].as_str();
                if now.is_some_and(|it| trouble.is_some_and(|told| it.contains(told)))
                    || now.is_none() && trouble.is_none()
                {
                    break;
                }
                assert!(began.elapsed() < PATIENCE, "{trouble:?}: {shown}");
                pause();
            }
        }
    }
}

#[test]
fn a_deleted_tenant_is_listened_for_no_more() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"));
    let mut connection = server.connect();
    let (north, address) = ("/admin/tenants/north", free_address());
    let lab = "/admin/hl7v2/channels/lab?tenant=north";
    let listening = json!({"listen": address.to_string()});
    let is_open = || std::net::TcpStream::connect(address).is_ok();
    for is_there in [true, false] {
        let began = Instant::now();
        if is_there {
            check(&mut connection, ("POST", north, Value::Null), 201, &[]);
            check(&mut connection, ("PUT", lab, listening.clone()), 204, &[]);
        } else {
            check(&mut connection, ("DELETE", north, Value::Null), 204, &[]);
        }
        while is_open() != is_there {
            assert!(began.elapsed() < PATIENCE, "{is_there}");
            pause();
        }
    }
    check(&mut connection, ("POST", north, Value::Null), 201, &[]);
    let listed = "/admin/hl7v2/channels?tenant=north";
    check(
        &mut connection,
        ("GET", listed, Value::Null),
        200,
        &["\"channels\":[]"],
    );
    assert!(!is_open());
}
