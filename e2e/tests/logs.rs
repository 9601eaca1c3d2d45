//! No patient data in logs: markers are planted everywhere, every kind of error is provoked, and
//! the log of the real binary is searched.

use e2e::process::{Server, isthmus};

/// Stands for everything that could identify a person; the table writes it as `@`.
const MARKER: &str = "Zx9MarkerQ";

const PATIENT: &str = r#"{"resourceType":"Patient","id":"@","name":[{"family":"@"}]}"#;

/// Method, path and body.
const REQUESTS: &[(&str, &str, &str)] = &[
    ("PUT", "/fhir/r4/Patient/@", PATIENT),
    ("PUT", "/fhir/r4/Patient/@x", PATIENT),
    ("GET", "/fhir/r4/Patient/@", ""),
    ("GET", "/fhir/r4/Patient/@/_history/@", ""),
    ("GET", "/fhir/r4/Patient?identifier=@", ""),
    ("GET", "/fhir/r4/Patient?@=@", ""),
    ("GET", "/fhir/r4/Patient?identifier=%ZZ@", ""),
    ("GET", "/fhir/r4/Patient?_page=@", ""),
    ("GET", "/fhir/r4/@/1", ""),
    ("GET", "/@", ""),
    ("GET", "/t/@/fhir/r4/Patient", ""),
    ("POST", "/admin/tenants/@", ""),
    (
        "POST",
        "/fhir/r4/Patient",
        r#"{"resourceType":"Patient","@":"@"}"#,
    ),
    (
        "POST",
        "/fhir/r4/Patient",
        r#"{"resourceType":"Patient","birthDate":"@"}"#,
    ),
    (
        "POST",
        "/fhir/r4/Patient",
        r#"{"resourceType":"Patient","gender":"@"}"#,
    ),
    ("POST", "/fhir/r4/Patient", "{@"),
    ("POST", "/fhir/r4", TRANSACTION),
    ("DELETE", "/fhir/r4/Patient?identifier=@", ""),
    ("DELETE", "/fhir/r4/Patient/@", ""),
    ("GET", "/fhir/r4/Patient/@", ""),
    ("PATCH", "/fhir/r4/Patient/@", PATIENT),
    ("BREW", "/fhir/r4/Patient/@", ""),
];

const TRANSACTION: &str = r#"{"resourceType":"Bundle","type":"transaction","entry":[
    {"request":{"method":"GET","url":"Patient/@"}},
    {"resource":{"resourceType":"Patient","managingOrganization":{"reference":"Organization?identifier=@"}},
     "request":{"method":"POST","url":"Patient"}}]}"#;

/// Headers that are sent, more of them each time.
const HEADERS: &[(&str, &str)] = &[
    ("content-type", "application/fhir+json"),
    ("x-marker", MARKER),
    ("if-match", MARKER),
    ("idempotency-key", MARKER),
    ("x-request-id", MARKER),
    ("if-none-exist", MARKER),
    ("accept", MARKER),
];

#[test]
fn no_marker_reaches_the_log_or_the_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start_with(isthmus(), &data, &["--log-level", "debug"]);
    let mut connection = server.connect();
    let mut cases = 0;
    for (method, path, body) in REQUESTS {
        let (path, body) = (path.replace('@', MARKER), body.replace('@', MARKER));
        for count in 1..=HEADERS.len() {
            let answer = connection.ask(method, &path, &HEADERS[..count], body.as_bytes());
            answer.expect("every request is answered");
            cases += 1;
        }
    }
    let metrics = connection.get("/metrics").expect("an answer").text();
    is_clean(&metrics, "the metrics");
    let log = server.log.clone();
    server.stop().expect("it stops");
    let log = std::fs::read_to_string(log).expect("a log");
    assert!(log.lines().count() > cases, "requests are logged: {log}");
    is_clean(&log, "the log");
    println!("isthmus-suite: markers: {cases} cases");
}

fn is_clean(text: &str, what: &str) {
    let marked: Vec<_> = text
        .lines()
        .filter(|line| line.to_lowercase().contains(&MARKER.to_lowercase()))
        .collect();
    assert!(marked.is_empty(), "a marker is in {what}: {marked:?}");
}
