//! A commit takes effect: every change staged into one batch, with its ledger entry.

use std::collections::BTreeMap;

use bytes::Bytes;
use store::{
    Committed, Effect, Entry, Idempotency, Instant, Lane, LedgerEntry, NamedChange, Operation,
    Origin, Position, RecordKey, Row, StoreError, VersionNumber, Versions, Written,
};

use crate::committer::Writing;
use crate::expiry;
use crate::layout::{
    self, BODIES, CHANGES, Changed, ENTRIES, HISTORY, Head, Incoming, Indexed, IndexedEntry,
    LEDGER, META, POSTINGS, Referent, Stored, Version,
};
use crate::preconditions::{self, next_version};
use crate::prepare::{Prepared, PreparedAction, PreparedIndex, PreparedVersion};
use crate::tenant::Tenant;
use crate::work::Work;

/// Takes a commit's turn: checks it against the newest state and writes it, or refuses it.
pub(crate) fn commit(
    tenant: &Tenant,
    writing: &mut Writing,
    prepared: Prepared,
) -> Result<Committed, StoreError> {
    let now = tenant.now();
    let newest = writing.newest()?;
    let mut work = Work::new(tenant, newest, writing.state, now);
    if let Some(idempotency) = &prepared.idempotency {
        let earlier = expiry::remembered(tenant, &work.newest, &idempotency.key, now)?;
        if let Some(earlier) = earlier {
            return earlier.repeat(&idempotency.request_hash);
        }
    }
    preconditions::check(&mut work, writing, &prepared)?;
    expiry::sweep(&mut work, writing)?;
    let Prepared {
        changes,
        named,
        idempotency,
        origin,
        ..
    } = prepared;
    let before = work.state.position;
    // First, and in their order: results that are not sorted have it, and none of their references
    // may change it.
    for change in &changes {
        if matches!(change.action, PreparedAction::Put(_)) {
            work.placed(&change.key)?;
        }
    }
    let mut written = Vec::with_capacity(changes.len());
    for change in changes {
        written.push(stage(&mut work, &change.key, change.action, origin)?);
    }
    work.forget_unused()?;
    let changed = work.state.position > before;
    work.state.transaction += u64::from(changed);
    for change in &named {
        stage_named(&mut work, change)?;
    }
    let committed = Committed {
        transaction: if changed { work.state.transaction } else { 0 },
        time: work.state.time,
        written,
        notes: idempotency
            .as_ref()
            .map_or_else(Bytes::new, |given| given.notes.clone()),
        repeated: false,
    };
    if let Some(idempotency) = &idempotency {
        remember(&mut work, idempotency, &committed);
    }
    finish(work, writing, &committed)?;
    Ok(committed)
}

/// Writes the batch; only then the state moves on.
fn finish(
    mut work: Work<'_>,
    writing: &mut Writing,
    committed: &Committed,
) -> Result<(), StoreError> {
    if work.batch.is_empty() {
        return Ok(());
    }
    let counts = new_counts(&mut work, writing)?;
    work.batch.put(META, layout::STATE, work.state.encode());
    let Work {
        batch,
        state,
        tenant,
        counts: touched,
        indexed_anew,
        ..
    } = work;
    writing.write(batch)?;
    writing.state = state;
    writing.counts.extend(counts);
    for kind in touched.into_keys() {
        writing.newest.insert(kind, state.position);
    }
    for kind in indexed_anew {
        // There is no ledger entry to tell of it: as if the next one were of that type.
        let next = Position(state.position.0 + 1);
        writing.newest.insert(kind, next);
    }
    tenant.counters().commit(committed.written.len());
    Ok(())
}

type Counts = Vec<((store::Space, store::TypeNumber), u64)>;

fn new_counts(work: &mut Work<'_>, writing: &Writing) -> Result<Counts, StoreError> {
    let mut counts = Vec::with_capacity(work.counts.len());
    for ((space, kind), change) in &work.counts {
        let key = layout::count_key(*space, *kind);
        let before = match writing.counts.get(&(*space, *kind)) {
            Some(count) => *count,
            None => work
                .meta(&key)?
                .map_or(Ok(0), |bytes| layout::decode_number(&bytes))?,
        };
        let after = before.checked_add_signed(*change);
        let after = after.ok_or_else(|| {
            StoreError::Corrupt("the number of a type's live records is wrong".to_owned())
        })?;
        if *change != 0 {
            work.batch.put(META, key, layout::encode_number(after));
        }
        counts.push(((*space, *kind), after));
    }
    Ok(counts)
}

fn stage(
    work: &mut Work<'_>,
    key: &RecordKey,
    action: PreparedAction,
    origin: Origin,
) -> Result<Written, StoreError> {
    let head = work.head(key)?;
    let there = head.filter(Head::exists);
    match (action, there) {
        (PreparedAction::Put(version), _) => put(work, key, version, origin),
        (PreparedAction::Delete, Some(head)) if head.live() => delete(work, key, head, origin),
        (PreparedAction::Purge, Some(head)) => purge(work, key, head, origin),
        (PreparedAction::PurgeHistory, Some(head)) => purge_history(work, key, head, origin),
        (PreparedAction::Index(index), Some(head)) if head.live() => {
            index_anew(work, key, head, &index)
        }
        (_, there) => Ok(nothing(head, there)),
    }
}

fn nothing(head: Option<Head>, there: Option<Head>) -> Written {
    Written {
        row: head.map_or(Row(0), |head| head.row),
        version: there.map_or(VersionNumber(0), |head| head.version),
        position: None,
        effect: Effect::Nothing,
    }
}

fn put(
    work: &mut Work<'_>,
    key: &RecordKey,
    prepared: PreparedVersion,
    origin: Origin,
) -> Result<Written, StoreError> {
    let head = work.placed(key)?;
    let (live, row) = (head.live(), head.row);
    let (operation, effect) = if live {
        (Operation::Update, Effect::Updated)
    } else {
        (Operation::Create, Effect::Created)
    };
    let lanes = work.lanes(&prepared.lanes)?;
    let indexed = resolve(work, &prepared.entries, &prepared.references)?;
    let before = if live { Some(work.indexed(row)?) } else { None };
    reindex(work, key, row, before.as_ref(), Some(&indexed));
    let version = Version {
        number: next_version(head),
        position: Position(work.state.position.0 + 1),
        time: work.state.time,
        operation,
        blobs: prepared.blobs,
        packed: prepared.packed.into(),
    };
    *work.counts.entry((key.space, key.kind)).or_default() += i64::from(!live);
    new_version(work, key, head, &version, lanes, origin).map(|(version, position)| Written {
        row,
        version,
        position: Some(position),
        effect,
    })
}

/// Replaces what the newest version is found by.
fn index_anew(
    work: &mut Work<'_>,
    key: &RecordKey,
    head: Head,
    index: &PreparedIndex,
) -> Result<Written, StoreError> {
    let before = work.indexed(head.row)?;
    let after = resolve(work, &index.entries, &index.references)?;
    reindex(work, key, head.row, Some(&before), Some(&after));
    work.indexed_anew.insert((key.space, key.kind));
    Ok(Written {
        row: head.row,
        version: head.version,
        position: None,
        effect: Effect::Indexed,
    })
}

fn delete(
    work: &mut Work<'_>,
    key: &RecordKey,
    head: Head,
    origin: Origin,
) -> Result<Written, StoreError> {
    let row = head.row;
    let before = work.indexed(row)?;
    reindex(work, key, row, Some(&before), None);
    let lanes = work.ledger_entry(head.position)?.lanes;
    let version = Version {
        number: next_version(head),
        position: Position(work.state.position.0 + 1),
        time: work.state.time,
        operation: Operation::Delete,
        blobs: Vec::new(),
        packed: Bytes::new(),
    };
    *work.counts.entry((key.space, key.kind)).or_default() -= 1;
    let (version, position) = new_version(work, key, head, &version, lanes, origin)?;
    Ok(Written {
        row,
        version,
        position: Some(position),
        effect: Effect::Deleted,
    })
}

/// Moves the newest version to history (or drops it) and puts the new one in its place.
fn new_version(
    work: &mut Work<'_>,
    key: &RecordKey,
    head: Head,
    version: &Version,
    lanes: Vec<Lane>,
    origin: Origin,
) -> Result<(VersionNumber, Position), StoreError> {
    let row = head.row;
    if head.exists() {
        let old = work.body(key, row)?;
        if version.blobs.is_empty() && !Version::decode(&old)?.blobs.is_empty() {
            work.batch.delete(META, layout::newest_blobs_key(row));
        }
        match work.tenant.versions(key.space) {
            Versions::Kept => {
                let place = layout::history_key(key.space, key.kind, row, head.version);
                work.batch.put(HISTORY, place, old);
            }
            Versions::Newest => drop_version(work, key, row, &Version::decode(&old)?),
        }
    }
    let (number, position) = (version.number, version.position);
    work.batch.put(
        BODIES,
        layout::body_key(key.space, key.kind, row),
        version.encode(),
    );
    for blob in &version.blobs {
        work.batch
            .put(META, layout::blob_key(blob, row, number), Bytes::new());
    }
    if !version.blobs.is_empty() {
        let named = layout::encode_blobs(&version.blobs);
        work.batch.put(META, layout::newest_blobs_key(row), named);
    }
    let changed = Changed {
        kind: key.kind,
        row,
        version: number,
    }
    .encode();
    for list in lists(key) {
        work.batch.put(
            CHANGES,
            layout::change_key(&list, position),
            changed.clone(),
        );
    }
    let operation = version.operation;
    work.set_head(
        key,
        Head {
            version: number,
            position,
            operation,
            ..head
        },
    );
    append(work, key, row, number, operation, lanes, origin);
    Ok((number, position))
}

fn lists(key: &RecordKey) -> [Vec<u8>; 2] {
    [
        layout::kind_changes(key.space, key.kind),
        layout::space_changes(key.space),
    ]
}

/// Takes a version out of everything but its own place.
fn drop_version(work: &mut Work<'_>, key: &RecordKey, row: Row, version: &Version) {
    for list in lists(key) {
        work.batch
            .delete(CHANGES, layout::change_key(&list, version.position));
    }
    for blob in &version.blobs {
        work.batch
            .delete(META, layout::blob_key(blob, row, version.number));
    }
}

fn drop_older(work: &mut Work<'_>, key: &RecordKey, row: Row) -> Result<bool, StoreError> {
    let older = work.older(key, row)?;
    for (place, bytes) in &older {
        drop_version(work, key, row, &Version::decode(bytes)?);
        work.batch.delete(HISTORY, place.clone());
    }
    Ok(!older.is_empty())
}

fn purge(
    work: &mut Work<'_>,
    key: &RecordKey,
    head: Head,
    origin: Origin,
) -> Result<Written, StoreError> {
    let row = head.row;
    let newest = Version::decode(&work.body(key, row)?)?;
    if head.live() {
        let before = work.indexed(row)?;
        reindex(work, key, row, Some(&before), None);
    }
    drop_older(work, key, row)?;
    drop_version(work, key, row, &newest);
    if !newest.blobs.is_empty() {
        work.batch.delete(META, layout::newest_blobs_key(row));
    }
    work.batch
        .delete(BODIES, layout::body_key(key.space, key.kind, row));
    *work.counts.entry((key.space, key.kind)).or_default() -= i64::from(head.live());
    let lanes = work.ledger_entry(head.position)?.lanes;
    let position = append(
        work,
        key,
        row,
        head.version,
        Operation::Purge,
        lanes,
        origin,
    );
    work.forget(key, head);
    Ok(Written {
        row,
        version: VersionNumber(0),
        position: Some(position),
        effect: Effect::Purged,
    })
}

fn purge_history(
    work: &mut Work<'_>,
    key: &RecordKey,
    head: Head,
    origin: Origin,
) -> Result<Written, StoreError> {
    if !drop_older(work, key, head.row)? {
        return Ok(nothing(Some(head), Some(head)));
    }
    let lanes = work.ledger_entry(head.position)?.lanes;
    let operation = Operation::PurgeHistory;
    let position = append(work, key, head.row, head.version, operation, lanes, origin);
    Ok(Written {
        row: head.row,
        version: head.version,
        position: Some(position),
        effect: Effect::Purged,
    })
}

/// Appends a ledger entry; the transaction it belongs to is the one after the newest.
fn append(
    work: &mut Work<'_>,
    key: &RecordKey,
    row: Row,
    version: VersionNumber,
    operation: Operation,
    lanes: Vec<Lane>,
    origin: Origin,
) -> Position {
    let position = Position(work.state.position.0 + 1);
    work.state.position = position;
    work.tenant.forget_recent(key, position);
    for lane in &lanes {
        let place = layout::change_key(&layout::lane_changes(*lane), position);
        work.batch.put(CHANGES, place, Bytes::new());
    }
    let entry = LedgerEntry {
        position,
        transaction: work.state.transaction + 1,
        time: work.state.time,
        origin,
        operation,
        space: key.space,
        kind: key.kind,
        row,
        version,
        lanes,
    };
    work.batch.put(
        LEDGER,
        layout::ledger_key(position),
        layout::encode_ledger(&entry),
    );
    position
}

/// Entries and references with what they point at.
fn resolve(
    work: &mut Work<'_>,
    entries: &[Entry],
    references: &[RecordKey],
) -> Result<Indexed, StoreError> {
    let stored = |entry: &Entry| {
        Ok(IndexedEntry {
            parameter: entry.parameter,
            group: entry.group,
            value: Stored::of(&entry.value, |key| work.referent(key))?,
        })
    };
    let entries = entries
        .iter()
        .map(stored)
        .collect::<Result<_, StoreError>>()?;
    Ok(Indexed::new(entries, work.referents(references)?))
}

/// Writes what is new in the index and removes what is not in it any more.
pub(crate) fn reindex(
    work: &mut Work<'_>,
    key: &RecordKey,
    row: Row,
    before: Option<&Indexed>,
    after: Option<&Indexed>,
) {
    let postings = |indexed: Option<&Indexed>| {
        let indexed = indexed.map(|indexed| indexed.postings(key.space, key.kind, row));
        indexed.unwrap_or_default()
    };
    let targets = |indexed: Option<&Indexed>| -> BTreeMap<Referent, u8> {
        indexed
            .map(Indexed::targets)
            .unwrap_or_default()
            .into_iter()
            .collect()
    };
    // Both are in order.
    let (old, new) = (postings(before), postings(after));
    for gone in &old {
        if new.binary_search(gone).is_err() {
            work.batch.delete(POSTINGS, gone.clone());
        }
    }
    for added in new {
        if old.binary_search(&added).is_err() {
            work.batch.put(POSTINGS, added, Bytes::new());
        }
    }
    let (old, new) = (targets(before), targets(after));
    for target in old.keys().filter(|target| !new.contains_key(target)) {
        work.set_incoming(*target, row, None);
    }
    for (target, by) in new
        .into_iter()
        .filter(|(target, by)| old.get(target) != Some(by))
    {
        let incoming = Incoming {
            space: key.space,
            kind: key.kind,
            by,
        };
        work.set_incoming(target, row, Some(incoming));
    }
    match after {
        Some(after) => work
            .batch
            .put(ENTRIES, layout::row_key(row), after.encode()),
        None => work.batch.delete(ENTRIES, layout::row_key(row)),
    }
}

fn stage_named(work: &mut Work<'_>, change: &NamedChange) -> Result<(), StoreError> {
    let key = match change {
        NamedChange::Put { key, .. } | NamedChange::Delete { key } => key,
    };
    let place = layout::named_key(key);
    let old = work
        .meta(&place)?
        .map(|bytes| layout::decode_named(&bytes))
        .transpose()?;
    if let Some(expires) = old.and_then(|old| old.expires) {
        work.batch.delete(META, layout::expiry_key(expires, &place));
    }
    match change {
        NamedChange::Delete { .. } => work.batch.delete(META, place),
        NamedChange::Put { value, expires, .. } => {
            if let Some(expires) = expires {
                work.batch
                    .put(META, layout::expiry_key(*expires, &place), Bytes::new());
            }
            // Every commit has a time of its own, later than all before it.
            let revision = work.state.time.0.unsigned_abs();
            let row = store::NamedRow {
                value: value.clone(),
                revision,
                expires: *expires,
            };
            work.batch.put(META, place, layout::encode_named(&row));
        }
    }
    Ok(())
}

fn remember(work: &mut Work<'_>, idempotency: &Idempotency, committed: &Committed) {
    let place = layout::remembered_key(&idempotency.key);
    let until = Instant(committed.time.0 + work.tenant.idempotency_micros());
    work.batch
        .put(META, layout::expiry_key(until, &place), Bytes::new());
    let bytes = committed.encode(&idempotency.key, &idempotency.request_hash);
    work.batch.put(META, place, bytes);
}
