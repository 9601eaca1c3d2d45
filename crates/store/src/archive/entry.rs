//! Index entries in a backup: slot, the number of the value's form, the group if it is not the
//! first (then the number is greater by [`GROUPED`]), the value.

use super::{Cursor, put_bytes, put_i64, put_key, put_u8, put_u64};
use crate::{Entry, EntryValue, Magnitude, ParameterNumber, Place, SystemNumber, UnitNumber};

const TOKEN: u8 = 0;
const REFERENCE: u8 = 1;
const URI: u8 = 2;
const VALUELESS: u8 = 3;
const TEXT: u8 = 4;
const PERIOD: u8 = 5;
const NUMBER: u8 = 6;
const PLACE: u8 = 7;
const GROUPED: u8 = 0x80;

pub(super) fn put(into: &mut Vec<u8>, entry: &Entry) {
    put_u64(into, u64::from(entry.parameter.0));
    let form = form_of(&entry.value);
    if entry.group == 0 {
        put_u8(into, form);
    } else {
        put_u8(into, form | GROUPED);
        put_u64(into, u64::from(entry.group));
    }
    match &entry.value {
        EntryValue::Valueless => {}
        EntryValue::Token { system, code } => {
            put_u64(into, u64::from(system.0));
            put_bytes(into, code.as_bytes());
        }
        EntryValue::Text { folded, exact } => {
            put_bytes(into, folded.as_bytes());
            put_bytes(into, exact.as_bytes());
        }
        EntryValue::Reference(key) => put_key(into, key),
        EntryValue::Uri(uri) => put_bytes(into, uri.as_bytes()),
        EntryValue::Period { low, high } => {
            put_i64(into, *low);
            put_i64(into, *high);
        }
        EntryValue::Number { unit, low, high } => {
            put_u64(into, u64::from(unit.0));
            put_bytes(into, &low.0);
            put_bytes(into, &high.0);
        }
        EntryValue::Place(place) => {
            put_i64(into, i64::from(place.latitude));
            put_i64(into, i64::from(place.longitude));
        }
    }
}

fn form_of(value: &EntryValue) -> u8 {
    match value {
        EntryValue::Valueless => VALUELESS,
        EntryValue::Token { .. } => TOKEN,
        EntryValue::Text { .. } => TEXT,
        EntryValue::Reference(_) => REFERENCE,
        EntryValue::Uri(_) => URI,
        EntryValue::Period { .. } => PERIOD,
        EntryValue::Number { .. } => NUMBER,
        EntryValue::Place(_) => PLACE,
    }
}

pub(super) fn take(cursor: &mut Cursor) -> Option<Entry> {
    let parameter = ParameterNumber(cursor.u32()?);
    let form = cursor.u8()?;
    let group = if form & GROUPED == 0 {
        0
    } else {
        cursor.u32()?
    };
    let value = match form & !GROUPED {
        TOKEN => EntryValue::Token {
            system: SystemNumber(cursor.u32()?),
            code: cursor.text()?,
        },
        REFERENCE => EntryValue::Reference(cursor.key()?),
        URI => EntryValue::Uri(cursor.text()?),
        VALUELESS => EntryValue::Valueless,
        TEXT => EntryValue::Text {
            folded: cursor.text()?,
            exact: cursor.text()?,
        },
        PERIOD => EntryValue::Period {
            low: cursor.i64()?,
            high: cursor.i64()?,
        },
        NUMBER => EntryValue::Number {
            unit: UnitNumber(cursor.u32()?),
            low: Magnitude(cursor.bytes()?.as_ref().into()),
            high: Magnitude(cursor.bytes()?.as_ref().into()),
        },
        PLACE => EntryValue::Place(Place {
            latitude: cursor.i64()?.try_into().ok()?,
            longitude: cursor.i64()?.try_into().ok()?,
        }),
        _ => return None,
    };
    Some(Entry {
        parameter,
        group,
        value,
    })
}
