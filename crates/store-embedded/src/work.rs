//! One commit in its turn: what it reads and what it is about to write.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use store::{Instant, Lane, LedgerEntry, Position, RecordKey, Row, Space, StoreError, TypeNumber};

use crate::engine::{Batch, Snapshot};
use crate::fault;
use crate::layout::{
    self, BODIES, ENTRIES, HISTORY, Head, IDS, INCOMING, Incoming, Indexed, LEDGER, META, ROWS,
    Referent, State,
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
    incoming: HashMap<(Referent, Row), Option<Incoming>>,
    /// What may be referred to by nothing any more.
    let_go: BTreeSet<Referent>,
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

    fn next_number(&mut self, key: &RecordKey) -> u64 {
        let number = self.state.next_row;
        self.state.next_row += 1;
        self.batch
            .put(ROWS, layout::row_key(Row(number)), layout::id_key(key));
        number
    }

    /// Where a record stands that is about to get a version; one that has no row gets the next.
    pub(crate) fn placed(&mut self, key: &RecordKey) -> Result<Head, StoreError> {
        let head = self.head(key)?;
        if let Some(head) = head.filter(|head| head.row != Row(0)) {
            return Ok(head);
        }
        let row = Row(self.next_number(key));
        let referent = head.map_or(Referent::of(row), |head| head.referent);
        if head.is_some() {
            self.state.displaced = true;
            put_displaced(&mut self.batch, row, referent);
        }
        let head = Head {
            row,
            ..Head::reserved(referent)
        };
        // It is written with the first version.
        self.heads.insert(key.clone(), Some(head));
        Ok(head)
    }

    /// What a record is referred to by, whether it is there or not.
    pub(crate) fn referent(&mut self, key: &RecordKey) -> Result<Referent, StoreError> {
        if let Some(head) = self.head(key)? {
            return Ok(head.referent);
        }
        let referent = Referent(self.next_number(key));
        self.set_head(key, Head::reserved(referent));
        Ok(referent)
    }

    pub(crate) fn referents(&mut self, keys: &[RecordKey]) -> Result<Vec<Referent>, StoreError> {
        keys.iter().map(|key| self.referent(key)).collect()
    }

    pub(crate) fn lanes(&mut self, keys: &[RecordKey]) -> Result<Vec<Lane>, StoreError> {
        let lanes = keys.iter();
        lanes.map(|key| Ok(self.referent(key)?.lane())).collect()
    }

    /// What a row or a referent stands for.
    fn key_of(&self, key: &[u8]) -> Result<Option<RecordKey>, StoreError> {
        let bytes = self.newest.get(ROWS, key).map_err(fault::engine)?;
        bytes.map(|bytes| layout::key_of_row(&bytes)).transpose()
    }

    pub(crate) fn key_of_row(&self, row: Row) -> Result<Option<RecordKey>, StoreError> {
        self.key_of(&layout::row_key(row))
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

    /// Who points at a record, in the newest state.
    pub(crate) fn sources(&self, target: Referent) -> Result<Vec<(Row, Incoming)>, StoreError> {
        let target = layout::referent_key(target);
        let found = self.newest.prefix(INCOMING, &target);
        found
            .map(|entry| {
                let (key, value) = entry.map_err(fault::engine)?;
                let (_, source) = layout::rows_of_incoming(&key)?;
                Ok((source, Incoming::decode(&value)?))
            })
            .collect()
    }

    pub(crate) fn set_incoming(
        &mut self,
        target: Referent,
        source: Row,
        incoming: Option<Incoming>,
    ) {
        let key = layout::incoming_key(target, source);
        if let Some(incoming) = incoming {
            self.batch.put(INCOMING, key, incoming.encode());
        } else {
            self.batch.delete(INCOMING, key);
            self.let_go.insert(target);
        }
        self.incoming.insert((target, source), incoming);
    }

    /// A record that is gone: its referent stays only while something points at it.
    pub(crate) fn forget(&mut self, key: &RecordKey, head: Head) {
        if head.displaced() {
            self.batch.delete(ROWS, layout::row_key(head.row));
            for number in [head.row.0, head.referent.0] {
                self.batch.delete(META, layout::displaced_key(number));
            }
        }
        self.set_head(key, Head::reserved(head.referent));
        self.let_go.insert(head.referent);
    }

    /// Forgets the ids of records that are not there and that nothing points at any more.
    pub(crate) fn forget_unused(&mut self) -> Result<(), StoreError> {
        for referent in std::mem::take(&mut self.let_go) {
            let number = layout::referent_key(referent);
            let Some(key) = self.key_of(&number)? else {
                continue;
            };
            let unused = self.head(&key)?.is_some_and(|head| !head.exists());
            if unused && !self.pointed_at(referent)? {
                self.batch.delete(IDS, layout::id_key(&key));
                self.batch.delete(ROWS, number);
                self.heads.insert(key, None);
            }
        }
        Ok(())
    }

    fn pointed_at(&self, target: Referent) -> Result<bool, StoreError> {
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

/// From either number of a record that has two leads a way to the other.
pub(crate) fn put_displaced(batch: &mut Batch, row: Row, referent: Referent) {
    for (number, other) in [(row.0, referent.0), (referent.0, row.0)] {
        let place = layout::displaced_key(number);
        batch.put(META, place, layout::encode_number(other));
    }
}
