//! What is queued for a destination is sent in the order of its numbers, or parked.

use std::net::SocketAddr;
use std::time::Instant;

use interactions::channel::{
    ChannelName, Destination, Incoming, Query, Queued, Receipt, Retry, Settled, State,
};
use store::TenantId;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::receiver::{Receiver, answer, control_id};
use crate::world::{PATIENCE, World, admission, free_address};

fn destination(address: SocketAddr) -> Destination {
    let address = address.to_string();
    let given = [
        ("connect", address.as_str()),
        ("refused_max", "2"),
        ("unanswered_max", "3"),
    ];
    let given = given.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Destination::read(ChannelName::parse("ris").unwrap(), given).unwrap()
}

pub(crate) async fn send(
    world: &World,
    to: &Destination,
    control_id: &str,
    patient: &str,
) -> Receipt {
    let message = Incoming {
        charset: "UNICODE UTF-8".to_owned(),
        control_id: control_id.to_owned(),
        trigger: "ADT_A01".to_owned(),
        sender: ("LAB".to_owned(), "NORTH".to_owned()),
        raw: admission(control_id, patient, "D", "").into(),
    };
    let tenant = TenantId::default();
    let sent = world.interactions.send_message(&tenant, &to.name, message);
    sent.await.unwrap()
}

/// Control id and outcome of every message, the oldest first, once none waits.
pub(crate) async fn settled(world: &World, log: &ChannelName) -> Vec<(String, Settled)> {
    let (tenant, began) = (TenantId::default(), Instant::now());
    loop {
        let query = Query {
            count: 1_000,
            ..Query::default()
        };
        let listed = world
            .interactions
            .find_messages(&tenant, log, &query)
            .await
            .unwrap();
        let mut found: Vec<_> = listed
            .messages
            .into_iter()
            .map(|(message, settled)| (message.control_id, settled))
            .collect();
        found.reverse();
        if found.iter().all(|(_, it)| it.state != State::Received) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{found:?}");
        // tidy: sleep: waiting for the worker, in a bounded loop
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_queue_at_once_and_what_is_refused_is_parked() {
    let receiver = World::new(&[("library", "one"), ("reused_control_id", "refuse")]).await;
    let to = destination(receiver.address);
    let world = std::sync::Arc::new(World::sending(to.clone(), &[]).await);
    let mut posting = JoinSet::new();
    for number in 0..60 {
        let (world, to) = (std::sync::Arc::clone(&world), to.clone());
        posting.spawn(async move {
            // One control id is used twice, with another content.
            let control_id = (number % 59).to_string();
            send(&world, &to, &control_id, &format!("d{number}"))
                .await
                .number
        });
    }
    let mut numbers = posting.join_all().await;
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=60).collect::<Vec<u64>>());
    let sent = settled(&world, &to.name.outbound()).await;
    let received = settled(&receiver, &receiver.channel).await;
    let names = |all: &[(String, Settled)]| all.iter().map(|it| it.0.clone()).collect::<Vec<_>>();
    assert_eq!(names(&sent), names(&received));
    let parked: Vec<_> = sent
        .iter()
        .filter(|(_, it)| it.state == State::Failed)
        .collect();
    let [(control_id, why)] = parked[..] else {
        panic!("{parked:?}")
    };
    assert_eq!(
        (control_id.as_str(), why.attempts, why.condition),
        ("0", 2, 205)
    );
    assert_eq!(why.what, "the receiver answered AE");
    assert!(
        sent.iter()
            .filter(|(_, it)| it.state == State::Sent)
            .count()
            == 59
    );
    // The same message again gets the number of then.
    let again = send(&world, &to, "7", "d7").await;
    assert_eq!(sent[usize::try_from(again.number).unwrap() - 1].0, "7");
    receiver.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_sent_again_after_growing_pauses() {
    let receiver = Receiver::at(free_address(), |it| answer("AR", control_id(it))).await;
    let given = [
        ("connect", receiver.address.to_string()),
        ("refused_max", "3".to_owned()),
    ];
    let given = given.map(|(name, text)| (name.to_owned(), text));
    let to = Destination::read(ChannelName::parse("ris").unwrap(), given).unwrap();
    let world = World::sending(to.clone(), &[]).await;
    let began = Instant::now();
    send(&world, &to, "1", "d1").await;
    let sent = settled(&world, &to.name.outbound()).await;
    // 200 ms, then twice as long.
    assert!(began.elapsed() >= std::time::Duration::from_millis(600));
    assert_eq!((sent[0].1.state, sent[0].1.attempts), (State::Failed, 3));
    assert_eq!(receiver.seen().len(), 3);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_never_answered_is_parked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let to = destination(listener.local_addr().unwrap());
    // Connections are closed as soon as they are made.
    let silent = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let world = World::sending(to.clone(), &[]).await;
    send(&world, &to, "1", "d1").await;
    let sent = settled(&world, &to.name.outbound()).await;
    let (state, attempts) = (sent[0].1.state, sent[0].1.attempts);
    assert_eq!((state, attempts), (State::Failed, 3));
    assert!(
        sent[0].1.what.starts_with("the receiver did not answer: "),
        "{sent:?}"
    );
    silent.abort();
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn later_answers_go_to_a_destination_once() {
    // The receiver of answers keeps them.
    let receiver = World::new(&[]).await;
    let to = destination(receiver.address);
    let fields = [("library", "one"), ("answers_to", "ris")];
    let mut world = World::sending(to.clone(), &fields).await;
    let mut client = world.connect().await;
    let odd = |control_id: &str, asks: &str| {
        let message = String::from_utf8(admission(control_id, "a1", "A", asks)).unwrap();
        message.replace("ADT^A01", "ADT^A99").into_bytes()
    };
    assert_eq!(
        client.ask(&admission("1", "a1", "A", "|||AL|AL")).await,
        "MSA|CA|1"
    );
    assert_eq!(client.ask(&odd("2", "|||AL|ER")).await, "MSA|CA|2");
    // Neither asks for one: enhanced mode with SU for what fails, and original mode.
    assert_eq!(client.ask(&odd("3", "|||AL|SU")).await, "MSA|CA|3");
    assert_eq!(client.ask(&admission("4", "a4", "A", "")).await, "MSA|AA|4");
    world.settled().await;
    // As after a crash: what is settled is passed over, and its answer is the same.
    world
        .restart(async |interactions, channel| {
            let tenant = TenantId::default();
            let back = interactions.note_message_position(&tenant, &channel.name, 0, None);
            back.await.unwrap();
        })
        .await;
    let last = admission("5", "a5", "A", "|||NE|AL");
    world.connect().await.send(&last).await;
    let log = to.name.outbound();
    let began = Instant::now();
    while settled(&world, &log).await.len() < 3 {
        assert!(began.elapsed() < PATIENCE);
        // tidy: sleep: waiting for the worker, in a bounded loop
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let sent = settled(&world, &log).await;
    assert!(
        sent.iter().all(|(_, it)| it.state == State::Sent),
        "{sent:?}"
    );
    let mut answers = receiver.list(Query::default()).await.messages;
    answers.reverse();
    let told = answers.iter().map(|(message, _)| {
        let text = String::from_utf8_lossy(&message.raw).into_owned();
        text.split('\r').nth(1).unwrap_or_default()[..8].to_owned()
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        ["MSA|AA|1", "MSA|AE|2", "MSA|AA|5"]
    );
    world.end().await;
    receiver.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dismissed_is_not_tried_again() {
    let mut world = World::new(&[("library", "one")]).await;
    let mut message = admission("1", "x1", "X", "");
    message.pop();
    message.extend_from_slice(b"||19700101|bad\r");
    world.connect().await.ask(&message).await;
    world.settled().await;
    world
        .restart(async |interactions, channel| {
            let tenant = TenantId::default();
            for retry in [Retry::AsItIs, Retry::Dismiss] {
                let asked = interactions.retry_message(&tenant, &channel.name, 1, retry);
                asked.await.unwrap();
            }
            assert_eq!(
                interactions
                    .messages_to_retry(&tenant, &channel.name)
                    .await
                    .unwrap(),
                []
            );
        })
        .await;
    assert_eq!(world.settled().await, [(1, State::Dismissed)]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dismissed_before_it_was_taken_is_not_sent() {
    let address = free_address();
    let to = destination(address);
    let world = World::sending(to.clone(), &[]).await;
    let tenant = TenantId::default();
    let log = to.name.outbound();
    for number in 1..=4 {
        send(&world, &to, &number.to_string(), "d").await;
    }
    // The first is being tried, over and over, since nobody listens; the third was never tried.
    until(|| world.counted_of("to.ris", "resent") > 0).await;
    for number in [1, 3] {
        let dismissed = world
            .interactions
            .retry_message(&tenant, &log, number, Retry::Dismiss);
        dismissed.await.unwrap();
    }
    for retry in [Retry::AsItIs, Retry::Corrected("MSH|".into())] {
        let refused = world.interactions.retry_message(&tenant, &log, 2, retry);
        let told = refused.await.unwrap_err().to_string();
        assert_eq!(told, "the message was not tried yet");
    }
    let receiver = Receiver::at(address, |it| answer("AA", control_id(it))).await;
    let states: Vec<State> = settled(&world, &log)
        .await
        .iter()
        .map(|it| it.1.state)
        .collect();
    let (gone, sent) = (State::Dismissed, State::Sent);
    assert_eq!(states, [gone, sent, gone, sent]);
    let seen = receiver.seen();
    assert_eq!(
        seen.iter().map(|it| control_id(it)).collect::<Vec<_>>(),
        ["2", "4"]
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_corrected_while_it_is_sent_again_is_sent_corrected() {
    let address = free_address();
    let to = destination(address);
    let world = World::sending(to.clone(), &[]).await;
    let tenant = TenantId::default();
    let log = to.name.outbound();
    let refusing = Receiver::at(address, |it| answer("AE", control_id(it))).await;
    send(&world, &to, "1", "before").await;
    assert_eq!(settled(&world, &log).await[0].1.state, State::Failed);
    drop(refusing);
    let tried = world.counted_of("to.ris", "resent");
    let retry = |retry| world.interactions.retry_message(&tenant, &log, 1, retry);
    retry(Retry::AsItIs).await.unwrap();
    until(|| world.counted_of("to.ris", "resent") > tried).await;
    let corrected = admission("1", "after", "D", "").into();
    retry(Retry::Corrected(corrected)).await.unwrap();
    let receiver = Receiver::at(address, |it| answer("AA", control_id(it))).await;
    until(|| !receiver.seen().is_empty()).await;
    until(|| world.counted_of("to.ris", "sent") == 1).await;
    let seen = receiver.seen();
    assert!(seen.len() == 1 && seen[0].contains("|after^^^"), "{seen:?}");
    assert_eq!(settled(&world, &log).await[0].1.state, State::Sent);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_is_deleted_with_all_that_is_queued_or_not_at_all() {
    const MESSAGES: usize = 1_200;
    let world = World::new(&[]).await;
    let to = destination(free_address());
    let (tenant, log) = (TenantId::default(), to.name.outbound());
    let interactions = &world.interactions;
    interactions.put_destination(&tenant, &to).await.unwrap();
    for number in 1..=MESSAGES {
        send(&world, &to, &number.to_string(), "d").await;
    }
    let delete = |queued| interactions.delete_destination(&tenant, &to.name, queued);
    let refused = delete(Queued::Refuse).await.unwrap_err();
    let told = "messages wait to be sent, the first is number 1";
    assert_eq!(refused.to_string(), told);
    delete(Queued::Dismiss).await.unwrap();
    // Defined again, it sends what comes then.
    let receiver = Receiver::at(free_address(), |it| answer("AA", control_id(it))).await;
    let again = destination(receiver.address);
    interactions.put_destination(&tenant, &again).await.unwrap();
    send(&world, &again, "new", "d").await;
    let query = Query {
        count: 2_000,
        ..Query::default()
    };
    until(|| !receiver.seen().is_empty()).await;
    let listed = interactions.find_messages(&tenant, &log, &query).await;
    let mut messages = listed.unwrap().messages;
    assert_eq!(messages.remove(0).0.control_id, "new");
    assert_eq!(messages.len(), MESSAGES);
    assert!(messages.iter().all(|it| it.1.state == State::Dismissed));
    let seen = receiver.seen();
    assert_eq!(
        seen.iter().map(|it| control_id(it)).collect::<Vec<_>>(),
        ["new"]
    );
    world.end().await;
}

/// Waits until something is so.
async fn until(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE);
        // tidy: sleep: waiting for the worker, in a bounded loop
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
