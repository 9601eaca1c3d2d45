//! Who points at a record: one entry for each pair of target and source.

use store::{Row, Space, StoreError, TypeNumber};

use super::Referent;
use crate::codec::{Cursor, Key, Value};

/// Who points at a record, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Incoming {
    pub(crate) space: Space,
    pub(crate) kind: TypeNumber,
    pub(crate) by: u8,
}

impl Incoming {
    pub(crate) const BY_REFERENCE: u8 = 1;
    pub(crate) const BY_ENTRY: u8 = 2;

    pub(crate) fn refers(self) -> bool {
        self.by & Self::BY_REFERENCE != 0
    }

    pub(crate) fn encode(self) -> Vec<u8> {
        Value::default()
            .byte(self.by)
            .varint(self.space.0.into())
            .varint(self.kind.0.into())
            .0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut at = Cursor::new(bytes, "incoming reference");
        let by = at.byte()?;
        Ok(Self {
            by,
            space: Space(at.small()?),
            kind: TypeNumber(at.small()?),
        })
    }
}

pub(crate) fn incoming_key(target: Referent, source: Row) -> Vec<u8> {
    Key::new().u64(target.0).u64(source.0).done()
}

/// Target and source of an incoming reference.
pub(crate) fn rows_of_incoming(key: &[u8]) -> Result<(Referent, Row), StoreError> {
    let mut at = Cursor::new(key, "incoming reference");
    Ok((Referent(at.u64()?), Row(at.u64()?)))
}
