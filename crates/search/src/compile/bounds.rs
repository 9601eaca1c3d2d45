//! From a typed value to the tests that an entry has to pass: one of them.
//!
//! A searched value covers a range, and so may a stored one; the comparators are bounds on the two
//! ends of the stored range:
//!
//! | | from `a` to `b` | |
//! |---|---|---|
//! | `eq` | low ≥ a and high ≤ b | `ne`: low < a or high > b |
//! | `gt` | high > b | `lt`: low < a |
//! | `ge` | high > b or low ≥ a | `le`: low < a or high ≤ b |
//! | `sa` | low > b | `eb`: high < a |
//! | `ap` | low ≤ b and high ≥ a | with `a` and `b` a tenth further out |
//!
//! A date covers what its precision says. Of numbers, `eq` and `ne` take the range of the written
//! precision, whose upper end does not belong to it, and `ap` a tenth of the number more; the
//! others compare with the number itself (<https://hl7.org/fhir/R4/search.html#prefix>). For `ap`
//! a date's tenth is that of its distance from now.

use std::ops::Bound;

use fhir::Instant;
use fhir::decimal::Decimal;

use crate::entry::Magnitude;
use crate::measure::{canonical_unit, fit, magnitude};
use crate::name::ByName;
use crate::plan::{Range, Test};
use crate::query::{DateTest, Prefix, Unit};
use crate::registry::{QuantitySlots, Slot};

use Bound::{Excluded, Included, Unbounded};

/// Bounds on the lower and on the upper end of a stored range.
type Ends<T> = (Range<T>, Range<T>);

/// A searched range: its lower end belongs to it.
struct Searched<T> {
    low: T,
    /// Whether the upper end belongs to it.
    high: Bound<T>,
}

fn whatever<T>() -> Range<T> {
    (Unbounded, Unbounded)
}

/// What lies above the end of a searched range.
fn above<T: Clone>(high: &Bound<T>) -> Bound<T> {
    match high {
        Included(high) => Excluded(high.clone()),
        Excluded(high) => Included(high.clone()),
        Unbounded => Unbounded,
    }
}

/// The bounds of a comparator; one of them must hold.
fn bounds<T: Clone>(prefix: Prefix, searched: &Searched<T>) -> Vec<Ends<T>> {
    let Searched { low, high } = searched;
    let starts_before = || ((Unbounded, Excluded(low.clone())), whatever());
    let ends_after = || (whatever(), (above(high), Unbounded));
    let starts_within = || ((Included(low.clone()), Unbounded), whatever());
    let ends_within = || (whatever(), (Unbounded, high.clone()));
    match prefix {
        Prefix::Equal => vec![(
            (Included(low.clone()), Unbounded),
            (Unbounded, high.clone()),
        )],
        Prefix::NotEqual => vec![starts_before(), ends_after()],
        Prefix::Greater => vec![ends_after()],
        Prefix::Less => vec![starts_before()],
        Prefix::GreaterOrEqual => vec![ends_after(), starts_within()],
        Prefix::LessOrEqual => vec![starts_before(), ends_within()],
        Prefix::StartsAfter => vec![((above(high), Unbounded), whatever())],
        Prefix::EndsBefore => vec![(whatever(), (Unbounded, Excluded(low.clone())))],
        Prefix::Approximately => vec![(
            (Unbounded, high.clone()),
            (Included(low.clone()), Unbounded),
        )],
    }
}

fn searched_date(test: &DateTest, now: Instant) -> Searched<i64> {
    let DateTest { prefix, low, high } = *test;
    let slack = match prefix {
        Prefix::Approximately => i64::try_from(now.micros().abs_diff(low) / 10).unwrap_or(i64::MAX),
        _ => 0,
    };
    Searched {
        low: low.saturating_sub(slack),
        high: Included(high.saturating_add(slack)),
    }
}

/// The tests of a date.
pub(super) fn date(test: &DateTest, now: Instant) -> Vec<Test<ByName>> {
    let ends = bounds(test.prefix, &searched_date(test, now));
    ends.into_iter()
        .map(|(low, high)| Test::Period { low, high })
        .collect()
}

/// The ranges in which an instant must lie: in one of them.
pub(super) fn instants(test: &DateTest, now: Instant) -> Vec<Range<i64>> {
    let searched = searched_date(test, now);
    match test.prefix {
        Prefix::GreaterOrEqual => vec![(Included(searched.low), Unbounded)],
        Prefix::LessOrEqual => vec![(Unbounded, searched.high)],
        prefix => {
            let ends = bounds(prefix, &searched).into_iter();
            ends.map(|(low, high)| both(low, high)).collect()
        }
    }
}

/// Two bounds on one value; no comparator bounds the same side of both ends.
fn both<T>(one: Range<T>, other: Range<T>) -> Range<T> {
    let pick = |one, other| if matches!(one, Unbounded) { other } else { one };
    (pick(one.0, other.0), pick(one.1, other.1))
}

/// The ends that a comparator compares with.
fn searched_number(prefix: Prefix, number: Decimal) -> Searched<Decimal> {
    match prefix {
        Prefix::Equal | Prefix::NotEqual => {
            let (low, high) = number.implicit_range();
            Searched {
                low,
                high: Excluded(high),
            }
        }
        Prefix::Approximately => {
            let (low, high) = number.implicit_range();
            let tenth = Decimal::new(1, 1).and_then(|it| number.abs().checked_mul(it));
            let tenth = tenth.unwrap_or(Decimal::ZERO);
            Searched {
                low: low.checked_sub(tenth).unwrap_or(low),
                high: Excluded(high.checked_add(tenth).unwrap_or(high)),
            }
        }
        _ => Searched {
            low: number,
            high: Included(number),
        },
    }
}

fn number_tests(
    prefix: Prefix,
    unit: Option<&str>,
    searched: &Searched<Magnitude>,
) -> Vec<Test<ByName>> {
    let ends = bounds(prefix, searched).into_iter();
    let test = |(low, high)| Test::Number {
        unit: unit.map(Into::into),
        low,
        high,
    };
    ends.map(test).collect()
}

fn in_bytes(
    searched: &Searched<Decimal>,
    convert: impl Fn(Decimal) -> Decimal,
) -> Searched<Magnitude> {
    let bytes = |it: Decimal| magnitude(convert(it));
    let high = match searched.high {
        Included(it) => Included(bytes(it)),
        Excluded(it) => Excluded(bytes(it)),
        Unbounded => Unbounded,
    };
    Searched {
        low: bytes(searched.low),
        high,
    }
}

/// The tests of a number without unit.
pub(super) fn number(prefix: Prefix, number: Decimal) -> Vec<Test<ByName>> {
    let searched = in_bytes(&searched_number(prefix, number), |it| it);
    number_tests(prefix, None, &searched)
}

/// The tests of a quantity, and in which of its slots.
pub(super) fn quantity(
    slots: &QuantitySlots,
    prefix: Prefix,
    number: Decimal,
    unit: &Unit,
) -> (Slot, Vec<Test<ByName>>) {
    let searched = searched_number(prefix, number);
    match unit {
        Unit::Any => (
            slots.written,
            number_tests(prefix, None, &in_bytes(&searched, |it| it)),
        ),
        Unit::Named(name) => {
            let tests = number_tests(prefix, Some(fit(name)), &in_bytes(&searched, |it| it));
            (slots.coded, tests)
        }
        Unit::Coded { system, code } => {
            let (name, _) = canonical_unit(Some(system), code, number);
            let convert = |it| canonical_unit(Some(system), code, it).1;
            (
                slots.canonical,
                number_tests(prefix, Some(&name), &in_bytes(&searched, convert)),
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFIXES: [Prefix; 9] = [
        Prefix::Equal,
        Prefix::NotEqual,
        Prefix::Greater,
        Prefix::Less,
        Prefix::GreaterOrEqual,
        Prefix::LessOrEqual,
        Prefix::StartsAfter,
        Prefix::EndsBefore,
        Prefix::Approximately,
    ];

    fn lies<T: PartialOrd>(range: &Range<T>, value: &T) -> bool {
        use std::ops::RangeBounds;
        (range.0.as_ref(), range.1.as_ref()).contains(value)
    }

    /// The table in words: what each comparator says of two ranges of whole numbers.
    fn holds(prefix: Prefix, stored: (i64, i64), (a, b): (i64, i64)) -> bool {
        let mut of_stored = stored.0..=stored.1;
        let is_within = stored.0 >= a && stored.1 <= b;
        match prefix {
            Prefix::Equal => is_within,
            Prefix::NotEqual => !is_within,
            Prefix::Greater => of_stored.any(|it| it > b),
            Prefix::Less => of_stored.any(|it| it < a),
            Prefix::GreaterOrEqual => of_stored.any(|it| it > b) || stored.0 >= a,
            Prefix::LessOrEqual => of_stored.any(|it| it < a) || stored.1 <= b,
            Prefix::StartsAfter => of_stored.all(|it| it > b),
            Prefix::EndsBefore => of_stored.all(|it| it < a),
            Prefix::Approximately => of_stored.any(|it| (a..=b).contains(&it)),
        }
    }

    /// All pairs of ranges between zero and six, against what the comparators mean.
    #[test]
    fn comparators_compare_ranges_as_they_say() {
        let ranges = || (0..6).flat_map(|low| (low..6).map(move |high| (low, high)));
        for prefix in PREFIXES {
            for (searched, stored) in ranges().flat_map(|it| ranges().map(move |other| (it, other)))
            {
                let expected = holds(prefix, stored, searched);
                let test = DateTest {
                    prefix,
                    low: searched.0,
                    high: searched.1,
                };
                let now = Instant::from_micros(searched.0);
                let passes = date(&test, now).iter().any(|it| match it {
                    Test::Period { low, high } => lies(low, &stored.0) && lies(high, &stored.1),
                    _ => false,
                });
                assert_eq!(passes, expected, "{prefix:?} {searched:?} {stored:?}");
                if stored.0 == stored.1 {
                    let passes = instants(&test, now).iter().any(|it| lies(it, &stored.0));
                    assert_eq!(passes, expected, "{prefix:?} {searched:?} {stored:?}");
                }
            }
        }
    }

    /// Points against the range of the written precision, and the number itself.
    #[test]
    fn numbers_take_their_precision_for_equality_only() {
        for (prefix, passing, failing) in [
            (
                Prefix::Equal,
                &["99.5", "100", "100.49"][..],
                &["99.49", "100.5"][..],
            ),
            (Prefix::NotEqual, &["99.49", "100.5"], &["99.5", "100.49"]),
            (Prefix::Greater, &["100.1", "1e9"], &["100", "99"]),
            (Prefix::Less, &["99.9", "-1e9"], &["100", "101"]),
            (
                Prefix::GreaterOrEqual,
                &["100", "100.0", "101"],
                &["99.999"],
            ),
            (Prefix::LessOrEqual, &["100", "99"], &["100.001"]),
            (Prefix::StartsAfter, &["100.1"], &["100"]),
            (Prefix::EndsBefore, &["99.9"], &["100"]),
            (
                Prefix::Approximately,
                &["89.5", "110.4"],
                &["89.4", "110.5"],
            ),
        ] {
            let tests = number(prefix, "100".parse().unwrap());
            let passes = |text: &str| {
                let it = magnitude(text.parse().unwrap());
                tests.iter().any(|test| match test {
                    Test::Number { low, high, .. } => lies(low, &it) && lies(high, &it),
                    _ => false,
                })
            };
            assert!(passing.iter().all(|it| passes(it)), "{prefix:?}");
            assert!(!failing.iter().any(|it| passes(it)), "{prefix:?}");
        }
    }
}
