//! What all engines of a process share: the cache of blocks, open files, memory for what is not yet
//! in tables, and the threads that flush and compact. An engine that nobody uses costs none of
//! them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};

use lsm_tree::{Cache, DescriptorTable};

use super::shared::Shared;

/// Limits, each for the whole process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of blocks kept in memory.
    pub(crate) cache_bytes_max: u64,
    /// Files of tables kept open.
    pub(crate) open_files_max: usize,
    /// Bytes written but not yet in tables, over all engines.
    pub(crate) memtable_bytes_max: u64,
    /// Threads for flushing and compacting. Without any, a writer that runs out of room does it.
    pub(crate) maintenance_threads: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cache_bytes_max: 64 << 20,
            open_files_max: 512,
            memtable_bytes_max: 128 << 20,
            maintenance_threads: 2,
        }
    }
}

/// The shared means. Threads end when the last engine and holder is gone.
pub(crate) struct Budgets {
    pub(super) cache: Arc<Cache>,
    pub(super) descriptors: Arc<DescriptorTable>,
    limits: Limits,
    threads: usize,
    memtable_bytes: AtomicU64,
    queue: Arc<Queue>,
    engines: Mutex<Vec<Job>>,
}

/// An engine as the budgets see it: apart from the engine itself, so that looking at it does not
/// keep it open.
#[derive(Debug, Default)]
pub(super) struct Load {
    pub(super) memtable_bytes: AtomicU64,
    /// Memory is needed elsewhere: begin a checkpoint.
    pub(super) checkpoint_asked: AtomicBool,
    pub(super) closing: AtomicBool,
    queued: AtomicBool,
}

type Job = (Arc<Load>, Weak<Shared>);

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
    wake: Condvar,
    left: Condvar,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Job>,
    running: Vec<Arc<Load>>,
    closed: bool,
}

impl Budgets {
    /// Sets the means up and starts the threads.
    pub(crate) fn new(limits: Limits) -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        let start = |_: &usize| {
            let queue = Arc::clone(&queue);
            let thread = std::thread::Builder::new().name("engine-maintenance".to_owned());
            let started = thread.spawn(move || queue.work());
            if let Err(error) = &started {
                tracing::warn!(%error, "cannot start a maintenance thread");
            }
            started.is_ok()
        };
        let threads = (0..limits.maintenance_threads).filter(start).count();
        Arc::new(Self {
            cache: Arc::new(Cache::with_capacity_bytes(limits.cache_bytes_max)),
            descriptors: Arc::new(DescriptorTable::new(limits.open_files_max)),
            limits,
            threads,
            memtable_bytes: AtomicU64::new(0),
            queue,
            engines: Mutex::new(Vec::new()),
        })
    }

    /// What one engine may hold before it flushes: a part of the whole, so that two busy ones do
    /// not starve each other.
    pub(super) fn memtable_bytes_per_engine(&self) -> u64 {
        self.limits.memtable_bytes_max / 4
    }

    pub(super) fn has_threads(&self) -> bool {
        self.threads > 0
    }

    pub(super) fn register(&self, load: &Arc<Load>, engine: &Arc<Shared>) {
        let mut engines = lock(&self.engines);
        engines.retain(|(_, engine)| engine.strong_count() > 0);
        engines.push((Arc::clone(load), Arc::downgrade(engine)));
    }

    /// Counts bytes in; beyond the limit the engine that holds most is asked to flush.
    pub(super) fn allocate(&self, load: &Load, bytes: u64) {
        load.memtable_bytes.fetch_add(bytes, Ordering::Relaxed);
        let total = self.memtable_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if total <= self.limits.memtable_bytes_max {
            return;
        }
        let engines = lock(&self.engines);
        let largest = engines
            .iter()
            .max_by_key(|(load, _)| load.memtable_bytes.load(Ordering::Relaxed));
        if let Some((load, engine)) = largest {
            load.checkpoint_asked.store(true, Ordering::Release);
            self.enqueue(load, engine.clone());
        }
    }

    pub(super) fn free(&self, load: &Load, bytes: u64) {
        load.memtable_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.memtable_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Has a maintenance thread look at an engine.
    pub(super) fn enqueue(&self, load: &Arc<Load>, engine: Weak<Shared>) {
        if !load.queued.swap(true, Ordering::AcqRel) {
            lock(&self.queue.state)
                .waiting
                .push_back((Arc::clone(load), engine));
            self.queue.wake.notify_one();
        }
    }

    /// Waits until no thread holds a closing engine; none takes it up again.
    pub(super) fn wait_until_left(&self, load: &Arc<Load>) {
        let mut state = lock(&self.queue.state);
        while state
            .running
            .iter()
            .any(|running| Arc::ptr_eq(running, load))
        {
            state = self
                .queue
                .left
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Budgets {
    fn drop(&mut self) {
        // The threads are not joined: the last holder may be an engine that one of them lets go of.
        lock(&self.queue.state).closed = true;
        self.queue.wake.notify_all();
    }
}

impl Queue {
    fn work(&self) {
        while let Some((load, engine)) = self.next() {
            engine.maintain();
            drop(engine);
            lock(&self.state)
                .running
                .retain(|running| !Arc::ptr_eq(running, &load));
            self.left.notify_all();
        }
    }

    fn next(&self) -> Option<(Arc<Load>, Arc<Shared>)> {
        let mut state = lock(&self.state);
        loop {
            if let Some((load, engine)) = state.waiting.pop_front() {
                load.queued.store(false, Ordering::Release);
                // A closing engine is not even looked at: dropping its last holder here would close
                // it under our lock.
                if load.closing.load(Ordering::Acquire) {
                    continue;
                }
                if let Some(engine) = engine.upgrade() {
                    state.running.push(Arc::clone(&load));
                    return Some((load, engine));
                }
                continue;
            }
            if state.closed {
                return None;
            }
            state = self
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
