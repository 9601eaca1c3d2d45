//! What one search reads, counted: so that none goes on for ever, and none goes on for nobody.
//!
//! Steps are counted, not time: a search that ends within its limit does so on every machine and
//! under every load. A step is about what one posting costs.

use std::cell::Cell;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use store::{RecordKey, Row, StoreError};

use crate::engine::{self, Snapshot, Space as Tree};
use crate::fault;
use crate::layout::{self, Head, IDS, ROWS};

/// What looking up one key costs, or where keys begin, in postings read.
const LOOKUP_STEPS: u64 = 8;

/// So many tests of values that are in memory cost as much as one posting.
const TESTS_OF_A_STEP: u64 = 8;

/// How much one search may do.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    /// The name of the limit.
    pub(crate) limit: &'static str,
    /// Steps.
    pub(crate) steps_max: u64,
    /// Set once nobody waits for the result any more.
    pub(crate) abandoned: Arc<AtomicBool>,
}

impl Allowance {
    /// So many steps for someone who waits until the end.
    pub(crate) fn new(limit: &'static str, steps_max: u64) -> Self {
        Self {
            limit,
            steps_max,
            abandoned: Arc::default(),
        }
    }
}

/// A state of a tenant, read by one search.
pub(crate) struct Reads<'s> {
    snapshot: &'s Snapshot,
    allowance: &'s Allowance,
    /// Where the steps of all searches are added up.
    all_steps: &'s AtomicU64,
    steps: Cell<u64>,
    tests: Cell<u64>,
}

impl<'s> Reads<'s> {
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        allowance: &'s Allowance,
        all_steps: &'s AtomicU64,
    ) -> Self {
        Self {
            snapshot,
            allowance,
            all_steps,
            steps: Cell::new(0),
            tests: Cell::new(0),
        }
    }

    fn spend(&self, steps: u64) -> Result<(), StoreError> {
        let all = self.steps.get().saturating_add(steps);
        self.steps.set(all);
        if all > self.allowance.steps_max {
            return Err(StoreError::TooCostly {
                limit: self.allowance.limit,
                max: self.allowance.steps_max,
            });
        }
        if self.allowance.abandoned.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable(
                "the search was given up".to_owned(),
            ));
        }
        Ok(())
    }

    /// Counts a test on values that have been read.
    pub(super) fn test(&self) -> Result<(), StoreError> {
        self.tests.set(self.tests.get() + 1);
        if self.tests.get() < TESTS_OF_A_STEP {
            return Ok(());
        }
        self.tests.set(0);
        self.spend(1)
    }

    /// The value of a key.
    pub(super) fn get(&self, tree: Tree, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.spend(LOOKUP_STEPS)?;
        self.snapshot.get(tree, key).map_err(fault::engine)
    }

    /// The entries within bounds, from either end.
    pub(super) fn range<K: AsRef<[u8]>>(
        &'s self,
        tree: Tree,
        bounds: impl RangeBounds<K>,
    ) -> Range<'s> {
        Range {
            entries: self.snapshot.range(tree, bounds),
            reads: self,
            owed: LOOKUP_STEPS,
        }
    }

    /// Where a record stands.
    pub(super) fn head_of(&self, key: &RecordKey) -> Result<Option<Head>, StoreError> {
        let bytes = self.get(IDS, &layout::id_key(key))?;
        bytes.map(|bytes| Head::decode(&bytes)).transpose()
    }

    /// What a row stands for.
    pub(super) fn key_of(&self, row: Row) -> Result<Option<RecordKey>, StoreError> {
        let bytes = self.get(ROWS, &layout::row_key(row))?;
        bytes.map(|bytes| layout::key_of_row(&bytes)).transpose()
    }
}

impl Drop for Reads<'_> {
    fn drop(&mut self) {
        self.all_steps
            .fetch_add(self.steps.get(), Ordering::Relaxed);
    }
}

/// Entries, each counted.
pub(super) struct Range<'s> {
    entries: engine::Range,
    reads: &'s Reads<'s>,
    /// Steps that are counted with the next entry.
    owed: u64,
}

impl Range<'_> {
    fn counted(
        &mut self,
        entry: Option<Result<(Bytes, Bytes), engine::EngineError>>,
    ) -> Option<Result<(Bytes, Bytes), StoreError>> {
        let owed = std::mem::replace(&mut self.owed, 1);
        if let Err(error) = self.reads.spend(owed) {
            return Some(Err(error));
        }
        entry.map(|entry| entry.map_err(fault::engine))
    }
}

impl Iterator for Range<'_> {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next();
        self.counted(entry)
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let entry = self.entries.next_back();
        self.counted(entry)
    }
}
