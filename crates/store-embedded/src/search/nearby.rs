//! Entries of records that are looked at one after the other: where rows follow each other closely,
//! going on in `entries` costs a fraction of looking each of them up.

use bytes::Bytes;
use store::{Row, StoreError};

use super::reads::{Range, Reads};
use crate::layout::{self, ENTRIES};

/// Rows follow each other closely if no more than so many lie between them.
const GAP_MAX: u64 = 8;

/// After so many close rows it is worth while to go on instead of looking up.
const CLOSE_MIN: u32 = 4;

/// A place in `entries`.
#[derive(Default)]
pub(super) struct Nearby<'s> {
    /// The row that was asked for last.
    last: Option<Row>,
    /// How many rows have followed each other closely.
    close: u32,
    /// What comes next, and what was read of it.
    range: Option<Range<'s>>,
    head: Option<(Row, Bytes)>,
}

impl<'s> Nearby<'s> {
    /// The entries of a row, as they are stored.
    pub(super) fn entries(
        &mut self,
        reads: &'s Reads<'s>,
        row: Row,
    ) -> Result<Option<Bytes>, StoreError> {
        let gap = self.last.and_then(|last| row.0.checked_sub(last.0));
        self.last = Some(row);
        if gap.is_none_or(|gap| gap == 0 || gap > GAP_MAX) {
            (self.close, self.range, self.head) = (0, None, None);
        }
        self.close = self.close.saturating_add(1);
        if self.close <= CLOSE_MIN {
            return reads.get(ENTRIES, &layout::row_key(row));
        }
        self.go_on(reads, row)
    }

    fn go_on(&mut self, reads: &'s Reads<'s>, row: Row) -> Result<Option<Bytes>, StoreError> {
        let from = || reads.range(ENTRIES, layout::row_key(row)..);
        let range = self.range.get_or_insert_with(from);
        while self.head.as_ref().is_none_or(|(head, _)| *head < row) {
            let Some(entry) = range.next() else {
                return Ok(None);
            };
            let (key, bytes) = entry?;
            self.head = Some((layout::row_of_key(&key)?, bytes));
        }
        let head = self.head.as_ref().filter(|(head, _)| *head == row);
        Ok(head.map(|(_, bytes)| bytes.clone()))
    }
}
