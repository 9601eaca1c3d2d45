//! Every limit by its name, exceeded by one: refused, and nothing changed.

use bytes::Bytes;

use super::bench::{
    Bench, body, change, changes_of, entry, key, must, put, put_version, refused, tenant, token,
};
use crate::{
    Action, Change, Commit, EntryValue, Expected, Idempotency, IdempotencyKey, NameKind,
    NamedChange, NewVersion, Position, StoreError, StoreLimits,
};

fn small() -> StoreLimits {
    StoreLimits {
        body_bytes_max: 10,
        changes_max: 3,
        entries_max: 4,
        commit_bytes_max: 15,
        id_bytes_max: 5,
        entry_bytes_max: 6,
        named_key_bytes_max: 7,
        named_value_bytes_max: 8,
        name_bytes_max: 9,
        ..StoreLimits::default()
    }
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

fn uri(length: usize) -> NewVersion {
    NewVersion {
        entries: vec![entry(1, EntryValue::Uri(text(length).into()))],
        ..body("")
    }
}

fn entries(count: usize) -> NewVersion {
    let entries = (1..count).map(|n| token(1, 1, &n.to_string())).collect();
    NewVersion {
        entries,
        references: vec![key("r")],
        ..body("")
    }
}

fn folded(length: usize) -> NewVersion {
    let value = EntryValue::Text {
        folded: text(length).into(),
        exact: "x".into(),
    };
    NewVersion {
        entries: vec![entry(1, value)],
        ..body("")
    }
}

fn indexed(count: usize) -> Commit {
    let NewVersion {
        entries,
        references,
        ..
    } = entries(count);
    let action = Action::Index {
        entries,
        references,
    };
    changes_of(vec![change(key("a"), Expected::Any, action)])
}

fn named(key: usize, value: usize) -> Commit {
    let change = NamedChange::Put {
        key: text(key).as_str().into(),
        value: text(value).into(),
        expires: None,
    };
    Commit {
        named: vec![change],
        ..Commit::default()
    }
}

fn repeatable(length: usize) -> Commit {
    let key = IdempotencyKey {
        caller: "c".into(),
        key: text(length).into(),
    };
    let idempotency = Idempotency {
        key,
        request_hash: [0; 32],
        notes: Bytes::new(),
    };
    Commit {
        idempotency: Some(idempotency),
        ..Commit::default()
    }
}

fn one(version: NewVersion) -> Commit {
    changes_of(vec![put_version(key("a"), version)])
}

/// The commits that exceed a limit by one, and those that just keep it.
fn cases() -> Vec<(&'static str, u64, Commit, Commit)> {
    let many = |count: usize| -> Vec<Change> {
        (0..count).map(|n| put(key(&n.to_string()), "")).collect()
    };
    let sized = |sizes: &[usize]| -> Vec<Change> {
        let puts = sizes.iter().enumerate();
        puts.map(|(n, size)| put(key(&n.to_string()), &text(*size)))
            .collect()
    };
    let id = |length: usize| changes_of(vec![put(key(&text(length)), "")]);
    let code = |length: usize| {
        one(NewVersion {
            entries: vec![token(1, 1, &text(length))],
            ..body("")
        })
    };
    vec![
        (
            "body_bytes_max",
            11,
            one(body(&text(11))),
            one(body(&text(10))),
        ),
        ("changes_max", 4, changes_of(many(4)), changes_of(many(3))),
        ("entries_max", 5, one(entries(5)), one(entries(4))),
        (
            "commit_bytes_max",
            16,
            changes_of(sized(&[8, 8])),
            changes_of(sized(&[8, 7])),
        ),
        ("id_bytes_max", 6, id(6), id(5)),
        ("id_bytes_max", 6, repeatable(6), repeatable(5)),
        ("entry_bytes_max", 7, code(7), code(6)),
        ("entry_bytes_max", 7, one(uri(7)), one(uri(6))),
        ("entry_bytes_max", 7, one(folded(7)), one(folded(6))),
        ("entries_max", 5, indexed(5), indexed(4)),
        ("named_key_bytes_max", 8, named(8, 1), named(7, 1)),
        ("named_value_bytes_max", 9, named(1, 9), named(1, 8)),
    ]
}

pub(super) async fn each_limit_by_name(bench: &Bench) {
    bench.with_limits(small()).await;
    assert_eq!(*bench.store().limits(), small());
    for (limit, given, over, _) in cases() {
        let error = refused(bench.try_commit(over).await);
        let expected = StoreError::LimitExceeded {
            limit,
            max: given - 1,
            given,
        };
        assert_eq!(error, expected);
    }
    let name = text(10);
    let error = refused(
        bench
            .store()
            .numbers(&tenant(), NameKind::Type, &[&name])
            .await,
    );
    assert_eq!(
        error,
        StoreError::LimitExceeded {
            limit: "name_bytes_max",
            max: 9,
            given: 10
        }
    );
    bench.pause().await;
    let view = bench.newest().await;
    assert_eq!(view.position(), Position(0));
    assert!(must(view.named_with_prefix("", None, 10).await).is_empty());
    assert!(must(bench.store().names(&tenant(), NameKind::Type).await).is_empty());
    for (limit, _, _, within) in cases() {
        if let Err(error) = bench.try_commit(within).await {
            panic!("{limit} refuses what is within it: {error:?}");
        }
    }
    must(
        bench
            .store()
            .numbers(&tenant(), NameKind::Type, &[&text(9)])
            .await,
    );
}
