//! Many records with few values: long lists of one value, ties in the order, much that refers to one
//! record. What a provider does only where there is much of something shows here.

use std::ops::Bound::{Excluded, Included, Unbounded};

use super::KEPT;
use super::bench::{Bench, body, delete, entry, key_in, must, part, plan, put_version, token};
use super::model::Model;
use crate::{
    Change, Direction, Entry, EntryValue, Filter, Magnitude, Member, NewVersion, ParameterNumber,
    Part, Plan, RecordKey, SortBy, SystemNumber, Target, Test, Total, TypeNumber, UnitNumber,
};

const MANY: TypeNumber = TypeNumber(1);
const RECORDS: u32 = 400;

/// Records that the many refer to.
const HUB: TypeNumber = TypeNumber(2);
const HUBS: u32 = 7;

const DAY: i64 = 86_400_000_000;

fn many(number: u32) -> RecordKey {
    key_in(KEPT, MANY, &number.to_string())
}

fn hub(number: u32) -> RecordKey {
    key_in(KEPT, HUB, &number.to_string())
}

fn refers(slot: u32, to: RecordKey) -> Entry {
    entry(slot, EntryValue::Reference(to))
}

fn day(number: u32) -> i64 {
    i64::from(number) * DAY
}

fn period(slot: u32, first: u32, days: i64) -> Entry {
    let low = day(first);
    let high = low + days * DAY - 1;
    entry(slot, EntryValue::Period { low, high })
}

fn magnitude(number: u32) -> Magnitude {
    Magnitude(Box::new([u8::try_from(number % 100).expect("small")]))
}

/// A code and an amount that belong together.
fn measured(number: u32, group: u32, code: &str) -> [Entry; 2] {
    let low = magnitude(number);
    let amount = EntryValue::Number {
        unit: UnitNumber(1),
        high: low.clone(),
        low,
    };
    [token(6, 1, code), entry(7, amount)].map(|entry| Entry { group, ..entry })
}

/// Slot 1: nearly the same for all. 2: days, mostly of one record each. 3: a hub. 4: another of the
/// many. 5: one of a few codes. 6 and 7: codes with amounts.
fn one_of_many(number: u32) -> Vec<Entry> {
    let mut entries = vec![
        token(1, 1, if number.is_multiple_of(20) { "b" } else { "a" }),
        refers(3, hub(number % HUBS)),
        token(5, 1, ["x", "y", "z", "w"][number.count_ones() as usize % 4]),
    ];
    entries.extend(measured(number, 1, "m"));
    entries.extend(measured(number / 2, 2, "n"));
    match number % 13 {
        0 => {}
        1 => entries.push(period(2, number, 40)),
        2 => entries.extend([period(2, number, 1), period(2, 1_000 - number, 1)]),
        _ => entries.push(period(2, number * 7 % 300, 1)),
    }
    if number.is_multiple_of(3) {
        entries.extend([refers(4, many(number / 2)), token(1, 1, "c")]);
    }
    entries
}

fn a_hub(number: u32) -> Vec<Entry> {
    let code = if number == 5 { "b" } else { "a" };
    vec![token(1, 1, code), refers(4, many(number * 31))]
}

fn put(key: RecordKey, entries: Vec<Entry>) -> Change {
    let version = NewVersion {
        entries,
        ..body("x")
    };
    put_version(key, version)
}

/// Some are written twice, some are deleted.
async fn crowded(bench: &Bench) -> Model {
    let mut model = Model::default();
    let all = (0..RECORDS).map(|it| put(many(it), one_of_many(it)));
    let hubs = (0..HUBS).map(|it| put(hub(it), a_hub(it)));
    let anew = (0..RECORDS).step_by(9);
    let anew = anew.map(|it| put(many(it), one_of_many(it + 1)));
    let gone = (0..RECORDS).skip(3).step_by(17).map(many).chain([hub(3)]);
    let gone = gone.map(delete);
    for changes in [
        all.chain(hubs).collect::<Vec<_>>(),
        anew.collect(),
        gone.collect(),
    ] {
        bench.clock.advance(1_000_000);
        let commit = super::bench::changes_of(changes);
        let answer = must(bench.try_commit(commit.clone()).await);
        model.apply(&commit, &answer);
    }
    bench.pause().await;
    model
}

fn on(parameter: u32, test: Test) -> Filter {
    Filter::Entry {
        parameter: ParameterNumber(parameter),
        test,
    }
}

fn code(slot: u32, code: &str) -> Filter {
    on(slot, Test::Code(code.into()))
}

fn is(slot: u32, code: &str) -> Filter {
    let (system, code) = (SystemNumber(1), code.into());
    on(slot, Test::Is(EntryValue::Token { system, code }))
}

fn not(filter: Filter) -> Filter {
    Filter::Not(Box::new(filter))
}

/// Days of which the first lies within these, from one on and before another one.
fn from_until(from: Option<u32>, until: Option<u32>) -> Filter {
    let from = from.map_or(Unbounded, |it| Included(day(it)));
    let until = until.map_or(Unbounded, |it| Excluded(day(it)));
    let low = (from, until);
    let high = (Unbounded, Unbounded);
    on(2, Test::Period { low, high })
}

fn more_than(number: u32) -> Test {
    Test::Number {
        unit: UnitNumber(1),
        low: (Excluded(magnitude(number)), Unbounded),
        high: (Unbounded, Unbounded),
    }
}

fn measured_more(code: &str, number: u32) -> Filter {
    let member = |parameter, test| Member {
        parameter: ParameterNumber(parameter),
        any_of: vec![test],
    };
    Filter::Together(vec![
        member(6, Test::Code(code.into())),
        member(7, more_than(number)),
    ])
}

fn to(slot: u32, kind: TypeNumber, filter: Filter) -> Filter {
    Filter::RefersTo {
        parameter: ParameterNumber(slot),
        names: None,
        targets: vec![Target {
            kind,
            names: None,
            filter,
        }],
    }
}

fn by(slot: u32, kind: TypeNumber, filter: Filter) -> Filter {
    Filter::ReferredToBy {
        kind,
        parameter: ParameterNumber(slot),
        names: None,
        filter: Box::new(filter),
    }
}

/// Conditions on one of the many.
fn conditions() -> Vec<Filter> {
    let all = || Filter::EVERYTHING;
    vec![
        all(),
        code(1, "a"),
        is(1, "b"),
        not(is(1, "a")),
        not(code(1, "a")),
        not(code(1, "b")),
        not(on(5, Test::Present)),
        not(on(2, Test::Present)),
        Filter::All(vec![code(1, "a"), not(is(5, "x"))]),
        Filter::All(vec![
            code(1, "a"),
            code(5, "z"),
            from_until(Some(100), None),
        ]),
        from_until(None, Some(40)),
        from_until(Some(290), None),
        Filter::All(vec![code(1, "a"), from_until(None, Some(60))]),
        Filter::All(vec![not(code(1, "c")), from_until(Some(30), Some(60))]),
        measured_more("m", 95),
        measured_more("n", 10),
        Filter::All(vec![measured_more("m", 50), code(5, "w")]),
        to(3, HUB, code(1, "b")),
        to(3, HUB, all()),
        to(4, MANY, is(1, "b")),
        to(4, MANY, code(5, "y")),
        by(4, MANY, is(1, "b")),
        by(4, MANY, code(1, "a")),
        by(4, HUB, all()),
        by(4, MANY, by(4, MANY, code(5, "x"))),
        Filter::All(vec![by(4, MANY, by(4, HUB, all())), code(1, "a")]),
        Filter::Any(vec![is(1, "b"), by(4, MANY, not(code(1, "c")))]),
    ]
}

fn orders() -> Vec<Vec<(SortBy, Direction)>> {
    use Direction::{Ascending, Descending};
    let slot = |number| SortBy::Entry(ParameterNumber(number));
    vec![
        vec![],
        vec![(slot(2), Descending)],
        vec![(slot(2), Ascending)],
        vec![(slot(1), Ascending), (slot(2), Descending)],
        vec![
            (slot(1), Descending),
            (slot(5), Descending),
            (SortBy::Id, Ascending),
        ],
        vec![(slot(5), Ascending), (SortBy::Updated, Descending)],
        vec![(slot(5), Descending), (slot(3), Ascending)],
        vec![(slot(1), Ascending), (SortBy::Nothing, Ascending)],
        vec![(SortBy::Updated, Ascending), (slot(2), Ascending)],
    ]
}

fn ordered(filter: Filter, order: &[(SortBy, Direction)]) -> Plan {
    Plan {
        parts: vec![Part {
            sort: order.iter().map(|(by, _)| by.clone()).collect(),
            ..part(MANY, filter)
        }],
        order: order.iter().map(|(_, direction)| *direction).collect(),
        limit: 12,
        total: Total::Accurate,
        ..plan(Filter::EVERYTHING)
    }
}

/// Some pages of each, one after the other and with a leap to where the last ones begin.
pub(super) async fn crowds_equal_the_model(bench: &Bench) {
    let model = crowded(bench).await;
    let view = bench.newest().await;
    for filter in conditions() {
        for order in orders() {
            let mut page = ordered(filter.clone(), &order);
            for limit in [12, 150, 12] {
                page.limit = limit;
                let found = must(view.search(&page).await);
                assert_eq!(found, model.search(&page), "{page:?}");
                page.after = found.last;
                page.total = Total::None;
            }
        }
    }
}

/// Hubs, by the many that refer to them.
pub(super) async fn hubs_of_crowds(bench: &Bench) {
    let model = crowded(bench).await;
    let view = bench.newest().await;
    for filter in conditions() {
        for filter in [by(3, MANY, filter.clone()), not(by(3, MANY, filter))] {
            let page = Plan {
                parts: vec![part(HUB, filter)],
                total: Total::Accurate,
                ..plan(Filter::EVERYTHING)
            };
            let found = must(view.search(&page).await);
            assert_eq!(found, model.search(&page), "{page:?}");
        }
    }
}
