//! Records that were read lately are kept in memory: whatever changes a record, the next reader sees
//! it, and whoever reads an older state keeps reading that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use store::{Action, At, Change, Commit, Expected, Position, Store, TenantId};
use store_embedded::EmbeddedStore;

use super::{key, open, puts};

/// What a view of the newest state says: the version and the body, `deleted`, or nothing.
async fn read(store: &EmbeddedStore, at: At) -> String {
    let view = store.view(&TenantId::default(), at).await.expect("a view");
    let found = view.read(&[key("a")]).await.expect("a record").remove(0);
    found.map_or_else(String::new, |it| {
        let body = String::from_utf8_lossy(&it.body);
        format!("{} {:?} {body}", it.version.0, it.operation)
    })
}

/// Twice: the second reader finds what the first one left in memory.
async fn check(store: &EmbeddedStore, expected: &str) {
    for reader in ["first", "second"] {
        assert_eq!(read(store, At::Newest).await, expected, "the {reader}");
    }
}

async fn put(store: &EmbeddedStore, body: &str) -> Position {
    let commit = puts([("a".to_owned(), body.as_bytes().to_vec())]);
    let done = store
        .commit(&TenantId::default(), commit)
        .await
        .expect("committed");
    done.written[0].position.expect("a put has a position")
}

async fn change(store: &EmbeddedStore, action: Action) {
    let change = Change {
        key: key("a"),
        expected: Expected::Any,
        action,
    };
    let commit = Commit {
        changes: vec![change],
        ..Commit::default()
    };
    store
        .commit(&TenantId::default(), commit)
        .await
        .expect("committed");
}

#[tokio::test]
async fn every_change_is_seen_by_the_next_reader() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    check(&store, "").await;
    let first = put(&store, "one").await;
    check(&store, "1 Create one").await;
    put(&store, "two").await;
    check(&store, "2 Update two").await;
    assert_eq!(
        read(&store, At::Position(first)).await,
        "1 Create one",
        "the past stays"
    );
    check(&store, "2 Update two").await;
    change(&store, Action::PurgeHistory).await;
    check(&store, "2 Update two").await;
    change(&store, Action::Delete).await;
    check(&store, "3 Delete ").await;
    put(&store, "three").await;
    check(&store, "4 Create three").await;
    change(&store, Action::Purge).await;
    check(&store, "").await;
    put(&store, "four").await;
    check(&store, "1 Create four").await;
    store.delete_tenant(&TenantId::default()).await.unwrap();
    store.create_tenant(&TenantId::default()).await.unwrap();
    check(&store, "").await;
}

#[tokio::test]
async fn a_view_that_is_held_does_not_change() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).unwrap();
    put(&store, "one").await;
    let held = store.view(&TenantId::default(), At::Newest).await.unwrap();
    put(&store, "two").await;
    check(&store, "2 Update two").await;
    let found = held.read(&[key("a")]).await.unwrap().remove(0);
    assert_eq!(found.unwrap().body, &b"one"[..]);
    check(&store, "2 Update two").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_acknowledged_is_never_unread_again() {
    const WRITES: u64 = 300;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()).unwrap());
    put(&store, "1").await;
    let acknowledged = Arc::new(AtomicU64::new(1));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, acknowledged) = (Arc::clone(&store), Arc::clone(&acknowledged));
            tokio::spawn(async move {
                loop {
                    let before = acknowledged.load(Ordering::SeqCst);
                    let found = read(&store, At::Newest).await;
                    let (version, rest) = found.split_once(' ').unwrap();
                    let version: u64 = version.parse().unwrap();
                    assert!(version >= before, "{found} after {before}");
                    assert!(rest.ends_with(&format!(" {version}")), "{found}");
                    if before == WRITES {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for version in 2..=WRITES {
        put(&store, &version.to_string()).await;
        acknowledged.store(version, Ordering::SeqCst);
    }
    for reader in readers {
        reader.await.unwrap();
    }
}
