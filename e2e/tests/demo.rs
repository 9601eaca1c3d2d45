//! The first command of the README: `isthmus serve --demo`.

use e2e::process::{Server, isthmus};

#[test]
fn the_demo_serves_both_versions_and_prints_five_urls() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start_with(isthmus(), &data, &["--demo"]);
    let printed = std::fs::read_to_string(&server.log).expect("a log");
    let base = format!("http://{}", server.address);
    let urls: Vec<_> = printed
        .lines()
        .flat_map(str::split_whitespace)
        .filter_map(|word| word.strip_prefix(base.as_str()))
        .filter(|path| path.len() > 1)
        .collect();
    assert!(urls.len() >= 5, "five URLs worth trying: {printed}");
    let mut connection = server.connect();
    for path in &urls {
        let answer = connection.get(path).expect("an answer");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    for path in [
        "/fhir/r4/Patient/amara-okafor",
        "/fhir/r4/ImagingStudy/okafor-ct",
        "/fhir/stu3/Patient/tobias-hale",
    ] {
        assert_eq!(
            connection.get(path).expect("an answer").status,
            200,
            "{path}"
        );
    }
}

#[test]
fn the_demo_again_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    Server::start_with(isthmus(), &data, &["--demo"])
        .stop()
        .expect("it stops");
    let server = Server::start_with(isthmus(), &data, &["--demo"]);
    let answer = server
        .connect()
        .get("/fhir/r4/Patient/amara-okafor")
        .expect("an answer");
    assert_eq!(answer.json()["meta"]["versionId"], "1");
}

#[test]
fn beyond_the_loopback_nothing_listens_without_authentication() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let data = data.to_str().expect("UTF-8");
    let output = e2e::process::run(&["serve", "--data", data, "--listen", "0.0.0.0:0"]);
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--allow-unauthenticated"), "{said}");
}
