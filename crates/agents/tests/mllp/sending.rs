//! The sender against the listener, in plain TCP and in TLS with clients' certificates.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use agents::mllp::frame::framed;
use agents::mllp::sender::{self, Options, Outgoing, Progress, Reject, Unsent};
use agents::mllp::tls;
use interactions::channel::{ChannelName, Destination, State};
use tokio::sync::mpsc;

use crate::receiver::{Receiver, answer};
use crate::world::{World, admission, free_address};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_sent_to_in_tls_with_a_certificate() {
    let text = |name: &str| file(name).display().to_string();
    let receiver = World::new(&[
        ("tls_certificate", &text("server.pem")),
        ("tls_key", &text("server.key")),
        ("tls_client_ca", &text("ca.pem")),
    ])
    .await;
    let given = [
        ("connect", receiver.address.to_string()),
        ("tls_ca", text("ca.pem")),
        ("tls_certificate", text("client.pem")),
        ("tls_key", text("client.key")),
    ];
    let given = given.map(|(name, text)| (name.to_owned(), text));
    let to = Destination::read(ChannelName::parse("ris").unwrap(), given).unwrap();
    let world = World::sending(to.clone(), &[]).await;
    crate::destination::send(&world, &to, "1", "t1").await;
    let sent = crate::destination::settled(&world, &to.name.outbound()).await;
    assert_eq!(sent[0].1.state, State::Sent);
    world.end().await;
    receiver.end().await;
}

/// What a receiver sends at once for the message 1, and what the sender makes of it.
const REPLIES: &[(&[(&str, &str)], &str)] = &[
    (&[("AA", "1")], "accepted"),
    (&[("CA", "1")], "accepted"),
    (&[("AA", "0"), ("AA", "1")], "accepted"),
    (&[("AA", "1"), ("AA", "0")], "accepted"),
    // The second is the later answer of enhanced mode.
    (&[("CA", "1"), ("AE", "1")], "accepted"),
    (&[("AE", "1"), ("AA", "1")], "answered AE: "),
    (&[("CE", "1")], "answered CE: "),
    (&[("AR", "1")], "answered AR: "),
    (&[("CR", "0"), ("CR", "1")], "answered CR: "),
    (
        &[("XX", "1")],
        "not answered: MSA-1 of the answer is none of AA, AE, AR, CA, CE, CR",
    ),
    (&[("AA", "0")], "not answered: timed out"),
    (&[("AA", "")], "not answered: timed out"),
];

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_that_belongs_to_the_message() {
    for (replies, expected) in REPLIES {
        let bytes: Vec<u8> = replies.iter().flat_map(|it| answer(it.0, it.1)).collect();
        assert_eq!(
            &told(move |_| bytes.clone(), 0).await,
            expected,
            "{replies:?}"
        );
    }
    let broken = told(|_| b"\x0bMSH|^~\\&|\x1cx".to_vec(), 0).await;
    assert_eq!(broken, "not answered: the answer's frame is broken");
    let no_answer = framed(b"MSH|^~\\&|C|D|A|B|||ADT^A01|1|P|2.5\r");
    let none = told(move |_| no_answer.clone(), 0).await;
    assert_eq!(none, "not answered: the answer has no MSA");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_message_is_tried_again_after_growing_pauses() {
    let tries = std::sync::atomic::AtomicU64::new(0);
    let began = std::time::Instant::now();
    let answers = move |_: &str| {
        let code = match tries.fetch_add(1, Ordering::Relaxed) {
            0 | 1 => "AR",
            _ => "AA",
        };
        answer(code, "1")
    };
    assert_eq!(told(answers, 2).await, "accepted");
    // 200 ms, then twice as long.
    assert!(began.elapsed() >= Duration::from_millis(600));
}

/// What the sender makes of what is answered to the message 1.
async fn told(answers: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static, retries: u32) -> String {
    let receiver = Receiver::at(free_address(), answers).await;
    let options = Options {
        to: receiver.address.to_string(),
        tls: None,
        connections: 1,
        rate: 0,
        timeout: Duration::from_secs(1),
        retries,
    };
    let (queue, waiting) = mpsc::channel(1);
    let outgoing = Outgoing {
        place: "message".to_owned(),
        bytes: admission("1", "s", "S", "").into(),
    };
    queue.send(outgoing).await.unwrap();
    drop(queue);
    let rejects = sender::run(&options, waiting, &Arc::default()).await;
    match &rejects[..] {
        [] => "accepted".to_owned(),
        [(_, why)] => why.to_string(),
        _ => panic!("{rejects:?}"),
    }
}

#[test]
fn files_that_are_no_certificates_are_named() {
    let told = |result: Result<_, tls::TlsError>| result.err().map(|it| it.to_string()).unwrap();
    let missing = told(tls::acceptor(&file("none.pem"), &file("server.key"), None).map(|_| ()));
    assert!(missing.contains("none.pem"), "{missing}");
    let no_key = told(tls::acceptor(&file("server.pem"), &file("ca.pem"), None).map(|_| ()));
    assert!(no_key.contains("ca.pem"), "{no_key}");
}
