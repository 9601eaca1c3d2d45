//! Power loss and failing devices: everything not synced is taken back, single operations fail.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use e2e::power_loss::{Fault, FaultError, Loss, Operation, PowerLoss};
use e2e::process::{Server, isthmus};
use e2e::random::Random;
use serde_json::json;

use crate::crash::{Ledger, verify, write_until};

fn watched(power: &PowerLoss) -> Command {
    let mut command = isthmus();
    command.envs(power.environment());
    command
}

/// Starts, writes, kills at a random moment, takes back what was not synced, restarts, verifies.
fn round(
    power: &PowerLoss,
    root: &Path,
    ledger: &Arc<Mutex<Ledger>>,
    number: u64,
    random: &mut Random,
) {
    power.begin().expect("the state is noted");
    let server = Server::start_with(watched(power), root, &[]);
    let stop = Arc::new(AtomicBool::new(false));
    let clients = write_until(&server, ledger, number, &stop);
    // tidy: sleep: the moment of the power loss is random
    thread::sleep(Duration::from_millis(20 + random.below(300)));
    server.kill();
    for client in clients {
        client.join().expect("no client panics");
    }
    let loss = match random.below(2) {
        0 => Loss::Unsynced,
        _ => Loss::Torn {
            seed: random.next_u64(),
        },
    };
    power.cut_back(loss).expect("what was not synced goes");
    let server = Server::start(root);
    verify(&server, &ledger.lock().expect("no client panics"));
    server.stop().expect("it stops");
}

#[test]
fn every_acknowledged_write_survives_power_loss() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("disk");
    let power = PowerLoss::new(&root, &folder.path().join("scratch")).expect("the library builds");
    let mut random = Random::seeded("power loss");
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let rounds = 20;
    for number in 0..rounds {
        round(&power, &root, &ledger, number, &mut random);
    }
    println!("isthmus-suite: power loss: {rounds} cases");
}

/// One operation fails: nothing is acknowledged that is not there, nothing acknowledged is lost.
fn device_fault(operation: Operation, error: FaultError, skip: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("disk");
    let power = PowerLoss::new(&root, &folder.path().join("scratch")).expect("the library builds");
    power.begin().expect("the state is noted");
    let server = Server::start_with(watched(&power), &root, &[]);
    let mut connection = server.connect();
    let mut put = |id: &str| {
        let body =
            json!({"resourceType": "Patient", "id": id, "name": [{"family": id}]}).to_string();
        connection
            .send("PUT", &format!("/fhir/r4/Patient/{id}"), &body)
            .expect("an answer")
            .status
    };
    let mut acknowledged = vec!["before".to_owned()];
    assert_eq!(put("before"), 201);
    power
        .fail(Fault {
            operation,
            skip,
            error,
            times: 1,
        })
        .expect("it will fail");
    let mut failures = 0;
    for number in 0..20 {
        let id = format!("p{number}");
        match put(&id) {
            201 => acknowledged.push(id),
            500..=599 => failures += 1,
            status => panic!("{operation:?} {error:?}: a write is answered {status}"),
        }
    }
    assert!(
        failures > 0,
        "{operation:?} {error:?} after {skip}: nobody noticed"
    );
    assert!(
        acknowledged.len() > 10,
        "one fault must not stop the store for good: {failures} of 20"
    );
    for id in &acknowledged {
        let answer = server
            .connect()
            .get(&format!("/fhir/r4/Patient/{id}"))
            .expect("an answer");
        assert_eq!(
            answer.status, 200,
            "{operation:?} {error:?}: {id} is not readable"
        );
    }
    server.kill();
    power
        .cut_back(Loss::Unsynced)
        .expect("what was not synced goes");
    let server = Server::start(&root);
    for id in &acknowledged {
        let answer = server
            .connect()
            .get(&format!("/fhir/r4/Patient/{id}"))
            .expect("an answer");
        assert_eq!(answer.status, 200, "{operation:?} {error:?}: {id} is lost");
    }
}

#[test]
fn a_failing_device_loses_nothing_and_acknowledges_nothing_false() {
    let mut cases = 0;
    for operation in [Operation::Write, Operation::Sync] {
        for error in [FaultError::Eio, FaultError::Enospc] {
            for skip in 0..3 {
                device_fault(operation, error, skip);
                cases += 1;
            }
        }
    }
    println!("isthmus-suite: failing device: {cases} cases");
}
