//! Random plans over some hundred records, compared with looking at each of them.

use std::collections::BTreeSet;

use super::bench::{
    Bench, Random, START, body, changes_of, delete, key_in, must, put_version, tenant,
};
use super::generate::{self, Ground};
use super::model::Model;
use super::{KEPT, NEWEST};
use crate::{At, Change, Commit, Found, NewVersion, Plan, RecordKey, Row, Space, TypeNumber, View};

/// Another seed is another tenant; the one that failed is printed.
const SEED: u64 = 20_261_125;
const RECORDS: u64 = 300;
const PLANS: usize = 2_500;

struct Filled {
    random: Random,
    model: Model,
    space: Space,
}

impl Filled {
    fn ground(&self) -> Ground {
        Ground {
            ids: RECORDS,
            rows: 2 * RECORDS,
            position: self.model.ledger.len() as u64,
            start: START,
        }
    }

    fn put(&mut self, key: &RecordKey) -> Change {
        let ground = self.ground();
        let number = self.random.below(16);
        let entries = (0..number).map(|_| generate::entry(&mut self.random, ground, key.space));
        let version = NewVersion {
            entries: entries.collect(),
            ..body("x")
        };
        put_version(key.clone(), version)
    }

    async fn commit(&mut self, bench: &Bench, commit: Commit) {
        bench.clock.advance(50_000);
        let answer = must(bench.try_commit(commit.clone()).await);
        self.model.apply(&commit, &answer);
    }

    /// Five sixths of the records are of the first type.
    async fn fill(&mut self, bench: &Bench) {
        for batch in 0..RECORDS / 6 {
            let keys = (0..7).map(|n| {
                let (kind, id) = if n < 5 {
                    (1, batch * 5 + n)
                } else {
                    (2, batch)
                };
                key_in(self.space, TypeNumber(kind), &format!("id{id}"))
            });
            let mut keys: Vec<_> = keys.collect();
            keys.dedup();
            let changes = keys.iter().map(|key| self.put(key)).collect();
            self.commit(bench, changes_of(changes)).await;
        }
    }

    /// In one commit: each takes a sync.
    async fn change_some(&mut self, bench: &Bench) {
        let ground = self.ground();
        let some = (0..20).map(|_| generate::key(&mut self.random, ground, self.space));
        let keys: BTreeSet<RecordKey> = some.collect();
        let mut changes = Vec::new();
        for key in keys {
            changes.push(match self.random.below(4) {
                0 => delete(key),
                _ => self.put(&key),
            });
        }
        self.commit(bench, changes_of(changes)).await;
    }

    async fn compare(&mut self, view: &dyn View, plan: &Plan) -> Found {
        let expected = self.model.search(plan);
        let found = must(view.search(plan).await);
        assert_eq!(found, expected, "seed {SEED}: {plan:?}");
        found
    }
}

async fn filled(bench: &Bench, space: Space) -> Filled {
    let mut filled = Filled {
        random: Random(SEED + u64::from(space.0)),
        model: Model::default(),
        space,
    };
    filled.fill(bench).await;
    filled
}

pub(super) async fn random_plans_equal_the_model(bench: &Bench) {
    let mut filled = filled(bench, KEPT).await;
    filled.change_some(bench).await;
    bench.pause().await;
    let view = must(bench.store().view(&tenant(), At::Newest).await);
    let mut telling = 0;
    for _ in 0..PLANS {
        let ground = filled.ground();
        let plan = generate::plan(&mut filled.random, ground, KEPT);
        filled.compare(&*view, &plan).await;
        // What it finds without a page's bounds is neither nothing nor all there is.
        let whole = Plan {
            after: None,
            not_later_than: None,
            limit: usize::MAX,
            ..plan
        };
        let found = filled.model.search(&whole).rows.len();
        let all = filled.model.search(&everything(&whole)).rows.len();
        telling += usize::from(0 < found && found < all);
    }
    assert!(telling * 2 > PLANS, "{telling} of {PLANS} plans tell much");
}

/// The same types without conditions.
fn everything(plan: &Plan) -> Plan {
    let mut all = plan.clone();
    for part in &mut all.parts {
        part.filter = crate::Filter::EVERYTHING;
    }
    all
}

/// All rows, a few at a time; between the pages, others may write.
async fn paged(bench: &Bench, filled: &mut Filled, plan: &Plan, writes: bool) -> Vec<Listed> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = Plan {
            after,
            limit: 7,
            ..plan.clone()
        };
        let view = bench.newest().await;
        let found = filled.compare(&*view, &page).await;
        rows.extend(found.rows);
        after = found.last;
        if !found.more {
            return rows;
        }
        if writes {
            filled.change_some(bench).await;
        }
    }
}

type Listed = (TypeNumber, Row);

/// Pages to the end give what one long page gives.
pub(super) async fn pages_to_the_end_equal_the_whole(bench: &Bench) {
    let mut filled = filled(bench, NEWEST).await;
    for _ in 0..60 {
        let ground = filled.ground();
        let plan = Plan {
            after: None,
            not_later_than: None,
            limit: 10_000,
            ..generate::plan(&mut filled.random, ground, NEWEST)
        };
        let view = bench.newest().await;
        let whole = filled.compare(&*view, &plan).await;
        let pages = paged(bench, &mut filled, &plan, false).await;
        assert_eq!(pages, whole.rows, "seed {SEED}: {plan:?}");
    }
}

/// What is not written between the pages is on exactly one of them.
pub(super) async fn writers_between_pages(bench: &Bench) {
    let mut filled = filled(bench, KEPT).await;
    for _ in 0..4 {
        let ground = filled.ground();
        let plan = everything(&Plan {
            after: None,
            not_later_than: None,
            ..generate::plan(&mut filled.random, ground, KEPT)
        });
        let wanted = |key: &RecordKey| plan.parts.iter().any(|part| part.kind == key.kind);
        let begun = filled.model.ledger.len() as u64;
        let pages = paged(bench, &mut filled, &plan, true).await;
        for (key, held) in &filled.model.records {
            let written = held
                .versions
                .last()
                .is_none_or(|last| last.position.0 > begun);
            if wanted(key) && held.live() && !written {
                let times = pages.iter().filter(|(_, row)| *row == held.row).count();
                assert_eq!(times, 1, "seed {SEED}: {plan:?}");
            }
        }
    }
}
