//! Conditions on every kind of value, each in a few lines that can be followed by hand.

use std::ops::Bound::{Excluded, Included, Unbounded};

use search::entry::named_part;

use super::KEPT;
use super::bench::{
    Bench, KIND, body, change, changes_of, delete, entry, ids, key, key_in, must, part, plan, put,
    put_version, refused, tenant, token,
};
use crate::{
    Action, At, Change, Direction, Effect, Entry, EntryValue, Expected, Filter, Magnitude, Member,
    Names, NewVersion, ParameterNumber, Place, Plan, Position, Precondition, RecordKey, Row,
    SortBy, StoreError, Target, Test, Total, TypeNumber, UnitNumber,
};

const OTHER_KIND: TypeNumber = TypeNumber(2);

fn with(key: RecordKey, entries: Vec<Entry>) -> Change {
    let version = NewVersion {
        entries,
        ..body("x")
    };
    put_version(key, version)
}

fn on(parameter: u32, test: Test) -> Filter {
    Filter::Entry {
        parameter: ParameterNumber(parameter),
        test,
    }
}

async fn check(bench: &Bench, cases: Vec<(Filter, &str)>) {
    check_in(bench, &[KIND], cases).await;
}

async fn check_in(bench: &Bench, kinds: &[TypeNumber], cases: Vec<(Filter, &str)>) {
    let plan = |filter: Filter| Plan {
        parts: kinds.iter().map(|it| part(*it, filter.clone())).collect(),
        ..plan(Filter::EVERYTHING)
    };
    for (number, (filter, expected)) in cases.into_iter().enumerate() {
        let found = ids(bench, &plan(filter.clone())).await;
        assert_eq!(found, expected, "case {number}: {filter:?}");
        let rest = ids(bench, &plan(Filter::Not(Box::new(filter.clone())))).await;
        let distinct: std::collections::BTreeSet<_> =
            found.split(' ').chain(rest.split(' ')).collect();
        let count = bench.found(&plan(Filter::EVERYTHING)).await.len();
        let named = distinct.iter().filter(|id| !id.is_empty()).count();
        assert_eq!(named, count, "case {number}: it matches or it does not");
    }
}

fn text(folded: &str, exact: &str) -> EntryValue {
    EntryValue::Text {
        folded: folded.into(),
        exact: exact.into(),
    }
}

pub(super) async fn texts_and_uris(bench: &Bench) {
    let uri = |text: &str| EntryValue::Uri(text.into());
    let changes = vec![
        with(
            key("Anna"),
            vec![entry(1, text("anna", "Anna")), entry(2, uri("urn:a"))],
        ),
        with(
            key("anna"),
            vec![entry(1, text("anna", "anna")), entry(2, uri("urn:a:b"))],
        ),
        with(
            key("Joanna"),
            vec![entry(1, text("jo anna", "Jo Anna")), entry(2, uri("urn:b"))],
        ),
        with(key("none"), vec![entry(1, EntryValue::Valueless)]),
    ];
    bench.change(changes).await;
    bench.pause().await;
    let cases = vec![
        (on(1, Test::TextStarts("ann".into())), "Anna anna"),
        (on(1, Test::TextStarts("".into())), "Anna anna Joanna"),
        (on(1, Test::TextStarts("anna ".into())), ""),
        (on(1, Test::TextContains("anna".into())), "Anna anna Joanna"),
        (on(1, Test::TextContains("o a".into())), "Joanna"),
        (on(1, Test::TextIs("Anna".into())), "Anna"),
        (on(1, Test::TextIs("ANNA".into())), ""),
        (on(1, Test::Is(text("anna", "anna"))), "anna"),
        (on(1, Test::Present), "Anna anna Joanna none"),
        (on(1, Test::Is(EntryValue::Valueless)), "none"),
        (on(2, Test::UriStarts("urn:a".into())), "Anna anna"),
        (on(2, Test::Is(uri("urn:a"))), "Anna"),
        (on(2, Test::TextStarts("urn".into())), ""),
    ];
    check(bench, cases).await;
}

pub(super) async fn periods(bench: &Bench) {
    let period = |low, high| vec![entry(1, EntryValue::Period { low, high })];
    let long = 1 << 40;
    let changes = vec![
        with(key("instant"), period(10, 10)),
        with(key("short"), period(10, 19)),
        with(key("long"), period(10, 10 + long)),
        with(key("since"), period(10, i64::MAX)),
        with(key("until"), period(i64::MIN, 10)),
        with(key("always"), period(i64::MIN, i64::MAX)),
    ];
    bench.change(changes).await;
    bench.pause().await;
    let any = (Unbounded, Unbounded);
    let within = |low, high| on(1, Test::Period { low, high });
    let cases = vec![
        (within(any, any), "instant short long since until always"),
        (
            within((Included(10), Unbounded), any),
            "instant short long since",
        ),
        (within((Excluded(10), Unbounded), any), ""),
        (within(any, (Unbounded, Included(10))), "instant until"),
        (within(any, (Unbounded, Excluded(10))), ""),
        (
            within(any, (Excluded(10), Unbounded)),
            "short long since always",
        ),
        (within(any, (Excluded(19), Unbounded)), "long since always"),
        (within((Unbounded, Excluded(10)), any), "until always"),
        (
            within((Included(10), Unbounded), (Unbounded, Included(19))),
            "instant short",
        ),
        (
            within((Unbounded, Included(15)), (Included(15), Unbounded)),
            "short long since always",
        ),
        (within((Excluded(i64::MAX), Unbounded), any), ""),
        (within((Included(11), Included(9)), any), ""),
        (
            within((Included(i64::MIN), Included(i64::MIN)), any),
            "until always",
        ),
    ];
    check(bench, cases).await;
}

fn number(unit: u32, low: Magnitude, high: Magnitude) -> EntryValue {
    EntryValue::Number {
        unit: UnitNumber(unit),
        low,
        high,
    }
}

fn at(byte: u8) -> Magnitude {
    Magnitude(Box::new([byte]))
}

pub(super) async fn numbers(bench: &Bench) {
    let number = |unit, low, high| vec![entry(1, number(unit, low, high))];
    let changes = vec![
        with(key("5"), number(1, at(5), at(5))),
        with(key("7"), number(1, at(7), at(7))),
        with(key("5-7"), number(1, at(5), at(7))),
        with(key("7-"), number(1, at(7), Magnitude::greatest())),
        with(key("other"), number(2, at(5), at(5))),
    ];
    bench.change(changes).await;
    bench.pause().await;
    let any = || (Unbounded, Unbounded);
    let within = |low, high| {
        let unit = UnitNumber(1);
        on(1, Test::Number { unit, low, high })
    };
    let cases = vec![
        (within(any(), any()), "5 7 5-7 7-"),
        (within((Included(at(5)), Excluded(at(7))), any()), "5 5-7"),
        (
            within((Included(at(5)), Unbounded), (Unbounded, Excluded(at(7)))),
            "5",
        ),
        (within(any(), (Excluded(at(5)), Unbounded)), "7 5-7 7-"),
        (within(any(), (Included(at(7)), Included(at(7)))), "7 5-7"),
        (within((Excluded(at(7)), Unbounded), any()), ""),
        (within(any(), (Unbounded, Included(at(5)))), "5"),
        (
            within((Included(at(7)), Unbounded), (Unbounded, Included(at(5)))),
            "",
        ),
    ];
    check(bench, cases).await;
}

pub(super) async fn places(bench: &Bench) {
    let place = |latitude, longitude| Place {
        latitude,
        longitude,
    };
    let (munich, berlin) = (
        place(481_372_000, 115_755_000),
        place(525_200_000, 134_050_000),
    );
    let fiji = place(-178_000_000, -1_799_000_000);
    let located = |at| vec![entry(2, EntryValue::Place(at))];
    let changes = vec![
        with(key("munich"), located(munich)),
        with(key("berlin"), located(berlin)),
        with(key("fiji"), located(fiji)),
        with(key("nowhere"), vec![entry(2, EntryValue::Valueless)]),
    ];
    bench.change(changes).await;
    bench.pause().await;
    let near = |place, metres| on(2, Test::Near { place, metres });
    let cases = vec![
        (near(munich, 0), "munich"),
        (near(munich, 503_000), "munich"),
        (near(munich, 506_000), "munich berlin"),
        (near(place(-178_000_000, 1_799_000_000), 22_000), "fiji"),
        (near(munich, u32::MAX), "munich berlin fiji"),
    ];
    check(bench, cases).await;
}

pub(super) async fn groups(bench: &Bench) {
    let grouped = |group, entry: Entry| Entry { group, ..entry };
    let changes = vec![
        with(
            key("same"),
            vec![grouped(1, token(1, 1, "a")), grouped(1, token(2, 1, "b"))],
        ),
        with(
            key("apart"),
            vec![grouped(1, token(1, 1, "a")), grouped(2, token(2, 1, "b"))],
        ),
        with(key("first"), vec![token(1, 1, "a"), token(2, 1, "b")]),
        with(key("half"), vec![token(1, 1, "a")]),
    ];
    bench.change(changes).await;
    bench.pause().await;
    let member = |parameter, codes: &[&str]| Member {
        parameter: ParameterNumber(parameter),
        any_of: codes
            .iter()
            .map(|code| Test::Code((*code).into()))
            .collect(),
    };
    let cases = vec![
        (
            Filter::Together(vec![member(1, &["a"]), member(2, &["b"])]),
            "same first",
        ),
        (
            Filter::Together(vec![member(1, &["x", "a"])]),
            "same apart first half",
        ),
        (
            Filter::Together(vec![member(1, &["a"]), member(2, &[])]),
            "",
        ),
        (
            Filter::All(vec![
                on(1, Test::Code("a".into())),
                on(2, Test::Code("b".into())),
            ]),
            "same apart first",
        ),
    ];
    check(bench, cases).await;
}

/// Records with entries in parts.
async fn parted(bench: &Bench) {
    let inside = |part: u32, group: u32, entry: Entry| Entry {
        group: part << 16 | group,
        ..entry
    };
    let (a, b) = (token(1, 1, "a"), token(2, 1, "b"));
    let changes = vec![
        with(
            key("one"),
            vec![inside(1, 0, a.clone()), inside(1, 1, b.clone())],
        ),
        with(
            key("two"),
            vec![inside(1, 0, a.clone()), inside(2, 0, b.clone())],
        ),
        with(
            key("group"),
            vec![inside(3, 7, a.clone()), inside(3, 7, b.clone())],
        ),
        with(key("whole"), vec![a.clone(), inside(1, 0, b.clone())]),
        with(
            key("refers"),
            vec![
                inside(1, 0, a),
                inside(2, 0, entry(1, EntryValue::Reference(key("one")))),
            ],
        ),
        with(key("none"), vec![b]),
        with(
            key_in(KEPT, OTHER_KIND, "beside"),
            vec![
                inside(1, 0, token(2, 1, "first")),
                inside(2, 0, token(2, 1, "second")),
                inside(2, 0, entry(3, named_part(1))),
                inside(3, 0, token(2, 1, "third")),
                inside(3, 0, entry(3, named_part(2))),
                token(2, 1, "itself"),
                entry(3, named_part(1)),
            ],
        ),
    ];
    bench.change(changes).await;
}

async fn beside(bench: &Bench) {
    let code = |code: &str| on(2, Test::Code(code.into()));
    let inside = |all| Filter::Inside(Box::new(Filter::All(all)));
    let beside = |all| Filter::Beside {
        parameter: ParameterNumber(3),
        filter: Box::new(Filter::All(all)),
    };
    let cases = vec![
        (
            inside(vec![code("first"), beside(vec![code("second")])]),
            "beside",
        ),
        (inside(vec![code("first"), beside(vec![code("third")])]), ""),
        (
            inside(vec![code("second"), beside(vec![code("first")])]),
            "",
        ),
        (inside(vec![beside(vec![code("third")])]), "beside"),
        (
            inside(vec![beside(vec![beside(vec![code("third")])])]),
            "beside",
        ),
        (inside(vec![beside(vec![beside(vec![code("second")])])]), ""),
        (
            inside(vec![Filter::Not(Box::new(beside(vec![])))]),
            "beside",
        ),
        // The record itself is no part, and none refers to it.
        (beside(vec![code("second")]), ""),
        (inside(vec![beside(vec![code("itself")])]), ""),
    ];
    check_in(bench, &[OTHER_KIND], cases).await;
}

pub(super) async fn parts(bench: &Bench) {
    parted(bench).await;
    bench.pause().await;
    beside(bench).await;
    let code = |slot, code: &str| on(slot, Test::Code(code.into()));
    let inside = |filter| Filter::Inside(Box::new(filter));
    let member = |slot, code: &str| Member {
        parameter: ParameterNumber(slot),
        any_of: vec![Test::Code(code.into())],
    };
    let both = || vec![code(1, "a"), code(2, "b")];
    let not_b = || Filter::Not(Box::new(code(2, "b")));
    let to = Filter::RefersTo {
        parameter: ParameterNumber(1),
        names: None,
        targets: vec![Target {
            kind: KIND,
            names: None,
            filter: Filter::EVERYTHING,
        }],
    };
    let cases = vec![
        (inside(code(1, "a")), "one two group refers"),
        (inside(code(2, "b")), "one two group whole"),
        (inside(Filter::All(both())), "one group"),
        (inside(Filter::Any(both())), "one two group whole refers"),
        (
            inside(Filter::All(vec![code(1, "a"), not_b()])),
            "two refers",
        ),
        (inside(not_b()), "two refers"),
        (inside(Filter::EVERYTHING), "one two group whole refers"),
        (
            inside(Filter::Together(vec![member(1, "a"), member(2, "b")])),
            "group",
        ),
        (inside(inside(code(1, "a"))), ""),
        (inside(to.clone()), "refers"),
        (inside(Filter::All(vec![to, code(1, "a")])), ""),
        (
            inside(Filter::Ids(vec!["one".into(), "none".into()])),
            "one",
        ),
        (Filter::All(both()), "one two group whole"),
    ];
    check(bench, cases).await;
}

/// A third type refers to the second, which refers to the first; some of them are not there.
async fn family(bench: &Bench) {
    let refers = |to: RecordKey| entry(1, EntryValue::Reference(to));
    let child = |id: &str| key_in(KEPT, OTHER_KIND, id);
    let changes = vec![
        with(key("a"), vec![token(2, 1, "red")]),
        with(key("b"), vec![token(2, 1, "blue"), refers(key("a"))]),
        with(
            key("c"),
            vec![token(2, 1, "red"), refers(key("b")), refers(key("gone"))],
        ),
        with(key("gone"), vec![token(2, 1, "red")]),
        with(key("d"), vec![refers(key("gone")), refers(key("never"))]),
        with(child("x"), vec![refers(key("a")), token(2, 1, "red")]),
        with(child("y"), vec![refers(key("b")), refers(child("x"))]),
        with(child("z"), vec![refers(key("d"))]),
    ];
    bench.change(changes).await;
    bench
        .change(vec![delete(key("gone")), delete(child("z"))])
        .await;
}

pub(super) async fn chains(bench: &Bench) {
    family(bench).await;
    bench.pause().await;
    let red = || on(2, Test::Code("red".into()));
    let to = |targets: Vec<(TypeNumber, Filter)>| {
        let target = |(kind, filter)| Target {
            kind,
            names: None,
            filter,
        };
        Filter::RefersTo {
            parameter: ParameterNumber(1),
            names: None,
            targets: targets.into_iter().map(target).collect(),
        }
    };
    let by = |kind, filter| Filter::ReferredToBy {
        kind,
        parameter: ParameterNumber(1),
        names: None,
        filter: Box::new(filter),
    };
    let all = || Filter::EVERYTHING;
    let cases = vec![
        (to(vec![(KIND, all())]), "b c"),
        (to(vec![(KIND, red())]), "b"),
        (to(vec![(OTHER_KIND, all())]), ""),
        (to(vec![(KIND, to(vec![(KIND, red())]))]), "c"),
        (
            to(vec![
                (OTHER_KIND, all()),
                (KIND, Filter::Ids(vec!["b".into()])),
            ]),
            "c",
        ),
        (to(vec![(KIND, Filter::Not(Box::new(red())))]), "c"),
        (by(KIND, all()), "a b"),
        (by(OTHER_KIND, all()), "a b"),
        (by(OTHER_KIND, red()), "a"),
        (by(OTHER_KIND, to(vec![(OTHER_KIND, all())])), "b"),
        (by(KIND, by(KIND, all())), "a"),
        (Filter::All(vec![by(KIND, all()), red()]), "a"),
    ];
    check(bench, cases).await;
    let kinds = Plan {
        parts: vec![
            part(KIND, to(vec![(KIND, red())])),
            part(OTHER_KIND, to(vec![(KIND, all()), (OTHER_KIND, red())])),
        ],
        ..plan(all())
    };
    assert_eq!(ids(bench, &kinds).await, "b x y");
}

/// Records of two types that have names, and some that refer by these.
async fn named(bench: &Bench) {
    let uri = |slot, name: &str| entry(slot, EntryValue::Uri(name.into()));
    let child = |id: &str| key_in(KEPT, OTHER_KIND, id);
    let refers = |to: RecordKey| entry(1, EntryValue::Reference(to));
    let changes = vec![
        with(
            key("a"),
            vec![uri(4, "n"), uri(4, "n|1"), token(2, 1, "red")],
        ),
        with(key("b"), vec![uri(4, "n"), uri(4, "n|2"), refers(key("a"))]),
        with(
            key("c"),
            vec![uri(3, "n|2"), uri(3, "m"), token(2, 1, "red")],
        ),
        with(key("gone"), vec![uri(4, "n"), token(2, 1, "red")]),
        with(
            key("code"),
            vec![token(3, 0, "n"), entry(3, EntryValue::Valueless)],
        ),
        with(
            child("v"),
            vec![entry(4, EntryValue::Valueless), uri(1, "n")],
        ),
        with(child("w"), vec![uri(5, "m"), uri(4, "o")]),
        with(child("x"), vec![uri(3, "n"), token(2, 1, "red")]),
        with(
            child("y"),
            vec![uri(3, "n|1"), uri(1, "n|2"), refers(key("b"))],
        ),
        with(child("z"), vec![uri(3, "n|2")]),
    ];
    bench.change(changes).await;
    let gone = vec![delete(key("gone")), delete(child("z"))];
    bench.change(gone).await;
}

/// Slot 3 has names by which a record refers; slot 4 those of a record, slot 5 those of another.
pub(super) async fn references_by_name(bench: &Bench) {
    named(bench).await;
    bench.pause().await;
    let red = || on(2, Test::Code("red".into()));
    let all = || Filter::EVERYTHING;
    let to = |targets: Vec<(TypeNumber, u32, Filter)>| Filter::RefersTo {
        parameter: ParameterNumber(1),
        names: Some(ParameterNumber(3)),
        targets: targets.into_iter().map(target).collect(),
    };
    let by = |kind, filter| Filter::ReferredToBy {
        kind,
        parameter: ParameterNumber(1),
        names: Some(Names {
            given: ParameterNumber(3),
            own: ParameterNumber(4),
        }),
        filter: Box::new(filter),
    };
    let cases = vec![
        (to(vec![(KIND, 4, all())]), "b c x y"),
        (to(vec![(KIND, 4, red())]), "b x y"),
        (to(vec![(KIND, 4, Filter::Not(Box::new(red())))]), "c x y"),
        (to(vec![(OTHER_KIND, 4, all())]), ""),
        (to(vec![(OTHER_KIND, 5, all())]), "c"),
        (
            to(vec![(KIND, 4, red()), (OTHER_KIND, 5, all())]),
            "b c x y",
        ),
        (to(vec![(KIND, 4, to(vec![(KIND, 4, red())]))]), "c x y"),
        (by(KIND, all()), "a b"),
        (by(KIND, red()), "b"),
        (by(OTHER_KIND, all()), "a b"),
        (by(OTHER_KIND, Filter::Ids(vec!["y".into()])), "a b"),
        (by(OTHER_KIND, red()), "a b"),
        (by(KIND, by(KIND, all())), "a"),
        (Filter::All(vec![by(OTHER_KIND, all()), red()]), "a"),
    ];
    check_in(bench, &[KIND, OTHER_KIND], cases).await;
}

fn target((kind, names, filter): (TypeNumber, u32, Filter)) -> Target {
    Target {
        kind,
        names: Some(ParameterNumber(names)),
        filter,
    }
}

async fn one_by_one(bench: &Bench, mut sorted: Plan) -> String {
    sorted.limit = 1;
    let mut pages = Vec::new();
    loop {
        let found = must(bench.newest().await.search(&sorted).await);
        assert_eq!(found.total, Some(5));
        pages.push(ids(bench, &sorted).await);
        sorted.after = found.last;
        if !found.more {
            return pages.join(" ");
        }
    }
}

pub(super) async fn order_and_pages(bench: &Bench) {
    let number = |byte: u8| entry(2, number(1, at(byte), at(byte)));
    let changes = vec![
        with(key("a"), vec![entry(1, text("x", "x")), number(1)]),
        with(
            key("b"),
            vec![entry(1, text("x", "x")), number(3), number(2)],
        ),
        with(
            key("c"),
            vec![entry(1, text("a", "a")), entry(1, text("z", "z"))],
        ),
        with(key("d"), vec![number(9)]),
        with(key("e"), vec![entry(1, EntryValue::Valueless), number(5)]),
    ];
    for change in changes {
        bench.clock.advance(10);
        bench.change(vec![change]).await;
    }
    bench
        .change(vec![put(key_in(KEPT, OTHER_KIND, "o"), "x")])
        .await;
    bench.pause().await;
    let (up, down) = (Direction::Ascending, Direction::Descending);
    let slot = |number| SortBy::Entry(ParameterNumber(number));
    let cases = [
        (vec![(slot(1), up)], "c a b d e"),
        (vec![(slot(1), down)], "c a b d e"),
        (vec![(slot(2), up)], "a b e d c"),
        (vec![(slot(2), down)], "d e b a c"),
        (vec![(slot(1), up), (slot(2), down)], "c b a d e"),
        (vec![(slot(1), down), (slot(2), up)], "c a b e d"),
        (vec![(SortBy::Id, down)], "e d c b a"),
        (vec![(SortBy::Updated, down)], "e d c b a"),
        (
            vec![(SortBy::Nothing, down), (SortBy::Updated, up)],
            "a b c d e",
        ),
    ];
    for (by, expected) in cases {
        let mut sorted = Plan {
            order: by.iter().map(|(_, direction)| *direction).collect(),
            total: Total::Accurate,
            ..plan(Filter::EVERYTHING)
        };
        sorted.parts[0].sort = by.into_iter().map(|(by, _)| by).collect();
        assert_eq!(ids(bench, &sorted).await, expected, "{sorted:?}");
        assert_eq!(one_by_one(bench, sorted).await, expected);
    }
}

pub(super) async fn partitions_times_and_explanations(bench: &Bench) {
    for n in 0..20 {
        bench.clock.advance(1_000);
        bench
            .change(vec![with(key(&format!("{n:02}")), vec![token(1, 1, "c")])])
            .await;
    }
    bench.clock.advance(1_000);
    bench
        .change(vec![put(key("03"), "again"), delete(key("04"))])
        .await;
    bench.pause().await;
    let all = bench.found(&plan(Filter::EVERYTHING)).await;
    let mut parted = Vec::new();
    for part in 0..3 {
        let filter = Filter::Partition { part, of: 3 };
        parted.extend(bench.found(&plan(filter)).await);
    }
    parted.sort_unstable();
    assert_eq!(parted, all, "disjoint and complete");
    let record = bench.read(&key("10")).await.expect("it is there");
    let at = record.time.0;
    let cases = vec![
        (Filter::Updated((Included(at), Included(at))), "10"),
        (
            Filter::Updated((Included(at - 2_000), Excluded(at))),
            "08 09",
        ),
        (Filter::Updated((Excluded(at + 8_000), Unbounded)), "03 19"),
        (
            Filter::Updated((Unbounded, Included(at - 6_000))),
            "00 01 02",
        ),
        (Filter::Updated((Excluded(i64::MAX), Unbounded)), ""),
    ];
    for (filter, expected) in cases {
        assert_eq!(ids(bench, &plan(filter)).await, expected);
    }
    let explained = plan(Filter::All(vec![
        on(1, Test::Code("c".into())),
        Filter::Partition { part: 0, of: 1 },
    ]));
    let explanation = must(bench.newest().await.explain(&explained).await);
    let inner = &explanation.parts[0].parts[0];
    let actual: Vec<_> = inner.parts.iter().map(|part| part.actual).collect();
    assert_eq!((explanation.actual, actual), (18, vec![18, 19]));
}

pub(super) async fn indexed_anew(bench: &Bench) {
    let done = bench
        .change(vec![
            with(key("a"), vec![token(1, 1, "old")]),
            put(key("b"), "x"),
            put(key("c"), "x"),
        ])
        .await;
    bench.change(vec![delete(key("c"))]).await;
    let before = bench.newest().await;
    let index = |id: &str, expected| {
        let action = Action::Index {
            entries: vec![
                token(1, 1, "new"),
                entry(2, EntryValue::Reference(key("b"))),
            ],
            references: vec![key("b")],
        };
        change(key(id), expected, action)
    };
    let version = |number| Expected::Version(crate::VersionNumber(number));
    refused(
        bench
            .try_commit(changes_of(vec![index("a", version(2))]))
            .await,
    );
    let answer = bench
        .change(vec![
            index("a", version(1)),
            index("c", Expected::Any),
            index("?", Expected::Any),
        ])
        .await;
    let effects: Vec<_> = answer.written.iter().map(|it| it.effect).collect();
    assert_eq!(effects, [Effect::Indexed, Effect::Nothing, Effect::Nothing]);
    assert!(
        answer
            .written
            .iter()
            .all(|written| written.position.is_none())
    );
    assert_eq!(answer.transaction, 0);
    let old = plan(on(1, Test::Code("old".into())));
    let held = must(before.search(&old).await);
    assert_eq!(held.rows.len(), 1, "a view never changes");
    drop(before);
    bench.pause().await;
    let view = bench.newest().await;
    assert_eq!(view.position(), Position(4), "no ledger entry");
    assert_eq!(bench.read(&key("a")).await.map(|it| it.version.0), Some(1));
    let code = |code: &str| plan(on(1, Test::Code(code.into())));
    let row = done.written[0].row;
    assert_eq!(bench.found(&code("new")).await, [row]);
    assert_eq!(bench.found(&code("old")).await, []);
    assert_eq!(
        must(view.referrers(&key("b"), None, 9).await),
        [(KIND, row)]
    );
    decided_before(bench, &code("old"), row).await;
}

/// A decision that was based on what was found before is to be made again.
async fn decided_before(bench: &Bench, plan: &Plan, row: Row) {
    let matches = Precondition::Matches {
        plan: plan.clone(),
        rows: vec![row],
        position: Position(3),
    };
    let commit = crate::Commit {
        preconditions: vec![matches],
        ..changes_of(vec![put(key("d"), "x")])
    };
    assert_eq!(refused(bench.try_commit(commit).await), StoreError::Stale);
}

pub(super) async fn entries_of_rows(bench: &Bench) {
    let mine = vec![
        entry(2, EntryValue::Reference(key("b"))),
        Entry {
            group: 3,
            ..token(1, 1, "z")
        },
        token(1, 1, "a"),
        token(3, 1, "a"),
    ];
    let done = bench
        .change(vec![
            with(key("a"), mine.clone()),
            put(key("b"), "x"),
            put(key("c"), "x"),
        ])
        .await;
    bench.change(vec![delete(key("c"))]).await;
    bench.pause().await;
    let rows: Vec<Row> = done.written.iter().map(|written| written.row).collect();
    let slots = [ParameterNumber(2), ParameterNumber(1), ParameterNumber(9)];
    let asked = [
        (KIND, rows[0]),
        (OTHER_KIND, rows[0]),
        (KIND, rows[1]),
        (KIND, rows[2]),
    ];
    let found = must(bench.newest().await.entries(KEPT, &asked, &slots).await);
    let expected = vec![mine[2].clone(), mine[1].clone(), mine[0].clone()];
    assert_eq!(found, [expected, vec![], vec![], vec![]]);
    let past = must(
        bench
            .store()
            .view(&tenant(), At::Position(Position(1)))
            .await,
    );
    assert_eq!(
        refused(past.entries(KEPT, &asked, &slots).await),
        StoreError::NotNewest
    );
    assert_eq!(
        refused(past.explain(&plan(Filter::EVERYTHING)).await),
        StoreError::NotNewest
    );
}
