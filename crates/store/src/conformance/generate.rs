//! Random entries and plans over few values, so that much of it meets.

use std::ops::Bound;

use super::bench::{Random, key_in};
use crate::{
    After, Direction, Entry, EntryValue, Filter, Magnitude, Member, Names, ParameterNumber, Part,
    Place, Plan, RecordKey, Row, SortBy, Space, SystemNumber, Target, Test, Total, TypeNumber,
    UnitNumber,
};

const CODES: [&str; 5] = ["a", "b", "a\0b", "", "c"];
const TEXTS: [(&str, &str); 8] = [
    ("anna", "Anna"),
    ("anna", "ANNA"),
    ("anna", "Änna"),
    ("an", "an"),
    ("bob", "Bob"),
    ("bob an", "Bob An"),
    ("", ""),
    ("a\0", "A\0"),
];
const PIECES: [&str; 7] = ["", "n", "an", "bo", "b a", "x", "\0"];
const URIS: [&str; 6] = ["1", "urn:a", "urn:a:b", "urn:b", "", "a"];
const NUMBERS: [&[u8]; 7] = [
    &[],
    &[0x10],
    &[0x10, 0],
    &[0x10, 0, 1],
    &[0x20],
    &[0x7f],
    &[0xff; 2],
];
const METRES: [u32; 5] = [0, 1_000, 600_000, 9_000_000, u32::MAX];
const DAY: i64 = 86_400_000_000;

/// What there is in a tenant that values and plans are about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ground {
    /// Ids of each type, `id0` and so on.
    pub(super) ids: u64,
    /// Rows up to this may be given.
    pub(super) rows: u64,
    /// The newest position.
    pub(super) position: u64,
    /// When the first record was written.
    pub(super) start: i64,
}

/// Slots 1 to 7 hold values of one kind each (5: references and URIs), 8 of all, 9 tokens.
const SLOTS: u64 = 9;

pub(super) fn slot(random: &mut Random) -> ParameterNumber {
    ParameterNumber(number(random, SLOTS) + 1)
}

fn number(random: &mut Random, end: u64) -> u32 {
    u32::try_from(random.below(end)).expect("small")
}

fn one_of<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.index(of.len())]
}

pub(super) fn key(random: &mut Random, ground: Ground, space: Space) -> RecordKey {
    let kind = kind(random);
    let id = format!("id{}", random.below(ground.ids));
    key_in(space, kind, &id)
}

fn kind(random: &mut Random) -> TypeNumber {
    TypeNumber(number(random, 2) + 1)
}

pub(super) fn entry(random: &mut Random, ground: Ground, space: Space) -> Entry {
    let parameter = slot(random);
    let (part, group) = match random.below(4) {
        0 | 1 => (0, 0),
        2 => (0, number(random, 3)),
        _ => (number(random, 3), number(random, 2)),
    };
    Entry {
        parameter,
        group: part << 16 | group,
        value: value(random, ground, space, parameter),
    }
}

fn value(random: &mut Random, ground: Ground, space: Space, slot: ParameterNumber) -> EntryValue {
    if random.one_in(16) {
        return EntryValue::Valueless;
    }
    let of = if slot.0 == 8 {
        number(random, 7) + 1
    } else {
        slot.0
    };
    match of {
        2 => {
            let (folded, exact) = one_of(random, &TEXTS);
            EntryValue::Text {
                folded: folded.into(),
                exact: exact.into(),
            }
        }
        3 => period(random),
        4 => {
            let (one, other) = (magnitude(random), magnitude(random));
            let (low, high) = match random.below(3) {
                0 => (one.clone().min(other.clone()), one.max(other)),
                _ => (one.clone(), one),
            };
            let unit = unit(random);
            EntryValue::Number { unit, low, high }
        }
        5 if !random.one_in(4) => EntryValue::Reference(key(random, ground, space)),
        5 | 7 => EntryValue::Uri(one_of(random, &URIS).into()),
        6 => EntryValue::Place(place(random)),
        _ => EntryValue::Token {
            system: SystemNumber(number(random, 3)),
            code: one_of(random, &CODES).into(),
        },
    }
}

fn period(random: &mut Random) -> EntryValue {
    let low = instant(random);
    let length = one_of(
        random,
        &[
            0,
            0,
            999_999,
            DAY - 1,
            DAY - 1,
            DAY + 3_600_000_000,
            2 * DAY,
        ],
    );
    let (low, high) = match random.below(12) {
        0 => (i64::MIN, low),
        1 => (low, i64::MAX),
        2 => (i64::MIN, i64::MAX),
        _ => (low, low + length),
    };
    EntryValue::Period { low, high }
}

fn instant(random: &mut Random) -> i64 {
    let day = i64::try_from(random.below(5)).expect("small") - 2;
    day * DAY + one_of(random, &[0, 0, 0, 1, DAY / 2, DAY - 1])
}

fn magnitude(random: &mut Random) -> Magnitude {
    Magnitude(one_of(random, &NUMBERS).into())
}

fn unit(random: &mut Random) -> UnitNumber {
    UnitNumber(one_of(random, &[0, 1, 1, 2]))
}

fn place(random: &mut Random) -> Place {
    Place {
        latitude: one_of(
            random,
            &[-900_000_000, -10_000_000, 0, 10_000_000, 900_000_000],
        ),
        longitude: one_of(random, &[-1_800_000_000, -10_000_000, 0, 1_800_000_000]),
    }
}

/// A plan that is not about nothing most of the time.
pub(super) fn plan(random: &mut Random, ground: Ground, space: Space) -> Plan {
    let of = [TypeNumber(1), TypeNumber(2), TypeNumber(9)];
    let kinds: &[TypeNumber] = match random.below(16) {
        0 => &[],
        1 => &of[2..],
        2..=5 => &of[..2],
        6 => &of,
        _ => &of[..1],
    };
    let directions = [Direction::Ascending, Direction::Descending];
    let keys = one_of(random, &[0, 0, 1, 1, 1, 2, 3]);
    let order: Vec<_> = (0..keys).map(|_| one_of(random, &directions)).collect();
    let parts = kinds.iter().map(|kind| Part {
        kind: *kind,
        filter: filter(random, ground, space, 3),
        sort: order.iter().map(|_| sort(random)).collect(),
    });
    Plan {
        space,
        parts: parts.collect(),
        after: random.one_in(4).then(|| after(random, ground, &order)),
        order,
        not_later_than: random.one_in(5).then(|| random.below(ground.position + 1)),
        limit: one_of(random, &[0, 1, 2, 7, 7, 40, 10_000]),
        total: one_of(random, &[Total::None, Total::Accurate]),
    }
}

fn sort(random: &mut Random) -> SortBy {
    match random.below(8) {
        0 => SortBy::Id,
        1 => SortBy::Updated,
        2 => SortBy::Nothing,
        _ => SortBy::Entry(slot(random)),
    }
}

/// Somewhere, whether or not a record is there.
fn after(random: &mut Random, ground: Ground, order: &[Direction]) -> After {
    let space = Space(1);
    let key = |direction: &Direction| {
        let slot = slot(random);
        value(random, ground, space, slot).sort_key(*direction)
    };
    let keys = order.iter().map(key).collect();
    After {
        keys,
        row: Row(random.below(ground.rows)),
    }
}

fn filter(random: &mut Random, ground: Ground, space: Space, depth: u64) -> Filter {
    match random.below(if depth == 0 { 10 } else { 18 }) {
        0 => {
            let ids = (0..random.below(6)).map(|_| key(random, ground, space).id);
            Filter::Ids(ids.collect())
        }
        1 => {
            let rows = (0..random.below(12)).map(|_| Row(random.below(ground.rows)));
            Filter::Rows(rows.collect())
        }
        2 => {
            let (from, to) = (random.below(5_000_000), random.below(5_000_000));
            let at = |past: u64| ground.start + i64::try_from(past).expect("small");
            let ends = [Bound::Included(at(from)), Bound::Unbounded];
            Filter::Updated((one_of(random, &ends), Bound::Excluded(at(to))))
        }
        3 => {
            let of = random.below(4) + 1;
            let part = random.below(of);
            Filter::Partition { part, of }
        }
        4 => {
            let members = (0..=random.below(2)).map(|_| member(random, ground, space));
            Filter::Together(members.collect())
        }
        5..=9 => {
            let parameter = slot(random);
            let test = test(random, ground, space, parameter);
            Filter::Entry { parameter, test }
        }
        10 | 11 => Filter::All(filters(random, ground, space, depth)),
        12 => Filter::Any(filters(random, ground, space, depth)),
        13 => Filter::Not(Box::new(filter(random, ground, space, depth - 1))),
        17 => Filter::Beside {
            parameter: ParameterNumber(7),
            filter: Box::new(filter(random, ground, space, depth - 1)),
        },
        16 => Filter::Inside(Box::new(filter(random, ground, space, depth - 1))),
        14 => Filter::RefersTo {
            parameter: ParameterNumber(5),
            names: names(random),
            targets: targets(random, ground, space, depth - 1),
        },
        _ => Filter::ReferredToBy {
            kind: kind(random),
            parameter: ParameterNumber(5),
            names: names(random)
                .zip(names(random))
                .map(|(given, own)| Names { given, own }),
            filter: Box::new(filter(random, ground, space, depth - 1)),
        },
    }
}

fn targets(random: &mut Random, ground: Ground, space: Space, depth: u64) -> Vec<Target> {
    let first = kind(random);
    let mut kinds = vec![first, TypeNumber(3 - first.0)];
    kinds.truncate(random.index(3));
    let target = |kind| Target {
        kind,
        names: names(random),
        filter: filter(random, ground, space, depth),
    };
    kinds.into_iter().map(target).collect()
}

/// A slot that holds URIs, among others.
fn names(random: &mut Random) -> Option<ParameterNumber> {
    (!random.one_in(3)).then(|| ParameterNumber(one_of(random, &[5, 7, 7, 8])))
}

fn filters(random: &mut Random, ground: Ground, space: Space, depth: u64) -> Vec<Filter> {
    let number = random.below(4);
    (0..number)
        .map(|_| filter(random, ground, space, depth - 1))
        .collect()
}

fn member(random: &mut Random, ground: Ground, space: Space) -> Member {
    let parameter = slot(random);
    let any_of = (0..=random.below(2)).map(|_| test(random, ground, space, parameter));
    Member {
        parameter,
        any_of: any_of.collect(),
    }
}

fn test(random: &mut Random, ground: Ground, space: Space, slot: ParameterNumber) -> Test {
    if random.one_in(10) {
        return Test::Present;
    }
    let of = if slot.0 == 8 {
        number(random, 7) + 1
    } else {
        slot.0
    };
    match of {
        2 => {
            let piece = one_of(random, &PIECES).into();
            let (_, exact) = one_of(random, &TEXTS);
            match random.below(3) {
                0 => Test::TextStarts(piece),
                1 => Test::TextContains(piece),
                _ => Test::TextIs(exact.into()),
            }
        }
        3 => Test::Period {
            low: bounds(random, instant),
            high: bounds(random, instant),
        },
        4 => Test::Number {
            unit: unit(random),
            low: bounds(random, magnitude),
            high: bounds(random, magnitude),
        },
        6 => Test::Near {
            place: place(random),
            metres: one_of(random, &METRES),
        },
        7 if random.one_in(2) => Test::UriStarts(one_of(random, &URIS).into()),
        1 | 9 => match random.below(4) {
            0 => Test::Code(one_of(random, &CODES).into()),
            1 => Test::System(SystemNumber(number(random, 3))),
            _ => Test::Is(value(random, ground, space, slot)),
        },
        _ => Test::Is(value(random, ground, space, slot)),
    }
}

fn bounds<T>(random: &mut Random, of: impl Fn(&mut Random) -> T) -> (Bound<T>, Bound<T>) {
    let mut bound = || match random.below(5) {
        0 => Bound::Excluded(of(random)),
        1 | 2 => Bound::Included(of(random)),
        _ => Bound::Unbounded,
    };
    (bound(), bound())
}
