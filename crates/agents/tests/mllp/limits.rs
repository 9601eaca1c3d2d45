//! Limits: what goes beyond one is told by its name, or waits.

use std::time::{Duration, Instant};

use interactions::channel::{Query, Retry, State};
use store::TenantId;
use tokio::io::AsyncWriteExt;

use crate::world::{World, admission, shown};

#[tokio::test(flavor = "multi_thread")]
async fn messages_come_as_fast_as_the_channel_takes_them() {
    let world = World::new(&[("messages_per_second_max", "20")]).await;
    let began = Instant::now();
    let (mut one, mut other) = (world.connect().await, world.connect().await);
    for number in 0..4 {
        one.send(&admission(&format!("a{number}"), "r", "R", ""))
            .await;
        other
            .send(&admission(&format!("b{number}"), "r", "R", ""))
            .await;
    }
    for number in 0..4 {
        assert_eq!(shown(one.answer().await), format!("MSA|AA|a{number}"));
        assert_eq!(shown(other.answer().await), format!("MSA|AA|b{number}"));
    }
    // Eight messages of both connections: seven pauses.
    assert!(began.elapsed() >= Duration::from_millis(350));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_wait_for_each_others_room_come_to_an_end() {
    let limits = [
        ("buffer_bytes_max", "100k"),
        ("message_bytes_max", "60k"),
        ("frame_timeout_ms", "20000"),
    ];
    let world = World::new(&limits).await;
    let mut clients = Vec::new();
    for number in 0..8 {
        let message = admission(&number.to_string(), "b", &"x".repeat(50_000), "");
        let frame = agents::mllp::frame::framed(&message);
        let mut client = world.connect().await;
        client.stream.write_all(&frame[..30_000]).await.unwrap();
        clients.push((client, frame));
    }
    for (client, frame) in &mut clients {
        client.stream.write_all(&frame[30_000..]).await.unwrap();
    }
    for (number, (client, _)) in clients.iter_mut().enumerate() {
        assert_eq!(shown(client.answer().await), format!("MSA|AA|{number}"));
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_stops_converting_when_too_many_are_parked() {
    // One after the other: those on their way when the limit is met would go on.
    let fields = [("library", "one"), ("parked_max", "2"), ("parallel", "1")];
    let world = World::new(&fields).await;
    let mut client = world.connect().await;
    for number in 1..=3 {
        let message = admission(&number.to_string(), &format!("k{number}"), "K", "");
        let message = String::from_utf8(message).unwrap();
        let odd = message.replace("ADT^A01", "ADT^A99");
        let message = if number < 3 { odd } else { message };
        client.ask(message.as_bytes()).await;
    }
    // State and tries of each message, once the second was tried so often, or the third at all.
    let states = async |tries: [u64; 2]| {
        let began = Instant::now();
        loop {
            let mut listed = world.list(Query::default()).await.messages;
            listed.reverse();
            let [_, second, third] = [0, 1, 2].map(|at| listed[at].1.attempts);
            if [second, third] >= tries {
                return listed.iter().map(|it| it.1.state).collect::<Vec<_>>();
            }
            assert!(began.elapsed() < crate::world::PATIENCE, "{listed:?}");
            tokio::task::yield_now().await;
        }
    };
    let (failed, gone) = (State::Failed, State::Dismissed);
    states([1, 0]).await;
    let tenant = TenantId::default();
    let retry = |number, retry| {
        let (interactions, channel) = (&world.interactions, &world.channel);
        interactions.retry_message(&tenant, channel, number, retry)
    };
    // Whoever tries again what is parked has been past the third.
    retry(2, Retry::AsItIs).await.unwrap();
    assert_eq!(states([2, 0]).await, [failed, failed, State::Received]);
    retry(1, Retry::Dismiss).await.unwrap();
    assert_eq!(states([2, 1]).await, [gone, failed, State::Stored]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_durable_is_not_acknowledged_nor_what_comes_after_it() {
    let world = World::new(&[("library", "one")]).await;
    world.close_store().await;
    let told = "the message could not be made durable: send it again later";
    for (asks, code) in [("", "AR"), ("|||AL|AL", "CR"), ("|||NE|ER", "AR")] {
        let mut client = world.connect().await;
        let both = ["1", "2"].map(|it| {
            let message = admission(it, "u", "U", asks);
            agents::mllp::frame::framed(&message)
        });
        client.stream.write_all(&both.concat()).await.unwrap();
        let answer = shown(client.answer().await);
        assert!(
            answer.starts_with(&format!("MSA|{code}|1|{told} / ERR|")),
            "{answer}"
        );
        assert_eq!(shown(client.answer().await), "closed");
    }
    world.service.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn later_answers_that_are_waited_for_have_a_limit() {
    const WAITING_MAX: usize = 10_000;
    let world = World::new(&[("library", "one"), ("on_failure", "stop")]).await;
    let mut client = world.connect().await;
    let odd = String::from_utf8(admission("odd", "l", "L", "")).unwrap();
    client
        .ask(odd.replace("ADT^A01", "ADT^A99").as_bytes())
        .await;
    // The channel stands still: what becomes of these is not known.
    let mut frames = Vec::new();
    for number in 0..=WAITING_MAX {
        let message = admission(&number.to_string(), "l", "L", "|||NE|AL");
        frames.extend(agents::mllp::frame::framed(&message));
    }
    client.stream.write_all(&frames).await.unwrap();
    let answer = shown(client.answer().await);
    let told = "|the message is kept and not stored yet / ERR|";
    assert!(
        answer.starts_with("MSA|AE|") && answer.contains(told),
        "{answer}"
    );
    let marker = client.ask(&admission("marker", "m", "M", "")).await;
    assert_eq!(marker, "MSA|AA|marker");
    world.end().await;
}
