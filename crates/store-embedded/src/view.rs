//! Reading one state of a tenant: the newest, or how it was at an earlier ledger position.
//!
//! A view holds a snapshot of the engine and no lock. What came after its position is passed over:
//! the newest version is looked at first, and only if it is too new, the older ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use store::{
    At, BackupPage, Entry, Explanation, Found, HistoryOf, HistoryPage, LedgerEntry, Listed,
    NamedKey, NamedRow, Outline, ParameterNumber, Plan, Position, Record, RecordKey, Row, Space,
    StoreError, TypeNumber, VersionNumber, View,
};

use crate::backup;
use crate::engine::Snapshot;
use crate::fault;
use crate::history;
use crate::layout::{
    self, BODIES, CHANGES, HISTORY, Head, INCOMING, Incoming, LEDGER, META, ROWS, Version,
};
use crate::search::{self, Allowance, Reads, head_of};
use crate::tenant::{Tenant, blocking};

/// Versions of a page that are read where they were asked for; longer pages have their own thread.
const HISTORY_INLINE_MAX: usize = 100;

/// Steps of a search where it was asked for, about half a millisecond; one that needs more begins
/// again on a thread of its own.
const STEPS_INLINE_MAX: u64 = 2_000;

/// Pages of so many records are kept in memory; longer ones would push out what others read.
const KEPT_PAGE_MAX: usize = 100;

/// A state of a tenant at a position.
#[derive(Clone)]
pub(crate) struct TenantView {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) snapshot: Snapshot,
    pub(crate) position: Position,
    newest: bool,
    displaced: bool,
}

impl TenantView {
    pub(crate) fn open(tenant: Arc<Tenant>, at: At) -> Result<Self, StoreError> {
        let snapshot = tenant.engine.snapshot();
        let state = tenant.state_of(&snapshot)?;
        let position = match at {
            At::Newest => state.position,
            At::Position(position) if position <= state.position => position,
            At::Position(_) => return Err(StoreError::UnknownPosition),
        };
        Ok(Self {
            tenant,
            snapshot,
            position,
            newest: position == state.position,
            displaced: state.displaced,
        })
    }

    pub(crate) fn get(
        &self,
        space: crate::engine::Space,
        key: &[u8],
    ) -> Result<Option<Bytes>, StoreError> {
        self.snapshot.get(space, key).map_err(fault::engine)
    }

    /// The version that was the newest at this view's position.
    pub(crate) fn version_then(
        &self,
        space: Space,
        kind: TypeNumber,
        row: Row,
    ) -> Result<Option<Version>, StoreError> {
        let place = layout::body_key(space, kind, row);
        let Some(bytes) = self.get(BODIES, &place)? else {
            return Ok(None);
        };
        let newest = Version::decode(&bytes)?;
        if newest.position <= self.position {
            return Ok(Some(newest));
        }
        for entry in self.snapshot.prefix(HISTORY, &place).rev() {
            let version = Version::decode(&entry.map_err(fault::engine)?.1)?;
            if version.position <= self.position {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// A certain version, if it is kept and not too new.
    pub(crate) fn version(
        &self,
        space: Space,
        kind: TypeNumber,
        row: Row,
        number: VersionNumber,
    ) -> Result<Option<Version>, StoreError> {
        let older = self.get(HISTORY, &layout::history_key(space, kind, row, number))?;
        let bytes = match older {
            Some(bytes) => Some(bytes),
            None => self.get(BODIES, &layout::body_key(space, kind, row))?,
        };
        let version = bytes.map(|bytes| Version::decode(&bytes)).transpose()?;
        Ok(version.filter(|found| found.number == number && found.position <= self.position))
    }

    pub(crate) fn record(
        &self,
        key: RecordKey,
        row: Row,
        version: &Version,
    ) -> Result<Record, StoreError> {
        let body = if version.packed.is_empty() {
            Bytes::new()
        } else {
            self.tenant.dictionaries.unpack(&version.packed)?
        };
        Ok(Record {
            key,
            row,
            version: version.number,
            position: version.position,
            time: version.time,
            operation: version.operation,
            body,
        })
    }

    /// What a row stands for.
    pub(crate) fn key_of(&self, row: Row) -> Result<Option<RecordKey>, StoreError> {
        let bytes = self.get(ROWS, &layout::row_key(row))?;
        bytes.map(|bytes| layout::key_of_row(&bytes)).transpose()
    }

    pub(crate) fn ledger_entry(&self, position: Position) -> Result<LedgerEntry, StoreError> {
        let bytes = self.get(LEDGER, &layout::ledger_key(position))?;
        let missing = || StoreError::Corrupt(format!("ledger entry {} is missing", position.0));
        layout::decode_ledger(position, &bytes.ok_or_else(missing)?)
    }

    fn read_one(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        if !self.newest {
            return self.read_stored(key);
        }
        if let Some(record) = self.tenant.recent(key, self.position) {
            return Ok(Some(record));
        }
        let record = self.read_stored(key)?;
        if let Some(record) = &record {
            self.tenant.keep_recent(record, self.position);
        }
        Ok(record)
    }

    fn read_stored(&self, key: &RecordKey) -> Result<Option<Record>, StoreError> {
        let Some(head) = head_of(&self.snapshot, key)? else {
            return Ok(None);
        };
        let version = self.version_then(key.space, key.kind, head.row)?;
        version
            .map(|version| self.record(key.clone(), head.row, &version))
            .transpose()
    }

    /// The key of a row, if it is of that space and type.
    fn key_in(
        &self,
        space: Space,
        kind: TypeNumber,
        row: Row,
    ) -> Result<Option<RecordKey>, StoreError> {
        let key = self.key_of(row)?;
        Ok(key.filter(|key| key.space == space && key.kind == kind))
    }

    fn read_row(
        &self,
        space: Space,
        kind: TypeNumber,
        row: Row,
        keep: Keep,
    ) -> Result<Option<Record>, StoreError> {
        let Some(key) = self.key_in(space, kind, row)? else {
            return Ok(None);
        };
        if self.newest
            && let Some(record) = self.tenant.recent(&key, self.position)
        {
            return Ok(Some(record));
        }
        let Some(version) = self.version_then(space, kind, row)? else {
            return Ok(None);
        };
        let record = self.record(key, row, &version)?;
        if self.newest && keep == Keep::Recent {
            self.tenant.keep_recent(&record, self.position);
        }
        Ok(Some(record))
    }

    /// Of a past state, and only there, the version itself is looked at.
    fn outline(
        &self,
        space: Space,
        kind: TypeNumber,
        row: Row,
    ) -> Result<Option<Outline>, StoreError> {
        let Some(key) = self.key_in(space, kind, row)? else {
            return Ok(None);
        };
        let Some(head) = head_of(&self.snapshot, &key)?.filter(Head::exists) else {
            return Ok(None);
        };
        if head.position <= self.position {
            let blobs = self.get(META, &layout::newest_blobs_key(row))?;
            let blobs = blobs
                .map(|bytes| layout::decode_blobs(&bytes))
                .transpose()?;
            return Ok(Some(Outline {
                key,
                row,
                version: head.version,
                position: head.position,
                time: self.ledger_entry(head.position)?.time,
                operation: head.operation,
                blobs: blobs.unwrap_or_default(),
            }));
        }
        let version = self.version_then(space, kind, row)?;
        Ok(version.map(|version| Outline {
            key,
            row,
            version: version.number,
            position: version.position,
            time: version.time,
            operation: version.operation,
            blobs: version.blobs,
        }))
    }

    fn lane(
        &self,
        of: &RecordKey,
        after: Position,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        let Some(head) = head_of(&self.snapshot, of)? else {
            return Ok(Vec::new());
        };
        let list = layout::lane_changes(head.referent.lane());
        let Some(from) = after.0.checked_add(1) else {
            return Ok(Vec::new());
        };
        let from = layout::change_key(&list, Position(from));
        let to = layout::change_key(&list, self.position);
        let keys = self.snapshot.range(CHANGES, from..=to).take(limit);
        keys.map(|entry| {
            let (key, _) = entry.map_err(fault::engine)?;
            self.ledger_entry(layout::position_of_change(&key)?)
        })
        .collect()
    }

    fn whole_ledger(&self, after: Position, limit: usize) -> Result<Vec<LedgerEntry>, StoreError> {
        let Some(from) = after.0.checked_add(1) else {
            return Ok(Vec::new());
        };
        let bounds = layout::ledger_key(Position(from))..=layout::ledger_key(self.position);
        let entries = self.snapshot.range(LEDGER, bounds).take(limit);
        entries
            .map(|entry| {
                let (key, value) = entry.map_err(fault::engine)?;
                layout::decode_ledger(layout::position_of_key(&key)?, &value)
            })
            .collect()
    }

    fn allowance(&self) -> Allowance {
        let steps_max = self.tenant.common.options.search_steps_max;
        Allowance::new("search_steps_max", steps_max)
    }

    /// Searches where it was asked for, if that does not hold up others; most searches end so soon
    /// that a thread of their own would cost more than they do.
    fn searched_here<T>(
        &self,
        search: impl FnOnce(&Reads<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let allowance = self.allowance();
        let few = Allowance {
            steps_max: allowance.steps_max.min(STEPS_INLINE_MAX),
            ..allowance
        };
        let steps = &self.tenant.common.counters.search_steps;
        match search(&Reads::new(&self.snapshot, self.displaced, &few, steps)) {
            Err(StoreError::TooCostly { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Searches on a thread of its own, as long as the result is waited for.
    async fn searched_apart<T: Send + 'static>(
        &self,
        search: impl FnOnce(&Reads<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let allowance = Allowance {
            first: STEPS_INLINE_MAX,
            ..self.allowance()
        };
        let view = self.clone();
        let _waiting = Waiting(Arc::clone(&allowance.abandoned));
        blocking(move || {
            let steps = &view.tenant.common.counters.search_steps;
            search(&Reads::new(
                &view.snapshot,
                view.displaced,
                &allowance,
                steps,
            ))
        })
        .await
    }

    fn live_named(&self, bytes: &Bytes) -> Result<Option<NamedRow>, StoreError> {
        let row = layout::decode_named(bytes)?;
        let now = self.tenant.now();
        Ok(Some(row).filter(|row| row.expires.is_none_or(|at| at > now)))
    }
}

/// Whether records that were read are kept in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    Recent,
    Nothing,
}

/// Lets a search know, when it is dropped, that nobody waits for it.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[async_trait]
impl View for TenantView {
    fn position(&self) -> Position {
        self.position
    }

    async fn read(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>, StoreError> {
        keys.iter().map(|key| self.read_one(key)).collect()
    }

    async fn read_rows(
        &self,
        space: Space,
        rows: &[(TypeNumber, Row)],
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let keep = if rows.len() <= KEPT_PAGE_MAX {
            Keep::Recent
        } else {
            Keep::Nothing
        };
        rows.iter()
            .map(|(kind, row)| self.read_row(space, *kind, *row, keep))
            .collect()
    }

    async fn outlines(
        &self,
        space: Space,
        rows: &[(TypeNumber, Row)],
    ) -> Result<Vec<Option<Outline>>, StoreError> {
        rows.iter()
            .map(|(kind, row)| self.outline(space, *kind, *row))
            .collect()
    }

    async fn read_version(
        &self,
        key: &RecordKey,
        version: VersionNumber,
    ) -> Result<Option<Record>, StoreError> {
        let Some(head) = head_of(&self.snapshot, key)? else {
            return Ok(None);
        };
        let found = self.version(key.space, key.kind, head.row, version)?;
        found
            .map(|found| self.record(key.clone(), head.row, &found))
            .transpose()
    }

    async fn history(&self, of: &HistoryOf, page: &HistoryPage) -> Result<Vec<Record>, StoreError> {
        // With a bound on currency a page may have to look at far more versions than it gives.
        if page.current_from.is_none() && page.limit <= HISTORY_INLINE_MAX {
            return history::page(self, of, page);
        }
        let (view, of, page) = (self.clone(), of.clone(), page.clone());
        blocking(move || history::page(&view, &of, &page)).await
    }

    async fn listed(&self, of: &HistoryOf, page: &HistoryPage) -> Result<Vec<Listed>, StoreError> {
        let (view, of, page) = (self.clone(), of.clone(), page.clone());
        blocking(move || history::listed(&view, &of, &page)).await
    }

    async fn history_total(&self, of: &HistoryOf, page: &HistoryPage) -> Result<u64, StoreError> {
        let (view, of, page) = (self.clone(), of.clone(), page.clone());
        blocking(move || history::total(&view, &of, &page)).await
    }

    async fn ledger(
        &self,
        after: Position,
        lane: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        match lane {
            Some(of) => self.lane(of, after, limit),
            None => self.whole_ledger(after, limit),
        }
    }

    async fn search(&self, plan: &Plan) -> Result<Found, StoreError> {
        if !self.newest {
            return Err(StoreError::NotNewest);
        }
        if let Some(found) = self.searched_here(|reads| search::run(reads, plan))? {
            return Ok(found);
        }
        let plan = plan.clone();
        self.searched_apart(move |reads| search::run(reads, &plan))
            .await
    }

    async fn explain(&self, plan: &Plan) -> Result<Explanation, StoreError> {
        if !self.newest {
            return Err(StoreError::NotNewest);
        }
        let plan = plan.clone();
        self.searched_apart(move |reads| search::explain(reads, &plan))
            .await
    }

    async fn entries(
        &self,
        space: Space,
        rows: &[(TypeNumber, Row)],
        parameters: &[ParameterNumber],
    ) -> Result<Vec<Vec<Entry>>, StoreError> {
        if !self.newest {
            return Err(StoreError::NotNewest);
        }
        let found = |reads: &Reads<'_>| search::entries(reads, space, rows, parameters);
        if let Some(found) = self.searched_here(found)? {
            return Ok(found);
        }
        let (rows, parameters) = (rows.to_vec(), parameters.to_vec());
        self.searched_apart(move |reads| search::entries(reads, space, &rows, &parameters))
            .await
    }

    async fn referrers(
        &self,
        target: &RecordKey,
        after: Option<(TypeNumber, Row)>,
        limit: usize,
    ) -> Result<Vec<(TypeNumber, Row)>, StoreError> {
        if !self.newest {
            return Err(StoreError::NotNewest);
        }
        let Some(head) = head_of(&self.snapshot, target)? else {
            return Ok(Vec::new());
        };
        let from = after.map_or(0, |(_, row)| row.0.saturating_add(1));
        let bounds = layout::incoming_key(head.referent, Row(from))
            ..=layout::incoming_key(head.referent, Row(u64::MAX));
        let mut found = Vec::new();
        for entry in self.snapshot.range(INCOMING, bounds) {
            if found.len() == limit {
                break;
            }
            let (key, value) = entry.map_err(fault::engine)?;
            let incoming = Incoming::decode(&value)?;
            if incoming.refers() && incoming.space == target.space {
                found.push((incoming.kind, layout::rows_of_incoming(&key)?.1));
            }
        }
        Ok(found)
    }

    async fn named(&self, keys: &[NamedKey]) -> Result<Vec<Option<NamedRow>>, StoreError> {
        let one = |key: &NamedKey| -> Result<Option<NamedRow>, StoreError> {
            let bytes = self.get(META, &layout::named_key(key))?;
            bytes.map_or(Ok(None), |bytes| self.live_named(&bytes))
        };
        keys.iter().map(one).collect()
    }

    async fn named_with_prefix(
        &self,
        prefix: &str,
        after: Option<&NamedKey>,
        limit: usize,
    ) -> Result<Vec<(NamedKey, NamedRow)>, StoreError> {
        let mut found = Vec::new();
        let prefix = layout::named_prefix(prefix);
        let start = match after
            .map(layout::named_key)
            .filter(|after| *after >= prefix)
        {
            Some(after) => std::ops::Bound::Excluded(after),
            None => std::ops::Bound::Included(prefix.clone()),
        };
        for entry in self
            .snapshot
            .range(META, (start, std::ops::Bound::Unbounded))
        {
            let (key, value) = entry.map_err(fault::engine)?;
            if found.len() == limit || !key.starts_with(&prefix) {
                break;
            }
            if let Some(row) = self.live_named(&value)? {
                found.push((layout::key_of_named(&key)?, row));
            }
        }
        Ok(found)
    }

    async fn backup(&self, cursor: Option<Bytes>) -> Result<BackupPage, StoreError> {
        let view = self.clone();
        blocking(move || backup::page(&view, cursor.as_deref())).await
    }
}
