//! One change of a tenant's data: everything in it happens, or nothing.

use bytes::Bytes;

use crate::{
    BlobId, Entry, Instant, NamedChange, NamedExpected, NamedKey, Origin, Plan, Position,
    RecordKey, Row, Space, TypeNumber, VersionNumber,
};

/// A prepared commit. It is inert until [`crate::Store::commit`] takes it.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Changes of records; ledger entries follow their order.
    pub changes: Vec<Change>,
    /// Changes of named rows.
    pub named: Vec<NamedChange>,
    /// What must hold, besides each change's `expected`.
    pub preconditions: Vec<Precondition>,
    /// Makes the commit repeatable.
    pub idempotency: Option<Idempotency>,
    /// Where the change came from, for the ledger.
    pub origin: Origin,
}

/// A change of one record.
#[derive(Debug, Clone)]
pub struct Change {
    /// The record.
    pub key: RecordKey,
    /// The state it must be in.
    pub expected: Expected,
    /// What happens to it.
    pub action: Action,
}

/// The state that a record must be in for its change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Any.
    Any,
    /// It was never there, or is deleted.
    Absent,
    /// It is there and not deleted.
    Live,
    /// Its newest version, not a deletion, has this number.
    Version(VersionNumber),
}

/// What happens to a record.
#[derive(Debug, Clone)]
pub enum Action {
    /// A new version.
    Put(NewVersion),
    /// A new version that says "deleted"; no effect where there is nothing to delete.
    Delete,
    /// The record and all its versions go; the ledger keeps their numbers.
    Purge,
    /// All versions but the newest go.
    PurgeHistory,
    /// The newest version is found by this from now on: no new version, no ledger entry. No effect
    /// on what is not live.
    Index {
        /// What it is found by.
        entries: Vec<Entry>,
        /// Which records of this store it refers to.
        references: Vec<RecordKey>,
    },
}

/// A new version of a record.
#[derive(Clone, Default)]
pub struct NewVersion {
    /// Its content; the store does not look inside.
    pub body: Bytes,
    /// What it is found by.
    pub entries: Vec<Entry>,
    /// Which records of this store it refers to (whether or not they exist).
    pub references: Vec<RecordKey>,
    /// Whose record it is: the patients' records. A patient's own record is in its own lane.
    pub lanes: Vec<RecordKey>,
    /// Blobs that it names; each must have been put before.
    pub blobs: Vec<BlobId>,
}

impl std::fmt::Debug for NewVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "NewVersion({} bytes, {} entries)",
            self.body.len(),
            self.entries.len()
        )
    }
}

/// Something that must hold when the commit takes its turn.
#[derive(Debug, Clone)]
pub enum Precondition {
    /// The record is live, or becomes live by this very commit. For reference integrity.
    Exists {
        /// The record.
        key: RecordKey,
        /// The change that needs it.
        change: usize,
    },
    /// No live record refers to this one, other than those deleted or replaced by this commit
    /// without referring to it any more. For reference integrity on delete.
    Unreferenced {
        /// The record.
        key: RecordKey,
        /// The change that deletes it.
        change: usize,
    },
    /// The record still has this version and is not deleted: a decision was based on it, though
    /// nothing of it changes (a no-op update, a read inside a transaction).
    Unchanged {
        /// The record.
        key: RecordKey,
        /// Its version.
        version: VersionNumber,
    },
    /// The plan still gives these rows. It is run again only if a ledger entry after `position`
    /// has one of the types it depends on ([`Plan::kinds`]), or records of these were indexed anew.
    /// Changes of this commit itself do not count.
    Matches {
        /// The plan of the criteria, with a limit above the number of rows expected.
        plan: Plan,
        /// What it gave.
        rows: Vec<Row>,
        /// The position it was run at.
        position: Position,
    },
    /// No ledger entry after `position` has one of these types: what was decided was read from
    /// records of them (a plan built from a value set). Fails as [`crate::StoreError::Stale`]; a
    /// store that was opened since then may fail it although nothing changed.
    Untouched {
        /// Their space.
        space: Space,
        /// The types.
        kinds: Vec<TypeNumber>,
        /// The position of the view that was read.
        position: Position,
    },
    /// The named row is as expected.
    Named {
        /// Its key.
        key: NamedKey,
        /// How it must be.
        expected: NamedExpected,
    },
}

/// Names a commit for repetition, within a tenant.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IdempotencyKey {
    /// Whose key it is: keys of different callers never meet.
    pub caller: Box<str>,
    /// The key.
    pub key: Box<str>,
}

impl std::fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[idempotency key]")
    }
}

/// Makes a commit repeatable.
#[derive(Clone, Debug)]
pub struct Idempotency {
    /// The key.
    pub key: IdempotencyKey,
    /// A hash of the request that the commit was prepared from.
    pub request_hash: [u8; 32],
    /// What the caller needs, beside [`Committed`], to give the first answer again.
    pub notes: Bytes,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The number of the transaction; zero if nothing was changed and no ledger entry written.
    pub transaction: u64,
    /// The instant that all its ledger entries share (of the check, if nothing changed).
    pub time: Instant,
    /// One per change, in order.
    pub written: Vec<Written>,
    /// The notes given with the idempotency key.
    pub notes: Bytes,
    /// Whether this is the recorded result of an earlier commit with the same key.
    pub repeated: bool,
}

/// What became of one change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The record's row.
    pub row: Row,
    /// Its newest version now (zero after a purge or if there never was one).
    pub version: VersionNumber,
    /// Its ledger entry; `None` if nothing changed.
    pub position: Option<Position>,
    /// What happened.
    pub effect: Effect,
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It is there now and was not before (never, or deleted).
    Created,
    /// It has a new version.
    Updated,
    /// It is deleted now.
    Deleted,
    /// It, or its history, is gone.
    Purged,
    /// What it is found by was replaced.
    Indexed,
    /// There was nothing to do.
    Nothing,
}
