//! Commits with an idempotency key.

use bytes::Bytes;

use super::bench::{Bench, body, change, changes_of, key, must, put, refused, tenant};
use crate::{
    Action, Commit, Committed, Expected, Idempotency, IdempotencyKey, Position, StoreError,
};

const DAY: i64 = 86_400_000_000;

fn with_key(commit: Commit, caller: &str, hash: u8) -> Commit {
    let key = IdempotencyKey {
        caller: caller.into(),
        key: "k/1".into(),
    };
    let notes = Bytes::from_static(b"notes");
    Commit {
        idempotency: Some(Idempotency {
            key,
            request_hash: [hash; 32],
            notes,
        }),
        ..commit
    }
}

fn create(caller: &str, hash: u8) -> Commit {
    let once = change(
        key(&format!("of-{caller}")),
        Expected::Absent,
        Action::Put(body("1")),
    );
    with_key(changes_of(vec![once, put(key("b"), "1")]), caller, hash)
}

pub(super) async fn a_repeated_commit_gives_the_first_answer(bench: &Bench) {
    let first = bench.commit(create("c", 1)).await;
    assert!(!first.repeated);
    assert_eq!(first.notes, "notes");
    bench.change(vec![put(key("b"), "2")]).await;
    bench.pause().await;
    for _ in 0..3 {
        let again = bench.commit(create("c", 1)).await;
        assert_eq!(
            again,
            Committed {
                repeated: true,
                ..first.clone()
            }
        );
    }
    assert_eq!(bench.newest().await.position(), Position(3));
    let id = IdempotencyKey {
        caller: "c".into(),
        key: "k/1".into(),
    };
    let known = must(bench.store().committed(&tenant(), &id, &[1; 32]).await);
    assert_eq!(
        known,
        Some(Committed {
            repeated: true,
            ..first
        })
    );
    let other = IdempotencyKey {
        caller: "c".into(),
        key: "k/2".into(),
    };
    assert_eq!(
        must(bench.store().committed(&tenant(), &other, &[1; 32]).await),
        None
    );
}

pub(super) async fn another_hash_is_refused(bench: &Bench) {
    bench.commit(create("c", 1)).await;
    bench.pause().await;
    assert_eq!(
        refused(bench.try_commit(create("c", 2)).await),
        StoreError::KeyReused
    );
    let id = IdempotencyKey {
        caller: "c".into(),
        key: "k/1".into(),
    };
    let asked = bench.store().committed(&tenant(), &id, &[2; 32]).await;
    assert_eq!(refused(asked), StoreError::KeyReused);
}

pub(super) async fn keys_belong_to_callers(bench: &Bench) {
    let first = bench.commit(create("c", 1)).await;
    bench.pause().await;
    let other = bench.commit(create("d", 2)).await;
    assert!(!other.repeated);
    assert_eq!(other.transaction, first.transaction + 1);
    // Nothing may be glued together so that two keys meet.
    let glued = IdempotencyKey {
        caller: "ck".into(),
        key: "/1".into(),
    };
    assert_eq!(
        must(bench.store().committed(&tenant(), &glued, &[1; 32]).await),
        None
    );
}

pub(super) async fn keys_expire(bench: &Bench) {
    let days = i64::try_from(bench.store().limits().idempotency_days).expect("some days");
    let again = |hash| with_key(changes_of(vec![put(key("a"), "x")]), "c", hash);
    bench.commit(again(1)).await;
    bench.clock.advance(days * DAY - 1_000_000);
    bench.pause().await;
    assert!(bench.commit(again(1)).await.repeated);
    bench.clock.advance(2_000_000);
    bench.pause().await;
    let id = IdempotencyKey {
        caller: "c".into(),
        key: "k/1".into(),
    };
    assert_eq!(
        must(bench.store().committed(&tenant(), &id, &[1; 32]).await),
        None
    );
    assert!(!bench.commit(again(2)).await.repeated);
    bench.clock.advance(60_000_000);
    bench.change(vec![put(key("b"), "x")]).await;
    bench.pause().await;
    assert!(
        bench.commit(again(2)).await.repeated,
        "the newer one was not removed with the older"
    );
}

pub(super) async fn refused_commits_are_not_remembered(bench: &Bench) {
    bench.change(vec![put(key("of-c"), "in the way")]).await;
    refused(bench.try_commit(create("c", 1)).await);
    bench.pause().await;
    let gone = change(key("of-c"), Expected::Any, Action::Delete);
    bench.change(vec![gone]).await;
    assert!(!bench.commit(create("c", 1)).await.repeated);
}

pub(super) async fn repeats_at_the_same_time(bench: &Bench) {
    let tasks: Vec<_> = (0..32)
        .map(|n| {
            let (store, hash) = (bench.store(), u8::from(n % 4 == 0));
            tokio::spawn(async move { store.commit(&tenant(), create("c", hash)).await })
        })
        .collect();
    let (mut first, mut repeats, mut reused) = (0, 0, 0);
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(done) if done.repeated => repeats += 1,
            Ok(_) => first += 1,
            Err(StoreError::KeyReused) => reused += 1,
            Err(other) => panic!("unexpected: {other:?}"),
        }
    }
    assert_eq!((first, repeats + reused), (1, 31));
    bench.pause().await;
    assert_eq!(bench.newest().await.position(), Position(2));
}
