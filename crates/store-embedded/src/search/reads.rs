//! What one search reads, counted: so that none goes on for ever, and none goes on for nobody.
//!
//! Steps are counted, not time: a search that ends within its limit does so on every machine and
//! under every load. A step is about what one posting costs, a fifth of a microsecond.

use std::cell::Cell;
use std::ops::RangeBounds;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::Bytes;
use store::{RecordKey, Row, StoreError};

use crate::engine::{self, Snapshot, Space as Tree};
use crate::fault;
use crate::layout::{self, Head, IDS, META, ROWS, Referent};

/// What looking up one key costs, in postings read.
const LOOKUP_STEPS: u64 = 10;

/// What finding the place costs where keys begin. So many keys are rather passed over one by one.
pub(super) const SEEK_STEPS: u64 = 40;

/// What decoding the entries of a record costs.
const DECODE_STEPS: u64 = 5;

/// What looking at one record costs, all in all.
pub(super) const RECORD_STEPS: u64 = LOOKUP_STEPS + DECODE_STEPS + 1;

/// What a search of which nothing is known attempts first.
const FIRST_STEPS: u64 = 64;

/// So many tests of values that are in memory cost as much as one posting.
const TESTS_OF_A_STEP: u64 = 8;

/// How much one search may do.
#[derive(Debug, Clone)]
pub(crate) struct Allowance {
    /// The name of the limit.
    pub(crate) limit: &'static str,
    /// Steps.
    pub(crate) steps_max: u64,
    /// Steps of the first attempt; each further one may take more.
    pub(crate) first: u64,
    /// Set once nobody waits for the result any more.
    pub(crate) abandoned: Arc<AtomicBool>,
}

impl Allowance {
    /// So many steps for someone who waits until the end.
    pub(crate) fn new(limit: &'static str, steps_max: u64) -> Self {
        Self {
            limit,
            steps_max,
            first: FIRST_STEPS,
            abandoned: Arc::default(),
        }
    }
}

/// A state of a tenant, read by one search.
pub(crate) struct Reads<'s> {
    snapshot: &'s Snapshot,
    /// Of the state: whether rows and referents have to be looked up.
    displaced: bool,
    allowance: &'s Allowance,
    /// Where the steps of all searches are added up.
    all_steps: &'s AtomicU64,
    steps: Cell<u64>,
    tests: Cell<u64>,
    /// So many steps end what is attempted; the search itself is the outermost attempt.
    end: Cell<u64>,
}

impl<'s> Reads<'s> {
    pub(crate) fn new(
        snapshot: &'s Snapshot,
        displaced: bool,
        allowance: &'s Allowance,
        all_steps: &'s AtomicU64,
    ) -> Self {
        Self {
            snapshot,
            displaced,
            allowance,
            all_steps,
            steps: Cell::new(0),
            tests: Cell::new(0),
            end: Cell::new(allowance.steps_max),
        }
    }

    /// Steps of the first attempt.
    pub(super) fn first(&self) -> u64 {
        self.allowance.first
    }

    /// Steps so far.
    pub(super) fn steps(&self) -> u64 {
        self.steps.get()
    }

    /// Steps until what is attempted ends.
    pub(super) fn left(&self) -> u64 {
        self.end.get().saturating_sub(self.steps.get())
    }

    /// Does something that may be given up: `None` if it takes more than so many steps. What it
    /// changes must make sense wherever it is interrupted, which is before anything is read.
    pub(super) fn attempt<T>(
        &self,
        steps: u64,
        run: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let outer = self.end.get();
        let end = self.steps.get().saturating_add(steps).min(outer);
        self.end.set(end);
        let result = run();
        self.end.set(outer);
        let steps = self.steps.get();
        match result {
            Err(StoreError::TooCostly { .. })
                if steps > end && steps <= self.allowance.steps_max =>
            {
                Ok(None)
            }
            result => result.map(Some),
        }
    }

    fn spend(&self, steps: u64) -> Result<(), StoreError> {
        let all = self.steps.get().saturating_add(steps);
        self.steps.set(all);
        if all > self.end.get() {
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

    /// Counts the decoding of a record's entries.
    pub(super) fn decode(&self) -> Result<(), StoreError> {
        self.spend(DECODE_STEPS)
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
            owed: SEEK_STEPS,
        }
    }

    /// Where a record stands.
    pub(super) fn head_of(&self, key: &RecordKey) -> Result<Option<Head>, StoreError> {
        let bytes = self.get(IDS, &layout::id_key(key))?;
        bytes.map(|bytes| Head::decode(&bytes)).transpose()
    }

    fn other_number(&self, number: u64) -> Result<u64, StoreError> {
        layout::other_number(self.displaced, number, |key| self.get(META, key))
    }

    /// What a record is referred to by.
    pub(super) fn referent_of(&self, row: Row) -> Result<Referent, StoreError> {
        self.other_number(row.0).map(Referent)
    }

    /// The row of what is referred to; there is no record in it if that is not there.
    pub(super) fn row_of(&self, referent: Referent) -> Result<Row, StoreError> {
        self.other_number(referent.0).map(Row)
    }

    /// What is referred to. The key space of rows has referents, too.
    pub(super) fn key_of_referent(
        &self,
        referent: Referent,
    ) -> Result<Option<RecordKey>, StoreError> {
        self.key_of(Row(referent.0))
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
    /// Counted before it is read, so that an attempt that ends here has lost nothing.
    fn read(
        &mut self,
        next: impl FnOnce(&mut engine::Range) -> Option<<engine::Range as Iterator>::Item>,
    ) -> Option<<Self as Iterator>::Item> {
        if let Err(error) = self.reads.spend(self.owed) {
            return Some(Err(error));
        }
        self.owed = 1;
        next(&mut self.entries).map(|entry| entry.map_err(fault::engine))
    }
}

impl Iterator for Range<'_> {
    type Item = Result<(Bytes, Bytes), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read(Iterator::next)
    }
}

impl DoubleEndedIterator for Range<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.read(DoubleEndedIterator::next_back)
    }
}
