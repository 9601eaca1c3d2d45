//! Reading one state of an engine.

use std::ops::{Bound, RangeBounds};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use lsm_tree::{AbstractTree, Guard, IterGuardImpl};

use super::error::EngineError;
use super::shared::Shared;
use super::space::{Space, tree_error};
use super::tables;

/// One state of all key spaces, which no later write changes. While it lives, what it shows is
/// kept; so a snapshot should live as long as one request, not longer.
pub(crate) struct Snapshot {
    shared: Arc<Shared>,
    state: u64,
}

impl Snapshot {
    pub(super) fn published(shared: &Arc<Shared>) -> Self {
        Self {
            shared: Arc::clone(shared),
            state: shared.snapshots.open_published(),
        }
    }

    pub(super) fn at(shared: &Arc<Shared>, state: u64) -> Self {
        Self {
            shared: Arc::clone(shared),
            state: shared.snapshots.open(state),
        }
    }

    /// Published snapshots of one engine that have the same number show the same.
    pub(crate) fn number(&self) -> u64 {
        self.state
    }

    /// The value of a key.
    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        let tree = &self.shared.space(space).tree;
        let value = tree.get(key, self.state);
        value.map(|value| value.map(Bytes::from)).map_err(|error| {
            let key = Bytes::copy_from_slice(key);
            self.fault(
                space,
                &error,
                &(Bound::Included(key.clone()), Bound::Included(key)),
            )
        })
    }

    /// The entries within bounds, in the order of their bytes, from either end.
    pub(crate) fn range<K: AsRef<[u8]>>(&self, space: Space, bounds: impl RangeBounds<K>) -> Range {
        let own = |bound: Bound<&K>| bound.map(|key| Bytes::copy_from_slice(key.as_ref()));
        self.range_owned(space, (own(bounds.start_bound()), own(bounds.end_bound())))
    }

    /// The entries whose key begins with `prefix`.
    pub(crate) fn prefix(&self, space: Space, prefix: &[u8]) -> Range {
        let start = Bound::Included(Bytes::copy_from_slice(prefix));
        self.range_owned(space, (start, successor(prefix)))
    }

    fn range_owned(&self, space: Space, bounds: Bounds) -> Range {
        let entries: Entries = if is_empty(&bounds) {
            Box::new(std::iter::empty())
        } else {
            self.shared
                .space(space)
                .tree
                .range::<Bytes, _>(bounds.clone(), self.state, None)
        };
        Range {
            entries,
            snapshot: self.clone(),
            space,
            bounds,
            failed: false,
        }
    }

    /// Names the damaged file: the tree does not, so the tables that can hold these keys are read
    /// until one fails.
    fn fault(&self, space: Space, error: &lsm_tree::Error, bounds: &Bounds) -> EngineError {
        let open = self.shared.space(space);
        match tree_error(&open.path, error) {
            EngineError::Corrupt { what, .. } => {
                let file = tables::find_damaged(&open.tree, bounds)
                    .unwrap_or_else(|| PathBuf::from(&open.path));
                EngineError::Corrupt { file, what }
            }
            other => other,
        }
    }
}

impl Clone for Snapshot {
    fn clone(&self) -> Self {
        Self::at(&self.shared, self.state)
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.shared.snapshots.close(self.state);
    }
}

pub(super) type Bounds = (Bound<Bytes>, Bound<Bytes>);
type Entries = Box<dyn DoubleEndedIterator<Item = IterGuardImpl> + Send>;

/// An iterator over entries; it keeps its snapshot. After an error it ends.
pub(crate) struct Range {
    entries: Entries,
    snapshot: Snapshot,
    space: Space,
    bounds: Bounds,
    failed: bool,
}

impl Range {
    fn entry(
        &mut self,
        entry: Option<IterGuardImpl>,
    ) -> Option<Result<(Bytes, Bytes), EngineError>> {
        let entry = entry?.into_inner();
        Some(
            entry
                .map(|(key, value)| (key.into(), value.into()))
                .map_err(|error| {
                    self.failed = true;
                    self.snapshot.fault(self.space, &error, &self.bounds)
                }),
        )
    }
}

impl Iterator for Range {
    type Item = Result<(Bytes, Bytes), EngineError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let entry = self.entries.next();
        self.entry(entry)
    }
}

impl DoubleEndedIterator for Range {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let entry = self.entries.next_back();
        self.entry(entry)
    }
}

/// The end of the keys that begin with `prefix`.
fn successor(prefix: &[u8]) -> Bound<Bytes> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Bound::Excluded(end.into());
        }
    }
    Bound::Unbounded
}

/// Whether no key can be within; the trees do not take such bounds.
fn is_empty(bounds: &Bounds) -> bool {
    match bounds {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (
            Bound::Included(start) | Bound::Excluded(start),
            Bound::Included(end) | Bound::Excluded(end),
        ) => start >= end,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_no_key_begins_with_it() {
        assert_eq!(successor(b"ab"), Bound::Excluded(Bytes::from_static(b"ac")));
        assert_eq!(
            successor(b"a\xff\xff"),
            Bound::Excluded(Bytes::from_static(b"b"))
        );
        assert_eq!(successor(b"\xff"), Bound::Unbounded);
        assert_eq!(successor(b""), Bound::Unbounded);
    }
}
