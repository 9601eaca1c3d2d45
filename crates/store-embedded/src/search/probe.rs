//! Tests, on values of entries and on postings: which postings can pass, and whether one does.

use std::ops::Bound;

use search::plan::{EARTH_RADIUS_METRES, Range, Test};
use store::{EntryValue, Magnitude, Place, RecordKey, StoreError, SystemNumber, UnitNumber};

use crate::codec::after_prefix;
use crate::layout::{
    self, PERIOD_BY_HIGH, PERIOD_BY_LOW, POINT, RANGE_BY_HIGH, RANGE_BY_LOW, Referent,
    SHORT_PERIOD, SHORT_PERIOD_MAX, Stored, TEXT, TOKEN, URI,
};

/// A test on stored values.
pub(super) enum Probe {
    /// Passed by nothing.
    Nothing,
    Present,
    Is(Stored),
    Code(Box<str>),
    System(SystemNumber),
    TextStarts(Box<str>),
    TextContains(Box<str>),
    TextIs(Box<str>),
    UriStarts(Box<str>),
    Period {
        low: (i64, i64),
        high: (i64, i64),
    },
    Number {
        unit: UnitNumber,
        low: Range<Magnitude>,
        high: Range<Magnitude>,
    },
    Near {
        place: Place,
        metres: u32,
    },
}

/// What a posting says about the test.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Passes,
    Fails,
    /// Only the entries of the record know.
    Ask,
}

/// Postings between two keys: the first is included, the last one is not.
pub(super) struct Span {
    pub(super) from: Vec<u8>,
    pub(super) to: Option<Vec<u8>>,
}

impl Span {
    pub(super) fn of_prefix(prefix: Vec<u8>) -> Self {
        let to = after_prefix(&prefix);
        Self { from: prefix, to }
    }

    pub(super) fn bounds(&self) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
        let to = self.to.clone().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(self.from.clone()), to)
    }
}

impl Probe {
    /// `referent` gives what a record is referred to by, if by anything.
    pub(super) fn new(
        test: &Test,
        referent: impl FnOnce(&RecordKey) -> Result<Option<Referent>, StoreError>,
    ) -> Result<Self, StoreError> {
        Ok(match test {
            Test::Present => Self::Present,
            Test::Is(EntryValue::Reference(key)) => {
                referent(key)?.map_or(Self::Nothing, |it| Self::Is(Stored::Reference(it)))
            }
            Test::Is(value) => {
                let unknown = |_: &RecordKey| Err(StoreError::Backend("no reference".to_owned()));
                Self::Is(Stored::of(value, unknown)?)
            }
            Test::Code(code) => Self::Code(code.clone()),
            Test::System(system) => Self::System(*system),
            Test::TextStarts(text) => Self::TextStarts(text.clone()),
            Test::TextContains(text) => Self::TextContains(text.clone()),
            Test::TextIs(text) => Self::TextIs(text.clone()),
            Test::UriStarts(text) => Self::UriStarts(text.clone()),
            Test::Period { low, high } => match (within(*low), within(*high)) {
                (Some(low), Some(high)) => Self::Period { low, high },
                _ => Self::Nothing,
            },
            Test::Number { unit, low, high } => Self::Number {
                unit: *unit,
                low: low.clone(),
                high: high.clone(),
            },
            Test::Near { place, metres } => Self::Near {
                place: *place,
                metres: *metres,
            },
        })
    }

    pub(super) fn passes(&self, value: &Stored) -> bool {
        match (self, value) {
            (Self::Present, _) => true,
            (Self::Is(wanted), value) => wanted == value,
            (Self::Code(wanted), Stored::Token { code, .. }) => wanted == code,
            (Self::System(wanted), Stored::Token { system, .. }) => wanted == system,
            (Self::TextStarts(text), Stored::Text { folded, .. }) => folded.starts_with(&**text),
            (Self::TextContains(text), Stored::Text { folded, .. }) => folded.contains(&**text),
            (Self::TextIs(text), Stored::Text { exact, .. }) => exact == text,
            (Self::UriStarts(text), Stored::Uri(uri)) => uri.starts_with(&**text),
            (Self::Period { low, high }, Stored::Period { low: l, high: h }) => {
                lies(*l, *low) && lies(*h, *high)
            }
            (Self::Number { .. }, Stored::Number { unit, low, high }) => {
                self.holds_number(*unit, low, high)
            }
            (Self::Near { place, metres }, Stored::Place(at)) => place.is_near(*at, *metres),
            _ => false,
        }
    }

    fn holds_number(&self, unit: UnitNumber, low: &Magnitude, high: &Magnitude) -> bool {
        use std::ops::RangeBounds;
        let Self::Number {
            unit: wanted,
            low: lows,
            high: highs,
        } = self
        else {
            return false;
        };
        *wanted == unit && lows.contains(low) && highs.contains(high)
    }

    /// The value whose postings are exactly what passes, if it is one.
    pub(super) fn value(&self) -> Option<&Stored> {
        match self {
            Self::Is(value @ (Stored::Token { .. } | Stored::Reference(_) | Stored::Uri(_))) => {
                Some(value)
            }
            _ => None,
        }
    }

    /// The postings of a slot that can pass.
    pub(super) fn spans(&self, slot: &[u8]) -> Vec<Span> {
        let whole = |form| Span::of_prefix(layout::form_postings(slot, form));
        let begun = |form, text| Span::of_prefix(layout::begun_postings(slot, form, text));
        match self {
            Self::Nothing => Vec::new(),
            Self::Present => vec![Span::of_prefix(slot.to_vec())],
            Self::Is(value) => vec![Span::of_prefix(layout::value_postings(slot, value))],
            Self::Code(code) => vec![Span::of_prefix(layout::code_postings(slot, code))],
            Self::System(_) => vec![whole(TOKEN)],
            Self::TextStarts(text) => vec![begun(TEXT, text)],
            Self::TextContains(_) | Self::TextIs(_) => vec![whole(TEXT)],
            Self::UriStarts(text) => vec![begun(URI, text)],
            Self::Period { low, high } => period_spans(slot, *low, *high),
            Self::Number { unit, low, high } => number_spans(slot, *unit, low, high),
            Self::Near { place, metres } => vec![latitudes(slot, *place, *metres)],
        }
    }

    /// Whether a posting within the spans passes.
    pub(super) fn posted(&self, key: &[u8]) -> Result<Verdict, StoreError> {
        let passes = match self {
            Self::Nothing => false,
            Self::Is(Stored::Text { .. }) => return Ok(Verdict::Ask),
            Self::Present
            | Self::Is(_)
            | Self::Code(_)
            | Self::TextStarts(_)
            | Self::UriStarts(_) => true,
            Self::System(system) => layout::system_of_posting(key)? == *system,
            Self::TextContains(text) => layout::text_of_posting(key)?.contains(&**text),
            Self::TextIs(text) => {
                let like = layout::hash_of_posting(key)? == layout::hash_of(text);
                return Ok(if like { Verdict::Ask } else { Verdict::Fails });
            }
            Self::Period { low, high } => {
                let (first, last) = layout::period_of_posting(key)?;
                lies(first, *low) && lies(last, *high)
            }
            Self::Number { .. } => {
                let (unit, low, high) = layout::number_of_posting(key)?;
                self.holds_number(unit, &low, &high)
            }
            Self::Near { place, metres } => place.is_near(layout::place_of_posting(key)?, *metres),
        };
        Ok(if passes {
            Verdict::Passes
        } else {
            Verdict::Fails
        })
    }
}

/// The same bounds, both inclusive; `None` where nothing lies between them.
pub(super) fn within((from, to): Range<i64>) -> Option<(i64, i64)> {
    let first = match from {
        Bound::Included(first) => first,
        Bound::Excluded(before) => before.checked_add(1)?,
        Bound::Unbounded => i64::MIN,
    };
    let last = match to {
        Bound::Included(last) => last,
        Bound::Excluded(after) => after.checked_sub(1)?,
        Bound::Unbounded => i64::MAX,
    };
    (first <= last).then_some((first, last))
}

fn lies(instant: i64, (first, last): (i64, i64)) -> bool {
    (first..=last).contains(&instant)
}

fn instants(slot: &[u8], form: u8, first: i64, last: i64) -> Option<Span> {
    (first <= last).then(|| Span {
        from: layout::instant_bound(slot, form, first),
        to: after_prefix(&layout::instant_bound(slot, form, last)),
    })
}

fn period_spans(slot: &[u8], low: (i64, i64), high: (i64, i64)) -> Vec<Span> {
    let earliest = low.0.max(high.0.saturating_sub(SHORT_PERIOD_MAX));
    let short = instants(slot, SHORT_PERIOD, earliest, low.1.min(high.1));
    // Of what is bounded on one side only, the later part is mostly the smaller one.
    let by_low = low.0 != i64::MIN || (high.0 == i64::MIN && high.1 == i64::MAX);
    let long = if by_low {
        instants(slot, PERIOD_BY_LOW, low.0, low.1)
    } else {
        instants(slot, PERIOD_BY_HIGH, high.0, high.1)
    };
    short.into_iter().chain(long).collect()
}

fn number_spans(
    slot: &[u8],
    unit: UnitNumber,
    low: &Range<Magnitude>,
    high: &Range<Magnitude>,
) -> Vec<Span> {
    let by_low = !matches!(low.0, Bound::Unbounded) || matches!(high.0, Bound::Unbounded);
    let (form, bounds) = if by_low {
        (RANGE_BY_LOW, low)
    } else {
        (RANGE_BY_HIGH, high)
    };
    // Both ends of a point are bounded by both; one of them will do to find it.
    let points = (
        tighter(&low.0, &high.0, Ord::max),
        tighter(&low.1, &high.1, Ord::min),
    );
    vec![
        numbers(slot, POINT, unit, &points),
        numbers(slot, form, unit, bounds),
    ]
}

/// One of two bounds, inclusive: the one that is chosen where there are two.
fn tighter(
    one: &Bound<Magnitude>,
    other: &Bound<Magnitude>,
    choose: fn(Magnitude, Magnitude) -> Magnitude,
) -> Bound<Magnitude> {
    match (inner(one), inner(other)) {
        (None, None) => Bound::Unbounded,
        (Some(one), None) | (None, Some(one)) => Bound::Included(one.clone()),
        (Some(one), Some(other)) => Bound::Included(choose(one.clone(), other.clone())),
    }
}

fn inner(bound: &Bound<Magnitude>) -> Option<&Magnitude> {
    match bound {
        Bound::Included(number) | Bound::Excluded(number) => Some(number),
        Bound::Unbounded => None,
    }
}

/// Whether a bound itself is within is decided by each posting.
fn numbers(slot: &[u8], form: u8, unit: UnitNumber, bounds: &Range<Magnitude>) -> Span {
    let all = layout::unit_postings(slot, form, unit);
    let whole = Span::of_prefix(all.clone());
    let from = inner(&bounds.0).map(|number| layout::number_bound(&all, number));
    let to = inner(&bounds.1).and_then(|number| after_prefix(&layout::number_bound(&all, number)));
    Span {
        from: from.unwrap_or(whole.from),
        to: to.or(whole.to),
    }
}

fn latitudes(slot: &[u8], place: Place, metres: u32) -> Span {
    let away = f64::from(metres) / f64::from(EARTH_RADIUS_METRES);
    // A little more than needed: each posting is tested exactly.
    let away = (away.to_degrees() * Place::DEGREE).ceil() + 2.0;
    let at = f64::from(place.latitude);
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the poles")]
    let bound = |latitude: f64| latitude.clamp(-90.0 * Place::DEGREE, 90.0 * Place::DEGREE) as i32;
    Span {
        from: layout::latitude_bound(slot, bound(at - away)),
        to: after_prefix(&layout::latitude_bound(slot, bound(at + away))),
    }
}

#[cfg(test)]
mod tests {
    use search::plan::Test;
    use store::{RecordId, Space, TypeNumber};

    use super::*;

    const EDGES: [i64; 5] = [i64::MIN, -1, 0, 1, i64::MAX];

    fn numbers() -> Vec<Magnitude> {
        let middle = [[1], [2]].map(|it| Magnitude(it.into()));
        let mut numbers = vec![Magnitude::least(), Magnitude::greatest()];
        numbers.extend(middle);
        numbers.sort();
        numbers
    }

    fn pairs<T: Clone + Ord>(ends: &[T]) -> Vec<(T, T)> {
        let pair = |low: &T| {
            let highs = ends.iter().filter(|high| *high >= low).cloned();
            highs.map(|high| (low.clone(), high)).collect::<Vec<_>>()
        };
        ends.iter().flat_map(pair).collect()
    }

    fn ranges<T: Clone + Ord>(ends: &[T]) -> Vec<Range<T>> {
        let bounds = |end: &T| [Bound::Included(end.clone()), Bound::Excluded(end.clone())];
        let mut lows: Vec<Bound<T>> = ends.iter().flat_map(bounds).collect();
        lows.push(Bound::Unbounded);
        let highs = lows.clone();
        let range = |low: &Bound<T>| {
            let low = low.clone();
            highs.iter().map(move |high| (low.clone(), high.clone()))
        };
        lows.iter().flat_map(range).collect()
    }

    fn reference(id: &str) -> RecordKey {
        RecordKey {
            space: Space(1),
            kind: TypeNumber(1),
            id: RecordId::from(id),
        }
    }

    /// The row of a record is the length of its id.
    fn referent(key: &RecordKey) -> Referent {
        Referent(key.id.0.len() as u64)
    }

    fn places() -> [Place; 4] {
        [(0, 0), (0, 90_000), (900_000_000, 0), (0, 1_800_000_000)].map(|(latitude, longitude)| {
            Place {
                latitude,
                longitude,
            }
        })
    }

    fn values() -> Vec<EntryValue> {
        let text = |folded: &str, exact: &str| EntryValue::Text {
            folded: folded.into(),
            exact: exact.into(),
        };
        let token = |system, code: &str| EntryValue::Token {
            system: SystemNumber(system),
            code: code.into(),
        };
        let mut values = vec![
            EntryValue::Valueless,
            token(0, "a"),
            token(1, "a"),
            token(1, "b"),
            text("ab", "Ab"),
            text("ab", "ab"),
            text("", ""),
            EntryValue::Uri("ab".into()),
            EntryValue::Reference(reference("x")),
            EntryValue::Reference(reference("xy")),
        ];
        let period = |(low, high)| EntryValue::Period { low, high };
        values.extend(pairs(&EDGES).into_iter().map(period));
        let number = |(low, high)| EntryValue::Number {
            unit: UnitNumber(1),
            low,
            high,
        };
        values.extend(pairs(&numbers()).into_iter().map(number));
        values.extend(places().map(EntryValue::Place));
        values
    }

    fn tests() -> Vec<Test> {
        let mut tests = vec![Test::Present];
        tests.extend(values().into_iter().map(Test::Is));
        for text in ["", "a", "b", "ab", "Ab", "abc"] {
            let text: Box<str> = text.into();
            tests.extend([
                Test::Code(text.clone()),
                Test::TextStarts(text.clone()),
                Test::TextContains(text.clone()),
                Test::TextIs(text.clone()),
                Test::UriStarts(text),
            ]);
        }
        tests.extend([0, 1, 2].map(|it| Test::System(SystemNumber(it))));
        let instants = ranges(&EDGES);
        for low in &instants {
            let highs = instants.iter().map(|high| Test::Period {
                low: *low,
                high: *high,
            });
            tests.extend(highs);
        }
        let magnitudes = ranges(&numbers());
        for low in &magnitudes {
            let highs = magnitudes.iter().map(|high| Test::Number {
                unit: UnitNumber(1),
                low: low.clone(),
                high: high.clone(),
            });
            tests.extend(highs);
        }
        for place in places() {
            tests.extend([0, 999, 1_001, 30_000_000].map(|metres| Test::Near { place, metres }));
        }
        tests
    }

    /// The semantics are stated by [`Test::passes`]; here they are applied to stored values.
    #[test]
    fn a_probe_passes_what_its_test_passes() {
        let values = values();
        let stored = values
            .iter()
            .map(|it| Stored::of(it, |key| Ok(referent(key))).unwrap());
        let stored: Vec<Stored> = stored.collect();
        let mut passed = [0_usize; 2];
        for test in tests() {
            let probe = Probe::new(&test, |key| Ok(Some(referent(key)))).unwrap();
            for (value, stored) in values.iter().zip(&stored) {
                let passes = test.passes(value);
                let at = (&test, stored);
                assert_eq!(probe.passes(stored), passes, "{at:?}");
                passed[usize::from(passes)] += 1;
            }
        }
        assert!(passed.iter().all(|it| *it > 1_000), "{passed:?}");
    }
}
