//! What can be set for an embedded store, and what it shares among its tenants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use store::{Clock, Space, SpaceDefinition, StoreLimits, SystemClock, Versions};

use crate::engine::Budgets;
use crate::recent::Recent;

/// The settings of an embedded store, with defaults that protect the process.
#[derive(Clone)]
pub struct Options {
    /// The limits of the contract.
    pub limits: StoreLimits,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Tenants kept open at once; the one unused longest is closed for another, unless in use.
    pub open_tenants_max: usize,
    /// A tenant that was not used for so long is closed.
    pub idle_timeout: Duration,
    /// Bytes of blocks kept in memory, for all tenants.
    pub cache_bytes_max: u64,
    /// Bytes of unpacked records kept in memory, for all tenants.
    pub record_cache_bytes_max: u64,
    /// Table files kept open, for all tenants.
    pub open_files_max: usize,
    /// Bytes written and not yet in tables, for all tenants.
    pub memtable_bytes_max: u64,
    /// Threads that flush and compact, for all tenants.
    pub maintenance_threads: usize,
    /// Steps of one search: postings read, and records looked at, each of which counts as several.
    pub search_steps_max: u64,
    /// The same of a search that is repeated in a commit, for which others wait.
    pub criteria_steps_max: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: StoreLimits::default(),
            clock: Arc::new(SystemClock),
            open_tenants_max: 64,
            idle_timeout: Duration::from_mins(10),
            cache_bytes_max: 64 << 20,
            record_cache_bytes_max: 64 << 20,
            open_files_max: 512,
            memtable_bytes_max: 128 << 20,
            maintenance_threads: 2,
            search_steps_max: 200_000_000,
            criteria_steps_max: 20_000_000,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// Counters since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Commits that took effect.
    pub commits: u64,
    /// Changes of records in them.
    pub changes: u64,
    /// Syncs of journals for them and for names: each made one group durable.
    pub syncs: u64,
    /// Turns in these groups: commits, refused ones, names.
    pub turns: u64,
    /// Turns in the largest group.
    pub group_max: u64,
    /// Tenants that are open now.
    pub open_tenants: u64,
    /// Steps of searches.
    pub search_steps: u64,
}

/// The counters while they are counted.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    changes: AtomicU64,
    syncs: AtomicU64,
    turns: AtomicU64,
    group_max: AtomicU64,
    pub(crate) search_steps: AtomicU64,
}

impl Counters {
    pub(crate) fn commit(&self, changes: usize) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(changes as u64, Ordering::Relaxed);
    }

    pub(crate) fn group(&self, turns: usize) {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.turns.fetch_add(turns as u64, Ordering::Relaxed);
        self.group_max.fetch_max(turns as u64, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, open_tenants: usize) -> Stats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            commits: load(&self.commits),
            changes: load(&self.changes),
            syncs: load(&self.syncs),
            turns: load(&self.turns),
            group_max: load(&self.group_max),
            open_tenants: open_tenants as u64,
            search_steps: load(&self.search_steps),
        }
    }
}

/// What all tenants of a store share.
pub(crate) struct Common {
    pub(crate) options: Options,
    pub(crate) spaces: Vec<SpaceDefinition>,
    pub(crate) budgets: Arc<Budgets>,
    pub(crate) counters: Counters,
    pub(crate) recent: Recent,
    /// The number of the next tenant that is opened.
    pub(crate) next_tenant: AtomicU64,
}

impl Common {
    /// Whether older versions are kept; in a space nobody defined they are.
    pub(crate) fn versions(&self, space: Space) -> Versions {
        let defined = self
            .spaces
            .iter()
            .find(|definition| definition.space == space);
        defined.map_or(Versions::Kept, |definition| definition.versions)
    }
}
