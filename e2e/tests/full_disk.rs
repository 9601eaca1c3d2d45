//! A full disk: what is stored stays readable, errors are clear, and space brings writing back.

use std::path::Path;
use std::process::Command;

use e2e::http::{Answer, Connection};
use e2e::process::{Server, succeed};
use e2e::random::Random;
use serde_json::json;

/// A small file system in memory, unmounted when dropped.
struct Tmpfs<'p>(&'p Path);

impl<'p> Tmpfs<'p> {
    /// Mounts one; `None` where this user may not.
    fn mount(path: &'p Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(path).expect("a folder");
        let options = format!("size={size}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &options, "isthmus-e2e"])
            .arg(path)
            .output();
        mount
            .is_ok_and(|output| output.status.success())
            .then_some(Self(path))
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_a_readable_store_and_clear_errors() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = folder.path().join("disk");
    let Some(tmpfs) = Tmpfs::mount(&disk, "24m") else {
        println!("isthmus-skipped: full disk: mounting a tmpfs needs root");
        return;
    };
    let data = disk.join("data");
    let server = Server::start(&data);
    let (stored, refusal) = fill(&server);
    assert!(
        matches!(refusal.status, 503 | 507),
        "{}: {}",
        refusal.status,
        refusal.text()
    );
    assert_eq!(refusal.json()["resourceType"], "OperationOutcome");
    assert!(stored > 20, "only {stored} were stored");
    all_readable(&server, stored);
    server.kill();
    grow(&disk);
    let server = Server::start(&data);
    all_readable(&server, stored);
    assert_eq!(put(&mut server.connect(), "after", "short").status, 201);
    server.stop().expect("it stops");
    succeed(&["check", "--data", data.to_str().expect("UTF-8")]);
    println!("isthmus-suite: full disk: {stored} writes until it was full cases");
    drop(tmpfs);
}

/// Writes until a write is refused; gives how many were not, and the refusal.
fn fill(server: &Server) -> (usize, Answer) {
    let mut connection = server.connect();
    let mut random = Random::new(7);
    for number in 0..2_000 {
        let letters = (0..60_000).map(|_| b'a' + u8::try_from(random.below(26)).expect("below 26"));
        let noise: String = letters.map(char::from).collect();
        let answer = put(&mut connection, &format!("p{number}"), &noise);
        if answer.status != 201 {
            return (number, answer);
        }
    }
    panic!("the disk never fills");
}

fn put(connection: &mut Connection, id: &str, family: &str) -> Answer {
    let body = json!({"resourceType": "Patient", "id": id, "name": [{"family": family}]});
    let answer = connection.send("PUT", &format!("/fhir/r4/Patient/{id}"), &body.to_string());
    answer.expect("an answer")
}

fn all_readable(server: &Server, stored: usize) {
    let mut connection = server.connect();
    for number in 0..stored {
        let answer = connection
            .get(&format!("/fhir/r4/Patient/p{number}"))
            .expect("an answer");
        assert_eq!(answer.status, 200, "p{number} of {stored}");
    }
}

fn grow(disk: &Path) {
    let status = Command::new("mount")
        .args(["-o", "remount,size=256m"])
        .arg(disk)
        .status();
    assert!(status.expect("mount runs").success());
}
