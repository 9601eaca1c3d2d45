//! Many at once: conditional creates, transactions over the same records, groups.

use super::bench::{Bench, Random, body, change, changes_of, key, must, put, put_version, tenant};
use super::preconditions::{coded, with_code};
use crate::{
    Action, At, Commit, Committed, Expected, Filter, ParameterNumber, Plan, Position, Precondition,
    Store, StoreError, Test, VersionNumber,
};

const TRIES: usize = 1_000;
const AT_ONCE: usize = 25;

/// What a conditional create does: search, and create if nothing was found and nothing came since.
async fn create_if_none(
    store: &dyn Store,
    try_number: usize,
    side: usize,
) -> Result<Committed, StoreError> {
    let code = try_number.to_string();
    loop {
        let view = store.view(&tenant(), At::Newest).await?;
        let found = view.search(&with_code(&code)).await?;
        if let Some((_, row)) = found.rows.first() {
            let unchanged = Precondition::Matches {
                plan: with_code(&code),
                rows: vec![*row],
                position: view.position(),
            };
            return store
                .commit(
                    &tenant(),
                    Commit {
                        preconditions: vec![unchanged],
                        ..Commit::default()
                    },
                )
                .await;
        }
        let matches = Precondition::Matches {
            plan: with_code(&code),
            rows: vec![],
            position: view.position(),
        };
        let new = put_version(key(&format!("{try_number}-{side}")), coded(&code));
        let commit = Commit {
            changes: vec![new],
            preconditions: vec![matches],
            ..Commit::default()
        };
        match store.commit(&tenant(), commit).await {
            Err(StoreError::Stale) => {}
            other => return other,
        }
    }
}

pub(super) async fn conditional_creates_make_one_record(bench: &Bench) {
    for from in (0..TRIES).step_by(AT_ONCE) {
        let tasks: Vec<_> = (from..from + AT_ONCE)
            .flat_map(|number| [(number, 0), (number, 1)])
            .map(|(number, side)| {
                let store = bench.store();
                tokio::spawn(async move { must(create_if_none(&*store, number, side).await) })
            })
            .collect();
        let mut created = 0;
        for task in tasks {
            created += task.await.expect("no panic").written.len();
        }
        assert_eq!(created, AT_ONCE, "one record of each two creates");
    }
    bench.pause().await;
    let all = Filter::Entry {
        parameter: ParameterNumber(1),
        test: Test::Present,
    };
    let plan = Plan {
        limit: 0,
        total: crate::Total::Accurate,
        ..super::bench::plan(all)
    };
    assert_eq!(
        must(bench.newest().await.search(&plan).await).total,
        Some(TRIES as u64)
    );
}

pub(super) async fn transactions_on_the_same_records(bench: &Bench) {
    bench
        .change((0..5).map(|n| put(key(&n.to_string()), "0")).collect())
        .await;
    let tasks: Vec<_> = (0..12_u64)
        .map(|seed| {
            let store = bench.store();
            tokio::spawn(async move {
                let mut random = Random(seed);
                let (mut done, mut refused) = (0, 0);
                for _ in 0..25 {
                    match one_transaction(&*store, &mut random).await {
                        Ok(_) => done += 1,
                        Err(StoreError::Precondition { .. } | StoreError::Stale) => refused += 1,
                        Err(other) => panic!("unexpected: {other:?}"),
                    }
                }
                (done, refused)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.expect("no panic").0;
    }
    bench.pause().await;
    let position = bench.newest().await.position();
    assert_eq!(
        position,
        Position(5 + 3 * done),
        "every success wrote its three entries"
    );
}

/// Changes three of five records, one of them only if it is as it was read, in random order.
async fn one_transaction(store: &dyn Store, random: &mut Random) -> Result<Committed, StoreError> {
    let start = random.below(5);
    let keys: Vec<_> = (0..3)
        .map(|n| key(&((start + n * 2) % 5).to_string()))
        .collect();
    let view = store.view(&tenant(), At::Newest).await?;
    let read = view.read(&keys).await?;
    let version = read[0]
        .as_ref()
        .map_or(VersionNumber(0), |record| record.version);
    let mut changes = vec![change(
        keys[0].clone(),
        Expected::Version(version),
        Action::Put(body("x")),
    )];
    changes.extend(keys[1..].iter().map(|key| put(key.clone(), "y")));
    if random.one_in(2) {
        changes.reverse();
    }
    store.commit(&tenant(), changes_of(changes)).await
}

pub(super) async fn groups_of_commits(bench: &Bench) {
    let tasks: Vec<_> = (0..64)
        .map(|n| {
            let store = bench.store();
            tokio::spawn(async move {
                let own = key(&n.to_string());
                let done = must(
                    store
                        .commit(&tenant(), changes_of(vec![put(own.clone(), "1")]))
                        .await,
                );
                // Whoever has an answer sees it, whoever else was in the group.
                let view = must(store.view(&tenant(), At::Newest).await);
                assert!(must(view.read(&[own]).await)[0].is_some());
                assert!(Some(view.position()) >= done.written[0].position);
                done.transaction
            })
        })
        .collect();
    let mut transactions = Vec::new();
    for task in tasks {
        transactions.push(task.await.expect("no panic"));
    }
    transactions.sort_unstable();
    assert!(
        transactions.into_iter().eq(1..=64),
        "each took its own turn"
    );
    bench.pause().await;
    assert_eq!(bench.newest().await.position(), Position(64));
}
