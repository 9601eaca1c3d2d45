//! Flushing memtables to tables and compacting tables, on the threads of `Budgets`, one thread at a
//! time per engine. A failure here never touches what can be read: memtables stay, half-written
//! tables are removed, and it is tried again later. Only when memory runs out meanwhile, writers
//! are refused.

use std::fs;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, PoisonError};
use std::time::{Duration, Instant};

use lsm_tree::compaction::{CompactionStrategy, Leveled};
use lsm_tree::{AbstractTree, AnyTree};

use super::error::EngineError;
use super::journal::delete_before;
use super::shared::{Failure, Log, OpenSpace, Shared};
use super::space::tree_error;
use super::tables;

/// Runs of tables in level 0 beyond which compaction goes before flushing.
const LEVEL_ZERO_RUNS_MAX: usize = 16;

/// How long a failed flush rests before it is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl Shared {
    /// One round: a checkpoint if one was asked for, flushes, compactions.
    pub(super) fn maintain(self: &Arc<Self>) {
        let _one_at_a_time = self
            .maintenance
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let round = catch_unwind(AssertUnwindSafe(|| self.round()));
        let failure = match round {
            Ok(Ok(())) => return,
            Ok(Err(error)) => Failure::of(&error),
            Err(_) => Failure {
                cause: "maintenance panicked".to_owned(),
                kind: ErrorKind::Other,
            },
        };
        tracing::error!(cause = %failure.cause, "flushing or compacting failed");
        self.log().flush_failure = Some((failure, Instant::now()));
        self.room.notify_all();
    }

    /// Tries a failed flush again, not too often.
    pub(super) fn retry_flush(self: &Arc<Self>, log: &mut Log) {
        if log
            .flush_failure
            .as_ref()
            .is_some_and(|(_, at)| at.elapsed() >= RETRY_AFTER)
        {
            self.enqueue();
        }
    }

    fn round(self: &Arc<Self>) -> Result<(), EngineError> {
        if self.closing() {
            return Ok(());
        }
        {
            let mut log = self.log();
            if let Err(error) = self.checkpoint_if_due(&mut log) {
                return Err(Self::fail(&mut log, &error));
            }
        }
        self.flush()?;
        self.forget();
        self.compact()?;
        self.forget();
        self.log().flush_failure = None;
        Ok(())
    }

    /// Writes all sealed memtables to tables, then deletes the segments they came from.
    pub(super) fn flush(&self) -> Result<(), EngineError> {
        let Some(segment) = self.log().pending.back().map(|pending| pending.segment) else {
            return Ok(());
        };
        for space in &self.spaces {
            if space.tree.sealed_memtable_count() > 0 {
                let watermark = self.snapshots.oldest();
                guarded(space, |tree| {
                    tree.flush(&tree.get_flush_lock(), watermark).map(|_| ())
                })?;
            }
        }
        let mut log = self.log();
        while log
            .pending
            .front()
            .is_some_and(|pending| pending.segment <= segment)
        {
            if let Some(flushed) = log.pending.pop_front() {
                self.budgets.free(&self.load, flushed.bytes);
            }
        }
        self.publish(&log);
        drop(log);
        self.room.notify_all();
        delete_before(&self.dir, segment)
    }

    /// Lets go of versions of trees, and with them memtables and files, that no snapshot needs any
    /// more.
    fn forget(&self) {
        self.publish(&self.log());
        let watermark = self.snapshots.oldest();
        for space in &self.spaces {
            if let Err(error) = space
                .tree
                .get_version_history_lock()
                .maintenance(&space.path, watermark)
            {
                tracing::warn!(?error, "an old version of a tree stays for now");
            }
        }
    }

    fn compact(self: &Arc<Self>) -> Result<(), EngineError> {
        static STRATEGY: LazyLock<Arc<Leveled>> = LazyLock::new(|| Arc::new(Leveled::default()));
        for space in &self.spaces {
            loop {
                let waiting = !self.log().pending.is_empty();
                if self.closing() {
                    return Ok(());
                }
                if waiting && space.tree.l0_run_count() < LEVEL_ZERO_RUNS_MAX {
                    self.enqueue();
                    return Ok(());
                }
                let before = space.tree.current_version().id();
                let strategy: Arc<dyn CompactionStrategy> = STRATEGY.clone();
                let watermark = self.snapshots.oldest();
                guarded(space, |tree| tree.compact(strategy, watermark))?;
                if space.tree.current_version().id() == before {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Runs work that makes tables; when it fails, removes what it left.
fn guarded(
    space: &OpenSpace,
    work: impl FnOnce(&AnyTree) -> lsm_tree::Result<()>,
) -> Result<(), EngineError> {
    let first = space.tree.next_table_id();
    // A failure after the manifest was switched leaves the file ahead of the tree in memory. Going
    // on would write over a manifest that is in force.
    let version = tables::current_version(&space.path)?;
    if version != space.tree.current_version().id() {
        return Err(EngineError::corrupt(
            &space.path,
            "the manifest is ahead of the tree; open the store again",
        ));
    }
    work(&space.tree).map_err(|error| {
        remove_leftovers(space, first);
        tree_error(&space.path, &error)
    })
}

fn remove_leftovers(space: &OpenSpace, first: u64) {
    let kept: Vec<u64> = space
        .tree
        .current_version()
        .iter_tables()
        .map(lsm_tree::Table::id)
        .collect();
    for id in first..space.tree.next_table_id() {
        let path = space.path.join(tables::TABLES).join(id.to_string());
        if !kept.contains(&id) && path.exists() && fs::remove_file(&path).is_err() {
            tracing::warn!(file = %path.display(), "an unfinished table stays until the store is opened again");
        }
    }
}
