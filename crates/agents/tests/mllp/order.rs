//! Order where it matters: what touches each other goes as it came.

use interactions::channel::State;

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
