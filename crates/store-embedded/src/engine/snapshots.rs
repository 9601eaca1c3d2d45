//! Which states of an engine are being read: decides what is visible and what may be forgotten.
//!
//! A state is a number: it shows every entry with a smaller sequence number. The published state is
//! the newest durable one. The trees keep what the oldest open state needs, and only that.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The open states of one engine.
#[derive(Debug)]
pub(super) struct Snapshots {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    published: u64,
    open: BTreeMap<u64, usize>,
}

impl Snapshots {
    pub(super) fn new(published: u64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                published,
                open: BTreeMap::new(),
            }),
        }
    }

    /// Opens the published state.
    pub(super) fn open_published(&self) -> u64 {
        let mut inner = self.lock();
        let state = inner.published;
        *inner.open.entry(state).or_default() += 1;
        state
    }

    /// Opens a state that is not older than the published one, or one that is open already.
    pub(super) fn open(&self, state: u64) -> u64 {
        *self.lock().open.entry(state).or_default() += 1;
        state
    }

    pub(super) fn close(&self, state: u64) {
        let mut inner = self.lock();
        if let Some(count) = inner.open.get_mut(&state) {
            *count -= 1;
            if *count == 0 {
                inner.open.remove(&state);
            }
        }
    }

    /// Makes `state` what new snapshots show. It never goes back.
    pub(super) fn publish(&self, state: u64) {
        let mut inner = self.lock();
        inner.published = inner.published.max(state);
    }

    /// No state below this one is read now or will be.
    pub(super) fn oldest(&self) -> u64 {
        let inner = self.lock();
        inner
            .open
            .keys()
            .next()
            .copied()
            .unwrap_or(inner.published)
            .min(inner.published)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every change is one statement, so a panic elsewhere cannot leave this half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_open_state_is_kept() {
        let states = Snapshots::new(5);
        let first = states.open_published();
        let again = states.open(first);
        states.publish(9);
        assert_eq!((first, states.oldest()), (5, 5));
        states.close(first);
        assert_eq!(states.oldest(), 5);
        states.close(again);
        assert_eq!(states.oldest(), 9);
        let newest = states.open(12);
        assert_eq!(
            states.oldest(),
            9,
            "the published state can be opened at any time"
        );
        states.publish(20);
        assert_eq!(states.oldest(), 12);
        states.close(newest);
        states.publish(3);
        assert_eq!(states.oldest(), 20);
    }
}
