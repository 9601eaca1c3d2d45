//! Records and their versions.

use bytes::Bytes;

use crate::{BlobId, Instant, Operation, Position, RecordKey, Row, Space, TypeNumber};

/// The number of a record's version: 1, 2, 3 …; a deletion is a version too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionNumber(pub u64);

/// A space and how a store treats it; the list is given to a provider when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpaceDefinition {
    /// Its number.
    pub space: Space,
    /// Its name, for people.
    pub name: &'static str,
    /// Whether older versions are kept.
    pub versions: Versions,
}

/// Whether older versions are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// All, until purged.
    Kept,
    /// Only the newest.
    Newest,
}

/// A version of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// What names it.
    pub key: RecordKey,
    /// Its row.
    pub row: Row,
    /// Its number.
    pub version: VersionNumber,
    /// The ledger entry that made it.
    pub position: Position,
    /// When that was.
    pub time: Instant,
    /// Create, update or delete.
    pub operation: Operation,
    /// Its content, as it was given; empty for a deletion.
    pub body: Bytes,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record(row {}, version {})", self.row.0, self.version.0)
    }
}

/// A version of a record without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// What names the record.
    pub key: RecordKey,
    /// Its row.
    pub row: Row,
    /// The version's number.
    pub version: VersionNumber,
    /// The ledger entry that made it.
    pub position: Position,
    /// When that was.
    pub time: Instant,
    /// Create, update or delete.
    pub operation: Operation,
    /// The blobs that it names, in the order they were given in.
    pub blobs: Vec<BlobId>,
}

/// A version that a history lists, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The record's type.
    pub kind: TypeNumber,
    /// Its row.
    pub row: Row,
    /// The version.
    pub version: VersionNumber,
    /// The ledger entry that made it.
    pub position: Position,
}

/// Whose versions a history lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryOf {
    /// Of one record.
    Record(RecordKey),
    /// Of all records of a type.
    Kind(Space, TypeNumber),
    /// Of all records of a space.
    Space(Space),
}

/// A page of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// Newest or oldest first.
    pub order: HistoryOrder,
    /// Only versions beyond this position, in the page's order.
    pub after: Option<Position>,
    /// Only versions at or after this instant (`_since`).
    pub since: Option<Instant>,
    /// Only versions before this instant (`_before`).
    pub before: Option<Instant>,
    /// Only versions that were the newest at some time at or after this instant, or became so
    /// (`_at` with a period gives both bounds).
    pub current_from: Option<Instant>,
    /// Greatest number of versions wanted.
    pub limit: usize,
}

/// The order of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryOrder {
    /// The newest version first.
    NewestFirst,
    /// The oldest version first.
    OldestFirst,
}
