//! Settled messages are removed after a time, and nothing else is.

use std::time::Instant;

use fhir::Fault;
use interactions::InteractionError;
use interactions::channel::{Channel, Query, Retry};
use store::TenantId;
use tokio::io::AsyncWriteExt;

use crate::world::{PATIENCE, World, admission};

const FIELDS: &[(&str, &str)] = &[("library", "one"), ("keep_days", "7")];
const MESSAGES: u64 = 620;

/// Many messages, of which the third fails and the fourth waits behind it.
async fn fill(world: &World) {
    let mut client = world.connect().await;
    let mut frames = Vec::new();
    for number in 1..=MESSAGES {
        let patient = format!("r{}", if number == 4 { 3 } else { number });
        let mut message = admission(&number.to_string(), &patient, "R", "");
        if number == 3 {
            message.pop();
            message.extend_from_slice(b"||19700101|bad\r");
        }
        frames.extend(agents::mllp::frame::framed(&message));
    }
    client.stream.write_all(&frames).await.unwrap();
    for _ in 1..=MESSAGES {
        client.answer().await;
    }
    assert_eq!(world.settled().await.len() as u64, MESSAGES);
}

/// The numbers of the log by pages of one, the newest first.
async fn numbers(world: &World, query: &Query) -> Vec<u64> {
    let (mut found, mut before) = (Vec::new(), query.before);
    loop {
        let query = Query {
            before,
            count: 1,
            ..query.clone()
        };
        let tenant = TenantId::default();
        let page = world
            .interactions
            .find_messages(&tenant, &world.channel, &query);
        let page = page.await.unwrap();
        found.extend(page.messages.iter().map(|it| it.0.number));
        before = page.next_before;
        if before.is_none() {
            return found;
        }
    }
}

async fn until_counted(world: &World, name: &str, count: u64) {
    let began = Instant::now();
    while world.counted(name) != count {
        assert!(
            began.elapsed() < PATIENCE,
            "{name}: {}",
            world.counted(name)
        );
        // tidy: sleep: waiting for the agent, in a bounded loop
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn fault<T: std::fmt::Debug>(result: Result<T, InteractionError>) -> (Fault, String) {
    let issue = &result.unwrap_err().issues[0];
    (issue.fault, issue.what.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_messages_go_and_others_stay_until_they_are_settled() {
    let mut world = World::new(FIELDS).await;
    fill(&world).await;
    world.restart(async |_, _| {}).await;
    world.clock.by_days(6);
    let late = admission("late", "late", "Late", "");
    assert_eq!(world.connect().await.ask(&late).await, "MSA|AA|late");
    world.settled().await;
    world.clock.by_days(8);
    world.restart(async |_, _| {}).await;
    until_counted(&world, "removed", MESSAGES - 2).await;
    // Pages go over the gap, and instants are found beyond it.
    let last = MESSAGES + 1;
    assert_eq!(numbers(&world, &Query::default()).await, [last, 4, 3]);
    let before = Query {
        before: Some(300),
        ..Query::default()
    };
    assert_eq!(numbers(&world, &before).await, [4, 3]);
    let noted = world.list(Query::default()).await.messages[0].0.time;
    let until = Query {
        until: Some(noted),
        ..Query::default()
    };
    assert_eq!(numbers(&world, &until).await, [4, 3]);
    let from = Query {
        from: Some(noted),
        ..Query::default()
    };
    assert_eq!(numbers(&world, &from).await, [last]);
    // What is gone is said to be gone; a message that was repeated within its days is still known.
    let tenant = TenantId::default();
    let (interactions, channel) = (&world.interactions, &world.channel);
    let (what, told) = fault(interactions.known_message(&tenant, channel, 1).await);
    assert_eq!(what, Fault::Deleted);
    assert_eq!(
        told,
        "the message was removed: it was older than the `keep_days` of its channel"
    );
    let gone = interactions.retry_message(&tenant, channel, 2, Retry::AsItIs);
    assert_eq!(fault(gone.await).0, Fault::Deleted);
    for number in [0, last + 1] {
        let never = interactions.known_message(&tenant, channel, number).await;
        assert_eq!(fault(never).0, Fault::NotFound);
    }
    assert_eq!(world.connect().await.ask(&late).await, "MSA|AA|late");
    assert_eq!(world.counted("repeated"), 1);
    // What was mended goes with the next pass.
    let corrected = admission("3", "r3", "Mended", "").into();
    let retry = interactions.retry_message(&tenant, channel, 3, Retry::Corrected(corrected));
    retry.await.unwrap();
    until_counted(&world, "stored", MESSAGES + 1).await;
    world.restart(async |_, _| {}).await;
    until_counted(&world, "removed", MESSAGES).await;
    assert_eq!(numbers(&world, &Query::default()).await, [last]);
    assert_eq!(world.patient("r3").await, Some((2, "R".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_that_is_cut_off_is_taken_up_where_it_was() {
    let mut world = World::new(FIELDS).await;
    fill(&world).await;
    world.clock.by_days(8);
    let cut_off = async |interactions: &interactions::Interactions, channel: &Channel| {
        let tenant = TenantId::default();
        let step = interactions
            .remove_messages(&tenant, &channel.name, 7, 0)
            .await
            .unwrap();
        assert_eq!((step.removed, step.after), (498, Some(500)));
        // As after a crash: from the beginning, where two messages were left.
        let again = interactions
            .remove_messages(&tenant, &channel.name, 7, 0)
            .await
            .unwrap();
        assert_eq!((again.removed, again.after), (0, Some(500)));
        // Somebody wants one tried again that is settled: it stays until it was.
        let retry = interactions.retry_message(&tenant, &channel.name, 601, Retry::AsItIs);
        retry.await.unwrap();
        let rest = interactions
            .remove_messages(&tenant, &channel.name, 7, 500)
            .await
            .unwrap();
        assert_eq!((rest.removed, rest.after), (MESSAGES - 501, Some(MESSAGES)));
        let end = interactions
            .remove_messages(&tenant, &channel.name, 7, MESSAGES)
            .await
            .unwrap();
        assert_eq!((end.removed, end.after), (0, None));
    };
    world.restart(cut_off).await;
    until_counted(&world, "stored", MESSAGES - 1).await;
    assert_eq!(world.patient("r601").await, Some((1, "R".to_owned())));
    world.restart(async |_, _| {}).await;
    until_counted(&world, "removed", 1).await;
    assert_eq!(numbers(&world, &Query::default()).await, [4, 3]);
    world.end().await;
}
