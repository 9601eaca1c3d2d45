//! The dictionary, and named rows.

use bytes::Bytes;

use super::bench::{Bench, START, must, tenant};
use crate::{Commit, Instant, NameKind, NamedChange, NamedKey, NamedRow, Position};

pub(super) async fn numbers_count_up_by_kind(bench: &Bench) {
    for kind in NameKind::ALL {
        let store = bench.store();
        let first = must(store.numbers(&tenant(), kind, &["a", "b", "a"]).await);
        assert_eq!(first, [1, 2, 1]);
        assert_eq!(
            must(store.known_numbers(&tenant(), kind, &["c", "b"]).await),
            [None, Some(2)]
        );
        bench.pause().await;
        let store = bench.store();
        assert_eq!(
            must(store.numbers(&tenant(), kind, &["c", "a"]).await),
            [3, 1]
        );
        let all = must(store.names(&tenant(), kind).await);
        let expected: Vec<(u32, Box<str>)> =
            vec![(1, "a".into()), (2, "b".into()), (3, "c".into())];
        assert_eq!(all, expected);
        assert_eq!(
            must(store.numbers(&tenant(), kind, &[]).await),
            Vec::<u32>::new()
        );
    }
}

pub(super) async fn names_given_at_the_same_time(bench: &Bench) {
    let tasks: Vec<_> = (0..24)
        .map(|n| {
            let store = bench.store();
            tokio::spawn(async move {
                let names = [format!("n{}", n % 5), format!("n{}", n % 7), "x".to_owned()];
                let asked: Vec<&str> = names.iter().map(String::as_str).collect();
                let numbers = must(store.numbers(&tenant(), NameKind::System, &asked).await);
                names.into_iter().zip(numbers).collect::<Vec<_>>()
            })
        })
        .collect();
    let mut given = Vec::new();
    for task in tasks {
        given.extend(task.await.expect("no panic"));
    }
    bench.pause().await;
    let all = must(bench.store().names(&tenant(), NameKind::System).await);
    assert_eq!(all.len(), 8);
    assert!(
        all.iter()
            .zip(1..)
            .all(|((number, _), expected)| *number == expected)
    );
    for (name, number) in given {
        assert!(all.iter().any(|(n, text)| *n == number && **text == *name));
    }
}

fn set(key: &str, value: &str, expires: Option<i64>) -> NamedChange {
    let value = Bytes::copy_from_slice(value.as_bytes());
    NamedChange::Put {
        key: key.into(),
        value,
        expires: expires.map(Instant),
    }
}

fn named(changes: Vec<NamedChange>) -> Commit {
    Commit {
        named: changes,
        ..Commit::default()
    }
}

async fn get(bench: &Bench, key: &str) -> Option<NamedRow> {
    must(bench.newest().await.named(&[key.into()]).await).remove(0)
}

pub(super) async fn named_rows_with_revision_and_expiry(bench: &Bench) {
    let done = bench
        .commit(named(vec![
            set("w/a", "1", None),
            set("w/b", "1", Some(START + 50_000_000)),
        ]))
        .await;
    assert_eq!(
        (done.transaction, bench.newest().await.position()),
        (0, Position(0))
    );
    bench.pause().await;
    let first = get(bench, "w/a").await.expect("it was set");
    assert_eq!(first.value, "1");
    bench.commit(named(vec![set("w/a", "2", None)])).await;
    let second = get(bench, "w/a").await.expect("it was set");
    bench
        .commit(named(vec![NamedChange::Delete { key: "w/a".into() }]))
        .await;
    bench.pause().await;
    assert_eq!(get(bench, "w/a").await, None);
    bench.commit(named(vec![set("w/a", "3", None)])).await;
    let third = get(bench, "w/a").await.expect("it was set");
    assert!(first.revision < second.revision && second.revision < third.revision);
    assert!(get(bench, "w/b").await.is_some());
    bench.clock.set(START + 50_000_000);
    bench.pause().await;
    assert_eq!(get(bench, "w/b").await, None);
    bench
        .commit(named(vec![set("w/b", "2", Some(START + 90_000_000))]))
        .await;
    bench.clock.set(START + 80_000_000);
    bench.commit(named(vec![set("w/c", "1", None)])).await;
    bench.pause().await;
    assert_eq!(get(bench, "w/b").await.expect("not expired yet").value, "2");
    let passed = must(bench.newest().await.named_with_prefix("w/", None, 10).await);
    assert_eq!(passed.len(), 3);
}

pub(super) async fn named_rows_by_prefix(bench: &Bench) {
    let keys = ["a", "a/", "a/1", "a/1/x", "a/2", "a0", "b/1"];
    let changes = keys.iter().map(|key| set(key, key, None)).collect();
    bench.commit(named(changes)).await;
    bench.pause().await;
    let view = bench.newest().await;
    let read = |prefix: &'static str, after: Option<&'static str>, limit| {
        let view = view.clone();
        async move {
            let after = after.map(NamedKey::from);
            let rows = must(view.named_with_prefix(prefix, after.as_ref(), limit).await);
            rows.into_iter()
                .map(|(key, _)| String::from(key.0))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(read("a/", None, 10).await, ["a/", "a/1", "a/1/x", "a/2"]);
    assert_eq!(read("a/", Some("a/1"), 1).await, ["a/1/x"]);
    assert_eq!(read("a/", Some("a/2"), 10).await, [""; 0]);
    assert_eq!(read("", None, 10).await, keys);
    assert_eq!(read("c", None, 10).await, [""; 0]);
    assert_eq!(read("a/", Some("A"), 1).await, ["a/"]);
}
