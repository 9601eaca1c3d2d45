//! Plans, one kind of condition after the other; random ones are in `random`.

use super::KEPT;
use super::bench::{
    Bench, KIND, body, change, delete, entry, ids, key, key_in, must, part, plan, put, put_version,
    refused, tenant, token,
};
use crate::{
    Action, At, EntryValue, Expected, Filter, NewVersion, ParameterNumber, Plan, Position, Row,
    StoreError, SystemNumber, Target, Test, Total, TypeNumber, View,
};

fn passes(test: Test) -> Filter {
    Filter::Entry {
        parameter: ParameterNumber(1),
        test,
    }
}

fn is_token(system: u32, code: &str) -> Filter {
    passes(Test::Is(token(1, system, code).value))
}

async fn three(bench: &Bench) -> Vec<Row> {
    let with = |value| NewVersion {
        entries: vec![entry(1, value)],
        ..body("x")
    };
    let reference = NewVersion {
        references: vec![key("later")],
        ..with(EntryValue::Reference(key("later")))
    };
    let tokens = NewVersion {
        entries: vec![token(1, 1, "c"), token(1, 0, "d"), token(2, 1, "e")],
        ..body("x")
    };
    let done = bench
        .change(vec![
            put_version(key("tokens"), tokens),
            put_version(key("uri"), with(EntryValue::Uri("c".into()))),
            put_version(key("reference"), reference),
        ])
        .await;
    bench.pause().await;
    done.written.iter().map(|written| written.row).collect()
}

pub(super) async fn every_test_and_filter(bench: &Bench) {
    let rows = three(bench).await;
    let [tokens, uri, reference] = rows[..] else {
        panic!("three rows")
    };
    let all = Filter::All(vec![]);
    let cases = [
        (all.clone(), vec![tokens, uri, reference]),
        (Filter::Any(vec![]), vec![]),
        (passes(Test::Present), vec![tokens, uri, reference]),
        (is_token(1, "c"), vec![tokens]),
        (is_token(2, "c"), vec![]),
        (is_token(0, "d"), vec![tokens]),
        (passes(Test::Code("d".into())), vec![tokens]),
        (passes(Test::Code("e".into())), vec![]),
        (passes(Test::System(SystemNumber(1))), vec![tokens]),
        (passes(Test::System(SystemNumber::NONE)), vec![tokens]),
        (passes(Test::Is(EntryValue::Uri("c".into()))), vec![uri]),
        (
            passes(Test::Is(EntryValue::Reference(key("later")))),
            vec![reference],
        ),
        (
            passes(Test::Is(EntryValue::Reference(key("never")))),
            vec![],
        ),
        (
            Filter::Ids(vec!["uri".into(), "?".into(), "tokens".into()]),
            vec![tokens, uri],
        ),
        (Filter::Rows(vec![reference, Row(9_999)]), vec![reference]),
        (
            Filter::Not(Box::new(is_token(1, "c"))),
            vec![uri, reference],
        ),
        (
            Filter::All(vec![all, Filter::Not(Box::new(Filter::Any(vec![])))]),
            vec![tokens, uri, reference],
        ),
        (
            Filter::Any(vec![
                is_token(1, "c"),
                is_token(0, "d"),
                Filter::Rows(vec![uri]),
            ]),
            vec![tokens, uri],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(
            bench.found(&plan(filter.clone())).await,
            expected,
            "{filter:?}"
        );
    }
    bench
        .change(vec![
            put(key("tokens"), "no entries now"),
            delete(key("uri")),
        ])
        .await;
    bench.pause().await;
    assert_eq!(bench.found(&plan(passes(Test::Present))).await, [reference]);
    assert_eq!(
        bench.found(&plan(Filter::Ids(vec!["uri".into()]))).await,
        []
    );
}

pub(super) async fn pages_and_totals(bench: &Bench) {
    let other = TypeNumber(2);
    let changes = (0..30).map(|n| {
        let kind = if n % 3 == 0 { other } else { KIND };
        let version = NewVersion {
            entries: vec![token(1, 1, "c")],
            ..body("x")
        };
        put_version(key_in(KEPT, kind, &n.to_string()), version)
    });
    bench.change(changes.collect()).await;
    bench
        .change(vec![put_version(
            key("late"),
            NewVersion {
                entries: vec![token(1, 1, "c")],
                ..body("x")
            },
        )])
        .await;
    bench.pause().await;
    let view = bench.newest().await;
    let first = Plan {
        parts: vec![part(other, is_token(1, "c")), part(KIND, is_token(1, "c"))],
        limit: 7,
        total: Total::Accurate,
        not_later_than: Some(30),
        ..plan(is_token(1, "c"))
    };
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let found = must(
            view.search(&Plan {
                after: after.take(),
                ..first.clone()
            })
            .await,
        );
        assert_eq!(
            found.total,
            Some(31),
            "`after`, `not_later_than` and `limit` aside"
        );
        rows.extend(found.rows.iter().copied());
        after = found.last;
        assert_eq!(found.more, rows.len() < 30);
        if !found.more {
            break;
        }
    }
    assert!(rows.windows(2).all(|pair| pair[0].1 < pair[1].1));
    assert_eq!(rows.iter().filter(|(kind, _)| *kind == other).count(), 10);
    counted(&*view, first).await;
}

async fn counted(view: &dyn View, first: Plan) {
    let counted = must(
        view.search(&Plan {
            limit: 0,
            not_later_than: None,
            ..first
        })
        .await,
    );
    assert_eq!(
        (counted.rows.len(), counted.more, counted.total),
        (0, false, Some(31))
    );
    let everything = Plan {
        total: Total::Accurate,
        limit: 0,
        ..plan(Filter::All(vec![]))
    };
    assert_eq!(must(view.search(&everything).await).total, Some(21));
}

pub(super) async fn only_the_newest_is_searched(bench: &Bench) {
    bench.change(vec![put(key("a"), "1")]).await;
    bench.change(vec![put(key("b"), "1")]).await;
    bench.pause().await;
    let past = must(
        bench
            .store()
            .view(&tenant(), At::Position(Position(1)))
            .await,
    );
    let error = refused(past.search(&plan(Filter::All(vec![]))).await);
    assert_eq!(error, StoreError::NotNewest);
}

pub(super) async fn referrers_of_records_that_come_later(bench: &Bench) {
    let rows = three(bench).await;
    let referrers = || async {
        must(
            bench
                .newest()
                .await
                .referrers(&key("later"), None, 10)
                .await,
        )
    };
    assert_eq!(referrers().await, [(KIND, rows[2])]);
    let done = bench.change(vec![put(key("later"), "here")]).await;
    assert!(!rows.contains(&done.written[0].row));
    bench.pause().await;
    assert_eq!(referrers().await, [(KIND, rows[2])]);
    let by_reference = plan(passes(Test::Is(EntryValue::Reference(key("later")))));
    assert_eq!(bench.found(&by_reference).await, [rows[2]]);
    bench.change(vec![delete(key("reference"))]).await;
    assert_eq!(referrers().await, []);
    assert_eq!(
        must(bench.newest().await.referrers(&key("?"), None, 10).await),
        []
    );
}

/// Whatever referred to a record before it was there leaves no trace in its place.
pub(super) async fn without_a_sort_the_order_is_that_of_creation(bench: &Bench) {
    let refers = |id: &str, to: &[&str]| {
        let to = to.iter().map(|id| key(id));
        let version = NewVersion {
            references: to.clone().collect(),
            entries: to.map(|to| entry(1, EntryValue::Reference(to))).collect(),
            ..body("x")
        };
        put_version(key(id), version)
    };
    let purge = |id: &str| change(key(id), Expected::Any, Action::Purge);
    let life = [
        (vec![refers("x", &["late", "later"])], "x"),
        (
            vec![
                put(key("a"), "1"),
                refers("later", &["late", "y"]),
                put(key("late"), "1"),
            ],
            "x a later late",
        ),
        // Within a commit, too.
        (
            vec![refers("m", &["n"]), put(key("o"), "1"), put(key("n"), "1")],
            "x a later late m o n",
        ),
        (vec![delete(key("a"))], "x later late m o n"),
        (
            vec![put(key("a"), "2"), put(key("y"), "1")],
            "x a later late m o n y",
        ),
        (vec![purge("late")], "x a later m o n y"),
        (
            vec![put(key("z"), "1"), put(key("late"), "2")],
            "x a later m o n y z late",
        ),
        (vec![purge("late"), purge("a")], "x later m o n y z"),
        (
            vec![put(key("late"), "3"), put(key("a"), "3")],
            "x later m o n y z late a",
        ),
    ];
    for (changes, expected) in life {
        bench.change(changes).await;
        bench.pause().await;
        assert_eq!(ids(bench, &plan(Filter::All(vec![]))).await, expected);
        let to_late = passes(Test::Is(EntryValue::Reference(key("late"))));
        let to_late = ids(bench, &plan(to_late)).await;
        assert_eq!(to_late, if expected == "x" { "x" } else { "x later" });
    }
    let chained = Filter::RefersTo {
        parameter: ParameterNumber(1),
        names: None,
        targets: vec![Target {
            kind: KIND,
            names: None,
            filter: Filter::Ids(vec!["late".into()]),
        }],
    };
    assert_eq!(ids(bench, &plan(chained)).await, "x later");
    let referred = Filter::ReferredToBy {
        kind: KIND,
        parameter: ParameterNumber(1),
        names: None,
        filter: Box::new(Filter::EVERYTHING),
    };
    assert_eq!(ids(bench, &plan(referred)).await, "later n y late");
}
