//! A long random life of a tenant, compared with the model all along.

use bytes::Bytes;

use super::bench::{Bench, Random, START, key_in, must, tenant};
use super::generate::{self, Ground};
use super::model::Model;
use super::{KEPT, NEWEST, OTHER};
use crate::{
    Action, At, Change, Commit, Entry, Expected, HistoryOf, HistoryOrder, HistoryPage, Instant,
    NewVersion, Origin, Outline, Position, Record, RecordKey, Space, TypeNumber, VersionNumber,
    View,
};

/// Another seed is another life; the one that failed is printed.
const SEEDS: [u64; 3] = [1, 20_261_123, 77];
const COMMITS: usize = 90;
const CHECKED_EVERY: usize = 15;

pub(super) async fn a_random_life_equals_the_model(bench: &Bench) {
    for (life, seed) in SEEDS.into_iter().enumerate() {
        let tenant_name = format!("life-{life}");
        let tenant = crate::TenantId::parse(&tenant_name).expect("a tenant's name");
        must(bench.store().create_tenant(&tenant).await);
        let mut life = Life {
            random: Random(seed),
            model: Model::default(),
            tenant,
            seed,
        };
        life.run(bench).await;
    }
    assert!(
        bench.newest().await.position() == Position(0),
        "{} stays empty",
        tenant()
    );
}

struct Life {
    random: Random,
    model: Model,
    tenant: crate::TenantId,
    seed: u64,
}

impl Life {
    async fn run(&mut self, bench: &Bench) {
        let mut seen: Vec<(Position, std::sync::Arc<dyn View>)> = Vec::new();
        for step in 0..COMMITS {
            let jump = i64::try_from(self.random.below(2_000)).expect("small") - 500;
            bench.clock.advance(jump);
            let commit = self.commit();
            let refusal = self.model.refuses(&commit);
            match (
                bench.store().commit(&self.tenant, commit.clone()).await,
                refusal,
            ) {
                (Ok(answer), None) => self.model.apply(&commit, &answer),
                (Err(error), Some(refusal)) => assert_eq!(error, refusal, "seed {}", self.seed),
                (result, refusal) => panic!("seed {}: {result:?}, not {refusal:?}", self.seed),
            }
            if step % CHECKED_EVERY == 0 {
                seen.clear();
                bench.pause().await;
                self.compare(bench).await;
                seen.push((
                    self.position(),
                    must(bench.store().view(&self.tenant, At::Newest).await),
                ));
            }
            for (position, view) in &seen {
                assert_eq!(view.position(), *position, "a view never changes");
            }
        }
        drop(seen);
        bench.pause().await;
        self.compare(bench).await;
    }

    fn position(&self) -> Position {
        Position(self.model.ledger.len() as u64)
    }

    fn key(&mut self) -> RecordKey {
        let space = [KEPT, KEPT, OTHER, NEWEST][self.random.index(4)];
        self.key_of(space)
    }

    fn key_of(&mut self, space: Space) -> RecordKey {
        let kind = TypeNumber(u32::try_from(self.random.below(2)).expect("small") + 1);
        let id = format!("id{}", self.random.below(6));
        key_in(space, kind, &id)
    }

    fn ground(&self) -> Ground {
        Ground {
            ids: 6,
            rows: 40,
            position: self.position().0,
            start: START,
        }
    }

    fn entries(&mut self, key: &RecordKey) -> Vec<Entry> {
        let ground = self.ground();
        (0..self.random.below(8))
            .map(|_| generate::entry(&mut self.random, ground, key.space))
            .collect()
    }

    fn version(&mut self, key: &RecordKey) -> NewVersion {
        let entries = self.entries(key);
        let references = (0..self.random.below(3))
            .map(|_| self.key_of(key.space))
            .collect();
        let lanes = if self.random.one_in(2) {
            vec![key.clone()]
        } else {
            Vec::new()
        };
        let length = [0, 3, 100, 5_000][self.random.index(4)];
        let body = Bytes::from(format!("{{\"n\":{}}}", self.random.below(1_000)).repeat(length));
        NewVersion {
            body,
            entries,
            references,
            lanes,
            blobs: Vec::new(),
        }
    }

    fn commit(&mut self) -> Commit {
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..=self.random.below(4) {
            let key = self.key();
            if changes.iter().any(|change| change.key == key) {
                continue;
            }
            let action = match self.random.below(14) {
                0..=7 => Action::Put(self.version(&key)),
                8 | 9 => Action::Delete,
                10 => Action::PurgeHistory,
                11 => Action::Purge,
                _ => Action::Index {
                    entries: self.entries(&key),
                    references: vec![self.key_of(key.space)],
                },
            };
            let expected = match self.random.below(16) {
                0 => Expected::Absent,
                1 => Expected::Live,
                2 => Expected::Version(VersionNumber(self.random.below(4))),
                _ => Expected::Any,
            };
            changes.push(Change {
                key,
                expected,
                action,
            });
        }
        let origin = Origin(u16::try_from(self.random.below(5)).expect("small"));
        Commit {
            changes,
            origin,
            ..Commit::default()
        }
    }

    async fn compare(&mut self, bench: &Bench) {
        let newest = must(bench.store().view(&self.tenant, At::Newest).await);
        assert_eq!(newest.position(), self.position(), "seed {}", self.seed);
        let ledger = must(newest.ledger(Position(0), None, 10_000).await);
        self.model.compare_ledger(ledger, self.seed);
        self.compare_state(&*newest, newest.position()).await;
        self.compare_index(&*newest).await;
        for _ in 0..4 {
            let at = Position(self.random.below(self.position().0 + 1));
            let past = must(bench.store().view(&self.tenant, At::Position(at)).await);
            assert_eq!(past.position(), at);
            self.compare_state(&*past, at).await;
            let ledger = must(past.ledger(Position(0), None, 10_000).await);
            assert_eq!(ledger.len() as u64, at.0);
        }
        let findings = must(bench.store().check(&self.tenant).await);
        assert!(findings.is_empty(), "seed {}: {findings:?}", self.seed);
    }

    async fn compare_state(&mut self, view: &dyn View, at: Position) {
        let keys: Vec<_> = self.model.records.keys().cloned().collect();
        let expected: Vec<_> = keys.iter().map(|key| self.model.read_at(key, at)).collect();
        assert_eq!(
            must(view.read(&keys).await),
            expected,
            "seed {} at {}",
            self.seed,
            at.0
        );
        for (key, expected) in keys.iter().zip(&expected) {
            let Some(record) = expected else { continue };
            let by_row = must(view.read_rows(key.space, &[(key.kind, record.row)]).await);
            assert_eq!(by_row[0].as_ref(), Some(record));
            let outlines = must(view.outlines(key.space, &[(key.kind, record.row)]).await);
            let outline = outlines[0].as_ref().expect("the record is there");
            assert_eq!(outline, &outline_of(record));
            let exactly = must(view.read_version(key, record.version).await);
            assert_eq!(exactly.as_ref(), Some(record));
        }
        for _ in 0..12 {
            let of = self.history_of();
            let page = self.page();
            let found = must(view.history(&of, &page).await);
            let expected = self.model.history(&of, &page, at);
            assert_eq!(
                found, expected,
                "seed {} at {}: {of:?} {page:?}",
                self.seed, at.0
            );
            let total = must(view.history_total(&of, &page).await);
            assert_eq!(total, self.model.total(&of, &page, at), "{of:?} {page:?}");
        }
    }

    fn history_of(&mut self) -> HistoryOf {
        let key = self.key();
        match self.random.below(3) {
            0 => HistoryOf::Kind(key.space, key.kind),
            1 => HistoryOf::Space(key.space),
            _ => HistoryOf::Record(key),
        }
    }

    fn page(&mut self) -> HistoryPage {
        let instant = |life: &mut Self| {
            if life.random.one_in(2) || life.model.ledger.is_empty() {
                return None;
            }
            let at = life.random.index(life.model.ledger.len());
            let shift = i64::try_from(life.random.below(3)).expect("small") - 1;
            Some(Instant(life.model.ledger[at].time.0 + shift))
        };
        let after = self
            .random
            .one_in(3)
            .then(|| self.random.below(self.position().0 + 2));
        HistoryPage {
            order: [HistoryOrder::NewestFirst, HistoryOrder::OldestFirst][self.random.index(2)],
            after: after.map(Position),
            since: instant(self),
            before: instant(self),
            current_from: instant(self),
            limit: [0, 1, 3, 1_000][self.random.index(4)],
        }
    }

    async fn compare_index(&mut self, view: &dyn View) {
        for _ in 0..60 {
            let space = [KEPT, OTHER, NEWEST][self.random.index(3)];
            let ground = self.ground();
            let plan = generate::plan(&mut self.random, ground, space);
            let found = must(view.search(&plan).await);
            assert_eq!(
                found,
                self.model.search(&plan),
                "seed {}: {plan:?}",
                self.seed
            );
        }
        for _ in 0..12 {
            let target = self.key();
            let all = self.model.referrers(&target);
            assert_eq!(
                must(view.referrers(&target, None, 1_000).await),
                all,
                "seed {}",
                self.seed
            );
            let first = must(view.referrers(&target, None, 1).await);
            assert_eq!(first, all[..all.len().min(1)]);
            if let Some(first) = first.first() {
                assert_eq!(
                    must(view.referrers(&target, Some(*first), 1_000).await),
                    all[1..]
                );
            }
        }
    }
}

/// No version of a random life names blobs.
fn outline_of(record: &Record) -> Outline {
    let Record {
        row,
        version,
        position,
        time,
        operation,
        ..
    } = *record;
    Outline {
        key: record.key.clone(),
        row,
        version,
        position,
        time,
        operation,
        blobs: Vec::new(),
    }
}
