//! A directory of an older build: it opens, is indexed in the background while it is used, also
//! when that is killed on the way, and then answers as if it had been loaded today.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use e2e::fixture;
use e2e::http::{Connection, next_page};
use e2e::process::{Server, isthmus, pause, run};
use serde_json::Value;

/// Small steps with pauses, so that there is a way to be killed on.
const SLOWLY: [&str; 4] = ["--jobs-step-resources", "5", "--jobs-pause-ms", "40"];

/// How long indexing may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Queries that need slots which the older build did not have, of every kind of value.
const QUERIES: &[&str] = &[
    "Patient?family=mori",
    "Patient?given:contains=da",
    "Patient?gender=female",
    "Patient?birthdate=ge1970&birthdate=lt1990",
    "Patient?identifier=http://example.org/mrn|100017",
    "Patient?_tag=http://example.org/tags|upgrade",
    "Patient?_has:Observation:patient:code=http://loinc.org|8867-4",
    "Observation?code=http://loinc.org|8867-4",
    "Observation?code=http://loinc.org|29463-7&value-quantity=gt60|http://unitsofmeasure.org|kg",
    "Observation?date=2021-03",
    "Observation?subject=Patient/p17",
    "Observation?subject:Patient.family=okafor",
    "Observation?code-value-quantity=http://loinc.org|8867-4$lt70",
    "Condition?patient=Patient/p9&clinical-status=active",
    "Patient/p17/*",
];

fn index_job(connection: &mut Connection) -> Value {
    let answer = connection.get("/admin/jobs/reindex-r4").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

fn number(job: &Value, name: &str) -> u64 {
    job[name]
        .as_u64()
        .unwrap_or_else(|| panic!("{name} of {job}"))
}

fn wait_until(connection: &mut Connection, holds: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let job = index_job(connection);
        if holds(&job) {
            return job;
        }
        pause();
    }
    panic!("{}", index_job(connection));
}

/// What a query finds, as `Type/id` in order of names.
fn found(connection: &mut Connection, query: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mark = if query.contains('?') { '&' } else { '?' };
    let mut next = Some(format!("/fhir/r4/{query}{mark}_count=100"));
    while let Some(path) = next {
        let answer = connection.get(&path).expect("an answer");
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        let page = answer.json();
        let entries = page["entry"].as_array().into_iter().flatten();
        let name = |it: &Value| {
            let resource = &it["resource"];
            format!("{}/{}", resource["resourceType"], resource["id"]).replace('"', "")
        };
        found.extend(entries.map(name));
        next = next_page(&page);
    }
    found.sort();
    found
}

/// Loads what one server holds into another.
fn copy(from: &mut Connection, to: &mut Connection) {
    for kind in ["Organization", "Patient", "Observation", "Condition"] {
        let mut next = Some(format!("/fhir/r4/{kind}?_count=500"));
        while let Some(path) = next {
            let page = from.get(&path).expect("an answer").json();
            for entry in page["entry"].as_array().into_iter().flatten() {
                let resource = &entry["resource"];
                let id = resource["id"].as_str().expect("an id");
                let path = format!("/fhir/r4/{kind}/{id}");
                let answer = to
                    .send("PUT", &path, &resource.to_string())
                    .expect("an answer");
                assert_eq!(answer.status, 201, "{}", answer.text());
            }
            next = next_page(&page);
        }
    }
}

fn refused_with_progress(connection: &mut Connection) {
    let answer = connection
        .get("/fhir/r4/Patient?family=mori")
        .expect("an answer");
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    let told = answer.text();
    assert!(
        told.contains("is being indexed") && told.contains("resources are done"),
        "{told}"
    );
}

/// What needs no index works while there is none.
fn used_meanwhile(connection: &mut Connection) {
    for path in [
        "Patient/p17",
        "Patient/p17/_history",
        "Patient?_count=3",
        "Patient/p17/_history/1",
    ] {
        let answer = connection
            .get(&format!("/fhir/r4/{path}"))
            .expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    let deleted = connection.get("/fhir/r4/Patient/p3").expect("an answer");
    assert_eq!(deleted.status, 410);
    let new = r#"{"resourceType":"Patient","id":"new","name":[{"family":"Mori"}]}"#;
    let written = connection
        .send("PUT", "/fhir/r4/Patient/new", new)
        .expect("an answer");
    assert!(matches!(written.status, 200 | 201), "{}", written.text());
}

#[test]
fn a_directory_of_an_older_build_is_indexed_though_killed_on_the_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fixture::unpack("before-search", &data);
    let server = Server::start_with(isthmus(), &data, &SLOWLY);
    let mut connection = server.connect();
    refused_with_progress(&mut connection);
    used_meanwhile(&mut connection);
    let some = |job: &Value| number(job, "done") >= 40;
    let before = wait_until(&mut connection, some);
    assert_eq!(before["state"], "running", "{before}");
    assert_eq!(before["unit"], "resources");
    assert!(number(&before, "total") >= 200, "{before}");
    server.kill();

    let server = Server::start_with(isthmus(), &data, &SLOWLY);
    let mut connection = server.connect();
    let after = index_job(&mut connection);
    assert!(
        number(&after, "done") >= number(&before, "done"),
        "{before} then {after}"
    );
    assert_eq!(after["created"], before["created"], "it is the same job");
    assert_ne!(after["state"], "done", "{after}");
    refused_with_progress(&mut connection);
    let log = fs::read_to_string(&server.log).expect("a log");
    assert!(log.contains("job=\"reindex-r4\" done="), "{log}");
    let done = wait_until(&mut connection, |job| job["state"] == "done");
    assert!(number(&done, "done") >= number(&done, "total"), "{done}");

    let fresh = Server::start(&folder.path().join("fresh"));
    let mut other = fresh.connect();
    copy(&mut connection, &mut other);
    for query in QUERIES {
        let (old, new) = (found(&mut connection, query), found(&mut other, query));
        assert_eq!(old, new, "{query}");
        assert!(!old.is_empty(), "{query}");
    }
    server.kill();
    // What is complete stays so.
    let server = Server::start(&data);
    let mut connection = server.connect();
    assert_eq!(
        found(&mut connection, QUERIES[0]),
        found(&mut other, QUERIES[0])
    );
    assert_eq!(index_job(&mut connection), done);
    println!(
        "isthmus-suite: upgrade of an older directory: {} cases",
        QUERIES.len()
    );
}

#[test]
fn a_job_is_listed_cancelled_and_resumed() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    fixture::unpack("before-search", &data);
    let server = Server::start_with(isthmus(), &data, &SLOWLY);
    let mut connection = server.connect();
    refused_with_progress(&mut connection);
    let jobs = connection.get("/admin/jobs").expect("an answer").json();
    let ids = jobs["jobs"].as_array().expect("jobs").iter();
    assert!(
        ids.map(|it| &it["id"]).any(|it| it == "reindex-r4"),
        "{jobs}"
    );
    let mut ask = |method: &str, id: &str| {
        let path = format!("/admin/jobs/{id}");
        connection.ask(method, &path, &[], b"").expect("an answer")
    };
    assert_eq!(ask("GET", "none").status, 404);
    assert_eq!(ask("POST", "reindex-r4").status, 409, "it is not cancelled");
    let cancelled = ask("DELETE", "reindex-r4");
    assert_eq!(
        (cancelled.status, &cancelled.json()["state"]),
        (200, &"cancelled".into())
    );
    assert_eq!(ask("DELETE", "reindex-r4").status, 409, "it is cancelled");
    let told = ask("GET", "reindex-r4").json();
    assert_eq!(told["state"], "cancelled");
    let resumed = ask("POST", "reindex-r4");
    assert_eq!(resumed.status, 200, "{}", resumed.text());
    assert!(number(&resumed.json(), "done") >= number(&told, "done"));
    wait_until(&mut connection, |job| job["state"] == "done");
    assert_eq!(found(&mut connection, "Patient?_id=p17").len(), 1);
}

#[test]
fn directories_of_other_formats_are_refused() {
    for (format, told) in [
        ("isthmus-store 0\n", "0"),
        ("isthmus-store 2\n", "2"),
        ("?", "not a store's"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        fixture::unpack("before-search", &data);
        fs::write(data.join("FORMAT"), format).expect("a file");
        let said = serving_fails(&data);
        let expected = format!("the store's format is {told}, this program reads 1");
        assert!(said.contains(&expected), "{said}");
    }
}

fn serving_fails(data: &Path) -> String {
    let data = data.to_str().expect("UTF-8");
    let output = run(&["serve", "--data", data, "--listen", "127.0.0.1:0"]);
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}
