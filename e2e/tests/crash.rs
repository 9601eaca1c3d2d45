//! `kill -9` at random moments: every acknowledged write is there, nothing is half done.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use e2e::http::Connection;
use e2e::process::Server;
use e2e::random::Random;
use serde_json::{Value, json};

const CLIENTS: u64 = 4;

/// What clients were told: by path, the greatest version acknowledged and the marker it carries.
/// A write whose answer never came may have happened or not; its marker is noted as possible.
#[derive(Default)]
pub(crate) struct Ledger {
    acknowledged: BTreeMap<String, (u64, String)>,
    pairs: Vec<(String, String)>,
    possible: Vec<(String, String)>,
    possible_pairs: Vec<(String, String)>,
}

/// Writes until told to stop, from several clients; notes every answer before the next request.
pub(crate) fn write_until(
    server: &Server,
    ledger: &Arc<Mutex<Ledger>>,
    round: u64,
    stop: &Arc<AtomicBool>,
) -> Vec<thread::JoinHandle<()>> {
    (0..CLIENTS)
        .map(|client| {
            let mut connection = server.connect();
            let (ledger, stop) = (Arc::clone(ledger), Arc::clone(stop));
            thread::spawn(move || {
                let mut count = 0;
                while !stop.load(Ordering::Relaxed) {
                    count += 1;
                    let marker = format!("m{round}-{client}-{count}");
                    let alive = match count % 3 {
                        0 => write_pair(&mut connection, &ledger, &marker),
                        1 => write_one(&mut connection, &ledger, &format!("p{client}"), &marker),
                        _ => write_one(&mut connection, &ledger, &marker, &marker),
                    };
                    if !alive {
                        return;
                    }
                }
            })
        })
        .collect()
}

fn patient(id: &str, marker: &str) -> Value {
    json!({"resourceType": "Patient", "id": id, "name": [{"family": marker}]})
}

fn write_one(connection: &mut Connection, ledger: &Mutex<Ledger>, id: &str, marker: &str) -> bool {
    let path = format!("/fhir/r4/Patient/{id}");
    let answer = connection.send("PUT", &path, &patient(id, marker).to_string());
    let mut ledger = ledger.lock().expect("no client panics");
    match answer {
        Ok(answer) if answer.status < 300 => {
            let version = answer.json()["meta"]["versionId"]
                .as_str()
                .and_then(|it| it.parse().ok());
            let version = version.expect("an answer carries its version");
            let known = ledger.acknowledged.entry(path).or_default();
            if version > known.0 {
                *known = (version, marker.to_owned());
            }
            true
        }
        Ok(answer) => panic!(
            "a plain write is answered {}: {}",
            answer.status,
            answer.text()
        ),
        Err(_) => {
            ledger.possible.push((path, marker.to_owned()));
            false
        }
    }
}

/// Two resources in one transaction: both are there or none is.
fn write_pair(connection: &mut Connection, ledger: &Mutex<Ledger>, marker: &str) -> bool {
    let ids = [format!("{marker}-a"), format!("{marker}-b")];
    let entry = |id: &String| json!({"resource": patient(id, marker), "request": {"method": "PUT", "url": format!("Patient/{id}")}});
    let entries: Vec<_> = ids.iter().map(entry).collect();
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let answer = connection.send("POST", "/fhir/r4", &bundle.to_string());
    let [a, b] = ids;
    let mut ledger = ledger.lock().expect("no client panics");
    match answer {
        Ok(answer) if answer.status == 200 => {
            ledger.pairs.push((a, b));
            true
        }
        Ok(answer) => panic!(
            "a transaction is answered {}: {}",
            answer.status,
            answer.text()
        ),
        Err(_) => {
            ledger.possible_pairs.push((a, b));
            false
        }
    }
}

/// Everything acknowledged is there; of what was not, all or nothing.
pub(crate) fn verify(server: &Server, ledger: &Ledger) {
    let mut connection = server.connect();
    for (path, (version, marker)) in &ledger.acknowledged {
        let answer = connection
            .get(&format!("{path}/_history/{version}"))
            .expect("an answer");
        assert_eq!(
            answer.status, 200,
            "an acknowledged version is missing: {path}, {version}"
        );
        assert_eq!(
            answer.json()["name"][0]["family"],
            **marker,
            "another content: {path}"
        );
        let newest = connection.get(path).expect("an answer");
        assert_eq!(
            newest.status, 200,
            "an acknowledged resource is missing: {path}"
        );
        let family = newest.json()["name"][0]["family"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let may = family == *marker || ledger.possible.contains(&(path.clone(), family.clone()));
        assert!(may, "{path} holds what nobody wrote last: {family}");
    }
    let mut is_there = |id: &str| {
        connection
            .get(&format!("/fhir/r4/Patient/{id}"))
            .expect("an answer")
            .status
            == 200
    };
    for (a, b) in &ledger.pairs {
        assert!(
            is_there(a) && is_there(b),
            "an acknowledged transaction is missing: {a}"
        );
    }
    for (a, b) in &ledger.possible_pairs {
        assert_eq!(is_there(a), is_there(b), "half a transaction is there: {a}");
    }
}

/// Starts, writes, kills at a random moment, restarts and verifies.
fn round(data: &Path, ledger: &Arc<Mutex<Ledger>>, number: u64, random: &mut Random) {
    let server = Server::start(data);
    let stop = Arc::new(AtomicBool::new(false));
    let clients = write_until(&server, ledger, number, &stop);
    // tidy: sleep: the moment of the kill is random
    thread::sleep(Duration::from_millis(20 + random.below(300)));
    server.kill();
    for client in clients {
        client.join().expect("no client panics");
    }
    let server = Server::start(data);
    verify(&server, &ledger.lock().expect("no client panics"));
}

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let mut random = Random::seeded("kill -9");
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let rounds = 20;
    for number in 0..rounds {
        round(&data, &ledger, number, &mut random);
    }
    let ledger = ledger.lock().expect("no client panics");
    let written = ledger.acknowledged.len() + ledger.pairs.len();
    assert!(
        written > 100,
        "too little was written to prove anything: {written}"
    );
    println!("isthmus-suite: kill -9: {rounds} kills, {written} acknowledged writes cases");
}

#[test]
fn parallel_transactions_end_in_success_or_conflict() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"));
    let won = AtomicU64::new(0);
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, won) = (&server, &won);
            scope.spawn(move || {
                let mut connection = server.connect();
                for count in 0..50 {
                    let marker = format!("{client}-{count}");
                    let entry = |id: &str| {
                        json!({
                            "resource": patient(id, &marker),
                            "request": {"method": "PUT", "url": format!("Patient/{id}")},
                        })
                    };
                    let order = if client % 2 == 0 {
                        ["x", "y"]
                    } else {
                        ["y", "x"]
                    };
                    let entries = order.map(entry);
                    let bundle =
                        json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
                    let answer = connection
                        .send("POST", "/fhir/r4", &bundle.to_string())
                        .expect("an answer");
                    assert!(
                        matches!(answer.status, 200 | 409 | 412),
                        "{}: {}",
                        answer.status,
                        answer.text()
                    );
                    won.fetch_add(u64::from(answer.status == 200), Ordering::Relaxed);
                }
            });
        }
    });
    assert!(won.load(Ordering::Relaxed) > 0);
    let mut connection = server.connect();
    let family = |answer: e2e::http::Answer| answer.json()["name"][0]["family"].clone();
    let x = family(connection.get("/fhir/r4/Patient/x").expect("an answer"));
    let y = family(connection.get("/fhir/r4/Patient/y").expect("an answer"));
    assert_eq!(x, y, "the last transaction wrote both");
}

#[test]
fn one_of_two_parallel_conditional_creates_wins() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(&folder.path().join("data"));
    let rounds = if e2e::data::is_long() { 1_000 } else { 200 };
    for count in 0..rounds {
        let statuses: Vec<u16> = thread::scope(|scope| {
            let clients: Vec<_> = (0..2)
                .map(|_| scope.spawn(|| conditional_create(&server, count)))
                .collect();
            clients
                .into_iter()
                .map(|it| it.join().expect("no client panics"))
                .collect()
        });
        let mut sorted = statuses.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, [200, 201], "try {count}");
    }
    println!("isthmus-suite: parallel conditional creates: {rounds} cases");
}

fn conditional_create(server: &Server, count: u64) -> u16 {
    let identifier =
        json!([{"system": "http://e2e.isthmus.invalid", "value": format!("n{count}")}]);
    let body = json!({"resourceType": "Patient", "identifier": identifier}).to_string();
    let criteria = format!("identifier=http://e2e.isthmus.invalid|n{count}");
    let headers = [
        ("content-type", "application/fhir+json"),
        ("if-none-exist", criteria.as_str()),
    ];
    let answer = server
        .connect()
        .ask("POST", "/fhir/r4/Patient", &headers, body.as_bytes());
    answer.expect("an answer").status
}
