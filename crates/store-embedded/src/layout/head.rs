//! Where a record stands, and the number that others refer to it by.

use store::{Lane, Operation, Position, Row, StoreError, VersionNumber};

use super::{operation_byte, operation_of};
use crate::codec::{Cursor, Value};

/// The number that references to a record are stored with: that of its row, unless something
/// referred to it before it was there. Rows and referents are numbers of one sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Referent(pub(crate) u64);

impl Referent {
    /// Of a record that was there before anything referred to it.
    pub(crate) fn of(row: Row) -> Self {
        Self(row.0)
    }

    /// The lane of the record.
    pub(crate) fn lane(self) -> Lane {
        Lane(self.0)
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Zero while there is no version.
    pub(crate) row: Row,
    pub(crate) referent: Referent,
    /// Zero: there is no version, the record is only referred to.
    pub(crate) version: VersionNumber,
    pub(crate) position: Position,
    pub(crate) operation: Operation,
}

impl Head {
    /// Of a record that is referred to and not there.
    pub(crate) fn reserved(referent: Referent) -> Self {
        Self {
            row: Row(0),
            referent,
            version: VersionNumber(0),
            position: Position(0),
            operation: Operation::Purge,
        }
    }

    pub(crate) fn exists(&self) -> bool {
        self.version.0 > 0
    }

    pub(crate) fn live(&self) -> bool {
        self.exists() && self.operation != Operation::Delete
    }

    /// Whether others refer to it by another number than its row's.
    pub(crate) fn displaced(&self) -> bool {
        self.exists() && self.referent != Referent::of(self.row)
    }

    /// Begins with the row, or with the referent of a record that has none.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let number = if self.exists() {
            self.row.0
        } else {
            self.referent.0
        };
        let value = Value::default()
            .varint(number)
            .varint(self.version.0)
            .varint(self.position.0)
            .byte(operation_byte(self.operation));
        if self.displaced() {
            value.varint(self.referent.0).0
        } else {
            value.0
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut at = Cursor::new(bytes, "head");
        let number = at.varint()?;
        let head = Self {
            row: Row(number),
            referent: Referent(number),
            version: VersionNumber(at.varint()?),
            position: Position(at.varint()?),
            operation: operation_of(&mut at)?,
        };
        Ok(match at.is_at_end() {
            _ if !head.exists() => Self::reserved(head.referent),
            true => head,
            false => Self {
                referent: Referent(at.varint()?),
                ..head
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_come_back() {
        let head = Head {
            row: Row(300),
            referent: Referent(300),
            version: VersionNumber(2),
            position: Position(1 << 40),
            operation: Operation::Update,
        };
        let displaced = Head {
            referent: Referent(7),
            ..head
        };
        for it in [head, displaced, Head::reserved(Referent(300))] {
            assert_eq!(Head::decode(&it.encode()).unwrap(), it);
        }
        assert!(displaced.displaced() && !head.displaced());
    }

    /// Before rows were given at creation, a record had one number, whether it was there or not.
    #[test]
    fn heads_of_older_directories_are_read() {
        let older = |version: u64, operation| {
            let value = Value::default().varint(9).varint(version).varint(3);
            value.byte(operation_byte(operation)).0
        };
        let there = Head::decode(&older(1, Operation::Create)).unwrap();
        assert_eq!((there.row, there.referent), (Row(9), Referent(9)));
        let reserved = Head::decode(&older(0, Operation::Purge)).unwrap();
        assert_eq!((reserved.row, reserved.referent), (Row(0), Referent(9)));
    }
}
