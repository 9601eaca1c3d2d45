//! Repetitions: by channel, sender, control id and bytes, for a named time.

use interactions::channel::{Query, Retry, State};
use store::TenantId;
use tokio::io::AsyncWriteExt;

use crate::world::{World, admission};

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_known_by_its_sender_for_its_days_and_after_a_restart() {
    let mut world = World::new(&[("library", "one"), ("duplicate_days", "3")]).await;
    let mut client = world.connect().await;
    let message = admission("1", "d1", "D", "");
    client.send(&message).await;
    let first = client.answer().await;
    // Another sender counts by itself.
    let text = String::from_utf8(message.clone()).unwrap();
    let other = text.replace("|LAB|", "|ICU|").into_bytes();
    assert_eq!(client.ask(&other).await, "MSA|AA|1");
    // Twice at once, in one commit.
    let frame = agents::mllp::frame::framed(&admission("2", "d2", "D", ""));
    client.stream.write_all(&frame.repeat(2)).await.unwrap();
    assert_eq!(client.answer().await, client.answer().await);
    assert_eq!(world.settled().await.len(), 3);
    world.restart(async |_, _| {}).await;
    let mut client = world.connect().await;
    client.send(&message).await;
    assert_eq!(client.answer().await, first);
    assert_eq!(world.counted("repeated"), 2);
    // After its days it is forgotten: the same bytes are another message.
    world.clock.by_days(4);
    client.send(&message).await;
    assert_ne!(client.answer().await, first);
    let states = world.settled().await;
    assert_eq!(states.len(), 4);
    assert!(states.iter().all(|(_, state)| *state == State::Stored));
    let listed = world.list(Query::default()).await.messages;
    assert!(listed.iter().all(|(it, _)| !it.reuses_control_id));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_is_answered_with_what_became_of_the_first() {
    let world = World::new(&[("library", "one"), ("acknowledge", "on_store")]).await;
    let mut client = world.connect().await;
    let odd = admission("1", "o1", "O", "");
    let odd = String::from_utf8(odd)
        .unwrap()
        .replace("ADT^A01", "ADT^A99");
    let first = client.ask(odd.as_bytes()).await;
    assert!(first.starts_with("MSA|AE|1|"), "{first}");
    assert_eq!(client.ask(odd.as_bytes()).await, first);
    // Behind it, its patient's next one waits, and is answered so each time.
    let next = admission("2", "o1", "O", "");
    let waits = client.ask(&next).await;
    let told = "the message is kept and waits behind an earlier one of its patient";
    assert!(waits.starts_with(&format!("MSA|AE|2|{told}")), "{waits}");
    assert_eq!(client.ask(&next).await, waits);
    let tenant = TenantId::default();
    let dismissed = world
        .interactions
        .retry_message(&tenant, &world.channel, 1, Retry::Dismiss);
    dismissed.await.unwrap();
    let began = std::time::Instant::now();
    while client.ask(&next).await != "MSA|AA|2" {
        assert!(began.elapsed() < crate::world::PATIENCE);
    }
    assert_eq!(world.settled().await.len(), 2);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_may_be_of_the_character_set() {
    let world = World::new(&[("library", "one")]).await;
    let mut client = world.connect().await;
    let sent = |charset: &str| admission("1", "c1", "Łukasz", &format!("||||||{charset}"));
    assert_eq!(client.ask(&sent("8859/1")).await, "MSA|AA|1");
    world.settled().await;
    let (_, garbled) = world.patient("c1").await.unwrap();
    assert_ne!(garbled, "Łukasz");
    let tenant = TenantId::default();
    let corrected = Retry::Corrected(sent("UNICODE UTF-8").into());
    let retry = world
        .interactions
        .retry_message(&tenant, &world.channel, 1, corrected);
    retry.await.unwrap();
    let began = std::time::Instant::now();
    while world.patient("c1").await != Some((2, "Łukasz".to_owned())) {
        assert!(began.elapsed() < crate::world::PATIENCE);
        tokio::task::yield_now().await;
    }
    world.end().await;
}
