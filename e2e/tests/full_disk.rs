//! A full disk: what is stored stays readable, errors are clear, and space brings writing back.

use std::path::Path;
use std::process::Command;

use e2e::process::{Server, succeed};
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
    let server = Server::start(&disk.join("data"));
    let mut connection = server.connect();
    let mut random = e2e::random::Random::new(7);
    let mut stored = Vec::new();
    let refusal = loop {
        let id = format!("p{}", stored.len());
        let noise: String = (0..60_000)
            .map(|_| char::from(b'a' + random.below(26) as u8))
            .collect();
        let body =
            json!({"resourceType": "Patient", "id": id, "name": [{"family": noise}]}).to_string();
        let answer = connection
            .send("PUT", &format!("/fhir/r4/Patient/{id}"), &body)
            .expect("an answer");
        if answer.status != 201 {
            break answer;
        }
        stored.push(id);
        assert!(stored.len() < 2_000, "the disk never fills");
    };
    assert!(
        matches!(refusal.status, 503 | 507),
        "{}: {}",
        refusal.status,
        refusal.text()
    );
    assert_eq!(refusal.json()["resourceType"], "OperationOutcome");
    assert!(stored.len() > 20, "only {} were stored", stored.len());
    for id in &stored {
        assert_eq!(
            connection
                .get(&format!("/fhir/r4/Patient/{id}"))
                .expect("an answer")
                .status,
            200
        );
    }
    server.kill();
    let spare = disk.join("data.log");
    let _ = std::fs::remove_file(spare);
    grow(&disk);
    let server = Server::start(&disk.join("data"));
    let mut connection = server.connect();
    for id in &stored {
        assert_eq!(
            connection
                .get(&format!("/fhir/r4/Patient/{id}"))
                .expect("an answer")
                .status,
            200
        );
    }
    let body = json!({"resourceType": "Patient", "id": "after"}).to_string();
    assert_eq!(
        connection
            .send("PUT", "/fhir/r4/Patient/after", &body)
            .expect("an answer")
            .status,
        201
    );
    server.stop().expect("it stops");
    succeed(&[
        "check",
        "--data",
        disk.join("data").to_str().expect("UTF-8"),
    ]);
    drop(tmpfs);
}

fn grow(disk: &Path) {
    let status = Command::new("mount")
        .args(["-o", "remount,size=256m"])
        .arg(disk)
        .status();
    assert!(status.expect("mount runs").success());
}
