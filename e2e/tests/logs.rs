//! No patient data in logs: markers are planted everywhere, every kind of error is provoked, and
//! the log of the real binary is searched.

use e2e::process::{Server, isthmus};

const MARKER: &str = "Zx9MarkerQ";

#[test]
fn no_marker_reaches_the_log_or_the_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(
        isthmus(),
        &folder.path().join("data"),
        &["--log-level", "debug"],
    );
    let mut connection = server.connect();
    let patient =
        format!(r#"{{"resourceType":"Patient","id":"{MARKER}","name":[{{"family":"{MARKER}"}}]}}"#);
    let requests: &[(&str, String, String)] = &[
        ("PUT", format!("/fhir/r4/Patient/{MARKER}"), patient.clone()),
        (
            "PUT",
            format!("/fhir/r4/Patient/{MARKER}x"),
            patient.clone(),
        ),
        ("GET", format!("/fhir/r4/Patient/{MARKER}"), String::new()),
        (
            "GET",
            format!("/fhir/r4/Patient/{MARKER}/_history/{MARKER}"),
            String::new(),
        ),
        (
            "GET",
            format!("/fhir/r4/Patient?identifier={MARKER}"),
            String::new(),
        ),
        (
            "GET",
            format!("/fhir/r4/Patient?{MARKER}={MARKER}"),
            String::new(),
        ),
        ("GET", format!("/fhir/r4/{MARKER}/1"), String::new()),
        ("GET", format!("/{MARKER}"), String::new()),
        (
            "GET",
            format!("/t/{}/fhir/r4/Patient", MARKER.to_lowercase()),
            String::new(),
        ),
        (
            "POST",
            "/fhir/r4/Patient".into(),
            format!(r#"{{"resourceType":"Patient","{MARKER}":"{MARKER}"}}"#),
        ),
        (
            "POST",
            "/fhir/r4/Patient".into(),
            format!(r#"{{"resourceType":"Patient","birthDate":"{MARKER}"}}"#),
        ),
        ("POST", "/fhir/r4/Patient".into(), format!("{{{MARKER}")),
        (
            "POST",
            "/fhir/r4".into(),
            format!(
                r#"{{"resourceType":"Bundle","type":"transaction","entry":[{{"request":{{"method":"GET","url":"Patient/{MARKER}"}}}},{{"resource":{{"resourceType":"Patient","managingOrganization":{{"reference":"Organization?identifier={MARKER}"}}}},"request":{{"method":"POST","url":"Patient"}}}}]}}"#
            ),
        ),
        (
            "DELETE",
            format!("/fhir/r4/Patient/{MARKER}"),
            String::new(),
        ),
        ("GET", format!("/fhir/r4/Patient/{MARKER}"), String::new()),
        ("PATCH", format!("/fhir/r4/Patient/{MARKER}"), patient),
        ("BREW", format!("/fhir/r4/Patient/{MARKER}"), String::new()),
        (
            "GET",
            format!("/fhir/r4/Patient?identifier=%ZZ{MARKER}"),
            String::new(),
        ),
    ];
    for (method, path, body) in requests {
        let headers = [
            ("content-type", "application/fhir+json"),
            ("if-match", MARKER),
            ("x-marker", MARKER),
            ("idempotency-key", MARKER),
        ];
        for count in [2, 4] {
            let _ = connection.ask(
                method,
                path,
                &headers[..count.min(headers.len() - 1)],
                body.as_bytes(),
            );
        }
    }
    let metrics = connection
        .get("/metrics")
        .expect("an answer")
        .text()
        .to_lowercase();
    assert!(!metrics.contains(&MARKER.to_lowercase()), "{metrics}");
    let log = server.log.clone();
    server.stop().expect("it stops");
    let log = std::fs::read_to_string(log).expect("a log").to_lowercase();
    assert!(
        log.lines().count() > requests.len(),
        "requests are logged: {log}"
    );
    assert!(
        !log.contains(&MARKER.to_lowercase()),
        "a marker is in the log: {log}"
    );
    println!("isthmus-suite: markers: {} cases", requests.len() * 2);
}
