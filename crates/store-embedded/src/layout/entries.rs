//! What a live record is found by, in one value: all its entries, and the rows it refers to.
//!
//! An entry is: slot, form, group if it is not zero (then the form has [`GROUPED`]), value. Forms 1
//! to 3 are as old as the store. A text whose folded form is its lower case is written once;
//! periods are written in the largest unit of time that both ends keep to.

use std::collections::BTreeSet;

use search::entry::{ordered, part_of};
use store::{
    Direction, EntryValue, Magnitude, ParameterNumber, Place, RecordKey, StoreError, SystemNumber,
    UnitNumber,
};

use super::{Incoming, Referent};
use crate::codec::{Cursor, Value};

const TOKEN: u8 = 1;
const REFERENCE: u8 = 2;
const URI: u8 = 3;
const VALUELESS: u8 = 4;
/// Folded to its lower case.
const TEXT: u8 = 5;
/// Folded otherwise: both are written.
const TEXT_FOLDED: u8 = 6;
const PERIOD: u8 = 7;
const POINT: u8 = 8;
const RANGE: u8 = 9;
const PLACE: u8 = 10;
const GROUPED: u8 = 0x40;

/// Units of time, in microseconds.
const TIMES: [i64; 6] = [
    86_400_000_000,
    3_600_000_000,
    60_000_000,
    1_000_000,
    1_000,
    1,
];
/// In place of a unit of time: this end is open.
const OPEN: u8 = 15;

/// A value of an index entry as it is stored: references by [`Referent`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stored {
    Valueless,
    Token {
        code: Box<str>,
        system: SystemNumber,
    },
    Reference(Referent),
    Uri(Box<str>),
    Text {
        folded: Box<str>,
        exact: Box<str>,
    },
    Period {
        low: i64,
        high: i64,
    },
    Number {
        unit: UnitNumber,
        low: Magnitude,
        high: Magnitude,
    },
    Place(Place),
}

impl Stored {
    /// The stored form; `referent` gives the number of a record that is referred to.
    pub(crate) fn of(
        value: &EntryValue,
        referent: impl FnOnce(&RecordKey) -> Result<Referent, StoreError>,
    ) -> Result<Self, StoreError> {
        Ok(match value {
            EntryValue::Valueless => Self::Valueless,
            EntryValue::Token { system, code } => Self::Token {
                code: code.clone(),
                system: *system,
            },
            EntryValue::Text { folded, exact } => Self::Text {
                folded: folded.clone(),
                exact: exact.clone(),
            },
            EntryValue::Reference(key) => Self::Reference(referent(key)?),
            EntryValue::Uri(uri) => Self::Uri(uri.clone()),
            EntryValue::Period { low, high } => Self::Period {
                low: *low,
                high: *high,
            },
            EntryValue::Number { unit, low, high } => Self::Number {
                unit: *unit,
                low: low.clone(),
                high: high.clone(),
            },
            EntryValue::Place(place) => Self::Place(*place),
        })
    }

    /// What was stored; `key` names the record of a referent.
    pub(crate) fn value(
        self,
        key: impl FnOnce(Referent) -> Result<RecordKey, StoreError>,
    ) -> Result<EntryValue, StoreError> {
        Ok(match self {
            Self::Valueless => EntryValue::Valueless,
            Self::Token { code, system } => EntryValue::Token { system, code },
            Self::Text { folded, exact } => EntryValue::Text { folded, exact },
            Self::Reference(referent) => EntryValue::Reference(key(referent)?),
            Self::Uri(uri) => EntryValue::Uri(uri),
            Self::Period { low, high } => EntryValue::Period { low, high },
            Self::Number { unit, low, high } => EntryValue::Number { unit, low, high },
            Self::Place(place) => EntryValue::Place(place),
        })
    }

    /// As [`EntryValue::sort_key`]; a reference has none here, its record's id is elsewhere.
    pub(crate) fn sort_key(&self, direction: Direction) -> Option<Box<[u8]>> {
        let text = |text: &str| Some(text.as_bytes().into());
        match (self, direction) {
            (Self::Valueless | Self::Place(_) | Self::Reference(_), _) => None,
            (Self::Token { code, .. }, _) => text(code),
            (Self::Text { folded, .. }, _) => text(folded),
            (Self::Uri(uri), _) => text(uri),
            (Self::Period { low: end, .. }, Direction::Ascending)
            | (Self::Period { high: end, .. }, Direction::Descending) => {
                Some(ordered(*end).to_be_bytes().into())
            }
            (Self::Number { low: end, .. }, Direction::Ascending)
            | (Self::Number { high: end, .. }, Direction::Descending) => Some(end.0.clone()),
        }
    }

    pub(crate) fn named_part(part: u32) -> Self {
        Self::Uri(part.to_string().into())
    }

    fn form(&self) -> u8 {
        match self {
            Self::Valueless => VALUELESS,
            Self::Token { .. } => TOKEN,
            Self::Reference(_) => REFERENCE,
            Self::Uri(_) => URI,
            Self::Text { folded, exact } if lowered(exact) == **folded => TEXT,
            Self::Text { .. } => TEXT_FOLDED,
            Self::Period { .. } => PERIOD,
            Self::Number { low, high, .. } if low == high => POINT,
            Self::Number { .. } => RANGE,
            Self::Place(_) => PLACE,
        }
    }

    fn write(&self, form: u8, value: Value) -> Value {
        match self {
            Self::Valueless => value,
            Self::Token { code, system } => value.bytes(code.as_bytes()).varint(system.0.into()),
            Self::Reference(referent) => value.varint(referent.0),
            Self::Uri(uri) => value.bytes(uri.as_bytes()),
            Self::Text { folded, exact } => {
                let value = value.bytes(exact.as_bytes());
                if form == TEXT {
                    value
                } else {
                    value.bytes(folded.as_bytes())
                }
            }
            Self::Period { low, high } => write_period(*low, *high, value),
            Self::Number { unit, low, high } => {
                let value = value.varint(unit.0.into()).bytes(&low.0);
                if form == POINT {
                    value
                } else {
                    value.bytes(&high.0)
                }
            }
            Self::Place(place) => value
                .signed(place.latitude.into())
                .signed(place.longitude.into()),
        }
    }

    /// Passes over a value.
    fn skip(form: u8, at: &mut Cursor<'_>) -> Result<(), StoreError> {
        match form {
            TOKEN => {
                at.bytes()?;
                at.varint()?;
            }
            REFERENCE => {
                at.varint()?;
            }
            URI | TEXT => {
                at.bytes()?;
            }
            _ => {
                Self::read(form, at)?;
            }
        }
        Ok(())
    }

    fn read(form: u8, at: &mut Cursor<'_>) -> Result<Self, StoreError> {
        Ok(match form {
            TOKEN => Self::Token {
                code: at.string()?,
                system: SystemNumber(at.small()?),
            },
            REFERENCE => Self::Reference(Referent(at.varint()?)),
            URI => Self::Uri(at.string()?),
            VALUELESS => Self::Valueless,
            TEXT | TEXT_FOLDED => {
                let exact = at.string()?;
                let folded = if form == TEXT {
                    lowered(&exact).into()
                } else {
                    at.string()?
                };
                Self::Text { folded, exact }
            }
            PERIOD => read_period(at)?,
            POINT | RANGE => {
                let unit = UnitNumber(at.small()?);
                let low = Magnitude(at.bytes()?.into());
                let high = if form == POINT {
                    low.clone()
                } else {
                    Magnitude(at.bytes()?.into())
                };
                Self::Number { unit, low, high }
            }
            PLACE => Self::Place(Place {
                latitude: degrees(at)?,
                longitude: degrees(at)?,
            }),
            _ => return at.refuse(),
        })
    }
}

/// Slot, form and group of an entry.
fn read_head(at: &mut Cursor<'_>) -> Result<(ParameterNumber, u8, u32), StoreError> {
    let parameter = ParameterNumber(at.small()?);
    let form = at.byte()?;
    let group = if form & GROUPED == 0 { 0 } else { at.small()? };
    Ok((parameter, form & !GROUPED, group))
}

fn lowered(text: &str) -> String {
    text.to_lowercase()
}

fn degrees(at: &mut Cursor<'_>) -> Result<i32, StoreError> {
    let degrees = at.signed()?;
    i32::try_from(degrees).or_else(|_| at.refuse())
}

/// Both units in one byte, then the first microsecond and the length up to the one after the last.
fn write_period(low: i64, high: i64, value: Value) -> Value {
    let first = if low == i64::MIN { OPEN } else { unit_of(low) };
    let length = if low == i64::MIN {
        high.checked_add(1)
    } else {
        high.checked_sub(low)
            .and_then(|length| length.checked_add(1))
    };
    let (last, length) = match length {
        Some(length) if high != i64::MAX => (unit_of(length), length),
        // Open, or too long for a length.
        _ if high == i64::MAX => (OPEN, 0),
        _ => (OPEN - 1, high),
    };
    let value = value.byte(first << 4 | last);
    let value = if first == OPEN {
        value
    } else {
        value.signed(low / TIMES[usize::from(first)])
    };
    match last {
        OPEN => value,
        _ if last == OPEN - 1 => value.signed(length),
        _ => value.signed(length / TIMES[usize::from(last)]),
    }
}

fn read_period(at: &mut Cursor<'_>) -> Result<Stored, StoreError> {
    let units = at.byte()?;
    let (first, last) = (units >> 4, units & 15);
    let low = if first == OPEN {
        i64::MIN
    } else {
        times(at, first)?
    };
    let high = match last {
        OPEN => i64::MAX,
        _ if last == OPEN - 1 => at.signed()?,
        _ => {
            let length = times(at, last)?;
            let from = if first == OPEN { 0 } else { low };
            from.wrapping_add(length).wrapping_sub(1)
        }
    };
    Ok(Stored::Period { low, high })
}

fn times(at: &mut Cursor<'_>, unit: u8) -> Result<i64, StoreError> {
    let Some(unit) = TIMES.get(usize::from(unit)) else {
        return at.refuse();
    };
    let number = at.signed()?;
    number.checked_mul(*unit).map_or_else(|| at.refuse(), Ok)
}

/// The largest unit of time of which it is a multiple.
fn unit_of(time: i64) -> u8 {
    let place = TIMES.iter().position(|unit| time % unit == 0);
    u8::try_from(place.unwrap_or(TIMES.len() - 1)).expect("there are few units")
}

/// An entry of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexedEntry {
    pub(crate) parameter: ParameterNumber,
    pub(crate) group: u32,
    pub(crate) value: Stored,
}

/// What a live record is found by, and what it refers to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// By slot.
    entries: Vec<IndexedEntry>,
    pub(crate) references: Vec<Referent>,
    /// Parts that have entries which were not decoded.
    passed_over: BTreeSet<u32>,
}

impl Indexed {
    pub(crate) fn new(mut entries: Vec<IndexedEntry>, references: Vec<Referent>) -> Self {
        entries.sort_by_key(|entry| entry.parameter);
        Self {
            entries,
            references,
            passed_over: BTreeSet::new(),
        }
    }

    pub(crate) fn into_entries(self) -> (Vec<IndexedEntry>, Vec<Referent>) {
        (self.entries, self.references)
    }

    pub(crate) fn entries(&self) -> &[IndexedEntry] {
        &self.entries
    }

    /// The parts within it that have entries.
    pub(crate) fn parts(&self) -> BTreeSet<u32> {
        let parts = self.entries.iter().map(|it| part_of(it.group));
        let parts = parts.filter(|it| *it > 0);
        parts.chain(self.passed_over.iter().copied()).collect()
    }

    /// The entries of a slot.
    pub(crate) fn of(&self, parameter: ParameterNumber) -> &[IndexedEntry] {
        let from = self.entries.partition_point(|it| it.parameter < parameter);
        let rest = &self.entries[from..];
        &rest[..rest.partition_point(|it| it.parameter == parameter)]
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        Value::default()
            .list(&self.entries, |value, entry| {
                let value = value.varint(entry.parameter.0.into());
                let form = entry.value.form();
                let value = if entry.group == 0 {
                    value.byte(form)
                } else {
                    value.byte(form | GROUPED).varint(entry.group.into())
                };
                entry.value.write(form, value)
            })
            .list(&self.references, |value, referent| value.varint(referent.0))
            .0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut at = Cursor::new(bytes, "entries");
        let entries = at.list(|at| {
            let (parameter, form, group) = read_head(at)?;
            Ok(IndexedEntry {
                parameter,
                group,
                value: Stored::read(form, at)?,
            })
        })?;
        let references = at.list(|at| at.varint().map(Referent))?;
        Ok(Self::new(entries, references))
    }

    /// Only the entries of these slots, which are in order; the others and the references are passed
    /// over. Most of what decoding costs is the memory of values that nobody asks for.
    pub(crate) fn decode_some(
        bytes: &[u8],
        wanted: &[ParameterNumber],
    ) -> Result<Self, StoreError> {
        let mut at = Cursor::new(bytes, "entries");
        let (mut entries, mut passed_over) = (Vec::new(), BTreeSet::new());
        for _ in 0..at.small::<usize>()? {
            let (parameter, form, group) = read_head(&mut at)?;
            if wanted.binary_search(&parameter).is_ok() {
                entries.push(IndexedEntry {
                    parameter,
                    group,
                    value: Stored::read(form, &mut at)?,
                });
            } else {
                passed_over.extend(Some(part_of(group)).filter(|it| *it > 0));
                Stored::skip(form, &mut at)?;
            }
        }
        Ok(Self {
            passed_over,
            ..Self::new(entries, Vec::new())
        })
    }

    /// What it points at, each with the ways it does.
    pub(crate) fn targets(&self) -> Vec<(Referent, u8)> {
        let by_entry = self.entries.iter().filter_map(|entry| match entry.value {
            Stored::Reference(referent) => Some((referent, Incoming::BY_ENTRY)),
            _ => None,
        });
        let by_reference = self
            .references
            .iter()
            .map(|referent| (*referent, Incoming::BY_REFERENCE));
        let mut all: Vec<_> = by_entry.chain(by_reference).collect();
        all.sort_unstable();
        all.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 |= later.1;
            }
            same
        });
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(group: u32, value: Stored) -> IndexedEntry {
        IndexedEntry {
            parameter: ParameterNumber(300),
            group,
            value,
        }
    }

    fn text(folded: &str, exact: &str) -> Stored {
        Stored::Text {
            folded: folded.into(),
            exact: exact.into(),
        }
    }

    #[test]
    fn entries_come_back() {
        let day = 86_400_000_000;
        let ends = [
            (0, day - 1),
            (-day, -1),
            (1_700_000_000_123_456, 1_700_000_000_123_456),
            (1_700_000_000_000_000, 1_700_000_000_999_999),
            (i64::MIN, i64::MAX),
            (i64::MIN, 5),
            (i64::MIN, i64::MAX - 1),
            (7, i64::MAX),
            (i64::MIN + 1, i64::MAX - 1),
            (i64::MAX, i64::MAX),
            (5, -5),
        ];
        let periods = ends.map(|(low, high)| entry(0, Stored::Period { low, high }));
        let number = |low: &[u8], high: &[u8]| Stored::Number {
            unit: UnitNumber(200),
            low: Magnitude(low.into()),
            high: Magnitude(high.into()),
        };
        let token = Stored::Token {
            code: "c".into(),
            system: SystemNumber(200),
        };
        let mut entries = vec![
            entry(0, token),
            entry(1, Stored::Reference(Referent(1 << 40))),
            entry(0, Stored::Uri("u".into())),
            entry(300, Stored::Valueless),
            entry(0, text("ärger", "Ärger")),
            entry(2, text("arger", "Ärger")),
            entry(2, number(&[1], &[1])),
            entry(2, number(&[], &[0xff, 0xff])),
            entry(
                u32::MAX,
                Stored::Place(Place {
                    latitude: -900_000_000,
                    longitude: 1_800_000_000,
                }),
            ),
        ];
        entries.extend(periods);
        let indexed = Indexed::new(entries, vec![Referent(7)]);
        let bytes = indexed.encode();
        assert_eq!(Indexed::decode(&bytes).unwrap(), indexed);
        let none = Indexed::new(indexed.entries.clone(), Vec::new());
        let all = Indexed::decode_some(&bytes, &[ParameterNumber(300)]).unwrap();
        assert_eq!(all, none, "without references");
    }

    #[test]
    fn entries_of_some_slots_are_what_all_have_of_them() {
        let values = [
            text("a", "a"),
            text("ae", "ä"),
            Stored::Uri("u".into()),
            Stored::Reference(Referent(300)),
            Stored::Token {
                code: "c".into(),
                system: SystemNumber(300),
            },
            Stored::Period { low: 0, high: 999 },
            Stored::Valueless,
        ];
        let numbered = values.into_iter().zip(1..);
        let entries = numbered.map(|(value, number)| IndexedEntry {
            parameter: ParameterNumber(number),
            group: number << 16,
            value,
        });
        let indexed = Indexed::new(entries.collect(), vec![Referent(1)]);
        let bytes = indexed.encode();
        for number in 0..9 {
            let wanted = [ParameterNumber(number), ParameterNumber(number + 2)];
            let some = Indexed::decode_some(&bytes, &wanted).unwrap();
            assert_eq!(some.parts(), indexed.parts());
            for parameter in (0..9).map(ParameterNumber) {
                let all = indexed.of(parameter).iter();
                let expected: Vec<_> = all.filter(|it| wanted.contains(&it.parameter)).collect();
                assert_eq!(some.of(parameter).iter().collect::<Vec<_>>(), expected);
            }
        }
    }

    #[test]
    fn what_the_first_format_wrote_is_read() {
        let bytes = [
            3, 9, 1, 1, b'c', 5, 9, 2, 7, 9, 3, 1, b'u', // three entries
            1, 7, // one reference
        ];
        let of = |value| IndexedEntry {
            parameter: ParameterNumber(9),
            group: 0,
            value,
        };
        let token = Stored::Token {
            code: "c".into(),
            system: SystemNumber(5),
        };
        let entries = vec![
            of(token),
            of(Stored::Reference(Referent(7))),
            of(Stored::Uri("u".into())),
        ];
        let expected = Indexed::new(entries, vec![Referent(7)]);
        assert_eq!(Indexed::decode(&bytes).unwrap(), expected);
    }
}
