//! Order where it matters: what touches each other goes as it came.

use interactions::Interactions;
use interactions::channel::{Channel, Coverage, Incoming, Retry, State};
use store::TenantId;

use crate::world::{World, admission};

/// Patients of their own, all referring to one organization that every message writes.
const SHARED: &str = r#"{
  "resourceType": "Bundle", "type": "transaction",
  "entry": [
    {% assign pid = hl7v2Data | get_first_segments: 'PID' -%}
    {
      "resource": { "resourceType": "Patient", "id": "shared", "name": [{ "family": "{{ pid.PID.5.1.Value }}" }] },
      "request": { "method": "PUT", "url": "Patient/shared" }
    },
    {
      "resource": { "resourceType": "Patient", "id": "{{ pid.PID.3.1.Value }}" },
      "request": { "method": "PUT", "url": "Patient/{{ pid.PID.3.1.Value }}" }
    },
  ]
}"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_by_several_is_written_in_order() {
    let world = World::with(SHARED, &[("library", "one")]).await;
    let mut client = world.connect().await;
    for number in 0..60 {
        let message = admission(
            &number.to_string(),
            &format!("q{number}"),
            &format!("n{}", number / 3),
            "",
        );
        client.ask(&message).await;
    }
    let states = world.settled().await;
    assert!(
        states.iter().all(|(_, state)| *state == State::Stored),
        "{states:?}"
    );
    assert_eq!(world.patient("q59").await, Some((1, String::new())));
    // Three messages in a row write the same content: one version for each change.
    assert_eq!(world.patient("shared").await, Some((20, "n19".to_owned())));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_gets_past_what_is_settled_without_being_woken() {
    let mut world = World::new(&[("library", "one")]).await;
    let mut client = world.connect().await;
    for number in 0..100 {
        let patient = format!("w{number}");
        client
            .ask(&admission(&number.to_string(), &patient, "W", ""))
            .await;
    }
    world.settled().await;
    // As after a crash: the position lags behind, and the last message came just before it.
    let late = Incoming {
        charset: "UNICODE UTF-8".to_owned(),
        control_id: "late".to_owned(),
        trigger: "ADT_A01".to_owned(),
        sender: ("LAB".to_owned(), "NORTH".to_owned()),
        raw: admission("late", "late", "Late", "").into(),
    };
    let meanwhile = async |interactions: &Interactions, channel: &Channel| {
        let tenant = TenantId::default();
        interactions
            .take_messages(&tenant, channel, &[late])
            .await
            .unwrap();
        interactions
            .note_message_position(&tenant, &channel.name, 0, Some(&Coverage::default()))
            .await
            .unwrap();
    };
    world.restart(meanwhile).await;
    assert_eq!(world.settled().await.len(), 101);
    assert_eq!(world.patient("late").await, Some((1, "Late".to_owned())));
    assert_eq!(world.patient("w0").await, Some((1, "W".to_owned())));
    // What is passed over is counted where its count was not noted.
    assert_eq!(world.unread("PID-5", 101).await, (101, 101));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_no_template_read_are_counted_once_for_each_message() {
    let mut world = World::new(&[("library", "one")]).await;
    let mut client = world.connect().await;
    for number in 1..=600 {
        let patient = format!("u{}", number % 9);
        let mut message = admission(&number.to_string(), &patient, "U", "");
        if number % 100 == 0 {
            message.extend_from_slice(b"ZZZ|||x\r");
        }
        client.ask(&message).await;
    }
    assert_eq!(world.unread("PID-5", 600).await, (600, 600));
    assert_eq!(world.unread("ZZZ-3", 6).await, (6, 600));
    world.restart(async |_, _| {}).await;
    world
        .connect()
        .await
        .ask(&admission("601", "u1", "U", ""))
        .await;
    assert_eq!(world.unread("PID-5", 601).await, (601, 601));
    // What is tried again is seen again.
    let tenant = TenantId::default();
    let again = world
        .interactions
        .retry_message(&tenant, &world.channel, 100, Retry::AsItIs);
    again.await.unwrap();
    assert_eq!(world.unread("ZZZ-3", 7).await, (7, 600));
    assert_eq!(world.unread("PID-3", 602).await, (602, 601));
    world.end().await;
}
