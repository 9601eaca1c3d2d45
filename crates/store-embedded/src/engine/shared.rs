//! The state of an open engine: what the writer, snapshots and maintenance threads have in common,
//! and the rules between them.
//!
//! - Sequence numbers come from one counter, for batches and for the trees' own new versions.
//!   Memtables are rotated only under the log's lock, with nothing unsynced: so a tree never holds
//!   on disk what the journal may lose, and every version of a tree shows all entries below its
//!   number.
//! - Visibility is `Snapshots` alone. It is published up to the counter whenever nothing is
//!   unsynced.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use lsm_tree::{AbstractTree, AnyTree, SequenceNumberCounter};

use super::batch::{Batch, Operation};
use super::budgets::{Budgets, Load};
use super::error::EngineError;
use super::journal::Journal;
use super::lock::Lock;
use super::snapshots::Snapshots;
use super::space::{Space, tree_error};

/// Segments whose memtables wait to be flushed, before writers have to wait.
pub(super) const PENDING_MAX: usize = 3;

/// A segment of the journal is closed at this size, whatever the memtables take.
const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// One key space, opened.
pub(super) struct OpenSpace {
    pub(super) tree: AnyTree,
    pub(super) path: PathBuf,
    /// Its number in the journal.
    pub(super) on_disk: u8,
}

pub(super) struct Shared {
    pub(super) dir: PathBuf,
    pub(super) spaces: Vec<OpenSpace>,
    pub(super) seqno: SequenceNumberCounter,
    pub(super) snapshots: Snapshots,
    pub(super) budgets: Arc<Budgets>,
    pub(super) log: Mutex<Log>,
    /// Signalled when memtables were flushed, or could not be.
    pub(super) room: Condvar,
    /// Held while a thread flushes or compacts: one at a time per engine.
    pub(super) maintenance: Mutex<()>,
    pub(super) load: Arc<Load>,
    /// Last, so that the directory is free only when everything else is gone.
    pub(super) lock: Lock,
}

/// What the one writer changes.
pub(super) struct Log {
    pub(super) journal: Journal,
    /// Batches written and not yet durable, with which to undo them.
    pub(super) unsynced: Vec<Batch>,
    /// Bytes in the active memtables.
    pub(super) active_bytes: u64,
    pub(super) pending: VecDeque<Pending>,
    /// The first failure of the journal; while it stands the engine is read-only.
    pub(super) failure: Option<Failure>,
    /// The last failure to flush or compact, and when.
    pub(super) flush_failure: Option<(Failure, Instant)>,
}

/// What went wrong, kept to be told to every writer until it is mended.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) cause: String,
    pub(super) kind: ErrorKind,
}

impl Failure {
    pub(super) fn of(error: &EngineError) -> Self {
        let cause = match error {
            EngineError::Failed { cause, .. } => cause.clone(),
            other => other.to_string(),
        };
        Self {
            cause,
            kind: error.kind(),
        }
    }

    pub(super) fn error(&self) -> EngineError {
        EngineError::Failed {
            cause: self.cause.clone(),
            kind: self.kind,
        }
    }
}

/// Memtables that wait to be flushed.
pub(super) struct Pending {
    /// The segment begun with them: once they are flushed, the ones before it are not needed.
    pub(super) segment: u64,
    pub(super) bytes: u64,
}

impl Shared {
    pub(super) fn new(
        dir: &Path,
        spaces: Vec<OpenSpace>,
        seqno: SequenceNumberCounter,
        journal: Journal,
        budgets: &Arc<Budgets>,
        lock: Lock,
    ) -> Self {
        let log = Log {
            journal,
            unsynced: Vec::new(),
            active_bytes: 0,
            pending: VecDeque::new(),
            failure: None,
            flush_failure: None,
        };
        Self {
            dir: dir.to_owned(),
            snapshots: Snapshots::new(seqno.get()),
            spaces,
            seqno,
            budgets: Arc::clone(budgets),
            log: Mutex::new(log),
            room: Condvar::new(),
            maintenance: Mutex::new(()),
            load: Arc::default(),
            lock,
        }
    }

    pub(super) fn space(&self, space: Space) -> &OpenSpace {
        &self.spaces[usize::from(space.0)]
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        // A panic under this lock leaves `failure` set or frames unsynced; either way nothing false
        // is published.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a batch into the memtables under a sequence number of its own.
    pub(super) fn apply(&self, log: &mut Log, batch: &Batch, sequence: u64) {
        let bytes = batch
            .operations
            .iter()
            .map(|operation| self.apply_one(operation, sequence))
            .sum();
        self.count(log, bytes);
    }

    pub(super) fn apply_one(&self, operation: &Operation, sequence: u64) -> u64 {
        let tree = &self.space(operation.space).tree;
        let (bytes, _) = match &operation.value {
            Some(value) => tree.insert(operation.key.clone(), value.clone(), sequence),
            None => tree.remove(operation.key.clone(), sequence),
        };
        bytes
    }

    pub(super) fn count(&self, log: &mut Log, bytes: u64) {
        log.active_bytes += bytes;
        self.budgets.allocate(&self.load, bytes);
    }

    /// Has a maintenance thread look at this engine.
    pub(super) fn enqueue(self: &Arc<Self>) {
        self.budgets.enqueue(&self.load, Arc::downgrade(self));
    }

    pub(super) fn closing(&self) -> bool {
        self.load.closing.load(Ordering::Acquire)
    }

    /// Shows everything written so far to new snapshots, if all of it is durable.
    pub(super) fn publish(&self, log: &Log) {
        if log.unsynced.is_empty() && log.failure.is_none() {
            self.snapshots.publish(self.seqno.get());
        }
    }

    /// Begins a checkpoint where memory, the segment's size or another engine's need asks for one.
    pub(super) fn checkpoint_if_due(self: &Arc<Self>, log: &mut Log) -> Result<(), EngineError> {
        let due = log.active_bytes >= self.budgets.memtable_bytes_per_engine()
            || log.journal.segment_bytes() >= SEGMENT_BYTES_MAX
            || self.load.checkpoint_asked.load(Ordering::Acquire);
        if due
            && log.unsynced.is_empty()
            && log.failure.is_none()
            && log.pending.len() < PENDING_MAX
        {
            self.load.checkpoint_asked.store(false, Ordering::Release);
            self.checkpoint(log)?;
            self.enqueue();
        }
        Ok(())
    }

    /// Begins a new segment and seals the memtables, to be flushed by a maintenance thread.
    pub(super) fn checkpoint(&self, log: &mut Log) -> Result<(), EngineError> {
        if self
            .spaces
            .iter()
            .all(|space| space.tree.active_memtable().is_empty())
        {
            return Ok(());
        }
        log.journal.rotate(self.seqno.get())?;
        for space in &self.spaces {
            let _sealed = space.tree.rotate_memtable();
        }
        let bytes = std::mem::take(&mut log.active_bytes);
        log.pending.push_back(Pending {
            segment: log.journal.segment(),
            bytes,
        });
        Ok(())
    }

    /// Locks the log when there is room for more memtables; gives with it the reason if there will
    /// be none for now.
    pub(super) fn log_with_room(self: &Arc<Self>) -> (MutexGuard<'_, Log>, Option<EngineError>) {
        let mut log = self.log();
        let bytes_max = self.budgets.memtable_bytes_per_engine();
        while log.pending.len() >= PENDING_MAX && log.active_bytes >= bytes_max {
            if let Some((failure, _)) = &log.flush_failure {
                let error = failure.error();
                return (log, Some(error));
            }
            if self.budgets.has_threads() {
                self.enqueue();
                log = self.room.wait(log).unwrap_or_else(PoisonError::into_inner);
            } else {
                drop(log);
                self.maintain();
                log = self.log();
            }
        }
        (log, None)
    }

    /// Makes the engine read-only and takes back what was not made durable, in the journal at once.
    pub(super) fn fail(log: &mut Log, error: &EngineError) -> EngineError {
        let failure = log
            .failure
            .get_or_insert_with(|| Failure::of(error))
            .clone();
        let cause = &failure.cause;
        tracing::error!(%cause, "the journal cannot be written; the engine is read-only");
        match log.journal.cut_back() {
            Ok(()) => failure.error(),
            Err(error) => EngineError::OutcomeUnknown {
                cause: format!("{cause}; {error}"),
            },
        }
    }

    /// Hides what a failed group left in the memtables: each of its keys is given its published
    /// value again, under a higher sequence number. Nothing in between was ever visible or ever
    /// will be.
    pub(super) fn undo(&self, log: &mut Log) -> Result<(), EngineError> {
        let unsynced = std::mem::take(&mut log.unsynced);
        let state = self.snapshots.open_published();
        let restored = self.published_values(&unsynced, state);
        self.snapshots.close(state);
        match restored {
            Ok(restored) => {
                let sequence = self.seqno.next();
                self.apply(log, &restored, sequence);
                Ok(())
            }
            Err(error) => {
                log.unsynced = unsynced;
                Err(error)
            }
        }
    }

    fn published_values(&self, batches: &[Batch], state: u64) -> Result<Batch, EngineError> {
        let mut restored = Batch::new();
        for operation in batches.iter().flat_map(|batch| &batch.operations) {
            let space = self.space(operation.space);
            match space
                .tree
                .get(&operation.key, state)
                .map_err(|error| tree_error(&space.path, &error))?
            {
                Some(value) => restored.put(operation.space, operation.key.clone(), value),
                None => restored.delete(operation.space, operation.key.clone()),
            }
        }
        Ok(restored)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let bytes = self.load.memtable_bytes.load(Ordering::Relaxed);
        self.budgets.free(&self.load, bytes);
    }
}
