//! The keys of `postings`: space, type, slot, form and value in the order of values, row.
//!
//! | form | value |
//! |---|---|
//! | 1 token | code, system: one short range serves both `system\|code` and `code` |
//! | 2 reference | target's row |
//! | 3 URI | the URI |
//! | 4 without value | nothing |
//! | 5 text | folded; 16 bits of a hash of the exact text, so that few others are looked at for it |
//! | 6 short period | first microsecond, length |
//! | 7, 8 long period | first and last microsecond · last and first |
//! | 9 point | unit, number |
//! | 10, 11 range | unit, lower and upper end · unit, upper and lower end |
//! | 12 place | latitude, longitude |
//!
//! A short period needs one posting only: a bound on its end is a bound on its beginning, wider by
//! [`SHORT_PERIOD_MAX`]. Groups are not in postings: whether entries lie together is asked of the
//! few records that have them all.

use search::entry::ordered;
use store::{
    Magnitude, ParameterNumber, Place, Row, Space, StoreError, SystemNumber, TypeNumber, UnitNumber,
};
use xxhash_rust::xxh3::xxh3_64;

use super::entries::{Indexed, Stored};
use super::{Referent, kind_key, row_of_key};
use crate::codec::{Cursor, Key};

pub(crate) const TOKEN: u8 = 1;
pub(crate) const REFERENCE: u8 = 2;
pub(crate) const URI: u8 = 3;
pub(crate) const VALUELESS: u8 = 4;
pub(crate) const TEXT: u8 = 5;
pub(crate) const SHORT_PERIOD: u8 = 6;
pub(crate) const PERIOD_BY_LOW: u8 = 7;
pub(crate) const PERIOD_BY_HIGH: u8 = 8;
pub(crate) const POINT: u8 = 9;
pub(crate) const RANGE_BY_LOW: u8 = 10;
pub(crate) const RANGE_BY_HIGH: u8 = 11;
pub(crate) const PLACE: u8 = 12;

/// No dictionary gives this number: under it lie the live records of a type.
const LIVE: u32 = 0;

/// Bytes of a key before its form: space, type, slot.
const SLOT_BYTES: usize = 10;
const ROW_BYTES: usize = 8;

/// A day, or an hour more where clocks are changed.
pub(crate) const SHORT_PERIOD_MAX: i64 = 25 * 3_600_000_000;

/// Lengths of periods by their number in a key: an instant, a millisecond, a second, a minute, a day.
const LENGTHS: [i64; 5] = [0, 999, 999_999, 59_999_999, 86_399_999_999];
/// Another length, which follows.
const LENGTH_FOLLOWS: u8 = 0xff;

/// All postings of a slot.
pub(crate) fn slot_postings(space: Space, kind: TypeNumber, slot: ParameterNumber) -> Vec<u8> {
    kind_key(space, kind).u32(slot.0).done()
}

/// All live records of a type.
pub(crate) fn live_postings(space: Space, kind: TypeNumber) -> Vec<u8> {
    slot_postings(space, kind, ParameterNumber(LIVE))
}

/// All postings of a slot in one form.
pub(crate) fn form_postings(slot: &[u8], form: u8) -> Vec<u8> {
    on(slot).tag(form).done()
}

/// All postings of a code, in any system.
pub(crate) fn code_postings(slot: &[u8], code: &str) -> Vec<u8> {
    on(slot).tag(TOKEN).text(code).done()
}

/// All postings of texts or URIs that begin so.
pub(crate) fn begun_postings(slot: &[u8], form: u8, begin: &str) -> Vec<u8> {
    on(slot).tag(form).begun(begin.as_bytes()).done()
}

/// From here on lie instants of a form of periods; those before lie before.
pub(crate) fn instant_bound(slot: &[u8], form: u8, instant: i64) -> Vec<u8> {
    on(slot).tag(form).u64(ordered(instant)).done()
}

/// All numbers of a form in one unit.
pub(crate) fn unit_postings(slot: &[u8], form: u8, unit: UnitNumber) -> Vec<u8> {
    on(slot).tag(form).u32(unit.0).done()
}

/// From here on lie numbers that are not less.
pub(crate) fn number_bound(unit: &[u8], number: &Magnitude) -> Vec<u8> {
    on(unit).ended(&number.0).done()
}

/// From here on lie places that are not further south.
pub(crate) fn latitude_bound(slot: &[u8], latitude: i32) -> Vec<u8> {
    on(slot).tag(PLACE).u32(ordered_degrees(latitude)).done()
}

/// All postings of one value (of a period or range: those by its lower end).
pub(crate) fn value_postings(slot: &[u8], value: &Stored) -> Vec<u8> {
    let key = on(slot);
    match value {
        Stored::Valueless => key.tag(VALUELESS),
        Stored::Token { code, system } => key.tag(TOKEN).text(code).u32(system.0),
        Stored::Reference(referent) => key.tag(REFERENCE).u64(referent.0),
        Stored::Uri(uri) => key.tag(URI).text(uri),
        Stored::Text { folded, exact } => {
            let hash = hash_of(exact).to_be_bytes();
            key.tag(TEXT).text(folded).raw(&hash)
        }
        Stored::Period { low, high } => match short_length(*low, *high) {
            Some(length) => write_length(key.tag(SHORT_PERIOD).u64(ordered(*low)), length),
            None => key
                .tag(PERIOD_BY_LOW)
                .u64(ordered(*low))
                .u64(ordered(*high)),
        },
        Stored::Number { unit, low, high } if low == high => {
            key.tag(POINT).u32(unit.0).ended(&low.0)
        }
        Stored::Number { unit, low, high } => key
            .tag(RANGE_BY_LOW)
            .u32(unit.0)
            .ended(&low.0)
            .ended(&high.0),
        Stored::Place(place) => key
            .tag(PLACE)
            .u32(ordered_degrees(place.latitude))
            .u32(ordered_degrees(place.longitude)),
    }
    .done()
}

/// The posting of a reference.
pub(crate) fn reference_posting(slot: &[u8], target: Referent, source: Row) -> Vec<u8> {
    posting_key(&value_postings(slot, &Stored::Reference(target)), source)
}

/// Target and source of the posting of a reference.
pub(crate) fn reference_of_posting(key: &[u8]) -> Result<(Referent, Row), StoreError> {
    let target = value_cursor(key).u64()?;
    Ok((Referent(target), row_of_posting(key)?))
}

/// The other posting of a value that has two: by its upper end.
fn upper_postings(slot: &[u8], value: &Stored) -> Option<Vec<u8>> {
    let key = on(slot);
    let key = match value {
        Stored::Period { low, high } if short_length(*low, *high).is_none() => key
            .tag(PERIOD_BY_HIGH)
            .u64(ordered(*high))
            .u64(ordered(*low)),
        Stored::Number { unit, low, high } if low != high => key
            .tag(RANGE_BY_HIGH)
            .u32(unit.0)
            .ended(&high.0)
            .ended(&low.0),
        _ => return None,
    };
    Some(key.done())
}

impl Indexed {
    /// The keys of its postings, in order, each once.
    pub(crate) fn postings(&self, space: Space, kind: TypeNumber, row: Row) -> Vec<Vec<u8>> {
        let mut all = Vec::with_capacity(self.entries().len() + 1);
        all.push(posting_key(&live_postings(space, kind), row));
        for entry in self.entries() {
            let slot = slot_postings(space, kind, entry.parameter);
            all.push(posting_key(&value_postings(&slot, &entry.value), row));
            all.extend(upper_postings(&slot, &entry.value).map(|upper| posting_key(&upper, row)));
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

pub(crate) fn posting_key(postings: &[u8], row: Row) -> Vec<u8> {
    let mut key = Vec::with_capacity(postings.len() + ROW_BYTES);
    key.extend_from_slice(postings);
    key.extend(row.0.to_be_bytes());
    key
}

pub(crate) fn row_of_posting(key: &[u8]) -> Result<Row, StoreError> {
    row_of_key(&key[key.len().saturating_sub(ROW_BYTES)..])
}

/// The key without its row: what [`value_postings`] gave.
pub(crate) fn value_of_posting(key: &[u8]) -> &[u8] {
    &key[..key.len().saturating_sub(ROW_BYTES)]
}

/// The form of a posting that is not one of the live records.
pub(crate) fn form_of_posting(key: &[u8]) -> Result<u8, StoreError> {
    Cursor::new(key.get(SLOT_BYTES..).unwrap_or_default(), "posting").byte()
}

/// The system of a token's posting.
pub(crate) fn system_of_posting(key: &[u8]) -> Result<SystemNumber, StoreError> {
    let value = value_of_posting(key);
    let start = value.len().saturating_sub(4);
    Cursor::new(&value[start..], "posting")
        .u32()
        .map(SystemNumber)
}

fn value_cursor(key: &[u8]) -> Cursor<'_> {
    let value = value_of_posting(key);
    Cursor::new(value.get(SLOT_BYTES + 1..).unwrap_or_default(), "posting")
}

/// The text that a posting begins with: a code, a folded text, a URI.
pub(crate) fn text_of_posting(key: &[u8]) -> Result<Box<str>, StoreError> {
    value_cursor(key).text()
}

/// The hash of the exact text in a text's posting.
pub(crate) fn hash_of_posting(key: &[u8]) -> Result<u16, StoreError> {
    let value = value_of_posting(key);
    let start = value.len().saturating_sub(2);
    Cursor::new(&value[start..], "posting").u16()
}

/// The hash under which an exact text is posted.
pub(crate) fn hash_of(exact: &str) -> u16 {
    (xxh3_64(exact.as_bytes()) & 0xffff) as u16
}

/// The first and last microsecond of a period's posting.
pub(crate) fn period_of_posting(key: &[u8]) -> Result<(i64, i64), StoreError> {
    let mut at = value_cursor(key);
    let first = instant(at.u64()?);
    Ok(match form_of_posting(key)? {
        SHORT_PERIOD => {
            let length = match at.byte()? {
                LENGTH_FOLLOWS => at.u64()?.cast_signed(),
                number => match LENGTHS.get(usize::from(number)) {
                    Some(length) => *length,
                    None => return at.refuse(),
                },
            };
            (first, first.saturating_add(length))
        }
        PERIOD_BY_LOW => (first, instant(at.u64()?)),
        PERIOD_BY_HIGH => (instant(at.u64()?), first),
        _ => return at.refuse(),
    })
}

/// Unit, lower and upper end of a number's posting.
pub(crate) fn number_of_posting(
    key: &[u8],
) -> Result<(UnitNumber, Magnitude, Magnitude), StoreError> {
    let mut at = value_cursor(key);
    let unit = UnitNumber(at.u32()?);
    let first = Magnitude(at.ended()?);
    Ok(match form_of_posting(key)? {
        POINT => (unit, first.clone(), first),
        RANGE_BY_LOW => (unit, first, Magnitude(at.ended()?)),
        RANGE_BY_HIGH => (unit, Magnitude(at.ended()?), first),
        _ => return at.refuse(),
    })
}

/// The place of a place's posting.
pub(crate) fn place_of_posting(key: &[u8]) -> Result<Place, StoreError> {
    let mut at = value_cursor(key);
    let degrees = |coded: u32| (coded ^ (1 << 31)).cast_signed();
    Ok(Place {
        latitude: degrees(at.u32()?),
        longitude: degrees(at.u32()?),
    })
}

/// The type that a posting belongs to.
pub(crate) fn kind_of_posting(key: &[u8]) -> Result<(Space, TypeNumber), StoreError> {
    let mut at = Cursor::new(key, "posting");
    Ok((Space(at.u16()?), TypeNumber(at.u32()?)))
}

fn on(prefix: &[u8]) -> Key {
    Key::new().raw(prefix)
}

fn short_length(low: i64, high: i64) -> Option<i64> {
    let length = high.checked_sub(low)?;
    (0..=SHORT_PERIOD_MAX).contains(&length).then_some(length)
}

fn write_length(key: Key, length: i64) -> Key {
    match LENGTHS.iter().position(|it| *it == length) {
        Some(number) => key.tag(u8::try_from(number).expect("there are few lengths")),
        None => key.tag(LENGTH_FOLLOWS).u64(length.cast_unsigned()),
    }
}

fn instant(coded: u64) -> i64 {
    (coded ^ (1 << 63)).cast_signed()
}

fn ordered_degrees(degrees: i32) -> u32 {
    degrees.cast_unsigned() ^ (1 << 31)
}
