//! What messages are answered, in every mode, and what is then stored.

use interactions::channel::{Query, Retry, State};
use store::TenantId;
use tokio::io::AsyncWriteExt;

use crate::world::{World, admission, shown};

const LIBRARY: (&str, &str) = ("library", "one");

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_acknowledged_and_stored() {
    let world = World::new(&[LIBRARY]).await;
    let mut client = world.connect().await;
    assert_eq!(
        client.ask(&admission("1", "p1", "Okafor", "")).await,
        "MSA|AA|1"
    );
    assert_eq!(world.settled().await, [(1, State::Stored)]);
    assert_eq!(world.patient("p1").await, Some((1, "Okafor".to_owned())));
    let listed = world
        .list(Query {
            control_id: Some("1".into()),
            ..Query::default()
        })
        .await;
    let (message, settled) = &listed.messages[0];
    assert_eq!(
        (message.trigger.as_str(), message.sender.0.as_str()),
        ("ADT_A01", "LAB")
    );
    assert_eq!(settled.resources, 1);
    assert!(
        settled.unread.contains(&"PID-5.2".to_owned()),
        "{:?}",
        settled.unread
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_message_gets_the_answer_of_then() {
    let world = World::new(&[LIBRARY]).await;
    let mut client = world.connect().await;
    let message = admission("1", "p1", "Okafor", "");
    client.send(&message).await;
    let first = client.answer().await;
    client.send(&message).await;
    assert_eq!(client.answer().await, first);
    // The same control id with other bytes is another message.
    assert_eq!(
        client.ask(&admission("1", "p1", "Okafor-Lind", "")).await,
        "MSA|AA|1"
    );
    let states = world.settled().await;
    assert_eq!(states, [(1, State::Stored), (2, State::Stored)]);
    assert_eq!(
        world.patient("p1").await,
        Some((2, "Okafor-Lind".to_owned()))
    );
    let listed = world.list(Query::default()).await;
    assert!(listed.messages[0].0.reuses_control_id);
    assert!(!listed.messages[1].0.reuses_control_id);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_control_id_is_refused_where_the_channel_says_so() {
    let world = World::new(&[LIBRARY, ("reused_control_id", "refuse")]).await;
    let mut client = world.connect().await;
    assert_eq!(client.ask(&admission("1", "p1", "A", "")).await, "MSA|AA|1");
    let told = "MSA|AE|1|the control id was used for another message, which is kept; this one is kept and not stored \
        / ERR||MSH^1^10|205^Duplicate key identifier^HL70357|E||||the control id was used for another message, which is kept; this one is kept and not stored";
    assert_eq!(client.ask(&admission("1", "p1", "B", "")).await, told);
    assert_eq!(client.ask(&admission("1", "p1", "B", "")).await, told);
    assert_eq!(
        world.settled().await,
        [(1, State::Stored), (2, State::Refused)]
    );
    assert_eq!(world.patient("p1").await, Some((1, "A".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn original_mode_may_wait_for_the_resources() {
    let world = World::new(&[LIBRARY, ("acknowledge", "on_store")]).await;
    let mut client = world.connect().await;
    assert_eq!(client.ask(&admission("1", "p1", "A", "")).await, "MSA|AA|1");
    assert_eq!(world.patient("p1").await, Some((1, "A".to_owned())));
    let odd = String::from_utf8(admission("2", "p2", "B", ""))
        .unwrap()
        .replace("ADT^A01", "ADT^A99");
    let answer = client.ask(odd.as_bytes()).await;
    let told = "the library has no root template for messages of the type in MSH-9";
    assert_eq!(
        answer,
        format!("MSA|AE|2|{told} / ERR|||200^Unsupported message type^HL70357|E||||{told}")
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enhanced_mode_answers_twice_as_msh_15_and_16_ask() {
    let world = World::new(&[LIBRARY]).await;
    let mut client = world.connect().await;
    for (control_id, asks, expected) in [
        ("1", "|||AL|AL", &["MSA|CA|1", "MSA|AA|1"][..]),
        ("2", "|||AL|NE", &["MSA|CA|2"]),
        ("3", "|||NE|SU", &["MSA|AA|3"]),
        ("4", "|||ER|ER", &[]),
        ("5", "|||SU", &["MSA|CA|5"]),
    ] {
        client
            .send(&admission(control_id, &format!("p{control_id}"), "A", asks))
            .await;
        for expected in expected {
            assert_eq!(shown(client.answer().await), *expected, "{asks}");
        }
    }
    let refused = String::from_utf8(admission("6", "p6", "A", "|||ER|NE"))
        .unwrap()
        .replace("|2.5|", "|3.1|");
    let answer = client.ask(refused.as_bytes()).await;
    assert!(answer.starts_with("MSA|CR|6"), "{answer}");
    assert_eq!(world.settled().await.len(), 5);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_answered_by_a_batch() {
    let world = World::new(&[LIBRARY]).await;
    let mut client = world.connect().await;
    let text =
        |control_id: &str| String::from_utf8(admission(control_id, "p1", control_id, "")).unwrap();
    let batch = format!(
        "FHS|^~\\&|A|B|C|D\rBHS|^~\\&|A|B|C|D|||||77\r{}{}MSH|^~\\&|x\rBTS|3\rFTS|1\r",
        text("1"),
        text("2")
    );
    let answer = client.ask(batch.as_bytes()).await;
    let lines: Vec<&str> = answer.split(" / ").collect();
    assert!(lines[0].starts_with("FHS|^~\\&|C|D|A|B|"), "{answer}");
    assert!(lines[1].ends_with("|77"), "{answer}");
    assert_eq!(lines[2..4], ["MSA|AA|1", "MSA|AA|2"]);
    assert!(lines[4].starts_with("MSA|AE|"), "{answer}");
    assert_eq!(lines[lines.len() - 2..], ["BTS|3", "FTS|1"]);
    // Sent again, its messages are those of then.
    let again = client.ask(batch.as_bytes()).await;
    assert_eq!(again.split(" / ").nth(2), Some("MSA|AA|1"), "{again}");
    assert_eq!(
        world.settled().await,
        [(1, State::Stored), (2, State::Stored)]
    );
    assert_eq!(world.patient("p1").await, Some((2, "2".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_batches_is_answered_by_a_file() {
    let world = World::new(&[LIBRARY]).await;
    let mut client = world.connect().await;
    let text =
        |control_id: &str| String::from_utf8(admission(control_id, "p1", control_id, "")).unwrap();
    let file = |counted: &str| {
        format!(
            "FHS|^~\\&|A|B|C|D|||||F\rBHS|^~\\&|A|B|C|D|||||77\r{}{}BTS|2\r\
             BHS|^~\\&|A|B|C|D|||||78\r{}BTS|1\rFTS|{counted}\r",
            text("1"),
            text("2"),
            text("3")
        )
    };
    let refused = client.ask(file("3").as_bytes()).await;
    let told = "the file's trailer does not count the 2 batches there are";
    assert!(
        refused.starts_with(&format!("MSA|AE||{told} / ERR||FTS^1^1|100^")),
        "{refused}"
    );
    let answer = client.ask(file("2").as_bytes()).await;
    let lines: Vec<&str> = answer.split(" / ").collect();
    let ends = [
        "|F", "|77", "MSA|AA|1", "MSA|AA|2", "BTS|2", "|78", "MSA|AA|3", "BTS|1", "FTS|2",
    ];
    assert_eq!(lines.len(), ends.len(), "{answer}");
    assert!(
        lines
            .iter()
            .zip(ends)
            .all(|(line, end)| line.ends_with(end)),
        "{answer}"
    );
    assert_eq!(world.settled().await.len(), 3);
    assert_eq!(world.patient("p1").await, Some((3, "3".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_are_those_of_msh_18() {
    let world = World::new(&[LIBRARY, ("charset", "8859/1")]).await;
    let mut client = world.connect().await;
    let mut message = admission("1", "p1", "No", "");
    let name = message.windows(2).position(|it| it == b"No").unwrap();
    message.splice(name + 2..name + 2, *b"\xebl");
    assert_eq!(client.ask(&message).await, "MSA|AA|1");
    // The answer is in the same characters.
    let umlaut = admission("ü", "p4", "No", "");
    let umlaut = String::from_utf8_lossy(&umlaut).replace("|LAB|", "|SÜD|");
    let latin = umlaut.chars().map(|it| u8::try_from(it).unwrap());
    client.send(&latin.collect::<Vec<u8>>()).await;
    let answer = client.answer_bytes().await.unwrap();
    let has = |part: &[u8]| answer.windows(part.len()).any(|it| it == part);
    assert!(
        has(b"|EHR|SOUTH|S\xdcD|NORTH|") && has(b"\rMSA|AA|\xfc\r"),
        "{answer:?}"
    );
    let utf8 = admission("2", "p2", "Łukasz", "||||||UNICODE UTF-8");
    assert_eq!(client.ask(&utf8).await, "MSA|AA|2");
    let wrong = client
        .ask(&admission("3", "p3", "x", "||||||KLINGON"))
        .await;
    assert!(
        wrong.starts_with("MSA|AE|3|the character set `KLINGON` is not offered"),
        "{wrong}"
    );
    world.settled().await;
    assert_eq!(world.patient("p1").await, Some((1, "Noël".to_owned())));
    assert_eq!(world.patient("p2").await, Some((1, "Łukasz".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_parked_with_its_patients_later_messages_until_it_is_mended() {
    let world = World::new(&[LIBRARY]).await;
    let mut client = world.connect().await;
    let bad = |control_id: &str, patient: &str| {
        let mut message = admission(control_id, patient, "Bad", "");
        message.pop();
        message.extend_from_slice(b"||19700101|bad\r");
        message
    };
    client.ask(&admission("1", "p1", "First", "")).await;
    client.ask(&bad("2", "p1")).await;
    client.ask(&admission("3", "p1", "Third", "")).await;
    client.ask(&admission("4", "p2", "Other", "")).await;
    assert_eq!(
        world.settled().await,
        [
            (1, State::Stored),
            (2, State::Failed),
            (3, State::Waiting),
            (4, State::Stored)
        ]
    );
    assert_eq!(world.patient("p1").await, Some((1, "First".to_owned())));
    let tenant = TenantId::default();
    let retry = |number, retry| {
        world
            .interactions
            .retry_message(&tenant, &world.channel, number, retry)
    };
    // As it is, it fails again; corrected, it is stored, and then what waited.
    retry(2, Retry::AsItIs).await.unwrap();
    until(&world, |it| it[1].1.attempts == 2).await;
    let corrected = admission("2", "p1", "Second", "").into();
    retry(2, Retry::Corrected(corrected)).await.unwrap();
    until(&world, |it| {
        it.iter().all(|(_, settled)| settled.state == State::Stored)
    })
    .await;
    assert_eq!(world.patient("p1").await, Some((3, "Third".to_owned())));
    // What is dismissed holds nothing up any more.
    client.ask(&bad("5", "p3")).await;
    client.ask(&admission("6", "p3", "Sixth", "")).await;
    assert_eq!(
        world.settled().await[4..],
        [(5, State::Failed), (6, State::Waiting)]
    );
    retry(5, Retry::Dismiss).await.unwrap();
    until(&world, |it| {
        it[5].1.state == State::Stored && it[4].1.state == State::Dismissed
    })
    .await;
    assert_eq!(world.patient("p3").await, Some((1, "Sixth".to_owned())));
    world.end().await;
}

/// Waits until the log, the oldest first, is as expected.
async fn until(
    world: &World,
    is_there: impl Fn(
        &[(
            interactions::channel::Message,
            interactions::channel::Settled,
        )],
    ) -> bool,
) {
    let began = std::time::Instant::now();
    loop {
        let mut listed = world.list(Query::default()).await.messages;
        listed.reverse();
        if is_there(&listed) {
            return;
        }
        let states: Vec<_> = listed
            .iter()
            .map(|(_, it)| (it.state, it.attempts, it.what.clone()))
            .collect();
        assert!(began.elapsed() < crate::world::PATIENCE, "{states:?}");
        // tidy: sleep: waiting for the worker, in a bounded loop
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_stops_the_channel_where_that_is_set() {
    let world = World::new(&[LIBRARY, ("on_failure", "stop")]).await;
    let mut client = world.connect().await;
    let odd = String::from_utf8(admission("1", "p1", "A", ""))
        .unwrap()
        .replace("ADT^A01", "ADT^A99");
    assert_eq!(client.ask(odd.as_bytes()).await, "MSA|AA|1");
    assert_eq!(client.ask(&admission("2", "p2", "B", "")).await, "MSA|AA|2");
    until(&world, |it| it[0].1.state == State::Failed).await;
    assert_eq!(world.patient("p2").await, None);
    let tenant = TenantId::default();
    world
        .interactions
        .retry_message(&tenant, &world.channel, 1, Retry::Dismiss)
        .await
        .unwrap();
    until(&world, |it| it[1].1.state == State::Stored).await;
    assert_eq!(world.patient("p2").await, Some((1, "B".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_tried_is_dismissed_and_said_to_be() {
    let world = World::new(&[LIBRARY, ("on_failure", "stop")]).await;
    let mut client = world.connect().await;
    let odd = String::from_utf8(admission("1", "p1", "A", ""))
        .unwrap()
        .replace("ADT^A01", "ADT^A99");
    assert_eq!(client.ask(odd.as_bytes()).await, "MSA|AA|1");
    until(&world, |it| it[0].1.state == State::Failed).await;
    // The channel stands still: none of these is tried.
    for number in ["2", "3", "4"] {
        let message = admission(number, &format!("p{number}"), "B", "|||AL|AL");
        assert_eq!(client.ask(&message).await, format!("MSA|CA|{number}"));
    }
    let tenant = TenantId::default();
    let dismiss = |number| {
        let (interactions, channel) = (&world.interactions, &world.channel);
        interactions.retry_message(&tenant, channel, number, Retry::Dismiss)
    };
    dismiss(3).await.unwrap();
    let told = "the message is kept and was dismissed";
    let answer = shown(client.answer().await);
    assert!(
        answer.starts_with(&format!("MSA|AE|3|{told} / ERR|")),
        "{answer}"
    );
    assert!(dismiss(3).await.is_err(), "it is settled");
    dismiss(1).await.unwrap();
    assert_eq!(shown(client.answer().await), "MSA|AA|2");
    assert_eq!(shown(client.answer().await), "MSA|AA|4");
    let (gone, stored) = (State::Dismissed, State::Stored);
    let states: Vec<State> = world.settled().await.iter().map(|it| it.1).collect();
    assert_eq!(states, [gone, stored, gone, stored]);
    assert_eq!(world.patient("p3").await, None);
    assert_eq!(world.patient("p4").await, Some((1, "B".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_may_be_on_their_way_at_once() {
    let world = World::new(&[LIBRARY]).await;
    let mut client = world.connect().await;
    let mut frames = Vec::new();
    for number in 0..500 {
        let message = admission(
            &number.to_string(),
            &format!("p{}", number % 7),
            &format!("n{number}"),
            "",
        );
        frames.extend(agents::mllp::frame::framed(&message));
    }
    client.stream.write_all(&frames).await.unwrap();
    for number in 0..500 {
        assert_eq!(shown(client.answer().await), format!("MSA|AA|{number}"));
    }
    let states = world.settled().await;
    assert!(states.iter().all(|(_, state)| *state == State::Stored));
    assert_eq!(states.len(), 500);
    // Each patient has seen its messages in order: the last one's name, and a version for each.
    for patient in 0..7_u64 {
        let last = (0..500).rev().find(|it| it % 7 == patient).unwrap();
        let versions = (500 - patient).div_ceil(7);
        assert_eq!(
            world.patient(&format!("p{patient}")).await,
            Some((versions, format!("n{last}")))
        );
    }
    world.end().await;
}
