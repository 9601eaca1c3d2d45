//! The file format of backups: a header line, checked frames, and an end frame that counts them.
//!
//! `isthmus-backup 1\n`, then per item: length of the payload (u32), kind (u8), payload, xxh3-64 of
//! kind and payload; all numbers little-endian. A file that was cut off lacks the end frame; a
//! damaged one breaks a checksum. Both are errors that name the byte where reading stopped.

mod entry;

use std::io::{self, Read, Write};

use bytes::Bytes;
use xxhash_rust::xxh3::Xxh3;

use crate::{
    BackupItem, BlobId, Instant, Lane, LedgerEntry, NameKind, NamedKey, NamedRow, Operation,
    Origin, Position, Record, RecordId, RecordKey, Row, Space, TypeNumber, VersionNumber,
};

const HEADER: &[u8] = b"isthmus-backup 1\n";
const END: u8 = 0;
/// Bytes of one frame; a version's body has its own, lower limit.
const FRAME_BYTES_MAX: u32 = 1 << 30;

/// Writes a backup.
pub struct ArchiveWriter<W> {
    into: W,
    items: u64,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins with the header.
    pub fn new(mut into: W) -> io::Result<Self> {
        into.write_all(HEADER)?;
        Ok(Self { into, items: 0 })
    }

    /// Writes one item.
    pub fn write(&mut self, item: &BackupItem) -> io::Result<()> {
        let mut payload = Vec::new();
        let kind = encode(item, &mut payload);
        self.items += 1;
        self.frame(kind, &payload)
    }

    /// Ends the backup and gives back what it was written into, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        let items = self.items.to_le_bytes();
        self.frame(END, &items)?;
        self.into.flush()?;
        Ok(self.into)
    }

    /// What was written so far and not yet taken.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.into
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|it| *it <= FRAME_BYTES_MAX);
        let length = length.ok_or_else(|| invalid("limit `frame_bytes_max` exceeded"))?;
        self.into.write_all(&length.to_le_bytes())?;
        self.into.write_all(&[kind])?;
        self.into.write_all(payload)?;
        self.into.write_all(&checksum(kind, payload).to_le_bytes())
    }
}

/// Reads a backup, item by item; ends with the end frame and fails without one.
pub struct ArchiveReader<R> {
    from: R,
    offset: u64,
    items: u64,
    ended: bool,
}

impl<R: Read> ArchiveReader<R> {
    /// Checks the header.
    pub fn new(mut from: R) -> io::Result<Self> {
        let mut header = [0; HEADER.len()];
        from.read_exact(&mut header)
            .map_err(|_| invalid("this is no isthmus backup"))?;
        if header != HEADER {
            return Err(invalid(
                "this is no isthmus backup, or one of another format",
            ));
        }
        Ok(Self {
            from,
            offset: HEADER.len() as u64,
            items: 0,
            ended: false,
        })
    }

    fn next_item(&mut self) -> io::Result<Option<BackupItem>> {
        let length = u32::from_le_bytes(self.array()?);
        if length > FRAME_BYTES_MAX {
            return Err(self.damaged("a frame is too long"));
        }
        let [kind] = self.array()?;
        let mut payload = Vec::new();
        let read = (&mut self.from)
            .take(u64::from(length))
            .read_to_end(&mut payload)?;
        if read as u64 != u64::from(length) {
            return Err(self.damaged("the file is cut off"));
        }
        let stored = u64::from_le_bytes(self.array()?);
        if stored != checksum(kind, &payload) {
            return Err(self.damaged("a checksum is wrong"));
        }
        self.offset += u64::from(length);
        if kind == END {
            self.ended = true;
            let complete = payload == self.items.to_le_bytes();
            return if complete {
                Ok(None)
            } else {
                Err(self.damaged("items are missing"))
            };
        }
        self.items += 1;
        let item =
            decode(kind, payload.into()).ok_or_else(|| self.damaged("an item is malformed"))?;
        Ok(Some(item))
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from
            .read_exact(&mut bytes)
            .map_err(|_| self.damaged("the file is cut off"))?;
        self.offset += N as u64;
        Ok(bytes)
    }

    fn damaged(&self, what: &str) -> io::Error {
        invalid(&format!(
            "the backup is damaged at byte {}: {what}",
            self.offset
        ))
    }
}

impl<R: Read> Iterator for ArchiveReader<R> {
    type Item = io::Result<BackupItem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.next_item();
        self.ended |= item.is_err();
        item.transpose()
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

fn checksum(kind: u8, payload: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&[kind]);
    hash.update(payload);
    hash.digest()
}

const NAME: u8 = 1;
const VERSION: u8 = 2;
const INDEX: u8 = 3;
const LEDGER: u8 = 4;
const NAMED: u8 = 5;
const COMMITTED: u8 = 6;
const BLOB: u8 = 7;
const RESERVED: u8 = 8;

/// Operations by their number in a file.
const OPERATIONS: [Operation; 5] = [
    Operation::Create,
    Operation::Update,
    Operation::Delete,
    Operation::Purge,
    Operation::PurgeHistory,
];

fn encode(item: &BackupItem, into: &mut Vec<u8>) -> u8 {
    match item {
        BackupItem::Name { kind, number, name } => {
            put_u8(into, index_of(&NameKind::ALL, kind));
            put_u64(into, u64::from(*number));
            put_bytes(into, name.as_bytes());
            NAME
        }
        BackupItem::Version { record, blobs } => {
            put_key(into, &record.key);
            put_u64(into, record.row.0);
            put_u64(into, record.version.0);
            put_u64(into, record.position.0);
            put_i64(into, record.time.0);
            put_u8(into, index_of(&OPERATIONS, &record.operation));
            put_bytes(into, &record.body);
            put_list(into, blobs, put_blob);
            VERSION
        }
        BackupItem::Reserved { key, row } => {
            put_key(into, key);
            put_u64(into, row.0);
            RESERVED
        }
        BackupItem::Index {
            key,
            entries,
            references,
        } => {
            put_key(into, key);
            put_list(into, entries, entry::put);
            put_list(into, references, put_key);
            INDEX
        }
        BackupItem::Ledger(entry) => {
            put_ledger(into, entry);
            LEDGER
        }
        BackupItem::Named(key, row) => {
            put_bytes(into, key.0.as_bytes());
            put_bytes(into, &row.value);
            put_u64(into, row.revision);
            put_list(into, row.expires.as_slice(), |into, at| put_i64(into, at.0));
            NAMED
        }
        BackupItem::Committed(bytes) => {
            put_bytes(into, bytes);
            COMMITTED
        }
        BackupItem::Blob { id, offset, bytes } => {
            put_blob(into, id);
            put_u64(into, *offset);
            put_bytes(into, bytes);
            BLOB
        }
    }
}

fn put_ledger(into: &mut Vec<u8>, entry: &LedgerEntry) {
    put_u64(into, entry.position.0);
    put_u64(into, entry.transaction);
    put_i64(into, entry.time.0);
    put_u64(into, u64::from(entry.origin.0));
    put_u8(into, index_of(&OPERATIONS, &entry.operation));
    put_u64(into, u64::from(entry.space.0));
    put_u64(into, u64::from(entry.kind.0));
    put_u64(into, entry.row.0);
    put_u64(into, entry.version.0);
    put_list(into, &entry.lanes, |into, lane| put_u64(into, lane.0));
}

fn put_key(into: &mut Vec<u8>, key: &RecordKey) {
    put_u64(into, u64::from(key.space.0));
    put_u64(into, u64::from(key.kind.0));
    put_bytes(into, key.id.0.as_bytes());
}

fn put_blob(into: &mut Vec<u8>, blob: &BlobId) {
    into.extend_from_slice(&blob.sha256);
    put_u64(into, blob.length);
}

fn put_list<T>(into: &mut Vec<u8>, list: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    put_u64(into, list.len() as u64);
    for item in list {
        put(into, item);
    }
}

fn put_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    put_u64(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn put_u8(into: &mut Vec<u8>, number: u8) {
    into.push(number);
}

fn put_i64(into: &mut Vec<u8>, number: i64) {
    into.extend_from_slice(&number.to_le_bytes());
}

/// Seven bits a byte, lowest first.
fn put_u64(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    into.push((number & 0x7f) as u8);
}

fn index_of<T: PartialEq>(table: &[T], item: &T) -> u8 {
    let index = table
        .iter()
        .position(|it| it == item)
        .expect("the table has every variant");
    u8::try_from(index).expect("the table is short")
}

fn decode(kind: u8, payload: Bytes) -> Option<BackupItem> {
    let mut cursor = Cursor(payload);
    let item = match kind {
        NAME => BackupItem::Name {
            kind: *NameKind::ALL.get(usize::from(cursor.u8()?))?,
            number: cursor.u32()?,
            name: cursor.text()?,
        },
        VERSION => BackupItem::Version {
            record: cursor.record()?,
            blobs: cursor.list(Cursor::blob)?,
        },
        RESERVED => BackupItem::Reserved {
            key: cursor.key()?,
            row: Row(cursor.u64()?),
        },
        INDEX => BackupItem::Index {
            key: cursor.key()?,
            entries: cursor.list(entry::take)?,
            references: cursor.list(Cursor::key)?,
        },
        LEDGER => BackupItem::Ledger(cursor.ledger()?),
        NAMED => {
            let key = NamedKey(cursor.text()?);
            let (value, revision) = (cursor.bytes()?, cursor.u64()?);
            let expires = cursor.list(|cursor| cursor.i64().map(Instant))?.pop();
            BackupItem::Named(
                key,
                NamedRow {
                    value,
                    revision,
                    expires,
                },
            )
        }
        COMMITTED => BackupItem::Committed(cursor.bytes()?),
        BLOB => BackupItem::Blob {
            id: cursor.blob()?,
            offset: cursor.u64()?,
            bytes: cursor.bytes()?,
        },
        _ => return None,
    };
    cursor.0.is_empty().then_some(item)
}

/// A payload from which values are taken off the front.
struct Cursor(Bytes);

impl Cursor {
    fn take(&mut self, length: usize) -> Option<Bytes> {
        (length <= self.0.len()).then(|| self.0.split_to(length))
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u64(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn u32(&mut self) -> Option<u32> {
        self.u64()?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.u64()?.try_into().ok()
    }

    fn i64(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.take(8)?.as_ref().try_into().ok()?))
    }

    fn bytes(&mut self) -> Option<Bytes> {
        let length = usize::try_from(self.u64()?).ok()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<Box<str>> {
        Some(std::str::from_utf8(&self.bytes()?).ok()?.into())
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = usize::try_from(self.u64()?)
            .ok()
            .filter(|it| *it <= self.0.len())?;
        (0..count).map(|_| item(self)).collect()
    }

    fn key(&mut self) -> Option<RecordKey> {
        let (space, kind) = (Space(self.u16()?), TypeNumber(self.u32()?));
        Some(RecordKey {
            space,
            kind,
            id: RecordId(self.text()?),
        })
    }

    fn blob(&mut self) -> Option<BlobId> {
        Some(BlobId {
            sha256: self.take(32)?.as_ref().try_into().ok()?,
            length: self.u64()?,
        })
    }

    fn operation(&mut self) -> Option<Operation> {
        OPERATIONS.get(usize::from(self.u8()?)).copied()
    }

    fn record(&mut self) -> Option<Record> {
        Some(Record {
            key: self.key()?,
            row: Row(self.u64()?),
            version: VersionNumber(self.u64()?),
            position: Position(self.u64()?),
            time: Instant(self.i64()?),
            operation: self.operation()?,
            body: self.bytes()?,
        })
    }

    fn ledger(&mut self) -> Option<LedgerEntry> {
        Some(LedgerEntry {
            position: Position(self.u64()?),
            transaction: self.u64()?,
            time: Instant(self.i64()?),
            origin: Origin(self.u16()?),
            operation: self.operation()?,
            space: Space(self.u16()?),
            kind: TypeNumber(self.u32()?),
            row: Row(self.u64()?),
            version: VersionNumber(self.u64()?),
            lanes: self.list(|cursor| cursor.u64().map(Lane))?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entry, EntryValue, Magnitude, ParameterNumber, Place, SystemNumber, UnitNumber};

    fn key(id: &str) -> RecordKey {
        RecordKey {
            space: Space(2),
            kind: TypeNumber(700),
            id: id.into(),
        }
    }

    fn reserved() -> BackupItem {
        let (key, row) = (key("b"), Row(4));
        BackupItem::Reserved { key, row }
    }

    fn values() -> [EntryValue; 8] {
        [
            EntryValue::Valueless,
            EntryValue::Token {
                system: SystemNumber(9),
                code: "c".into(),
            },
            EntryValue::Text {
                folded: "a".into(),
                exact: "Ä".into(),
            },
            EntryValue::Reference(key("b")),
            EntryValue::Uri("u".into()),
            EntryValue::Period {
                low: i64::MIN,
                high: -5,
            },
            EntryValue::Number {
                unit: UnitNumber(3),
                low: Magnitude::least(),
                high: Magnitude(Box::new([1, 0, 2])),
            },
            EntryValue::Place(Place {
                latitude: -90,
                longitude: 1_800_000_000,
            }),
        ]
    }

    fn items() -> Vec<BackupItem> {
        let record = Record {
            key: key("a"),
            row: Row(u64::MAX),
            version: VersionNumber(3),
            position: Position(300),
            time: Instant(-5),
            operation: Operation::Update,
            body: Bytes::from_static(b"{}"),
        };
        let blob = BlobId {
            sha256: [7; 32],
            length: 3,
        };
        let entries = values().into_iter().zip([0, 0, 7, 0, 1, 0, 300, 0]);
        let entries = entries.map(|(value, group)| Entry {
            parameter: ParameterNumber(128),
            group,
            value,
        });
        let ledger = LedgerEntry {
            position: Position(300),
            transaction: 2,
            time: Instant(i64::MAX),
            origin: Origin(2),
            operation: Operation::Purge,
            space: Space(2),
            kind: TypeNumber(1),
            row: Row(1),
            version: VersionNumber(1),
            lanes: vec![Lane(4), Lane(5)],
        };
        let named = |expires| NamedRow {
            value: Bytes::from_static(b"v"),
            revision: 1,
            expires,
        };
        vec![
            BackupItem::Name {
                kind: NameKind::System,
                number: 3,
                name: "http://x".into(),
            },
            BackupItem::Version {
                record,
                blobs: vec![blob],
            },
            reserved(),
            BackupItem::Index {
                key: key("a"),
                entries: entries.collect(),
                references: vec![key("b")],
            },
            BackupItem::Ledger(ledger),
            BackupItem::Named("a/b".into(), named(Some(Instant(9)))),
            BackupItem::Named("a/c".into(), named(None)),
            BackupItem::Committed(Bytes::from_static(b"c")),
            BackupItem::Blob {
                id: blob,
                offset: 0,
                bytes: Bytes::from_static(b"abc"),
            },
        ]
    }

    fn written() -> Vec<u8> {
        let mut writer = ArchiveWriter::new(Vec::new()).expect("in memory");
        for item in items() {
            writer.write(&item).expect("in memory");
        }
        writer.finish().expect("in memory")
    }

    fn read(bytes: &[u8]) -> io::Result<Vec<BackupItem>> {
        ArchiveReader::new(bytes)?.collect()
    }

    #[test]
    fn every_item_comes_back() {
        assert_eq!(
            format!("{:?}", read(&written()).expect("whole")),
            format!("{:?}", items())
        );
        let mut again = ArchiveWriter::new(Vec::new()).expect("in memory");
        for item in read(&written()).expect("whole") {
            again.write(&item).expect("in memory");
        }
        assert_eq!(again.finish().expect("in memory"), written());
    }

    #[test]
    fn a_backup_cut_anywhere_is_refused() {
        let whole = written();
        for length in 0..whole.len() {
            assert!(read(&whole[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let whole = written();
        for index in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[index] ^= 0x10;
            assert!(read(&damaged).is_err(), "flipped at {index}");
        }
    }
}
