//! The sender against the listener, in plain TCP and in TLS with clients' certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agents::mllp::sender::{self, Options, Outgoing, Progress, Reject, Unsent};
use agents::mllp::tls;
use interactions::channel::State;
use tokio::sync::mpsc;

use crate::world::{World, admission};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/mllp/tls")
        .join(name)
}

fn options(world: &World) -> Options {
    Options {
        to: world.address.to_string(),
        tls: None,
        connections: 4,
        rate: 0,
        timeout: Duration::from_secs(30),
        retries: 0,
    }
}

async fn send(options: &Options, count: usize) -> (u64, Vec<Reject>) {
    let (queue, waiting) = mpsc::channel(count + 1);
    for number in 0..count {
        let bytes = admission(&number.to_string(), &format!("s{number}"), "S", "").into();
        let place = format!("message {number}");
        queue.send(Outgoing { place, bytes }).await.unwrap();
    }
    drop(queue);
    let progress = Arc::new(Progress::default());
    let rejects = sender::run(options, waiting, &progress).await;
    (progress.accepted.load(Ordering::Relaxed), rejects)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_taken_once() {
    let world = World::new(&[("library", "one"), ("messages_per_second_max", "1000")]).await;
    assert_eq!(send(&options(&world), 40).await, (40, Vec::new()));
    assert_eq!(send(&options(&world), 40).await, (40, Vec::new()));
    let states = world.settled().await;
    assert_eq!(states.len(), 40);
    assert!(states.iter().all(|(_, state)| *state == State::Stored));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_show_certificates_where_a_channel_demands_them() {
    let text = |name: &str| file(name).display().to_string();
    let (certificate, key, ca) = (text("server.pem"), text("server.key"), text("ca.pem"));
    let world = World::new(&[
        ("tls_certificate", &certificate),
        ("tls_key", &key),
        ("tls_client_ca", &ca),
        ("frame_timeout_ms", "5000"),
    ])
    .await;
    let with = |own: Option<(&str, &str)>| {
        let own = own.map(|(certificate, key)| (file(certificate), file(key)));
        let own = own
            .as_ref()
            .map(|(certificate, key)| (certificate.as_path(), key.as_path()));
        let tls = Some(tls::connector(&file("ca.pem"), own).unwrap());
        Options {
            tls,
            timeout: Duration::from_secs(10),
            ..options(&world)
        }
    };
    assert_eq!(
        send(&with(Some(("client.pem", "client.key"))), 3).await,
        (3, Vec::new())
    );
    for own in [None, Some(("stranger.pem", "stranger.key"))] {
        let (accepted, rejects) = send(&with(own), 1).await;
        assert_eq!(accepted, 0);
        assert!(matches!(rejects[0].1, Unsent::Unanswered(_)), "{rejects:?}");
    }
    let (accepted, rejects) = send(&options(&world), 1).await;
    assert_eq!((accepted, rejects.len()), (0, 1));
    world.end().await;
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let told = |result: Result<_, tls::TlsError>| result.err().map(|it| it.to_string()).unwrap();
    let missing = told(tls::acceptor(&file("none.pem"), &file("server.key"), None).map(|_| ()));
    assert!(missing.contains("none.pem"), "{missing}");
    let no_key = told(tls::acceptor(&file("server.pem"), &file("ca.pem"), None).map(|_| ()));
    assert!(no_key.contains("ca.pem"), "{no_key}");
}
