//! What can go wrong in a store. Messages carry no content, no ids.

use crate::Instant;

/// Why a store refused or failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// No tenant of that name.
    #[error("the tenant does not exist")]
    UnknownTenant,
    /// There is a tenant of that name already.
    #[error("the tenant exists already")]
    TenantExists,
    /// The tenant is not empty, or being restored.
    #[error("the tenant is not empty")]
    TenantNotEmpty,
    /// The ledger has not reached that position.
    #[error("the ledger has not reached that position")]
    UnknownPosition,
    /// A search was asked of a view of the past.
    #[error("only the newest position can be searched")]
    NotNewest,
    /// A precondition failed; nothing was changed.
    #[error("{failure}")]
    Precondition {
        /// The change it belongs to, if to one.
        change: Option<usize>,
        /// What failed.
        failure: PreconditionFailure,
    },
    /// A decision was based on a search whose result has changed; prepare again.
    #[error("the criteria match other records now")]
    Stale,
    /// Two changes of one commit concern one record.
    #[error("changes {first} and {second} concern the same record")]
    DuplicateChange {
        /// Index of the first change.
        first: usize,
        /// Index of the second change.
        second: usize,
    },
    /// The idempotency key was used with another request.
    #[error("the idempotency key was used with another request")]
    KeyReused,
    /// A blob was named that had not been put.
    #[error("change {change} names a blob that is not stored")]
    UnknownBlob {
        /// The change.
        change: usize,
    },
    /// A named limit was exceeded.
    #[error("limit `{limit}` of {max} exceeded: {given}")]
    LimitExceeded {
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        max: u64,
        /// What was asked for.
        given: u64,
    },
    /// A search was ended because it read too much.
    #[error("the search takes more than `{limit}` ({max}) steps")]
    TooCostly {
        /// The limit's name.
        limit: &'static str,
        /// Its value.
        max: u64,
    },
    /// There is no space left; nothing was changed.
    #[error("no space left on the device")]
    Full,
    /// Stored bytes are damaged and were not served.
    #[error("stored data is damaged: {0}")]
    Corrupt(String),
    /// The device failed while the commit was made durable: it may or may not have taken effect.
    #[error("it is not known whether the commit took effect")]
    OutcomeUnknown,
    /// The store cannot do this now (closing, read-only after a device error); nothing was changed.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// Another process holds the store.
    #[error("the store is held by process {pid}")]
    Locked {
        /// That process.
        pid: u32,
    },
    /// The store's files are of another format.
    #[error("the store's format is {found}, this program reads {known}")]
    Format {
        /// What was found.
        found: String,
        /// What is known.
        known: u32,
    },
    /// The store's own failure; the text is for the log.
    #[error("the store failed")]
    Backend(String),
}

/// Which precondition failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PreconditionFailure {
    /// Expected absent, but it is there.
    #[error("the record exists")]
    Exists,
    /// Expected live, but it never was there.
    #[error("the record does not exist")]
    Missing,
    /// Expected live, but it is deleted.
    #[error("the record is deleted")]
    Deleted {
        /// Since when.
        since: Instant,
    },
    /// Another version is the newest.
    #[error("the record has another version")]
    Version,
    /// A referenced record is not live.
    #[error("a referenced record does not exist")]
    BrokenReference,
    /// A live record still refers to it.
    #[error("another record refers to it")]
    Referenced,
    /// The named row is not as expected.
    #[error("the named row has changed")]
    Named,
}
