//! The content of a tenant as pages of items, at one state.
//!
//! A cursor is the number of a stage and the last key read in it; stages follow the order that
//! [`store::BackupItem`] asks for. What is read is of the view's snapshot, so writing goes on.

use bytes::Bytes;
use store::{BackupItem, BackupPage, BlobId, Entry, RecordKey, Row, StoreError};

use crate::engine::Space;
use crate::expiry;
use crate::fault;
use crate::layout::{self, BODIES, ENTRIES, HISTORY, Head, IDS, LEDGER, META, Referent, Version};
use crate::view::TenantView;

/// Items of a page have about so many bytes.
const PAGE_BYTES: usize = 4 << 20;
/// A page has so many items at most.
const PAGE_ITEMS_MAX: usize = 20_000;
/// A part of a blob.
const BLOB_PART_BYTES: usize = 1 << 20;

/// A part of the content: where it lies and what becomes of an entry.
struct Stage {
    space: Space,
    prefix: &'static [u8],
    item: fn(&TenantView, &Bytes, &Bytes) -> Result<Option<BackupItem>, StoreError>,
}

const STAGES: [Stage; 8] = [
    Stage {
        space: META,
        prefix: layout::NAMES,
        item: name,
    },
    Stage {
        space: HISTORY,
        prefix: b"",
        item: version,
    },
    Stage {
        space: BODIES,
        prefix: b"",
        item: version,
    },
    Stage {
        space: IDS,
        prefix: b"",
        item: reserved,
    },
    Stage {
        space: ENTRIES,
        prefix: b"",
        item: index,
    },
    Stage {
        space: LEDGER,
        prefix: b"",
        item: ledger,
    },
    Stage {
        space: META,
        prefix: layout::NAMED,
        item: named,
    },
    Stage {
        space: META,
        prefix: layout::REMEMBERED,
        item: remembered,
    },
];
/// Blobs come last; their cursor is the blob and how far it was read.
const BLOBS: u8 = 8;

/// The page after the cursor.
pub(crate) fn page(view: &TenantView, cursor: Option<&[u8]>) -> Result<BackupPage, StoreError> {
    let (stage, after) = match cursor {
        None => (0, &[][..]),
        Some([stage, after @ ..]) => (*stage, after),
        Some([]) => return Err(StoreError::Backend("the cursor is empty".to_owned())),
    };
    match STAGES.get(usize::from(stage)) {
        Some(of) => rows(view, stage, of, after),
        None => blobs(view, after),
    }
}

fn cursor(stage: u8, after: &[u8]) -> Bytes {
    let mut cursor = vec![stage];
    cursor.extend_from_slice(after);
    cursor.into()
}

fn rows(view: &TenantView, stage: u8, of: &Stage, after: &[u8]) -> Result<BackupPage, StoreError> {
    use std::ops::Bound::{Excluded, Included, Unbounded};
    let start = if after.is_empty() {
        Included(of.prefix)
    } else {
        Excluded(after)
    };
    let mut items = Vec::new();
    let mut bytes = 0;
    for entry in view.snapshot.range::<&[u8]>(of.space, (start, Unbounded)) {
        let (key, value) = entry.map_err(fault::engine)?;
        if !key.starts_with(of.prefix) {
            break;
        }
        bytes += key.len() + value.len();
        items.extend((of.item)(view, &key, &value)?);
        if bytes >= PAGE_BYTES || items.len() >= PAGE_ITEMS_MAX {
            return Ok(BackupPage {
                items,
                next: Some(cursor(stage, &key)),
            });
        }
    }
    Ok(BackupPage {
        items,
        next: Some(cursor(stage + 1, &[])),
    })
}

fn name(_: &TenantView, key: &Bytes, value: &Bytes) -> Result<Option<BackupItem>, StoreError> {
    let (kind, number) = layout::name_of_key(key)?;
    let name = String::from_utf8_lossy(value).into();
    Ok(Some(BackupItem::Name { kind, number, name }))
}

fn version(
    view: &TenantView,
    key: &Bytes,
    value: &Bytes,
) -> Result<Option<BackupItem>, StoreError> {
    let (_, _, row) = layout::place_of_key(key)?;
    let version = Version::decode(value)?;
    let record = view.record(known(view, row)?, row, &version)?;
    Ok(Some(BackupItem::Version {
        record,
        blobs: version.blobs,
    }))
}

fn known(view: &TenantView, row: Row) -> Result<RecordKey, StoreError> {
    let missing = || StoreError::Corrupt(format!("row {} has no id", row.0));
    view.key_of(row)?.ok_or_else(missing)
}

fn referred(view: &TenantView, referent: Referent) -> Result<RecordKey, StoreError> {
    // The key space of rows has both.
    known(view, Row(referent.0))
}

fn reserved(_: &TenantView, key: &Bytes, value: &Bytes) -> Result<Option<BackupItem>, StoreError> {
    let head = Head::decode(value)?;
    if head.exists() && !head.displaced() {
        return Ok(None);
    }
    Ok(Some(BackupItem::Reserved {
        key: layout::id_of_key(key)?,
        row: Row(head.referent.0),
    }))
}

fn index(view: &TenantView, key: &Bytes, value: &Bytes) -> Result<Option<BackupItem>, StoreError> {
    let record = known(view, layout::row_of_key(key)?)?;
    let (indexed, references) = layout::Indexed::decode(value)?.into_entries();
    let mut entries = Vec::with_capacity(indexed.len());
    for entry in indexed {
        entries.push(Entry {
            parameter: entry.parameter,
            group: entry.group,
            value: entry.value.value(|referent| referred(view, referent))?,
        });
    }
    let references = references.into_iter();
    let references: Result<Vec<_>, _> = references.map(|it| referred(view, it)).collect();
    Ok(Some(BackupItem::Index {
        key: record,
        entries,
        references: references?,
    }))
}

fn ledger(_: &TenantView, key: &Bytes, value: &Bytes) -> Result<Option<BackupItem>, StoreError> {
    let entry = layout::decode_ledger(layout::position_of_key(key)?, value)?;
    Ok(Some(BackupItem::Ledger(entry)))
}

fn named(_: &TenantView, key: &Bytes, value: &Bytes) -> Result<Option<BackupItem>, StoreError> {
    Ok(Some(BackupItem::Named(
        layout::key_of_named(key)?,
        layout::decode_named(value)?,
    )))
}

fn remembered(_: &TenantView, _: &Bytes, value: &Bytes) -> Result<Option<BackupItem>, StoreError> {
    expiry::decode_remembered(value)?;
    Ok(Some(BackupItem::Committed(value.clone())))
}

/// The next part of the blob at the cursor, or of the one after it.
fn blobs(view: &TenantView, after: &[u8]) -> Result<BackupPage, StoreError> {
    let (mut blob, mut offset) = if after.is_empty() {
        (next_blob(view, layout::BLOB_USES)?, 0)
    } else {
        let (blob, offset) = layout::blob_and_offset(after)?;
        (Some(blob), offset)
    };
    let mut items = Vec::new();
    let mut bytes = 0;
    while let Some(id) = blob {
        if bytes >= PAGE_BYTES || items.len() >= PAGE_ITEMS_MAX {
            let next = Some(cursor(BLOBS, &layout::blob_cursor(&id, offset)));
            return Ok(BackupPage { items, next });
        }
        let part = view.tenant.blobs.read(&id, offset, BLOB_PART_BYTES)?;
        let missing = || StoreError::Corrupt("a blob that a version names is missing".to_owned());
        let part = part.ok_or_else(missing)?;
        let begun = offset;
        offset += part.len() as u64;
        bytes += part.len();
        items.push(BackupItem::Blob {
            id,
            offset: begun,
            bytes: part,
        });
        if offset >= id.length {
            blob = following(view, &id)?;
            offset = 0;
        }
    }
    Ok(BackupPage { items, next: None })
}

fn following(view: &TenantView, blob: &BlobId) -> Result<Option<BlobId>, StoreError> {
    match crate::codec::after_prefix(&layout::blob_users(blob)) {
        Some(from) => next_blob(view, &from),
        None => Ok(None),
    }
}

fn next_blob(view: &TenantView, from: &[u8]) -> Result<Option<BlobId>, StoreError> {
    let Some(entry) = view.snapshot.range(META, from..).next() else {
        return Ok(None);
    };
    let (key, _) = entry.map_err(fault::engine)?;
    if key.starts_with(layout::BLOB_USES) {
        layout::blob_of_key(&key).map(Some)
    } else {
        Ok(None)
    }
}
