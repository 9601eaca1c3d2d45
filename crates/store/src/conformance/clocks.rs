//! Times and positions of the ledger, whatever the clock does.

use super::KEPT;
use super::bench::{Bench, KIND, START, body, changes_of, delete, key, must, put, put_version};
use crate::{Commit, NewVersion, Operation, Origin, Position};

pub(super) async fn one_instant_per_commit_and_later_ones_later(bench: &Bench) {
    let mut last = None;
    let jumps = [0, 0, 5_000_000, -90_000_000_000, 0, 1, 200_000_000_000, -1];
    for (n, jump) in jumps.into_iter().enumerate() {
        bench.clock.advance(jump);
        let changes = vec![
            put(key(&format!("a{n}")), "x"),
            put(key("b"), &n.to_string()),
        ];
        let done = bench.change(changes).await;
        assert!(last.is_none_or(|last| done.time > last), "time went back");
        last = Some(done.time);
        let entries = must(bench.newest().await.ledger(Position(0), None, 100).await);
        let own = entries
            .iter()
            .filter(|entry| entry.transaction == done.transaction);
        assert!(own.clone().all(|entry| entry.time == done.time));
        assert_eq!(own.count(), 2);
        bench.pause().await;
    }
    bench.clock.set(START + 10_000_000_000_000);
    let done = bench.change(vec![put(key("c"), "x")]).await;
    assert_eq!(
        done.time.0,
        START + 10_000_000_000_000,
        "a clock that runs is believed"
    );
}

pub(super) async fn ledger_without_gaps(bench: &Bench) {
    for n in 0..12_u16 {
        let changes = (0..=n % 3)
            .map(|k| put(key(&format!("{k}")), &n.to_string()))
            .collect();
        let commit = Commit {
            origin: Origin(n),
            ..changes_of(changes)
        };
        bench.commit(commit).await;
        if n % 4 == 0 {
            bench.change(vec![delete(key("0"))]).await;
            bench.change(vec![delete(key("0"))]).await;
        }
        if n % 5 == 0 {
            bench.pause().await;
        }
    }
    let view = bench.newest().await;
    let all = must(view.ledger(Position(0), None, 1_000).await);
    assert_eq!(all.len() as u64, view.position().0);
    for (entry, position) in all.iter().zip(1..) {
        assert_eq!(entry.position, Position(position));
        assert_eq!((entry.space, entry.kind), (KEPT, KIND));
    }
    let steps = all
        .windows(2)
        .map(|pair| pair[1].transaction - pair[0].transaction);
    assert!(
        steps.into_iter().all(|step| step <= 1),
        "transactions are numbered without gaps"
    );
    assert_eq!(all[0].transaction, 1);
    assert!(all.iter().any(|entry| entry.operation == Operation::Delete));
    for after in [0, 1, 7, all.len() as u64] {
        let page = must(view.ledger(Position(after), None, 3).await);
        let from = usize::try_from(after).expect("small");
        assert_eq!(page, all[from..(from + 3).min(all.len())]);
    }
}

pub(super) async fn lanes(bench: &Bench) {
    let of = |lanes: &[&str]| NewVersion {
        lanes: lanes.iter().map(|id| key(id)).collect(),
        ..body("{}")
    };
    bench
        .change(vec![
            put_version(key("p"), of(&["p"])),
            put_version(key("a"), of(&["p", "q"])),
            put_version(key("b"), of(&[])),
        ])
        .await;
    bench.change(vec![put_version(key("q"), of(&["q"]))]).await;
    bench.change(vec![delete(key("a"))]).await;
    bench.pause().await;
    let view = bench.newest().await;
    let lane = |id, after, limit| {
        let view = view.clone();
        async move {
            let entries = must(view.ledger(Position(after), Some(&key(id)), limit).await);
            entries
                .into_iter()
                .map(|entry| entry.position.0)
                .collect::<Vec<_>>()
        }
    };
    // `q` comes when its lane is there already.
    assert_eq!(lane("p", 0, 10).await, [1, 2, 5]);
    assert_eq!(lane("q", 0, 10).await, [2, 4, 5]);
    assert_eq!(lane("q", 2, 1).await, [4]);
    assert_eq!(lane("?", 0, 10).await, [0; 0]);
    let entries = must(view.ledger(Position(0), None, 10).await);
    let (p, q) = (entries[0].lanes[0], entries[3].lanes[0]);
    assert_ne!(p, q);
    assert_eq!(entries[1].lanes, [p, q]);
    assert!(entries[2].lanes.is_empty());
}
