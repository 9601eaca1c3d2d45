//! The contract in a few slow lines: everything in memory, every answer by looking at everything.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::NEWEST;
use crate::{
    Action, Change, Commit, Committed, Effect, Entry, Expected, HistoryOf, HistoryOrder,
    HistoryPage, Instant, Lane, LedgerEntry, NewVersion, Operation, Position, PreconditionFailure,
    Record, RecordKey, Row, StoreError, TypeNumber, VersionNumber,
};

/// A record with what is kept of it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) row: Row,
    /// Oldest first; empty after a purge.
    pub(super) versions: Vec<Record>,
    pub(super) newest: NewVersion,
}

impl Held {
    pub(super) fn live(&self) -> bool {
        self.last()
            .is_some_and(|last| last.operation != Operation::Delete)
    }

    fn last(&self) -> Option<&Record> {
        self.versions.last()
    }
}

/// A tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) records: BTreeMap<RecordKey, Held>,
    pub(super) ledger: Vec<LedgerEntry>,
    /// The record of each ledger entry, and the records whose lanes it is in.
    lanes: Vec<(RecordKey, Vec<RecordKey>)>,
    pub(super) transaction: u64,
}

impl Model {
    /// What the first failing expectation is.
    pub(super) fn refuses(&self, commit: &Commit) -> Option<StoreError> {
        let failing = commit
            .changes
            .iter()
            .enumerate()
            .find_map(|(index, change)| self.fails(change).map(|failure| (index, failure)));
        let (index, failure) = failing?;
        Some(StoreError::Precondition {
            change: Some(index),
            failure,
        })
    }

    fn fails(&self, change: &Change) -> Option<PreconditionFailure> {
        let held = self.records.get(&change.key);
        let live = held.is_some_and(Held::live);
        let not_live = || match held.and_then(Held::last) {
            None => PreconditionFailure::Missing,
            Some(last) => PreconditionFailure::Deleted { since: last.time },
        };
        match change.expected {
            Expected::Any => None,
            Expected::Absent => live.then_some(PreconditionFailure::Exists),
            Expected::Live => (!live).then(not_live),
            Expected::Version(_) if !live => Some(not_live()),
            Expected::Version(version) => {
                let same = held
                    .and_then(Held::last)
                    .is_some_and(|last| last.version == version);
                (!same).then_some(PreconditionFailure::Version)
            }
        }
    }

    /// Does what the commit says, with the rows and the time of the answer, and says what the
    /// answer must have been.
    pub(super) fn apply(&mut self, commit: &Commit, answer: &Committed) {
        assert_eq!(answer.written.len(), commit.changes.len());
        let before = self.ledger.len();
        for (change, written) in commit.changes.iter().zip(&answer.written) {
            let effect = self.apply_one(change, written.row, answer.time, commit);
            assert_eq!(written.effect, effect);
            let held = self.records.get(&change.key).and_then(Held::last);
            assert_eq!(
                written.version,
                held.map_or(VersionNumber(0), |last| last.version)
            );
            let listed = !matches!(effect, Effect::Nothing | Effect::Indexed);
            let position = listed.then_some(Position(self.ledger.len() as u64));
            assert_eq!(written.position, position);
        }
        let changed = self.ledger.len() > before;
        self.transaction += u64::from(changed);
        assert_eq!(
            answer.transaction,
            if changed { self.transaction } else { 0 }
        );
    }

    fn apply_one(&mut self, change: &Change, row: Row, time: Instant, commit: &Commit) -> Effect {
        if let Action::Index {
            entries,
            references,
        } = &change.action
        {
            return self.index(&change.key, entries, references);
        }
        let Some((operation, effect)) = self.outcome(change) else {
            return Effect::Nothing;
        };
        let held = self.records.get(&change.key);
        let last = held.and_then(Held::last).map_or(0, |last| last.version.0);
        let old_lanes = held.map(|held| held.newest.lanes.clone());
        let (version, lanes) = match &change.action {
            Action::Put(new) => (last + 1, new.lanes.clone()),
            Action::Delete => (last + 1, old_lanes.unwrap_or_default()),
            Action::Purge | Action::PurgeHistory | Action::Index { .. } => {
                (last, old_lanes.unwrap_or_default())
            }
        };
        let RecordKey { space, kind, .. } = change.key;
        let entry = LedgerEntry {
            position: Position(self.ledger.len() as u64 + 1),
            transaction: self.transaction + 1,
            time,
            origin: commit.origin,
            operation,
            space,
            kind,
            row,
            version: VersionNumber(version),
            lanes: Vec::new(),
        };
        self.lanes.push((change.key.clone(), lanes));
        self.hold(change, &entry);
        self.ledger.push(entry);
        effect
    }

    fn index(&mut self, key: &RecordKey, entries: &[Entry], references: &[RecordKey]) -> Effect {
        let Some(held) = self.records.get_mut(key).filter(|held| held.live()) else {
            return Effect::Nothing;
        };
        held.newest.entries = entries.to_vec();
        held.newest.references = references.to_vec();
        Effect::Indexed
    }

    fn outcome(&self, change: &Change) -> Option<(Operation, Effect)> {
        let held = self.records.get(&change.key);
        let versions = held.map_or(0, |held| held.versions.len());
        let live = held.is_some_and(Held::live);
        match (&change.action, versions) {
            (Action::Put(_), _) if live => Some((Operation::Update, Effect::Updated)),
            (Action::Put(_), _) => Some((Operation::Create, Effect::Created)),
            (Action::Delete, _) if live => Some((Operation::Delete, Effect::Deleted)),
            (Action::Purge, 1..) => Some((Operation::Purge, Effect::Purged)),
            (Action::PurgeHistory, 2..) => Some((Operation::PurgeHistory, Effect::Purged)),
            _ => None,
        }
    }

    /// What is in the ledger is what should be; the numbers of lanes are the provider's.
    pub(super) fn compare_ledger(&self, mut ledger: Vec<LedgerEntry>, seed: u64) {
        let mut known: HashMap<&RecordKey, Lane> = HashMap::new();
        for (entry, (record, keys)) in ledger.iter_mut().zip(&self.lanes) {
            let lanes = std::mem::take(&mut entry.lanes);
            assert_eq!(lanes.len(), keys.len(), "seed {seed}");
            for (key, lane) in keys.iter().zip(lanes) {
                let same = *known.entry(key).or_insert(lane);
                assert_eq!(same, lane, "seed {seed}: a record has one lane");
            }
            if entry.operation == Operation::Purge {
                // Its lane may be another one from now on.
                known.remove(record);
            }
            let different: HashSet<_> = known.values().collect();
            assert_eq!(different.len(), known.len(), "seed {seed}");
        }
        assert_eq!(ledger, self.ledger, "seed {seed}");
    }

    fn hold(&mut self, change: &Change, entry: &LedgerEntry) {
        let record = |body| Record {
            key: change.key.clone(),
            row: entry.row,
            version: entry.version,
            position: entry.position,
            time: entry.time,
            operation: entry.operation,
            body,
        };
        let fresh = || Held {
            row: entry.row,
            versions: Vec::new(),
            newest: NewVersion::default(),
        };
        let held = self.records.entry(change.key.clone()).or_insert_with(fresh);
        assert!(
            held.versions.is_empty() || held.row == entry.row,
            "a record has one row"
        );
        held.row = entry.row;
        match &change.action {
            Action::Put(new) => {
                held.versions.push(record(new.body.clone()));
                held.newest = new.clone();
            }
            Action::Delete => {
                held.versions.push(record(bytes::Bytes::new()));
                let lanes = std::mem::take(&mut held.newest.lanes);
                held.newest = NewVersion {
                    lanes,
                    ..NewVersion::default()
                };
            }
            Action::Purge => {
                held.versions.clear();
                held.newest = NewVersion::default();
            }
            Action::PurgeHistory => drop(held.versions.drain(..held.versions.len() - 1)),
            Action::Index { .. } => {}
        }
        if change.key.space == NEWEST && held.versions.len() > 1 {
            held.versions.drain(..held.versions.len() - 1);
        }
    }

    pub(super) fn read_at(&self, key: &RecordKey, at: Position) -> Option<Record> {
        let held = self.records.get(key)?;
        held.versions
            .iter()
            .rfind(|version| version.position <= at)
            .cloned()
    }

    fn kept(&self, of: &HistoryOf, at: Position) -> Vec<(Record, Option<Instant>)> {
        let wanted = |key: &RecordKey| match of {
            HistoryOf::Record(one) => key == one,
            HistoryOf::Kind(space, kind) => key.space == *space && key.kind == *kind,
            HistoryOf::Space(space) => key.space == *space,
        };
        let mut all = Vec::new();
        for (_, held) in self.records.iter().filter(|(key, _)| wanted(key)) {
            let then: Vec<_> = held
                .versions
                .iter()
                .filter(|it| it.position <= at)
                .collect();
            for (index, version) in then.iter().enumerate() {
                all.push((
                    (*version).clone(),
                    then.get(index + 1).map(|next| next.time),
                ));
            }
        }
        all.sort_by_key(|(version, _)| version.position);
        all
    }

    /// The versions within a page's bounds, its cursor and limit aside, oldest first.
    fn within(&self, of: &HistoryOf, page: &HistoryPage, at: Position) -> Vec<Record> {
        let mut all = self.kept(of, at);
        all.retain(|(version, replaced)| {
            page.since.is_none_or(|since| version.time >= since)
                && page.before.is_none_or(|before| version.time < before)
                && page.current_from.is_none_or(|from| {
                    version.time >= from || replaced.is_none_or(|replaced| replaced > from)
                })
        });
        all.into_iter().map(|(version, _)| version).collect()
    }

    pub(super) fn history(&self, of: &HistoryOf, page: &HistoryPage, at: Position) -> Vec<Record> {
        let mut found = self.within(of, page, at);
        match page.order {
            HistoryOrder::OldestFirst => {
                found.retain(|it| page.after.is_none_or(|after| it.position > after));
            }
            HistoryOrder::NewestFirst => {
                found.retain(|it| page.after.is_none_or(|after| it.position < after));
                found.reverse();
            }
        }
        found.truncate(page.limit);
        found
    }

    pub(super) fn total(&self, of: &HistoryOf, page: &HistoryPage, at: Position) -> u64 {
        self.within(of, page, at).len() as u64
    }

    pub(super) fn referrers(&self, target: &RecordKey) -> Vec<(TypeNumber, Row)> {
        let refer = |(key, held): (&RecordKey, &Held)| {
            let refers = held.live() && held.newest.references.contains(target);
            (refers && key.space == target.space).then_some((held.row, key.kind))
        };
        let mut found: Vec<_> = self.records.iter().filter_map(refer).collect();
        found.sort_unstable();
        found.into_iter().map(|(row, kind)| (kind, row)).collect()
    }
}
