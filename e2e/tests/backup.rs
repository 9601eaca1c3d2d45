//! Backup while serving, restore, the lock on a directory, damage found by `check`.

use std::path::Path;

use e2e::data::files_below;
use e2e::http::{Connection, next_page};
use e2e::process::{Server, run, succeed};
use serde_json::{Value, json};

fn fill(connection: &mut Connection) {
    for version in 1..=3 {
        for id in 0..20 {
            let body = json!({"resourceType": "Patient", "id": format!("p{id}"), "name": [{"family": format!("v{version}")}]});
            let answer =
                connection.send("PUT", &format!("/fhir/r4/Patient/p{id}"), &body.to_string());
            assert!(answer.expect("an answer").status < 300);
        }
    }
    for id in 0..5 {
        connection
            .ask("DELETE", &format!("/fhir/r4/Patient/p{id}"), &[], b"")
            .expect("an answer");
    }
    let body = json!({"resourceType": "Patient", "id": "s", "gender": "other"}).to_string();
    assert_eq!(
        connection
            .send("PUT", "/fhir/stu3/Patient/s", &body)
            .expect("an answer")
            .status,
        201
    );
}

/// Every version of everything, newest first, without what names the server.
fn all_versions(connection: &mut Connection, base: &str) -> Vec<Value> {
    let mut entries = Vec::new();
    let mut next = Some(format!("{base}/_history?_count=7"));
    while let Some(path) = next {
        let page = connection.get(&path).expect("an answer").json();
        entries.extend(
            page["entry"]
                .as_array()
                .into_iter()
                .flatten()
                .map(without_base),
        );
        next = next_page(&page);
    }
    entries
}

fn without_base(entry: &Value) -> Value {
    let mut entry = entry.clone();
    entry.as_object_mut().expect("an entry").remove("fullUrl");
    entry
}

fn path(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_backup_taken_while_serving_restores_every_version() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = path(folder.path(), "backup");
    let restored = path(folder.path(), "restored");
    let server = Server::start(&folder.path().join("data"));
    let mut connection = server.connect();
    fill(&mut connection);
    let bases = ["/fhir/r4", "/fhir/stu3"];
    let before: Vec<_> = bases.map(|base| all_versions(&mut connection, base)).into();
    assert_eq!(
        before[0].len(),
        65,
        "three versions of twenty, five deletions"
    );
    succeed(&["backup", &file, "--server", &server.base("")]);
    succeed(&["restore", &file, "--data", &restored]);
    let again = Server::start(Path::new(&restored));
    let mut connection = again.connect();
    let after: Vec<_> = bases.map(|base| all_versions(&mut connection, base)).into();
    assert_eq!(before, after);
    let refused = run(&["restore", &file, "--data", &restored]);
    assert!(
        !refused.status.success(),
        "a directory that is not empty is not overwritten"
    );
}

#[test]
fn a_directory_without_server_is_backed_up_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let [data, file, restored] = ["data", "backup", "restored"].map(|it| path(folder.path(), it));
    let server = Server::start(Path::new(&data));
    fill(&mut server.connect());
    let before = all_versions(&mut server.connect(), "/fhir/r4");
    server.stop().expect("it stops");
    succeed(&["backup", &file, "--data", &data]);
    succeed(&["restore", &file, "--data", &restored]);
    let server = Server::start(Path::new(&restored));
    assert_eq!(all_versions(&mut server.connect(), "/fhir/r4"), before);
}

#[test]
fn a_damaged_backup_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let [data, file, restored] = ["data", "backup", "restored"].map(|it| path(folder.path(), it));
    let server = Server::start(Path::new(&data));
    fill(&mut server.connect());
    succeed(&["backup", &file, "--server", &server.base("")]);
    let mut bytes = std::fs::read(&file).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).expect("written");
    let refused = run(&["restore", &file, "--data", &restored]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("damaged at byte"), "{said}");
}

#[test]
fn a_second_process_is_told_who_holds_the_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start(&data);
    let second = run(&["check", "--data", data.to_str().expect("UTF-8")]);
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains(&server.pid().to_string()), "{said}");
}

#[test]
fn tenants_are_made_listed_and_deleted() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = path(folder.path(), "data");
    succeed(&["tenant", "create", "north", "--data", &data]);
    let server = Server::start(Path::new(&data));
    let url = server.base("");
    succeed(&["tenant", "create", "south", "--server", &url]);
    assert_eq!(
        succeed(&["tenant", "list", "--server", &url]),
        "default\nnorth\nsouth\n"
    );
    let mut connection = server.connect();
    let body = json!({"resourceType": "Patient", "id": "p"}).to_string();
    let put = |connection: &mut Connection, tenant: &str| {
        let path = format!("/t/{tenant}/fhir/r4/Patient/p");
        connection
            .send("PUT", &path, &body)
            .expect("an answer")
            .status
    };
    assert_eq!(put(&mut connection, "north"), 201);
    assert_eq!(
        connection
            .get("/t/south/fhir/r4/Patient/p")
            .expect("an answer")
            .status,
        404
    );
    assert_eq!(
        put(&mut connection, "west"),
        404,
        "an unknown tenant is not made in passing"
    );
    succeed(&["tenant", "delete", "north", "--server", &url]);
    assert_eq!(
        connection
            .get("/t/north/fhir/r4/Patient/p")
            .expect("an answer")
            .status,
        404
    );
    assert!(
        !folder.path().join("data/tenants/north").exists(),
        "nothing of it is left"
    );
}

#[test]
fn damage_is_named_and_never_served() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let server = Server::start(&data);
    fill(&mut server.connect());
    server.stop().expect("it stops");
    let text = data.to_str().expect("UTF-8");
    succeed(&["check", "--data", text]);
    let mut damaged = 0;
    for file in files_below(&data) {
        let whole = std::fs::read(&file).expect("read");
        if whole.len() < 64 {
            continue;
        }
        damaged += 1;
        for change in ["flip", "cut"] {
            let mut bytes = whole.clone();
            match change {
                "flip" => bytes[whole.len() / 2] ^= 0x20,
                _ => bytes.truncate(whole.len() / 2),
            }
            std::fs::write(&file, &bytes).expect("written");
            let output = run(&["check", "--data", text]);
            let said = String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr);
            let name = file.file_name().and_then(|it| it.to_str()).expect("UTF-8");
            assert!(
                !output.status.success(),
                "{change} in {} was not found",
                file.display()
            );
            assert!(
                said.contains(name),
                "{change} in {} is not named: {said}",
                file.display()
            );
        }
        std::fs::write(&file, &whole).expect("written");
    }
    assert!(damaged > 0, "there was something to damage");
    succeed(&["check", "--data", text]);
}
