//! Opening a directory: lock, FORMAT, trees, journal. A directory in the making is recognised by
//! the missing FORMAT file and made again; a missing part of a made one is damage.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use lsm_tree::{AbstractTree, SequenceNumberCounter};

use super::batch::Batch;
use super::budgets::Budgets;
use super::durable::sync_dir;
use super::error::EngineError;
use super::format;
use super::journal::{JOURNAL, Journal, recover};
use super::lock::Lock;
use super::shared::{OpenSpace, Shared};
use super::space::{KeySpace, SPACES, Space};
use super::tables;

pub(super) fn open(
    dir: &Path,
    spaces: &[KeySpace],
    budgets: &Arc<Budgets>,
) -> Result<Arc<Shared>, EngineError> {
    create_dir(dir)?;
    let lock = Lock::take(dir)?;
    // Sequence number 0 shows nothing, so the first is 1.
    let seqno = SequenceNumberCounter::new(1);
    let shared = match format::read(dir)? {
        None => create(dir, spaces, seqno, budgets, lock)?,
        Some(names) => reopen(dir, names, spaces, seqno, budgets, lock)?,
    };
    let shared = Arc::new(shared);
    budgets.register(&shared.load, &shared);
    Ok(shared)
}

fn create(
    dir: &Path,
    spaces: &[KeySpace],
    seqno: SequenceNumberCounter,
    budgets: &Arc<Budgets>,
    lock: Lock,
) -> Result<Shared, EngineError> {
    refuse_used(dir)?;
    for folder in [SPACES, JOURNAL] {
        remove_dir(&dir.join(folder))?;
    }
    let names: Vec<String> = spaces.iter().map(|space| space.name.to_owned()).collect();
    let spaces = open_spaces(dir, &[], &names, spaces, &seqno, budgets)?;
    let journal = Journal::create(dir)?;
    format::write(dir, &names)?;
    Ok(Shared::new(dir, spaces, seqno, journal, budgets, lock))
}

/// Without a FORMAT file there can be no frame: if there is one, the FORMAT file was lost.
fn refuse_used(dir: &Path) -> Result<(), EngineError> {
    let journal = dir.join(JOURNAL);
    let used = fs::read_dir(&journal).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            let first = entry.file_name() == "00000001.log";
            !first || entry.metadata().is_ok_and(|data| data.len() > 64)
        })
    });
    if used {
        return Err(EngineError::corrupt(&dir.join("FORMAT"), "missing"));
    }
    Ok(())
}

fn reopen(
    dir: &Path,
    mut names: Vec<String>,
    spaces: &[KeySpace],
    seqno: SequenceNumberCounter,
    budgets: &Arc<Budgets>,
    lock: Lock,
) -> Result<Shared, EngineError> {
    if let Some(name) = names
        .iter()
        .find(|name| spaces.iter().all(|space| space.name != **name))
    {
        return Err(EngineError::UnknownSpace {
            dir: dir.to_owned(),
            name: name.clone(),
        });
    }
    let made = names.clone();
    names.extend(
        spaces
            .iter()
            .map(|space| space.name.to_owned())
            .filter(|name| !made.contains(name)),
    );
    let spaces = open_spaces(dir, &made, &names, spaces, &seqno, budgets)?;
    if names != made {
        format::write(dir, &names)?;
    }
    let (journal, bytes) = replay(dir, &spaces, &seqno)?;
    let shared = Shared::new(dir, spaces, seqno, journal, budgets, lock);
    shared.count(&mut shared.log(), bytes);
    Ok(shared)
}

/// Opens the trees in the order of `spaces`; those not in `made` are made, whatever lies there.
fn open_spaces(
    dir: &Path,
    made: &[String],
    names: &[String],
    spaces: &[KeySpace],
    seqno: &SequenceNumberCounter,
    budgets: &Budgets,
) -> Result<Vec<OpenSpace>, EngineError> {
    create_dir(&dir.join(SPACES))?;
    let open_one = |space: &KeySpace| {
        let path = dir.join(SPACES).join(space.name);
        if made.iter().any(|name| name == space.name) {
            for (table, _) in tables::recorded(&path)? {
                tables::check_end(&table)?;
            }
        } else {
            remove_dir(&path)?;
        }
        let tree = space
            .open(dir, budgets, seqno)
            .map_err(|error| match error {
                // The tree does not say which file it is.
                EngineError::Corrupt { .. } => tables::first_damaged(&path).unwrap_or(error),
                other => other,
            })?;
        let on_disk = names
            .iter()
            .position(|name| name == space.name)
            .and_then(|at| u8::try_from(at).ok());
        let on_disk =
            on_disk.expect("every space is among the names, and there are fewer than 256");
        Ok(OpenSpace {
            tree,
            path,
            on_disk,
        })
    };
    let opened: Result<Vec<_>, EngineError> = spaces.iter().map(open_one).collect();
    let opened = opened?;
    sync_dir(&dir.join(SPACES))?;
    Ok(opened)
}

/// Puts into the memtables what the trees do not hold on disk. Returns its size.
fn replay(
    dir: &Path,
    spaces: &[OpenSpace],
    seqno: &SequenceNumberCounter,
) -> Result<(Journal, u64), EngineError> {
    let flushed: Vec<Option<u64>> = spaces
        .iter()
        .map(|space| space.tree.get_highest_persisted_seqno())
        .collect();
    let by_number = |number: u8| {
        let at = spaces.iter().position(|space| space.on_disk == number)?;
        u8::try_from(at).ok().map(Space)
    };
    let mut bytes = 0;
    let recovered = recover(dir, |path, sequence, payload: &Bytes| {
        let batch = Batch::decode(payload, by_number);
        let batch = batch
            .ok_or_else(|| EngineError::corrupt(path, "a frame names an unknown key space"))?;
        for operation in batch.operations {
            let at = usize::from(operation.space.0);
            if flushed[at].is_none_or(|flushed| sequence > flushed) {
                let tree = &spaces[at].tree;
                bytes += match operation.value {
                    Some(value) => tree.insert(operation.key, value, sequence).0,
                    None => tree.remove(operation.key, sequence).0,
                };
            }
        }
        Ok(())
    })?;
    // A checkpoint begins a segment before it flushes, so the journal always knows of higher
    // numbers than the trees.
    if flushed
        .iter()
        .flatten()
        .any(|flushed| *flushed >= recovered.next_sequence)
    {
        return Err(EngineError::corrupt(
            &dir.join(JOURNAL),
            "the key spaces hold more than the journal: files are missing",
        ));
    }
    seqno.set(recovered.next_sequence);
    Ok((recovered.journal, bytes))
}

fn create_dir(dir: &Path) -> Result<(), EngineError> {
    if !dir.is_dir() {
        fs::create_dir_all(dir).map_err(EngineError::io("create", dir))?;
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_dir(parent)?;
        }
    }
    Ok(())
}

fn remove_dir(dir: &Path) -> Result<(), EngineError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(EngineError::io("remove", dir)(error))
        }
        _ => Ok(()),
    }
}
