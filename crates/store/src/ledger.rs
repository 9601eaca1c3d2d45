//! The ledger: the append-only, gap-free list of all changes of a tenant. Numbers only.

use crate::{Instant, Row, Space, TypeNumber, VersionNumber};

/// A place in the ledger: 1 for its first entry, zero before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

/// Where a change came from: numbers given by the layers above (HTTP, loader, cast, sync …).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(pub u16);

/// What a ledger entry reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A record is there that was not (never, or deleted).
    Create,
    /// A record has a new version.
    Update,
    /// A record is deleted; its versions stay.
    Delete,
    /// A record is gone with all its versions.
    Purge,
    /// A record's versions but the newest are gone.
    PurgeHistory,
}

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// Its place: without gaps, in the order of commits.
    pub position: Position,
    /// The commit it belongs to: commits that change records are numbered 1, 2, 3 …
    pub transaction: u64,
    /// When: the same for all entries of a commit, later for every later commit.
    pub time: Instant,
    /// Where the change came from.
    pub origin: Origin,
    /// What happened.
    pub operation: Operation,
    /// The record's space.
    pub space: Space,
    /// The record's type.
    pub kind: TypeNumber,
    /// The record's row.
    pub row: Row,
    /// The version that the change made (for a purge, the last one that was).
    pub version: VersionNumber,
    /// The lanes of the patients whose record it is.
    pub lanes: Vec<Lane>,
}

/// The number of a record's lane: of no other record's, and the same as long as the record is there
/// or anything refers to it, whichever came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane(pub u64);
