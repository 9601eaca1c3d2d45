//! What lies where in a tenant's engine: the keys and values of every key space. Nothing else in
//! this crate knows a byte of them.
//!
//! Numbers in keys are big-endian, texts keep their order ([`crate::codec`]); values begin with
//! what is read most. A row names a record within its tenant, whatever the space.
//!
//! | key space | key | value |
//! |---|---|---|
//! | `ids` | space, type, id | [`Head`]: row, newest version, its position, its operation, perhaps its [`Referent`]; version 0 = only referred to |
//! | `rows` | row or [`Referent`] | space, type, id |
//! | `bodies` | space, type, row | [`Version`]: the newest version, with its compressed body |
//! | `history` | space, type, row, version | [`Version`]: an older version |
//! | `ledger` | position | the ledger entry, with the number of its form |
//! | `changes` | `K` space, type, position | row, version: the versions of a type |
//! | | `S` space, position | type, row, version: the versions of a space |
//! | | `L` lane, position | nothing: the entries of a lane |
//! | `entries` | row | [`Indexed`]: entries and references of the newest version of a live record |
//! | `postings` | space, type, slot, value ([`postings`]), row | nothing; slot 0 = "is live", without value |
//! | `incoming` | [`Referent`], source's row | source's space and type, and what refers ([`Incoming`]) |
//! | `meta` | `S` | [`State`] |
//! | | `C` space, type | number of live records |
//! | | `N` kind of name, number | a name of the dictionary |
//! | | `Z` number | a compression dictionary: space, type, bytes |
//! | | `D` row | the record's [`Referent`], where it has another number |
//! | | `D` [`Referent`] | the record's row, likewise |
//! | | `R` named row's key | expiry, revision, value |
//! | | `I` caller, key | a commit with an idempotency key, as `Committed::encode` gives it |
//! | | `X` instant, key of the above | nothing: what is to be removed then |
//! | | `B` sha256, length, row, version | nothing: the version names the blob |
//! | | `V` row | the blobs that the newest version names; not there if it names none |
//!
//! Rows are given in the order of creation, which is the order of results that are not sorted. What is
//! referred to before it is there has no row yet, but a [`Referent`], and keeps it.
//!
//! A posting is a key of its own, without a value: no write reads what is there. Measured on 100,000
//! records with 30 entries and 740 bytes of JSON each, most of them with an identifier, an instant
//! and a number of their own: postings take 9 bytes an entry on disk, `entries` 6, all else but
//! bodies 150 a record; a load of 500 a commit spends about 200 µs of CPU a record.

mod entries;
mod head;
mod incoming;
mod postings;

use bytes::Bytes;
use store::{
    BlobId, IdempotencyKey, Instant, Lane, LedgerEntry, NameKind, NamedKey, Operation, Origin,
    Position, RecordId, RecordKey, Row, Space, StoreError, TypeNumber, VersionNumber,
};

pub(crate) use entries::{Indexed, IndexedEntry, Stored};
pub(crate) use head::{Head, Referent};
pub(crate) use incoming::{Incoming, incoming_key, rows_of_incoming};
pub(crate) use postings::*;

use crate::codec::{Cursor, Key, Value};
use crate::engine::{Compression, Filter, KeySpace, Space as Tree};

pub(crate) const IDS: Tree = Tree(0);
pub(crate) const ROWS: Tree = Tree(1);
pub(crate) const BODIES: Tree = Tree(2);
pub(crate) const HISTORY: Tree = Tree(3);
pub(crate) const LEDGER: Tree = Tree(4);
pub(crate) const CHANGES: Tree = Tree(5);
pub(crate) const ENTRIES: Tree = Tree(6);
pub(crate) const POSTINGS: Tree = Tree(7);
pub(crate) const INCOMING: Tree = Tree(8);
pub(crate) const META: Tree = Tree(9);

/// The key spaces in the order of the constants above.
pub(crate) const KEY_SPACES: [KeySpace; 10] = [
    tree("ids", 4, Compression::Lz4, Filter::Bloom),
    tree("rows", 4, Compression::Lz4, Filter::Bloom),
    tree("bodies", 4, Compression::None, Filter::Bloom),
    tree("history", 16, Compression::None, Filter::None),
    tree("ledger", 8, Compression::Lz4, Filter::None),
    tree("changes", 16, Compression::Lz4, Filter::None),
    tree("entries", 8, Compression::Lz4, Filter::Bloom),
    tree("postings", 32, Compression::Lz4, Filter::None),
    tree("incoming", 16, Compression::Lz4, Filter::None),
    tree("meta", 4, Compression::Lz4, Filter::Bloom),
];

const fn tree(
    name: &'static str,
    block_kib: u32,
    compression: Compression,
    filter: Filter,
) -> KeySpace {
    KeySpace {
        name,
        block_bytes: block_kib << 10,
        compression,
        filter,
    }
}

/// The form of ledger entries that this program writes.
const LEDGER_FORM: u8 = 1;

// ---- records ------------------------------------------------------------------------------------

/// All ids of a type.
pub(crate) fn ids_of(space: Space, kind: TypeNumber) -> Vec<u8> {
    kind_key(space, kind).done()
}

pub(crate) fn id_key(key: &RecordKey) -> Vec<u8> {
    kind_key(key.space, key.kind)
        .raw(key.id.0.as_bytes())
        .done()
}

/// What `id_key` wrote.
pub(crate) fn id_of_key(key: &[u8]) -> Result<RecordKey, StoreError> {
    record_key(Cursor::new(key, "key of `ids`"))
}

fn record_key(mut at: Cursor<'_>) -> Result<RecordKey, StoreError> {
    Ok(RecordKey {
        space: Space(at.u16()?),
        kind: TypeNumber(at.u32()?),
        id: RecordId(at.rest_text()?),
    })
}

pub(crate) fn row_key(row: Row) -> Vec<u8> {
    Key::new().u64(row.0).done()
}

pub(crate) fn referent_key(referent: Referent) -> Vec<u8> {
    Key::new().u64(referent.0).done()
}

pub(crate) fn row_of_key(key: &[u8]) -> Result<Row, StoreError> {
    Cursor::new(key, "row").u64().map(Row)
}

/// The value of a row: the record's key, as `id_key` writes it.
pub(crate) fn key_of_row(value: &[u8]) -> Result<RecordKey, StoreError> {
    record_key(Cursor::new(value, "row"))
}

fn kind_key(space: Space, kind: TypeNumber) -> Key {
    Key::new().u16(space.0).u32(kind.0)
}

pub(crate) fn body_key(space: Space, kind: TypeNumber, row: Row) -> Vec<u8> {
    kind_key(space, kind).u64(row.0).done()
}

pub(crate) fn history_key(
    space: Space,
    kind: TypeNumber,
    row: Row,
    version: VersionNumber,
) -> Vec<u8> {
    kind_key(space, kind).u64(row.0).u64(version.0).done()
}

/// The place of a version: what the keys of `bodies` (without version) and `history` say.
pub(crate) fn place_of_key(key: &[u8]) -> Result<(Space, TypeNumber, Row), StoreError> {
    let mut at = Cursor::new(key, "key of a version");
    Ok((Space(at.u16()?), TypeNumber(at.u32()?), Row(at.u64()?)))
}

pub(crate) fn version_of_key(key: &[u8]) -> Result<VersionNumber, StoreError> {
    let mut at = Cursor::new(key, "key of `history`");
    at.take(14)?;
    at.u64().map(VersionNumber)
}

/// A stored version; the body is still compressed.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) number: VersionNumber,
    pub(crate) position: Position,
    pub(crate) time: Instant,
    pub(crate) operation: Operation,
    pub(crate) blobs: Vec<BlobId>,
    /// As [`crate::body`] packed it.
    pub(crate) packed: Bytes,
}

impl Version {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Value(Vec::with_capacity(self.packed.len() + 40))
            .varint(self.number.0)
            .varint(self.position.0)
            .signed(self.time.0)
            .byte(operation_byte(self.operation))
            .list(&self.blobs, push_blob)
            .raw(&self.packed)
            .0
    }

    pub(crate) fn decode(bytes: &Bytes) -> Result<Self, StoreError> {
        let mut at = Cursor::new(bytes, "version");
        let number = VersionNumber(at.varint()?);
        let position = Position(at.varint()?);
        let time = Instant(at.signed()?);
        let operation = operation_of(&mut at)?;
        let blobs = at.list(take_blob)?;
        let packed = bytes.slice_ref(at.rest());
        Ok(Self {
            number,
            position,
            time,
            operation,
            blobs,
            packed,
        })
    }
}

fn push_blob(value: Value, blob: &BlobId) -> Value {
    value.raw(&blob.sha256).varint(blob.length)
}

fn take_blob(at: &mut Cursor<'_>) -> Result<BlobId, StoreError> {
    Ok(BlobId {
        sha256: at.hash()?,
        length: at.varint()?,
    })
}

fn operation_byte(operation: Operation) -> u8 {
    match operation {
        Operation::Create => 0,
        Operation::Update => 1,
        Operation::Delete => 2,
        Operation::Purge => 3,
        Operation::PurgeHistory => 4,
    }
}

fn operation_of(at: &mut Cursor<'_>) -> Result<Operation, StoreError> {
    Ok(match at.byte()? {
        0 => Operation::Create,
        1 => Operation::Update,
        2 => Operation::Delete,
        3 => Operation::Purge,
        4 => Operation::PurgeHistory,
        _ => return at.refuse(),
    })
}

// ---- ledger -------------------------------------------------------------------------------------

pub(crate) fn ledger_key(position: Position) -> Vec<u8> {
    Key::new().u64(position.0).done()
}

pub(crate) fn position_of_key(key: &[u8]) -> Result<Position, StoreError> {
    Cursor::new(key, "position").u64().map(Position)
}

pub(crate) fn encode_ledger(entry: &LedgerEntry) -> Vec<u8> {
    Value::default()
        .byte(LEDGER_FORM)
        .varint(entry.transaction)
        .signed(entry.time.0)
        .varint(entry.origin.0.into())
        .byte(operation_byte(entry.operation))
        .varint(entry.space.0.into())
        .varint(entry.kind.0.into())
        .varint(entry.row.0)
        .varint(entry.version.0)
        .list(&entry.lanes, |value, lane| value.varint(lane.0))
        .0
}

pub(crate) fn decode_ledger(position: Position, bytes: &[u8]) -> Result<LedgerEntry, StoreError> {
    let mut at = Cursor::new(bytes, "ledger entry");
    if at.byte()? != LEDGER_FORM {
        return at.refuse();
    }
    Ok(LedgerEntry {
        position,
        transaction: at.varint()?,
        time: Instant(at.signed()?),
        origin: Origin(at.small()?),
        operation: operation_of(&mut at)?,
        space: Space(at.small()?),
        kind: TypeNumber(at.small()?),
        row: Row(at.varint()?),
        version: VersionNumber(at.varint()?),
        lanes: at.list(|at| at.varint().map(Lane))?,
    })
}

/// The versions of a type, in the order of the ledger.
pub(crate) fn kind_changes(space: Space, kind: TypeNumber) -> Vec<u8> {
    Key::new().tag(b'K').u16(space.0).u32(kind.0).done()
}

/// The versions of a space, in the order of the ledger.
pub(crate) fn space_changes(space: Space) -> Vec<u8> {
    Key::new().tag(b'S').u16(space.0).done()
}

/// The ledger entries of a lane.
pub(crate) fn lane_changes(lane: Lane) -> Vec<u8> {
    Key::new().tag(b'L').u64(lane.0).done()
}

/// A key of one of the three lists above.
pub(crate) fn change_key(list: &[u8], position: Position) -> Vec<u8> {
    let mut key = list.to_vec();
    key.extend(position.0.to_be_bytes());
    key
}

pub(crate) fn position_of_change(key: &[u8]) -> Result<Position, StoreError> {
    position_of_key(&key[key.len().saturating_sub(8)..])
}

/// A version that a list of changes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) kind: TypeNumber,
    pub(crate) row: Row,
    pub(crate) version: VersionNumber,
}

impl Changed {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Value::default()
            .varint(self.kind.0.into())
            .varint(self.row.0)
            .varint(self.version.0)
            .0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut at = Cursor::new(bytes, "change");
        Ok(Self {
            kind: TypeNumber(at.small()?),
            row: Row(at.varint()?),
            version: VersionNumber(at.varint()?),
        })
    }
}

// ---- meta ---------------------------------------------------------------------------------------

/// Where a tenant's counters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) position: Position,
    pub(crate) transaction: u64,
    /// Of the newest commit.
    pub(crate) time: Instant,
    pub(crate) next_row: u64,
    /// Whether there is, or was, a record whose [`Referent`] is not its row's number.
    pub(crate) displaced: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            position: Position(0),
            transaction: 0,
            time: Instant(0),
            next_row: 1,
            displaced: false,
        }
    }
}

pub(crate) const STATE: &[u8] = b"S";
/// All numbers of live records.
pub(crate) const COUNTS: &[u8] = b"C";
/// All names of the dictionary.
pub(crate) const NAMES: &[u8] = b"N";
/// All compression dictionaries.
pub(crate) const DICTIONARIES: &[u8] = b"Z";
/// All commits with an idempotency key.
pub(crate) const REMEMBERED: &[u8] = b"I";
/// All named rows.
pub(crate) const NAMED: &[u8] = b"R";
/// All rows and referents of records that have different ones.
pub(crate) const DISPLACED: &[u8] = b"D";
/// Everything that is to be removed at some time.
pub(crate) const EXPIRING: &[u8] = b"X";

impl State {
    pub(crate) fn encode(&self) -> Vec<u8> {
        Value::default()
            .varint(self.position.0)
            .varint(self.transaction)
            .signed(self.time.0)
            .varint(self.next_row)
            .byte(u8::from(self.displaced))
            .0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let mut at = Cursor::new(bytes, "state");
        Ok(Self {
            position: Position(at.varint()?),
            transaction: at.varint()?,
            time: Instant(at.signed()?),
            next_row: at.varint()?,
            // Before there were such records nothing was written here.
            displaced: !at.is_at_end() && at.byte()? == 1,
        })
    }
}

pub(crate) fn count_key(space: Space, kind: TypeNumber) -> Vec<u8> {
    Key::new().tag(b'C').u16(space.0).u32(kind.0).done()
}

pub(crate) fn kind_of_count(key: &[u8]) -> Result<(Space, TypeNumber), StoreError> {
    kind_of_posting(&key[1..])
}

pub(crate) fn encode_number(number: u64) -> Vec<u8> {
    Value::default().varint(number).0
}

pub(crate) fn decode_number(bytes: &[u8]) -> Result<u64, StoreError> {
    Cursor::new(bytes, "number").varint()
}

pub(crate) fn name_key(kind: NameKind, number: u32) -> Vec<u8> {
    Key::new().tag(b'N').tag(kind_byte(kind)).u32(number).done()
}

pub(crate) fn name_of_key(key: &[u8]) -> Result<(NameKind, u32), StoreError> {
    let mut at = Cursor::new(key, "name");
    at.take(1)?;
    let byte = at.byte()?;
    let kind = NameKind::ALL
        .into_iter()
        .find(|kind| kind_byte(*kind) == byte);
    let Some(kind) = kind else { return at.refuse() };
    Ok((kind, at.u32()?))
}

fn kind_byte(kind: NameKind) -> u8 {
    match kind {
        NameKind::Type => 1,
        NameKind::Parameter => 2,
        NameKind::System => 3,
        NameKind::Unit => 4,
    }
}

/// Where the row of a displaced record's referent is, or the referent of its row.
pub(crate) fn displaced_key(number: u64) -> Vec<u8> {
    Key::new().tag(b'D').u64(number).done()
}

/// The other number of a record that has two, or the same: what a row is referred to by, and the row
/// of a referent (where no record is, if what is referred to is not there). `displaced` is that of
/// the state, and spares looking.
pub(crate) fn other_number(
    displaced: bool,
    number: u64,
    get: impl FnOnce(&[u8]) -> Result<Option<Bytes>, StoreError>,
) -> Result<u64, StoreError> {
    if !displaced {
        return Ok(number);
    }
    let other = get(&displaced_key(number))?;
    other.map_or(Ok(number), |bytes| decode_number(&bytes))
}

pub(crate) fn dictionary_key(number: u32) -> Vec<u8> {
    Key::new().tag(b'Z').u32(number).done()
}

pub(crate) fn number_of_dictionary(key: &[u8]) -> Result<u32, StoreError> {
    Cursor::new(&key[1..], "compression dictionary").u32()
}

pub(crate) fn encode_dictionary(space: Space, kind: TypeNumber, bytes: &[u8]) -> Vec<u8> {
    kind_key(space, kind).raw(bytes).done()
}

pub(crate) fn decode_dictionary(value: &[u8]) -> Result<(Space, TypeNumber, &[u8]), StoreError> {
    let mut at = Cursor::new(value, "compression dictionary");
    Ok((Space(at.u16()?), TypeNumber(at.u32()?), at.rest()))
}

pub(crate) fn named_key(key: &NamedKey) -> Vec<u8> {
    named_prefix(&key.0)
}

/// All named rows whose keys begin so.
pub(crate) fn named_prefix(prefix: &str) -> Vec<u8> {
    Key::new().tag(b'R').raw(prefix.as_bytes()).done()
}

pub(crate) fn key_of_named(key: &[u8]) -> Result<NamedKey, StoreError> {
    Cursor::new(&key[1..], "named row")
        .rest_text()
        .map(NamedKey)
}

pub(crate) fn encode_named(row: &store::NamedRow) -> Vec<u8> {
    let value = match row.expires {
        None => Value::default().byte(0),
        Some(at) => Value::default().byte(1).signed(at.0),
    };
    value.varint(row.revision).raw(&row.value).0
}

pub(crate) fn decode_named(bytes: &Bytes) -> Result<store::NamedRow, StoreError> {
    let mut at = Cursor::new(bytes, "named row");
    let expires = match at.byte()? {
        0 => None,
        _ => Some(Instant(at.signed()?)),
    };
    let revision = at.varint()?;
    Ok(store::NamedRow {
        value: bytes.slice_ref(at.rest()),
        revision,
        expires,
    })
}

pub(crate) fn remembered_key(key: &IdempotencyKey) -> Vec<u8> {
    Key::new()
        .tag(b'I')
        .text(&key.caller)
        .raw(key.key.as_bytes())
        .done()
}

/// Says that the row of `meta` under `key` may go at this instant.
pub(crate) fn expiry_key(at: Instant, key: &[u8]) -> Vec<u8> {
    Key::new().tag(b'X').u64(ordered(at)).raw(key).done()
}

/// Everything that was to go before this instant lies before this key.
pub(crate) fn expiry_end(now: Instant) -> Vec<u8> {
    Key::new().tag(b'X').u64(ordered(now)).done()
}

pub(crate) fn expiring(key: &[u8]) -> Result<(Instant, &[u8]), StoreError> {
    let mut at = Cursor::new(key, "expiry");
    at.take(1)?;
    let instant = Instant((at.u64()? ^ (1 << 63)).cast_signed());
    Ok((instant, at.rest()))
}

/// Instants in the order of unsigned numbers.
fn ordered(at: Instant) -> u64 {
    search::entry::ordered(at.0)
}

/// All versions that name this blob.
pub(crate) fn blob_users(blob: &BlobId) -> Vec<u8> {
    Key::new()
        .tag(b'B')
        .raw(&blob.sha256)
        .u64(blob.length)
        .done()
}

pub(crate) fn blob_key(blob: &BlobId, row: Row, version: VersionNumber) -> Vec<u8> {
    let mut key = blob_users(blob);
    key.extend(row.0.to_be_bytes());
    key.extend(version.0.to_be_bytes());
    key
}

/// The blobs of a row's newest version.
pub(crate) fn newest_blobs_key(row: Row) -> Vec<u8> {
    Key::new().tag(b'V').u64(row.0).done()
}

pub(crate) fn encode_blobs(blobs: &[BlobId]) -> Vec<u8> {
    Value::default().list(blobs, push_blob).0
}

pub(crate) fn decode_blobs(bytes: &[u8]) -> Result<Vec<BlobId>, StoreError> {
    Cursor::new(bytes, "blobs of a version").list(take_blob)
}

/// Every use of a blob.
pub(crate) const BLOB_USES: &[u8] = b"B";

pub(crate) fn blob_of_key(key: &[u8]) -> Result<BlobId, StoreError> {
    let mut at = Cursor::new(key, "use of a blob");
    at.take(1)?;
    Ok(BlobId {
        sha256: at.hash()?,
        length: at.u64()?,
    })
}

/// Where in a blob a backup stands.
pub(crate) fn blob_cursor(blob: &BlobId, offset: u64) -> Vec<u8> {
    Key::new()
        .raw(&blob.sha256)
        .u64(blob.length)
        .u64(offset)
        .done()
}

pub(crate) fn blob_and_offset(cursor: &[u8]) -> Result<(BlobId, u64), StoreError> {
    let mut at = Cursor::new(cursor, "cursor");
    let blob = BlobId {
        sha256: at.hash()?,
        length: at.u64()?,
    };
    Ok((blob, at.u64()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_older_directories_are_read() {
        let state = State {
            next_row: 5,
            displaced: true,
            ..State::default()
        };
        let bytes = state.encode();
        assert_eq!(State::decode(&bytes).unwrap(), state);
        let older = State::decode(&bytes[..bytes.len() - 1]).unwrap();
        assert_eq!((older.next_row, older.displaced), (5, false));
    }
}
