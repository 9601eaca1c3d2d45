//! Records, versions, what purging leaves, and that commits are atomic.

use super::bench::{
    Bench, KIND, body, change, changes_of, delete, key, key_in, must, put, put_version, refused,
};
use super::{KEPT, NEWEST, OTHER};
use crate::{
    Action, Effect, Expected, HistoryOf, HistoryOrder, HistoryPage, NewVersion, Operation,
    Position, Row, StoreError, TypeNumber, VersionNumber,
};

pub(super) fn whole() -> HistoryPage {
    HistoryPage {
        order: HistoryOrder::OldestFirst,
        after: None,
        since: None,
        before: None,
        current_from: None,
        limit: 1_000,
    }
}

pub(super) async fn versions_count_from_one(bench: &Bench) {
    for number in 1..=4 {
        let text = format!("{{\"n\":{number}}}");
        let done = bench.change(vec![put(key("a"), &text)]).await;
        let effect = if number == 1 {
            Effect::Created
        } else {
            Effect::Updated
        };
        assert_eq!(done.written[0].effect, effect);
        assert_eq!(done.written[0].version, VersionNumber(number));
        assert_eq!(done.transaction, number);
        assert!(!done.repeated);
        bench.pause().await;
        let record = bench.read(&key("a")).await.expect("it was put");
        assert_eq!(record.body, text);
        assert_eq!(Some(record.position), done.written[0].position);
        assert_eq!((record.version.0, record.time), (number, done.time));
    }
    let view = bench.newest().await;
    for number in 1..=4 {
        let version = must(view.read_version(&key("a"), VersionNumber(number)).await);
        let version = version.expect("every version is kept");
        assert_eq!(version.body, format!("{{\"n\":{number}}}"));
        let operation = if number == 1 {
            Operation::Create
        } else {
            Operation::Update
        };
        assert_eq!(version.operation, operation);
    }
    assert!(must(view.read_version(&key("a"), VersionNumber(5)).await).is_none());
    assert!(must(view.read_version(&key("a"), VersionNumber(0)).await).is_none());
}

pub(super) async fn a_deletion_is_a_version(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    let done = bench.change(vec![delete(key("a"))]).await;
    assert_eq!(done.written[0].effect, Effect::Deleted);
    assert_eq!(done.written[0].version, VersionNumber(2));
    bench.pause().await;
    let deleted = bench.read(&key("a")).await.expect("a deletion is there");
    assert_eq!(deleted.operation, Operation::Delete);
    assert!(deleted.body.is_empty());
    let again = bench.change(vec![put(key("a"), "3")]).await;
    assert_eq!(again.written[0].effect, Effect::Created);
    assert_eq!(again.written[0].version, VersionNumber(3));
    assert_eq!(again.written[0].row, done.written[0].row);
    bench.pause().await;
    let record = bench.read(&key("a")).await.expect("it is back");
    assert_eq!(record.operation, Operation::Create);
}

pub(super) async fn deleting_nothing_does_nothing(bench: &Bench) {
    for action in [Action::Delete, Action::Purge, Action::PurgeHistory] {
        let done = bench
            .change(vec![change(key("a"), Expected::Any, action)])
            .await;
        assert_eq!(done.written[0].effect, Effect::Nothing);
        assert_eq!(done.written[0].version, VersionNumber(0));
        assert_eq!((done.transaction, done.written[0].position), (0, None));
    }
    bench.change(vec![put(key("a"), "1")]).await;
    bench.change(vec![delete(key("a"))]).await;
    bench.pause().await;
    let done = bench.change(vec![delete(key("a"))]).await;
    assert_eq!(done.written[0].effect, Effect::Nothing);
    assert_eq!(done.written[0].version, VersionNumber(2));
    assert_eq!(bench.newest().await.position(), Position(2));
}

pub(super) async fn a_purge_leaves_nothing_but_the_ledger(bench: &Bench) {
    for text in ["1", "2"] {
        bench
            .change(vec![put(key("a"), text), put(key("b"), text)])
            .await;
    }
    let done = bench
        .change(vec![change(key("a"), Expected::Any, Action::Purge)])
        .await;
    assert_eq!(done.written[0].effect, Effect::Purged);
    assert_eq!(done.written[0].version, VersionNumber(0));
    bench.pause().await;
    let view = bench.newest().await;
    assert!(bench.read(&key("a")).await.is_none());
    assert!(must(view.read_version(&key("a"), VersionNumber(1)).await).is_none());
    let history = must(view.history(&HistoryOf::Kind(KEPT, KIND), &whole()).await);
    assert!(history.iter().all(|record| record.key == key("b")));
    assert_eq!(history.len(), 2);
    let ledger = must(view.ledger(Position(0), None, 100).await);
    assert_eq!(ledger.len(), 5);
    assert_eq!(ledger[4].operation, Operation::Purge);
    assert_eq!(ledger[4].version, VersionNumber(2));
    assert_eq!(ledger[4].row, ledger[0].row);
    let again = bench.change(vec![put(key("a"), "new")]).await;
    assert_eq!(again.written[0].effect, Effect::Created);
    assert_eq!(again.written[0].version, VersionNumber(1));
}

pub(super) async fn a_purged_history_leaves_the_newest(bench: &Bench) {
    for text in ["1", "2", "3"] {
        bench.change(vec![put(key("a"), text)]).await;
    }
    let purge = || change(key("a"), Expected::Live, Action::PurgeHistory);
    let done = bench.change(vec![purge()]).await;
    assert_eq!(done.written[0].effect, Effect::Purged);
    assert_eq!(done.written[0].version, VersionNumber(3));
    bench.pause().await;
    let view = bench.newest().await;
    let history = must(view.history(&HistoryOf::Record(key("a")), &whole()).await);
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].body, "3");
    let again = bench.change(vec![purge()]).await;
    assert_eq!(again.written[0].effect, Effect::Nothing);
}

pub(super) async fn a_commit_happens_whole_or_not_at_all(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    let mut changes: Vec<_> = (0..50).map(|n| put(key(&format!("n{n}")), "x")).collect();
    changes.push(change(key("a"), Expected::Absent, Action::Put(body("2"))));
    let error = refused(bench.try_commit(changes_of(changes)).await);
    assert!(matches!(
        error,
        StoreError::Precondition {
            change: Some(50),
            ..
        }
    ));
    bench.pause().await;
    let view = bench.newest().await;
    assert_eq!(view.position(), Position(1));
    let history = must(view.history(&HistoryOf::Space(KEPT), &whole()).await);
    assert_eq!(history.len(), 1);
}

pub(super) async fn spaces_are_kept_apart(bench: &Bench) {
    let keys = [
        key("a"),
        key_in(OTHER, KIND, "a"),
        key_in(KEPT, TypeNumber(2), "a"),
    ];
    for (number, key) in keys.iter().enumerate() {
        let done = bench
            .change(vec![put(key.clone(), &number.to_string())])
            .await;
        assert_eq!(done.written[0].version, VersionNumber(1));
    }
    bench.pause().await;
    bench.change(vec![delete(keys[1].clone())]).await;
    let read = must(bench.newest().await.read(&keys).await);
    let bodies: Vec<_> = read
        .iter()
        .flatten()
        .map(|record| record.body.clone())
        .collect();
    assert_eq!(bodies, ["0", "", "2"]);
    let history = must(
        bench
            .newest()
            .await
            .history(&HistoryOf::Space(OTHER), &whole())
            .await,
    );
    assert_eq!(history.len(), 2);
    assert!(history.iter().all(|record| record.key == keys[1]));
}

pub(super) async fn rows_are_given_once(bench: &Bench) {
    let mut seen = std::collections::HashSet::new();
    for n in 0..20 {
        let id = format!("r{n}");
        let to = NewVersion {
            references: vec![key(&format!("later{n}"))],
            ..body("x")
        };
        let done = bench.change(vec![put_version(key(&id), to)]).await;
        assert!(seen.insert(done.written[0].row), "a row was given twice");
        let same = bench.change(vec![put(key(&id), "y")]).await;
        assert_eq!(same.written[0].row, done.written[0].row);
        if n % 3 == 0 {
            bench
                .change(vec![change(key(&id), Expected::Any, Action::Purge)])
                .await;
        }
        if n % 7 == 0 {
            bench.pause().await;
        }
    }
}

pub(super) async fn reads_answer_in_order_by_key_and_row(bench: &Bench) {
    let done = bench
        .change(vec![put(key("a"), "a"), put(key("b"), "b")])
        .await;
    bench.pause().await;
    let view = bench.newest().await;
    let asked = [key("b"), key("?"), key("a"), key("b")];
    let texts = |read: Vec<Option<crate::Record>>| -> Vec<_> {
        read.into_iter()
            .map(|record| record.map(|record| record.body))
            .collect()
    };
    let read = texts(must(view.read(&asked).await));
    assert_eq!(
        read,
        [Some("b".into()), None, Some("a".into()), Some("b".into())]
    );
    let (a, b) = (done.written[0].row, done.written[1].row);
    let rows = [
        (KIND, b),
        (KIND, Row(u64::MAX)),
        (TypeNumber(9), a),
        (KIND, a),
    ];
    let read = must(view.read_rows(KEPT, &rows).await);
    assert_eq!(
        texts(read),
        [Some("b".into()), None, None, Some("a".into())]
    );
    assert!(must(view.read_rows(OTHER, &[(KIND, a)]).await)[0].is_none());
    assert!(must(view.read(&[]).await).is_empty());
}

pub(super) async fn newest_spaces_keep_the_newest_only(bench: &Bench) {
    let key = key_in(NEWEST, KIND, "a");
    for text in ["1", "2", "3"] {
        bench.change(vec![put(key.clone(), text)]).await;
    }
    bench.pause().await;
    let view = bench.newest().await;
    assert_eq!(
        bench.read(&key).await.expect("it was put").version,
        VersionNumber(3)
    );
    assert!(must(view.read_version(&key, VersionNumber(2)).await).is_none());
    for of in [
        HistoryOf::Record(key),
        HistoryOf::Kind(NEWEST, KIND),
        HistoryOf::Space(NEWEST),
    ] {
        assert_eq!(must(view.history(&of, &whole()).await).len(), 1);
        assert_eq!(must(view.history_total(&of, &whole()).await), 1);
    }
    assert_eq!(must(view.ledger(Position(0), None, 10).await).len(), 3);
}

pub(super) async fn two_changes_of_one_record_are_refused(bench: &Bench) {
    let changes = vec![put(key("a"), "1"), put(key("b"), "1"), delete(key("a"))];
    let error = refused(bench.try_commit(changes_of(changes)).await);
    assert_eq!(
        error,
        StoreError::DuplicateChange {
            first: 0,
            second: 2
        }
    );
    bench.pause().await;
    assert!(bench.read(&key("b")).await.is_none());
}

pub(super) async fn a_view_never_changes(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    let view = bench.newest().await;
    bench
        .change(vec![put(key("a"), "2"), put(key("b"), "1")])
        .await;
    bench
        .change(vec![change(key("a"), Expected::Any, Action::Purge)])
        .await;
    assert_eq!(view.position(), Position(1));
    let read = must(view.read(&[key("a"), key("b")]).await);
    assert_eq!(
        read[0].as_ref().map(|record| record.body.clone()),
        Some("1".into())
    );
    assert!(read[1].is_none());
    assert_eq!(must(view.ledger(Position(0), None, 10).await).len(), 1);
    assert_eq!(
        must(
            view.search(&super::bench::plan(crate::Filter::All(vec![])))
                .await
        )
        .rows
        .len(),
        1
    );
}

pub(super) async fn large_commits_and_bodies_come_back(bench: &Bench) {
    let large = "0123456789abcdef".repeat(1 << 16);
    let many =
        |n: usize| format!("{{\"resourceType\":\"Observation\",\"n\":{n},\"status\":\"final\"}}");
    let mut changes: Vec<_> = (0..12_000)
        .map(|n| put(key(&n.to_string()), &many(n)))
        .collect();
    changes.push(put(key("large"), &large));
    let done = bench.change(changes).await;
    assert_eq!(done.written.len(), 12_001);
    bench.pause().await;
    assert_eq!(
        bench.read(&key("large")).await.expect("it was put").body,
        large
    );
    for n in [0, 5_999, 11_999] {
        assert_eq!(
            bench
                .read(&key(&n.to_string()))
                .await
                .expect("it was put")
                .body,
            many(n)
        );
    }
    assert_eq!(bench.newest().await.position(), Position(12_001));
}
