//! The contract that every storage provider keeps, and the suite that checks it.
//!
//! A store holds, per tenant: *records* (with all their versions) in spaces, their index entries
//! and references, *named rows*, *blobs*, and the *ledger*: the gap-free list of all changes.
//! [`Store::commit`] is the only way to change any of it. The store knows spaces, type numbers,
//! rows, versions, bytes and index entries; what they mean is its callers' business.
//!
//! The doc comments are the contract; [`conformance`] has a case for each promise, and a provider
//! that cannot keep one does not exist: there are no capability flags.

mod archive;
mod backup;
mod blob;
mod clock;
mod commit;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod explain;
mod job;
mod ledger;
mod limits;
mod name;
mod named;
mod record;
mod remembered;
mod tenant;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
pub use search::entry::{
    Direction, Entry, EntryValue, Magnitude, ParameterNumber, Place, RecordId, RecordKey, Row,
    Space, SystemNumber, TypeNumber, UnitNumber,
};
pub use search::plan::{After, Filter, Member, Names, Part, Plan, SortBy, Target, Test, Total};

pub use archive::{ArchiveReader, ArchiveWriter};
pub use backup::{BackupItem, BackupPage};
pub use blob::{BlobId, BlobSource};
pub use clock::{Clock, Instant, SystemClock};
pub use commit::{
    Action, Change, Commit, Committed, Effect, Expected, Idempotency, IdempotencyKey, NewVersion,
    Precondition, Written,
};
pub use error::{PreconditionFailure, StoreError};
pub use explain::Explanation;
pub use job::{Job, JobId, JobState, Progress};
pub use ledger::{Lane, LedgerEntry, Operation, Origin, Position};
pub use limits::StoreLimits;
pub use name::NameKind;
pub use named::{NamedChange, NamedExpected, NamedKey, NamedRow};
pub use record::{
    HistoryOf, HistoryOrder, HistoryPage, Listed, Outline, Record, SpaceDefinition, VersionNumber,
    Versions,
};
pub use remembered::Remembered;
pub use tenant::{InvalidTenantId, TenantId};

/// What [`View::search`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Rows in the plan's order, at most as many as its limit.
    pub rows: Vec<(TypeNumber, Row)>,
    /// Whether there are more after the last of them.
    pub more: bool,
    /// The number of all matches, if the plan asked for it.
    pub total: Option<u64>,
    /// The place of the last of these rows, for the next page; `None` if there are none.
    pub last: Option<After>,
}

/// Which state a view shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The newest acknowledged one.
    Newest,
    /// The one right after the ledger entry of that position.
    Position(Position),
}

/// Something found wrong in stored data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The damaged thing: a file's name within the store, a table, a key space.
    pub place: String,
    /// What is wrong with it. Numbers, never content.
    pub what: String,
}

/// A store with all its tenants.
///
/// Every method may be called from many tasks at once. Names of tenants that do not exist give
/// [`StoreError::UnknownTenant`].
#[async_trait]
pub trait Store: Send + Sync {
    /// The limits this store enforces.
    fn limits(&self) -> &StoreLimits;

    /// All tenants in order of their names.
    async fn tenants(&self) -> Result<Vec<TenantId>, StoreError>;

    /// Creates an empty tenant, durably. [`StoreError::TenantExists`] if there is one.
    async fn create_tenant(&self, tenant: &TenantId) -> Result<(), StoreError>;

    /// Deletes a tenant with everything in it, durably; nothing of it can be read afterwards.
    async fn delete_tenant(&self, tenant: &TenantId) -> Result<(), StoreError>;

    /// The numbers of these names in the tenant's dictionary; a name without number gets one.
    ///
    /// A number never changes its name. It is durable no later than the first commit that uses it.
    async fn numbers(
        &self,
        tenant: &TenantId,
        kind: NameKind,
        names: &[&str],
    ) -> Result<Vec<u32>, StoreError>;

    /// The numbers of these names, without giving new ones.
    async fn known_numbers(
        &self,
        tenant: &TenantId,
        kind: NameKind,
        names: &[&str],
    ) -> Result<Vec<Option<u32>>, StoreError>;

    /// All names of a kind with their numbers, by number.
    async fn names(
        &self,
        tenant: &TenantId,
        kind: NameKind,
    ) -> Result<Vec<(u32, Box<str>)>, StoreError>;

    /// A view shows the newest position, for reads and searches, or a past one, for reads, history
    /// and the ledger. It never changes while it is held. A position that the ledger has not
    /// reached is [`StoreError::UnknownPosition`].
    async fn view(&self, tenant: &TenantId, at: At) -> Result<Arc<dyn View>, StoreError>;

    /// Records, named rows and blob references become durable together or not at all, and only
    /// then is the answer given. Commits of a tenant take effect one after the other; each is
    /// checked against the state its predecessor left.
    ///
    /// - A failed precondition changes nothing and names its change ([`StoreError::Precondition`]).
    /// - A [`Precondition::Matches`] whose plan now gives other rows changes nothing
    ///   ([`StoreError::Stale`]); the caller prepares again.
    /// - Repeating a commit with the same idempotency key and hash returns what the first one did
    ///   (checked before any precondition); the same key with another hash is
    ///   [`StoreError::KeyReused`].
    /// - Two changes of one record in one commit are [`StoreError::DuplicateChange`].
    /// - [`StoreError::OutcomeUnknown`] alone leaves open whether the commit took effect (whole);
    ///   every other error means that nothing happened.
    /// - Readers see all of a commit or none of it, and nothing that is not durable.
    /// - All ledger entries of a commit share one instant; a later commit has a later one.
    async fn commit(&self, tenant: &TenantId, commit: Commit) -> Result<Committed, StoreError>;

    /// What the commit with this key did, if there was one (and it is younger than the limit
    /// `idempotency_days`).
    async fn committed(
        &self,
        tenant: &TenantId,
        key: &IdempotencyKey,
        request_hash: &[u8; 32],
    ) -> Result<Option<Committed>, StoreError>;

    /// Stores bytes durably under their content's name; to be named by a commit afterwards.
    async fn put_blob(
        &self,
        tenant: &TenantId,
        source: &mut dyn BlobSource,
    ) -> Result<BlobId, StoreError>;

    /// A part of a blob's bytes, at most `length`; empty at its end. `None` if there is no such blob.
    async fn read_blob(
        &self,
        tenant: &TenantId,
        blob: &BlobId,
        offset: u64,
        length: usize,
    ) -> Result<Option<Bytes>, StoreError>;

    /// Removes blobs that no version names and that are older than the limit
    /// `orphan_blob_hours`; gives their number.
    async fn collect_orphan_blobs(&self, tenant: &TenantId) -> Result<u64, StoreError>;

    /// Puts items of a backup, in the order they were read, into an empty tenant; `finish_restore`
    /// makes it visible. Ledger, versions, times, rows and numbers are those of the original.
    async fn restore(&self, tenant: &TenantId, items: Vec<BackupItem>) -> Result<(), StoreError>;

    /// Ends a restore: everything is durable and the tenant can be used.
    async fn finish_restore(&self, tenant: &TenantId) -> Result<(), StoreError>;

    /// Reads everything that is stored of a tenant and says what is damaged or contradicts itself.
    async fn check(&self, tenant: &TenantId) -> Result<Vec<Finding>, StoreError>;

    /// Whether writes can be taken now; the reason if not.
    async fn ready(&self) -> Result<(), StoreError>;

    /// Finishes what was begun and releases everything; later calls fail.
    async fn close(&self) -> Result<(), StoreError>;
}

/// The state of one tenant at one ledger position.
#[async_trait]
pub trait View: Send + Sync {
    /// The position this view shows: that of the newest ledger entry in it, zero when empty.
    fn position(&self) -> Position;

    /// The newest versions of these records; a deleted one is there with its operation, a purged
    /// or unknown one is `None`. One answer per key, in order.
    async fn read(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>, StoreError>;

    /// The same by row.
    async fn read_rows(
        &self,
        space: Space,
        rows: &[(TypeNumber, Row)],
    ) -> Result<Vec<Option<Record>>, StoreError>;

    /// The newest versions of these records as [`Self::read_rows`] gives them, but without their
    /// content, for whoever looks at large records often: nothing of it is read.
    async fn outlines(
        &self,
        space: Space,
        rows: &[(TypeNumber, Row)],
    ) -> Result<Vec<Option<Outline>>, StoreError>;

    /// One version of a record, if it was kept.
    async fn read_version(
        &self,
        key: &RecordKey,
        version: VersionNumber,
    ) -> Result<Option<Record>, StoreError>;

    /// Versions in ledger order, newest or oldest first, one page.
    async fn history(&self, of: &HistoryOf, page: &HistoryPage) -> Result<Vec<Record>, StoreError>;

    /// The same versions without their content, for whoever counts some of them.
    async fn listed(&self, of: &HistoryOf, page: &HistoryPage) -> Result<Vec<Listed>, StoreError>;

    /// How many versions `of` has within the page's bounds (its cursor and limit aside).
    async fn history_total(&self, of: &HistoryOf, page: &HistoryPage) -> Result<u64, StoreError>;

    /// Ledger entries after a position, oldest first; with a record, only those of its lane.
    async fn ledger(
        &self,
        after: Position,
        lane: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError>;

    /// Runs a plan. Only the newest view searches; another gives [`StoreError::NotNewest`].
    ///
    /// Pages follow each other by [`Found::last`]: what is not changed between them is found on
    /// exactly one of them, whatever else is written meanwhile.
    async fn search(&self, plan: &Plan) -> Result<Found, StoreError>;

    /// How many records each condition of a plan finds. Says numbers, no values; it may take far
    /// longer than the search. Of the newest view only.
    async fn explain(&self, plan: &Plan) -> Result<Explanation, StoreError>;

    /// What these records are found by in these slots, in the order of [`Entry`]; nothing for a
    /// record that is not live or not of that type. One answer per row, in order. Of the newest
    /// view only.
    async fn entries(
        &self,
        space: Space,
        rows: &[(TypeNumber, Row)],
        parameters: &[ParameterNumber],
    ) -> Result<Vec<Vec<Entry>>, StoreError>;

    /// Live records that refer to this one, in order of their rows, after the given one.
    async fn referrers(
        &self,
        target: &RecordKey,
        after: Option<(TypeNumber, Row)>,
        limit: usize,
    ) -> Result<Vec<(TypeNumber, Row)>, StoreError>;

    /// Named rows by key. Expired ones are `None`. Always the newest state known to this view.
    async fn named(&self, keys: &[NamedKey]) -> Result<Vec<Option<NamedRow>>, StoreError>;

    /// Named rows whose keys begin so, in order of keys, after the given one.
    async fn named_with_prefix(
        &self,
        prefix: &str,
        after: Option<&NamedKey>,
        limit: usize,
    ) -> Result<Vec<(NamedKey, NamedRow)>, StoreError>;

    /// The content of the tenant, page by page, for [`Store::restore`]; starts without a cursor.
    async fn backup(&self, cursor: Option<Bytes>) -> Result<BackupPage, StoreError>;
}
