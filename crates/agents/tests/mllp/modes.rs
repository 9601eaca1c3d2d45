//! Enhanced mode: what MSH-15 and MSH-16 ask for, with every outcome of a message.

use crate::world::{World, admission, shown};

/// MSH-15 and MSH-16, then the answers to a message that is stored, one that is kept and cannot be
/// converted, one that is not kept, and one that is kept and refused.
const ANSWERS: &[[&str; 6]] = &[
    ["AL", "AL", "CA AA", "CA AE", "CR", "CE AE"],
    ["AL", "NE", "CA", "CA", "CR", "CE"],
    ["AL", "ER", "CA", "CA AE", "CR", "CE AE"],
    ["AL", "SU", "CA AA", "CA", "CR", "CE"],
    ["NE", "AL", "AA", "AE", "AR", "AE"],
    ["NE", "NE", "", "", "", ""],
    ["NE", "ER", "", "AE", "AR", "AE"],
    ["NE", "SU", "AA", "", "", ""],
    ["ER", "AL", "AA", "AE", "CR", "CE AE"],
    ["ER", "NE", "", "", "CR", "CE"],
    ["ER", "ER", "", "AE", "CR", "CE AE"],
    ["ER", "SU", "AA", "", "CR", "CE"],
    ["SU", "AL", "CA AA", "CA AE", "AR", "AE"],
    ["SU", "NE", "CA", "CA", "", ""],
    ["SU", "ER", "CA", "CA AE", "AR", "AE"],
    ["SU", "SU", "CA AA", "CA", "", ""],
    ["AL", "", "CA", "CA", "CR", "CE"],
    ["", "AL", "AA", "AE", "AR", "AE"],
    ["", "ER", "", "AE", "AR", "AE"],
    ["", "SU", "AA", "", "", ""],
];

fn replaced(message: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(message)
        .replace(from, to)
        .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_condition_is_answered_as_it_says() {
    let world = World::new(&[("library", "one"), ("reused_control_id", "refuse")]).await;
    let mut client = world.connect().await;
    for (row, [accept, application, stored, failed, not_kept, refused]) in
        ANSWERS.iter().enumerate()
    {
        let asks = format!("|||{accept}|{application}");
        let id = |kind: &str| format!("{row}{kind}");
        let message = |kind: &str| admission(&id(kind), &id(kind), "M", &asks);
        let first = admission(&id("reused"), &id("first"), "M", "");
        client.ask(&first).await;
        for (kind, message, expected) in [
            ("stored", message("stored"), stored),
            (
                "failed",
                replaced(&message("failed"), "ADT^A01", "ADT^A99"),
                failed,
            ),
            (
                "unkept",
                replaced(&message("unkept"), "|2.5|", "|3.1|"),
                not_kept,
            ),
            ("reused", message("reused"), refused),
        ] {
            client.send(&message).await;
            for code in expected.split_whitespace() {
                let answer = shown(client.answer().await);
                let start = format!("MSA|{code}|{}", id(kind));
                assert!(answer.starts_with(&start), "{asks} {kind}: {answer}");
                let has_error = answer.contains(" / ERR|");
                assert_eq!(has_error, !code.ends_with('A'), "{asks} {kind}: {answer}");
            }
        }
    }
    // Nothing else was answered.
    world.settled().await;
    let last = client.ask(&admission("last", "last", "M", "")).await;
    assert_eq!(last, "MSA|AA|last");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_back_where_the_message_came_from() {
    let world = World::new(&[("library", "one")]).await;
    let mut client = world.connect().await;
    for (message, line) in [
        (admission("1", "b1", "B", "|||AL|NE"), "MSA|CA|1"),
        (admission("2", "b2", "B", ""), "MSA|AA|2"),
        (
            replaced(&admission("3", "b3", "B", ""), "|2.5", "|3.1"),
            "MSA|AR|3|",
        ),
    ] {
        client.send(&message).await;
        let answer = client.answer().await.unwrap();
        assert!(
            answer.starts_with("MSH|^~\\&|EHR|SOUTH|LAB|NORTH|"),
            "{answer}"
        );
        assert!(answer.contains(&format!("\n{line}")), "{answer}");
    }
    world.end().await;
}
