//! What must hold for a commit, each kind of it.

use bytes::Bytes;

use super::KEPT;
use super::bench::{
    Bench, body, change, changes_of, delete, key, key_in, must, plan, put, put_version, refused,
    token,
};
use crate::{
    Action, Commit, Expected, Filter, NamedChange, NamedExpected, NewVersion, ParameterNumber,
    Plan, Position, Precondition, PreconditionFailure, RecordKey, Row, StoreError, Test,
    TypeNumber, VersionNumber,
};

fn guarded(changes: Vec<crate::Change>, preconditions: Vec<Precondition>) -> Commit {
    Commit {
        changes,
        preconditions,
        ..Commit::default()
    }
}

fn failure(error: StoreError) -> (Option<usize>, PreconditionFailure) {
    match error {
        StoreError::Precondition { change, failure } => (change, failure),
        other => panic!("not a precondition: {other:?}"),
    }
}

pub(super) async fn expected_states(bench: &Bench) {
    use PreconditionFailure as Failure;
    bench
        .change(vec![put(key("live"), "1"), put(key("gone"), "1")])
        .await;
    let deleted = bench
        .change(vec![delete(key("gone")), put(key("live"), "2")])
        .await;
    bench.pause().await;
    let since = deleted.time;
    let (one, two) = (VersionNumber(1), VersionNumber(2));
    let cases = [
        ("live", Expected::Absent, Some(Failure::Exists)),
        ("live", Expected::Version(one), Some(Failure::Version)),
        ("gone", Expected::Live, Some(Failure::Deleted { since })),
        (
            "gone",
            Expected::Version(two),
            Some(Failure::Deleted { since }),
        ),
        ("never", Expected::Live, Some(Failure::Missing)),
        ("never", Expected::Version(one), Some(Failure::Missing)),
        ("live", Expected::Version(two), None),
        ("live", Expected::Live, None),
        ("gone", Expected::Absent, None),
        ("never", Expected::Absent, None),
        ("other", Expected::Any, None),
    ];
    for (id, expected, fails) in cases {
        let guarded = change(key(id), expected, Action::Put(body("3")));
        let result = bench
            .try_commit(changes_of(vec![put(key("with"), "x"), guarded]))
            .await;
        match fails {
            None => drop(must(result)),
            Some(why) => assert_eq!(
                failure(refused(result)),
                (Some(1), why),
                "{id} {expected:?}"
            ),
        }
    }
}

pub(super) async fn unchanged(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    let given = |version| {
        let version = VersionNumber(version);
        guarded(
            vec![],
            vec![Precondition::Unchanged {
                key: key("a"),
                version,
            }],
        )
    };
    let done = bench.commit(given(1)).await;
    assert_eq!(done.transaction, 0);
    let error = refused(bench.try_commit(given(2)).await);
    assert_eq!(failure(error).1, PreconditionFailure::Version);
    bench.change(vec![delete(key("a"))]).await;
    bench.pause().await;
    assert!(matches!(
        failure(refused(bench.try_commit(given(1)).await)).1,
        PreconditionFailure::Deleted { .. }
    ));
}

fn referring(to: &RecordKey) -> NewVersion {
    NewVersion {
        references: vec![to.clone()],
        ..body("{}")
    }
}

pub(super) async fn references_must_exist(bench: &Bench) {
    let needs = |to: &str| Precondition::Exists {
        key: key(to),
        change: 1,
    };
    let commit = |extra: crate::Change| {
        let changes = vec![extra, put_version(key("a"), referring(&key("b")))];
        guarded(changes, vec![needs("b")])
    };
    let error = refused(bench.try_commit(commit(put(key("x"), "1"))).await);
    assert_eq!(
        failure(error),
        (Some(1), PreconditionFailure::BrokenReference)
    );
    bench.commit(commit(put(key("b"), "1"))).await;
    bench.pause().await;
    bench.commit(commit(put(key("y"), "1"))).await;
    let error = refused(bench.try_commit(commit(delete(key("b")))).await);
    assert_eq!(
        failure(error),
        (Some(1), PreconditionFailure::BrokenReference)
    );
}

pub(super) async fn referred_records_stay(bench: &Bench) {
    let referred = || {
        vec![Precondition::Unreferenced {
            key: key("p"),
            change: 0,
        }]
    };
    let remove = |extra: Vec<crate::Change>| {
        let changes = std::iter::once(delete(key("p"))).chain(extra).collect();
        guarded(changes, referred())
    };
    bench
        .change(vec![
            put(key("p"), "1"),
            put_version(key("a"), referring(&key("p"))),
        ])
        .await;
    bench.pause().await;
    let fails = (Some(0), PreconditionFailure::Referenced);
    for extra in [
        vec![],
        vec![put_version(key("a"), referring(&key("p")))],
        vec![
            delete(key("a")),
            put_version(key("b"), referring(&key("p"))),
        ],
        vec![change(key("a"), Expected::Any, Action::PurgeHistory)],
    ] {
        assert_eq!(
            failure(refused(bench.try_commit(remove(extra)).await)),
            fails
        );
    }
    bench.commit(remove(vec![delete(key("a"))])).await;
    let restored = vec![
        put_version(key("p"), referring(&key("p"))),
        put_version(key("a"), referring(&key("p"))),
    ];
    bench.change(restored).await;
    bench.pause().await;
    bench
        .commit(remove(vec![put(key("a"), "refers no more")]))
        .await;
}

pub(super) async fn named_rows(bench: &Bench) {
    let given = |expected| Precondition::Named {
        key: "w/1".into(),
        expected,
    };
    let set = |expected| Commit {
        named: vec![NamedChange::Put {
            key: "w/1".into(),
            value: Bytes::from_static(b"v"),
            expires: None,
        }],
        preconditions: vec![given(expected)],
        ..Commit::default()
    };
    bench.commit(set(NamedExpected::Absent)).await;
    bench.pause().await;
    let row = must(bench.newest().await.named(&["w/1".into()]).await)
        .remove(0)
        .expect("it was set");
    let error = refused(bench.try_commit(set(NamedExpected::Absent)).await);
    assert_eq!(failure(error), (None, PreconditionFailure::Named));
    bench
        .commit(set(NamedExpected::Revision(row.revision)))
        .await;
    let error = refused(
        bench
            .try_commit(set(NamedExpected::Revision(row.revision)))
            .await,
    );
    assert_eq!(failure(error), (None, PreconditionFailure::Named));
}

pub(super) fn with_code(code: &str) -> Plan {
    let test = Test::Code(code.into());
    Plan {
        limit: 2,
        ..plan(Filter::Entry {
            parameter: ParameterNumber(1),
            test,
        })
    }
}

pub(super) fn coded(code: &str) -> NewVersion {
    NewVersion {
        entries: vec![token(1, 1, code)],
        ..body("{}")
    }
}

pub(super) async fn matches_runs_again_only_if_needed(bench: &Bench) {
    let create = |id: &str, rows: Vec<Row>, position: u64| {
        let position = Position(position);
        let matches = Precondition::Matches {
            plan: with_code("c"),
            rows,
            position,
        };
        guarded(vec![put_version(key(id), coded("c"))], vec![matches])
    };
    let done = bench.commit(create("a", vec![], 0)).await;
    bench.pause().await;
    assert_eq!(
        refused(bench.try_commit(create("b", vec![], 0)).await),
        StoreError::Stale
    );
    let row = done.written[0].row;
    bench.commit(create("b", vec![row], 1)).await;
    // Another type's change is none of its business; its own is.
    bench
        .change(vec![put_version(
            key_in(KEPT, TypeNumber(2), "x"),
            coded("c"),
        )])
        .await;
    bench.pause().await;
    let both = bench.found(&with_code("c")).await;
    bench.commit(create("c", both.clone(), 2)).await;
    bench.change(vec![delete(key("a"))]).await;
    assert_eq!(
        refused(bench.try_commit(create("d", both, 4)).await),
        StoreError::Stale
    );
}

pub(super) async fn types_stay_untouched(bench: &Bench) {
    let create = |id: &str, kinds: &[u32], position: Position| {
        let untouched = Precondition::Untouched {
            space: KEPT,
            kinds: kinds.iter().copied().map(TypeNumber).collect(),
            position,
        };
        guarded(vec![put(key(id), "1")], vec![untouched])
    };
    let other = |id: &str| key_in(KEPT, TypeNumber(2), id);
    bench.change(vec![put(other("x"), "1")]).await;
    bench.pause().await;
    let position = bench.newest().await.position();
    // Its own change does not count, nor those of types that are not named.
    bench.commit(create("a", &[2], position)).await;
    bench.commit(create("b", &[2, 3], position)).await;
    let stale = refused(bench.try_commit(create("c", &[1, 2], position)).await);
    assert_eq!(stale, StoreError::Stale);
    for change in [
        put(other("x"), "2"),
        put(other("new"), "1"),
        delete(other("x")),
    ] {
        let position = bench.newest().await.position();
        bench.change(vec![change]).await;
        let stale = refused(bench.try_commit(create("c", &[2], position)).await);
        assert_eq!(stale, StoreError::Stale);
        let position = bench.newest().await.position();
        bench.commit(create("d", &[2], position)).await;
    }
}

pub(super) async fn a_failed_precondition_changes_nothing(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    let before = bench.newest().await.position();
    let commit = Commit {
        changes: vec![
            put(key("b"), "1"),
            change(key("a"), Expected::Absent, Action::Delete),
        ],
        named: vec![NamedChange::Put {
            key: "n".into(),
            value: Bytes::new(),
            expires: None,
        }],
        ..Commit::default()
    };
    refused(bench.try_commit(commit).await);
    bench.pause().await;
    let view = bench.newest().await;
    assert_eq!(view.position(), before);
    assert!(must(view.read(&[key("b")]).await)[0].is_none());
    assert!(must(view.named(&["n".into()]).await)[0].is_none());
    assert!(bench.found(&with_code("x")).await.is_empty());
}
