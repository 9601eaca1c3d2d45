//! A backup is a stream of items that any provider can write and any provider can take.

use bytes::Bytes;

use crate::{BlobId, Entry, LedgerEntry, NameKind, NamedKey, NamedRow, Record, RecordKey, Row};

/// One item of a backup, in the order: names, versions, reserved numbers, entries, ledger,
/// named rows, commits, blobs.
#[derive(Debug, Clone)]
pub enum BackupItem {
    /// A name of the dictionary.
    Name {
        /// Its kind.
        kind: NameKind,
        /// Its number.
        number: u32,
        /// The name.
        name: Box<str>,
    },
    /// A version of a record.
    Version {
        /// The version.
        record: Record,
        /// Blobs that it names.
        blobs: Vec<BlobId>,
    },
    /// The number by which others refer to a record that is not there, or was not when the first of
    /// them did.
    Reserved {
        /// The record.
        key: RecordKey,
        /// A number like those of rows, of no other record's.
        row: Row,
    },
    /// What the newest version of a live record is found by.
    Index {
        /// The record.
        key: RecordKey,
        /// Its index entries.
        entries: Vec<Entry>,
        /// What it refers to.
        references: Vec<RecordKey>,
    },
    /// A ledger entry.
    Ledger(LedgerEntry),
    /// A named row.
    Named(NamedKey, NamedRow),
    /// A remembered commit with an idempotency key, in the provider-neutral form that
    /// `Committed::encode` gives.
    Committed(Bytes),
    /// A part of a blob.
    Blob {
        /// The blob.
        id: BlobId,
        /// Where the part begins.
        offset: u64,
        /// Its bytes.
        bytes: Bytes,
    },
}

/// A page of a backup.
#[derive(Debug)]
pub struct BackupPage {
    /// Its items, some megabytes at most.
    pub items: Vec<BackupItem>,
    /// Where to go on; `None` after the last page.
    pub next: Option<Bytes>,
}
