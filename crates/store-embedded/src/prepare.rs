//! The part of a commit that needs no turn: limits, duplicates, compression, entries in order. It
//! runs on the caller's side, on as many cores as there are callers.

use std::collections::HashMap;

use store::{
    Action, BlobId, Commit, Entry, EntryValue, Expected, Idempotency, NamedChange, NewVersion,
    Origin, Precondition, RecordKey, StoreError, StoreLimits,
};

use crate::body::{Dictionaries, Training};

/// A commit that is ready to take its turn.
pub(crate) struct Prepared {
    pub(crate) changes: Vec<PreparedChange>,
    pub(crate) named: Vec<NamedChange>,
    pub(crate) preconditions: Vec<Precondition>,
    pub(crate) idempotency: Option<Idempotency>,
    pub(crate) origin: Origin,
    /// The change of each record.
    pub(crate) by_key: HashMap<RecordKey, usize>,
}

pub(crate) struct PreparedChange {
    pub(crate) key: RecordKey,
    pub(crate) expected: Expected,
    pub(crate) action: PreparedAction,
}

pub(crate) enum PreparedAction {
    Put(PreparedVersion),
    Delete,
    Purge,
    PurgeHistory,
    Index(PreparedIndex),
}

pub(crate) struct PreparedIndex {
    pub(crate) entries: Vec<Entry>,
    pub(crate) references: Vec<RecordKey>,
}

pub(crate) struct PreparedVersion {
    pub(crate) packed: Vec<u8>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) references: Vec<RecordKey>,
    pub(crate) lanes: Vec<RecordKey>,
    pub(crate) blobs: Vec<BlobId>,
}

/// Prepares a commit. Bodies are let go of one by one as they are packed. Beside it: dictionaries
/// that can be trained now.
pub(crate) fn prepare(
    commit: Commit,
    limits: &StoreLimits,
    dictionaries: &Dictionaries,
) -> Result<(Prepared, Vec<Training>), StoreError> {
    check_limits(&commit, limits)?;
    let mut by_key = HashMap::with_capacity(commit.changes.len());
    let mut changes = Vec::with_capacity(commit.changes.len());
    let mut trainings = Vec::new();
    for (second, change) in commit.changes.into_iter().enumerate() {
        if let Some(first) = by_key.insert(change.key.clone(), second) {
            return Err(StoreError::DuplicateChange { first, second });
        }
        let action = match change.action {
            Action::Put(version) => {
                let (space, kind) = (change.key.space, change.key.kind);
                trainings.extend(dictionaries.sample(space, kind, &version.body));
                let packed = dictionaries.pack(space, kind, &version.body);
                PreparedAction::Put(prepare_version(version, packed))
            }
            Action::Delete => PreparedAction::Delete,
            Action::Purge => PreparedAction::Purge,
            Action::PurgeHistory => PreparedAction::PurgeHistory,
            Action::Index {
                entries,
                references,
            } => PreparedAction::Index(in_order(entries, references)),
        };
        changes.push(PreparedChange {
            key: change.key,
            expected: change.expected,
            action,
        });
    }
    let prepared = Prepared {
        changes,
        named: commit.named,
        preconditions: commit.preconditions,
        idempotency: commit.idempotency,
        origin: commit.origin,
        by_key,
    };
    Ok((prepared, trainings))
}

fn prepare_version(version: NewVersion, packed: Vec<u8>) -> PreparedVersion {
    let NewVersion {
        entries,
        references,
        mut lanes,
        blobs,
        ..
    } = version;
    let PreparedIndex {
        entries,
        references,
    } = in_order(entries, references);
    // Lanes keep the order they were given in: it is the caller's.
    let mut seen = std::collections::HashSet::new();
    lanes.retain(|lane| seen.insert(lane.clone()));
    PreparedVersion {
        packed,
        entries,
        references,
        lanes,
        blobs,
    }
}

fn in_order(mut entries: Vec<Entry>, mut references: Vec<RecordKey>) -> PreparedIndex {
    entries.sort_unstable();
    entries.dedup();
    references.sort_unstable();
    references.dedup();
    PreparedIndex {
        entries,
        references,
    }
}

/// A limit of that name and value, and what was asked for.
pub(crate) fn within(limit: &'static str, max: u64, given: usize) -> Result<(), StoreError> {
    let given = given as u64;
    if given > max {
        Err(StoreError::LimitExceeded { limit, max, given })
    } else {
        Ok(())
    }
}

fn check_limits(commit: &Commit, limits: &StoreLimits) -> Result<(), StoreError> {
    within("changes_max", limits.changes_max, commit.changes.len())?;
    within("changes_max", limits.changes_max, commit.named.len())?;
    let mut bytes = 0;
    for change in &commit.changes {
        check_key(&change.key, limits)?;
        match &change.action {
            Action::Put(version) => {
                check_version(version, limits)?;
                bytes += version.body.len();
            }
            Action::Index {
                entries,
                references,
            } => check_index(entries, references, limits)?,
            Action::Delete | Action::Purge | Action::PurgeHistory => {}
        }
    }
    within("commit_bytes_max", limits.commit_bytes_max, bytes)?;
    if let Some(idempotency) = &commit.idempotency {
        check_idempotency(&idempotency.key, limits)?;
    }
    commit
        .named
        .iter()
        .try_for_each(|change| check_named(change, limits))
}

fn check_key(key: &RecordKey, limits: &StoreLimits) -> Result<(), StoreError> {
    within("id_bytes_max", limits.id_bytes_max, key.id.0.len())
}

/// Keys of idempotency are as long as ids.
pub(crate) fn check_idempotency(
    key: &store::IdempotencyKey,
    limits: &StoreLimits,
) -> Result<(), StoreError> {
    within("id_bytes_max", limits.id_bytes_max, key.key.len())?;
    within("id_bytes_max", limits.id_bytes_max, key.caller.len())
}

fn check_version(version: &NewVersion, limits: &StoreLimits) -> Result<(), StoreError> {
    within("body_bytes_max", limits.body_bytes_max, version.body.len())?;
    check_index(&version.entries, &version.references, limits)?;
    let mut lanes = version.lanes.iter();
    lanes.try_for_each(|key| check_key(key, limits))
}

fn check_index(
    entries: &[Entry],
    references: &[RecordKey],
    limits: &StoreLimits,
) -> Result<(), StoreError> {
    let number = entries.len() + references.len();
    within("entries_max", limits.entries_max, number)?;
    for entry in entries {
        let length = match &entry.value {
            EntryValue::Token { code, .. } => code.len(),
            EntryValue::Text { folded, exact } => folded.len().max(exact.len()),
            EntryValue::Uri(uri) => uri.len(),
            EntryValue::Number { low, high, .. } => low.0.len().max(high.0.len()),
            EntryValue::Valueless | EntryValue::Period { .. } | EntryValue::Place(_) => 0,
            EntryValue::Reference(key) => {
                check_key(key, limits)?;
                0
            }
        };
        within("entry_bytes_max", limits.entry_bytes_max, length)?;
    }
    references.iter().try_for_each(|key| check_key(key, limits))
}

fn check_named(change: &NamedChange, limits: &StoreLimits) -> Result<(), StoreError> {
    let (key, value) = match change {
        NamedChange::Put { key, value, .. } => (key, value.len()),
        NamedChange::Delete { key } => (key, 0),
    };
    within(
        "named_key_bytes_max",
        limits.named_key_bytes_max,
        key.0.len(),
    )?;
    within("named_value_bytes_max", limits.named_value_bytes_max, value)
}
