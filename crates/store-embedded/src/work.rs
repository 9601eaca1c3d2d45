//! One commit in its turn: what it reads and what it is about to write.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use store::{Instant, LedgerEntry, Position, RecordKey, Row, Space, StoreError, TypeNumber};

use crate::engine::{Batch, Snapshot};
use crate::fault;
use crate::layout::{
    self, BODIES, ENTRIES, HISTORY, Head, IDS, INCOMING, Incoming, Indexed, LEDGER, META, ROWS,
    State,
};
use crate::tenant::Tenant;

/// The newest state and the changes to it that are being staged.
pub(crate) struct Work<'t> {
    pub(crate) tenant: &'t Tenant,
    pub(crate) newest: Snapshot,
    pub(crate) batch: Batch,
    /// As it will be after the commit.
    pub(crate) state: State,
    /// Heads read or changed; `None` where there is no row.
    heads: HashMap<RecordKey, Option<Head>>,
    /// Incoming references changed; `None` where removed.
    incoming: HashMap<(Row, Row), Option<Incoming>>,
    /// Rows that may be referred to by nothing any more.
    let_go: BTreeSet<Row>,
    /// Change in the number of live records.
    pub(crate) counts: HashMap<(Space, TypeNumber), i64>,
    /// Types of which a record was indexed anew.
    pub(crate) indexed_anew: BTreeSet<(Space, TypeNumber)>,
}

impl<'t> Work<'t> {
    pub(crate) fn new(tenant: &'t Tenant, newest: Snapshot, state: State, now: Instant) -> Self {
        let time = Instant(now.0.max(state.time.0 + 1));
        Self {
            tenant,
            newest,
            batch: Batch::new(),
            state: State { time, ..state },
            heads: HashMap::new(),
            incoming: HashMap::new(),
            let_go: BTreeSet::new(),
            counts: HashMap::new(),
            indexed_anew: BTreeSet::new(),
        }
    }

    /// Where a record stands, with what this commit has done to it.
    pub(crate) fn head(&mut self, key: &RecordKey) -> Result<Option<Head>, StoreError> {
        if let Some(head) = self.heads.get(key) {
            return Ok(*head);
        }
        let bytes = self
            .newest
            .get(IDS, &layout::id_key(key))
            .map_err(fault::engine)?;
        let head = bytes.map(|bytes| Head::decode(&bytes)).transpose()?;
        self.heads.insert(key.clone(), head);
        Ok(head)
    }

    pub(crate) fn set_head(&mut self, key: &RecordKey, head: Head) {
        self.batch.put(IDS, layout::id_key(key), head.encode());
        self.heads.insert(key.clone(), Some(head));
    }

    /// The row of a record; one that has none gets the next.
    pub(crate) fn row(&mut self, key: &RecordKey) -> Result<Row, StoreError> {
        if let Some(head) = self.head(key)? {
            return Ok(head.row);
        }
        let row = Row(self.state.next_row);
        self.state.next_row += 1;
        self.batch
            .put(ROWS, layout::row_key(row), layout::id_key(key));
        self.set_head(key, Head::reserved(row));
        Ok(row)
    }

    pub(crate) fn rows(&mut self, keys: &[RecordKey]) -> Result<Vec<Row>, StoreError> {
        keys.iter().map(|key| self.row(key)).collect()
    }

    pub(crate) fn key_of(&self, row: Row) -> Result<Option<RecordKey>, StoreError> {
        let bytes = self
            .newest
            .get(ROWS, &layout::row_key(row))
            .map_err(fault::engine)?;
        bytes.map(|bytes| layout::key_of_row(&bytes)).transpose()
    }

    /// The newest version as it is stored.
    pub(crate) fn body(&self, key: &RecordKey, row: Row) -> Result<Bytes, StoreError> {
        let body = layout::body_key(key.space, key.kind, row);
        let bytes = self.newest.get(BODIES, &body).map_err(fault::engine)?;
        bytes.ok_or_else(|| StoreError::Corrupt("a newest version is missing".to_owned()))
    }

    /// The older versions as they are stored, with their keys.
    pub(crate) fn older(
        &self,
        key: &RecordKey,
        row: Row,
    ) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let prefix = layout::body_key(key.space, key.kind, row);
        let found: Result<Vec<_>, _> = self.newest.prefix(HISTORY, &prefix).collect();
        found.map_err(fault::engine)
    }

    pub(crate) fn indexed(&self, row: Row) -> Result<Indexed, StoreError> {
        let bytes = self
            .newest
            .get(ENTRIES, &layout::row_key(row))
            .map_err(fault::engine)?;
        bytes.map_or(Ok(Indexed::default()), |bytes| Indexed::decode(&bytes))
    }

    pub(crate) fn ledger_entry(&self, position: Position) -> Result<LedgerEntry, StoreError> {
        let bytes = self
            .newest
            .get(LEDGER, &layout::ledger_key(position))
            .map_err(fault::engine)?;
        let missing = || StoreError::Corrupt("a ledger entry is missing".to_owned());
        layout::decode_ledger(position, &bytes.ok_or_else(missing)?)
    }

    pub(crate) fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.newest.get(META, key).map_err(fault::engine)
    }

    /// Who points at a row, in the newest state.
    pub(crate) fn sources(&self, target: Row) -> Result<Vec<(Row, Incoming)>, StoreError> {
        let found = self.newest.prefix(INCOMING, &layout::row_key(target));
        found
            .map(|entry| {
                let (key, value) = entry.map_err(fault::engine)?;
                let (_, source) = layout::rows_of_incoming(&key)?;
                Ok((source, Incoming::decode(&value)?))
            })
            .collect()
    }

    pub(crate) fn set_incoming(&mut self, target: Row, source: Row, incoming: Option<Incoming>) {
        let key = layout::incoming_key(target, source);
        if let Some(incoming) = incoming {
            self.batch.put(INCOMING, key, incoming.encode());
        } else {
            self.batch.delete(INCOMING, key);
            self.let_go.insert(target);
        }
        self.incoming.insert((target, source), incoming);
    }

    /// A record that is gone: its row stays only while something points at it.
    pub(crate) fn forget(&mut self, key: &RecordKey, row: Row) {
        self.set_head(key, Head::reserved(row));
        self.let_go.insert(row);
    }

    /// Forgets the ids of records that are not there and that nothing points at any more.
    pub(crate) fn forget_unused(&mut self) -> Result<(), StoreError> {
        for row in std::mem::take(&mut self.let_go) {
            let Some(key) = self.key_of(row)? else {
                continue;
            };
            let unused = self.head(&key)?.is_some_and(|head| !head.exists());
            if unused && !self.pointed_at(row)? {
                self.batch.delete(IDS, layout::id_key(&key));
                self.batch.delete(ROWS, layout::row_key(row));
                self.heads.insert(key, None);
            }
        }
        Ok(())
    }

    fn pointed_at(&self, target: Row) -> Result<bool, StoreError> {
        let added = self
            .incoming
            .iter()
            .any(|((to, _), incoming)| *to == target && incoming.is_some());
        let kept = || -> Result<bool, StoreError> {
            let sources = self.sources(target)?;
            Ok(sources
                .iter()
                .any(|(source, _)| !self.incoming.contains_key(&(target, *source))))
        };
        Ok(added || kept()?)
    }
}
