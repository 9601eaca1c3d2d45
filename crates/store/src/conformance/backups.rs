//! A restored tenant answers everything as the original does.

use bytes::Bytes;

use super::bench::{
    Bench, KIND, body, change, changes_of, delete, key, key_in, must, plan, put, put_version,
    refused, tenant, token,
};
use super::blobs::{naming, store_blob};
use super::records::whole;
use super::{KEPT, NEWEST};
use crate::{
    Action, At, BackupItem, Commit, Expected, Filter, HistoryOf, Idempotency, IdempotencyKey,
    Instant, NameKind, NamedChange, NewVersion, Position, StoreError, TenantId, Total,
};

fn copy() -> TenantId {
    TenantId::parse("copy").expect("a tenant's name")
}

async fn furnish(bench: &Bench) -> crate::BlobId {
    must(
        bench
            .store()
            .numbers(&tenant(), NameKind::System, &["s1", "s2"])
            .await,
    );
    let blob = store_blob(bench, &Bytes::from("blob ".repeat(500_000))).await;
    let full = NewVersion {
        entries: vec![token(1, 1, "c")],
        references: vec![key("later"), key("b"), key("early")],
        lanes: vec![key("p")],
        ..naming(blob)
    };
    bench
        .change(vec![
            put_version(key("a"), full),
            put(key("b"), "1"),
            put(key("purged"), "1"),
        ])
        .await;
    bench
        .change(vec![
            put(key("b"), "2"),
            put(key_in(NEWEST, KIND, "n"), "1"),
            put(key("c"), "1"),
            // It was referred to before.
            put_version(
                key("early"),
                NewVersion {
                    lanes: vec![key("p")],
                    ..body("1")
                },
            ),
        ])
        .await;
    bench
        .change(vec![
            delete(key("c")),
            change(key("purged"), Expected::Any, Action::Purge),
        ])
        .await;
    bench
        .change(vec![
            put(key_in(NEWEST, KIND, "n"), "2"),
            change(key("b"), Expected::Any, Action::PurgeHistory),
        ])
        .await;
    bench
        .change(
            (0..300)
                .map(|n| put(key(&format!("m{n}")), &"x".repeat(20_000)))
                .collect(),
        )
        .await;
    bench.commit(last_commit()).await;
    blob
}

/// One with a key and a named row.
fn last_commit() -> Commit {
    let idempotency = Idempotency {
        key: IdempotencyKey {
            caller: "c".into(),
            key: "k".into(),
        },
        request_hash: [1; 32],
        notes: Bytes::from_static(b"notes"),
    };
    let value = Bytes::from_static(b"v");
    let expires = Some(Instant(super::bench::START * 2));
    let named = vec![NamedChange::Put {
        key: "w/1".into(),
        value,
        expires,
    }];
    Commit {
        idempotency: Some(idempotency),
        named,
        ..changes_of(vec![put(key("d"), "1")])
    }
}

async fn pages(bench: &Bench) -> Vec<Vec<BackupItem>> {
    let view = bench.newest().await;
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let page = must(view.backup(cursor).await);
        pages.push(page.items);
        // Writing goes on; the backup does not see it.
        bench.change(vec![put(key("meanwhile"), "x")]).await;
        cursor = page.next;
        if cursor.is_none() {
            return pages;
        }
    }
}

pub(super) async fn a_restored_tenant_equals_the_original(bench: &Bench) {
    let blob = furnish(bench).await;
    bench.pause().await;
    let at = bench.newest().await.position();
    let pages = pages(bench).await;
    must(bench.store().create_tenant(&copy()).await);
    for items in pages {
        must(bench.store().restore(&copy(), items).await);
        refused(bench.store().view(&copy(), At::Newest).await.map(drop));
    }
    must(bench.store().finish_restore(&copy()).await);
    bench.pause().await;
    let store = bench.store();
    let original = must(store.view(&tenant(), At::Position(at)).await);
    let restored = must(store.view(&copy(), At::Newest).await);
    assert_eq!(restored.position(), at);
    for space in [KEPT, NEWEST] {
        let of = HistoryOf::Space(space);
        let (theirs, mine) = (
            original.history(&of, &whole()).await,
            restored.history(&of, &whole()).await,
        );
        let (theirs, mine) = (must(theirs), must(mine));
        assert_eq!(theirs, mine);
        for record in theirs {
            let row = [(record.key.kind, record.row)];
            let theirs = must(original.outlines(space, &row).await);
            assert_eq!(must(restored.outlines(space, &row).await), theirs);
        }
    }
    let ledger = must(original.ledger(Position(0), None, 1_000).await);
    assert_eq!(
        must(restored.ledger(Position(0), None, 1_000).await),
        ledger
    );
    let lane = key("p");
    let (theirs, mine) = (
        original.ledger(Position(0), Some(&lane), 9).await,
        restored.ledger(Position(0), Some(&lane), 9).await,
    );
    assert_eq!(must(theirs), must(mine));
    let system = must(
        store
            .known_numbers(&copy(), NameKind::System, &["s2"])
            .await,
    );
    assert_eq!(system, [Some(2)]);
    let named = |view: &std::sync::Arc<dyn crate::View>| {
        let view = view.clone();
        async move { must(view.named(&["w/1".into()]).await) }
    };
    assert_eq!(named(&original).await, named(&restored).await);
    let id = IdempotencyKey {
        caller: "c".into(),
        key: "k".into(),
    };
    let theirs = must(store.committed(&tenant(), &id, &[1; 32]).await);
    assert!(theirs.is_some());
    assert_eq!(must(store.committed(&copy(), &id, &[1; 32]).await), theirs);
    let part = must(store.read_blob(&copy(), &blob, 2_499_990, 100).await);
    assert_eq!(
        part,
        must(store.read_blob(&tenant(), &blob, 2_499_990, 100).await)
    );
    assert!(part.is_some_and(|part| part.len() == 10));
    same_index_and_future(bench).await;
}

/// Searches, references and what comes next.
async fn same_index_and_future(bench: &Bench) {
    let store = bench.store();
    must(
        store
            .commit(&tenant(), changes_of(vec![delete(key("meanwhile"))]))
            .await,
    );
    let theirs = must(store.view(&tenant(), At::Newest).await);
    let mine = must(store.view(&copy(), At::Newest).await);
    let everything = crate::Plan {
        total: Total::Accurate,
        ..plan(Filter::All(vec![]))
    };
    for plan in [everything, super::preconditions::with_code("c")] {
        assert_eq!(
            must(theirs.search(&plan).await),
            must(mine.search(&plan).await)
        );
    }
    for target in ["later", "b", "early"] {
        let (a, b) = (
            theirs.referrers(&key(target), None, 9).await,
            mine.referrers(&key(target), None, 9).await,
        );
        assert_eq!(must(a), must(b));
    }
    let used: std::collections::HashSet<_> = must(mine.ledger(Position(0), None, 1_000).await)
        .iter()
        .flat_map(|entry| {
            let lanes = entry.lanes.iter().map(|lane| crate::Row(lane.0));
            lanes.chain([entry.row]).collect::<Vec<_>>()
        })
        .collect();
    let next = changes_of(vec![put(key("later"), "1"), put(key("new"), "1")]);
    let done = must(store.commit(&copy(), next).await);
    assert!(
        done.written
            .iter()
            .all(|written| !used.contains(&written.row)),
        "a row twice"
    );
    assert_eq!(
        done.written[0].position,
        Some(Position(mine.position().0 + 1))
    );
    assert!(
        done.time
            > mine
                .ledger(Position(mine.position().0 - 1), None, 1)
                .await
                .map_or(done.time, |last| last[0].time)
    );
    assert_eq!(body("x").body, "x");
}

pub(super) async fn only_empty_tenants_are_restored(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    bench.pause().await;
    let name = BackupItem::Name {
        kind: NameKind::Type,
        number: 1,
        name: "x".into(),
    };
    let error = refused(bench.store().restore(&tenant(), vec![name]).await);
    assert_eq!(error, StoreError::TenantNotEmpty);
    assert_eq!(bench.read(&key("a")).await.expect("it was put").body, "1");
}
