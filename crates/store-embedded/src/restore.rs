//! Taking in a backup: items become rows of the layout again, whatever provider gave them.
//!
//! Versions may come in any order. A tenant that is being restored is marked so durably before the
//! first item, and is emptied when the store is opened with the mark still there.

use std::collections::HashMap;

use bytes::Bytes;
use store::{
    BackupItem, BlobId, Entry, Instant, LedgerEntry, NameKind, NamedKey, NamedRow, Record,
    RecordKey, Row, Space, StoreError, TypeNumber, Versions,
};

use crate::blobs::Incoming as IncomingBlob;
use crate::committer::Writing;
use crate::engine::Batch;
use crate::expiry;
use crate::fault;
use crate::layout::{
    self, BODIES, CHANGES, Changed, ENTRIES, HISTORY, Head, IDS, INCOMING, Incoming, Indexed,
    IndexedEntry, LEDGER, META, POSTINGS, ROWS, Referent, State, Stored, Version,
};
use crate::search::head_of;
use crate::tenant::Tenant;
use crate::work::put_displaced;

/// How far a restore has come.
#[derive(Default)]
pub(crate) struct Progress {
    state: State,
    counts: HashMap<(Space, TypeNumber), u64>,
    blob: Option<(BlobId, IncomingBlob)>,
    failed: bool,
}

impl Progress {
    /// Something was not taken in; the rest would not help.
    pub(crate) fn failed() -> Self {
        Self {
            failed: true,
            ..Self::default()
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Backend(
                "the restore failed before; begin anew".to_owned(),
            ));
        }
        Ok(())
    }

    fn saw_row(&mut self, row: Row) {
        self.state.next_row = self.state.next_row.max(row.0 + 1);
    }

    fn saw_time(&mut self, time: Instant) {
        self.state.time = self.state.time.max(time);
    }
}

/// Only an empty tenant can be restored into.
pub(crate) fn require_empty(tenant: &Tenant) -> Result<(), StoreError> {
    let snapshot = tenant.engine.snapshot();
    match snapshot.range::<&[u8]>(META, ..).next() {
        None => Ok(()),
        Some(Ok(_)) => Err(StoreError::TenantNotEmpty),
        Some(Err(error)) => Err(fault::engine(error)),
    }
}

/// Takes items in.
pub(crate) fn take(
    tenant: &Tenant,
    writing: &mut Writing,
    items: Vec<BackupItem>,
    mut progress: Progress,
) -> Result<Progress, StoreError> {
    progress.check()?;
    for item in items {
        let mut batch = Batch::new();
        match item {
            BackupItem::Name { kind, number, name } => take_name(&mut batch, kind, number, &name),
            BackupItem::Version { record, blobs } => {
                progress.saw_row(record.row);
                take_version(tenant, writing, &mut batch, &record, blobs)?;
            }
            BackupItem::Reserved { key, row } => {
                progress.saw_row(row);
                put_key(&mut batch, &key, row);
                take_referent(writing, &mut progress, &mut batch, &key, Referent(row.0))?;
            }
            BackupItem::Index {
                key,
                entries,
                references,
            } => {
                *progress.counts.entry((key.space, key.kind)).or_default() += 1;
                take_index(writing, &mut batch, &key, &entries, &references)?;
            }
            BackupItem::Ledger(entry) => take_ledger(&mut progress, &mut batch, &entry),
            BackupItem::Named(key, row) => take_named(&mut progress, &mut batch, &key, &row),
            BackupItem::Committed(bytes) => {
                take_committed(tenant, &mut progress, &mut batch, bytes)?;
            }
            BackupItem::Blob { id, offset, bytes } => {
                take_blob(tenant, &mut progress, id, offset, &bytes)?;
            }
        }
        // One by one: the next item may ask for what this one put.
        writing.write(batch)?;
    }
    Ok(progress)
}

/// Writes the counters.
pub(crate) fn finish(writing: &mut Writing, progress: &Progress) -> Result<(), StoreError> {
    progress.check()?;
    if progress.blob.is_some() {
        return Err(StoreError::Backend(
            "the backup ends within a blob".to_owned(),
        ));
    }
    let mut batch = Batch::new();
    batch.put(META, layout::STATE, progress.state.encode());
    for ((space, kind), count) in &progress.counts {
        batch.put(
            META,
            layout::count_key(*space, *kind),
            layout::encode_number(*count),
        );
    }
    writing.write(batch)?;
    writing.state = progress.state;
    Ok(())
}

fn take_name(batch: &mut Batch, kind: NameKind, number: u32, name: &str) {
    batch.put(
        META,
        layout::name_key(kind, number),
        name.as_bytes().to_vec(),
    );
}

fn put_key(batch: &mut Batch, key: &RecordKey, row: Row) {
    batch.put(ROWS, layout::row_key(row), layout::id_key(key));
}

fn take_referent(
    writing: &mut Writing,
    progress: &mut Progress,
    batch: &mut Batch,
    key: &RecordKey,
    referent: Referent,
) -> Result<(), StoreError> {
    let there = head_of(&writing.newest()?, key)?.filter(Head::exists);
    let head = there.map_or(Head::reserved(referent), |head| Head { referent, ..head });
    batch.put(IDS, layout::id_key(key), head.encode());
    if head.displaced() {
        progress.state.displaced = true;
        put_displaced(batch, head.row, referent);
    }
    Ok(())
}

fn take_version(
    tenant: &Tenant,
    writing: &mut Writing,
    batch: &mut Batch,
    record: &Record,
    blobs: Vec<BlobId>,
) -> Result<(), StoreError> {
    let Record {
        key,
        row,
        version: number,
        position,
        operation,
        ..
    } = record;
    let packed = match operation {
        store::Operation::Delete => Bytes::new(),
        _ => tenant
            .dictionaries
            .pack(key.space, key.kind, &record.body)
            .into(),
    };
    for blob in &blobs {
        batch.put(META, layout::blob_key(blob, *row, *number), Bytes::new());
    }
    list_change(batch, record);
    let version = Version {
        number: *number,
        position: *position,
        time: record.time,
        operation: *operation,
        blobs,
        packed,
    };
    let newest = writing.newest()?;
    let head = head_of(&newest, key)?.filter(Head::exists);
    let place = layout::body_key(key.space, key.kind, *row);
    if head.is_some_and(|head| head.version > *number) {
        let place = layout::history_key(key.space, key.kind, *row, *number);
        batch.put(HISTORY, place, version.encode());
        return Ok(());
    }
    let old = newest.get(BODIES, &place).map_err(fault::engine)?;
    if let (Some(head), Some(old)) = (head, old)
        && tenant.versions(key.space) == Versions::Kept
    {
        batch.put(
            HISTORY,
            layout::history_key(key.space, key.kind, *row, head.version),
            old,
        );
    }
    put_key(batch, key, *row);
    list_newest_blobs(batch, *row, &version.blobs);
    batch.put(BODIES, place, version.encode());
    let head = Head {
        row: *row,
        referent: Referent::of(*row),
        version: *number,
        position: *position,
        operation: *operation,
    };
    batch.put(IDS, layout::id_key(key), head.encode());
    Ok(())
}

/// In the lists of its type and its space.
fn list_change(batch: &mut Batch, record: &Record) {
    let key = &record.key;
    let changed = Changed {
        kind: key.kind,
        row: record.row,
        version: record.version,
    }
    .encode();
    for list in [
        layout::kind_changes(key.space, key.kind),
        layout::space_changes(key.space),
    ] {
        batch.put(
            CHANGES,
            layout::change_key(&list, record.position),
            changed.clone(),
        );
    }
}

/// An older version may have been the newest so far.
fn list_newest_blobs(batch: &mut Batch, row: Row, blobs: &[BlobId]) {
    let place = layout::newest_blobs_key(row);
    if blobs.is_empty() {
        batch.delete(META, place);
    } else {
        batch.put(META, place, layout::encode_blobs(blobs));
    }
}

fn take_index(
    writing: &mut Writing,
    batch: &mut Batch,
    key: &RecordKey,
    entries: &[Entry],
    references: &[RecordKey],
) -> Result<(), StoreError> {
    let newest = writing.newest()?;
    let head = |key: &RecordKey| -> Result<Head, StoreError> {
        let unknown = || StoreError::Backend("the backup names a record without a row".to_owned());
        head_of(&newest, key)?.ok_or_else(unknown)
    };
    let referent = |key: &RecordKey| head(key).map(|head| head.referent);
    let row = head(key)?.row;
    let stored = |entry: &Entry| {
        Ok(IndexedEntry {
            parameter: entry.parameter,
            group: entry.group,
            value: Stored::of(&entry.value, referent)?,
        })
    };
    let entries: Result<Vec<_>, StoreError> = entries.iter().map(stored).collect();
    let references: Result<Vec<_>, _> = references.iter().map(referent).collect();
    let indexed = Indexed::new(entries?, references?);
    for posting in indexed.postings(key.space, key.kind, row) {
        batch.put(POSTINGS, posting, Bytes::new());
    }
    for (target, by) in indexed.targets() {
        let incoming = Incoming {
            space: key.space,
            kind: key.kind,
            by,
        };
        batch.put(
            INCOMING,
            layout::incoming_key(target, row),
            incoming.encode(),
        );
    }
    batch.put(ENTRIES, layout::row_key(row), indexed.encode());
    Ok(())
}

fn take_ledger(progress: &mut Progress, batch: &mut Batch, entry: &LedgerEntry) {
    progress.saw_row(entry.row);
    progress.saw_time(entry.time);
    progress.state.position = progress.state.position.max(entry.position);
    progress.state.transaction = progress.state.transaction.max(entry.transaction);
    for lane in &entry.lanes {
        progress.saw_row(Row(lane.0));
        let place = layout::change_key(&layout::lane_changes(*lane), entry.position);
        batch.put(CHANGES, place, Bytes::new());
    }
    batch.put(
        LEDGER,
        layout::ledger_key(entry.position),
        layout::encode_ledger(entry),
    );
}

fn take_named(progress: &mut Progress, batch: &mut Batch, key: &NamedKey, row: &NamedRow) {
    progress.saw_time(Instant(i64::try_from(row.revision).unwrap_or(0)));
    let place = layout::named_key(key);
    if let Some(expires) = row.expires {
        batch.put(META, layout::expiry_key(expires, &place), Bytes::new());
    }
    batch.put(META, place, layout::encode_named(row));
}

fn take_committed(
    tenant: &Tenant,
    progress: &mut Progress,
    batch: &mut Batch,
    bytes: Bytes,
) -> Result<(), StoreError> {
    let remembered = expiry::decode_remembered(&bytes)?;
    progress.saw_time(remembered.committed.time);
    let place = layout::remembered_key(&remembered.key);
    let until = Instant(remembered.committed.time.0 + tenant.idempotency_micros());
    batch.put(META, layout::expiry_key(until, &place), Bytes::new());
    batch.put(META, place, bytes);
    Ok(())
}

fn take_blob(
    tenant: &Tenant,
    progress: &mut Progress,
    id: BlobId,
    offset: u64,
    bytes: &[u8],
) -> Result<(), StoreError> {
    let (begun, mut blob) = match progress.blob.take() {
        Some(blob) => blob,
        None => (id, tenant.blobs.begin()?),
    };
    if begun != id || blob.length() != offset {
        return Err(StoreError::Backend(
            "parts of a blob are missing".to_owned(),
        ));
    }
    blob.write(bytes)?;
    if blob.length() < id.length {
        progress.blob = Some((id, blob));
        return Ok(());
    }
    if tenant.blobs.finish(blob, tenant.now())? != id {
        return Err(StoreError::Corrupt(
            "a blob of the backup has another hash".to_owned(),
        ));
    }
    Ok(())
}
