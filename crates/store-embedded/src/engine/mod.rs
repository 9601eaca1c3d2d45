//! The ordered key-value engine under the embedded provider: `lsm-tree`'s trees behind a journal of
//! our own (docs/decisions/0003). One directory is one engine; the provider opens one per tenant.
//! It knows bytes, no records.
//!
//! The contract, in short:
//! - `Engine::open` takes the directory for itself, refuses another file format, and recovers:
//!   every batch of every acknowledged `sync` is there, and of the others only whole ones. Damage
//!   to what was acknowledged is an error naming the file.
//! - There is one `Writer`. `write` puts a batch into the journal and makes it visible to `newest`
//!   alone; `sync` makes all written batches durable with one sync of one file and publishes them:
//!   group commit is several writes, one sync. `snapshot` shows the newest published state and
//!   nothing of what is not durable.
//! - After any failure of the journal the engine is read-only: snapshots go on, writes are refused,
//!   until `try_recover` has cut the journal back to what is durable. What failed never comes back
//!   after that.
//! - Memory is bounded: memtables are flushed by the threads of `Budgets`, and a writer waits when
//!   they lag.
//! - Every block of every file carries a checksum that is verified when it is read; `verify` reads
//!   them all.
//!
//! It does not do: transactions, conflict checks, expiry, encryption (the journal's `codec` byte
//! and the block files are where it would go), and it is synchronous: a server calls it off its
//! event loop.

mod batch;
mod budgets;
mod durable;
mod error;
mod format;
mod journal;
mod lock;
mod maintenance;
mod open;
mod shared;
mod snapshot;
mod snapshots;
mod space;
mod tables;
#[cfg(test)]
mod tests;
mod verify;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) use batch::Batch;
pub(crate) use budgets::{Budgets, Limits};
pub(crate) use error::EngineError;
pub(crate) use lock::Hold;
pub(crate) use snapshot::{Range, Snapshot};
pub(crate) use space::{Compression, Filter, KeySpace, Space};
pub(crate) use verify::{FileFault, verify};

use shared::Shared;

/// An open directory, for readers. Clones share it; it closes when they, its writer and its
/// snapshots are gone.
#[derive(Clone)]
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    /// Opens a directory, making it where there is none. `spaces` is the list of key spaces this
    /// program knows, at most 255; `Space(n)` is the n-th. New ones may be added between versions
    /// of the program, none may go.
    pub(crate) fn open(
        dir: &Path,
        spaces: &[KeySpace],
        budgets: &Arc<Budgets>,
    ) -> Result<(Self, Writer), EngineError> {
        let shared = open::open(dir, spaces, budgets)?;
        Ok((
            Self {
                shared: Arc::clone(&shared),
            },
            Writer { shared },
        ))
    }

    /// The newest durable state.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot::published(&self.shared)
    }

    /// Tells when the directory is free.
    pub(crate) fn hold(&self) -> Hold {
        self.shared.lock.hold()
    }

    /// Reads every file against what is recorded about it, and names the damaged ones. The writer
    /// waits while the journal is read. `verify` does it for a closed directory.
    pub(crate) fn verify(&self) -> Result<Vec<FileFault>, EngineError> {
        verify::verify_open(&self.shared)
    }
}

/// The one that writes. Dropping it closes the journal cleanly.
pub(crate) struct Writer {
    shared: Arc<Shared>,
}

impl Writer {
    /// Writes a batch, not durable yet. An error means that the whole group since the last sync is
    /// not written.
    pub(crate) fn write(&mut self, batch: Batch) -> Result<(), EngineError> {
        let (mut log, no_room) = self.shared.log_with_room();
        if let Some(failure) = &log.failure {
            return Err(failure.error());
        }
        if let Some(error) = no_room {
            // What the group has written already must not become durable by the next one's sync.
            let begun = !log.unsynced.is_empty();
            return Err(if begun {
                Shared::fail(&mut log, &error)
            } else {
                error
            });
        }
        let sequence = self.shared.seqno.next();
        let number = |space| self.shared.space(space).on_disk;
        if let Err(error) = log.journal.append(sequence, |to| batch.encode(to, number)) {
            return Err(Shared::fail(&mut log, &error));
        }
        self.shared.apply(&mut log, &batch, sequence);
        log.unsynced.push(batch);
        Ok(())
    }

    /// Makes everything written durable and visible.
    pub(crate) fn sync(&mut self) -> Result<(), EngineError> {
        let shared = &self.shared;
        let mut log = shared.log();
        if let Some(failure) = &log.failure {
            return Err(failure.error());
        }
        if log.unsynced.is_empty() {
            return Ok(());
        }
        if let Err(error) = log.journal.sync() {
            return Err(Shared::fail(&mut log, &error));
        }
        log.unsynced.clear();
        shared.publish(&log);
        // From here on everything is acknowledged: what fails now concerns the next write.
        let after = log
            .journal
            .seal()
            .and_then(|()| shared.checkpoint_if_due(&mut log));
        if let Err(error) = after {
            Shared::fail(&mut log, &error);
        }
        shared.retry_flush(&mut log);
        Ok(())
    }

    /// The newest state, with what is written and not yet durable. Only whoever decides about the
    /// next write may see it.
    pub(crate) fn newest(&self) -> Snapshot {
        let log = self.shared.log();
        if log.failure.is_some() {
            return Snapshot::published(&self.shared);
        }
        Snapshot::at(&self.shared, self.shared.seqno.get())
    }

    /// Why writes are refused, if they are.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared
            .log()
            .failure
            .as_ref()
            .map(|failure| failure.cause.clone())
    }

    /// After a failure: cuts the journal back to what is durable, hides the failed group and begins
    /// a new segment. Until this has succeeded, every write is refused.
    pub(crate) fn try_recover(&mut self) -> Result<(), EngineError> {
        let shared = &self.shared;
        let mut log = shared.log();
        log.flush_failure = None;
        if log.failure.is_some() {
            log.journal.cut_back()?;
            shared.undo(&mut log)?;
            log.journal.rotate(shared.seqno.get())?;
            log.failure = None;
            shared.publish(&log);
        }
        Ok(())
    }

    /// Writes the memtables to tables and waits for it. For tests, backups and closing before a
    /// long rest.
    pub(crate) fn flush(&mut self) -> Result<(), EngineError> {
        self.sync()?;
        let _one_at_a_time = self
            .shared
            .maintenance
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let checkpoint = self.shared.checkpoint(&mut self.shared.log());
        if let Err(error) = checkpoint {
            let mut log = self.shared.log();
            return Err(Shared::fail(&mut log, &error));
        }
        self.shared.flush()
    }

    /// Syncs and closes. The directory is free once snapshots and clones of the engine are gone
    /// too.
    pub(crate) fn close(mut self) -> Result<(), EngineError> {
        let synced = self.sync();
        self.end().and(synced)
    }

    fn end(&self) -> Result<(), EngineError> {
        if self.shared.load.closing.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        // So that the directory is free when the caller goes on.
        self.shared.budgets.wait_until_left(&self.shared.load);
        let mut log = self.shared.log();
        if log.failure.is_some() || !log.unsynced.is_empty() {
            return Ok(());
        }
        log.journal.close()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(%error, "the journal was not closed cleanly");
        }
    }
}
